//! `bot.toml` and `calendar.toml`: what a bot is about.
//!
//! Pure: text in, a [`Bot`], a [`Calendar`] or [`Problems`] out. [`Calendar::pick`] gives the observance of a slot,
//! [`Bot::starts`] the runs that schedules start, [`Slot::cron`] the expression of a schedule.
//! [`import`] takes over a calendar of the bot that this one replaces.
//! Each problem names the file, the line and the fix.

mod bot;
mod calendar;
mod check;
mod cron;
mod import;
mod problem;
mod rule;
mod schedule;
mod templates;
mod toml_reader;

pub use bot::{
    Bot, BotApproval, MAX_DEADLINE, Money, Notifications, OnTimeout, Picture, Policy, Posting,
    Slot, Softness, Voice,
};
pub use calendar::{Calendar, Count, Observance, Pick, SlotOverride};
pub use check::{check, check_texts};
pub use cron::Cron;
pub use import::import;
pub use problem::{Problem, Problems};
pub use schedule::Start;
pub use templates::{fill, subject};
