data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  prefix    = "daily-post-${var.environment}"
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  # The name: provider 5 has `name` for it, provider 6 `region`, and both this.
  region = data.aws_region.this.id

  # What `spooky calendar schedules` has written of each bot, after checking its files.
  bots = {
    for file in fileset(var.bots_directory, "*/schedules.json") :
    dirname(file) => jsondecode(file("${var.bots_directory}/${file}"))
  }

  # Everybody who ever gets a mail.
  recipients = toset(concat(var.alert_to, flatten([for bot in local.bots : bot.recipients])))
}
