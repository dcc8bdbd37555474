# The permissions of a plan: the configuration of every resource, and of stored data only the files of the bots.
data "aws_iam_policy_document" "read" {
  #checkov:skip=CKV_AWS_356: The statement AccountWideLists explains why its actions have no resource.
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
    sid = "ReadTheFunctions"
    actions = [
      "lambda:GetAlias", "lambda:GetFunction", "lambda:GetFunctionCodeSigningConfig", "lambda:GetFunctionConfiguration",
      "lambda:GetFunctionEventInvokeConfig", "lambda:GetPolicy", "lambda:ListTags", "lambda:ListVersionsByFunction",
    ]
    resources = ["${local.arn["lambda"]}:function:${local.prefix}-*"]
  }

  statement {
    sid       = "ReadTheRoles"
    actions   = ["iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies", "iam:ListInstanceProfilesForRole"]
    resources = [local.roles]
  }

  statement {
    sid = "ReadTheStateMachine"
    actions = [
      "states:DescribeStateMachine", "states:ListStateMachineVersions", "states:ListTagsForResource",
    ]
    resources = ["${local.arn["states"]}:stateMachine:${local.prefix}"]
  }

  statement {
    sid = "CheckTheDefinition"
    # AWS requires it on all state machines (https://github.com/hashicorp/terraform-provider-aws/issues/39472).
    actions   = ["states:ValidateStateMachineDefinition"]
    resources = ["${local.arn["states"]}:stateMachine:*"]
  }

  statement {
    sid       = "ReadTheRule"
    actions   = ["events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule"]
    resources = ["${local.arn["events"]}:rule/${local.prefix}-*"]
  }

  statement {
    sid       = "ReadTheSchedules"
    actions   = ["scheduler:GetSchedule", "scheduler:GetScheduleGroup", "scheduler:ListTagsForResource"]
    resources = ["${local.arn["scheduler"]}:schedule/${local.prefix}/*", "${local.arn["scheduler"]}:schedule-group/${local.prefix}"]
  }

  statement {
    sid = "ReadTheBuckets"
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
    sid       = "ReadTheTable"
    actions   = ["dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:ListTagsOfResource"]
    resources = ["${local.arn["dynamodb"]}:table/${local.prefix}"]
  }

  statement {
    sid       = "ReadTheSecretsWithoutTheirValues"
    actions   = ["secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy"]
    resources = ["${local.arn["secretsmanager"]}:secret:${local.prefix}/*"]
  }

  statement {
    sid       = "ReadTheKey"
    actions   = ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"]
    resources = ["${local.arn["kms"]}:key/*"]

    # AWS assigns the id of a key, so the condition limits it by its alias.
    condition {
      test     = "ForAnyValue:StringEquals"
      variable = "kms:ResourceAliases"
      values   = ["alias/${local.prefix}"]
    }
  }

  statement {
    sid       = "ReadTheQueues"
    actions   = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags"]
    resources = ["${local.arn["sqs"]}:${local.prefix}-*"]
  }

  statement {
    sid       = "ReadTheTopic"
    actions   = ["sns:GetSubscriptionAttributes", "sns:GetTopicAttributes", "sns:ListTagsForResource"]
    resources = ["${local.arn["sns"]}:${local.prefix}-*"]
  }

  statement {
    sid       = "ReadTheLogGroups"
    actions   = ["logs:ListTagsForResource"]
    resources = local.log_groups
  }

  statement {
    sid       = "ReadTheDashboardAndTheTagsOfAlarms"
    actions   = ["cloudwatch:GetDashboard", "cloudwatch:ListTagsForResource"]
    resources = ["${local.arn["cloudwatch"]}:alarm:${local.prefix}-*", "arn:${local.partition}:cloudwatch::${local.account}:dashboard/${local.prefix}"]
  }

  statement {
    sid       = "ReadTheApprovalPage"
    actions   = ["apigateway:GET"]
    resources = local.apis
  }

  statement {
    sid       = "ReadTheBudget"
    actions   = ["budgets:ListTagsForResource", "budgets:ViewBudget"]
    resources = ["arn:${local.partition}:budgets::${local.account}:budget/${local.prefix}"]
  }

  statement {
    sid       = "ReadTheMailIdentities"
    actions   = ["ses:GetEmailIdentity", "ses:ListTagsForResource"]
    resources = ["${local.arn["ses"]}:identity/*"]
  }

  statement {
    sid = "AccountWideLists"
    # None of these supports resource-level permissions: they list resources or describe the account.
    actions   = ["cloudwatch:DescribeAlarms", "kms:ListAliases", "logs:DescribeLogGroups", "scheduler:ListSchedules", "ses:GetAccount"]
    resources = ["*"]
  }
}

# The additional permissions of `spooky doctor` and a dry run (docs/cli.md).
data "aws_iam_policy_document" "verify" {
  statement {
    sid       = "InvokeTheWatchdog"
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
    sid       = "UseTheTable"
    actions   = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:Query"]
    resources = ["${local.arn["dynamodb"]}:table/${local.prefix}"]
  }
}
