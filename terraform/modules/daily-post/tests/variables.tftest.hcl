# What a deployment cannot be given.

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

run "an_environment_is_a_short_word_of_lower_case_letters_and_digits" {
  command = plan

  variables {
    environment = "Dev-1"
  }

  expect_failures = [var.environment]
}

run "an_environment_is_not_so_long_that_names_break" {
  command = plan

  variables {
    environment = "seventeenletters1"
  }

  expect_failures = [var.environment]
}

run "the_sender_is_a_mail_address" {
  command = plan

  variables {
    mail_from = "Spooky Days <bot@example.org"
  }

  expect_failures = [var.mail_from]
}

run "somebody_hears_of_alarms" {
  command = plan

  variables {
    alert_to = []
  }

  expect_failures = [var.alert_to]
}

run "each_of_those_who_hear_of_alarms_is_an_address_of_its_own" {
  command = plan

  variables {
    alert_to = ["one@example.org,two@example.org"]
  }

  expect_failures = [var.alert_to]
}

run "the_budget_is_more_than_nothing" {
  command = plan

  variables {
    monthly_budget_usd = 0
  }

  expect_failures = [var.monthly_budget_usd]
}

run "the_architecture_is_one_of_lambdas" {
  command = plan

  variables {
    architecture = "aarch64"
  }

  expect_failures = [var.architecture]
}

run "files_that_were_not_checked_are_not_deployed" {
  command = plan

  variables {
    bots_directory = "tests/fixtures/changed"
  }

  expect_failures = [aws_s3_object.bot_file]
}

run "a_bot_without_schedules_json_is_not_left_out_in_silence" {
  command = plan

  variables {
    bots_directory = "tests/fixtures/unchecked"
  }

  expect_failures = [aws_scheduler_schedule_group.this]
}
