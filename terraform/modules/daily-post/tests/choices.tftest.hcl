# What was decided for every deployment.

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

run "what_was_decided_holds" {
  assert {
    condition     = length(regexall(":function:[a-z-]+:live\"", aws_sfn_state_machine.this.definition)) >= length(local.states)
    error_message = "Every state that calls a function names its alias."
  }

  assert {
    condition     = length(regexall(":function:[a-z-]+\"", aws_sfn_state_machine.this.definition)) == 0 && length(regexall("[$][{]", aws_sfn_state_machine.this.definition)) == 0
    error_message = "No function without its alias, and nothing that was not filled in."
  }

  assert {
    condition     = alltrue([for arn in data.aws_iam_policy_document.state_machine.statement[0].resources : endswith(arn, ":live")])
    error_message = "The state machine may invoke aliases only."
  }

  assert {
    condition     = endswith(aws_cloudwatch_event_target.failed.arn, ":live") && strcontains(aws_apigatewayv2_integration.review.integration_uri, ":live/")
    error_message = "The rule and the approval page call aliases."
  }

  assert {
    condition     = aws_sfn_state_machine.this.logging_configuration[0].level == "ALL" && !aws_sfn_state_machine.this.logging_configuration[0].include_execution_data
    error_message = "All is logged but the data, in which the task token is."
  }

  assert {
    condition     = length(regexall("(?i)path|query|routekey", aws_apigatewayv2_stage.review.access_log_settings[0].format)) == 0
    error_message = "The path of a link holds its signature."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.failed.event_pattern).detail == { stateMachineArn = ["arn:aws:states:us-east-1:123456789012:stateMachine:daily-post-test"], status = ["FAILED", "TIMED_OUT", "ABORTED"] }
    error_message = "Every end without success of this state machine, and of no other."
  }

  assert {
    condition     = aws_cloudwatch_event_target.failed.dead_letter_config[0].arn == aws_sqs_queue.events.arn
    error_message = "What EventBridge cannot hand over is kept."
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.record_result.destination_config[0].on_failure[0].destination == aws_sqs_queue.events.arn && aws_lambda_function_event_invoke_config.record_result.qualifier == "live"
    error_message = "What the function fails at is kept."
  }

  assert {
    condition     = alltrue([for queue in [aws_sqs_queue.events, aws_sqs_queue.schedules] : queue.message_retention_seconds == 1209600])
    error_message = "Dead letters are kept as long as a queue can, two weeks."
  }

  assert {
    condition     = aws_apigatewayv2_stage.review.default_route_settings[0].throttling_rate_limit == 10 && aws_apigatewayv2_stage.review.default_route_settings[0].throttling_burst_limit == 20
    error_message = "A handful of requests a second."
  }

  assert {
    condition = keys(aws_s3_bucket_public_access_block.this) == ["bot_files", "images"] && alltrue([
      for block in aws_s3_bucket_public_access_block.this :
      block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets
    ])
    error_message = "Both buckets are closed to the public in all four ways."
  }

  assert {
    condition     = alltrue([for encryption in aws_s3_bucket_server_side_encryption_configuration.this : one(encryption.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == aws_kms_key.this.arn])
    error_message = "Both buckets are encrypted with the deployment's key."
  }

  assert {
    condition     = alltrue([for versioning in aws_s3_bucket_versioning.this : versioning.versioning_configuration[0].status == "Enabled"])
    error_message = "Both buckets keep versions."
  }

  assert {
    condition = alltrue([
      for document in data.aws_iam_policy_document.bucket :
      one(document.statement).effect == "Deny" && one(one(document.statement).condition).variable == "aws:SecureTransport"
    ])
    error_message = "Both buckets refuse what is not TLS."
  }

  assert {
    condition     = aws_kms_key.this.enable_key_rotation && alltrue([for secret in aws_secretsmanager_secret.this : secret.kms_key_id == aws_kms_key.this.arn]) && one(aws_dynamodb_table.this.server_side_encryption).kms_key_arn == aws_kms_key.this.arn
    error_message = "One key, which rotates, for the secrets and the table as well."
  }

  assert {
    condition     = !aws_dynamodb_table.this.deletion_protection_enabled && alltrue([for bucket in aws_s3_bucket.this : bucket.force_destroy]) && alltrue([for secret in aws_secretsmanager_secret.this : secret.recovery_window_in_days == 0])
    error_message = "Nothing is left of an environment without protection."
  }

  assert {
    condition     = keys(aws_sesv2_email_identity.this) == ["alerts@example.org", "approver@example.org", "bot@example.org"]
    error_message = "The sender, those who hear of alarms, and everybody in the bots' files, each once."
  }

  assert {
    condition = alltrue([
      for alarm in concat(
        values(aws_cloudwatch_metric_alarm.executions),
        values(aws_cloudwatch_metric_alarm.dead_letters),
        values(aws_cloudwatch_metric_alarm.functions),
        [aws_cloudwatch_metric_alarm.watchdog, aws_cloudwatch_metric_alarm.watchdog_failures, aws_cloudwatch_metric_alarm.review],
      ) : one(alarm.alarm_actions) == aws_sns_topic.alarms.arn && strcontains(alarm.alarm_description, "docs/runbook.md, ${trimprefix(alarm.alarm_name, "daily-post-test-")}.") && strcontains(file("../../../docs/runbook.md"), "\n### ${trimprefix(alarm.alarm_name, "daily-post-test-")}\n")
    ])
    error_message = "Each alarm goes to the topic and names its entry in the runbook, which is there."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.watchdog.treat_missing_data == "breaching"
    error_message = "A watchdog that says nothing is what the alarm is about."
  }

  assert {
    condition     = keys(aws_sns_topic_subscription.alarms) == ["alerts@example.org"]
    error_message = "Those who are to hear of alarms are subscribed."
  }

  assert {
    condition     = length(setsubtract(keys(local.environment), flatten([for function in local.described : function.environment]))) == 0
    error_message = "No variable is set that no function reads."
  }

  assert {
    condition     = sort(keys(local.rights)) == sort(keys(local.described)) && sort(keys(local.descriptions)) == sort(keys(local.described))
    error_message = "Each function of functions.json has rights and a description, and nothing else has."
  }
}

run "every_role_stays_within_the_boundary" {
  variables {
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
  }

  assert {
    condition     = alltrue([for role in [aws_iam_role.schedules, aws_iam_role.state_machine] : role.permissions_boundary == var.permissions_boundary_arn])
    error_message = "The roles of the schedules and the state machine have it; the functions' are made with it by their module."
  }
}

run "what_is_protected_cannot_be_destroyed_by_mistake" {
  variables {
    deletion_protection = true
  }

  assert {
    condition     = aws_dynamodb_table.this.deletion_protection_enabled && alltrue([for bucket in aws_s3_bucket.this : !bucket.force_destroy]) && alltrue([for secret in aws_secretsmanager_secret.this : secret.recovery_window_in_days == 30])
    error_message = "The table, what is in the buckets, and the secrets."
  }

  assert {
    condition     = one(aws_dynamodb_table.this.point_in_time_recovery).enabled && one(aws_dynamodb_table.this.ttl).attribute_name == "expiresAt"
    error_message = "The table can be put back to any second, and forgets what has expired."
  }
}

run "of_two_environments_one_verifies_the_addresses" {
  variables {
    owns_mail_identities = false
  }

  assert {
    condition     = length(aws_sesv2_email_identity.this) == 0
    error_message = "An identity can be made once in an account."
  }
}
