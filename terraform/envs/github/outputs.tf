output "plan_role_arns" {
  description = "PLAN_ROLE_ARN of the environments <environment>-plan at GitHub."
  value       = { for environment, role in aws_iam_role.plan : environment => role.arn }
}

output "deploy_role_arns" {
  description = "DEPLOY_ROLE_ARN of the environments at GitHub."
  value       = { for environment, role in aws_iam_role.deploy : environment => role.arn }
}
