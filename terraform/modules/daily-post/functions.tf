locals {
  functions = jsondecode(file("${path.module}/../../../functions/functions.json"))

  environment = {
    TABLE_NAME        = aws_dynamodb_table.this.name
    BOT_FILES_BUCKET  = aws_s3_bucket.this["bot_files"].id
    IMAGE_BUCKET      = aws_s3_bucket.this["images"].id
    OPENAI_SECRET_ARN = aws_secretsmanager_secret.this["openai"].arn
    # Followed by /<bot>/x-credentials, the id of a bot's secret.
    SECRETS_PREFIX    = local.prefix
    REVIEW_SECRET_ARN = aws_secretsmanager_secret.this["review"].arn
    REVIEW_BASE_URL   = aws_apigatewayv2_api.review.api_endpoint
    MAIL_FROM         = var.mail_from
    ALERT_TO          = join(",", var.alert_to)
    # Longer than the timeout of post-tweet: an invocation may publish as long as it holds the lease.
    LEASE_SECONDS = "90"
  }

  # The functions have defaults for these that are correct on AWS.
  defaulted = ["OPENAI_BASE_URL", "X_API_BASE_URL"]

  descriptions = {
    build-prompt     = "Builds the prompt, caption and alt text from the observance."
    generate-image   = "Requests the picture from OpenAI, within the budget."
    pick-day         = "Picks the observance of a slot and claims the slot."
    post-tweet       = "Publishes the post on X exactly once, guarded by the ledger."
    record-result    = "Records the outcome of an execution and notifies the recipients."
    request-approval = "Opens an approval and emails the approvers."
    review           = "Serves the approval page."
    store-image      = "Validates, marks and resizes the picture."
    watchdog         = "Enforces deadlines, delivers decisions and checks every slot."
  }
}

module "function" {
  source   = "../function"
  for_each = local.functions

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
