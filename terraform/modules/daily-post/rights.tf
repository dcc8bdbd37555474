# The permissions of each function; docs/rights.md shows them as a table. The functions need no permissions for the KMS
# key: its policy allows its use through the services (kms.tf).

locals {
  secret_arns   = { for name, secret in aws_secretsmanager_secret.this : name => secret.arn }
  x_credentials = [for bot, _ in local.bots : local.secret_arns["${bot}/x-credentials"]]
  images        = aws_s3_bucket.this["images"].arn
  bot_files     = aws_s3_bucket.this["bot_files"].arn
  executions    = "arn:${local.partition}:states:${local.region}:${local.account}:execution:${local.prefix}:*"
  # SES checks the identity of the sender, which may be its domain's, and in the sandbox also those of the recipients.
  identities = [
    for address in sort(distinct(concat([var.mail_from, split("@", var.mail_from)[1]], tolist(local.recipients)))) :
    "arn:${local.partition}:ses:${local.region}:${local.account}:identity/${address}"
  ]

  rights = {
    build-prompt = []
    generate-image = [
      { sid = "KeepTheBudget", actions = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"], resources = [aws_dynamodb_table.this.arn] },
      { sid = "KeepDrafts", actions = ["s3:GetObject", "s3:PutObject"], resources = ["${local.images}/drafts/*"] },
      { sid = "DistinguishMissingDraftFromForbidden", actions = ["s3:ListBucket"], resources = [local.images] },
      { sid = "ReadTheOpenAiKey", actions = ["secretsmanager:GetSecretValue"], resources = [local.secret_arns["openai"]] },
    ]
    pick-day = [
      { sid = "ClaimTheSlot", actions = ["dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"], resources = [aws_dynamodb_table.this.arn] },
      { sid = "ReadTheBotsFiles", actions = ["s3:GetObject"], resources = ["${local.bot_files}/*"] },
      { sid = "DistinguishMissingFileFromForbidden", actions = ["s3:ListBucket"], resources = [local.bot_files] },
    ]
    post-tweet = [
      { sid = "KeepTheLedger", actions = ["dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], resources = [aws_dynamodb_table.this.arn] },
      { sid = "ReadThePicture", actions = ["s3:GetObject"], resources = ["${local.images}/pictures/*"] },
      { sid = "DistinguishMissingPictureFromForbidden", actions = ["s3:ListBucket"], resources = [local.images] },
      { sid = "ReadTheXCredentials", actions = ["secretsmanager:GetSecretValue"], resources = local.x_credentials },
    ]
    record-result = [
      { sid = "WriteTheRecord", actions = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"], resources = [aws_dynamodb_table.this.arn] },
      { sid = "ReadTheRecipients", actions = ["s3:GetObject"], resources = ["${local.bot_files}/*"] },
      { sid = "DistinguishMissingFileFromForbidden", actions = ["s3:ListBucket"], resources = [local.bot_files] },
      { sid = "SendNotifications", actions = ["ses:SendEmail"], resources = local.identities },
      { sid = "ReadWhichStateFailed", actions = ["states:DescribeExecution", "states:GetExecutionHistory"], resources = [local.executions] },
      { sid = "KeepEventsThatFailed", actions = ["sqs:SendMessage"], resources = [aws_sqs_queue.events.arn] },
    ]
    request-approval = [
      { sid = "OpenTheApproval", actions = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], resources = [aws_dynamodb_table.this.arn] },
      { sid = "EmailTheApprovers", actions = ["ses:SendEmail"], resources = local.identities },
      { sid = "SignTheLinks", actions = ["secretsmanager:GetSecretValue"], resources = [local.secret_arns["review"]] },
    ]
    review = [
      { sid = "KeepTheDecision", actions = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], resources = [aws_dynamodb_table.this.arn] },
      { sid = "ShowThePicture", actions = ["s3:GetObject"], resources = ["${local.images}/pictures/*", "${local.images}/thumbnails/*"] },
      { sid = "DistinguishMissingPictureFromForbidden", actions = ["s3:ListBucket"], resources = [local.images] },
      { sid = "CheckTheLinks", actions = ["secretsmanager:GetSecretValue"], resources = [local.secret_arns["review"]] },
      { sid = "CheckThatTheExecutionIsWaiting", actions = ["states:DescribeExecution"], resources = [local.executions] },
      { sid = "AnswerTheTaskToken", actions = ["states:SendTaskSuccess"], resources = [local.state_machine_arn] },
    ]
    store-image = [
      { sid = "ReadTheDraft", actions = ["s3:GetObject"], resources = ["${local.images}/drafts/*"] },
      { sid = "KeepThePicture", actions = ["s3:PutObject"], resources = ["${local.images}/pictures/*", "${local.images}/thumbnails/*"] },
      { sid = "DistinguishMissingDraftFromForbidden", actions = ["s3:ListBucket"], resources = [local.images] },
    ]
    watchdog = [
      { sid = "UseTheTable", actions = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"], resources = [aws_dynamodb_table.this.arn] },
      { sid = "ListTheBots", actions = ["s3:ListBucket", "s3:ListBucketVersions"], resources = [local.bot_files] },
      { sid = "ReadTheBotsFiles", actions = ["s3:GetObject", "s3:GetObjectVersion"], resources = ["${local.bot_files}/*"] },
      { sid = "SendEmail", actions = ["ses:SendEmail"], resources = local.identities },
      { sid = "ReadTheSecrets", actions = ["secretsmanager:GetSecretValue"], resources = concat([local.secret_arns["openai"], local.secret_arns["review"]], local.x_credentials) },
      { sid = "ReadTheStatusOfExecutions", actions = ["states:DescribeExecution"], resources = [local.executions] },
      { sid = "AnswerTheTaskToken", actions = ["states:SendTaskSuccess"], resources = [local.state_machine_arn] },
      { sid = "KeepFailedRuns", actions = ["sqs:SendMessage"], resources = [aws_sqs_queue.schedules.arn] },
    ]
  }
}
