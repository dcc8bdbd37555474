output "plan_role_arn" {
  description = "PLAN_ROLE_ARN of the GitHub environment <environment>-plan."
  value       = aws_iam_role.this["plan"].arn
}

output "deploy_role_arn" {
  description = "DEPLOY_ROLE_ARN of the GitHub environment <environment>."
  value       = aws_iam_role.this["deploy"].arn
}

output "permissions_boundary_arn" {
  description = "PERMISSIONS_BOUNDARY_ARN of the GitHub environment <environment>-plan: the permissions boundary of every role of the deployment."
  value       = aws_iam_policy.boundary.arn
}
