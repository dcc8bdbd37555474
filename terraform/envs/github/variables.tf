variable "repository" {
  type        = string
  description = "The repository whose workflows deploy, such as owner/spooky-days."

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository is owner/name; a wildcard would let other repositories deploy."
  }
}

variable "state_bucket" {
  type        = string
  description = "The bucket that holds Terraform's state."
}

variable "environments" {
  type        = set(string)
  description = "The environments that are deployed."
  default     = ["dev", "prod"]

  validation {
    condition     = alltrue([for environment in var.environments : can(regex("^[a-z0-9]{1,16}$", environment))])
    error_message = "An environment has 1 to 16 lower-case letters and digits, such as prod."
  }
}
