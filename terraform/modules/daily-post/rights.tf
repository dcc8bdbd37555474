# What each function may do, which docs/rights.md shows as a table. The key needs no rights: its policy lets in whoever
# may use the services.

locals {
  secret_arns = { for name, secret in aws_secretsmanager_secret.this : name => secret.arn }
  images      = aws_s3_bucket.this["images"].arn
  bot_files   = aws_s3_bucket.this["bot_files"].arn
  executions  = "arn:${local.partition}:states:${local.region}:${local.account}:execution:${local.prefix}:*"
  # SES asks for the sender's identity, which may be that of its domain, and in its sandbox for the recipients', too.
  identities = [
    for address in sort(distinct(concat([var.mail_from, split("@", var.mail_from)[1]], tolist(local.recipients)))) :
    "arn:${local.partition}:ses:${local.region}:${local.account}:identity/${address}"
  ]

  rights = {
    build-prompt = []
    generate-image = [
      { sid = "CountTheMoney", actions = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"], resources = [aws_dynamodb_table.this.arn] },
      { sid = "KeepDrafts", actions = ["s3:GetObject", "s3:PutObject"], resources = ["${local.images}/drafts/*"] },
      { sid = "TellAMissingDraftFromARefusedOne", actions = ["s3:ListBucket"], resources = [local.images] },
      { sid = "ReadTheKeyOfOpenAi", actions = ["secretsmanager:GetSecretValue"], resources = [local.secret_arns["openai"]] },
    ]
    pick-day = [
      { sid = "ClaimTheSlot", actions = ["dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"], resources = [aws_dynamodb_table.this.arn] },
      { sid = "ReadTheBotsFiles", actions = ["s3:GetObject"], resources = ["${local.bot_files}/*"] },
      { sid = "TellAMissingFileFromARefusedOne", actions = ["s3:ListBucket"], resources = [local.bot_files] },
    ]
    post-tweet = [
      { sid = "KeepTheLedger", actions = ["dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], resources = [aws_dynamodb_table.this.arn] },
      { sid = "ReadThePicture", actions = ["s3:GetObject"], resources = ["${local.images}/pictures/*"] },
      { sid = "TellAMissingPictureFromARefusedOne", actions = ["s3:ListBucket"], resources = [local.images] },
      { sid = "ReadTheKeysOfX", actions = ["secretsmanager:GetSecretValue"], resources = [local.secret_arns["x-credentials"]] },
    ]
    record-result = [
      { sid = "WriteTheRecord", actions = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"], resources = [aws_dynamodb_table.this.arn] },
      { sid = "ReadWhoIsTold", actions = ["s3:GetObject"], resources = ["${local.bot_files}/*"] },
      { sid = "TellAMissingFileFromARefusedOne", actions = ["s3:ListBucket"], resources = [local.bot_files] },
      { sid = "SendNotices", actions = ["ses:SendEmail"], resources = local.identities },
      { sid = "ReadWhereARunFailed", actions = ["states:DescribeExecution", "states:GetExecutionHistory"], resources = [local.executions] },
      { sid = "KeepEventsThatFailed", actions = ["sqs:SendMessage"], resources = [aws_sqs_queue.events.arn] },
    ]
    request-approval = [
      { sid = "OpenTheApproval", actions = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], resources = [aws_dynamodb_table.this.arn] },
      { sid = "MailTheApprovers", actions = ["ses:SendEmail"], resources = local.identities },
      { sid = "SignTheLinks", actions = ["secretsmanager:GetSecretValue"], resources = [local.secret_arns["review"]] },
    ]
    review = [
      { sid = "KeepTheDecision", actions = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], resources = [aws_dynamodb_table.this.arn] },
      { sid = "ShowThePicture", actions = ["s3:GetObject"], resources = ["${local.images}/pictures/*", "${local.images}/thumbnails/*"] },
      { sid = "TellAMissingPictureFromARefusedOne", actions = ["s3:ListBucket"], resources = [local.images] },
      { sid = "CheckTheLinks", actions = ["secretsmanager:GetSecretValue"], resources = [local.secret_arns["review"]] },
      { sid = "SeeWhetherTheRunWaits", actions = ["states:DescribeExecution"], resources = [local.executions] },
      { sid = "AnswerTheTaskToken", actions = ["states:SendTaskSuccess"], resources = [local.state_machine_arn] },
    ]
    store-image = [
      { sid = "ReadTheDraft", actions = ["s3:GetObject"], resources = ["${local.images}/drafts/*"] },
      { sid = "KeepThePicture", actions = ["s3:PutObject"], resources = ["${local.images}/pictures/*", "${local.images}/thumbnails/*"] },
      { sid = "TellAMissingDraftFromARefusedOne", actions = ["s3:ListBucket"], resources = [local.images] },
    ]
    watchdog = [
      { sid = "LookAfterTheTable", actions = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"], resources = [aws_dynamodb_table.this.arn] },
      { sid = "ListTheBots", actions = ["s3:ListBucket", "s3:ListBucketVersions"], resources = [local.bot_files] },
      { sid = "ReadTheBotsFiles", actions = ["s3:GetObject", "s3:GetObjectVersion"], resources = ["${local.bot_files}/*"] },
      { sid = "SendMails", actions = ["ses:SendEmail"], resources = local.identities },
      { sid = "TryTheKeys", actions = ["secretsmanager:GetSecretValue"], resources = [for name in ["openai", "review", "x-credentials"] : local.secret_arns[name]] },
      { sid = "SeeHowRunsEnded", actions = ["states:DescribeExecution"], resources = [local.executions] },
      { sid = "AnswerTheTaskToken", actions = ["states:SendTaskSuccess"], resources = [local.state_machine_arn] },
      { sid = "KeepRunsThatFailed", actions = ["sqs:SendMessage"], resources = [aws_sqs_queue.schedules.arn] },
    ]
  }
}
