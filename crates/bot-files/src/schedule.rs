//! When the runs of a bot start.

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, DateTime},
};
use post::{ExecutionInput, start_of_slot};

use crate::{Bot, Slot};

/// A run that a schedule starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Start {
    /// The bot's local date of the slot.
    pub date: Date,
    /// Which of the date's posts; the first is 1.
    pub slot: u32,
    /// When the run starts: the slot's time less its lead.
    pub at: Timestamp,
    /// The slot's lead.
    pub lead: SignedDuration,
}

impl Start {
    /// What the schedule gives to the execution.
    pub fn input(&self, bot: &str) -> ExecutionInput {
        ExecutionInput::scheduled(bot, self.slot, self.at, self.lead)
    }
}

impl Bot {
    /// The slots of a date by their numbers; the first is 1.
    pub fn slots_on(&self, date: Date) -> impl Iterator<Item = (u32, &Slot)> {
        (1..)
            .zip(&self.slots)
            .filter(move |(_, slot)| slot.weekdays.contains(&date.weekday()))
    }

    /// When the post of a slot appears; `None` for a slot that the bot does not have.
    pub fn slot_time(&self, date: Date, slot: u32) -> Option<Timestamp> {
        let time = DateTime::from_parts(date, self.slot(slot)?.time);
        // `check` rejects a time that clocks skip. In a file that was not checked, such a time moves forward.
        let instant = self.time_zone().to_ambiguous_timestamp(time);
        instant.compatible().ok()
    }

    /// The runs that start after one time and not after another, by the dates of their slots.
    /// None while the bot is disabled, and none for a start that clocks skip: Scheduler skips it, too.
    pub fn starts(&self, after: Timestamp, until: Timestamp) -> Vec<Start> {
        if !self.enabled {
            return Vec::new();
        }
        let longest = self.slots.iter().map(|slot| slot.lead).max();
        let zone = self.time_zone();
        let first = zone.to_datetime(after).date();
        // A run starts before its slot, and at most the longest lead before it.
        let last = zone
            .to_datetime(until)
            .saturating_add(longest.unwrap_or_default());
        first
            .series(1.day())
            .take_while(|date| *date <= last.date())
            .flat_map(|date| self.slots_on(date).map(move |slot| (date, slot)))
            .filter_map(|(date, (slot, Slot { time, lead, .. }))| {
                let at = start_of_slot(date.to_datetime(*time), *lead, zone).ok()?;
                (after < at && at <= until).then_some(Start {
                    date,
                    slot,
                    at,
                    lead: *lead,
                })
            })
            .collect()
    }
}
