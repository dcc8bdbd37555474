use std::ops::RangeInclusive;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::Problems;

/// The days of a bot's year, as its `calendar.toml` gives them.
#[derive(Debug, Clone)]
pub struct Calendar {
    #[expect(dead_code, reason = "skeleton")]
    file: String,
}

/// What the calendar says about one slot of one date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pick {
    /// The day to post about.
    Day(Day),
    /// There is nothing to post.
    Nothing {
        /// Why, for the record: a blackout, a remembrance day, no entry, fewer entries than the slot's number.
        reason: String,
    },
}

/// A day to post about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Day {
    /// Its name, exactly as it is to be written.
    pub name: String,
    /// What the picture shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scene: Option<String>,
    /// The caption, if it is to be this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
}

impl Calendar {
    /// Parses and checks `calendar.toml`; `file` is the name used in messages.
    pub fn parse(file: &str, _text: &str) -> Result<Calendar, Problems> {
        Ok(Calendar { file: file.into() })
    }

    /// The day of this slot, or why there is none.
    pub fn pick(&self, _date: Date, _slot: u32) -> Pick {
        Pick::Nothing {
            reason: "not read yet".into(),
        }
    }

    /// The usable days of a date, in order of preference; none on a blackout or a remembrance day.
    pub fn days(&self, _date: Date) -> Vec<Day> {
        Vec::new()
    }

    /// The dates of these years that have at least one usable day.
    pub fn dates(&self, _years: RangeInclusive<i16>) -> impl Iterator<Item = Date> {
        std::iter::empty()
    }
}
