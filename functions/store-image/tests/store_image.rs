//! The real function against the emulator: what is made of a draft, what is stored, and the name of each failure.

use std::{io::Cursor, process::Command};

use aws_config::{SdkConfig, retry::RetryConfig};
use aws_sdk_s3::{
    primitives::ByteStream,
    types::{BucketVersioningStatus, VersioningConfiguration},
};
use fakes::lambda;
use image::{DynamicImage, ImageFormat, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use img_parts::{
    Bytes, ImageEXIF, ImageICC,
    jpeg::{Jpeg, JpegSegment, markers},
    png::{Png, PngChunk},
    webp::WebP,
};
use lambda_runtime::Diagnostic;
use local_cloud::Emulator;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store_image::{Clients, Config, Error, Input, Output, store_image};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{any, method},
};

const DRAFT: &str = "drafts/spooky-days/2026-10-30/1/1-0123456789abcdef";

/// What is planted in drafts, and must not be in a picture.
const PLANTED: &[u8] = b"planted-by-the-painter";

const MARK: &[u8] = b"Iptc4xmpExt:DigitalSourceType=\"http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia\"";

/// The function with a bucket of its own.
struct Darkroom {
    aws: SdkConfig,
    s3: aws_sdk_s3::Client,
    clients: Clients,
    config: Config,
}

/// What S3 holds under a key.
struct Stored {
    bytes: Vec<u8>,
    content_type: Option<String>,
    metadata: usize,
}

impl Darkroom {
    async fn new() -> anyhow::Result<Darkroom> {
        let account = Emulator::shared().await.account();
        let aws = account.sdk_config().await;
        let s3 = aws_sdk_s3::Client::new(&aws);
        let image_bucket = format!("store-image-{}", account.id());
        s3.create_bucket().bucket(&image_bucket).send().await?;
        s3.put_bucket_versioning()
            .bucket(&image_bucket)
            .versioning_configuration(
                VersioningConfiguration::builder()
                    .status(BucketVersioningStatus::Enabled)
                    .build(),
            )
            .send()
            .await?;
        Ok(Darkroom {
            clients: Clients::new(&aws),
            config: Config { image_bucket },
            aws,
            s3,
        })
    }

    async fn put_draft(&self, bytes: Vec<u8>, content_type: &str) -> anyhow::Result<()> {
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

    async fn store(&self, input: Input) -> Result<Output, Error> {
        store_image(&self.clients, &self.config, input).await
    }

    /// The name and the message of the failure to store a draft.
    async fn refused(&self, bytes: &[u8], content_type: &str) -> anyhow::Result<(String, String)> {
        self.put_draft(bytes.to_vec(), content_type).await?;
        match self.store(input()).await {
            Ok(output) => panic!("it was stored: {output:?}"),
            Err(error) => Ok(told(error)),
        }
    }

    async fn stored(&self, key: &str) -> anyhow::Result<Stored> {
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

    /// Every version of every object beside the draft, so that an overwritten one is seen.
    async fn versions(&self) -> anyhow::Result<Vec<String>> {
        let listed = self
            .s3
            .list_object_versions()
            .bucket(&self.config.image_bucket)
            .send()
            .await?;
        let keys = listed.versions().iter().filter_map(|version| version.key());
        Ok(keys
            .filter(|key| !key.starts_with("drafts/"))
            .map(str::to_owned)
            .collect())
    }
}

fn input() -> Input {
    Input {
        post: "spooky-days/2026-10-30/1".to_owned(),
        round: Some(1),
        draft_key: DRAFT.to_owned(),
    }
}

/// An error's name and message, after what holds for all of them was checked.
fn told(error: Error) -> (String, String) {
    let name = <&str>::from(&error).to_owned();
    let diagnostic = Diagnostic::from(error);
    assert_eq!(diagnostic.error_type, name);
    let message = diagnostic.error_message;
    assert!(!message.is_empty(), "{name} says nothing");
    assert!(!message.contains(['\n', '\r']), "{name}: {message:?}");
    (name, message)
}

fn gradient(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, 90])
    })
}

fn noise(width: u32, height: u32) -> RgbImage {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    RgbImage::from_fn(width, height, |_, _| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let [r, g, b, ..] = state.to_le_bytes();
        Rgb([r, g, b])
    })
}

fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format)?;
    Ok(bytes.into_inner())
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

/// A PNG whose header declares a size and that holds no pixels at all.
fn png_header(width: u32, height: u32) -> anyhow::Result<Vec<u8>> {
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

/// A draft of a format that is full of metadata.
fn talkative(format: ImageFormat) -> anyhow::Result<Vec<u8>> {
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

/// What the real binary answers to payloads that it cannot read, each with its name and message.
async fn answered(payloads: &[Value]) -> anyhow::Result<Vec<Value>> {
    let environment = [("IMAGE_BUCKET", "x")];
    let binary = env!("CARGO_BIN_EXE_store-image");
    let answers = lambda::invoke(binary, &environment, payloads).await?;
    Ok(answers.into_iter().map(|answer| answer.body).collect())
}

#[tokio::test]
async fn a_draft_of_each_format_becomes_a_marked_jpeg_and_a_thumbnail_without_its_metadata() {
    let darkroom = Darkroom::new().await.unwrap();
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
        let draft = talkative(format).unwrap();
        assert!(contains(&draft, PLANTED), "{format:?}");
        darkroom
            .put_draft(draft, format.to_mime_type())
            .await
            .unwrap();

        let output = darkroom.store(input()).await.unwrap();

        let picture = darkroom.stored(&output.key).await.unwrap();
        let thumbnail = darkroom.stored(&output.thumbnail_key).await.unwrap();
        for stored in [&picture, &thumbnail] {
            assert_eq!(stored.content_type.as_deref(), Some("image/jpeg"));
            assert_eq!(stored.metadata, 0);
            assert_eq!(
                image::guess_format(&stored.bytes).unwrap(),
                ImageFormat::Jpeg
            );
            assert!(contains(&stored.bytes, MARK), "{format:?}");
            assert!(!contains(&stored.bytes, PLANTED), "{format:?}");
            // XMP is the only thing beside the picture itself.
            let jpeg = Jpeg::from_bytes(Bytes::from(stored.bytes.clone())).unwrap();
            let told = jpeg.segments().iter().map(JpegSegment::marker);
            let told: Vec<u8> = told
                .filter(|m| (0xE1..=0xEF).contains(m) || *m == 0xFE)
                .collect();
            assert_eq!(told, [markers::APP1], "{format:?}");
        }
        let hash: String = Sha256::digest(&picture.bytes)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        assert_eq!(output.sha256, hash);
        let name = format!("spooky-days/2026/2026-10-30/1-1-{}.jpg", &hash[..16]);
        assert_eq!(output.key, format!("pictures/{name}"));
        assert_eq!(output.thumbnail_key, format!("thumbnails/{name}"));
        assert_eq!(output.content_type, "image/jpeg");
        assert_eq!(output.bytes, picture.bytes.len());
        assert_eq!((output.width, output.height), (200, 100));
        let pixels = image::load_from_memory(&picture.bytes).unwrap().to_rgb8();
        assert_eq!(pixels.dimensions(), (200, 100));
        let (seen, meant) = (
            pixels.get_pixel(150, 50).0,
            gradient(200, 100).get_pixel(150, 50).0,
        );
        let off = seen.iter().zip(meant).map(|(a, b)| a.abs_diff(b)).max();
        assert!(off < Some(12), "{format:?}: {seen:?} {meant:?}");
    }
}

#[tokio::test]
async fn a_thumbnail_fits_its_square_and_keeps_the_proportions() {
    let darkroom = Darkroom::new().await.unwrap();
    for (size, expected) in [
        ((1024, 1024), (512, 512)),
        ((1536, 1024), (512, 341)),
        ((1024, 1536), (341, 512)),
    ] {
        let draft = encoded(gradient(size.0, size.1), ImageFormat::Png).unwrap();
        darkroom.put_draft(draft, "image/png").await.unwrap();
        let output = darkroom.store(input()).await.unwrap();
        assert_eq!((output.width, output.height), size);
        let thumbnail = darkroom.stored(&output.thumbnail_key).await.unwrap();
        let thumbnail = image::load_from_memory(&thumbnail.bytes).unwrap();
        assert_eq!((thumbnail.width(), thumbnail.height()), expected);
    }
}

#[tokio::test]
async fn grey_deep_transparent_and_tiny_pictures_are_pictures_too() {
    let darkroom = Darkroom::new().await.unwrap();
    let grey = image::GrayImage::from_pixel(40, 30, Luma([200]));
    let deep = image::ImageBuffer::<Rgb<u16>, _>::from_pixel(40, 30, Rgb([51_400, 51_400, 51_400]));
    let glass = RgbaImage::from_pixel(40, 30, Rgba([200, 200, 200, 0]));
    let tiny = RgbImage::from_pixel(1, 1, Rgb([200, 200, 200]));
    for (what, draft, brightness) in [
        ("grey", encoded(grey, ImageFormat::Png).unwrap(), 200),
        ("deep", encoded(deep, ImageFormat::Png).unwrap(), 200),
        ("transparent", encoded(glass, ImageFormat::Png).unwrap(), 0),
        ("tiny", encoded(tiny, ImageFormat::WebP).unwrap(), 200),
    ] {
        let kind = image::guess_format(&draft).unwrap().to_mime_type();
        darkroom.put_draft(draft, kind).await.unwrap();
        let output = darkroom.store(input()).await.unwrap();
        let picture = darkroom.stored(&output.key).await.unwrap();
        let picture = image::load_from_memory(&picture.bytes).unwrap().to_rgb8();
        for channel in picture.get_pixel(0, 0).0 {
            assert!(channel.abs_diff(brightness) < 6, "{what}: {channel}");
        }
    }
}

#[tokio::test]
async fn the_same_draft_again_gives_the_same_answer_and_overwrites_nothing() {
    let darkroom = Darkroom::new().await.unwrap();
    let draft = encoded(gradient(300, 200), ImageFormat::Png).unwrap();
    darkroom.put_draft(draft, "image/png").await.unwrap();

    let first = darkroom.store(input()).await.unwrap();
    let again = darkroom.store(input()).await.unwrap();
    let (one, other) = tokio::join!(darkroom.store(input()), darkroom.store(input()));

    assert_eq!(first, again);
    assert_eq!(first, one.unwrap());
    assert_eq!(first, other.unwrap());
    assert_eq!(
        darkroom.versions().await.unwrap(),
        [first.key, first.thumbnail_key]
    );
}

#[tokio::test]
async fn another_draft_year_slot_or_round_is_another_picture_and_the_first_one_stays() {
    let darkroom = Darkroom::new().await.unwrap();
    let draft = encoded(gradient(30, 20), ImageFormat::Png).unwrap();
    darkroom.put_draft(draft, "image/png").await.unwrap();
    let mut keys = Vec::new();
    for (post, round) in [
        ("spooky-days/2026-10-30/1", Some(1)),
        ("spooky-days/2026-10-30/2", Some(1)),
        ("spooky-days/2026-10-30/1", Some(2)),
        ("spooky-days/2027-10-30/1", Some(1)),
        ("spooky-days/2026-10-31/1", Some(1)),
        ("other-days/2026-10-30/1", Some(1)),
    ] {
        let output = darkroom
            .store(Input {
                post: post.to_owned(),
                round,
                ..input()
            })
            .await
            .unwrap();
        keys.push(output.key);
    }
    assert!(keys[3].contains("/2027/2027-10-30/"), "{}", keys[3]);
    let silent = Input {
        round: None,
        ..input()
    };
    assert_eq!(darkroom.store(silent).await.unwrap().key, keys[0]);
    let draft = encoded(gradient(31, 20), ImageFormat::Png).unwrap();
    darkroom.put_draft(draft, "image/png").await.unwrap();
    keys.push(darkroom.store(input()).await.unwrap().key);

    let count = keys.len();
    let mut versions = darkroom.versions().await.unwrap();
    versions.retain(|key| key.starts_with("pictures/"));
    versions.sort();
    keys.sort();
    assert_eq!(versions, keys);
    keys.dedup();
    assert_eq!(keys.len(), count);
}

#[tokio::test]
async fn a_draft_that_is_too_large_for_x_is_stored_smaller() {
    let darkroom = Darkroom::new().await.unwrap();
    // Noise cannot be compressed, so that quality alone does not do it.
    let draft = encoded(noise(2600, 2000), ImageFormat::Png).unwrap();
    assert!(draft.len() > 5_000_000);
    darkroom.put_draft(draft, "image/png").await.unwrap();

    let output = darkroom.store(input()).await.unwrap();

    let picture = darkroom.stored(&output.key).await.unwrap().bytes;
    assert!(picture.len() <= 5_000_000, "{}", picture.len());
    assert_eq!(picture.len(), output.bytes);
    let decoded = image::load_from_memory(&picture).unwrap();
    assert_eq!(
        (decoded.width(), decoded.height()),
        (output.width, output.height)
    );
    assert!(
        output.width < 2600 && output.width > 1000,
        "{}",
        output.width
    );
    let proportion = f64::from(output.width) / f64::from(output.height);
    assert!((proportion - 1.3).abs() < 0.01, "{proportion}");
    assert!(contains(&picture, MARK));
}

#[tokio::test]
async fn a_draft_that_cannot_be_posted_is_refused_with_what_it_is_and_leaves_nothing() {
    let darkroom = Darkroom::new().await.unwrap();
    let jpeg = encoded(gradient(64, 48), ImageFormat::Jpeg).unwrap();
    let png = encoded(gradient(64, 48), ImageFormat::Png).unwrap();
    let webp = encoded(gradient(64, 48), ImageFormat::WebP).unwrap();
    let gif = encoded(gradient(64, 48), ImageFormat::Gif).unwrap();
    let garbled = [&png[..60], &[0; 60], &png[120..]].concat();
    let bomb = png_header(8193, 16).unwrap();
    let tall_bomb = png_header(16, 60_000).unwrap();
    let square_bomb = png_header(u32::MAX / 2, u32::MAX / 2).unwrap();
    let hollow = png_header(64, 48).unwrap();
    let rows: [(&[u8], &str, &str); 16] = [
        (b"", "image/png", "empty"),
        (b"\n", "image/png", "not a picture"),
        (
            b"<!doctype html><h1>Oops</h1>",
            "image/jpeg",
            "not a picture",
        ),
        (b"{\"error\": null}", "image/jpeg", "not a picture"),
        (&jpeg[..jpeg.len() / 2], "image/jpeg", "cut off"),
        (&jpeg[..2], "image/jpeg", ""),
        (&png[..png.len() / 2], "image/png", ""),
        (&png[..8], "image/png", ""),
        (&webp[..webp.len() / 2], "image/webp", ""),
        (&garbled, "image/png", ""),
        (&hollow, "image/png", ""),
        (&png, "image/jpeg", "image/png"),
        (&gif, "image/gif", "image/gif"),
        (&bomb, "image/png", ""),
        (&tall_bomb, "image/png", ""),
        (&square_bomb, "image/png", ""),
    ];
    for (i, (draft, content_type, says)) in rows.into_iter().enumerate() {
        let (name, message) = darkroom.refused(draft, content_type).await.unwrap();
        assert_eq!(name, "PictureUnusable", "row {i}: {message}");
        assert!(
            message.starts_with("the draft cannot be used: ") && message.contains(says),
            "row {i}: {message}"
        );
    }
    assert!(darkroom.versions().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_draft_or_a_bucket_that_is_not_there_is_named() {
    let mut darkroom = Darkroom::new().await.unwrap();
    let (name, message) = told(darkroom.store(input()).await.unwrap_err());
    assert_eq!(name, "DraftMissing", "{message}");
    assert!(
        message.contains(DRAFT) && message.contains(&darkroom.config.image_bucket),
        "{message}"
    );
    darkroom.config.image_bucket = "no-such-bucket-of-ours".to_owned();
    let (name, message) = told(darkroom.store(input()).await.unwrap_err());
    assert_eq!(name, "Unexpected", "{message}");
    assert!(message.contains("NoSuchBucket"), "{message}");
}

#[tokio::test]
async fn a_post_that_is_no_post_is_invalid_input() {
    let darkroom = Darkroom::new().await.unwrap();
    let draft = encoded(gradient(30, 20), ImageFormat::Png).unwrap();
    darkroom.put_draft(draft, "image/png").await.unwrap();
    for post in [
        "",
        "spooky-days",
        "spooky-days/2026-10-30",
        "/2026-10-30/1",
        "spooky-days/2026-10-30/",
        "spooky-days/30-10-26/1",
        "spooky-days/2026-10-30/1/2",
        "spooky-days/30-10-2026/1",
        "spooky-days/2026-10-30/one",
        "spooky-days/🎃🎃ab/1",
    ] {
        let wrong = Input {
            post: post.to_owned(),
            ..input()
        };
        let (name, message) = told(darkroom.store(wrong).await.unwrap_err());
        assert_eq!(name, "InvalidInput", "{post}: {message}");
        assert!(message.contains("bot/date/slot"), "{message}");
    }
    assert!(darkroom.versions().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_s3_that_answers_5xx_or_does_not_answer_is_unavailable() {
    let darkroom = Darkroom::new().await.unwrap();
    let broken = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(503))
        .mount(&broken)
        .await;
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for endpoint in [broken.uri(), nobody] {
        // The SDK's own short retries would only make this slow.
        let elsewhere = darkroom
            .aws
            .to_builder()
            .endpoint_url(endpoint)
            .retry_config(RetryConfig::disabled())
            .build();
        let stored = store_image(&Clients::new(&elsewhere), &darkroom.config, input()).await;
        let (name, message) = told(stored.unwrap_err());
        assert_eq!(name, "ServiceUnavailable", "{message}");
        assert!(message.contains("S3"), "{message}");
    }
}

#[tokio::test]
async fn a_write_that_meets_another_one_is_done_again() {
    let darkroom = Darkroom::new().await.unwrap();
    let s3 = MockServer::start().await;
    let draft = encoded(gradient(30, 20), ImageFormat::Png).unwrap();
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(draft, "image/png"))
        .mount(&s3)
        .await;
    let conflict = "<Error><Code>ConditionalRequestConflict</Code><Message>No.</Message></Error>";
    Mock::given(method("PUT"))
        .respond_with(ResponseTemplate::new(409).set_body_raw(conflict, "application/xml"))
        .up_to_n_times(1)
        .mount(&s3)
        .await;
    Mock::given(method("PUT"))
        .respond_with(ResponseTemplate::new(200))
        .expect(2)
        .mount(&s3)
        .await;
    let elsewhere = darkroom.aws.to_builder().endpoint_url(s3.uri()).build();
    let stored = store_image(&Clients::new(&elsewhere), &darkroom.config, input()).await;
    assert_eq!(stored.unwrap().width, 30);
}

#[tokio::test]
async fn the_function_as_it_is_deployed_names_what_its_input_lacks() {
    let rows = [
        (json!({}), "post"),
        (json!("post"), "input cannot be read"),
        (json!({"post": "spooky-days/2026-10-30/1"}), "draftKey"),
        (json!({"post": 7, "draftKey": "d"}), "7"),
        (json!({"post": "p", "round": "one", "draftKey": "d"}), "one"),
    ];
    let payloads = rows.clone().map(|(payload, _)| payload);
    let answers = answered(&payloads).await.unwrap();
    assert_eq!(answers.len(), rows.len());
    for ((payload, says), answer) in rows.into_iter().zip(answers) {
        assert_eq!(answer["errorType"], "InvalidInput", "{payload}: {answer}");
        let message = answer["errorMessage"].as_str().unwrap();
        assert!(message.contains(says), "{payload}: {message}");
    }
}

#[test]
fn without_its_environment_the_function_ends_and_names_the_variable() {
    let output = Command::new(env!("CARGO_BIN_EXE_store-image"))
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("IMAGE_BUCKET"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}
