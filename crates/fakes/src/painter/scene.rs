//! The scene of a prompt as one SVG: picks the files of this folder, places them, and colors them by their classes.

use std::f64::consts::TAU;

use sha2::{Digest, Sha256};

macro_rules! svg {
    ($name:literal) => {
        include_str!(concat!($name, ".svg"))
    };
}

/// The colors of [`COLORS`], in their order.
const PALETTES: [&str; 6] = [
    "#120a2a #e0592a #ffe9b0 #3a1840 #160a1c #ffb52e #ff9a1f",
    "#03121f #1f7a78 #dffcf2 #0d3640 #04141a #a6ff4d #b4ff5a",
    "#1b0630 #8d2bb0 #ffe3ff #3c1160 #150522 #ffd23f #f7c8ff",
    "#0a0f24 #34508f #f4f4e4 #1b2a55 #080c1a #ffcf5c #dfe9ff",
    "#1d0508 #b3202a #ffdcc2 #45101a #16050a #ff7a3c #ff5a48",
    "#07140a #6f8f1f #fbffce #20401c #08160a #ffe04a #e4ff6a",
];

/// Sky above, sky below, moon, far hills, near hills, lights, lettering.
const COLORS: [&str; 7] = ["sky", "glow", "moon", "far", "near", "light", "letters"];

/// The `<desc>` of each lists the words that call for it.
const CREATURES: [&str; 14] = [
    svg!("creatures/cat"),
    svg!("creatures/dog"),
    svg!("creatures/mug"),
    svg!("creatures/cake"),
    svg!("creatures/book"),
    svg!("creatures/candy"),
    svg!("creatures/cookie"),
    svg!("creatures/bottle"),
    svg!("creatures/snowman"),
    svg!("creatures/pumpkin"),
    svg!("creatures/record"),
    svg!("creatures/hat"),
    svg!("creatures/apple"),
    svg!("creatures/robot"),
];

const MOUTHS: [&str; 3] = [
    svg!("mouths/grin"),
    svg!("mouths/gasp"),
    svg!("mouths/zigzag"),
];

/// A night scene of 1024 by 1024: the observance's name in lettering, a creature that fits it, and a place.
pub(super) fn scene(prompt: &str) -> String {
    let mut dice = Dice::of(prompt);
    let name = name(prompt);
    let style = stylesheet(dice.pick(&PALETTES));
    // From back to front. Each layer rolls the dice, so their order decides what a prompt looks like.
    let layers = [
        svg!("sky").to_owned(),
        stars(&mut dice),
        moon_and_bats(&mut dice),
        hills(&mut dice, "far", 600.0, 90.0),
        place(&mut dice),
        svg!("fog").to_owned(),
        hills(&mut dice, "near", 740.0, 40.0),
        tree(&mut dice, [70.0, 800.0], 1.25),
        tree(&mut dice, [960.0, 800.0], 1.1),
        svg!("lamp").to_owned(),
        creature(&mut dice, &name, prompt),
        pumpkins(&mut dice),
        lettering(&name),
    ];
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="1024" height="1024"><style>{style}</style>{}</svg>"#,
        layers.concat()
    )
}

/// The observance's name: what follows "The day:", or is between quotation marks, or else the beginning.
pub(super) fn name(prompt: &str) -> String {
    let of_line = prompt
        .lines()
        .find_map(|line| line.trim().strip_prefix("The day:"))
        .map(|line| line.trim().trim_end_matches('.'));
    let quoted = || prompt.split('"').nth(1);
    let name = of_line.or_else(quoted).unwrap_or(prompt);
    name.chars().filter(|c| !c.is_control()).take(80).collect()
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

    fn rolls<const N: usize>(&mut self, ranges: [(f64, f64); N]) -> [f64; N] {
        ranges.map(|(low, high)| self.roll(low, high))
    }

    fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.roll(0.0, values.len() as f64) as usize]
    }
}

/// Rules take precedence over the attributes of the files, which show the first palette.
fn stylesheet(palette: &str) -> String {
    let rule = |(class, color)| {
        format!(
            ".{class}{{fill:{color};stop-color:{color}}}.{class}-line{{stroke:{color}}}.{class}-color{{color:{color}}}"
        )
    };
    let colors = COLORS.into_iter().zip(palette.split(' '));
    colors.map(rule).collect()
}

/// A part with its origin at a point, turned by degrees and scaled.
fn placed(part: &str, [x, y]: [f64; 2], tilt: f64, [sx, sy]: [f64; 2]) -> String {
    format!(
        r#"<g transform="translate({x:.0} {y:.0}) rotate({tilt:.0}) scale({sx:.3} {sy:.3})">{part}</g>"#
    )
}

fn circle(class: &str, [x, y, r]: [f64; 3], opacity: f64) -> String {
    format!(
        r#"<circle class="{class}" cx="{x:.0}" cy="{y:.0}" r="{r:.1}" opacity="{opacity:.2}"/>"#
    )
}

fn stars(dice: &mut Dice) -> String {
    let star = |_| {
        let [x, y, r, light] = dice.rolls([(0.0, 1024.0), (0.0, 520.0), (0.6, 2.4), (0.25, 0.95)]);
        circle("moon", [x, y, r], light)
    };
    (0..90).map(star).collect()
}

fn moon_and_bats(dice: &mut Dice) -> String {
    let [x, y, r] = dice.rolls([(180.0, 844.0), (150.0, 290.0), (85.0, 140.0)]);
    let mut sky = placed(svg!("moon"), [x, y], 0.0, [r / 100.0; 2]);
    for _ in 0..6 {
        let [angle, distance, size] = dice.rolls([(0.0, TAU), (0.1, 0.75), (0.05, 0.16)]);
        let (dx, dy) = (angle.cos() * distance * r, angle.sin() * distance * r);
        sky += &circle("glow", [x + dx, y + dy, size * r], 0.18);
    }
    for _ in 0..dice.roll(4.0, 10.0) as u32 {
        let [dx, dy, scale] = dice.rolls([(-360.0, 360.0), (-110.0, 170.0), (0.5, 1.4)]);
        sky += &placed(svg!("bat"), [x + dx, y + dy], 0.0, [scale; 2]);
    }
    sky
}

fn hills(dice: &mut Dice, class: &str, y: f64, rise: f64) -> String {
    let hill = |x: f64| {
        let [up, down] = dice.rolls([(0.0, rise * 2.0), (-rise, rise)]);
        let (left, right, end) = (x + 85.0, x + 170.0, x + 256.0);
        format!(" C{left} {:.0} {right} {:.0} {end} {y}", y - up, y + down)
    };
    let ridge = [0.0, 256.0, 512.0, 768.0].map(hill).concat();
    format!(r#"<path class="{class}" d="M0 1024 V{y}{ridge} V1024 Z"/>"#)
}

fn place(dice: &mut Dice) -> String {
    match dice.roll(0.0, 4.0) as u32 {
        0 => house(dice),
        1 => graves(dice),
        2 => forest(dice),
        _ => village(dice),
    }
}

fn house(dice: &mut Dice) -> String {
    let x = dice.pick(&[150.0, 690.0]);
    let is_dark = |_: &u32| dice.roll(0.0, 1.0) >= 0.8;
    let dark: String = (0..5)
        .filter(is_dark)
        .map(|window| format!(".window-{window}{{display:none}}"))
        .collect();
    let house = placed(svg!("house"), [x, 380.0], 0.0, [1.0; 2]);
    format!("<style>{dark}</style>{house}")
}

fn graves(dice: &mut Dice) -> String {
    const STONES: [&str; 3] = [svg!("gravestone"), svg!("cross"), svg!("gravestone")];
    let grave = |i: usize| {
        let [dx, scale, tilt] = dice.rolls([(-25.0, 25.0), (0.7, 1.25), (-10.0, 10.0)]);
        let x = 60.0 + i as f64 * 145.0 + dx;
        placed(STONES[i % 3], [x, 690.0], tilt, [scale; 2])
    };
    (0..7).map(grave).collect()
}

fn forest(dice: &mut Dice) -> String {
    let one = |i: u32| {
        let [dx, scale] = dice.rolls([(-40.0, 40.0), (0.5, 0.95)]);
        tree(dice, [40.0 + f64::from(i) * 135.0 + dx, 720.0], scale)
    };
    (0..8).map(one).collect()
}

fn tree(dice: &mut Dice, place: [f64; 2], scale: f64) -> String {
    placed(svg!("tree"), place, dice.roll(-8.0, 8.0), [scale; 2])
}

fn village(dice: &mut Dice) -> String {
    let cottage = |i: u32| {
        let x = f64::from(i) * 118.0 - 20.0;
        let (width, height) = (dice.roll(70.0, 110.0), dice.roll(70.0, 190.0));
        let (top, middle, right) = (690.0 - height, x + width / 2.0, x + width + 8.0);
        let roof = top - dice.roll(30.0, 110.0);
        let (wx, wy) = (x + width * dice.roll(0.2, 0.6), top + dice.roll(12.0, 40.0));
        format!(
            r#"<path class="near" d="M{x:.0} 700 V{top:.0} l-8 0 L{middle:.0} {roof:.0} L{right:.0} {top:.0} h-8 V700 Z"/><rect class="light" x="{wx:.0}" y="{wy:.0}" width="16" height="22"/>"#
        )
    };
    (0..9).map(cottage).collect()
}

/// The observance's subject, come alive: its file draws the body and uses `#arms` and `#face`.
fn creature(dice: &mut Dice, name: &str, prompt: &str) -> String {
    let [scale, tilt] = dice.rolls([(1.05, 1.25), (-6.0, 6.0)]);
    let (arms, face) = (svg!("arms"), face(dice));
    let creature = placed(body(name, prompt), [512.0, 610.0], tilt, [scale; 2]);
    format!(
        r#"<defs><g id="arms">{arms}</g><g id="face">{face}</g></defs><ellipse cx="512" cy="800" rx="210" ry="26" opacity=".45"/>{creature}"#
    )
}

pub(super) fn body(name: &str, prompt: &str) -> &'static str {
    let called_by = |text: &str| {
        let text = text.to_lowercase();
        let mut creatures = CREATURES.into_iter();
        creatures.find(|creature| is_called_by(creature, &text))
    };
    // The name counts more than the scene around it. A ghost goes with everything.
    let called = called_by(name).or_else(|| called_by(prompt));
    called.unwrap_or(svg!("creatures/ghost"))
}

fn is_called_by(creature: &str, text: &str) -> bool {
    let (_, rest) = creature.split_once("<desc>").unwrap_or_default();
    let (calls, _) = rest.split_once("</desc>").unwrap_or_default();
    let is_call = |word: &str| calls.split(' ').any(|call| call == word);
    text.split(|c: char| !c.is_alphanumeric()).any(|word| {
        let singulars = ["", "s", "es"].map(|ending| word.strip_suffix(ending));
        singulars.into_iter().flatten().any(is_call)
    })
}

fn face(dice: &mut Dice) -> String {
    let [x, r] = dice.rolls([(40.0, 54.0), (26.0, 36.0)]);
    // Both pupils look at the nose.
    let eyes = [-1.0, 1.0].map(|side| {
        let scale = r * dice.roll(0.85, 1.15) / 100.0;
        placed(svg!("eye"), [side * x, -22.0], 0.0, [side * scale, scale])
    });
    svg!("shine").to_owned() + &eyes.concat() + dice.pick(&MOUTHS)
}

fn pumpkins(dice: &mut Dice) -> String {
    let pumpkins = [(190.0, 1.0), (835.0, -1.0)].map(|(x, side)| {
        let scale = dice.roll(0.55, 0.85);
        placed(svg!("pumpkin"), [x, 800.0], 0.0, [side * scale, scale])
    });
    pumpkins.concat()
}

fn lettering(name: &str) -> String {
    let lines = wrapped(name);
    let lengths = lines.iter().map(|line| line.chars().count());
    let (longest, count) = (lengths.max().unwrap_or(1) as f64, lines.len() as f64);
    let size = (1900.0 / longest).min(280.0 / count).clamp(44.0, 118.0);
    let top = 985.0 - size * 1.02 * (count - 1.0);
    let shade = top - size * 1.5;
    let shade = placed(
        svg!("night"),
        [0.0, shade],
        0.0,
        [1.0, (1024.0 - shade) / 100.0],
    );
    let line = |(i, line): (usize, &String)| {
        let (y, edge) = (top + size * 1.02 * i as f64, size / 9.0);
        let text = line
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        format!(
            r#"<text x="512" y="{y:.0}" class="letters near-line" font-family="Creepster" font-size="{size:.0}" text-anchor="middle" letter-spacing="2" stroke-width="{edge:.1}" paint-order="stroke">{text}</text>"#
        )
    };
    shade + &lines.iter().enumerate().map(line).collect::<String>()
}

/// At most three lines of similar length.
fn wrapped(name: &str) -> Vec<String> {
    let length = name.chars().count();
    let goal = match length {
        0..=18 => length,
        19..=44 => length / 2 + 2,
        _ => length / 3 + 3,
    };
    let mut lines: Vec<String> = Vec::new();
    for word in name.split_whitespace() {
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
