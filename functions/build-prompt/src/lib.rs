#![doc = include_str!("../README.md")]

use bot_files::{Voice, fill, subject};
use jiff::civil::Date;
use lambda_function::UnreadableInput;
use post_text::{CaptionProblem, MAX_ALT_TEXT, check_alt_text, check_caption};
use serde::{Deserialize, Serialize};

/// The most of an approver's note that goes into a prompt, in characters.
const MAX_NOTE: usize = 1000;

/// The longest hashtag of an observance's name that is still readable, in characters.
const MAX_DAY_HASHTAG: usize = 30;

/// The post, as far as its texts depend on it.
///
/// Every field has a default, so that a missing one is an [`Error::InvalidInput`] that names it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Input {
    /// The post, `bot/date/slot`; what a dry run has after that does not change the texts.
    pub post: String,
    /// Its date.
    pub date: String,
    /// The observance's name.
    pub name: String,
    /// What the picture shows.
    pub scene: Option<String>,
    /// The caption, if the calendar gives one.
    pub caption: Option<String>,
    /// The bot's voice.
    pub voice: Voice,
    /// How often a prompt was rejected already: 0, 1 or 2.
    pub softness: Option<u32>,
    /// Which variation this is, from 1.
    pub round: Option<u32>,
    /// What the approver asked for.
    pub note: Option<String>,
}

/// The texts of a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// What the image model is asked for.
    pub prompt: String,
    /// The text of the tweet.
    pub caption: String,
    /// What the picture shows, for readers who do not see it.
    pub alt_text: String,
}

/// Writes the texts of a post.
pub fn build_prompt(input: &Input) -> Result<Output, Error> {
    let variation = Variation::of(input)?;
    let voice = checked(&input.voice)?;
    let level = match voice.softness.get(variation.softness) {
        Some(level) => level,
        None => {
            return Err(invalid(
                "voice.softness",
                format!("has no level {}", variation.softness),
            ));
        }
    };
    let style = variation.choose("style", &voice.styles);
    let scene = scene(input, &variation, &level.scenes);
    Ok(Output {
        prompt: prompt(input, &variation, &scene, style, &level.mood),
        caption: caption(input, &variation)?,
        alt_text: alt_text(input, &variation, &scene, style)?,
    })
}

/// Why there are no texts.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
pub enum Error {
    /// No caption for this observance can be posted.
    #[error("no caption for \"{name}\" can be posted: {reason}")]
    CaptionRejected {
        /// The observance's name.
        name: String,
        /// What is wrong with the caption that was given, or with the first one tried.
        reason: CaptionProblem,
    },
    /// A field of the input is missing or invalid.
    #[error("the input's {field} {problem}")]
    InvalidInput {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

lambda_function::function_error!(Error {});

impl From<UnreadableInput> for Error {
    fn from(error: UnreadableInput) -> Error {
        invalid("JSON", format!("cannot be read: {}", error.0))
    }
}

/// The position of a post in the sequence of posts, which selects everything that varies.
struct Variation {
    bot: String,
    /// Grows by one from date to date, slot to slot and round to round.
    step: usize,
    softness: usize,
}

impl Variation {
    fn of(input: &Input) -> Result<Variation, Error> {
        let date: Date = input.date.parse().map_err(|_| {
            invalid(
                "date",
                format!("is \"{}\", not a date like 2026-10-31", input.date),
            )
        })?;
        let parts: Vec<&str> = input.post.split('/').collect();
        let (bot, slot) = match parts.as_slice() {
            [bot, day, slot] | [bot, day, slot, _] if !bot.is_empty() && *day == input.date => {
                (*bot, slot.parse::<u32>().unwrap_or_default())
            }
            _ => ("", 0),
        };
        if slot == 0 {
            let example = format!("spooky-days/{date}/1");
            return Err(invalid(
                "post",
                format!(
                    "is \"{}\", not bot, date and slot like {example}",
                    input.post
                ),
            ));
        }
        if input.name.trim().is_empty() {
            return Err(invalid("name", "is missing"));
        }
        let round = input.round.unwrap_or(1);
        if round == 0 {
            return Err(invalid("round", "is 0; rounds are counted from 1"));
        }
        let softness = input.softness.unwrap_or(0);
        if softness > 2 {
            return Err(invalid(
                "softness",
                format!("is {softness}; there are 0, 1 and 2"),
            ));
        }
        let days = date.duration_since(Date::ZERO).as_hours() / 24;
        let step = days + i64::from(slot - 1) + i64::from(round - 1);
        Ok(Variation {
            bot: bot.to_owned(),
            step: usize::try_from(step).map_err(|_| invalid("date", "is before the year 0"))?,
            softness: softness as usize,
        })
    }

    /// The index into a list of this length: neighbors never share one, and the whole list is used before one repeats.
    ///
    /// Lists of different lengths, or with different labels, are out of step, so that the combinations differ, too.
    fn index(&self, label: &str, length: usize) -> usize {
        let start = fnv1a(&[&self.bot, label]) % length.max(1);
        // About the golden ratio, so that one step goes far, and coprime, so that all indices are reached.
        let stride = (length * 3 / 8).max(1);
        let stride = (stride..=length)
            .find(|stride| gcd(*stride, length) == 1)
            .unwrap_or(1);
        (start + self.step % length.max(1) * stride) % length.max(1)
    }

    fn choose<'a>(&self, label: &str, list: &'a [String]) -> &'a str {
        list.get(self.index(label, list.len()))
            .map_or("", String::as_str)
    }
}

fn checked(voice: &Voice) -> Result<&Voice, Error> {
    for (field, is_empty) in [
        ("voice.brief", voice.brief.is_empty()),
        ("voice.avoid", voice.avoid.is_empty()),
        ("voice.scenes", voice.scenes.is_empty()),
        ("voice.styles", voice.styles.is_empty()),
        ("voice.lighting", voice.lighting.is_empty()),
        ("voice.palettes", voice.palettes.is_empty()),
        ("voice.compositions", voice.compositions.is_empty()),
        ("voice.captions", voice.captions.is_empty()),
        ("voice.altTexts", voice.alt_texts.is_empty()),
    ] {
        if is_empty {
            return Err(invalid(field, "is missing"));
        }
    }
    Ok(voice)
}

/// The prompt: one labeled line for each part.
fn prompt(input: &Input, variation: &Variation, scene: &str, style: &str, mood: &str) -> String {
    let voice = &input.voice;
    let mut prompt = format!(
        "{}\nThe day: {}.\nScene: {}.\n",
        voice.brief,
        sentence(&input.name),
        sentence(scene)
    );
    for (label, text) in [
        ("Art style", style),
        ("Lighting", variation.choose("lighting", &voice.lighting)),
        ("Palette", variation.choose("palette", &voice.palettes)),
        (
            "Composition",
            variation.choose("composition", &voice.compositions),
        ),
        ("Mood", mood),
    ] {
        prompt.push_str(&format!("{label}: {}.\n", sentence(text)));
    }
    if let Some(note) = note(input) {
        prompt.push_str(&format!(
            "Above all, the person who commissioned it asks for this: {}.\n",
            sentence(&note)
        ));
    }
    prompt.push_str(&voice.avoid);
    prompt
}

/// What the picture shows: a softer scene of the voice, that of the calendar, or one of the voice for any observance.
fn scene(input: &Input, variation: &Variation, softer: &[String]) -> String {
    let own = input
        .scene
        .as_deref()
        .filter(|scene| !scene.trim().is_empty());
    let template = match own {
        _ if !softer.is_empty() => variation.choose("softer scene", softer),
        Some(scene) => return scene.trim().to_owned(),
        None => variation.choose("scene", &input.voice.scenes),
    };
    fill(
        template,
        &[("name", &input.name), ("subject", subject(&input.name))],
    )
}

/// The approver's note on one line, without the full stop.
fn note(input: &Input) -> Option<String> {
    let words: Vec<&str> = input.note.as_deref()?.split_whitespace().collect();
    let note: String = words.join(" ").chars().take(MAX_NOTE).collect();
    Some(note).filter(|note| !note.is_empty())
}

/// The calendar's caption, or the first template that fits, with as many hashtags as fit.
fn caption(input: &Input, variation: &Variation) -> Result<String, Error> {
    let rejected = |reason| Error::CaptionRejected {
        name: input.name.clone(),
        reason,
    };
    if let Some(caption) = &input.caption {
        return check_caption(caption)
            .map(|()| caption.clone())
            .map_err(rejected);
    }
    let templates = &input.voice.captions;
    let hashtags = hashtags(input, variation);
    let mut first_reason = None;
    let start = variation.index("caption", templates.len());
    let from_here = templates.iter().cycle().skip(start).take(templates.len());
    // Templates that repeat a word of the name come last: they are better than none.
    let (suiting, stumbling): (Vec<&String>, Vec<&String>) =
        from_here.partition(|template| Voice::suits(template, &input.name));
    for template in suiting.into_iter().chain(stumbling) {
        for count in (0..=hashtags.len()).rev() {
            let hashtags: Vec<&str> = hashtags.iter().take(count).map(String::as_str).collect();
            let caption = Voice::caption(template, &input.name, &hashtags);
            match check_caption(&caption) {
                Ok(()) => return Ok(caption),
                Err(reason) => first_reason.get_or_insert(reason),
            };
        }
    }
    Err(rejected(first_reason.unwrap_or(CaptionProblem::Empty)))
}

/// The observance's hashtag, then those of the voice, up to the voice's limit.
fn hashtags(input: &Input, variation: &Variation) -> Vec<String> {
    let voice = &input.voice;
    let start = variation.index("hashtag", voice.hashtags.len());
    let others = voice
        .hashtags
        .iter()
        .cycle()
        .skip(start)
        .take(voice.hashtags.len())
        .cloned();
    day_hashtag(&input.name)
        .into_iter()
        .chain(others)
        .take(voice.hashtags_per_caption)
        .collect()
}

/// `#NationalPumpkinDay`, unless it would be too long to read.
fn day_hashtag(name: &str) -> Option<String> {
    let mut hashtag = String::from("#");
    for word in name.split(|c: char| !c.is_alphanumeric() && !matches!(c, '\'' | '’' | '.')) {
        let mut letters = word.chars().filter(|c| c.is_alphanumeric());
        hashtag.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        hashtag.extend(letters);
    }
    let readable =
        hashtag.chars().count() <= MAX_DAY_HASHTAG && hashtag.chars().any(char::is_alphabetic);
    readable.then_some(hashtag)
}

fn alt_text(
    input: &Input,
    variation: &Variation,
    scene: &str,
    style: &str,
) -> Result<String, Error> {
    let template = variation.choose("alt text", &input.voice.alt_texts);
    let values = [
        ("name", input.name.as_str()),
        ("scene", sentence(scene)),
        ("style", sentence(style)),
    ];
    let mut text = capitalized(&fill(template, &values));
    if check_alt_text(&text).is_err() {
        text = capitalized(sentence(scene));
    }
    // A scene that is too long is cut where a word ends.
    while check_alt_text(&text).is_err() && !text.is_empty() {
        let end = text
            .char_indices()
            .nth(MAX_ALT_TEXT - 1)
            .map_or(text.len(), |(at, _)| at);
        let cut = text[..end]
            .trim_end_matches('…')
            .rsplit_once(' ')
            .map(|(head, _)| head.len());
        text.truncate(cut.unwrap_or_default());
        text.push('…');
    }
    Ok(text)
}

/// A text without its final punctuation, which the templates add.
fn sentence(text: &str) -> &str {
    text.trim().trim_end_matches(['.', ' '])
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    first + chars.as_str()
}

/// A hash that stays the same from one build to the next, which the standard library's does not promise.
fn fnv1a(parts: &[&str]) -> usize {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // The low bits of the product are the weak ones.
    usize::try_from(hash >> 33).unwrap_or_default()
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn invalid(field: &'static str, problem: impl Into<String>) -> Error {
    Error::InvalidInput {
        field,
        problem: problem.into(),
    }
}
