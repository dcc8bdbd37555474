//! Paints a night scene for a prompt: the day's name in lettering, a creature that fits it, and a place that differs
//! from day to day.

use std::{
    fmt::Write,
    io::Cursor,
    sync::{Arc, LazyLock},
};

use anyhow::Context;
use image::{ImageFormat, RgbImage};
use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{Options, Tree, fontdb::Database},
};
use sha2::{Digest, Sha256};

static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    fonts.load_font_data(include_bytes!("../fonts/Creepster-Regular.ttf").to_vec());
    Arc::new(fonts)
});

/// The picture of a prompt. The same prompt gives the same picture.
pub(crate) fn paint(prompt: &str, width: u32, height: u32) -> anyhow::Result<RgbImage> {
    render(&scene(prompt), width, height)
}

/// A square SVG as a picture of this size.
pub fn render(svg: &str, width: u32, height: u32) -> anyhow::Result<RgbImage> {
    let options = Options {
        fontdb: FONTS.clone(),
        ..Options::default()
    };
    let tree = Tree::from_str(svg, &options).context("the scene is no SVG")?;
    let mut pixels = Pixmap::new(width, height).context("the picture has no size")?;
    // The scene is 1024 a side; a wider or higher picture shows its middle.
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
    RgbImage::from_raw(width, height, rgb).context("the picture has another size")
}

/// The picture of a prompt as a JPEG of this size, for a look at a post without any server.
pub fn paint_jpeg(prompt: &str, width: u32, height: u32) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    paint(prompt, width, height)?.write_to(&mut bytes, ImageFormat::Jpeg)?;
    Ok(bytes.into_inner())
}

/// Numbers that depend on the prompt and on nothing else.
struct Dice(u64);

impl Dice {
    fn of(prompt: &str) -> Dice {
        let hash = Sha256::digest(prompt);
        let mut seed = [0; 8];
        seed.copy_from_slice(&hash[..8]);
        Dice(u64::from_le_bytes(seed) | 1)
    }

    /// From `low` up to `high`, without it.
    fn roll(&mut self, low: f64, high: f64) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        low + (self.0 >> 11) as f64 / (1u64 << 53) as f64 * (high - low)
    }

    fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.roll(0.0, values.len() as f64) as usize]
    }
}

/// Sky above, sky below, moon, far hills, near hills, lights, lettering.
type Palette = [&'static str; 7];

const PALETTES: [Palette; 6] = [
    [
        "#120a2a", "#e0592a", "#ffe9b0", "#3a1840", "#160a1c", "#ffb52e", "#ff9a1f",
    ],
    [
        "#03121f", "#1f7a78", "#dffcf2", "#0d3640", "#04141a", "#a6ff4d", "#b4ff5a",
    ],
    [
        "#1b0630", "#8d2bb0", "#ffe3ff", "#3c1160", "#150522", "#ffd23f", "#f7c8ff",
    ],
    [
        "#0a0f24", "#34508f", "#f4f4e4", "#1b2a55", "#080c1a", "#ffcf5c", "#dfe9ff",
    ],
    [
        "#1d0508", "#b3202a", "#ffdcc2", "#45101a", "#16050a", "#ff7a3c", "#ff5a48",
    ],
    [
        "#07140a", "#6f8f1f", "#fbffce", "#20401c", "#08160a", "#ffe04a", "#e4ff6a",
    ],
];

fn scene(prompt: &str) -> String {
    let mut dice = Dice::of(prompt);
    let name = name(prompt);
    let [sky, glow, moon, far, near, light, letters] = dice.pick(&PALETTES);
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="1024" height="1024" viewBox="0 0 1024 1024"><defs>
<linearGradient id="sky" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="{sky}"/><stop offset=".78" stop-color="{glow}"/></linearGradient>
<radialGradient id="halo"><stop offset="0" stop-color="{moon}" stop-opacity=".75"/><stop offset="1" stop-color="{moon}" stop-opacity="0"/></radialGradient>
<radialGradient id="lamp"><stop offset="0" stop-color="{light}" stop-opacity=".55"/><stop offset="1" stop-color="{light}" stop-opacity="0"/></radialGradient>
<linearGradient id="fog" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="{moon}" stop-opacity="0"/><stop offset=".5" stop-color="{moon}" stop-opacity=".22"/><stop offset="1" stop-color="{moon}" stop-opacity="0"/></linearGradient>
<linearGradient id="night" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="{near}" stop-opacity="0"/><stop offset=".45" stop-color="{near}" stop-opacity=".93"/><stop offset="1" stop-color="{near}"/></linearGradient>
</defs><rect width="1024" height="1024" fill="url(#sky)"/>"#
    );
    for _ in 0..90 {
        let (x, y, r) = (
            dice.roll(0.0, 1024.0),
            dice.roll(0.0, 520.0),
            dice.roll(0.6, 2.4),
        );
        add(
            &mut svg,
            format_args!(
                r#"<circle cx="{x:.0}" cy="{y:.0}" r="{r:.1}" fill="{moon}" opacity="{:.2}"/>"#,
                dice.roll(0.25, 0.95)
            ),
        );
    }
    let (mx, my, mr) = (
        dice.roll(180.0, 844.0),
        dice.roll(150.0, 290.0),
        dice.roll(85.0, 140.0),
    );
    add(
        &mut svg,
        format_args!(
            r#"<circle cx="{mx:.0}" cy="{my:.0}" r="{:.0}" fill="url(#halo)"/><circle cx="{mx:.0}" cy="{my:.0}" r="{mr:.0}" fill="{moon}"/>"#,
            mr * 2.4
        ),
    );
    for _ in 0..6 {
        let (a, d, r) = (
            dice.roll(0.0, std::f64::consts::TAU),
            dice.roll(0.1, 0.75) * mr,
            dice.roll(0.05, 0.16) * mr,
        );
        add(
            &mut svg,
            format_args!(
                r#"<circle cx="{:.0}" cy="{:.0}" r="{r:.0}" fill="{glow}" opacity=".18"/>"#,
                mx + a.cos() * d,
                my + a.sin() * d
            ),
        );
    }
    for _ in 0..dice.roll(4.0, 10.0) as u32 {
        let (x, y, s) = (
            mx + dice.roll(-360.0, 360.0),
            my + dice.roll(-110.0, 170.0),
            dice.roll(0.5, 1.4),
        );
        add(
            &mut svg,
            format_args!(
                r#"<path transform="translate({x:.0} {y:.0}) scale({s:.2})" fill="{near}" d="M0 0 C-8 -14 -14 -6 -34 -16 C-30 -4 -36 4 -40 10 C-28 4 -22 8 -18 14 C-12 8 -6 10 0 18 C6 10 12 8 18 14 C22 8 28 4 40 10 C36 4 30 -4 34 -16 C14 -6 8 -14 4 -4 L2 -8 Z"/>"#
            ),
        );
    }
    hills(&mut svg, &mut dice, 600.0, 90.0, far);
    match dice.roll(0.0, 4.0) as u32 {
        0 => house(&mut svg, &mut dice, near, light),
        1 => graves(&mut svg, &mut dice, near, far),
        2 => forest(&mut svg, &mut dice, near),
        _ => village(&mut svg, &mut dice, near, light),
    }
    add(
        &mut svg,
        format_args!(r#"<rect y="560" width="1024" height="220" fill="url(#fog)"/>"#),
    );
    hills(&mut svg, &mut dice, 740.0, 40.0, near);
    tree(&mut svg, &mut dice, 70.0, 800.0, 1.25, near);
    tree(&mut svg, &mut dice, 960.0, 800.0, 1.1, near);
    add(
        &mut svg,
        format_args!(r#"<ellipse cx="512" cy="640" rx="330" ry="250" fill="url(#lamp)"/>"#),
    );
    creature(
        &mut svg,
        &mut dice,
        &format!("{} {prompt}", name).to_lowercase(),
        &name.to_lowercase(),
        light,
        near,
        moon,
    );
    for (x, flip) in [(190.0, 1.0), (835.0, -1.0)] {
        let s = dice.roll(0.55, 0.85);
        add(
            &mut svg,
            format_args!(
                r#"<g transform="translate({x} 800) scale({:.2} {s:.2})">{}</g>"#,
                s * flip,
                pumpkin(light)
            ),
        );
    }
    lettering(&mut svg, &name, letters, near);
    svg.push_str("</svg>");
    svg
}

/// The day's name: what stands after "The day:", between quotation marks, or else the beginning.
fn name(prompt: &str) -> String {
    let of_line = prompt
        .lines()
        .find_map(|line| line.trim().strip_prefix("The day:"))
        .map(|line| line.trim().trim_end_matches('.'));
    let quoted = || prompt.split('"').nth(1);
    let name = of_line.or_else(quoted).unwrap_or(prompt);
    name.chars().filter(|c| !c.is_control()).take(80).collect()
}

fn hills(svg: &mut String, dice: &mut Dice, y: f64, rise: f64, colour: &str) {
    add(
        svg,
        format_args!(r#"<path fill="{colour}" d="M0 1024 V{y:.0}"#),
    );
    for i in 0..4 {
        let x = f64::from(i) * 256.0;
        add(
            svg,
            format_args!(
                " C{:.0} {:.0} {:.0} {:.0} {:.0} {y:.0}",
                x + 85.0,
                y - dice.roll(0.0, rise * 2.0),
                x + 170.0,
                y + dice.roll(-rise, rise),
                x + 256.0
            ),
        );
    }
    svg.push_str(r#" V1024 Z"/>"#);
}

fn house(svg: &mut String, dice: &mut Dice, near: &str, light: &str) {
    let x = dice.pick(&[150.0, 690.0]);
    add(
        svg,
        format_args!(
            r#"<g transform="translate({x} 380)" fill="{near}"><path d="M0 260 V110 L-16 110 L70 20 L70 -60 L58 -60 L100 -130 L142 -60 L130 -60 V40 L220 110 H204 V260 Z"/><path d="M150 60 V20 H172 V80 Z"/>"#
        ),
    );
    for (wx, wy, w, h) in [
        (30, 140, 34, 46),
        (140, 140, 34, 46),
        (86, 70, 28, 36),
        (90, -40, 20, 30),
        (84, 200, 36, 60),
    ] {
        if dice.roll(0.0, 1.0) < 0.8 {
            add(
                svg,
                format_args!(
                    r#"<path fill="{light}" d="M{wx} {} v-{h} q{} -16 {w} 0 v{h} Z"/>"#,
                    wy + h,
                    w / 2
                ),
            );
        }
    }
    svg.push_str("</g>");
}

fn graves(svg: &mut String, dice: &mut Dice, near: &str, far: &str) {
    for i in 0..7 {
        let (x, s, tilt) = (
            60.0 + f64::from(i) * 145.0 + dice.roll(-25.0, 25.0),
            dice.roll(0.7, 1.25),
            dice.roll(-10.0, 10.0),
        );
        let stone = if i % 3 == 1 {
            "M-9 0 V-60 H-34 V-80 H-9 V-112 H9 V-80 H34 V-60 H9 V0 Z"
        } else {
            "M-36 0 V-70 C-36 -116 36 -116 36 -70 V0 Z"
        };
        add(
            svg,
            format_args!(
                r#"<g transform="translate({x:.0} 690) rotate({tilt:.0}) scale({s:.2})"><path fill="{near}" d="{stone}"/><path stroke="{far}" stroke-width="5" d="M-18 -62 H18 M-14 -46 H14"/></g>"#
            ),
        );
    }
}

fn forest(svg: &mut String, dice: &mut Dice, near: &str) {
    for i in 0..8 {
        let (x, s) = (
            40.0 + f64::from(i) * 135.0 + dice.roll(-40.0, 40.0),
            dice.roll(0.5, 0.95),
        );
        tree(svg, dice, x, 720.0, s, near);
    }
}

fn village(svg: &mut String, dice: &mut Dice, near: &str, light: &str) {
    for i in 0..9 {
        let (x, w, h) = (
            f64::from(i) * 118.0 - 20.0,
            dice.roll(70.0, 110.0),
            dice.roll(70.0, 190.0),
        );
        let top = 690.0 - h;
        add(
            svg,
            format_args!(
                r#"<path fill="{near}" d="M{x:.0} 700 V{top:.0} l-8 0 L{:.0} {:.0} L{:.0} {top:.0} h-8 V700 Z"/>"#,
                x + w / 2.0,
                top - dice.roll(30.0, 110.0),
                x + w + 8.0
            ),
        );
        add(
            svg,
            format_args!(
                r#"<rect x="{:.0}" y="{:.0}" width="16" height="22" fill="{light}"/>"#,
                x + w * dice.roll(0.2, 0.6),
                top + dice.roll(12.0, 40.0)
            ),
        );
    }
}

fn tree(svg: &mut String, dice: &mut Dice, x: f64, y: f64, s: f64, colour: &str) {
    let lean = dice.roll(-8.0, 8.0);
    add(
        svg,
        format_args!(
            r#"<g transform="translate({x:.0} {y:.0}) rotate({lean:.0}) scale({s:.2})" stroke="{colour}" fill="none" stroke-linecap="round"><path stroke-width="26" d="M0 20 C-12 -80 10 -140 0 -230"/><path stroke-width="13" d="M-2 -130 C-40 -180 -80 -190 -110 -260 M2 -170 C40 -210 70 -220 96 -300 M0 -220 C-10 -280 -40 -310 -46 -370 M0 -220 C16 -270 40 -300 44 -350"/><path stroke-width="6" d="M-70 -205 C-100 -215 -130 -214 -150 -232 M-96 -236 C-92 -270 -104 -290 -100 -310 M62 -226 C96 -236 120 -236 138 -258 M86 -270 C82 -300 90 -318 84 -336 M-30 -310 C-54 -326 -66 -340 -88 -346 M30 -300 C54 -312 66 -330 84 -336"/></g>"#
        ),
    );
}

fn pumpkin(light: &str) -> String {
    format!(
        r##"<ellipse rx="96" ry="74" fill="#c4520f"/><ellipse rx="62" ry="74" fill="#e06a14"/><ellipse rx="28" ry="74" fill="#f08a2a"/><path d="M-8 -70 C-10 -96 8 -100 20 -108 L28 -94 C14 -90 12 -82 12 -70 Z" fill="#3f5a1c"/><path fill="{light}" stroke="#5a2206" stroke-width="4" d="M-46 -12 L-30 -40 L-14 -12 Z M14 -12 L30 -40 L46 -12 Z M-50 16 L-30 24 L-20 14 L-8 26 L4 14 L16 26 L28 14 L50 16 C34 52 -34 52 -50 16 Z"/>"##
    )
}

/// What the day is about, come alive: a body by the day's words, then eyes, a grin and arms.
fn creature(
    svg: &mut String,
    dice: &mut Dice,
    words: &str,
    name: &str,
    light: &str,
    near: &str,
    moon: &str,
) {
    const BODIES: [(&[&str], &str, &str, &str); 14] = [
        (
            &["cat", "kitten"],
            "#231a33",
            "#0d0916",
            "M-120 150 C-150 20 -130 -60 -110 -90 L-118 -190 L-50 -128 C-20 -140 20 -140 50 -128 L118 -190 L110 -90 C130 -60 150 20 120 150 Z",
        ),
        (
            &["dog", "puppy", "wolf"],
            "#6b4a2f",
            "#3b2616",
            "M-110 150 C-130 40 -130 -40 -100 -90 C-170 -100 -180 20 -160 50 C-140 60 -120 20 -112 -20 M-110 150 C-130 -180 130 -180 110 150 Z M112 -20 C120 20 140 60 160 50 C180 20 170 -100 100 -90 Z",
        ),
        (
            &[
                "coffee",
                "tea",
                "cocoa",
                "cappuccino",
                "espresso",
                "latte",
                "mug",
            ],
            "#e8dcc8",
            "#8a7558",
            "M-130 -110 H120 V100 C120 150 -130 150 -130 100 Z M120 -70 C210 -80 210 70 120 60 L120 30 C170 36 170 -46 120 -40 Z",
        ),
        (
            &["cake", "cupcake", "pie", "torte", "pudding", "brownie"],
            "#a65a76",
            "#5c2440",
            "M-130 150 L-150 -20 C-180 -80 -110 -120 -90 -110 C-80 -170 -20 -180 0 -150 C20 -180 80 -170 90 -110 C110 -120 180 -80 150 -20 L130 150 Z",
        ),
        (
            &[
                "book",
                "read",
                "author",
                "library",
                "dictionary",
                "novel",
                "writing",
            ],
            "#7a2f2f",
            "#3b1212",
            "M-150 -130 H110 C140 -130 150 -110 150 -90 V150 H-120 C-150 150 -150 110 -150 100 Z M-130 110 H140 V134 H-130 Z",
        ),
        (
            &[
                "candy",
                "lollipop",
                "chocolate",
                "fudge",
                "caramel",
                "toffee",
                "taffy",
            ],
            "#d94b3d",
            "#7a1a1a",
            "M-90 0 L-190 -70 L-180 0 L-190 70 Z M90 0 L190 -70 L180 0 L190 70 Z M-110 0 A110 110 0 1 1 110 0 A110 110 0 1 1 -110 0 Z",
        ),
        (
            &[
                "cookie", "biscuit", "doughnut", "donut", "bagel", "pizza", "pancake", "waffle",
                "bread",
            ],
            "#c98a46",
            "#6b4216",
            "M-150 0 A150 150 0 1 1 150 0 A150 150 0 1 1 -150 0 Z",
        ),
        (
            &[
                "wine",
                "beer",
                "vodka",
                "rum",
                "whisky",
                "potion",
                "soda",
                "juice",
                "milk",
                "eggnog",
                "champagne",
                "water",
            ],
            "#2f7a4a",
            "#143a22",
            "M-40 -190 H40 V-100 C110 -70 120 0 120 60 V110 C120 160 -120 160 -120 110 V60 C-120 0 -110 -70 -40 -100 Z",
        ),
        (
            &["snow", "ice", "winter", "frost"],
            "#e9f2fb",
            "#8fa6c4",
            "M-60 -120 A70 70 0 1 1 60 -120 C150 -90 150 10 110 40 C200 90 150 170 90 170 H-90 C-150 170 -200 90 -110 40 C-150 10 -150 -90 -60 -120 Z",
        ),
        (
            &["pumpkin", "halloween", "squash"],
            "#e06a14",
            "#6b2a06",
            "M-30 -110 C-20 -170 20 -190 50 -190 L60 -160 C36 -156 30 -140 34 -112 C180 -120 200 150 60 150 C20 165 -20 165 -60 150 C-200 150 -180 -120 -30 -110 Z",
        ),
        (
            &[
                "music", "guitar", "piano", "song", "jazz", "opera", "dance", "disco", "vinyl",
                "radio",
            ],
            "#2a2a3a",
            "#0c0c16",
            "M-170 0 A170 170 0 1 1 170 0 A170 170 0 1 1 -170 0 Z M-12 80 A12 12 0 1 0 12 80 A12 12 0 1 0 -12 80 Z",
        ),
        (
            &[
                "hat", "cap", "sock", "shoe", "sweater", "mitten", "button", "umbrella",
            ],
            "#3a2452",
            "#1a0d2a",
            "M-190 130 C-120 90 -100 90 -80 90 C-70 0 -30 -90 40 -200 C30 -130 70 -20 80 90 C100 90 120 90 190 130 C120 175 -120 175 -190 130 Z",
        ),
        (
            &[
                "apple",
                "pear",
                "orange",
                "cherry",
                "tomato",
                "potato",
                "nut",
                "corn",
                "fruit",
                "onion",
                "cranberry",
                "bean",
            ],
            "#9c2430",
            "#4a0c14",
            "M0 -96 C10 -150 40 -170 60 -176 L66 -156 C44 -148 26 -130 22 -98 C170 -140 190 130 50 160 C20 150 -20 150 -50 160 C-190 130 -170 -140 0 -96 Z",
        ),
        (
            &[
                "robot",
                "computer",
                "phone",
                "vcr",
                "television",
                "camera",
                "video",
                "science",
            ],
            "#5f6f7f",
            "#2a343e",
            "M-150 -110 H-40 L-70 -180 H-50 L-16 -110 H16 L50 -180 H70 L40 -110 H150 V140 H-150 Z",
        ),
    ];
    let has = |text: &str, keys: &[&str]| {
        text.split(|c: char| !c.is_alphanumeric()).any(|word| {
            keys.iter().any(|key| {
                word == *key
                    || word.strip_suffix('s') == Some(key)
                    || word.strip_suffix("es") == Some(key)
            })
        })
    };
    // The name counts more than the scene around it.
    let body = BODIES
        .iter()
        .find(|(keys, ..)| has(name, keys))
        .or_else(|| BODIES.iter().find(|(keys, ..)| has(words, keys)));
    let (fill, edge, path, opacity) = match body {
        Some((_, fill, edge, path)) => (*fill, *edge, *path, 1.0),
        // A ghost goes with everything.
        None => (
            moon,
            near,
            "M-120 170 C-140 20 -130 -180 0 -180 C130 -180 140 20 120 170 C95 130 75 130 60 165 C40 130 20 130 0 165 C-20 130 -40 130 -60 165 C-75 130 -95 130 -120 170 Z",
            0.93,
        ),
    };
    let (s, tilt) = (dice.roll(1.05, 1.25), dice.roll(-6.0, 6.0));
    add(
        svg,
        format_args!(
            r##"<ellipse cx="512" cy="800" rx="210" ry="26" fill="#000" opacity=".45"/><g transform="translate(512 610) rotate({tilt:.0}) scale({s:.2})">"##
        ),
    );
    add(
        svg,
        format_args!(
            r#"<g stroke="{edge}" stroke-width="14" stroke-linecap="round" fill="none"><path d="M-118 40 C-190 30 -210 -20 -230 -70 m0 0 l-24 -14 m24 14 l-4 -30 m4 30 l20 -20"/><path d="M118 40 C190 30 210 -20 230 -70 m0 0 l24 -14 m-24 14 l4 -30 m-4 30 l-20 -20"/></g>"#
        ),
    );
    add(
        svg,
        format_args!(
            r##"<path d="{path}" fill="{fill}" stroke="{edge}" stroke-width="9" stroke-linejoin="round" opacity="{opacity}"/><path d="M-92 -40 C-80 -78 -52 -90 -30 -92" fill="none" stroke="#fff" stroke-width="9" stroke-linecap="round" opacity=".35"/>"##
        ),
    );
    let (ex, er) = (dice.roll(40.0, 54.0), dice.roll(26.0, 36.0));
    for side in [-1.0, 1.0] {
        let r = er * dice.roll(0.85, 1.15);
        add(
            svg,
            format_args!(
                r##"<circle cx="{:.0}" cy="-22" r="{r:.0}" fill="{light}" stroke="{edge}" stroke-width="7"/><ellipse cx="{:.0}" cy="-16" rx="{:.0}" ry="{:.0}" fill="#120616"/>"##,
                side * ex,
                side * ex - side * 5.0,
                r * 0.32,
                r * 0.62
            ),
        );
    }
    match dice.roll(0.0, 3.0) as u32 {
        0 => add(
            svg,
            format_args!(
                r##"<path d="M-72 46 C-40 66 40 66 72 46 C60 112 -60 112 -72 46 Z" fill="#210812" stroke="{edge}" stroke-width="5"/><path d="M-50 55 l9 26 l12 -22 Z M50 55 l-9 26 l-12 -22 Z" fill="#fff"/>"##
            ),
        ),
        1 => add(
            svg,
            format_args!(
                r##"<ellipse cy="74" rx="34" ry="40" fill="#210812" stroke="{edge}" stroke-width="5"/><ellipse cy="94" rx="20" ry="15" fill="#c2415a"/>"##
            ),
        ),
        _ => add(
            svg,
            format_args!(
                r##"<path d="M-78 48 L-52 74 L-30 54 L-8 78 L14 54 L36 76 L56 54 L78 48 C62 106 -62 106 -78 48 Z" fill="#210812" stroke="{edge}" stroke-width="5"/>"##
            ),
        ),
    }
    svg.push_str("</g>");
}

fn lettering(svg: &mut String, name: &str, letters: &str, near: &str) {
    let lines = wrapped(name);
    let longest = lines
        .iter()
        .map(|line| line.chars().count())
        .max()
        .unwrap_or(1) as f64;
    let size = (1900.0 / longest)
        .min(280.0 / lines.len() as f64)
        .clamp(44.0, 118.0);
    let top = 985.0 - size * 1.02 * (lines.len() as f64 - 1.0);
    add(
        svg,
        format_args!(
            r#"<rect y="{:.0}" width="1024" height="{:.0}" fill="url(#night)"/>"#,
            top - size * 1.5,
            1024.0 - top + size * 1.5
        ),
    );
    for (i, line) in lines.iter().enumerate() {
        let y = top + size * 1.02 * i as f64;
        let text = line
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        add(
            svg,
            format_args!(
                r#"<text x="512" y="{y:.0}" text-anchor="middle" font-family="Creepster" font-size="{size:.0}" fill="{letters}" stroke="{near}" stroke-width="{:.1}" paint-order="stroke" letter-spacing="2">{text}</text>"#,
                size / 9.0
            ),
        );
    }
}

/// At most three lines of similar length.
fn wrapped(name: &str) -> Vec<String> {
    let words: Vec<&str> = name.split_whitespace().collect();
    let length = name.chars().count();
    let goal = match length {
        0..=18 => length,
        19..=44 => length / 2 + 2,
        _ => length / 3 + 3,
    };
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < goal.max(1) + 1 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn add(svg: &mut String, part: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = svg.write_fmt(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_prompt_gives_the_same_picture_and_another_one_another() {
        let prompt = |day: &str| format!("Spooky.\nThe day: {day}.\nScene: a haunted pantry.\n");
        let one = paint(&prompt("National Candy Corn Day"), 256, 256).unwrap();
        assert_eq!(
            one,
            paint(&prompt("National Candy Corn Day"), 256, 256).unwrap()
        );
        assert_ne!(one, paint(&prompt("National Cat Day"), 256, 256).unwrap());
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
