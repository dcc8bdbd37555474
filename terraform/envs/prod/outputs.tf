output "daily_post" {
  description = "What there is to know of the deployment."
  value       = module.daily_post
}
