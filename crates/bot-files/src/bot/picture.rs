//! `[picture]`: what the image model is asked for.

use serde::{Deserialize, Serialize};

use super::values;
use crate::toml_reader::{Reader, Section};

/// What is asked of the image model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Picture {
    /// OpenAI's name of the model.
    pub model: String,
    /// Width and height, such as `1024x1024`.
    pub size: String,
    /// `low`, `medium`, `high`, `xhigh`, `max` or `auto`.
    pub quality: String,
    /// `jpeg`, `png` or `webp`.
    pub format: String,
}

impl Default for Picture {
    fn default() -> Self {
        Picture {
            model: "gpt-image-2.6-flare".into(),
            size: "1024x1024".into(),
            quality: "medium".into(),
            format: "jpeg".into(),
        }
    }
}

pub(super) fn read<'a>(reader: &mut Reader<'a>, root: Section<'a>) -> Picture {
    let mut picture = Picture::default();
    let Some(section) = reader.get(root, "picture").and_then(|value| {
        reader.section(value, "[picture]", &["model", "size", "quality", "format"])
    }) else {
        return picture;
    };
    if let Some(value) = reader.get(section, "model") {
        picture.model = reader.text(value, "model").unwrap_or_default();
    }
    if let Some(value) = reader.get(section, "size") {
        match value.value.as_str().filter(|size| is_size(size)) {
            Some(size) => picture.size = size.to_owned(),
            None => reader.must_be(
                value,
                "size",
                "width and height in multiples of 16, at most 3:1, such as \"1024x1024\"",
            ),
        }
    }
    let qualities = ["low", "medium", "high", "xhigh", "max", "auto"];
    for (key, field, known) in [
        ("quality", &mut picture.quality, &qualities[..]),
        ("format", &mut picture.format, &["jpeg", "png", "webp"][..]),
    ] {
        if let Some(value) = reader.get(section, key)
            && let Some(word) = values::word(reader, value, key, known)
        {
            *field = word;
        }
    }
    picture
}

/// Whether OpenAI's image models take this size.
fn is_size(size: &str) -> bool {
    let Some((width, height)) = size.split_once('x') else {
        return size == "auto";
    };
    let (Ok(width), Ok(height)) = (width.parse::<u32>(), height.parse::<u32>()) else {
        return false;
    };
    let side = |side: u32| (256..=3840).contains(&side) && side.is_multiple_of(16);
    side(width) && side(height) && width <= 3 * height && height <= 3 * width
}
