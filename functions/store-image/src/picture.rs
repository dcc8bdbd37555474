//! Decodes a draft, and encodes what is posted.

use std::io::Cursor;

use anyhow::{Context, anyhow};
use image::{
    DynamicImage, ImageFormat, ImageReader, Limits, RgbImage, Rgba, RgbaImage,
    codecs::jpeg::JpegEncoder, imageops::FilterType,
};
use img_parts::{
    Bytes,
    jpeg::{Jpeg, JpegSegment, markers::APP1},
};

use crate::Error;

/// The largest picture that X takes, in bytes
/// ([best practices](https://docs.x.com/x-api/media/quickstart/best-practices), 2026-08-22): 5 MB, read as 5,000,000.
const MAX_BYTES: usize = 5_000_000;

/// The longest side that is decoded, in pixels; OpenAI's largest picture has 3840.
const MAX_SIDE: u32 = 8192;

/// The most memory that the decoder may allocate, in bytes.
const MAX_ALLOCATION: u64 = 300_000_000;

/// The longest side of a thumbnail, in pixels.
const THUMBNAIL_SIDE: u32 = 512;

/// The qualities of JPEG that are tried before the picture is made smaller.
const QUALITIES: [u8; 3] = [92, 85, 75];

/// IPTC's name for a picture that a model generated.
const MADE_BY_AI: &str = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";

/// A JPEG, with its size in pixels.
pub(crate) struct EncodedJpeg {
    pub(crate) bytes: Vec<u8>,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// Decodes a draft, without transparency.
pub(crate) fn decode(draft: &[u8], content_type: Option<&str>) -> Result<DynamicImage, Error> {
    let format = format(draft, content_type).map_err(Error::PictureUnusable)?;
    let mut reader = ImageReader::with_format(Cursor::new(draft), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_ALLOCATION);
    reader.limits(limits);
    let picture = reader
        .decode()
        .map_err(|e| Error::PictureUnusable(e.to_string()))?;
    Ok(match picture.color().has_alpha() {
        true => on_black(picture),
        false => picture,
    })
}

/// The format of a draft, or what is wrong with it.
fn format(draft: &[u8], content_type: Option<&str>) -> Result<ImageFormat, String> {
    if draft.is_empty() {
        return Err("it is empty".to_owned());
    }
    let format = image::guess_format(draft).map_err(|_| "it is not a picture".to_owned())?;
    let actual = format.to_mime_type();
    if let Some(declared) = content_type
        && declared != actual
    {
        return Err(format!(
            "its content type is {declared}, but it is {actual}"
        ));
    }
    if !matches!(
        format,
        ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP
    ) {
        return Err(format!("it is {actual}, not JPEG, PNG or WebP"));
    }
    // The JPEG decoder accepts a file that is cut off and fills the rest with gray.
    if format == ImageFormat::Jpeg && !draft.trim_ascii_end().ends_with(&[0xFF, 0xD9]) {
        return Err("it is a JPEG that is cut off".to_owned());
    }
    Ok(format)
}

fn on_black(picture: DynamicImage) -> DynamicImage {
    let black = Rgba([0, 0, 0, 255]);
    let mut flat = RgbaImage::from_pixel(picture.width(), picture.height(), black);
    image::imageops::overlay(&mut flat, &picture.to_rgba8(), 0, 0);
    DynamicImage::ImageRgba8(flat)
}

/// The best JPEG that X takes: the quality is lowered first, then the size.
pub(crate) fn for_x(picture: &DynamicImage) -> Result<EncodedJpeg, Error> {
    let mut pixels = picture.to_rgb8();
    loop {
        for quality in QUALITIES {
            let bytes = marked_jpeg(&pixels, quality)?;
            if bytes.len() <= MAX_BYTES {
                return Ok(EncodedJpeg {
                    bytes,
                    width: pixels.width(),
                    height: pixels.height(),
                });
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

/// A small copy for emails and pages.
pub(crate) fn thumbnail(picture: &DynamicImage) -> Result<Vec<u8>, Error> {
    let small = picture.resize(THUMBNAIL_SIDE, THUMBNAIL_SIDE, FilterType::Triangle);
    marked_jpeg(&small.to_rgb8(), 80)
}

/// A JPEG whose first segment after the header says that the picture is made by AI.
fn marked_jpeg(pixels: &RgbImage, quality: u8) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode_image(pixels)
        .map_err(|e| Error::Unexpected(anyhow!(e).context("encoding the JPEG")))?;
    mark(bytes)
        .context("marking the JPEG as made by AI")
        .map_err(Error::Unexpected)
}

fn mark(bytes: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let mut jpeg = Jpeg::from_bytes(Bytes::from(bytes))?;
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
    jpeg.encoder().write_to(&mut marked)?;
    Ok(marked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            let noise = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503))
                .wrapping_mul(2_246_822_519);
            image::Rgb([(noise >> 8) as u8, (noise >> 16) as u8, (noise >> 24) as u8])
        })
    }

    fn encoded(format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        noise(64, 48).write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_picture_of_each_format_is_decoded() {
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
            let decoded = decode(&encoded(format), Some(format.to_mime_type())).unwrap();
            assert_eq!((decoded.width(), decoded.height()), (64, 48));
        }
    }

    #[test]
    fn an_empty_cut_off_or_mislabeled_picture_is_refused() {
        let message = |bytes: &[u8], kind| decode(bytes, Some(kind)).unwrap_err().to_string();
        assert!(message(b"", "image/png").contains("empty"));
        assert!(message(b"<html>", "image/png").contains("not a picture"));
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
            let bytes = encoded(format);
            assert!(
                decode(&bytes[..bytes.len() / 2], Some(format.to_mime_type())).is_err(),
                "{format:?}"
            );
        }
        assert!(message(&encoded(ImageFormat::Png), "image/jpeg").contains("image/png"));
    }

    #[test]
    fn a_picture_that_is_too_large_for_x_is_made_smaller_and_marked() {
        let jpeg = for_x(&DynamicImage::ImageRgb8(noise(2600, 2600))).unwrap();
        assert!(jpeg.bytes.len() <= MAX_BYTES, "{}", jpeg.bytes.len());
        let decoded = image::load_from_memory(&jpeg.bytes).unwrap();
        assert_eq!(
            (decoded.width(), decoded.height()),
            (jpeg.width, jpeg.height)
        );
        assert!(String::from_utf8_lossy(&jpeg.bytes).contains(MADE_BY_AI));
    }

    #[test]
    fn a_transparent_picture_has_a_black_background() {
        let glass = DynamicImage::ImageRgba8(RgbaImage::from_pixel(4, 4, Rgba([200, 200, 200, 0])));
        assert_eq!(on_black(glass).to_rgb8().get_pixel(0, 0).0, [0, 0, 0]);
    }
}
