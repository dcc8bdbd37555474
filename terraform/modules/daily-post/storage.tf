locals {
  buckets = {
    images    = "${local.prefix}-${local.account}-images"
    bot_files = "${local.prefix}-${local.account}-bot-files"
  }
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18: Nobody but the functions reads it, and their calls can be seen in CloudTrail.
  #checkov:skip=CKV_AWS_144: A lost region costs pictures that are on X, and files that are in the repository.
  #checkov:skip=CKV2_AWS_62: Nothing has to happen when an object is written.
  for_each = local.buckets

  bucket        = each.value
  force_destroy = !var.deletion_protection
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    # One data key for many objects: fewer calls of KMS to pay for.
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.this.arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.buckets

  bucket                  = aws_s3_bucket.this[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

data "aws_iam_policy_document" "bucket" {
  for_each = aws_s3_bucket.this

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [each.value.arn, "${each.value.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id
  policy = data.aws_iam_policy_document.bucket[each.key].json

  # Both write the bucket's policy status.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "images" {
  bucket = aws_s3_bucket.this["images"].id

  rule {
    id     = "drafts-are-kept-while-a-run-can-be-redriven"
    status = "Enabled"

    filter {
      prefix = "drafts/"
    }

    expiration {
      days = 30
    }

    noncurrent_version_expiration {
      noncurrent_days = 7
    }
  }

  dynamic "rule" {
    for_each = toset(["pictures", "thumbnails"])

    content {
      id     = "${rule.value}-of-dry-runs-are-kept-as-long-as-drafts"
      status = "Enabled"

      filter {
        prefix = "${rule.value}/dry-runs/"
      }

      expiration {
        days = 30
      }

      noncurrent_version_expiration {
        noncurrent_days = 7
      }
    }
  }

  rule {
    id     = "pictures-and-thumbnails-are-kept-for-two-years"
    status = "Enabled"

    filter {}

    expiration {
      days = 730
    }

    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "bot_files" {
  bucket = aws_s3_bucket.this["bot_files"].id

  rule {
    # A record names the versions that it was made with.
    id     = "old-versions-are-kept-for-two-years"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 730
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_object" "bot_file" {
  for_each = merge([
    for bot, _ in local.bots : {
      for file in ["bot.toml", "calendar.toml"] : "${bot}/${file}" => { bot = bot, file = file }
    }
  ]...)

  bucket       = aws_s3_bucket.this["bot_files"].id
  key          = each.key
  source       = "${var.bots_directory}/${each.key}"
  source_hash  = filemd5("${var.bots_directory}/${each.key}")
  content_type = "application/toml"
  kms_key_id   = aws_kms_key.this.arn

  lifecycle {
    precondition {
      condition     = filesha256("${var.bots_directory}/${each.key}") == local.bots[each.value.bot].sha256[each.value.file]
      error_message = "${each.key} is not what was checked: run `spooky calendar schedules --bot ${each.value.bot}`, which checks it and writes schedules.json, and commit both."
    }
  }

  depends_on = [
    aws_s3_bucket_versioning.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
  ]
}

resource "aws_dynamodb_table" "this" {
  name                        = local.prefix
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = "sk"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  ttl {
    attribute_name = "expiresAt"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = aws_kms_key.this.arn
  }
}
