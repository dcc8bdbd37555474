# What no role of the deployment may go beyond, whatever an apply gives it: using what is the deployment's, and changing
# nothing of how it is set up.
data "aws_iam_policy_document" "boundary" {
  #checkov:skip=CKV_AWS_111: The statement says why the delivery of logs and X-Ray have no resource.
  #checkov:skip=CKV_AWS_356: The statement says why the delivery of logs and X-Ray have no resource.
  statement {
    sid = "UseTheTable"
    actions = [
      "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query",
      "dynamodb:UpdateItem",
    ]
    resources = ["${local.arn["dynamodb"]}:table/${local.prefix}"]
  }

  statement {
    sid       = "UseTheBuckets"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:ListBucketVersions", "s3:PutObject"]
    resources = flatten([for kind in ["images", "bot-files"] : ["${local.bucket}-${kind}", "${local.bucket}-${kind}/*"]])
  }

  statement {
    sid       = "ReadTheSecrets"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = ["${local.arn["secretsmanager"]}:secret:${local.prefix}/*"]
  }

  statement {
    sid       = "UseTheKeyThroughTheServices"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = ["${local.arn["kms"]}:key/*"]

    condition {
      test     = "ForAnyValue:StringEquals"
      variable = "kms:ResourceAliases"
      values   = ["alias/${local.prefix}"]
    }
  }

  statement {
    sid       = "SendMails"
    actions   = ["ses:SendEmail"]
    resources = ["${local.arn["ses"]}:identity/*"]
  }

  statement {
    sid       = "InvokeTheFunctions"
    actions   = ["lambda:InvokeFunction"]
    resources = ["${local.arn["lambda"]}:function:${local.prefix}-*"]
  }

  statement {
    sid = "StartAndFollowRuns"
    actions = [
      "states:DescribeExecution", "states:GetExecutionHistory", "states:SendTaskFailure", "states:SendTaskSuccess",
      "states:StartExecution",
    ]
    resources = ["${local.arn["states"]}:stateMachine:${local.prefix}", "${local.arn["states"]}:execution:${local.prefix}:*"]
  }

  statement {
    sid       = "KeepDeadLetters"
    actions   = ["sqs:SendMessage"]
    resources = ["${local.arn["sqs"]}:${local.prefix}-*"]
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = [for group in local.log_groups : "${group}:*"]
  }

  statement {
    sid = "DeliverLogsAndTraces"
    # Neither has resources.
    actions = [
      "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
      "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
      "xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:PutTelemetryRecords", "xray:PutTraceSegments",
    ]
    resources = ["*"]
  }
}

resource "aws_iam_policy" "boundary" {
  name        = "github-${local.prefix}-boundary"
  description = "What no role of ${local.prefix} may go beyond."
  policy      = data.aws_iam_policy_document.boundary.json
}
