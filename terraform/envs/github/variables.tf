variable "repository" {
  type        = string
  description = "The repository at GitHub, as its tokens name it: owner/name, or owner@1/name@2 with the numbers of both."
}

variable "state_bucket" {
  type        = string
  description = "The bucket that holds Terraform's state."
}

variable "environments" {
  type        = set(string)
  description = "The environments that are deployed."
  default     = ["dev", "prod"]
}
