data "aws_iam_policy_document" "assume" {
  statement {
    sid     = "AssumeForTheFunction"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = "Role of the function ${var.name}."
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary_arn
}

data "aws_iam_policy_document" "this" {
  dynamic "statement" {
    for_each = var.rights

    content {
      sid       = statement.value.sid
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }

  statement {
    sid       = "WriteTheLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }

  statement {
    sid     = "WriteTraces"
    actions = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    # X-Ray does not support resource-level permissions for these.
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "this" {
  name   = "work"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338: var.log_retention_days sets the retention; the record of every post is in the table.
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_115: A new account has a concurrency limit of 10; reserved concurrency would be taken from the other functions.
  #checkov:skip=CKV_AWS_116: Step Functions receives every failure; the aliases that events and schedules invoke have an on-failure destination.
  #checkov:skip=CKV_AWS_117: The function calls public services only; a VPC would only add the cost of a NAT gateway.
  #checkov:skip=CKV_AWS_272: .ci/plan and .ci/apply verify the checksums of the zips, and GitHub attests their build.
  function_name = var.name
  description   = var.description
  role          = aws_iam_role.this.arn
  runtime       = "provided.al2023"
  handler       = "bootstrap"
  architectures = [var.architecture]

  filename = var.zip
  # A refresh or a destroy runs without the zip.
  source_code_hash = try(filebase64sha256(var.zip), null)

  memory_size = var.memory_mb
  timeout     = var.timeout_seconds
  # The alias refers to a published version.
  publish = true

  # Lambda drops the key of a function that has no variables, which would be a change in every plan.
  kms_key_arn = length(var.environment) == 0 ? null : var.kms_key_arn

  dynamic "environment" {
    for_each = length(var.environment) == 0 ? [] : [var.environment]

    content {
      variables = environment.value
    }
  }

  logging_config {
    log_group             = aws_cloudwatch_log_group.this.name
    log_format            = "JSON"
    application_log_level = "INFO"
    system_log_level      = "WARN"
  }

  tracing_config {
    mode = "Active"
  }

  # Without its permissions, the first invocation would fail.
  depends_on = [aws_iam_role_policy.this]
}

# All callers use this alias, so that a redriven execution runs the fixed code.
resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "The deployed version."
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version
}
