//! The picture of a tweet.

use reqwest::multipart::{Form, Part};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Data, X, refusal::read_response};
use crate::Error;

pub(super) const UPLOAD: &str = "/2/media/upload";
pub(super) const METADATA: &str = "/2/media/metadata";

/// X's name for a picture of a tweet.
pub(super) const CATEGORY: &str = "tweet_image";

/// An upload.
#[derive(Deserialize)]
pub(crate) struct Media {
    pub(crate) id: String,
    pub(crate) media_key: String,
}

impl X<'_> {
    /// Uploads a picture. May be repeated; X deletes unused media after a day.
    pub(crate) async fn upload(&self, picture: Vec<u8>, key: &str) -> Result<Media, Error> {
        let (file_name, content_type) = file(key);
        let part = Part::bytes(picture)
            .file_name(file_name)
            .mime_str(content_type)
            .map_err(|e| Error::Unexpected(e.into()))?;
        let form = Form::new()
            .text("media_category", CATEGORY)
            .part("media", part);
        let request = self.post(UPLOAD, self.config.upload_timeout);
        let response = request.multipart(form).send().await;
        let media: Data<Media> =
            read_response("upload the picture", response, Error::PictureRejected).await?;
        media.data.ok_or_else(|| {
            Error::ServiceUnavailable("X took the picture, but returned no media id".to_owned())
        })
    }

    /// Sets the alt text of an upload. May be repeated.
    pub(crate) async fn set_alt_text(&self, media_id: &str, alt_text: &str) -> Result<(), Error> {
        let request = self.post(METADATA, self.config.request_timeout);
        let body = alt_text_body(media_id, alt_text);
        let response = request.json(&body).send().await;
        let _: Value = read_response("set the alt text", response, Error::PictureRejected).await?;
        Ok(())
    }
}

/// The name and the content type of the file that is uploaded.
pub(super) fn file(key: &str) -> (&'static str, &'static str) {
    match key.rsplit('.').next() {
        Some("png") => ("picture.png", "image/png"),
        Some("webp") => ("picture.webp", "image/webp"),
        _ => ("picture.jpg", "image/jpeg"),
    }
}

pub(super) fn alt_text_body(media_id: &str, alt_text: &str) -> Value {
    json!({"id": media_id, "metadata": {"alt_text": {"text": alt_text}}})
}
