provider "aws" {
  default_tags {
    tags = {
      app = "daily-post"
    }
  }
}

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  # Its other names differ between the versions 5 and 6 of the provider.
  region = data.aws_region.this.id
}

# AWS checks GitHub's certificate itself, so no thumbprint is needed.
resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

# Who a job is, is said by its environment at GitHub, which is for one branch and may ask for an approval.
data "aws_iam_policy_document" "trust" {
  #checkov:skip=CKV_AWS_358: The claim is exact, repository and environment; it is made of variables, which the check cannot follow and tests/ can.
  for_each = merge(
    { for environment in var.environments : "${environment}-plan" => "${environment}-plan" },
    { for environment in var.environments : environment => environment },
  )

  statement {
    sid     = "JobsOfThisEnvironmentOfThisRepository"
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = ["arn:${local.partition}:iam::${local.account}:oidc-provider/token.actions.githubusercontent.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = ["repo:${var.repository}:environment:${each.value}"]
    }
  }
}
