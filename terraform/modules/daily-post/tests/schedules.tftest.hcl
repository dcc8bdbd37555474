# What starts runs, and when.

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

run "each_slot_starts_a_run_and_the_watchdog_runs_beside_them" {
  assert {
    condition     = keys(aws_scheduler_schedule.slot) == ["two-a-day-1", "two-a-day-2"]
    error_message = "One schedule for each slot, and none for a bot that is switched off."
  }

  assert {
    condition     = aws_scheduler_schedule.slot["two-a-day-1"].schedule_expression == "cron(0 6 ? * MON,FRI *)"
    error_message = "The expression is that of schedules.json."
  }

  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.slot : schedule.schedule_expression_timezone == "Europe/Berlin"])
    error_message = "The time is local, so that it stays in summer."
  }

  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.slot : schedule.state == "ENABLED" && schedule.flexible_time_window[0].mode == "OFF"])
    error_message = "A schedule is on, and starts at its minute."
  }

  assert {
    condition     = aws_scheduler_schedule.slot["two-a-day-2"].target[0].input == "{\"bot\":\"two-a-day\",\"slot\":2,\"scheduledTime\":\"<aws.scheduler.scheduled-time>\"}"
    error_message = "Scheduler replaces its own words only if < and > are not escaped."
  }

  assert {
    condition     = { for name, schedule in aws_scheduler_schedule.slot : name => schedule.target[0].retry_policy[0].maximum_event_age_in_seconds } == { two-a-day-1 = 28800, two-a-day-2 = 3600 }
    error_message = "A run is not started later than schedules.json allows."
  }

  assert {
    condition     = alltrue([for schedule in concat(values(aws_scheduler_schedule.slot), [aws_scheduler_schedule.watchdog]) : schedule.target[0].dead_letter_config[0].arn == aws_sqs_queue.schedules.arn])
    error_message = "What cannot be started is kept."
  }

  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.slot : schedule.target[0].arn == aws_sfn_state_machine.this.arn])
    error_message = "A slot starts the state machine."
  }

  assert {
    condition     = endswith(aws_scheduler_schedule.watchdog.target[0].arn, ":live")
    error_message = "By the alias, so that the version is the one that is deployed."
  }

  assert {
    condition     = aws_scheduler_schedule.watchdog.schedule_expression == "rate(5 minutes)" && aws_scheduler_schedule.watchdog.target[0].retry_policy[0].maximum_event_age_in_seconds == 300
    error_message = "Every five minutes, and no call outlives the next."
  }

  assert {
    condition = {
      for statement in data.aws_iam_policy_document.schedules.statement : one(statement.actions) => one(statement.resources)
      } == {
      "states:StartExecution" = "arn:aws:states:us-east-1:123456789012:stateMachine:daily-post-test"
      "lambda:InvokeFunction" = module.function["watchdog"].alias_arn
      "sqs:SendMessage"       = aws_sqs_queue.schedules.arn
    }
    error_message = "One action each on the state machine, the watchdog's alias and the queue."
  }
}

run "an_environment_without_schedules_keeps_its_watchdog" {
  variables {
    schedules_enabled = false
  }

  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.slot : schedule.state == "DISABLED"])
    error_message = "No schedule of a slot is on."
  }

  assert {
    condition     = aws_scheduler_schedule.watchdog.state != "DISABLED"
    error_message = "Runs that were started by hand need the watchdog, too."
  }
}

run "no_shipped_bot_can_be_started_a_day_late" {
  variables {
    bots_directory = "../../../bots"
  }

  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.slot : schedule.target[0].retry_policy[0].maximum_event_age_in_seconds < 86400])
    error_message = "The retries of a slot end before the same slot of the next day."
  }
}
