# The permissions boundary of every role of the deployment. Whatever policies an apply attaches, a role can use the
# deployment's resources and cannot change their configuration.
data "aws_iam_policy_document" "boundary" {
  #checkov:skip=CKV_AWS_111: Log delivery and X-Ray do not support resource-level permissions.
  #checkov:skip=CKV_AWS_356: Log delivery and X-Ray do not support resource-level permissions.
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
    sid       = "SendEmail"
    actions   = ["ses:SendEmail"]
    resources = ["${local.arn["ses"]}:identity/*"]
  }

  statement {
    sid       = "InvokeTheFunctions"
    actions   = ["lambda:InvokeFunction"]
    resources = ["${local.arn["lambda"]}:function:${local.prefix}-*"]
  }

  statement {
    sid = "StartAndFollowExecutions"
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
    # Neither supports resource-level permissions.
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
  description = "Permissions boundary of the roles of ${local.prefix}."
  policy      = data.aws_iam_policy_document.boundary.json
}
