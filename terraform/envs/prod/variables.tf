variable "mail_from" {
  type        = string
  description = "The sender of all emails, such as spooky-days@example.org."
}

variable "alert_to" {
  type        = list(string)
  description = "Email addresses that receive alarms."
}

variable "owns_mail_identities" {
  type        = bool
  description = "Whether this environment creates the SES identities of the sender and all recipients. In one account, exactly one environment does."
  default     = true
}

variable "schedules_enabled" {
  type        = bool
  description = "Whether the schedules start executions."
  default     = true
}

variable "monthly_budget_usd" {
  type        = number
  description = "The monthly AWS cost of the account, in US dollars, above which alert_to is notified."
  default     = 15
}

variable "architecture" {
  type        = string
  description = "The architecture that the functions were built for: arm64 or x86_64."
  default     = "arm64"
}

variable "zips_directory" {
  type        = string
  description = "The folder that holds <function>/bootstrap.zip for each function. Default: target/lambda, where .ci/package builds them."
  default     = null
}

variable "permissions_boundary_arn" {
  type        = string
  description = "The permissions boundary of every role of the deployment, an output of envs/github. Required for deployments from GitHub."
  default     = null
}
