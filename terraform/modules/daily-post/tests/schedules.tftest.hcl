# The schedules of the slots and of the watchdog.

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

run "each_slot_and_the_watchdog_have_a_schedule" {
  assert {
    condition     = keys(aws_scheduler_schedule.slot) == ["two-a-day-1", "two-a-day-2"]
    error_message = "Each slot must have one schedule, and a bot that is not enabled none."
  }

  assert {
    condition     = aws_scheduler_schedule.slot["two-a-day-1"].schedule_expression == "cron(0 6 ? * MON,FRI *)"
    error_message = "The expression must be that of schedules.json."
  }

  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.slot : schedule.schedule_expression_timezone == "Europe/Berlin"])
    error_message = "The schedule must use the time zone of the bot."
  }

  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.slot : schedule.state == "ENABLED" && schedule.flexible_time_window[0].mode == "OFF"])
    error_message = "A schedule must be enabled and must have no flexible time window."
  }

  assert {
    condition     = aws_scheduler_schedule.slot["two-a-day-2"].target[0].input == "{\"bot\":\"two-a-day\",\"slot\":2,\"scheduledTime\":\"<aws.scheduler.scheduled-time>\",\"lead\":\"168h\"}"
    error_message = "The characters < and > must not be escaped, or Scheduler does not replace its context attribute."
  }

  assert {
    condition     = { for name, schedule in aws_scheduler_schedule.slot : name => schedule.target[0].retry_policy[0].maximum_event_age_in_seconds } == { two-a-day-1 = 28800, two-a-day-2 = 3600 }
    error_message = "The maximum event age must be that of schedules.json."
  }

  assert {
    condition     = alltrue([for schedule in concat(values(aws_scheduler_schedule.slot), [aws_scheduler_schedule.watchdog]) : schedule.target[0].dead_letter_config[0].arn == aws_sqs_queue.schedules.arn])
    error_message = "Failed starts must go to the dead-letter queue."
  }

  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.slot : schedule.target[0].arn == aws_sfn_state_machine.this.arn])
    error_message = "The schedule of a slot must start the state machine."
  }

  assert {
    condition     = endswith(aws_scheduler_schedule.watchdog.target[0].arn, ":live")
    error_message = "The schedule of the watchdog must invoke the alias."
  }

  assert {
    condition     = aws_scheduler_schedule.watchdog.schedule_expression == "rate(5 minutes)" && aws_scheduler_schedule.watchdog.target[0].retry_policy[0].maximum_event_age_in_seconds == 300
    error_message = "The watchdog must run every five minutes, and no invocation may be retried after the next one is due."
  }

  assert {
    condition = {
      for statement in data.aws_iam_policy_document.schedules.statement : one(statement.actions) => one(statement.resources)
      } == {
      "states:StartExecution" = "arn:aws:states:us-east-1:123456789012:stateMachine:daily-post-test"
      "lambda:InvokeFunction" = module.function["watchdog"].alias_arn
      "sqs:SendMessage"       = aws_sqs_queue.schedules.arn
    }
    error_message = "The role must allow exactly one action each on the state machine, the watchdog's alias and the queue."
  }
}

run "disabled_schedules_leave_the_watchdog_enabled" {
  variables {
    schedules_enabled = false
  }

  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.slot : schedule.state == "DISABLED"])
    error_message = "The schedules of the slots must be disabled."
  }

  assert {
    condition     = aws_scheduler_schedule.watchdog.state != "DISABLED"
    error_message = "The watchdog must stay enabled: executions started by an operator need it."
  }
}

run "no_bot_of_this_repository_can_start_a_day_late" {
  variables {
    bots_directory = "../../../bots"
  }

  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.slot : schedule.target[0].retry_policy[0].maximum_event_age_in_seconds < 86400])
    error_message = "The retries of a slot must end before the same slot of the next day."
  }
}
