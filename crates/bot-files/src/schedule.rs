//! When the runs of a bot start.

use jiff::{SignedDuration, Timestamp, civil::Date};

use crate::Bot;

/// A run that a schedule starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Start {
    /// The bot's local date.
    pub date: Date,
    /// Which of the date's posts; the first is 1.
    pub slot: u32,
    /// When the run starts, which is the slot's time less its lead.
    pub at: Timestamp,
}

impl Bot {
    /// The runs that start after one time and not after another, by their dates.
    /// None while the bot is switched off.
    ///
    /// An error if a time is beyond what a calendar has.
    pub fn starts(&self, after: Timestamp, until: Timestamp) -> Result<Vec<Start>, jiff::Error> {
        let mut starts = Vec::new();
        if !self.enabled {
            return Ok(starts);
        }
        let zone = self.time_zone();
        let mut date = after.to_zoned_datetime(zone.clone()).date();
        // A lead never reaches back past midnight, so the date of the start is the date of the slot.
        let last = until
            .checked_add(SignedDuration::from_hours(24))?
            .to_zoned_datetime(zone.clone())
            .date();
        while date <= last {
            for (number, slot) in (1..).zip(&self.slots) {
                if !slot.weekdays.contains(&date.weekday()) {
                    continue;
                }
                let time = date
                    .to_datetime(slot.time)
                    .to_zoned_datetime(zone.clone())?;
                let at = time.timestamp().checked_sub(slot.lead)?;
                if after < at && at <= until {
                    starts.push(Start {
                        date,
                        slot: number,
                        at,
                    });
                }
            }
            date = date.tomorrow()?;
        }
        Ok(starts)
    }
}
