variable "environment" {
  type        = string
  description = "The environment that is deployed, dev or prod."

  validation {
    condition     = can(regex("^[a-z0-9]{1,16}$", var.environment))
    error_message = "An environment has 1 to 16 lower-case letters and digits, such as prod."
  }
}

variable "repository" {
  type        = string
  description = "The repository at GitHub, as its tokens name it: owner/name, or owner@1/name@2 with the numbers of both."

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+(@[0-9]+)?/[A-Za-z0-9._-]+(@[0-9]+)?$", var.repository))
    error_message = "repository is such as owner/name or owner@1/name@2, without wildcards: any other repository could deploy otherwise."
  }
}

variable "oidc_provider_arn" {
  type        = string
  description = "The identity provider of GitHub in this account."
}

variable "state_bucket" {
  type        = string
  description = "The bucket with Terraform's state."
}
