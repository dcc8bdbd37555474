# The approval page. The path of a link contains its signature, so paths are not logged; links have no query.
resource "aws_apigatewayv2_api" "review" {
  name          = "${local.prefix}-review"
  description   = "Approval page."
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_integration" "review" {
  api_id                 = aws_apigatewayv2_api.review.id
  integration_type       = "AWS_PROXY"
  integration_uri        = module.function["review"].alias_invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_route" "review" {
  #checkov:skip=CKV_AWS_309: The signed link authorizes the request, and the function checks it.
  api_id    = aws_apigatewayv2_api.review.id
  route_key = "$default"
  target    = "integrations/${aws_apigatewayv2_integration.review.id}"
}

resource "aws_cloudwatch_log_group" "review_access" {
  #checkov:skip=CKV_AWS_338: var.log_retention_days sets the retention; decisions are recorded in the table.
  name              = "/aws/apigateway/${local.prefix}-review"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.this.arn
}

resource "aws_apigatewayv2_stage" "review" {
  api_id      = aws_apigatewayv2_api.review.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    # A few approvers use it; more requests than this are an attempt to guess a link.
    throttling_burst_limit = 20
    throttling_rate_limit  = 10
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.review_access.arn
    # Without the path: it contains the signature of the link.
    format = jsonencode({
      requestId = "$context.requestId"
      time      = "$context.requestTime"
      method    = "$context.httpMethod"
      status    = "$context.status"
      latencyMs = "$context.responseLatency"
      ip        = "$context.identity.sourceIp"
      userAgent = "$context.identity.userAgent"
      error     = "$context.integrationErrorMessage"
    })
  }
}

resource "aws_lambda_permission" "review" {
  statement_id  = "TheApprovalPage"
  action        = "lambda:InvokeFunction"
  function_name = module.function["review"].name
  qualifier     = module.function["review"].alias_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.review.execution_arn}/*/*"
}
