//! `bot.toml`: one file here for each of its sections.

mod approval;
mod money;
mod notifications;
mod picture;
mod posting;
mod slots;
mod values;
mod voice;

use jiff::tz::TimeZone;

pub use self::{
    approval::{BotApproval, MAX_DEADLINE, OnTimeout, Policy},
    money::Money,
    notifications::Notifications,
    picture::Picture,
    posting::Posting,
    slots::Slot,
    voice::{Softness, Voice},
};
use crate::{Problems, toml_reader::Reader};

/// The keys and sections of the file.
const KEYS: [&str; 9] = [
    "time_zone",
    "enabled",
    "slots",
    "picture",
    "approval",
    "money",
    "posting",
    "notifications",
    "voice",
];

/// A bot as its `bot.toml` describes it.
#[derive(Debug, Clone)]
pub struct Bot {
    pub(crate) file: String,
    pub(crate) time_zone: TimeZone,
    /// Whether it posts at all.
    pub enabled: bool,
    /// The daily posts; slot 1 is the first.
    pub slots: Vec<Slot>,
    /// How the picture is ordered.
    pub picture: Picture,
    /// Who decides before anything is posted.
    pub approval: BotApproval,
    /// The most that it may spend.
    pub money: Money,
    /// How posting behaves.
    pub posting: Posting,
    /// Who is notified of how runs end.
    pub notifications: Notifications,
    /// What the bot sounds and looks like.
    pub voice: Voice,
}

impl Bot {
    /// Parses and checks `bot.toml`; `file` is the name used in messages.
    pub fn parse(file: &str, text: &str) -> Result<Bot, Problems> {
        let mut reader = Reader::new(file, text);
        let Some(document) = reader.parse() else {
            return Err(reader.into_problems());
        };
        let root = reader.root(&document, &KEYS, &[("notices", "notifications")]);
        let time_zone = values::time_zone(&mut reader, root);
        let enabled = reader
            .get(root, "enabled")
            .and_then(|value| reader.truth(value, "enabled"));
        let slots = slots::read(&mut reader, root);
        let picture = picture::read(&mut reader, root);
        let approval = approval::read(&mut reader, root);
        let money = money::read(&mut reader, root);
        let posting = posting::read(&mut reader, root);
        let notifications = notifications::read(&mut reader, root, &approval.approvers);
        let voice = voice::read(&mut reader, root);
        match (time_zone, voice) {
            (Some(time_zone), Some(voice)) if !reader.has_problems() => Ok(Bot {
                file: file.to_owned(),
                time_zone,
                enabled: enabled.unwrap_or(true),
                slots,
                picture,
                approval,
                money,
                posting,
                notifications,
                voice,
            }),
            _ => Err(reader.into_problems()),
        }
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
