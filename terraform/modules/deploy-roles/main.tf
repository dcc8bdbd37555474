# Who deploys from GitHub: a role that plans, which reads, and one that applies. Neither can be become by anything but a
# job in its own GitHub environment of this repository.
#
# The role that applies makes the roles of the deployment. So that it cannot make one that may do more than it may
# itself, each role that it makes or gives rights has to have the boundary, which it cannot change, and it cannot touch
# its own role, whose name is not one of the deployment's.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  prefix    = "daily-post-${var.environment}"
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.id

  # By service; what follows the account in an ARN comes after it.
  arn = {
    for service in ["cloudwatch", "dynamodb", "events", "kms", "lambda", "logs", "scheduler", "secretsmanager", "ses", "sns", "sqs", "states"] :
    service => "arn:${local.partition}:${service}:${local.region}:${local.account}"
  }
  bucket = "arn:${local.partition}:s3:::${local.prefix}-${local.account}"
  roles  = "arn:${local.partition}:iam::${local.account}:role/${local.prefix}-*"
  state  = "arn:${local.partition}:s3:::${var.state_bucket}"
  key    = "daily-post/${var.environment}.tfstate"

  boundary_arn = "arn:${local.partition}:iam::${local.account}:policy/github-${local.prefix}-boundary"

  log_groups = [
    "${local.arn["logs"]}:log-group:/aws/lambda/${local.prefix}-*",
    "${local.arn["logs"]}:log-group:/aws/apigateway/${local.prefix}-*",
    "${local.arn["logs"]}:log-group:/aws/vendedlogs/states/${local.prefix}*",
  ]
  # An API is known by an id that AWS gives it, so those of the account cannot be told apart here.
  apis = [
    "arn:${local.partition}:apigateway:${local.region}::/apis",
    "arn:${local.partition}:apigateway:${local.region}::/apis/*",
    "arn:${local.partition}:apigateway:${local.region}::/tags/*",
  ]

  # The GitHub environment of each role, and its policies.
  roles_of_github = {
    plan   = { github_environment = "${var.environment}-plan", says = "Plans", policies = ["read"] }
    deploy = { github_environment = var.environment, says = "Applies and verifies", policies = ["read", "write", "verify"] }
  }
  policies = {
    read   = data.aws_iam_policy_document.read.json
    write  = data.aws_iam_policy_document.write.json
    verify = data.aws_iam_policy_document.verify.json
  }
}

data "aws_iam_policy_document" "assume" {
  for_each = local.roles_of_github

  statement {
    sid     = "JobsOfOneGitHubEnvironment"
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [var.oidc_provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }

    # The environment is for the branch main only (docs/deploy.md), which the subject of a token cannot say beside it.
    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = ["repo:${var.repository}:environment:${each.value.github_environment}"]
    }
  }
}

# The names do not begin with the deployment's prefix, so that the role that applies may not change them.
resource "aws_iam_role" "this" {
  for_each = local.roles_of_github

  name                 = "github-${local.prefix}-${each.key}"
  description          = "${each.value.says} ${local.prefix} from GitHub."
  assume_role_policy   = data.aws_iam_policy_document.assume[each.key].json
  max_session_duration = 3600
}

resource "aws_iam_policy" "this" {
  for_each = local.policies

  name        = "github-${local.prefix}-${each.key}"
  description = "What the deployment of ${local.prefix} from GitHub may ${each.key}."
  policy      = each.value
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = merge([
    for role, described in local.roles_of_github : {
      for policy in described.policies : "${role}-${policy}" => { role = role, policy = policy }
    }
  ]...)

  role       = aws_iam_role.this[each.value.role].name
  policy_arn = aws_iam_policy.this[each.value.policy].arn
}
