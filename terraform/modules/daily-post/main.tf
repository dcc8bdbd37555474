data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  prefix    = "daily-post-${var.environment}"
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  # Provider 5 calls the region `name`, provider 6 `region`; both have `id`.
  region = data.aws_region.this.id

  # `spooky calendar schedules` writes this file for each bot after it has validated the bot's files.
  bots = {
    for file in fileset(var.bots_directory, "*/generated/schedules.json") :
    split("/", file)[0] => jsondecode(file("${var.bots_directory}/${file}"))
  }

  # All addresses that receive email.
  recipients = toset(concat(var.alert_to, flatten([for bot in local.bots : bot.recipients])))
}
