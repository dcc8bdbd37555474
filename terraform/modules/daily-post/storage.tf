locals {
  buckets = {
    images    = "${local.prefix}-${local.account}-images"
    bot_files = "${local.prefix}-${local.account}-bot-files"
  }
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18: Only the functions read the bucket, and CloudTrail can log their calls.
  #checkov:skip=CKV_AWS_144: The pictures are also on X, and the files of the bots are in the repository.
  #checkov:skip=CKV2_AWS_62: No function reacts to new objects.
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
    # One data key for many objects reduces the number of billed KMS requests.
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

  # Both change the bucket's policy status; AWS rejects concurrent changes.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "images" {
  bucket = aws_s3_bucket.this["images"].id

  rule {
    id     = "expire-drafts-after-the-redrive-period"
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
      id     = "expire-${rule.value}-of-dry-runs-with-the-drafts"
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
    id     = "expire-pictures-and-thumbnails-after-two-years"
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
    # A record names the versions of the files that its execution used.
    id     = "expire-old-versions-after-two-years"
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
      error_message = "${each.key} has changed since it was validated: run `spooky calendar schedules --bot ${each.value.bot}`, which validates it and writes generated/schedules.json, and commit both files."
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
