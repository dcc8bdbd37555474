locals {
  of_state_machine   = { StateMachineArn = local.state_machine_arn }
  twice_in_30_min    = { period = 900, evaluation_periods = 2 }
  over_all_functions = { statistic = null, period = null, evaluation_periods = 3, datapoints_to_alarm = 2 }

  # docs/runbook.md has an entry for each key.
  alarms = {
    executions-failed      = { description = "An execution failed.", namespace = "AWS/States", metric = "ExecutionsFailed", dimensions = local.of_state_machine }
    executions-timed-out   = { description = "An execution exceeded the timeout of the state machine.", namespace = "AWS/States", metric = "ExecutionsTimedOut", dimensions = local.of_state_machine }
    executions-aborted     = { description = "An operator stopped an execution.", namespace = "AWS/States", metric = "ExecutionsAborted", dimensions = local.of_state_machine }
    dead-letters-events    = { description = "A failed execution could not be recorded.", namespace = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = aws_sqs_queue.events.name }, statistic = "Maximum" }
    dead-letters-schedules = { description = "A schedule could not start an execution or the watchdog.", namespace = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = aws_sqs_queue.schedules.name }, statistic = "Maximum" }
    review-errors          = { description = "The approval page returns server errors.", namespace = "AWS/ApiGateway", metric = "5xx", dimensions = { ApiId = aws_apigatewayv2_api.review.id } }
    watchdog-failures      = merge(local.twice_in_30_min, { description = "A task of the watchdog fails in every run.", namespace = local.prefix, metric = "WatchdogFailures" })
    watchdog-silent = merge(local.twice_in_30_min, {
      description         = "The watchdog has not completed a run for 30 minutes. Approval deadlines are not being enforced."
      namespace           = local.prefix
      metric              = "WatchdogRan"
      comparison_operator = "LessThanThreshold"
      # Missing data is the fault that this alarm detects.
      treat_missing_data = "breaching"
      ok_actions         = [aws_sns_topic.alarms.arn]
    })
    function-errors    = merge(local.over_all_functions, { description = "A function failed. Step Functions retries states, so this alone may need no action.", function_metric = "Errors" })
    function-throttles = merge(local.over_all_functions, { description = "Lambda throttled a function: too many run at the same time.", function_metric = "Throttles" })
  }

  alarm_defaults = {
    namespace           = null
    metric              = null
    function_metric     = null
    dimensions          = null
    statistic           = "Sum"
    period              = 300
    evaluation_periods  = 1
    datapoints_to_alarm = null
    comparison_operator = "GreaterThanOrEqualToThreshold"
    # Without executions or messages there is no data, which is not a failure.
    treat_missing_data = "notBreaching"
    ok_actions         = null
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = { for key, alarm in local.alarms : key => merge(local.alarm_defaults, alarm) }

  alarm_name          = "${local.prefix}-${each.key}"
  alarm_description   = "${each.value.description} See docs/runbook.md, ${each.key}."
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.evaluation_periods
  datapoints_to_alarm = each.value.datapoints_to_alarm
  threshold           = 1
  comparison_operator = each.value.comparison_operator
  treat_missing_data  = each.value.treat_missing_data
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = each.value.ok_actions

  # The sum over all functions: one query for the sum, and one for the metric of each function.
  dynamic "metric_query" {
    for_each = each.value.function_metric == null ? [] : concat(["all"], keys(local.functions))

    content {
      id          = replace(metric_query.value, "-", "_")
      expression  = metric_query.value == "all" ? "SUM(METRICS())" : null
      label       = metric_query.value == "all" ? each.value.function_metric : null
      return_data = metric_query.value == "all" ? true : null

      dynamic "metric" {
        for_each = metric_query.value == "all" ? [] : [1]

        content {
          namespace   = "AWS/Lambda"
          metric_name = each.value.function_metric
          dimensions  = { FunctionName = "${local.prefix}-${metric_query.value}" }
          stat        = "Sum"
          period      = 300
        }
      }
    }
  }
}
