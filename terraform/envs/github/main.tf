# The roles with which GitHub Actions deploys. An administrator applies this by hand: no GitHub role may change it.
provider "aws" {
  default_tags {
    tags = {
      app = "daily-post"
    }
  }
}

# AWS validates GitHub's certificate, so no thumbprint is needed.
resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

module "deploy_roles" {
  source   = "../../modules/deploy-roles"
  for_each = var.environments

  environment       = each.key
  repository        = var.repository
  state_bucket      = var.state_bucket
  oidc_provider_arn = aws_iam_openid_connect_provider.github.arn
}
