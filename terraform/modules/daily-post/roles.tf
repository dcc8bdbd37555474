# The roles of the services that are not functions. modules/function makes the role of each function.
locals {
  service_roles = {
    schedules = {
      service = "scheduler.amazonaws.com"
      source  = aws_scheduler_schedule_group.this.arn
      policy  = data.aws_iam_policy_document.schedules.json
    }
    state-machine = {
      service = "states.amazonaws.com"
      source  = local.state_machine_arn
      policy  = data.aws_iam_policy_document.state_machine.json
    }
  }
}

data "aws_iam_policy_document" "assume" {
  for_each = local.service_roles

  statement {
    sid     = "AssumeForThisDeployment"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [each.value.service]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = [each.value.source]
    }
  }
}

resource "aws_iam_role" "service" {
  for_each = local.service_roles

  name                 = "${local.prefix}-${each.key}"
  description          = "Role of ${each.value.service} in ${local.prefix}."
  assume_role_policy   = data.aws_iam_policy_document.assume[each.key].json
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "service" {
  #checkov:skip=CKV_AWS_355: Log delivery and X-Ray do not support resource-level permissions.
  #checkov:skip=CKV_AWS_290: Log delivery and X-Ray do not support resource-level permissions.
  for_each = local.service_roles

  name   = "work"
  role   = aws_iam_role.service[each.key].id
  policy = each.value.policy
}
