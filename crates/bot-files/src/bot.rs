use jiff::{
    SignedDuration,
    civil::{Time, Weekday},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

use crate::Problems;

/// A bot as its `bot.toml` describes it.
#[derive(Debug, Clone)]
pub struct Bot {
    pub(crate) file: String,
    pub(crate) time_zone: TimeZone,
    /// The daily posts; slot 1 is the first.
    pub slots: Vec<Slot>,
    /// How the picture is ordered.
    pub picture: Picture,
    /// Whether a person decides before anything is posted.
    pub approval: Approval,
    /// How posting behaves.
    pub posting: Posting,
    /// What the bot sounds and looks like.
    pub voice: Voice,
}

/// One post of the day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// When the tweet appears, in the bot's time zone.
    pub time: Time,
    /// The days of the week on which there is a post.
    pub weekdays: Vec<Weekday>,
    /// How long before `time` the run starts.
    pub lead: SignedDuration,
    pub(crate) line: usize,
}

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

/// Whether a person decides before anything is posted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Approval {
    /// Nobody is asked.
    Off,
    /// Nothing is posted without an approval; what a `bot.toml` that is silent about it gets.
    #[default]
    Required,
}

/// How posting behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// A scheduled post is not posted later than its slot's time plus this.
    pub late_after: SignedDuration,
}

/// What the bot sounds and looks like: all that `build-prompt` needs beside the day.
///
/// It travels in the state data as `day.voice`, so it is to stay a few KB.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Voice {
    /// What every prompt asks for, before the scene.
    pub brief: String,
    /// What no picture may show, as a sentence of the prompt.
    pub avoid: String,
    /// Scenes for days that have none of their own; `{subject}` is what the day is about.
    pub scenes: Vec<String>,
    /// Art styles.
    pub styles: Vec<String>,
    /// Kinds of light.
    pub lighting: Vec<String>,
    /// Colours.
    pub palettes: Vec<String>,
    /// Viewpoints and framings.
    pub compositions: Vec<String>,
    /// From as spooky as it gets to as soft as it gets; the level is the state machine's `softness`.
    pub softness: Vec<Softness>,
    /// Captions; `{name}` is the day's name, `{subject}` what it is about, `{tags}` the hashtags.
    pub captions: Vec<String>,
    /// Hashtags, with `#`.
    pub hashtags: Vec<String>,
    /// How many of them a caption gets.
    pub hashtags_per_caption: usize,
    /// Alt texts; `{scene}` is the scene as a sentence, `{style}` the art style, `{name}` the day's name.
    pub alt_texts: Vec<String>,
}

/// One level of softness.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Softness {
    /// The mood of the picture.
    pub mood: String,
    /// Scenes that stand in for the day's own at this level; none: the day's own stays.
    pub scenes: Vec<String>,
}

impl Bot {
    /// Parses and checks `bot.toml`; `file` is the name used in messages.
    pub fn parse(file: &str, _text: &str) -> Result<Bot, Problems> {
        Err(Problems(vec![crate::Problem {
            file: file.into(),
            line: 1,
            what: "not read yet".into(),
            fix: "wait".into(),
        }]))
    }

    /// The bot's time zone.
    pub fn time_zone(&self) -> &TimeZone {
        &self.time_zone
    }

    /// The slot with this number; the first is 1.
    pub fn slot(&self, n: u32) -> Option<&Slot> {
        self.slots.get(usize::try_from(n).ok()?.checked_sub(1)?)
    }
}
