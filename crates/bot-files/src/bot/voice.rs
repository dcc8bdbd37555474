//! `[voice]`: what the bot sounds and looks like.

use serde::{Deserialize, Serialize};

use crate::{
    templates::{self, Placeholders, fill, subject},
    toml_reader::{Reader, Section, Value},
};

/// What the state data may carry of a bot's voice, in bytes of JSON.
const MAX_VOICE: usize = 8 * 1024;

/// The state machine softens a prompt to the levels 0, 1 and 2.
const SOFTNESS_LEVELS: usize = 3;

const KEYS: [&str; 12] = [
    "brief",
    "avoid",
    "scenes",
    "styles",
    "lighting",
    "palettes",
    "compositions",
    "softness",
    "captions",
    "hashtags",
    "hashtags_per_caption",
    "alt_texts",
];

/// What the bot sounds and looks like: all that `build-prompt` needs beside the observance.
///
/// It travels in the state data as `day.voice`, so it must stay a few KB.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Voice {
    /// What every prompt asks for, before the scene.
    pub brief: String,
    /// What no picture may show, as a sentence of the prompt.
    pub avoid: String,
    /// Scenes for observances without one; `{subject}` is what the observance is about.
    pub scenes: Vec<String>,
    /// Art styles.
    pub styles: Vec<String>,
    /// Kinds of light.
    pub lighting: Vec<String>,
    /// Colors.
    pub palettes: Vec<String>,
    /// Viewpoints and framings.
    pub compositions: Vec<String>,
    /// From as spooky as it gets to as soft as it gets; the level is the state machine's `softness`.
    pub softness: Vec<Softness>,
    /// Captions without hashtags; `{name}` is the observance's name, `{subject}` what it is about.
    pub captions: Vec<String>,
    /// Hashtags, with `#`.
    pub hashtags: Vec<String>,
    /// How many of them a caption gets.
    pub hashtags_per_caption: usize,
    /// Alt texts; `{scene}` is the scene as a sentence, `{style}` the art style, `{name}` the observance's name.
    pub alt_texts: Vec<String>,
}

/// One level of softness.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Softness {
    /// The mood of the picture.
    pub mood: String,
    /// Scenes that replace the observance's scene at this level; empty: the observance's scene stays.
    pub scenes: Vec<String>,
}

impl Voice {
    /// A caption made from one of [`Voice::captions`] for an observance with this name, with these hashtags under it.
    pub fn caption(template: &str, name: &str, hashtags: &[&str]) -> String {
        let values = [("name", name), ("subject", subject(name))];
        let text = fill(template, &values);
        if hashtags.is_empty() {
            text
        } else {
            format!("{text}\n\n{}", hashtags.join(" "))
        }
    }

    /// Whether a template and a name go together: "Happy {name}!" does not suit "Happy Mew Year for Cats Day".
    pub fn suits(template: &str, name: &str) -> bool {
        let bare = |word: &str| {
            word.trim_matches(|c: char| !c.is_alphanumeric())
                .to_lowercase()
        };
        let same = |ours: Option<&str>, theirs: Option<&str>| {
            ours.map(bare)
                .zip(theirs.map(bare))
                .is_some_and(|(ours, theirs)| ours == theirs)
        };
        let first = name.split_whitespace().next();
        let last = name.split_whitespace().last();
        template.match_indices("{name}").all(|(at, placeholder)| {
            let before = template[..at].split_whitespace().last();
            // After a full stop or a colon the same word does not stumble.
            let before = before.filter(|word| word.ends_with(char::is_alphanumeric));
            let after = template[at + placeholder.len()..].strip_prefix(' ');
            let after = after.and_then(|after| after.split_whitespace().next());
            !same(before, first) && !same(after, last)
        })
    }
}

pub(super) fn read<'a>(reader: &mut Reader<'a>, root: Section<'a>) -> Option<Voice> {
    let value = reader.require(root, "voice", "{ … }")?;
    let section = reader.section(value, "[voice]", &KEYS)?;
    let scene = Placeholders::new(&["name", "subject"], &[]);
    let caption = Placeholders::new(&["name", "subject"], &["name"]);
    let alt_text = Placeholders::new(&["name", "scene", "style"], &["name", "scene"]);
    let voice = Voice {
        brief: text(reader, section, "brief", "\"A spooky picture\"")?,
        avoid: text(reader, section, "avoid", "\"No text, no brands, no gore.\"")?,
        scenes: list(reader, section, "scenes", scene),
        styles: list(reader, section, "styles", Placeholders::NONE),
        lighting: list(reader, section, "lighting", Placeholders::NONE),
        palettes: list(reader, section, "palettes", Placeholders::NONE),
        compositions: list(reader, section, "compositions", Placeholders::NONE),
        softness: softness(reader, section, scene),
        captions: list(reader, section, "captions", caption),
        hashtags: hashtags(reader, section),
        hashtags_per_caption: hashtags_per_caption(reader, section),
        alt_texts: list(reader, section, "alt_texts", alt_text),
    };
    let size = serde_json::to_vec(&voice).map_or(0, |json| json.len());
    if size > MAX_VOICE {
        let message = format!(
            "[voice] must be at most {MAX_VOICE} bytes, since every execution carries it (got {size})"
        );
        reader.problem(value.line, message);
    }
    Some(voice)
}

fn text<'a>(
    reader: &mut Reader<'a>,
    section: Section<'a>,
    key: &str,
    example: &str,
) -> Option<String> {
    let value = reader.require(section, key, example)?;
    reader.text(value, key)
}

/// A list of templates that is not empty.
fn list<'a>(
    reader: &mut Reader<'a>,
    section: Section<'a>,
    key: &str,
    placeholders: Placeholders,
) -> Vec<String> {
    match reader.require(section, key, "[\"…\"]") {
        Some(value) => templates::read(reader, value, key, placeholders),
        None => Vec::new(),
    }
}

fn softness<'a>(
    reader: &mut Reader<'a>,
    section: Section<'a>,
    scene: Placeholders,
) -> Vec<Softness> {
    let example = "[{ mood = \"spooky\" }, { mood = \"mild\" }, { mood = \"sweet\" }]";
    let Some(value) = reader.require(section, "softness", example) else {
        return Vec::new();
    };
    let Some(items) = reader.array(value, "softness", "tables with a mood each") else {
        return Vec::new();
    };
    if items.len() != SOFTNESS_LEVELS {
        let got = items.len();
        let message = format!(
            "`softness` must have {SOFTNESS_LEVELS} levels: as intended, softer, softest (got {got})"
        );
        reader.problem(value.line, message);
    }
    items
        .into_iter()
        .filter_map(|item| level(reader, item, scene))
        .collect()
}

fn level<'a>(reader: &mut Reader<'a>, item: Value<'a>, scene: Placeholders) -> Option<Softness> {
    let section = reader.section(item, "a level of softness", &["mood", "scenes"])?;
    let mood = text(reader, section, "mood", "\"gently spooky\"").unwrap_or_default();
    let scenes = match reader.get(section, "scenes") {
        Some(value) => templates::read(reader, value, "scenes", scene),
        None => Vec::new(),
    };
    Some(Softness { mood, scenes })
}

fn hashtags<'a>(reader: &mut Reader<'a>, section: Section<'a>) -> Vec<String> {
    let Some(value) = reader.get(section, "hashtags") else {
        return Vec::new();
    };
    let items = reader.array(value, "hashtags", "hashtags, such as [\"#SpookyDays\"]");
    let mut hashtags = Vec::new();
    for item in items.unwrap_or_default() {
        let Some(tag) = reader.text(item, "a hashtag") else {
            continue;
        };
        if is_hashtag(&tag) {
            hashtags.push(tag);
        } else {
            let fix = "write # and letters, digits or _, such as \"#SpookyDays\"";
            let message = format!("\"{tag}\" is not a valid hashtag; {fix}");
            reader.problem(item.line, message);
        }
    }
    hashtags
}

fn is_hashtag(tag: &str) -> bool {
    let word = tag.strip_prefix('#').unwrap_or_default();
    word.chars().any(char::is_alphabetic) && word.chars().all(|c| c.is_alphanumeric() || c == '_')
}

fn hashtags_per_caption<'a>(reader: &mut Reader<'a>, section: Section<'a>) -> usize {
    let number = match reader.get(section, "hashtags_per_caption") {
        Some(value) => reader.number(value, "hashtags_per_caption", 0..=5),
        None => Some(2),
    };
    number
        .and_then(|number| usize::try_from(number).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caption_has_its_hashtags_under_the_text() {
        let template = "Happy {name}! More {subject}.";
        assert_eq!(
            Voice::caption(template, "National Bat Day", &[]),
            "Happy National Bat Day! More Bat."
        );
        assert_eq!(
            Voice::caption(template, "National Bat Day", &["#Bats", "#Boo"]),
            "Happy National Bat Day! More Bat.\n\n#Bats #Boo"
        );
    }

    #[test]
    fn a_template_that_repeats_a_word_of_the_name_beside_it_does_not_suit_it() {
        for (template, name, suits) in [
            ("Happy {name}!", "Happy Mew Year for Cats Day", false),
            ("happy {name}!", "Happy Mew Year for Cats Day", false),
            ("Be happy: {name}!", "Happy Mew Year for Cats Day", true),
            ("Happy {name}!", "National Bat Day", true),
            ("{name} day", "National Bat Day", false),
            ("{name}, Day of days", "National Bat Day", true),
        ] {
            assert_eq!(Voice::suits(template, name), suits, "{template} {name}");
        }
    }
}
