data "aws_iam_policy_document" "assume" {
  statement {
    sid     = "LambdaRunsIt"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = "What the function ${var.name} may do."
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
    # X-Ray has no resources that these could be limited to.
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "this" {
  name   = "work"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338: How long a log is kept is the owner's to say; the record of every post is in the table.
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_115: New accounts have ten concurrent invocations in all; what is reserved is taken from the others.
  #checkov:skip=CKV_AWS_116: Step Functions sees every failure itself; what events and schedules invoke has a destination on its alias.
  #checkov:skip=CKV_AWS_117: It talks to public services only; a VPC would only add a NAT gateway to pay for.
  #checkov:skip=CKV_AWS_272: The checksums of the zips are checked before they are planned and applied; signing has no second use here.
  function_name = var.name
  description   = var.description
  role          = aws_iam_role.this.arn
  runtime       = "provided.al2023"
  handler       = "bootstrap"
  architectures = [var.architecture]

  filename = var.zip
  # Without the zip, as in a refresh or a destroy, nothing is known of its content.
  source_code_hash = try(filebase64sha256(var.zip), null)

  memory_size = var.memory_mb
  timeout     = var.timeout_seconds
  # What the alias points at.
  publish = true

  # Lambda forgets the key of a function without variables.
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

  # A function that starts without its rights would fail its first invocation.
  depends_on = [aws_iam_role_policy.this]
}

# Everything calls the function by this alias, so that fixed code reaches a run that is redriven.
resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "What is called."
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version
}
