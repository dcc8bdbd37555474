locals {
  # Known before the state machine is there: its functions are to know it, and it is to know its functions.
  state_machine_arn = "arn:${local.partition}:states:${local.region}:${local.account}:stateMachine:${local.prefix}"
  states            = [for name in keys(local.described) : name if !contains(["review", "watchdog"], name)]
}

data "aws_iam_policy_document" "state_machine_assume" {
  statement {
    sid     = "StepFunctionsRunsIt"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["states.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = [local.state_machine_arn]
    }
  }
}

data "aws_iam_policy_document" "state_machine" {
  statement {
    sid       = "InvokeTheFunctionsOfTheStates"
    actions   = ["lambda:InvokeFunction"]
    resources = [for name in local.states : module.function[name].alias_arn]
  }

  statement {
    sid       = "PutTheTaskTokenIntoTheApproval"
    actions   = ["dynamodb:UpdateItem"]
    resources = [aws_dynamodb_table.this.arn]
  }

  statement {
    sid = "DeliverLogs"
    actions = [
      "logs:CreateLogDelivery",
      "logs:DeleteLogDelivery",
      "logs:DescribeLogGroups",
      "logs:DescribeResourcePolicies",
      "logs:GetLogDelivery",
      "logs:ListLogDeliveries",
      "logs:PutResourcePolicy",
      "logs:UpdateLogDelivery",
    ]
    # The delivery of logs has no resources (https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html, 2026-11).
    resources = ["*"]
  }

  statement {
    sid     = "WriteTraces"
    actions = ["xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    # X-Ray has no resources that these could be limited to.
    resources = ["*"]
  }
}

resource "aws_iam_role" "state_machine" {
  name                 = "${local.prefix}-state-machine"
  description          = "What the state machine ${local.prefix} may do."
  assume_role_policy   = data.aws_iam_policy_document.state_machine_assume.json
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "state_machine" {
  #checkov:skip=CKV_AWS_355: The delivery of logs and X-Ray have no resources.
  #checkov:skip=CKV_AWS_290: The delivery of logs and X-Ray have no resources.
  name   = "work"
  role   = aws_iam_role.state_machine.id
  policy = data.aws_iam_policy_document.state_machine.json
}

resource "aws_cloudwatch_log_group" "state_machine" {
  #checkov:skip=CKV_AWS_338: How long a log is kept is the owner's to say; the record of every post is in the table.
  name              = "/aws/vendedlogs/states/${local.prefix}"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.this.arn
}

resource "aws_sfn_state_machine" "this" {
  #checkov:skip=CKV_AWS_285: It logs all but the data of executions, which the check asks for too: the task token of AwaitApproval is in it.
  name     = local.prefix
  type     = "STANDARD"
  role_arn = aws_iam_role.state_machine.arn

  definition = templatefile("${path.module}/../../../statemachine/daily-post.asl.json", merge(
    { table_name = aws_dynamodb_table.this.name },
    { for name in local.states : "${replace(name, "-", "_")}_function_arn" => module.function[name].alias_arn },
  ))

  logging_configuration {
    level           = "ALL"
    log_destination = "${aws_cloudwatch_log_group.state_machine.arn}:*"
    # The task token of AwaitApproval is in its input.
    include_execution_data = false
  }

  tracing_configuration {
    enabled = true
  }

  # Whoever runs without its rights fails.
  depends_on = [aws_iam_role_policy.state_machine]
}

# A failure is recorded from this event and not by a catcher, so that Redrive goes on from the state that failed.
resource "aws_cloudwatch_event_rule" "failed" {
  name        = "${local.prefix}-failed"
  description = "Runs that ended without success are recorded and told."

  event_pattern = jsonencode({
    source        = ["aws.states"]
    "detail-type" = ["Step Functions Execution Status Change"]
    detail = {
      stateMachineArn = [local.state_machine_arn]
      status          = ["FAILED", "TIMED_OUT", "ABORTED"]
    }
  })
}

resource "aws_cloudwatch_event_target" "failed" {
  rule      = aws_cloudwatch_event_rule.failed.name
  target_id = "record-result"
  arn       = module.function["record-result"].alias_arn

  # What could not be handed to Lambda.
  dead_letter_config {
    arn = aws_sqs_queue.events.arn
  }

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }
}

resource "aws_lambda_permission" "failed" {
  statement_id  = "EventsOfFailedRuns"
  action        = "lambda:InvokeFunction"
  function_name = module.function["record-result"].name
  qualifier     = module.function["record-result"].alias_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.failed.arn
}

# What Lambda took and the function failed at, again and again.
resource "aws_lambda_function_event_invoke_config" "record_result" {
  function_name                = module.function["record-result"].name
  qualifier                    = module.function["record-result"].alias_name
  maximum_event_age_in_seconds = 21600
  maximum_retry_attempts       = 2

  destination_config {
    on_failure {
      destination = aws_sqs_queue.events.arn
    }
  }
}

resource "aws_sqs_queue" "events" {
  name                      = "${local.prefix}-events-dead-letters"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

data "aws_iam_policy_document" "events" {
  statement {
    sid       = "TheRuleKeepsWhatItCannotDeliver"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.events.arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.failed.arn]
    }
  }
}

resource "aws_sqs_queue_policy" "events" {
  queue_url = aws_sqs_queue.events.id
  policy    = data.aws_iam_policy_document.events.json
}
