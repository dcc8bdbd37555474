output "plan_role_arns" {
  description = "PLAN_ROLE_ARN of each GitHub environment <environment>-plan."
  value       = { for environment, roles in module.deploy_roles : environment => roles.plan_role_arn }
}

output "permissions_boundary_arns" {
  description = "PERMISSIONS_BOUNDARY_ARN of each GitHub environment <environment>-plan."
  value       = { for environment, roles in module.deploy_roles : environment => roles.permissions_boundary_arn }
}

output "deploy_role_arns" {
  description = "DEPLOY_ROLE_ARN of each GitHub environment <environment>."
  value       = { for environment, roles in module.deploy_roles : environment => roles.deploy_role_arn }
}
