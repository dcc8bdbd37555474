# Values of variables that are rejected.

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

run "an_environment_consists_of_lowercase_letters_and_digits" {
  command = plan

  variables {
    environment = "Dev-1"
  }

  expect_failures = [var.environment]
}

run "an_environment_has_at_most_16_characters" {
  command = plan

  variables {
    environment = "seventeenletters1"
  }

  expect_failures = [var.environment]
}

run "the_sender_must_be_an_email_address" {
  command = plan

  variables {
    mail_from = "Spooky Days <bot@example.org"
  }

  expect_failures = [var.mail_from]
}

run "alarms_must_have_a_recipient" {
  command = plan

  variables {
    alert_to = []
  }

  expect_failures = [var.alert_to]
}

run "each_recipient_of_alarms_must_be_a_single_address" {
  command = plan

  variables {
    alert_to = ["one@example.org,two@example.org"]
  }

  expect_failures = [var.alert_to]
}

run "the_budget_must_be_greater_than_zero" {
  command = plan

  variables {
    monthly_budget_usd = 0
  }

  expect_failures = [var.monthly_budget_usd]
}

run "the_architecture_must_be_one_that_lambda_supports" {
  command = plan

  variables {
    architecture = "aarch64"
  }

  expect_failures = [var.architecture]
}

run "files_that_changed_since_their_validation_are_rejected" {
  command = plan

  variables {
    bots_directory = "tests/fixtures/changed"
  }

  expect_failures = [aws_s3_object.bot_file]
}

run "a_bot_without_schedules_json_is_rejected" {
  command = plan

  variables {
    bots_directory = "tests/fixtures/unchecked"
  }

  expect_failures = [aws_scheduler_schedule_group.this]
}
