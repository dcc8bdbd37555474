# The secrets, and the functions that may read them.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment          = "test"
  mail_from            = "bot@example.org"
  alert_to             = ["alerts@example.org"]
  owns_mail_identities = true
  schedules_enabled    = true
  deletion_protection  = false
  monthly_budget_usd   = 15
  bots_directory       = "tests/fixtures/bots"
  zips_directory       = "tests/fixtures/zips"
  architecture         = "arm64"
}

run "each_bot_has_a_separate_secret_for_x" {
  override_resource {
    target = aws_secretsmanager_secret.this["off/x-credentials"]
    values = { arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:off" }
  }

  override_resource {
    target = aws_secretsmanager_secret.this["two-a-day/x-credentials"]
    values = { arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:two-a-day" }
  }

  assert {
    condition = { for key, secret in aws_secretsmanager_secret.this : key => secret.name } == {
      "openai"                  = "daily-post-test/openai"
      "review"                  = "daily-post-test/review"
      "off/x-credentials"       = "daily-post-test/off/x-credentials"
      "two-a-day/x-credentials" = "daily-post-test/two-a-day/x-credentials"
    }
    error_message = "Each folder in bots_directory must have a secret for its X credentials."
  }

  assert {
    condition     = local.environment["SECRETS_PREFIX"] == "daily-post-test"
    error_message = "The functions must be able to derive the name of a bot's secret."
  }

  assert {
    condition = {
      for name, rights in local.rights : name => toset(flatten([for right in rights : right.resources if contains(right.actions, "secretsmanager:GetSecretValue")]))
      if length([for right in rights : right if contains(right.actions, "secretsmanager:GetSecretValue")]) > 0
      } == {
      generate-image   = toset([aws_secretsmanager_secret.this["openai"].arn])
      post-tweet       = toset(["arn:aws:secretsmanager:us-east-1:123456789012:secret:off", "arn:aws:secretsmanager:us-east-1:123456789012:secret:two-a-day"])
      request-approval = toset([aws_secretsmanager_secret.this["review"].arn])
      review           = toset([aws_secretsmanager_secret.this["review"].arn])
      watchdog         = toset([for secret in aws_secretsmanager_secret.this : secret.arn])
    }
    error_message = "Only post-tweet and the watchdog may read X credentials, exactly those of the bots."
  }
}
