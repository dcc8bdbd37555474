# The permissions of the GitHub roles. The provider renders the real policies; no request is sent to AWS.

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

override_data {
  target = data.aws_caller_identity.this
  values = { account_id = "123456789012" }
}

variables {
  environment       = "test"
  repository        = "owner@1/name@2"
  state_bucket      = "state"
  oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
}

run "a_repository_has_no_wildcard" {
  command = plan

  variables {
    repository = "owner/*"
  }

  expect_failures = [var.repository]
}

run "github_has_the_permissions_it_needs_and_no_more" {
  command = plan

  assert {
    condition = {
      for role, document in data.aws_iam_policy_document.assume :
      role => one(jsondecode(document.json).Statement).Condition.StringEquals
      } == {
      plan = {
        "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
        "token.actions.githubusercontent.com:sub" = "repo:owner@1/name@2:environment:test-plan"
      }
      deploy = {
        "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
        "token.actions.githubusercontent.com:sub" = "repo:owner@1/name@2:environment:test"
      }
    }
    error_message = "Each role must trust exactly one GitHub environment of this repository."
  }

  assert {
    condition     = local.github_roles.plan.policies == ["read"]
    error_message = "The plan role must have read access only."
  }

  assert {
    condition = length(setintersection(
      flatten([for statement in jsondecode(data.aws_iam_policy_document.read.json).Statement : statement.Action]),
      ["secretsmanager:GetSecretValue", "dynamodb:GetItem", "dynamodb:Query", "lambda:InvokeFunction", "kms:Decrypt"],
    )) == 0
    error_message = "The plan role must not read secret values or items of the table."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(data.aws_iam_policy_document.write.json).Statement :
      try(statement.Condition.StringEquals["iam:PermissionsBoundary"], "") == "arn:aws:iam::123456789012:policy/github-daily-post-test-boundary"
      if length(setintersection(flatten([statement.Action]), ["iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary", "iam:DeleteRolePolicy"])) > 0
    ])
    error_message = "The apply role must grant permissions only within the boundary."
  }

  assert {
    condition = toset([
      for action in flatten([for name, json in local.policies : [for statement in jsondecode(json).Statement : statement.Action]]) : action
      if startswith(action, "iam:") && !startswith(action, "iam:Get") && !startswith(action, "iam:List")
      ]) == toset([
      "iam:CreateRole", "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:PassRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy",
      "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription",
    ])
    error_message = "The apply role must not attach policies, remove boundaries or change managed policies."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(data.aws_iam_policy_document.write.json).Statement :
      flatten([statement.Resource]) == ["arn:aws:iam::123456789012:role/daily-post-test-*"]
      if anytrue([for action in flatten([statement.Action]) : startswith(action, "iam:")])
    ])
    error_message = "The apply role must change and pass only roles of the deployment."
  }

  assert {
    condition     = local.boundary_arn == "arn:aws:iam::123456789012:policy/${aws_iam_policy.boundary.name}"
    error_message = "The required boundary must be the one that this module creates."
  }

  assert {
    condition     = alltrue([for role in aws_iam_role.this : !startswith(role.name, "daily-post-")])
    error_message = "The names of the GitHub roles must not match the roles that the apply role can change."
  }

  assert {
    condition = toset([
      for statement in flatten([for json in concat(values(local.policies), [data.aws_iam_policy_document.boundary.json]) : jsondecode(json).Statement]) :
      statement.Sid if contains(flatten([statement.Resource]), "*")
    ]) == toset(["AccountWideLists", "DeliverLogs", "DeliverLogsAndTraces"])
    error_message = "Only statements that do not support resource-level permissions may have the resource *."
  }

  assert {
    condition     = !anytrue([for json in concat(values(local.policies), [data.aws_iam_policy_document.boundary.json]) : anytrue([for action in flatten([for statement in jsondecode(json).Statement : statement.Action]) : endswith(action, ":*")])])
    error_message = "No statement may allow all actions of a service."
  }

  assert {
    condition     = alltrue([for json in concat(values(local.policies), [data.aws_iam_policy_document.boundary.json]) : length(replace(jsonencode(jsondecode(json)), "/\\s/", "")) <= 6144])
    error_message = "A managed policy must not exceed 6144 characters."
  }
}
