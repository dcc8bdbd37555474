# The roles with which GitHub Actions deploys: one plans and has read access, the other applies. Only a job in the role's
# own GitHub environment of this repository can assume it.
#
# The apply role creates the roles of the deployment. To prevent privilege escalation, every role that it creates or
# grants permissions to must have the permissions boundary. The apply role can change neither the boundary nor itself:
# its own name does not begin with the deployment's prefix.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  prefix    = "daily-post-${var.environment}"
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.id

  # The beginning of an ARN, by service.
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
  # AWS assigns the id of an API, so these cannot be limited to one API of the account.
  apis = [
    "arn:${local.partition}:apigateway:${local.region}::/apis",
    "arn:${local.partition}:apigateway:${local.region}::/apis/*",
    "arn:${local.partition}:apigateway:${local.region}::/tags/*",
  ]

  # The GitHub environment and the policies of each role.
  github_roles = {
    plan   = { github_environment = "${var.environment}-plan", verb = "Plans", policies = ["read"] }
    deploy = { github_environment = var.environment, verb = "Applies and verifies", policies = ["read", "write", "verify"] }
  }
  policies = {
    read   = data.aws_iam_policy_document.read.json
    write  = data.aws_iam_policy_document.write.json
    verify = data.aws_iam_policy_document.verify.json
  }
}

data "aws_iam_policy_document" "assume" {
  for_each = local.github_roles

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

    # The GitHub environment allows only the branch main (docs/deploy.md); the subject of a token cannot contain both.
    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = ["repo:${var.repository}:environment:${each.value.github_environment}"]
    }
  }
}

# The names do not begin with the deployment's prefix, so that the apply role cannot change them.
resource "aws_iam_role" "this" {
  for_each = local.github_roles

  name                 = "github-${local.prefix}-${each.key}"
  description          = "${each.value.verb} ${local.prefix} from GitHub."
  assume_role_policy   = data.aws_iam_policy_document.assume[each.key].json
  max_session_duration = 3600
}

resource "aws_iam_policy" "this" {
  for_each = local.policies

  name        = "github-${local.prefix}-${each.key}"
  description = "Permissions to ${each.key} ${local.prefix} from GitHub."
  policy      = each.value
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = merge([
    for role, described in local.github_roles : {
      for policy in described.policies : "${role}-${policy}" => { role = role, policy = policy }
    }
  ]...)

  role       = aws_iam_role.this[each.value.role].name
  policy_arn = aws_iam_policy.this[each.value.policy].arn
}
