# Settings that all functions share.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:group" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/role" }
  }

  mock_resource "aws_lambda_function" {
    defaults = { version = "7" }
  }
}

variables {
  name                     = "daily-post-test-pick-day"
  description              = "Picks the observance."
  zip                      = "tests/fixtures/bootstrap.zip"
  architecture             = "arm64"
  memory_mb                = 128
  timeout_seconds          = 10
  environment              = { TABLE_NAME = "table" }
  rights                   = [{ sid = "ReadTheTable", actions = ["dynamodb:GetItem"], resources = ["arn:aws:dynamodb:us-east-1:123456789012:table/table"] }]
  log_retention_days       = 90
  kms_key_arn              = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
}

run "a_function_has_the_settings_it_was_given" {
  assert {
    condition     = aws_lambda_function.this.architectures == tolist(["arm64"]) && aws_lambda_function.this.runtime == "provided.al2023" && aws_lambda_function.this.memory_size == 128 && aws_lambda_function.this.timeout == 10
    error_message = "Architecture, runtime, memory or timeout differ from the variables."
  }

  assert {
    condition     = aws_lambda_function.this.publish && aws_lambda_alias.live.name == "live" && aws_lambda_alias.live.function_version == "7"
    error_message = "The alias live must refer to the version that was just published."
  }

  assert {
    condition     = aws_lambda_function.this.logging_config[0].log_format == "JSON" && aws_lambda_function.this.logging_config[0].log_group == "/aws/lambda/daily-post-test-pick-day" && aws_lambda_function.this.tracing_config[0].mode == "Active"
    error_message = "The function must log JSON to its own log group and send traces."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.retention_in_days == 90 && aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn
    error_message = "The log group must be encrypted and have a retention."
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables == tomap({ TABLE_NAME = "table" }) && aws_lambda_function.this.kms_key_arn == var.kms_key_arn
    error_message = "The variables must be encrypted with the deployment's key."
  }

  assert {
    condition     = aws_iam_role.this.permissions_boundary == var.permissions_boundary_arn
    error_message = "The role must have the permissions boundary."
  }

  assert {
    condition     = [for statement in data.aws_iam_policy_document.this.statement : statement.sid] == ["ReadTheTable", "WriteTheLog", "WriteTraces"]
    error_message = "The role must have the given permissions, and may write logs and traces."
  }

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == null || aws_lambda_function.this.reserved_concurrent_executions == -1
    error_message = "The function must not reserve concurrency: a new account has a limit of 10."
  }
}

run "a_function_without_variables_has_no_key_for_them" {
  variables {
    environment = {}
  }

  assert {
    condition     = length(aws_lambda_function.this.environment) == 0 && aws_lambda_function.this.kms_key_arn == null
    error_message = "A function without variables must not set a key: Lambda drops it, which would be a change in every plan."
  }
}
