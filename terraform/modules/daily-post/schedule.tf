locals {
  slots = merge([
    for bot, files in local.bots : {
      for slot in files.slots : "${bot}-${slot.slot}" => merge(slot, { bot = bot, time_zone = files.timeZone })
    } if files.enabled
  ]...)
}

resource "aws_scheduler_schedule_group" "this" {
  name = local.prefix

  lifecycle {
    precondition {
      condition     = toset(keys(local.bots)) == toset([for file in fileset(var.bots_directory, "*/bot.toml") : dirname(file)])
      error_message = "A bot has no generated/schedules.json: run `spooky calendar schedules --bot <bot>` and commit the file that it writes."
    }
  }
}

# One schedule per slot of each bot. It starts the execution `lead` before the slot's time, in the bot's local time all
# year round.
resource "aws_scheduler_schedule" "slot" {
  #checkov:skip=CKV_AWS_297: The input holds no secret: the name of a bot and the number of a slot.
  for_each = local.slots

  name       = "${local.prefix}-${each.key}"
  group_name = aws_scheduler_schedule_group.this.name
  state      = var.schedules_enabled ? "ENABLED" : "DISABLED"

  schedule_expression          = each.value.expression
  schedule_expression_timezone = each.value.time_zone

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_sfn_state_machine.this.arn
    role_arn = aws_iam_role.service["schedules"].arn
    # Not jsonencode: it escapes < and >, and then Scheduler does not recognize its context attribute.
    input = "{\"bot\":\"${each.value.bot}\",\"slot\":${each.value.slot},\"scheduledTime\":\"<aws.scheduler.scheduled-time>\",\"lead\":\"${each.value.lead}\"}"

    dead_letter_config {
      arn = aws_sqs_queue.schedules.arn
    }

    retry_policy {
      # An execution that starts later than this is too late to post.
      maximum_event_age_in_seconds = each.value.maximumAgeSeconds
      maximum_retry_attempts       = 185
    }
  }
}

resource "aws_scheduler_schedule" "watchdog" {
  #checkov:skip=CKV_AWS_297: The input is empty.
  name       = "${local.prefix}-watchdog"
  group_name = aws_scheduler_schedule_group.this.name

  # Deadlines are enforced at most this late.
  schedule_expression = "rate(5 minutes)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = module.function["watchdog"].alias_arn
    role_arn = aws_iam_role.service["schedules"].arn
    input    = "{}"

    dead_letter_config {
      arn = aws_sqs_queue.schedules.arn
    }

    retry_policy {
      # The next invocation is due by then.
      maximum_event_age_in_seconds = 300
      maximum_retry_attempts       = 5
    }
  }
}

# Scheduler invokes the function asynchronously; by default Lambda would retry a failed invocation while the next one runs.
resource "aws_lambda_function_event_invoke_config" "watchdog" {
  function_name                = module.function["watchdog"].name
  qualifier                    = module.function["watchdog"].alias_name
  maximum_event_age_in_seconds = 300
  maximum_retry_attempts       = 0

  destination_config {
    on_failure {
      destination = aws_sqs_queue.schedules.arn
    }
  }
}

data "aws_iam_policy_document" "schedules" {
  statement {
    sid       = "StartExecutions"
    actions   = ["states:StartExecution"]
    resources = [local.state_machine_arn]
  }

  statement {
    sid       = "InvokeTheWatchdog"
    actions   = ["lambda:InvokeFunction"]
    resources = [module.function["watchdog"].alias_arn]
  }

  statement {
    sid       = "KeepFailedStarts"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.schedules.arn]
  }
}

resource "aws_sqs_queue" "schedules" {
  name                      = "${local.prefix}-schedules-dead-letters"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}
