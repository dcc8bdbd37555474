locals {
  described = jsondecode(file("${path.module}/../../../functions/functions.json"))

  environment = {
    TABLE_NAME               = aws_dynamodb_table.this.name
    BOT_FILES_BUCKET         = aws_s3_bucket.this["bot_files"].id
    IMAGE_BUCKET             = aws_s3_bucket.this["images"].id
    OPENAI_SECRET_ARN        = aws_secretsmanager_secret.this["openai"].arn
    X_CREDENTIALS_SECRET_ARN = aws_secretsmanager_secret.this["x-credentials"].arn
    REVIEW_SECRET_ARN        = aws_secretsmanager_secret.this["review"].arn
    REVIEW_BASE_URL          = aws_apigatewayv2_api.review.api_endpoint
    MAIL_FROM                = var.mail_from
    ALERT_TO                 = join(",", var.alert_to)
    # Longer than the timeout of post-tweet: whoever holds a lease may still send.
    LEASE_SECONDS = "90"
  }

  # What has a default in the functions, which is right on AWS.
  defaulted = ["OPENAI_BASE_URL", "X_API_BASE_URL"]

  descriptions = {
    build-prompt     = "The day becomes prompt, caption and alt text."
    generate-image   = "Has the picture painted by OpenAI, within the budget."
    pick-day         = "Picks the day of a slot and claims the slot."
    post-tweet       = "Posts once, by the ledger."
    record-result    = "Records how a run ended, and tells who is to know."
    request-approval = "Opens an approval and mails the approvers."
    review           = "The approval page."
    store-image      = "Checks, marks and resizes the picture."
    watchdog         = "Looks after what no state can."
  }
}

module "function" {
  source   = "../function"
  for_each = local.described

  name            = "${local.prefix}-${each.key}"
  description     = local.descriptions[each.key]
  zip             = "${var.zips_directory}/${each.key}/bootstrap.zip"
  architecture    = var.architecture
  memory_mb       = each.value.memoryMb
  timeout_seconds = each.value.timeoutSeconds
  environment = {
    for variable in each.value.environment : variable => local.environment[variable]
    if !contains(local.defaulted, variable)
  }
  rights                   = local.rights[each.key]
  log_retention_days       = var.log_retention_days
  permissions_boundary_arn = var.permissions_boundary_arn
  kms_key_arn              = aws_kms_key.this.arn
}
