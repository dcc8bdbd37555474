# What a plan looks at: how things are set up, and of what is kept in them the files of the bots only.
data "aws_iam_policy_document" "read" {
  #checkov:skip=CKV_AWS_356: The statement says for each action why it has no resource.
  statement {
    sid       = "ReadTheState"
    actions   = ["s3:GetObject"]
    resources = ["${local.state}/${local.key}"]
  }

  statement {
    sid       = "LockTheState"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["${local.state}/${local.key}.tflock"]
  }

  statement {
    sid       = "FindTheState"
    actions   = ["s3:ListBucket"]
    resources = [local.state]
  }

  statement {
    sid = "SeeTheFunctions"
    actions = [
      "lambda:GetAlias", "lambda:GetFunction", "lambda:GetFunctionCodeSigningConfig", "lambda:GetFunctionConfiguration",
      "lambda:GetFunctionEventInvokeConfig", "lambda:GetPolicy", "lambda:ListTags", "lambda:ListVersionsByFunction",
    ]
    resources = ["${local.arn["lambda"]}:function:${local.prefix}-*"]
  }

  statement {
    sid       = "SeeTheRoles"
    actions   = ["iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies", "iam:ListInstanceProfilesForRole"]
    resources = [local.roles]
  }

  statement {
    sid = "SeeTheStateMachine"
    actions = [
      "states:DescribeStateMachine", "states:ListStateMachineVersions", "states:ListTagsForResource",
    ]
    resources = ["${local.arn["states"]}:stateMachine:${local.prefix}"]
  }

  statement {
    sid = "CheckTheDefinition"
    # AWS asks for it on every state machine (https://github.com/hashicorp/terraform-provider-aws/issues/39472).
    actions   = ["states:ValidateStateMachineDefinition"]
    resources = ["${local.arn["states"]}:stateMachine:*"]
  }

  statement {
    sid       = "SeeTheRule"
    actions   = ["events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule"]
    resources = ["${local.arn["events"]}:rule/${local.prefix}-*"]
  }

  statement {
    sid       = "SeeTheSchedules"
    actions   = ["scheduler:GetSchedule", "scheduler:GetScheduleGroup", "scheduler:ListTagsForResource"]
    resources = ["${local.arn["scheduler"]}:schedule/${local.prefix}/*", "${local.arn["scheduler"]}:schedule-group/${local.prefix}"]
  }

  statement {
    sid = "SeeTheBuckets"
    actions = [
      "s3:GetAccelerateConfiguration", "s3:GetBucket*", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration",
      "s3:GetReplicationConfiguration", "s3:ListBucket",
    ]
    resources = ["${local.bucket}-images", "${local.bucket}-bot-files"]
  }

  statement {
    sid       = "ReadTheBotsFiles"
    actions   = ["s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion"]
    resources = ["${local.bucket}-bot-files/*"]
  }

  statement {
    sid       = "SeeTheTable"
    actions   = ["dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:ListTagsOfResource"]
    resources = ["${local.arn["dynamodb"]}:table/${local.prefix}"]
  }

  statement {
    sid       = "SeeTheSecretsWithoutTheirValues"
    actions   = ["secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy"]
    resources = ["${local.arn["secretsmanager"]}:secret:${local.prefix}/*"]
  }

  statement {
    sid       = "SeeTheKey"
    actions   = ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"]
    resources = ["${local.arn["kms"]}:key/*"]

    # A key is known by an id that AWS gives it; this is its name.
    condition {
      test     = "ForAnyValue:StringEquals"
      variable = "kms:ResourceAliases"
      values   = ["alias/${local.prefix}"]
    }
  }

  statement {
    sid       = "SeeTheQueues"
    actions   = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags"]
    resources = ["${local.arn["sqs"]}:${local.prefix}-*"]
  }

  statement {
    sid       = "SeeTheTopic"
    actions   = ["sns:GetSubscriptionAttributes", "sns:GetTopicAttributes", "sns:ListTagsForResource"]
    resources = ["${local.arn["sns"]}:${local.prefix}-*"]
  }

  statement {
    sid       = "SeeTheLogGroups"
    actions   = ["logs:ListTagsForResource"]
    resources = local.log_groups
  }

  statement {
    sid       = "SeeTheDashboardAndTheTagsOfAlarms"
    actions   = ["cloudwatch:GetDashboard", "cloudwatch:ListTagsForResource"]
    resources = ["${local.arn["cloudwatch"]}:alarm:${local.prefix}-*", "arn:${local.partition}:cloudwatch::${local.account}:dashboard/${local.prefix}"]
  }

  statement {
    sid       = "SeeTheApprovalPage"
    actions   = ["apigateway:GET"]
    resources = local.apis
  }

  statement {
    sid       = "SeeTheBudget"
    actions   = ["budgets:ListTagsForResource", "budgets:ViewBudget"]
    resources = ["arn:${local.partition}:budgets::${local.account}:budget/${local.prefix}"]
  }

  statement {
    sid       = "SeeTheMailIdentities"
    actions   = ["ses:GetEmailIdentity", "ses:ListTagsForResource"]
    resources = ["${local.arn["ses"]}:identity/*"]
  }

  statement {
    sid = "WhatIsListedForTheWholeAccount"
    # None of these can be limited to a name: each lists, or asks what the account may do.
    actions   = ["cloudwatch:DescribeAlarms", "kms:ListAliases", "logs:DescribeLogGroups", "scheduler:ListSchedules", "ses:GetAccount"]
    resources = ["*"]
  }
}

# Besides what a plan looks at, what `spooky doctor` and a dry run ask for (docs/cli.md).
data "aws_iam_policy_document" "verify" {
  statement {
    sid       = "AskTheWatchdog"
    actions   = ["lambda:InvokeFunction"]
    resources = ["${local.arn["lambda"]}:function:${local.prefix}-watchdog:live"]
  }

  statement {
    sid       = "StartADryRun"
    actions   = ["states:ListExecutions", "states:StartExecution"]
    resources = ["${local.arn["states"]}:stateMachine:${local.prefix}"]
  }

  statement {
    sid       = "FollowADryRun"
    actions   = ["states:DescribeExecution", "states:GetExecutionHistory"]
    resources = ["${local.arn["states"]}:execution:${local.prefix}:*"]
  }

  statement {
    sid       = "LookIntoTheTable"
    actions   = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:Query"]
    resources = ["${local.arn["dynamodb"]}:table/${local.prefix}"]
  }
}
