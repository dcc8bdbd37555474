locals {
  secrets = {
    openai        = "The key of OpenAI: {\"apiKey\"}."
    x-credentials = "The keys of X: {\"apiKey\", \"apiKeySecret\", \"accessToken\", \"accessTokenSecret\"}."
    review        = "The signing keys of the approval page's links: {\"current\", \"previous\"}."
  }
}

# Their values are put by hand (docs/deploy.md), so that none is ever in the state.
resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57: OpenAI and X have no way to rotate a key by themselves; docs/deploy.md says how it is done by hand.
  for_each = local.secrets

  name        = "${local.prefix}/${each.key}"
  description = each.value
  kms_key_id  = aws_kms_key.this.arn
  # Otherwise the name is taken for a month after a destroy.
  recovery_window_in_days = var.deletion_protection ? 30 : 0
}
