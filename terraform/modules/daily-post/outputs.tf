output "state_machine_arn" {
  description = "The state machine."
  value       = aws_sfn_state_machine.this.arn
}

output "review_url" {
  description = "Where the approval page is."
  value       = aws_apigatewayv2_api.review.api_endpoint
}

output "secret_names" {
  description = "The secrets, whose values are put by hand."
  value       = [for secret in aws_secretsmanager_secret.this : secret.name]
}

output "table_name" {
  description = "The table."
  value       = aws_dynamodb_table.this.name
}
