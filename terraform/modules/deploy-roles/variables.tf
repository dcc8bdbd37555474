variable "environment" {
  type        = string
  description = "The environment to deploy, dev or prod."

  validation {
    condition     = can(regex("^[a-z0-9]{1,16}$", var.environment))
    error_message = "environment must be 1 to 16 lowercase letters and digits, such as prod."
  }
}

variable "repository" {
  type        = string
  description = "The GitHub repository as its OIDC tokens name it: owner/name, or owner@1/name@2 with the ids of both."

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+(@[0-9]+)?/[A-Za-z0-9._-]+(@[0-9]+)?$", var.repository))
    error_message = "repository must be owner/name or owner@1/name@2, without wildcards: a wildcard would allow other repositories to deploy."
  }
}

variable "oidc_provider_arn" {
  type        = string
  description = "The ARN of GitHub's OIDC provider in this account."
}

variable "state_bucket" {
  type        = string
  description = "The bucket that holds the Terraform state."
}
