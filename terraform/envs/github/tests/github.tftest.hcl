# Runs offline, and asks AWS nothing: terraform -chdir=terraform/envs/github test
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
  repository   = "owner/spooky-days"
  state_bucket = "a-bucket"
}

run "each_environment_has_a_role_that_plans_and_one_that_deploys" {
  command = plan

  assert {
    condition     = toset(keys(aws_iam_role.plan)) == toset(["dev", "prod"]) && toset(keys(aws_iam_role.deploy)) == toset(["dev", "prod"])
    error_message = "An environment has no role."
  }

  assert {
    condition     = alltrue([for role in concat(values(aws_iam_role.plan), values(aws_iam_role.deploy)) : startswith(role.name, "github-")])
    error_message = "A role that deploys could change itself: it may change roles named daily-post-<environment>-…"
  }

  assert {
    condition = alltrue([for environment, role in merge(
      aws_iam_role.deploy,
      { for environment, role in aws_iam_role.plan : "${environment}-plan" => role },
      ) : jsondecode(role.assume_role_policy).Statement[*].Condition.StringEquals == [{
        "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
        "token.actions.githubusercontent.com:sub" = "repo:owner/spooky-days:environment:${environment}"
    }]])
    error_message = "Other jobs than those of its environment could become a role."
  }
}

run "no_role_reads_a_secret_or_reaches_another_environment" {
  command = plan

  assert {
    condition = alltrue([for document in concat(values(data.aws_iam_policy_document.plan), values(data.aws_iam_policy_document.deploy)) :
      !anytrue([for right in ["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:*", "\"*:*\"", "iam:*", "iam:Attach"] : strcontains(document.json, right)])
    ])
    error_message = "A workflow could read the secrets, or give itself rights."
  }

  assert {
    condition = alltrue([for pair in [["dev", "prod"], ["prod", "dev"]] :
      !strcontains(data.aws_iam_policy_document.deploy[pair[0]].json, "daily-post-${pair[1]}")
      && !strcontains(data.aws_iam_policy_document.deploy[pair[0]].json, "daily-post/${pair[1]}")
    ])
    error_message = "One environment's role names what is the other's."
  }

  assert {
    condition     = !strcontains(data.aws_iam_policy_document.plan["prod"].json, "s3:PutObject\",\"s3:PutObjectTagging") && !strcontains(data.aws_iam_policy_document.plan["prod"].json, "iam:Create")
    error_message = "The role that plans could change something."
  }

  assert {
    condition     = alltrue([for document in values(data.aws_iam_policy_document.deploy) : length(document.minified_json) <= 10240])
    error_message = "The policy is longer than AWS takes."
  }
}

run "a_repository_with_a_wildcard_is_refused" {
  command = plan

  variables {
    repository = "owner/*"
  }

  expect_failures = [var.repository]
}
