# What GitHub may do. The policies are those that AWS would get; nothing is asked of AWS.

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

run "github_may_do_what_it_needs_and_no_more" {
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
    error_message = "Each role trusts one GitHub environment of this repository."
  }

  assert {
    condition     = local.roles_of_github.plan.policies == ["read"]
    error_message = "Whoever plans reads."
  }

  assert {
    condition = length(setintersection(
      flatten([for statement in jsondecode(data.aws_iam_policy_document.read.json).Statement : statement.Action]),
      ["secretsmanager:GetSecretValue", "dynamodb:GetItem", "dynamodb:Query", "lambda:InvokeFunction", "kms:Decrypt"],
    )) == 0
    error_message = "A plan reads no value of a secret and no item."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(data.aws_iam_policy_document.write.json).Statement :
      try(statement.Condition.StringEquals["iam:PermissionsBoundary"], "") == "arn:aws:iam::123456789012:policy/github-daily-post-test-boundary"
      if length(setintersection(flatten([statement.Action]), ["iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary", "iam:DeleteRolePolicy"])) > 0
    ])
    error_message = "Rights are given within the boundary only."
  }

  assert {
    condition = toset([
      for action in flatten([for name, json in local.policies : [for statement in jsondecode(json).Statement : statement.Action]]) : action
      if startswith(action, "iam:") && !startswith(action, "iam:Get") && !startswith(action, "iam:List")
      ]) == toset([
      "iam:CreateRole", "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:PassRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy",
      "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription",
    ])
    error_message = "No policy is attached, no boundary taken away, and no policy of the account changed."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(data.aws_iam_policy_document.write.json).Statement :
      flatten([statement.Resource]) == ["arn:aws:iam::123456789012:role/daily-post-test-*"]
      if anytrue([for action in flatten([statement.Action]) : startswith(action, "iam:")])
    ])
    error_message = "Only roles of the deployment are changed and passed; those of GitHub have other names."
  }

  assert {
    condition     = local.boundary_arn == "arn:aws:iam::123456789012:policy/${aws_iam_policy.boundary.name}"
    error_message = "The boundary that the roles must have is the one that is made here."
  }

  assert {
    condition     = alltrue([for role in aws_iam_role.this : !startswith(role.name, "daily-post-")])
    error_message = "A role of GitHub cannot change itself."
  }

  assert {
    condition = toset([
      for statement in flatten([for json in concat(values(local.policies), [data.aws_iam_policy_document.boundary.json]) : jsondecode(json).Statement]) :
      statement.Sid if contains(flatten([statement.Resource]), "*")
    ]) == toset(["WhatIsListedForTheWholeAccount", "DeliverLogs", "DeliverLogsAndTraces"])
    error_message = "Every resource is named where AWS has a name for it."
  }

  assert {
    condition     = !anytrue([for json in concat(values(local.policies), [data.aws_iam_policy_document.boundary.json]) : anytrue([for action in flatten([for statement in jsondecode(json).Statement : statement.Action]) : endswith(action, ":*")])])
    error_message = "No service is given as a whole."
  }

  assert {
    condition     = alltrue([for json in concat(values(local.policies), [data.aws_iam_policy_document.boundary.json]) : length(replace(jsonencode(jsondecode(json)), "/\\s/", "")) <= 6144])
    error_message = "AWS takes 6144 characters in a policy."
  }
}
