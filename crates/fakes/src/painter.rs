//! Paints a night scene for a prompt: the observance's name in lettering, a creature that fits it, and a place that differs
//! from post to post.

mod scene;

use std::{
    io::Cursor,
    sync::{Arc, LazyLock},
};

use anyhow::Context;
use image::{ImageFormat, RgbImage};
use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{Options, Tree, fontdb::Database},
};

use self::scene::scene;

static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    fonts.load_font_data(include_bytes!("../fonts/Creepster-Regular.ttf").to_vec());
    Arc::new(fonts)
});

/// The same prompt gives the same picture.
pub(crate) fn paint(prompt: &str, width: u32, height: u32) -> anyhow::Result<RgbImage> {
    render(&scene(prompt), width, height)
}

/// Draws an SVG of 1024 by 1024 as a picture of this size.
pub fn render(svg: &str, width: u32, height: u32) -> anyhow::Result<RgbImage> {
    let options = Options {
        fontdb: FONTS.clone(),
        ..Options::default()
    };
    let tree = Tree::from_str(svg, &options).context("the scene is not a valid SVG")?;
    let mut pixels =
        Pixmap::new(width, height).context("the width or the height of the picture is 0")?;
    // A picture that is not square shows the middle of the scene.
    let scale = width.max(height) as f32 / 1024.0;
    let (dx, dy) = (
        (width as f32 - 1024.0 * scale) / 2.0,
        (height as f32 - 1024.0 * scale) / 2.0,
    );
    resvg::render(
        &tree,
        Transform::from_row(scale, 0.0, 0.0, scale, dx, dy),
        &mut pixels.as_mut(),
    );
    let rgb = pixels
        .data()
        .chunks_exact(4)
        .flat_map(|p| [p[0], p[1], p[2]])
        .collect();
    RgbImage::from_raw(width, height, rgb).context("the pixels do not fit the size")
}

/// The picture of a prompt as a JPEG of this size, for previews without a server.
pub fn paint_jpeg(prompt: &str, width: u32, height: u32) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    paint(prompt, width, height)?.write_to(&mut bytes, ImageFormat::Jpeg)?;
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::{scene::name, *};

    #[test]
    fn the_same_prompt_gives_the_same_picture_and_another_prompt_another() {
        let prompt = |day: &str| format!("Spooky.\nThe day: {day}.\nScene: a haunted pantry.\n");
        let one = paint(&prompt("National Candy Corn Day"), 256, 256).unwrap();
        assert_eq!(
            one,
            paint(&prompt("National Candy Corn Day"), 256, 256).unwrap()
        );
        assert_ne!(one, paint(&prompt("National Cat Day"), 256, 256).unwrap());
    }

    #[test]
    fn the_subject_of_a_day_decides_the_creature() {
        let body = |day: &str| scene::body(&format!("National {day} Day"), "A haunted library.");
        assert_eq!(body("Cupcakes"), include_str!("painter/creatures/cake.svg"));
        assert_eq!(body("Kindness"), include_str!("painter/creatures/book.svg"));
        let ghost = include_str!("painter/creatures/ghost.svg");
        assert_eq!(scene::body("Kindness", "An attic."), ghost);
    }

    #[test]
    fn a_name_is_found_in_the_prompt_and_any_name_can_be_lettered() {
        assert_eq!(
            name("A brief.\nThe day: National Salt & Pepper Day.\nScene: x"),
            "National Salt & Pepper Day"
        );
        assert_eq!(
            name("paint \"Crème Brûlée Day\" please"),
            "Crème Brûlée Day"
        );
        for day in ["A", "<b>&\"'</b>", &"Very Long ".repeat(30), ""] {
            paint(&format!("The day: {day}."), 256, 256).unwrap();
        }
    }
}
