#![doc = include_str!("../README.md")]

mod objects;
mod picture;

use aws_config::SdkConfig;
use lambda_function::env;
use objects::Objects;
use post::PostId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The draft, and the post that it is for.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The post, `bot/date/slot`.
    pub post: String,
    /// Which variation of the picture this is, from 1.
    pub round: Option<u32>,
    /// The draft's key in the bucket.
    pub draft_key: String,
}

/// The picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// The key in the bucket.
    pub key: String,
    /// The key of the thumbnail.
    pub thumbnail_key: String,
    /// The SHA-256 of the bytes, hex.
    pub sha256: String,
    /// Always `image/jpeg`.
    pub content_type: &'static str,
    /// The length in bytes.
    pub bytes: usize,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

/// Validates, converts, marks and stores a picture.
pub async fn store_image(
    clients: &Clients,
    config: &Config,
    input: Input,
) -> Result<Output, Error> {
    let post: PostId = input.post.parse()?;
    let objects = Objects::new(clients, config);
    let draft = objects.draft(&input.draft_key).await?;
    let decoded = picture::decode(&draft.bytes, draft.content_type.as_deref())?;
    drop(draft);
    let jpeg = picture::for_x(&decoded)?;
    let thumbnail = picture::thumbnail(&decoded)?;
    drop(decoded);

    let sha256: String = Sha256::digest(&jpeg.bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let name = format!("{}-{}.jpg", stem(&post, input.round), &sha256[..16]);
    let output = Output {
        key: format!("pictures/{name}"),
        thumbnail_key: format!("thumbnails/{name}"),
        sha256,
        content_type: "image/jpeg",
        bytes: jpeg.bytes.len(),
        width: jpeg.width,
        height: jpeg.height,
    };
    objects.store(&output.thumbnail_key, thumbnail).await?;
    objects.store(&output.key, jpeg.bytes).await?;
    let bytes = output.bytes;
    tracing::info!(%post, key = output.key, bytes, "picture stored");
    Ok(output)
}

/// `bot/yyyy/date/slot-round`, or `dry-runs/bot/date/slot-round-dry-run-<execution>`.
fn stem(post: &PostId, round: Option<u32>) -> String {
    let PostId {
        bot,
        date,
        slot,
        dry_run,
    } = post;
    let round = round.unwrap_or(1);
    match dry_run {
        None => format!("{bot}/{:04}/{date}/{slot}-{round}", date.year()),
        Some(execution) => format!("dry-runs/{bot}/{date}/{slot}-{round}-dry-run-{execution}"),
    }
}

/// The configuration, from the environment.
#[derive(Clone, Debug)]
pub struct Config {
    /// The bucket of drafts, pictures and thumbnails.
    pub image_bucket: String,
}

impl Config {
    /// Reads the environment.
    pub fn from_env() -> Result<Config, env::Error> {
        Ok(Config {
            image_bucket: env::required("IMAGE_BUCKET")?,
        })
    }
}

/// The clients of the services.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The bucket.
    pub s3: aws_sdk_s3::Client,
}

impl Clients {
    /// The clients of an AWS configuration.
    pub fn new(aws: &SdkConfig) -> Clients {
        Clients {
            s3: aws_sdk_s3::Client::new(aws),
        }
    }
}

/// Why no picture is stored.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
pub enum Error {
    /// The bucket has no such draft.
    #[error("there is no draft {0}")]
    DraftMissing(String),
    /// The draft is not a picture that can be posted.
    #[error("the draft cannot be used: {0}")]
    PictureUnusable(String),
    /// S3 is unreachable or busy.
    #[error("{0}")]
    ServiceUnavailable(String),
    /// A field of the input is missing or invalid.
    #[error("{0}")]
    InvalidInput(String),
    /// Anything else.
    #[error("{0:#}")]
    Unexpected(anyhow::Error),
}

lambda_function::function_error!(Error {
    lambda_function::UnreadableInput => InvalidInput,
    lambda_function::AwsError => ServiceUnavailable or Unexpected,
    post::InvalidPostId => InvalidInput,
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_bot_year_date_slot_and_round() {
        let stem = |post: &str| stem(&post.parse().unwrap(), Some(2));
        assert_eq!(
            stem("spooky-days/2026-10-30/1"),
            "spooky-days/2026/2026-10-30/1-2"
        );
        assert_eq!(
            stem("spooky-days/2026-10-30/1/dry-run-a"),
            "dry-runs/spooky-days/2026-10-30/1-2-dry-run-a"
        );
    }
}
