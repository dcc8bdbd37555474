//! The drafts in S3.

use std::collections::HashMap;

use anyhow::anyhow;
use aws_sdk_s3::{error::SdkError, primitives::ByteStream};
use lambda_function::aws_error;
use posts_table::Reservation;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{Clients, Config, Error, Input, Order, Output};

/// The picture of every dry run, made by `cargo run -p fakes --example test-card`.
const TEST_CARD: &[u8] = include_bytes!("../test-card.png");

/// The names of the metadata of a draft.
const DRAFT: &str = "draft";
const RESERVATION: &str = "reservation";

/// The key of the draft of a request. `v1` is the version of the way in which the request is hashed.
pub(crate) fn key(input: &Input, request: &Value) -> String {
    let mut hash = Sha256::new();
    hash.update("v1\n");
    hash.update(request.to_string());
    let hash: String = hash.finalize()[..8]
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    format!(
        "drafts/{}/{}-{hash}.{}",
        input.post,
        input.round.unwrap_or(1),
        input.picture.format
    )
}

/// A draft that is stored.
pub(crate) struct Found {
    pub(crate) draft: Output,
    /// The id of the reservation that paid for it.
    pub(crate) reservation: Option<String>,
}

/// The drafts of a bucket.
pub(crate) struct Drafts<'a> {
    s3: &'a aws_sdk_s3::Client,
    bucket: &'a str,
}

impl<'a> Drafts<'a> {
    pub(crate) fn new(clients: &'a Clients, config: &'a Config) -> Drafts<'a> {
        Drafts {
            s3: &clients.s3,
            bucket: &config.image_bucket,
        }
    }

    /// Stores the draft of a dry run, which costs nothing.
    pub(crate) async fn test_card(&self, order: &Order) -> Result<Output, Error> {
        let draft = Output {
            key: format!("drafts/{}/{}-test-card.png", order.post, order.round()),
            content_type: "image/png".to_owned(),
            model: "test-card".to_owned(),
            size: "1024x1024".to_owned(),
            quality: order.input.picture.quality.clone(),
            usage: None,
            cost_usd: 0.0,
            cost_is_estimated: false,
            found: false,
        };
        tracing::info!(post = %order.post, key = draft.key, "dry run: the draft is a test card");
        self.store(draft, None, TEST_CARD.to_vec()).await
    }

    /// The draft under a key, if there is one.
    pub(crate) async fn find(&self, key: &str) -> Result<Option<Found>, Error> {
        // Not HEAD: its 404 is the same for a missing draft and a missing bucket, and a picture that cannot be stored
        // would be paid for.
        let get = self.s3.get_object().bucket(self.bucket).key(key);
        let object = match get.send().await {
            Ok(object) => object,
            Err(SdkError::ServiceError(e)) if e.err().is_no_such_key() => return Ok(None),
            Err(error) => {
                let error = aws_error(&error);
                return Err(error.during("S3 did not look for the draft").into());
            }
        };
        let metadata = object.metadata.unwrap_or_default();
        let draft = metadata.get(DRAFT).ok_or_else(|| {
            Error::Unexpected(anyhow!("{key} is stored without the metadata of a draft"))
        })?;
        let draft: Output = serde_json::from_str(draft)
            .map_err(|e| Error::Unexpected(anyhow!(e).context(format!("the metadata of {key}"))))?;
        Ok(Some(Found {
            draft: Output {
                found: true,
                ..draft
            },
            reservation: metadata.get(RESERVATION).cloned(),
        }))
    }

    /// Stores a draft. If another invocation stored one under this key first, that one counts.
    pub(crate) async fn store(
        &self,
        draft: Output,
        reservation: Option<&Reservation>,
        picture: Vec<u8>,
    ) -> Result<Output, Error> {
        let json = serde_json::to_string(&draft).map_err(|e| Error::Unexpected(e.into()))?;
        let mut metadata = HashMap::from([(DRAFT.to_owned(), json)]);
        if let Some(reservation) = reservation {
            metadata.insert(RESERVATION.to_owned(), reservation.id.clone());
        }
        let put = || {
            self.s3
                .put_object()
                .bucket(self.bucket)
                .key(&draft.key)
                .content_type(&draft.content_type)
                .set_metadata(Some(metadata.clone()))
                .if_none_match("*")
                .body(ByteStream::from(picture.clone()))
                .send()
        };
        let mut written = put().await;
        // 409: another write of the key is in progress, and S3 has not decided which one is first.
        for _ in 0..2 {
            if matches!(&written, Err(SdkError::ServiceError(e)) if e.raw().status().as_u16() == 409)
            {
                written = put().await;
            }
        }
        match written {
            Ok(_) => Ok(draft),
            Err(SdkError::ServiceError(e)) if e.raw().status().as_u16() == 412 => {
                let found = self.find(&draft.key).await?;
                found.map(|found| found.draft).ok_or_else(|| {
                    Error::ServiceUnavailable(format!("{} was stored and is gone", draft.key))
                })
            }
            Err(error) => {
                let what = match reservation {
                    Some(_) => "S3 did not store the draft, which is paid",
                    None => "S3 did not store the test card",
                };
                Err(aws_error(&error).during(what).into())
            }
        }
    }
}
