# The role that changes: everything whose name begins with that of its environment, and nothing of the other one.
# It may write the policies of the functions' roles, so whoever deploys can in the end do what a function can be given:
# that is what the approval of the environment at GitHub is for. It cannot touch itself, whose name begins otherwise.
resource "aws_iam_role" "deploy" {
  for_each = var.environments

  name                 = "github-daily-post-${each.key}-deploy"
  description          = "Applies plans of the environment ${each.key}, and asks whether it works."
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  max_session_duration = 3600

  depends_on = [aws_iam_openid_connect_provider.github]
}

data "aws_iam_policy_document" "deploy" {
  #checkov:skip=CKV_AWS_109: The roles of the functions are a part of what is deployed; see the comment above.
  #checkov:skip=CKV_AWS_111: What has no name of its own when it is made, such as a key, is named by "*".
  for_each = var.environments

  source_policy_documents = [data.aws_iam_policy_document.plan[each.key].json]

  statement {
    sid       = "WriteTheState"
    actions   = ["s3:PutObject"]
    resources = ["arn:${local.partition}:s3:::${var.state_bucket}/daily-post/${each.key}.tfstate"]
  }

  statement {
    sid = "ChangeWhatBearsTheNameOfTheEnvironment"
    actions = [
      "cloudwatch:DeleteAlarms",
      "cloudwatch:DeleteDashboards",
      "cloudwatch:PutDashboard",
      "cloudwatch:PutMetricAlarm",
      "cloudwatch:TagResource",
      "cloudwatch:UntagResource",
      "dynamodb:CreateTable",
      "dynamodb:DeleteTable",
      "dynamodb:TagResource",
      "dynamodb:UntagResource",
      "dynamodb:UpdateContinuousBackups",
      "dynamodb:UpdateTable",
      "dynamodb:UpdateTimeToLive",
      "events:DeleteRule",
      "events:PutRule",
      "events:PutTargets",
      "events:RemoveTargets",
      "events:TagResource",
      "events:UntagResource",
      "lambda:AddPermission",
      "lambda:CreateAlias",
      "lambda:CreateFunction",
      "lambda:DeleteAlias",
      "lambda:DeleteFunction",
      "lambda:DeleteFunctionEventInvokeConfig",
      "lambda:PublishVersion",
      "lambda:PutFunctionEventInvokeConfig",
      "lambda:RemovePermission",
      "lambda:TagResource",
      "lambda:UntagResource",
      "lambda:UpdateAlias",
      "lambda:UpdateFunctionCode",
      "lambda:UpdateFunctionConfiguration",
      "lambda:UpdateFunctionEventInvokeConfig",
      "logs:AssociateKmsKey",
      "logs:CreateLogGroup",
      "logs:DeleteLogGroup",
      "logs:DisassociateKmsKey",
      "logs:PutRetentionPolicy",
      "logs:TagResource",
      "logs:UntagResource",
      "s3:CreateBucket",
      "s3:DeleteBucket",
      "s3:DeleteBucketPolicy",
      "s3:PutBucket*",
      "s3:PutEncryptionConfiguration",
      "s3:PutLifecycleConfiguration",
      "scheduler:CreateSchedule",
      "scheduler:CreateScheduleGroup",
      "scheduler:DeleteSchedule",
      "scheduler:DeleteScheduleGroup",
      "scheduler:TagResource",
      "scheduler:UntagResource",
      "scheduler:UpdateSchedule",
      # Not GetSecretValue and not PutSecretValue: the values are put in by hand.
      "secretsmanager:CreateSecret",
      "secretsmanager:DeleteSecret",
      "secretsmanager:TagResource",
      "secretsmanager:UntagResource",
      "secretsmanager:UpdateSecret",
      "sns:CreateTopic",
      "sns:DeleteTopic",
      "sns:SetTopicAttributes",
      "sns:Subscribe",
      "sns:TagResource",
      "sns:Unsubscribe",
      "sns:UntagResource",
      "sqs:CreateQueue",
      "sqs:DeleteQueue",
      "sqs:SetQueueAttributes",
      "sqs:TagQueue",
      "sqs:UntagQueue",
      "states:CreateStateMachine",
      "states:DeleteStateMachine",
      "states:TagResource",
      "states:UntagResource",
      "states:UpdateStateMachine",
    ]
    resources = concat(
      ["arn:${local.partition}:cloudwatch::${local.account}:dashboard/daily-post-${each.key}*"],
      ["arn:${local.partition}:s3:::daily-post-${each.key}-${local.account}-*"],
      [for resource in [
        "cloudwatch:%s:alarm:daily-post-%s-*",
        "dynamodb:%s:table/daily-post-%s",
        "events:%s:rule/daily-post-%s-*",
        "lambda:%s:function:daily-post-%s-*",
        "logs:%s:log-group:/aws/*/daily-post-%s*",
        "logs:%s:log-group:/aws/vendedlogs/states/daily-post-%s*",
        "scheduler:%s:schedule-group/daily-post-%s",
        "scheduler:%s:schedule/daily-post-%s/*",
        "secretsmanager:%s:secret:daily-post-%s/*",
        "sns:%s:daily-post-%s-*",
        "sqs:%s:daily-post-%s-*",
        "states:%s:stateMachine:daily-post-%s",
      ] : "arn:${local.partition}:${format(resource, "${local.region}:${local.account}", each.key)}"],
    )
  }

  statement {
    sid       = "BringTheBotFiles"
    actions   = ["s3:DeleteObject", "s3:PutObject", "s3:PutObjectTagging"]
    resources = ["arn:${local.partition}:s3:::daily-post-${each.key}-${local.account}-bot-files/*"]
  }

  statement {
    sid = "MakeTheRolesOfTheDeployment"
    actions = [
      "iam:CreateRole",
      "iam:DeleteRole",
      "iam:DeleteRolePolicy",
      "iam:ListInstanceProfilesForRole",
      "iam:PutRolePolicy",
      "iam:TagRole",
      "iam:UntagRole",
      "iam:UpdateAssumeRolePolicy",
      "iam:UpdateRole",
      "iam:UpdateRoleDescription",
    ]
    resources = ["arn:${local.partition}:iam::${local.account}:role/daily-post-${each.key}-*"]
  }

  statement {
    sid       = "HandThemToTheServicesThatRunIt"
    actions   = ["iam:PassRole"]
    resources = ["arn:${local.partition}:iam::${local.account}:role/daily-post-${each.key}-*"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["events.amazonaws.com", "lambda.amazonaws.com", "scheduler.amazonaws.com", "states.amazonaws.com"]
    }
  }

  statement {
    #checkov:skip=CKV_AWS_356: A key is made under no name, and an API, a budget, a mail identity and the delivery of logs cannot be named otherwise.
    sid = "MakeWhatCannotBeNamedBefore"
    actions = [
      "apigateway:DELETE",
      "apigateway:PATCH",
      "apigateway:POST",
      "apigateway:PUT",
      "apigateway:TagResource",
      "budgets:ModifyBudget",
      "budgets:TagResource",
      "kms:CreateAlias",
      "kms:CreateGrant",
      "kms:CreateKey",
      "kms:Decrypt",
      "kms:DeleteAlias",
      "kms:EnableKeyRotation",
      "kms:Encrypt",
      "kms:GenerateDataKey",
      "kms:PutKeyPolicy",
      "kms:ScheduleKeyDeletion",
      "kms:TagResource",
      "kms:UpdateAlias",
      "kms:UpdateKeyDescription",
      "logs:CreateLogDelivery",
      "logs:DeleteLogDelivery",
      "logs:DescribeResourcePolicies",
      "logs:GetLogDelivery",
      "logs:ListLogDeliveries",
      "logs:PutResourcePolicy",
      "logs:UpdateLogDelivery",
      "ses:CreateEmailIdentity",
      "ses:DeleteEmailIdentity",
      "ses:TagResource",
    ]
    resources = ["*"]
  }

  # What .ci/verify asks: spooky doctor and a dry run.
  statement {
    sid     = "AskTheFunctions"
    actions = ["lambda:InvokeFunction"]
    resources = [
      "arn:${local.partition}:lambda:${local.region}:${local.account}:function:daily-post-${each.key}-watchdog",
      "arn:${local.partition}:lambda:${local.region}:${local.account}:function:daily-post-${each.key}-watchdog:live",
    ]
  }

  statement {
    sid     = "RunAndWatch"
    actions = ["states:DescribeExecution", "states:GetExecutionHistory", "states:ListExecutions", "states:StartExecution"]
    resources = [
      "arn:${local.partition}:states:${local.region}:${local.account}:stateMachine:daily-post-${each.key}",
      "arn:${local.partition}:states:${local.region}:${local.account}:execution:daily-post-${each.key}:*",
    ]
  }

  statement {
    sid       = "ReadTheRecord"
    actions   = ["dynamodb:GetItem", "dynamodb:Query"]
    resources = ["arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/daily-post-${each.key}"]
  }
}

# An inline policy may have 10,240 characters, a managed one 6,144.
resource "aws_iam_role_policy" "deploy" {
  for_each = var.environments

  name   = "work"
  role   = aws_iam_role.deploy[each.key].id
  policy = data.aws_iam_policy_document.deploy[each.key].json
}
