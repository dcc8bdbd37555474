locals {
  search = "SEARCH('{\"${local.prefix}\",bot,outcome} MetricName=\"%s\"', '%s', 86400)"

  widgets = [
    { title = "Runs per day, by outcome", metrics = [[{ expression = format(local.search, "Runs", "Sum"), id = "runs" }]], stat = "Sum", period = 86400 },
    { title = "Cost per day, in US dollars", metrics = [[{ expression = format(local.search, "CostUsd", "Sum"), id = "cost" }]], stat = "Sum", period = 86400 },
    { title = "Time from claim to outcome, in seconds", metrics = [[{ expression = format(local.search, "RunSeconds", "Maximum"), id = "seconds" }]], stat = "Maximum", period = 86400 },
    { title = "Time waiting for approval, in seconds", metrics = [[{ expression = "SEARCH('{\"${local.prefix}\",bot} MetricName=\"ApprovalSeconds\"', 'Maximum', 86400)", id = "approval" }]], stat = "Maximum", period = 86400 },
    { title = "Retries, by state", metrics = [[{ expression = "SEARCH('{\"${local.prefix}\",state} MetricName=\"Retries\"', 'Sum', 86400)", id = "retries" }]], stat = "Sum", period = 86400 },
    {
      title = "Watchdog"
      metrics = [
        [local.prefix, "WatchdogRan"],
        [local.prefix, "WatchdogFailures"],
        [local.prefix, "NoticesUndelivered"],
        [local.prefix, "ApprovalsWaiting"],
      ]
      stat   = "Sum"
      period = 3600
    },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = local.prefix

  dashboard_body = jsonencode({
    widgets = [
      for i, widget in local.widgets : {
        type   = "metric"
        x      = (i % 2) * 12
        y      = floor(i / 2) * 6
        width  = 12
        height = 6
        properties = {
          title   = widget.title
          metrics = widget.metrics
          stat    = widget.stat
          period  = widget.period
          region  = local.region
          view    = "timeSeries"
          stacked = false
        }
      }
    ]
  })
}
