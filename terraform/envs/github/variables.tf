variable "repository" {
  type        = string
  description = "The GitHub repository as its OIDC tokens name it: owner/name, or owner@1/name@2 with the ids of both."
}

variable "state_bucket" {
  type        = string
  description = "The bucket that holds the Terraform state."
}

variable "environments" {
  type        = set(string)
  description = "The environments to deploy."
  default     = ["dev", "prod"]
}
