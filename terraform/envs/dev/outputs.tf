output "daily_post" {
  description = "The outputs of the deployment (modules/daily-post)."
  value       = module.daily_post
}
