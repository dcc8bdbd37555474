locals {
  executions_ended = {
    failed    = { metric = "ExecutionsFailed", says = "A run has failed." }
    timed-out = { metric = "ExecutionsTimedOut", says = "A run has taken longer than an execution may." }
    aborted   = { metric = "ExecutionsAborted", says = "Somebody has stopped a run." }
  }
  dead_letters = {
    events    = { queue = aws_sqs_queue.events.name, says = "The end of a run could not be recorded." }
    schedules = { queue = aws_sqs_queue.schedules.name, says = "A schedule could not start a run or the watchdog." }
  }
  function_troubles = {
    errors    = { metric = "Errors", says = "A function has failed; a state is tried again, so this alone may mean nothing." }
    throttles = { metric = "Throttles", says = "A function could not run, since too many do." }
  }
}

# docs/runbook.md has an entry for each alarm, by the end of its name.

resource "aws_cloudwatch_metric_alarm" "executions" {
  for_each = local.executions_ended

  alarm_name          = "${local.prefix}-executions-${each.key}"
  alarm_description   = "${each.value.says} See docs/runbook.md, executions-${each.key}."
  namespace           = "AWS/States"
  metric_name         = each.value.metric
  dimensions          = { StateMachineArn = local.state_machine_arn }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  # No run is no failure.
  treat_missing_data = "notBreaching"
  alarm_actions      = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  for_each = local.dead_letters

  alarm_name          = "${local.prefix}-dead-letters-${each.key}"
  alarm_description   = "${each.value.says} See docs/runbook.md, dead-letters-${each.key}."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = each.value.queue }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "watchdog" {
  alarm_name          = "${local.prefix}-watchdog-silent"
  alarm_description   = "The watchdog has not run to its end for half an hour, so nobody keeps deadlines. See docs/runbook.md, watchdog-silent."
  namespace           = local.prefix
  metric_name         = "WatchdogRan"
  statistic           = "Sum"
  period              = 900
  evaluation_periods  = 2
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  # Silence is what it is about.
  treat_missing_data = "breaching"
  alarm_actions      = [aws_sns_topic.alarms.arn]
  ok_actions         = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "watchdog_failures" {
  alarm_name          = "${local.prefix}-watchdog-failures"
  alarm_description   = "The watchdog cannot look after something, run after run. See docs/runbook.md, watchdog-failures."
  namespace           = local.prefix
  metric_name         = "WatchdogFailures"
  statistic           = "Sum"
  period              = 900
  evaluation_periods  = 2
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "functions" {
  for_each = local.function_troubles

  alarm_name          = "${local.prefix}-function-${each.key}"
  alarm_description   = "${each.value.says} See docs/runbook.md, function-${each.key}."
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "all"
    expression  = "SUM(METRICS())"
    label       = each.value.metric
    return_data = true
  }

  dynamic "metric_query" {
    for_each = keys(local.described)

    content {
      id = replace(metric_query.value, "-", "_")

      metric {
        namespace   = "AWS/Lambda"
        metric_name = each.value.metric
        dimensions  = { FunctionName = "${local.prefix}-${metric_query.value}" }
        stat        = "Sum"
        period      = 300
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "review" {
  alarm_name          = "${local.prefix}-review-errors"
  alarm_description   = "The approval page answers with errors. See docs/runbook.md, review-errors."
  namespace           = "AWS/ApiGateway"
  metric_name         = "5xx"
  dimensions          = { ApiId = aws_apigatewayv2_api.review.id }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}
