variable "environment" {
  type        = string
  description = "The name of the environment, such as dev or prod: the last part of every name."

  validation {
    condition     = can(regex("^[a-z0-9]{1,16}$", var.environment))
    error_message = "An environment has 1 to 16 lower-case letters and digits, such as prod."
  }
}

variable "mail_from" {
  type        = string
  description = "The sender of all mails. AWS verifies it by a mail, unless its domain is verified."

  validation {
    condition     = can(regex("^[^@\\s]+@[^@\\s]+$", var.mail_from))
    error_message = "mail_from is a mail address, such as spooky-days@example.org."
  }
}

variable "alert_to" {
  type        = list(string)
  description = "Mail addresses of those who hear of alarms, and of runs whose bot nobody can tell. Each confirms a subscription."

  validation {
    condition     = length(var.alert_to) > 0 && alltrue([for address in var.alert_to : can(regex("^[^@\\s,]+@[^@\\s,]+$", address))])
    error_message = "alert_to has at least one mail address, such as you@example.org: otherwise nobody hears of an alarm."
  }
}

variable "owns_mail_identities" {
  type        = bool
  description = "Whether this environment has SES verify the sender and all who get mails. Of two environments in one account one does."
}

variable "schedules_enabled" {
  type        = bool
  description = "Whether the schedules start runs. A pause by the operator is in the table, and no apply changes it."
}

variable "deletion_protection" {
  type        = bool
  description = "Whether the table and the buckets refuse to be destroyed with what is in them."
}

variable "monthly_budget_usd" {
  type        = number
  description = "What the account may cost AWS's side in a month before alert_to hear of it, in US dollars. It stops nothing; the caps for OpenAI and X are in bot.toml."

  validation {
    condition     = var.monthly_budget_usd > 0
    error_message = "monthly_budget_usd is more than nothing."
  }
}

variable "log_retention_days" {
  type        = number
  description = "How long logs are kept, in days."
  default     = 90
}

variable "bots_directory" {
  type        = string
  description = "The folder of the bots, each with bot.toml, calendar.toml and schedules.json."
}

variable "zips_directory" {
  type        = string
  description = "The folder with <function>/bootstrap.zip of every function."
}

variable "architecture" {
  type        = string
  description = "What the functions were built for: arm64 or x86_64."

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture is arm64 or x86_64."
  }
}

variable "permissions_boundary_arn" {
  type        = string
  description = "The policy that no role of the deployment may go beyond: an output of envs/github. GitHub may give rights to no role without it."
  default     = null
}
