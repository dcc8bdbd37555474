variable "name" {
  type        = string
  description = "The name of the function, its role and its log group."
}

variable "description" {
  type        = string
  description = "What the function does, in one sentence."
}

variable "zip" {
  type        = string
  description = "The path of the zip that contains the bootstrap."
}

variable "architecture" {
  type        = string
  description = "The architecture that the bootstrap was built for: arm64 or x86_64."
}

variable "memory_mb" {
  type        = number
  description = "The memory, in megabytes."
}

variable "timeout_seconds" {
  type        = number
  description = "The timeout of an invocation, in seconds."
}

variable "environment" {
  type        = map(string)
  description = "The environment variables."
}

variable "rights" {
  type = list(object({
    sid       = string
    actions   = list(string)
    resources = list(string)
  }))
  description = "The permissions beyond writing logs and traces."
}

variable "log_retention_days" {
  type        = number
  description = "The retention of the log, in days."
}

variable "kms_key_arn" {
  type        = string
  description = "The KMS key that encrypts the log and the environment variables."
}

variable "permissions_boundary_arn" {
  type        = string
  description = "The permissions boundary of the role, or null."
}
