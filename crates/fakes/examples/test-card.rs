//! Paints the picture of dry runs, which generate-image embeds.

use image::{
    ExtendedColorType, ImageEncoder,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};

fn main() -> anyhow::Result<()> {
    let card = fakes::render(include_str!("test-card.svg"), 1024, 1024)?;
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../functions/generate-image/test-card.png"
    );
    let file = std::fs::File::create(path)?;
    PngEncoder::new_with_quality(file, CompressionType::Best, FilterType::Adaptive).write_image(
        card.as_raw(),
        card.width(),
        card.height(),
        ExtendedColorType::Rgb8,
    )?;
    Ok(())
}
