# The permissions of an apply. An administrator's apply creates the resources that hold data: the table, the buckets, the
# key and the secrets, including those of a new bot. GitHub cannot delete them or the dead-letter queues.
data "aws_iam_policy_document" "write" {
  #checkov:skip=CKV_AWS_111: Log delivery does not support resource-level permissions.
  #checkov:skip=CKV_AWS_356: Log delivery does not support resource-level permissions.
  statement {
    sid       = "WriteTheState"
    actions   = ["s3:PutObject"]
    resources = ["${local.state}/${local.key}"]
  }

  statement {
    sid = "ChangeTheFunctions"
    actions = [
      "lambda:AddPermission", "lambda:CreateAlias", "lambda:CreateFunction", "lambda:DeleteAlias", "lambda:DeleteFunction",
      "lambda:DeleteFunctionEventInvokeConfig", "lambda:PublishVersion", "lambda:PutFunctionEventInvokeConfig",
      "lambda:RemovePermission", "lambda:TagResource", "lambda:UntagResource", "lambda:UpdateAlias",
      "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration", "lambda:UpdateFunctionEventInvokeConfig",
    ]
    resources = ["${local.arn["lambda"]}:function:${local.prefix}-*"]
  }

  statement {
    sid       = "GrantPermissionsWithinTheBoundary"
    actions   = ["iam:CreateRole", "iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
    resources = [local.roles]

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = [local.boundary_arn]
    }
  }

  statement {
    sid       = "ChangeRolesExceptTheirPermissions"
    actions   = ["iam:DeleteRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription"]
    resources = [local.roles]
  }

  statement {
    sid       = "PassRolesToTheirServices"
    actions   = ["iam:PassRole"]
    resources = [local.roles]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["lambda.amazonaws.com", "scheduler.amazonaws.com", "states.amazonaws.com"]
    }
  }

  statement {
    sid       = "ChangeTheStateMachine"
    actions   = ["states:CreateStateMachine", "states:TagResource", "states:UntagResource", "states:UpdateStateMachine"]
    resources = ["${local.arn["states"]}:stateMachine:${local.prefix}"]
  }

  statement {
    sid       = "ChangeTheRule"
    actions   = ["events:DeleteRule", "events:PutRule", "events:PutTargets", "events:RemoveTargets", "events:TagResource", "events:UntagResource"]
    resources = ["${local.arn["events"]}:rule/${local.prefix}-*"]
  }

  statement {
    sid       = "ChangeTheSchedules"
    actions   = ["scheduler:CreateSchedule", "scheduler:CreateScheduleGroup", "scheduler:DeleteSchedule", "scheduler:TagResource", "scheduler:UntagResource", "scheduler:UpdateSchedule"]
    resources = ["${local.arn["scheduler"]}:schedule/${local.prefix}/*", "${local.arn["scheduler"]}:schedule-group/${local.prefix}"]
  }

  statement {
    sid = "ChangeTheBuckets"
    actions = [
      "s3:CreateBucket", "s3:PutBucketPolicy", "s3:PutBucketPublicAccessBlock", "s3:PutBucketTagging", "s3:PutBucketVersioning",
      "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration",
    ]
    resources = ["${local.bucket}-images", "${local.bucket}-bot-files"]
  }

  statement {
    sid       = "DeployTheBotsFiles"
    actions   = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObject", "s3:PutObjectTagging"]
    resources = ["${local.bucket}-bot-files/*"]
  }

  statement {
    sid       = "ChangeTheTable"
    actions   = ["dynamodb:TagResource", "dynamodb:UntagResource", "dynamodb:UpdateContinuousBackups", "dynamodb:UpdateTable", "dynamodb:UpdateTimeToLive"]
    resources = ["${local.arn["dynamodb"]}:table/${local.prefix}"]
  }

  statement {
    sid       = "TagTheSecrets"
    actions   = ["secretsmanager:TagResource", "secretsmanager:UntagResource"]
    resources = ["${local.arn["secretsmanager"]}:secret:${local.prefix}/*"]
  }

  statement {
    sid       = "ChangeTheKey"
    actions   = ["kms:EnableKeyRotation", "kms:PutKeyPolicy", "kms:TagResource", "kms:UntagResource", "kms:UpdateKeyDescription"]
    resources = ["${local.arn["kms"]}:key/*"]

    condition {
      test     = "ForAnyValue:StringEquals"
      variable = "kms:ResourceAliases"
      values   = ["alias/${local.prefix}"]
    }
  }

  statement {
    sid       = "ChangeTheQueues"
    actions   = ["sqs:CreateQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue"]
    resources = ["${local.arn["sqs"]}:${local.prefix}-*"]
  }

  statement {
    sid       = "ChangeTheTopic"
    actions   = ["sns:CreateTopic", "sns:SetSubscriptionAttributes", "sns:SetTopicAttributes", "sns:Subscribe", "sns:TagResource", "sns:Unsubscribe", "sns:UntagResource"]
    resources = ["${local.arn["sns"]}:${local.prefix}-*"]
  }

  statement {
    sid       = "ChangeTheLogGroups"
    actions   = ["logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource"]
    resources = local.log_groups
  }

  statement {
    sid = "DeliverLogs"
    # Log delivery does not support resource-level permissions. API Gateway and Step Functions set it up with the permissions
    # of the caller.
    actions = [
      "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeResourcePolicies", "logs:GetLogDelivery",
      "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "ChangeAlarmsAndTheDashboard"
    actions   = ["cloudwatch:DeleteAlarms", "cloudwatch:PutDashboard", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:UntagResource"]
    resources = ["${local.arn["cloudwatch"]}:alarm:${local.prefix}-*", "arn:${local.partition}:cloudwatch::${local.account}:dashboard/${local.prefix}"]
  }

  statement {
    sid       = "ChangeTheApprovalPage"
    actions   = ["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT"]
    resources = local.apis
  }

  statement {
    sid       = "ChangeTheBudget"
    actions   = ["budgets:ModifyBudget", "budgets:TagResource", "budgets:UntagResource"]
    resources = ["arn:${local.partition}:budgets::${local.account}:budget/${local.prefix}"]
  }

  statement {
    sid = "VerifyAddresses"
    # bot.toml can contain any address.
    actions   = ["ses:CreateEmailIdentity", "ses:DeleteEmailIdentity", "ses:TagResource", "ses:UntagResource"]
    resources = ["${local.arn["ses"]}:identity/*"]
  }
}
