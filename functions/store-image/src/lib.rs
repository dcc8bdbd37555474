#![doc = include_str!("../README.md")]

use std::io::Cursor;

use anyhow::anyhow;
use aws_config::SdkConfig;
use aws_sdk_s3::{error::SdkError, primitives::ByteStream};
use image::{
    DynamicImage, ImageFormat, ImageReader, Limits, RgbImage, Rgba, codecs::jpeg::JpegEncoder,
    imageops::FilterType,
};
use img_parts::{
    Bytes,
    jpeg::{Jpeg, JpegSegment, markers::APP1},
};
use lambda_function::{aws_error, env};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Which draft, for which post.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The post, `bot/date/slot`.
    pub post: String,
    /// Which variation this is, from 1.
    pub round: Option<u32>,
    /// The draft's key in the bucket.
    pub draft_key: String,
}

/// The picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Its key in the bucket.
    pub key: String,
    /// The key of its thumbnail.
    pub thumbnail_key: String,
    /// The SHA-256 of its bytes, hex.
    pub sha256: String,
    /// Always `image/jpeg`.
    pub content_type: &'static str,
    /// Its length.
    pub bytes: usize,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

/// The largest picture that X takes, in bytes
/// ([best practices](https://docs.x.com/x-api/media/quickstart/best-practices), 2026-08-22), read the smaller way.
const MAX_BYTES: usize = 5_000_000;

/// The longest side that is decoded, in pixels; OpenAI's largest picture has 3840.
const MAX_SIDE: u32 = 8192;

/// The longest side of a thumbnail, in pixels.
const THUMBNAIL_SIDE: u32 = 512;

/// What IPTC calls a picture that a model has painted.
const MADE_BY_AI: &str = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";

/// Checks, marks and stores a picture.
pub async fn store_image(
    clients: &Clients,
    config: &Config,
    input: Input,
) -> Result<Output, Error> {
    let stem = stem(&input)?;
    let (draft, content_type) = draft(clients, config, &input.draft_key).await?;
    let picture = decode(&draft, content_type.as_deref())?;
    drop(draft);
    let (bytes, width, height) = final_jpeg(&picture)?;
    let small = picture.resize(THUMBNAIL_SIDE, THUMBNAIL_SIDE, FilterType::Triangle);
    let thumbnail = marked(jpeg(&small.to_rgb8(), 80)?)?;
    drop(picture);

    let sha256: String = Sha256::digest(&bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let output = Output {
        key: format!("pictures/{stem}-{}.jpg", &sha256[..16]),
        thumbnail_key: format!("thumbnails/{stem}-{}.jpg", &sha256[..16]),
        sha256,
        content_type: "image/jpeg",
        bytes: bytes.len(),
        width,
        height,
    };
    put(clients, config, &output.thumbnail_key, thumbnail).await?;
    put(clients, config, &output.key, bytes).await?;
    tracing::info!(
        post = input.post,
        key = output.key,
        bytes = output.bytes,
        "stored"
    );
    Ok(output)
}

/// What the function needs from its environment.
#[derive(Clone, Debug)]
pub struct Config {
    /// The bucket of drafts, pictures and thumbnails.
    pub image_bucket: String,
}

impl Config {
    /// Reads the environment; a missing variable is named.
    pub fn from_env() -> Result<Config, env::Error> {
        Ok(Config {
            image_bucket: env::required("IMAGE_BUCKET")?,
        })
    }
}

/// What the function talks to.
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

/// Why there is no picture.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
pub enum Error {
    /// There is no such draft.
    #[error("there is no draft {0}")]
    DraftMissing(String),
    /// The draft is no picture that can be posted.
    #[error("the draft cannot be used: {0}")]
    PictureUnusable(String),
    /// S3 is unreachable or busy.
    #[error("{0}")]
    ServiceUnavailable(String),
    /// The input is not one that can be worked on.
    #[error("{0}")]
    InvalidInput(String),
    /// Anything else.
    #[error("{0:#}")]
    Unexpected(anyhow::Error),
}

lambda_function::function_error!(Error {
    lambda_function::UnreadableInput => InvalidInput,
    lambda_function::AwsError => ServiceUnavailable or Unexpected,
});

/// `bot/yyyy/date/slot-round`, or `dry-runs/bot/date/slot-round-<name>`.
fn stem(input: &Input) -> Result<String, Error> {
    let parts: Vec<&str> = input.post.split('/').collect();
    match parts[..] {
        [bot, date, slot] if !bot.is_empty() && is_date(date) && slot.parse::<u32>().is_ok() => {
            Ok(format!(
                "{bot}/{}/{date}/{slot}-{}",
                date.get(..4).unwrap_or(date),
                input.round.unwrap_or(1)
            ))
        }
        [bot, date, slot, name]
            if !bot.is_empty()
                && is_date(date)
                && slot.parse::<u32>().is_ok()
                && name.starts_with("dry-run-") =>
        {
            Ok(format!(
                "dry-runs/{bot}/{date}/{slot}-{}-{name}",
                input.round.unwrap_or(1)
            ))
        }
        _ => Err(Error::InvalidInput(format!(
            "post is {:?}; it has to be bot/date/slot",
            input.post
        ))),
    }
}

/// Whether a text is written like a date, whose year is part of the key.
fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(i, b)| match i {
            4 | 7 => b == b'-',
            _ => b.is_ascii_digit(),
        })
}

fn decode(draft: &[u8], content_type: Option<&str>) -> Result<DynamicImage, Error> {
    let unusable = |what: String| Err(Error::PictureUnusable(what));
    if draft.is_empty() {
        return unusable("it is empty".to_owned());
    }
    let Ok(format) = image::guess_format(draft) else {
        return unusable("it is not a picture".to_owned());
    };
    if content_type.is_some_and(|said| said != format.to_mime_type()) {
        return unusable(format!(
            "it says it is {}, and is {}",
            content_type.unwrap_or_default(),
            format.to_mime_type()
        ));
    }
    if !matches!(
        format,
        ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP
    ) {
        return unusable(format!("it is {}", format.to_mime_type()));
    }
    // The decoder of JPEG forgives a file that was cut off and paints the rest grey.
    if format == ImageFormat::Jpeg && !draft.trim_ascii_end().ends_with(&[0xFF, 0xD9]) {
        return unusable("it is a JPEG that was cut off".to_owned());
    }
    let mut reader = ImageReader::with_format(Cursor::new(draft), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(300_000_000);
    reader.limits(limits);
    let picture = match reader.decode() {
        Ok(picture) => picture,
        Err(e) => return unusable(e.to_string()),
    };
    Ok(if picture.color().has_alpha() {
        flattened(picture)
    } else {
        picture
    })
}

/// A picture on black, as it would look at night.
fn flattened(picture: DynamicImage) -> DynamicImage {
    let mut night =
        image::RgbaImage::from_pixel(picture.width(), picture.height(), Rgba([0, 0, 0, 255]));
    image::imageops::overlay(&mut night, &picture.to_rgba8(), 0, 0);
    DynamicImage::ImageRgba8(night)
}

/// The largest good JPEG that X takes, with its size in pixels.
fn final_jpeg(picture: &DynamicImage) -> Result<(Vec<u8>, u32, u32), Error> {
    let mut pixels = picture.to_rgb8();
    loop {
        for quality in [92, 85, 75] {
            let bytes = marked(jpeg(&pixels, quality)?)?;
            if bytes.len() <= MAX_BYTES {
                return Ok((bytes, pixels.width(), pixels.height()));
            }
        }
        let (width, height) = (pixels.width() * 3 / 4, pixels.height() * 3 / 4);
        if width == 0 || height == 0 {
            return Err(Error::PictureUnusable(
                "it cannot be made small enough".to_owned(),
            ));
        }
        pixels = image::imageops::resize(&pixels, width, height, FilterType::Triangle);
    }
}

fn jpeg(pixels: &RgbImage, quality: u8) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode_image(pixels)
        .map_err(|e| Error::Unexpected(anyhow!(e).context("writing the JPEG")))?;
    Ok(bytes)
}

/// The same JPEG with the mark in it, as the first segment after its header.
fn marked(bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
    let mut jpeg = Jpeg::from_bytes(Bytes::from(bytes))
        .map_err(|e| Error::Unexpected(anyhow!(e).context("marking the JPEG")))?;
    let xmp = format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\
         <x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\
         <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\
         <rdf:Description rdf:about=\"\" xmlns:Iptc4xmpExt=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\" \
         Iptc4xmpExt:DigitalSourceType=\"{MADE_BY_AI}\"/>\
         </rdf:RDF></x:xmpmeta><?xpacket end=\"r\"?>"
    );
    let segment = [b"http://ns.adobe.com/xap/1.0/\0", xmp.as_bytes()].concat();
    let after_header = jpeg.segments().len().min(1);
    jpeg.segments_mut().insert(
        after_header,
        JpegSegment::new_with_contents(APP1, Bytes::from(segment)),
    );
    let mut marked = Vec::new();
    jpeg.encoder()
        .write_to(&mut marked)
        .map_err(|e| Error::Unexpected(anyhow!(e).context("marking the JPEG")))?;
    Ok(marked)
}

async fn draft(
    clients: &Clients,
    config: &Config,
    key: &str,
) -> Result<(Vec<u8>, Option<String>), Error> {
    let object = clients
        .s3
        .get_object()
        .bucket(&config.image_bucket)
        .key(key)
        .send()
        .await
        .map_err(|error| match &error {
            SdkError::ServiceError(e) if e.err().is_no_such_key() => {
                Error::DraftMissing(format!("s3://{}/{key}", config.image_bucket))
            }
            _ => aws_error(&error)
                .during(format!("S3 did not return {key}"))
                .into(),
        })?;
    let content_type = object.content_type;
    let bytes = object
        .body
        .collect()
        .await
        .map_err(|e| Error::ServiceUnavailable(format!("reading {key} broke off: {e}")))?;
    Ok((bytes.to_vec(), content_type))
}

/// Writes an object, unless it is there: the key holds the hash, so it is the same.
async fn put(clients: &Clients, config: &Config, key: &str, bytes: Vec<u8>) -> Result<(), Error> {
    let bytes = Bytes::from(bytes);
    let put = || {
        clients
            .s3
            .put_object()
            .bucket(&config.image_bucket)
            .key(key)
            .content_type("image/jpeg")
            .if_none_match("*")
            .body(ByteStream::from(bytes.clone()))
            .send()
    };
    let mut written = put().await;
    // 409: another write of the key was under way, and who of the two is first is not decided.
    for _ in 0..2 {
        if matches!(&written, Err(SdkError::ServiceError(e)) if e.raw().status().as_u16() == 409) {
            written = put().await;
        }
    }
    match written {
        Ok(_) => Ok(()),
        Err(SdkError::ServiceError(e)) if e.raw().status().as_u16() == 412 => Ok(()),
        Err(error) => Err(aws_error(&error)
            .during(format!("S3 did not store {key}"))
            .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            let noise = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503))
                .wrapping_mul(2_246_822_519);
            image::Rgb([(noise >> 8) as u8, (noise >> 16) as u8, (noise >> 24) as u8])
        })
    }

    fn encoded(format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture(64, 48).write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_good_picture_is_decoded_whatever_its_format() {
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
            let decoded = decode(&encoded(format), Some(format.to_mime_type())).unwrap();
            assert_eq!((decoded.width(), decoded.height()), (64, 48));
        }
    }

    #[test]
    fn an_empty_cut_off_or_mislabelled_picture_is_refused() {
        let says = |bytes: &[u8], kind| decode(bytes, Some(kind)).unwrap_err().to_string();
        assert!(says(b"", "image/png").contains("empty"));
        assert!(says(b"<html>", "image/png").contains("not a picture"));
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
            let bytes = encoded(format);
            assert!(
                decode(&bytes[..bytes.len() / 2], Some(format.to_mime_type())).is_err(),
                "{format:?}"
            );
        }
        assert!(says(&encoded(ImageFormat::Png), "image/jpeg").contains("image/png"));
    }

    #[test]
    fn a_picture_that_is_too_large_for_x_is_made_smaller_and_marked() {
        let (bytes, width, height) =
            final_jpeg(&DynamicImage::ImageRgb8(picture(2600, 2600))).unwrap();
        assert!(bytes.len() <= MAX_BYTES, "{}", bytes.len());
        let decoded = image::load_from_memory(&bytes).unwrap();
        assert_eq!((decoded.width(), decoded.height()), (width, height));
        assert!(
            String::from_utf8_lossy(&bytes).contains("digitalsourcetype/trainedAlgorithmicMedia")
        );
    }

    #[test]
    fn a_transparent_picture_lies_on_black() {
        let glass =
            DynamicImage::ImageRgba8(image::RgbaImage::from_pixel(4, 4, Rgba([200, 200, 200, 0])));
        assert_eq!(flattened(glass).to_rgb8().get_pixel(0, 0).0, [0, 0, 0]);
    }

    #[test]
    fn a_key_names_bot_year_date_slot_and_round() {
        let input = |post: &str| Input {
            post: post.to_owned(),
            round: Some(2),
            draft_key: String::new(),
        };
        assert_eq!(
            stem(&input("spooky-days/2026-10-30/1")).unwrap(),
            "spooky-days/2026/2026-10-30/1-2"
        );
        assert_eq!(
            stem(&input("spooky-days/2026-10-30/1/dry-run-a")).unwrap(),
            "dry-runs/spooky-days/2026-10-30/1-2-dry-run-a"
        );
        assert!(stem(&input("spooky-days/2026-10-30/1/a")).is_err());
        assert!(stem(&input("2026-10-30")).is_err());
    }
}
