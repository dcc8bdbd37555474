//! The real function against the emulator: what a draft becomes, what is stored, and the name of each error.

mod fixture;

use fixture::*;
use image::{ImageFormat, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use img_parts::{
    Bytes,
    jpeg::{Jpeg, JpegSegment, markers::APP1},
};
use serde_json::json;
use sha2::{Digest, Sha256};
use store_image::{Clients, Input, store_image};
use test_kit::{binary::Binary, endpoints};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

#[tokio::test]
async fn a_draft_of_each_format_becomes_a_marked_jpeg_and_a_thumbnail_without_its_metadata() {
    let fixture = Fixture::new().await.unwrap();
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
        let draft = with_metadata(format).unwrap();
        assert!(contains(&draft, PLANTED), "{format:?}");
        fixture
            .put_draft(draft, format.to_mime_type())
            .await
            .unwrap();

        let output = fixture.store(input()).await.unwrap();

        let picture = fixture.stored(&output.key).await.unwrap();
        let thumbnail = fixture.stored(&output.thumbnail_key).await.unwrap();
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
            let markers = jpeg.segments().iter().map(JpegSegment::marker);
            let markers: Vec<u8> = markers
                .filter(|m| (0xE1..=0xEF).contains(m) || *m == 0xFE)
                .collect();
            assert_eq!(markers, [APP1], "{format:?}");
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
    let fixture = Fixture::new().await.unwrap();
    for (size, expected) in [
        ((1024, 1024), (512, 512)),
        ((1536, 1024), (512, 341)),
        ((1024, 1536), (341, 512)),
    ] {
        let draft = encoded(gradient(size.0, size.1), ImageFormat::Png).unwrap();
        fixture.put_draft(draft, "image/png").await.unwrap();
        let output = fixture.store(input()).await.unwrap();
        assert_eq!((output.width, output.height), size);
        let thumbnail = fixture.stored(&output.thumbnail_key).await.unwrap();
        let thumbnail = image::load_from_memory(&thumbnail.bytes).unwrap();
        assert_eq!((thumbnail.width(), thumbnail.height()), expected);
    }
}

#[tokio::test]
async fn gray_deep_transparent_and_tiny_pictures_are_stored() {
    let fixture = Fixture::new().await.unwrap();
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
        fixture.put_draft(draft, kind).await.unwrap();
        let output = fixture.store(input()).await.unwrap();
        let picture = fixture.stored(&output.key).await.unwrap();
        let picture = image::load_from_memory(&picture.bytes).unwrap().to_rgb8();
        for channel in picture.get_pixel(0, 0).0 {
            assert!(channel.abs_diff(brightness) < 6, "{what}: {channel}");
        }
    }
}

#[tokio::test]
async fn the_same_draft_again_gives_the_same_output_and_overwrites_nothing() {
    let fixture = Fixture::new().await.unwrap();
    let draft = encoded(gradient(300, 200), ImageFormat::Png).unwrap();
    fixture.put_draft(draft, "image/png").await.unwrap();

    let first = fixture.store(input()).await.unwrap();
    let again = fixture.store(input()).await.unwrap();
    let (one, other) = tokio::join!(fixture.store(input()), fixture.store(input()));

    assert_eq!(first, again);
    assert_eq!(first, one.unwrap());
    assert_eq!(first, other.unwrap());
    assert_eq!(
        fixture.versions().await.unwrap(),
        [first.key, first.thumbnail_key]
    );
}

#[tokio::test]
async fn another_draft_year_slot_or_round_is_another_picture_and_overwrites_nothing() {
    let fixture = Fixture::new().await.unwrap();
    let draft = encoded(gradient(30, 20), ImageFormat::Png).unwrap();
    fixture.put_draft(draft, "image/png").await.unwrap();
    let mut keys = Vec::new();
    for (post, round) in [
        ("spooky-days/2026-10-30/1", Some(1)),
        ("spooky-days/2026-10-30/2", Some(1)),
        ("spooky-days/2026-10-30/1", Some(2)),
        ("spooky-days/2027-10-30/1", Some(1)),
        ("spooky-days/2026-10-31/1", Some(1)),
        ("other-days/2026-10-30/1", Some(1)),
    ] {
        let output = fixture
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
    assert_eq!(fixture.store(silent).await.unwrap().key, keys[0]);
    let draft = encoded(gradient(31, 20), ImageFormat::Png).unwrap();
    fixture.put_draft(draft, "image/png").await.unwrap();
    keys.push(fixture.store(input()).await.unwrap().key);

    let count = keys.len();
    let mut versions = fixture.versions().await.unwrap();
    versions.retain(|key| key.starts_with("pictures/"));
    versions.sort();
    keys.sort();
    assert_eq!(versions, keys);
    keys.dedup();
    assert_eq!(keys.len(), count);
}

#[tokio::test]
async fn a_draft_that_is_too_large_for_x_is_stored_smaller() {
    let fixture = Fixture::new().await.unwrap();
    // Noise cannot be compressed, so that quality alone does not do it.
    let draft = encoded(noise(2600, 2000), ImageFormat::Png).unwrap();
    assert!(draft.len() > 5_000_000);
    fixture.put_draft(draft, "image/png").await.unwrap();

    let output = fixture.store(input()).await.unwrap();

    let picture = fixture.stored(&output.key).await.unwrap().bytes;
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
async fn a_draft_that_cannot_be_posted_is_refused_with_the_reason_and_stores_nothing() {
    let fixture = Fixture::new().await.unwrap();
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
        let (name, message) = fixture.refused(draft, content_type).await.unwrap();
        assert_eq!(name, "PictureUnusable", "row {i}: {message}");
        assert!(
            message.starts_with("the draft cannot be used: ") && message.contains(says),
            "row {i}: {message}"
        );
    }
    assert!(fixture.versions().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_missing_draft_or_bucket_is_named() {
    let mut fixture = Fixture::new().await.unwrap();
    let (name, message) = name_and_message(fixture.store(input()).await.unwrap_err());
    assert_eq!(name, "DraftMissing", "{message}");
    assert!(
        message.contains(DRAFT) && message.contains(&fixture.config.image_bucket),
        "{message}"
    );
    fixture.config.image_bucket = "no-such-bucket-of-ours".to_owned();
    let (name, message) = name_and_message(fixture.store(input()).await.unwrap_err());
    assert_eq!(name, "Unexpected", "{message}");
    assert!(message.contains("NoSuchBucket"), "{message}");
}

#[tokio::test]
async fn an_invalid_post_id_is_invalid_input() {
    let fixture = Fixture::new().await.unwrap();
    let draft = encoded(gradient(30, 20), ImageFormat::Png).unwrap();
    fixture.put_draft(draft, "image/png").await.unwrap();
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
        let (name, message) = name_and_message(fixture.store(wrong).await.unwrap_err());
        assert_eq!(name, "InvalidInput", "{post}: {message}");
        assert!(message.contains("bot/date/slot"), "{message}");
    }
    assert!(fixture.versions().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_s3_that_answers_5xx_or_refuses_the_connection_is_unavailable() {
    let fixture = Fixture::new().await.unwrap();
    for aws in endpoints::unavailable(&fixture.aws).await {
        let stored = store_image(&Clients::new(&aws), &fixture.config, input()).await;
        let (name, message) = name_and_message(stored.unwrap_err());
        assert_eq!(name, "ServiceUnavailable", "{message}");
        assert!(message.contains("S3"), "{message}");
    }
}

#[tokio::test]
async fn a_write_in_conflict_with_another_one_is_repeated() {
    let fixture = Fixture::new().await.unwrap();
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
    let elsewhere = fixture.aws.to_builder().endpoint_url(s3.uri()).build();
    let stored = store_image(&Clients::new(&elsewhere), &fixture.config, input()).await;
    assert_eq!(stored.unwrap().width, 30);
}

const BINARY: Binary = Binary {
    path: env!("CARGO_BIN_EXE_store-image"),
    environment: &[("IMAGE_BUCKET", "pictures")],
};

#[tokio::test]
async fn the_deployed_binary_names_what_its_input_lacks() {
    let rows = [
        (json!({}), "post"),
        (json!("post"), "input cannot be read"),
        (json!({"post": "spooky-days/2026-10-30/1"}), "draftKey"),
        (json!({"post": 7, "draftKey": "d"}), "7"),
        (json!({"post": "p", "round": "one", "draftKey": "d"}), "one"),
    ];
    BINARY.assert_names_what_its_input_lacks(&rows).await;
}

#[test]
fn the_deployed_binary_names_a_missing_environment_variable() {
    BINARY.assert_names_missing_variables();
}
