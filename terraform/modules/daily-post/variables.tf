variable "environment" {
  type        = string
  description = "The name of the environment, such as dev or prod. Resource names contain it."

  validation {
    condition     = can(regex("^[a-z0-9]{1,16}$", var.environment))
    error_message = "environment must be 1 to 16 lowercase letters and digits, such as prod."
  }
}

variable "mail_from" {
  type        = string
  description = "The sender of all emails. Unless its domain is verified, AWS emails it a verification link."

  validation {
    condition     = can(regex("^[^@\\s]+@[^@\\s]+$", var.mail_from))
    error_message = "mail_from must be an email address, such as spooky-days@example.org."
  }
}

variable "alert_to" {
  type        = list(string)
  description = "Email addresses that receive alarms, and notifications of executions whose bot is unknown. Each must confirm its subscription."

  validation {
    condition     = length(var.alert_to) > 0 && alltrue([for address in var.alert_to : can(regex("^[^@\\s,]+@[^@\\s,]+$", address))])
    error_message = "alert_to must have at least one email address, such as you@example.org. Each element is one address."
  }
}

variable "owns_mail_identities" {
  type        = bool
  description = "Whether this environment creates the SES identities of the sender and all recipients. In one account, exactly one environment does."
}

variable "schedules_enabled" {
  type        = bool
  description = "Whether the schedules start executions. An operator's pause is stored in the table and is not affected by an apply."
}

variable "deletion_protection" {
  type        = bool
  description = "Whether the table and non-empty buckets are protected from deletion."
}

variable "monthly_budget_usd" {
  type        = number
  description = "The monthly AWS cost of the account, in US dollars, above which alert_to is notified. It is not a limit. The caps for OpenAI and X are in bot.toml."

  validation {
    condition     = var.monthly_budget_usd > 0
    error_message = "monthly_budget_usd must be greater than 0."
  }
}

variable "log_retention_days" {
  type        = number
  description = "The retention of logs, in days."
  default     = 90
}

variable "bots_directory" {
  type        = string
  description = "The folder that holds one folder per bot, with bot.toml, calendar.toml and generated/schedules.json."
}

variable "zips_directory" {
  type        = string
  description = "The folder that holds <function>/bootstrap.zip for each function."
}

variable "architecture" {
  type        = string
  description = "The architecture that the functions were built for: arm64 or x86_64."

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "permissions_boundary_arn" {
  type        = string
  description = "The permissions boundary of every role of the deployment, an output of envs/github. Required for deployments from GitHub."
  default     = null
}
