locals {
  # Each bot is one account on X.
  secrets = merge(
    {
      openai = "OpenAI API key: {\"apiKey\"}."
      review = "Signing keys of the approval page's links: {\"current\", \"previous\"}."
    },
    {
      for bot, _ in local.bots :
      "${bot}/x-credentials" => "X credentials of ${bot}: {\"apiKey\", \"apiKeySecret\", \"accessToken\", \"accessTokenSecret\"}."
    },
  )
}

# An operator sets the values (docs/deploy.md), so that the Terraform state contains none.
resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57: OpenAI and X have no API to rotate keys; docs/deploy.md describes manual rotation.
  for_each = local.secrets

  name        = "${local.prefix}/${each.key}"
  description = each.value
  kms_key_id  = aws_kms_key.this.arn
  # With 0 days, the name can be reused immediately after a destroy.
  recovery_window_in_days = var.deletion_protection ? 30 : 0
}
