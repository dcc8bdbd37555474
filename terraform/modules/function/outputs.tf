output "name" {
  description = "The name of the function."
  value       = aws_lambda_function.this.function_name
}

output "alias_arn" {
  description = "The ARN of its alias, by which it is called."
  value       = aws_lambda_alias.live.arn
}

output "alias_invoke_arn" {
  description = "The address of the alias for an API."
  value       = aws_lambda_alias.live.invoke_arn
}

output "alias_name" {
  description = "The name of the alias."
  value       = aws_lambda_alias.live.name
}

output "role_name" {
  description = "The name of its role."
  value       = aws_iam_role.this.name
}
