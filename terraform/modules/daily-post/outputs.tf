output "state_machine_arn" {
  description = "The ARN of the state machine."
  value       = aws_sfn_state_machine.this.arn
}

output "review_url" {
  description = "The URL of the approval page."
  value       = aws_apigatewayv2_api.review.api_endpoint
}

output "secret_names" {
  description = "The names of the secrets. An operator sets their values (docs/deploy.md)."
  value       = [for secret in aws_secretsmanager_secret.this : secret.name]
}

output "table_name" {
  description = "The name of the table."
  value       = aws_dynamodb_table.this.name
}
