variable "name" {
  type        = string
  description = "The name of the function, which is that of its log group and its role, too."
}

variable "description" {
  type        = string
  description = "What it does, in a sentence."
}

variable "zip" {
  type        = string
  description = "The path of the zip with its bootstrap."
}

variable "architecture" {
  type        = string
  description = "What the bootstrap was built for: arm64 or x86_64."
}

variable "memory_mb" {
  type        = number
  description = "Its memory, in megabytes."
}

variable "timeout_seconds" {
  type        = number
  description = "How long an invocation may take, in seconds."
}

variable "environment" {
  type        = map(string)
  description = "Its environment variables."
}

variable "rights" {
  type = list(object({
    sid       = string
    actions   = list(string)
    resources = list(string)
  }))
  description = "What it may do besides writing its log and its traces."
}

variable "log_retention_days" {
  type        = number
  description = "How long its log is kept, in days."
}

variable "kms_key_arn" {
  type        = string
  description = "The key that its log and its environment are encrypted with."
}

variable "permissions_boundary_arn" {
  type        = string
  description = "The policy that its role may not go beyond, if there is one."
}
