output "name" {
  description = "The name of the function."
  value       = aws_lambda_function.this.function_name
}

output "alias_arn" {
  description = "The ARN of the alias, which all callers use."
  value       = aws_lambda_alias.live.arn
}

output "alias_invoke_arn" {
  description = "The ARN with which API Gateway invokes the alias."
  value       = aws_lambda_alias.live.invoke_arn
}

output "alias_name" {
  description = "The name of the alias."
  value       = aws_lambda_alias.live.name
}

output "role_name" {
  description = "The name of the function's role."
  value       = aws_iam_role.this.name
}
