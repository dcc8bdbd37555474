//! The drafts, pictures and thumbnails in S3.

use aws_sdk_s3::{error::SdkError, primitives::ByteStream};
use img_parts::Bytes;
use lambda_function::aws_error;

use crate::{Clients, Config, Error};

/// A draft as it is stored.
pub(crate) struct Draft {
    pub(crate) bytes: Vec<u8>,
    pub(crate) content_type: Option<String>,
}

/// The objects of the bucket.
pub(crate) struct Objects<'a> {
    s3: &'a aws_sdk_s3::Client,
    bucket: &'a str,
}

impl<'a> Objects<'a> {
    pub(crate) fn new(clients: &'a Clients, config: &'a Config) -> Objects<'a> {
        Objects {
            s3: &clients.s3,
            bucket: &config.image_bucket,
        }
    }

    pub(crate) async fn draft(&self, key: &str) -> Result<Draft, Error> {
        let get = self.s3.get_object().bucket(self.bucket).key(key);
        let object = match get.send().await {
            Ok(object) => object,
            Err(SdkError::ServiceError(e)) if e.err().is_no_such_key() => {
                return Err(Error::DraftMissing(format!("s3://{}/{key}", self.bucket)));
            }
            Err(error) => {
                let error = aws_error(&error);
                return Err(error.during(format!("S3 did not return {key}")).into());
            }
        };
        let bytes = object.body.collect().await.map_err(|e| {
            Error::ServiceUnavailable(format!("the connection broke while reading {key}: {e}"))
        })?;
        Ok(Draft {
            bytes: bytes.to_vec(),
            content_type: object.content_type,
        })
    }

    /// Stores a JPEG under a key that contains its hash. If the key exists, the object is the same.
    pub(crate) async fn store(&self, key: &str, bytes: Vec<u8>) -> Result<(), Error> {
        let bytes = Bytes::from(bytes);
        let put = || {
            self.s3
                .put_object()
                .bucket(self.bucket)
                .key(key)
                .content_type("image/jpeg")
                .if_none_match("*")
                .body(ByteStream::from(bytes.clone()))
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
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(e)) if e.raw().status().as_u16() == 412 => Ok(()),
            Err(error) => {
                let error = aws_error(&error);
                Err(error.during(format!("S3 did not store {key}")).into())
            }
        }
    }
}
