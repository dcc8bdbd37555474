provider "aws" {
  default_tags {
    tags = {
      app         = "daily-post"
      environment = "dev"
    }
  }
}

module "daily_post" {
  source = "../../modules/daily-post"

  environment              = "dev"
  mail_from                = var.mail_from
  alert_to                 = var.alert_to
  owns_mail_identities     = var.owns_mail_identities
  schedules_enabled        = var.schedules_enabled
  deletion_protection      = false
  monthly_budget_usd       = var.monthly_budget_usd
  bots_directory           = "${path.module}/../../../bots"
  zips_directory           = coalesce(var.zips_directory, "${path.module}/../../../target/lambda")
  architecture             = var.architecture
  permissions_boundary_arn = var.permissions_boundary_arn
}
