variable "mail_from" {
  type        = string
  description = "The sender of all mails, such as spooky-days@example.org."
}

variable "alert_to" {
  type        = list(string)
  description = "Mail addresses of those who hear of alarms."
}

variable "owns_mail_identities" {
  type        = bool
  description = "Whether this environment has SES verify the addresses. Of two environments in one account one does."
  default     = true
}

variable "schedules_enabled" {
  type        = bool
  description = "Whether the schedules start runs."
  default     = true
}

variable "monthly_budget_usd" {
  type        = number
  description = "What the account may cost in a month before alert_to hear of it, in US dollars."
  default     = 15
}

variable "architecture" {
  type        = string
  description = "What the functions were built for: arm64, or x86_64."
  default     = "arm64"
}

variable "zips_directory" {
  type        = string
  description = "The folder with <function>/bootstrap.zip of every function; target/lambda, where they are built, without it."
  default     = null
}

variable "permissions_boundary_arn" {
  type        = string
  description = "The policy that no role of the deployment may go beyond: an output of envs/github. GitHub may give rights to no role without it."
  default     = null
}
