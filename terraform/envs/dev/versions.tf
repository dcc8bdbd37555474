terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }

  # The bucket is made by hand once (docs/deploy.md) and named with -backend-config="bucket=…".
  backend "s3" {
    key          = "daily-post/dev.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}
