//! `bot.toml` and `calendar.toml`: what a bot is about.
//!
//! Pure: text in, a [`Bot`], a [`Calendar`] or [`Problems`] out; which day a date's slot gets is [`Calendar::pick`].
//! [`import`] takes over a calendar of the bot that this one replaces.
//! Each problem names the file, the line and the fix.

mod bot;
mod calendar;
mod check;
mod import;
mod problem;
mod reader;
mod rule;
mod schedule;

pub use bot::{
    Approval, Bot, MAX_DEADLINE, Money, Notices, OnTimeout, Picture, Policy, Posting, Slot,
    Softness, Voice, fill, subject,
};
pub use calendar::{Calendar, Change, Count, Day, Pick};
pub use check::{check, check_texts};
pub use import::import;
pub use problem::{Problem, Problems};
pub use schedule::Start;
