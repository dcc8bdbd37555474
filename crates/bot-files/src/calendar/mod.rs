//! `calendar.toml`: which observance each date gets.

mod overrides;
mod parse;
mod pick;

use std::{collections::BTreeMap, ops::RangeInclusive};

use jiff::civil::Date;
use post::SkipReason;
use serde::{Deserialize, Serialize};

use crate::rule::Rule;

/// The observances of a bot's year, as its `calendar.toml` gives them.
#[derive(Debug, Clone)]
pub struct Calendar {
    pub(crate) file: String,
    /// In the order of the file, sensitive ones included.
    pub(crate) entries: Vec<Entry>,
    /// Indices of the entries by month and day, so that a pick does not visit all entries.
    fixed: BTreeMap<(i8, i8), Vec<usize>>,
    /// Indices of the entries whose date differs from year to year.
    moving: Vec<usize>,
    remembrance: Vec<(Rule, String)>,
    pub(crate) overrides: BTreeMap<Date, Vec<Override>>,
    blackouts: Vec<(RangeInclusive<Date>, String)>,
}

/// An observance with its rule.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    rule: Rule,
    /// The rule as the file has it.
    key: String,
    /// The place among the observances of its date, 1 for the first.
    rank: u32,
    pub(crate) observance: Observance,
    pub(crate) sensitive: bool,
    pub(crate) line: usize,
}

/// What is posted about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observance {
    /// The name, exactly as it is written in a caption.
    pub name: String,
    /// What the picture shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scene: Option<String>,
    /// The caption, if it is not one of the voice's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
}

/// What the calendar has for one slot of one date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pick {
    /// The observance to post about.
    Observance(Observance),
    /// There is nothing to post.
    Nothing {
        /// Why.
        why: SkipReason,
        /// The same for people, with the entry or date that it is about.
        reason: String,
    },
}

/// What an override does to one slot of one date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotOverride {
    /// Nothing is posted, for this reason.
    Skip(String),
    /// Another observance, or other texts for the one that is there.
    Texts {
        /// The name of the other observance.
        name: Option<String>,
        /// What its picture shows.
        scene: Option<String>,
        /// Its caption.
        caption: Option<String>,
    },
}

/// An override with its slot.
#[derive(Debug, Clone)]
pub(crate) struct Override {
    slot: u32,
    change: SlotOverride,
    /// The line in the file; an operator's override has none.
    pub(crate) line: Option<usize>,
}

/// How many observances of a kind a calendar has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Observances that may be posted about.
    pub usable: usize,
    /// Observances that never are.
    pub sensitive: usize,
}

/// Whether a name can go into every text.
pub(crate) fn is_plain(name: &str) -> bool {
    name.chars().count() <= 100 && !name.contains(['\n', '{', '}'])
}
