//! Reads the picture, and checks that it is the one that was stored.

use aws_sdk_s3::error::SdkError;
use lambda_function::aws_error;
use sha2::{Digest, Sha256};

use crate::{Error, Posting};

impl Posting<'_> {
    pub(crate) async fn picture(&self) -> Result<Vec<u8>, Error> {
        let image = &self.input.image;
        let bucket = &self.config.image_bucket;
        let address = format!("s3://{bucket}/{}", image.key);
        let get = self.clients.s3.get_object().bucket(bucket).key(&image.key);
        let object = match get.send().await {
            Ok(object) => object,
            Err(SdkError::ServiceError(e)) if e.err().is_no_such_key() => {
                return Err(Error::InvalidInput(format!(
                    "there is no picture {address}"
                )));
            }
            Err(error) => {
                let error = aws_error(&error);
                return Err(error.during(format!("S3 did not return {address}")).into());
            }
        };
        let bytes = object.body.collect().await.map_err(|e| {
            Error::ServiceUnavailable(format!("the connection broke while reading {address}: {e}"))
        })?;
        let bytes = bytes.to_vec();
        let hash: String = Sha256::digest(&bytes)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        if hash != image.sha256 {
            return Err(Error::InvalidInput(format!(
                "{address} has the SHA-256 {hash}, not {}: it is not the picture that was stored",
                image.sha256
            )));
        }
        Ok(bytes)
    }
}
