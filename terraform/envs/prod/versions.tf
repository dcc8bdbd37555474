terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }

  # An operator creates the bucket once (docs/deploy.md) and names it with -backend-config="bucket=…".
  backend "s3" {
    key          = "daily-post/prod.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}
