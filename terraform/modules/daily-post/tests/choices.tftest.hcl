# The settings that every deployment must have.

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

run "every_deployment_has_the_required_settings" {
  assert {
    condition     = length(regexall(":function:[a-z-]+:live\"", aws_sfn_state_machine.this.definition)) >= length(local.states)
    error_message = "Every state that invokes a function must use its alias."
  }

  assert {
    condition     = length(regexall(":function:[a-z-]+\"", aws_sfn_state_machine.this.definition)) == 0 && length(regexall("[$][{]", aws_sfn_state_machine.this.definition)) == 0
    error_message = "The definition must not contain a function without an alias or an unreplaced placeholder."
  }

  assert {
    condition     = alltrue([for arn in data.aws_iam_policy_document.state_machine.statement[0].resources : endswith(arn, ":live")])
    error_message = "The state machine must have permission to invoke aliases only."
  }

  assert {
    condition     = endswith(aws_cloudwatch_event_target.failed.arn, ":live") && strcontains(aws_apigatewayv2_integration.review.integration_uri, ":live/")
    error_message = "The rule and the approval page must invoke aliases."
  }

  assert {
    condition     = aws_sfn_state_machine.this.logging_configuration[0].level == "ALL" && !aws_sfn_state_machine.this.logging_configuration[0].include_execution_data
    error_message = "The state machine must log everything except execution data, which contains the task token."
  }

  assert {
    condition     = length(regexall("(?i)path|query|routekey", aws_apigatewayv2_stage.review.access_log_settings[0].format)) == 0
    error_message = "The access log must not contain the path: the path of a link contains its signature."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.failed.event_pattern).detail == { stateMachineArn = ["arn:aws:states:us-east-1:123456789012:stateMachine:daily-post-test"], status = ["FAILED", "TIMED_OUT", "ABORTED"] }
    error_message = "The rule must match every unsuccessful end of this state machine's executions, and no others."
  }

  assert {
    condition     = aws_cloudwatch_event_target.failed.dead_letter_config[0].arn == aws_sqs_queue.events.arn
    error_message = "Events that EventBridge cannot deliver must go to the dead-letter queue."
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.record_result.destination_config[0].on_failure[0].destination == aws_sqs_queue.events.arn && aws_lambda_function_event_invoke_config.record_result.qualifier == "live"
    error_message = "Events that record-result cannot process must go to the dead-letter queue."
  }

  assert {
    condition     = alltrue([for queue in [aws_sqs_queue.events, aws_sqs_queue.schedules] : queue.message_retention_seconds == 1209600])
    error_message = "Dead letters must be retained for 14 days, the maximum of SQS."
  }

  assert {
    condition     = aws_apigatewayv2_stage.review.default_route_settings[0].throttling_rate_limit == 10 && aws_apigatewayv2_stage.review.default_route_settings[0].throttling_burst_limit == 20
    error_message = "The approval page must be throttled to 10 requests per second."
  }

  assert {
    condition = keys(aws_s3_bucket_public_access_block.this) == ["bot_files", "images"] && alltrue([
      for block in aws_s3_bucket_public_access_block.this :
      block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets
    ])
    error_message = "Both buckets must block public access with all four settings."
  }

  assert {
    condition     = alltrue([for encryption in aws_s3_bucket_server_side_encryption_configuration.this : one(encryption.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == aws_kms_key.this.arn])
    error_message = "Both buckets must be encrypted with the deployment's key."
  }

  assert {
    condition     = alltrue([for versioning in aws_s3_bucket_versioning.this : versioning.versioning_configuration[0].status == "Enabled"])
    error_message = "Both buckets must be versioned."
  }

  assert {
    condition = alltrue([
      for document in data.aws_iam_policy_document.bucket :
      one(document.statement).effect == "Deny" && one(one(document.statement).condition).variable == "aws:SecureTransport"
    ])
    error_message = "Both buckets must deny requests without TLS."
  }

  assert {
    condition     = aws_kms_key.this.enable_key_rotation && alltrue([for secret in aws_secretsmanager_secret.this : secret.kms_key_id == aws_kms_key.this.arn]) && one(aws_dynamodb_table.this.server_side_encryption).kms_key_arn == aws_kms_key.this.arn
    error_message = "The secrets and the table must be encrypted with the deployment's key, which must rotate."
  }

  assert {
    condition     = !aws_dynamodb_table.this.deletion_protection_enabled && alltrue([for bucket in aws_s3_bucket.this : bucket.force_destroy]) && alltrue([for secret in aws_secretsmanager_secret.this : secret.recovery_window_in_days == 0])
    error_message = "Without deletion protection, a destroy must leave nothing behind."
  }

  assert {
    condition     = keys(aws_sesv2_email_identity.this) == ["alerts@example.org", "approver@example.org", "bot@example.org"]
    error_message = "The identities must be the sender, the recipients of alarms and the recipients of the bots, each once."
  }

  assert {
    condition = alltrue([
      for key, alarm in aws_cloudwatch_metric_alarm.this :
      alarm.alarm_name == "daily-post-test-${key}" && one(alarm.alarm_actions) == aws_sns_topic.alarms.arn && strcontains(alarm.alarm_description, "docs/runbook.md, ${key}.") && strcontains(file("../../../docs/runbook.md"), "\n### ${key}\n")
    ])
    error_message = "Each alarm must notify the topic and name an existing entry of the runbook."
  }

  assert {
    condition     = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => alarm.treat_missing_data if alarm.treat_missing_data != "notBreaching" } == { watchdog-silent = "breaching" }
    error_message = "Missing data must trigger the alarm watchdog-silent, and no other."
  }

  assert {
    condition = {
      for key, alarm in aws_cloudwatch_metric_alarm.this :
      key => concat([alarm.namespace, alarm.metric_name, alarm.statistic, tostring(alarm.period)], values(coalesce(alarm.dimensions, {}))) if length(alarm.metric_query) == 0
      } == {
      executions-failed      = ["AWS/States", "ExecutionsFailed", "Sum", "300", local.state_machine_arn]
      executions-timed-out   = ["AWS/States", "ExecutionsTimedOut", "Sum", "300", local.state_machine_arn]
      executions-aborted     = ["AWS/States", "ExecutionsAborted", "Sum", "300", local.state_machine_arn]
      dead-letters-events    = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", "300", "daily-post-test-events-dead-letters"]
      dead-letters-schedules = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", "300", "daily-post-test-schedules-dead-letters"]
      review-errors          = ["AWS/ApiGateway", "5xx", "Sum", "300", "api"]
      watchdog-silent        = ["daily-post-test", "WatchdogRan", "Sum", "900"]
      watchdog-failures      = ["daily-post-test", "WatchdogFailures", "Sum", "900"]
    }
    error_message = "An alarm does not watch its metric."
  }

  assert {
    condition = {
      for key, alarm in aws_cloudwatch_metric_alarm.this :
      key => toset([for query in alarm.metric_query : one(query.metric).dimensions.FunctionName if length(query.metric) > 0]) if length(alarm.metric_query) > 0
      } == {
      for key in ["function-errors", "function-throttles"] : key => toset([for name in keys(local.functions) : "daily-post-test-${name}"])
    }
    error_message = "The alarms of the functions must sum the metric of every function."
  }

  assert {
    condition     = keys(aws_sns_topic_subscription.alarms) == ["alerts@example.org"]
    error_message = "The recipients of alarms must be subscribed."
  }

  assert {
    condition     = length(setsubtract(keys(local.environment), flatten([for function in local.functions : function.environment]))) == 0
    error_message = "Every environment variable must be read by a function."
  }

  assert {
    condition     = sort(keys(local.rights)) == sort(keys(local.functions)) && sort(keys(local.descriptions)) == sort(keys(local.functions))
    error_message = "Exactly the functions of functions.json must have permissions and a description."
  }
}

run "every_role_has_the_permissions_boundary" {
  variables {
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
  }

  assert {
    condition     = alltrue([for role in aws_iam_role.service : role.permissions_boundary == var.permissions_boundary_arn])
    error_message = "The roles of the schedules and the state machine must have the boundary. The module function tests it for the functions."
  }
}

run "deletion_protection_prevents_a_destroy" {
  variables {
    deletion_protection = true
  }

  assert {
    condition     = aws_dynamodb_table.this.deletion_protection_enabled && alltrue([for bucket in aws_s3_bucket.this : !bucket.force_destroy]) && alltrue([for secret in aws_secretsmanager_secret.this : secret.recovery_window_in_days == 30])
    error_message = "The table, non-empty buckets and the secrets must be protected."
  }

  assert {
    condition     = one(aws_dynamodb_table.this.point_in_time_recovery).enabled && one(aws_dynamodb_table.this.ttl).attribute_name == "expiresAt"
    error_message = "The table must have point-in-time recovery and a time to live."
  }
}

run "only_one_environment_of_an_account_creates_the_mail_identities" {
  variables {
    owns_mail_identities = false
  }

  assert {
    condition     = length(aws_sesv2_email_identity.this) == 0
    error_message = "An identity can exist once per account."
  }
}
