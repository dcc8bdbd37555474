//! The function against the emulator, and drafts of all kinds.

use std::io::Cursor;

use aws_config::SdkConfig;
use aws_sdk_s3::primitives::ByteStream;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use img_parts::{
    Bytes, ImageEXIF, ImageICC,
    jpeg::{Jpeg, JpegSegment, markers},
    png::{Png, PngChunk},
    webp::WebP,
};
use lambda_function::Diagnostic;
use local_cloud::Emulator;
use store_image::{Clients, Config, Error, Input, Output, store_image};
use test_kit::buckets;

pub const DRAFT: &str = "drafts/spooky-days/2026-10-30/1/1-0123456789abcdef";

/// Text in the metadata of drafts, which no picture may contain.
pub const PLANTED: &[u8] = b"planted-in-the-draft";

pub const MARK: &[u8] = b"Iptc4xmpExt:DigitalSourceType=\"http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia\"";

/// The function with a separate bucket.
pub struct Fixture {
    pub aws: SdkConfig,
    s3: aws_sdk_s3::Client,
    clients: Clients,
    pub config: Config,
}

/// An object in S3.
pub struct Stored {
    pub bytes: Vec<u8>,
    pub content_type: Option<String>,
    pub metadata: usize,
}

impl Fixture {
    pub async fn new() -> anyhow::Result<Fixture> {
        let account = Emulator::shared().await.account();
        let aws = account.sdk_config().await;
        let s3 = aws_sdk_s3::Client::new(&aws);
        let image_bucket = format!("store-image-{}", account.id());
        buckets::create_versioned(&s3, &image_bucket).await?;
        Ok(Fixture {
            clients: Clients::new(&aws),
            config: Config { image_bucket },
            aws,
            s3,
        })
    }

    pub async fn put_draft(&self, bytes: Vec<u8>, content_type: &str) -> anyhow::Result<()> {
        self.s3
            .put_object()
            .bucket(&self.config.image_bucket)
            .key(DRAFT)
            .content_type(content_type)
            .metadata("draft", "{\"costUsd\": 0.05}")
            .body(ByteStream::from(bytes))
            .send()
            .await?;
        Ok(())
    }

    pub async fn store(&self, input: Input) -> Result<Output, Error> {
        store_image(&self.clients, &self.config, input).await
    }

    /// The name and the message of the error for a draft.
    pub async fn refused(
        &self,
        bytes: &[u8],
        content_type: &str,
    ) -> anyhow::Result<(String, String)> {
        self.put_draft(bytes.to_vec(), content_type).await?;
        match self.store(input()).await {
            Ok(output) => panic!("the draft was stored: {output:?}"),
            Err(error) => Ok(name_and_message(error)),
        }
    }

    pub async fn stored(&self, key: &str) -> anyhow::Result<Stored> {
        let object = self
            .s3
            .get_object()
            .bucket(&self.config.image_bucket)
            .key(key)
            .send()
            .await?;
        Ok(Stored {
            content_type: object.content_type,
            metadata: object.metadata.unwrap_or_default().len(),
            bytes: object.body.collect().await?.to_vec(),
        })
    }

    /// The key of every version of every object but the draft.
    pub async fn versions(&self) -> anyhow::Result<Vec<String>> {
        let mut keys = buckets::versions(&self.s3, &self.config.image_bucket).await?;
        keys.retain(|key| !key.starts_with("drafts/"));
        Ok(keys)
    }
}

pub fn input() -> Input {
    Input {
        post: "spooky-days/2026-10-30/1".to_owned(),
        round: Some(1),
        draft_key: DRAFT.to_owned(),
    }
}

/// An error's name and message. Asserts what holds for all of them.
pub fn name_and_message(error: Error) -> (String, String) {
    let name = <&str>::from(&error).to_owned();
    let diagnostic = Diagnostic::from(error);
    assert_eq!(diagnostic.error_type, name);
    let message = diagnostic.error_message;
    assert!(!message.is_empty(), "{name} has no message");
    assert!(!message.contains(['\n', '\r']), "{name}: {message:?}");
    (name, message)
}

pub fn gradient(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, 90])
    })
}

pub fn noise(width: u32, height: u32) -> RgbImage {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    RgbImage::from_fn(width, height, |_, _| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let [r, g, b, ..] = state.to_le_bytes();
        Rgb([r, g, b])
    })
}

pub fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format)?;
    Ok(bytes.into_inner())
}

pub fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

/// A PNG whose header declares a size, without pixels.
pub fn png_header(width: u32, height: u32) -> anyhow::Result<Vec<u8>> {
    let mut png = Png::from_bytes(Bytes::from(encoded(gradient(1, 1), ImageFormat::Png)?))?;
    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    png.chunks_mut()[0] = PngChunk::new(*b"IHDR", Bytes::from(header));
    let mut bytes = Vec::new();
    png.encoder().write_to(&mut bytes)?;
    Ok(bytes)
}

/// A draft of a format with all kinds of metadata.
pub fn with_metadata(format: ImageFormat) -> anyhow::Result<Vec<u8>> {
    let bytes = Bytes::from(encoded(gradient(200, 100), format)?);
    let planted = || Bytes::from(PLANTED);
    let mut out = Vec::new();
    match format {
        ImageFormat::Png => {
            let mut png = Png::from_bytes(bytes)?;
            png.set_exif(Some(planted()));
            let text = [b"Comment\0", PLANTED].concat();
            png.chunks_mut()
                .insert(1, PngChunk::new(*b"tEXt", Bytes::from(text)));
            png.encoder().write_to(&mut out)?;
        }
        ImageFormat::WebP => {
            let mut webp = WebP::from_bytes(bytes)?;
            webp.set_exif(Some(planted()));
            webp.encoder().write_to(&mut out)?;
        }
        _ => {
            let mut jpeg = Jpeg::from_bytes(bytes)?;
            jpeg.set_exif(Some(planted()));
            jpeg.set_icc_profile(Some(planted()));
            jpeg.segments_mut()
                .insert(1, JpegSegment::new_with_contents(markers::COM, planted()));
            jpeg.encoder().write_to(&mut out)?;
        }
    }
    Ok(out)
}
