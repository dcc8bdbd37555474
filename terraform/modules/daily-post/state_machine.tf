locals {
  # Computed, because the functions' permissions refer to the state machine and the state machine refers to the functions.
  state_machine_arn = "arn:${local.partition}:states:${local.region}:${local.account}:stateMachine:${local.prefix}"
  states            = [for name in keys(local.functions) : name if !contains(["review", "watchdog"], name)]
}

data "aws_iam_policy_document" "state_machine" {
  statement {
    sid       = "InvokeTheFunctionsOfTheStates"
    actions   = ["lambda:InvokeFunction"]
    resources = [for name in local.states : module.function[name].alias_arn]
  }

  statement {
    sid       = "StoreTheTaskTokenInTheApproval"
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
    # Log delivery does not support resource-level permissions (https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html, 2026-11).
    resources = ["*"]
  }

  statement {
    sid     = "WriteTraces"
    actions = ["xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    # X-Ray does not support resource-level permissions for these.
    resources = ["*"]
  }
}

resource "aws_cloudwatch_log_group" "state_machine" {
  #checkov:skip=CKV_AWS_338: var.log_retention_days sets the retention; the record of every post is in the table.
  name              = "/aws/vendedlogs/states/${local.prefix}"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.this.arn
}

resource "aws_sfn_state_machine" "this" {
  #checkov:skip=CKV_AWS_285: The check also requires execution data, which contains the task token of AwaitApproval.
  name     = local.prefix
  type     = "STANDARD"
  role_arn = aws_iam_role.service["state-machine"].arn

  definition = templatefile("${path.module}/../../../statemachine/daily-post.asl.json", merge(
    { table_name = aws_dynamodb_table.this.name },
    { for name in local.states : "${replace(name, "-", "_")}_function_arn" => module.function[name].alias_arn },
  ))

  logging_configuration {
    level           = "ALL"
    log_destination = "${aws_cloudwatch_log_group.state_machine.arn}:*"
    # The input of AwaitApproval contains its task token.
    include_execution_data = false
  }

  tracing_configuration {
    enabled = true
  }

  # An execution without these permissions would fail.
  depends_on = [aws_iam_role_policy.service]
}

# A failure is recorded from this event and not by a catcher, so that a redrive resumes from the state that failed.
resource "aws_cloudwatch_event_rule" "failed" {
  name        = "${local.prefix}-failed"
  description = "Executions that did not succeed are recorded, and their recipients are notified."

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

  # Events that EventBridge could not deliver to Lambda.
  dead_letter_config {
    arn = aws_sqs_queue.events.arn
  }

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }
}

resource "aws_lambda_permission" "failed" {
  statement_id  = "EventsOfFailedExecutions"
  action        = "lambda:InvokeFunction"
  function_name = module.function["record-result"].name
  qualifier     = module.function["record-result"].alias_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.failed.arn
}

# Events that Lambda accepted and the function failed to process in every attempt.
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
    sid       = "RuleKeepsUndeliveredEvents"
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
