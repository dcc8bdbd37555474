//! The observances of a date and of its slots.

use std::ops::RangeInclusive;

use jiff::{ToSpan, civil::Date};
use post::SkipReason;

use super::{Calendar, Count, Entry, Observance, Override, Pick, SlotOverride};

/// What a place among the observances of a date holds.
#[derive(Debug, Clone)]
pub(super) enum Candidate {
    /// An observance, with its rule or its override for [`Calendar::origin`].
    Observance(Observance, String),
    /// An override that skips, with its reason.
    Skipped(String),
}

impl Calendar {
    /// The observance of this slot, or why there is none; slots are counted from 1.
    pub fn pick(&self, date: Date, slot: u32) -> Pick {
        let nothing = |why, reason| Pick::Nothing { why, reason };
        let no_observance = |reason| nothing(SkipReason::NoObservance, reason);
        let Some(index) = slot
            .checked_sub(1)
            .and_then(|index| usize::try_from(index).ok())
        else {
            return no_observance("slot 0: slots are counted from 1".to_owned());
        };
        if let Some((why, reason)) = self.silence(date) {
            return nothing(why, reason);
        }
        let candidates = self.candidates(date);
        match candidates.get(index) {
            Some(Candidate::Observance(observance, _)) => Pick::Observance(observance.clone()),
            Some(Candidate::Skipped(reason)) => {
                nothing(SkipReason::Override, format!("skipped: {reason}"))
            }
            None => no_observance(self.why_none(date, slot, candidates.len())),
        }
    }

    /// Why a slot gets nothing where the date has only `count` observances.
    fn why_none(&self, date: Date, slot: u32, count: usize) -> String {
        let day = date.strftime("%m-%d");
        match count {
            0 if self.on(date).next().is_some() => {
                format!("no entry for {day} that is not sensitive")
            }
            0 => format!("no entry for {day}"),
            1 => format!("slot {slot} of {date}: the date has 1 observance"),
            _ => format!("slot {slot} of {date}: the date has {count} observances"),
        }
    }

    /// Where the observance of this slot comes from: its rule or its override, and the line.
    pub fn origin(&self, date: Date, slot: u32) -> Option<String> {
        if self.silence(date).is_some() {
            return None;
        }
        let index = usize::try_from(slot.checked_sub(1)?).ok()?;
        match self.candidates(date).into_iter().nth(index)? {
            Candidate::Observance(_, origin) => Some(origin),
            Candidate::Skipped(_) => None,
        }
    }

    /// The observances that are fixed to this month, or, without one, those that move.
    pub fn count(&self, month: Option<i8>) -> Count {
        let mut count = Count::default();
        for entry in &self.entries {
            if entry.rule.fixed().map(|(month, _)| month) != month {
                continue;
            }
            match entry.sensitive {
                true => count.sensitive += 1,
                false => count.usable += 1,
            }
        }
        count
    }

    /// The usable observances of a date, in order of preference; none on a blackout or a remembrance day.
    pub fn observances(&self, date: Date) -> Vec<Observance> {
        if self.silence(date).is_some() {
            return Vec::new();
        }
        self.candidates(date)
            .into_iter()
            .filter_map(|candidate| match candidate {
                Candidate::Observance(observance, _) => Some(observance),
                Candidate::Skipped(_) => None,
            })
            .collect()
    }

    /// The dates of these years that have at least one usable observance, in order.
    pub fn dates(&self, years: RangeInclusive<i16>) -> impl Iterator<Item = Date> {
        let last = *years.end();
        Date::new(*years.start(), 1, 1)
            .into_iter()
            .flat_map(|first| first.series(1.day()))
            .take_while(move |date| date.year() <= last)
            .filter(|date| !self.observances(*date).is_empty())
    }

    /// How many of a date's observances may be posted about, those that an override skips included; none on a silent
    /// date.
    pub fn usable(&self, date: Date) -> Option<usize> {
        match self.silence(date) {
            Some(_) => None,
            None => Some(self.candidates(date).len()),
        }
    }

    /// The line of the first observance that is fixed to this date.
    pub(crate) fn line(&self, date: Date) -> Option<usize> {
        let first = self.fixed.get(&(date.month(), date.day()))?.first()?;
        self.entries.get(*first).map(|entry| entry.line)
    }

    /// Why nothing at all is posted on a date, if so.
    pub(super) fn silence(&self, date: Date) -> Option<(SkipReason, String)> {
        let blackout = self
            .blackouts
            .iter()
            .find(|(dates, _)| dates.contains(&date))
            .map(|(_, reason)| (SkipReason::Blackout, format!("blackout: {reason}")));
        blackout.or_else(|| {
            self.remembered(date)
                .map(|reason| (SkipReason::Remembrance, format!("remembrance: {reason}")))
        })
    }

    pub(super) fn remembered(&self, date: Date) -> Option<&str> {
        self.remembrance
            .iter()
            .find(|(rule, _)| rule.matches(date))
            .map(|(_, reason)| reason.as_str())
    }

    /// The entries of a date in the order of the file, sensitive ones included.
    fn on(&self, date: Date) -> impl Iterator<Item = &Entry> {
        let fixed = self
            .fixed
            .get(&(date.month(), date.day()))
            .into_iter()
            .flatten();
        let entries = fixed
            .chain(&self.moving)
            .filter_map(|index| self.entries.get(*index));
        entries.filter(move |entry| entry.rule.matches(date))
    }

    /// The candidates of a date in order: the usable entries by rank, a moving one before a fixed one of the same
    /// rank, then the overrides, each of which changes its own slot and no other.
    pub(super) fn candidates(&self, date: Date) -> Vec<Candidate> {
        let mut entries: Vec<&Entry> = self.on(date).filter(|entry| !entry.sensitive).collect();
        entries.sort_by_key(|entry| (entry.rank, entry.rule.fixed().is_some(), entry.line));
        let mut candidates: Vec<Candidate> = entries
            .into_iter()
            .map(|entry| {
                let origin = format!("{} on line {}", entry.key, entry.line);
                Candidate::Observance(entry.observance.clone(), origin)
            })
            .collect();
        for slot in self.overrides.get(&date).into_iter().flatten() {
            slot.apply(date, &mut candidates);
        }
        candidates
    }
}

impl Override {
    fn apply(&self, date: Date, candidates: &mut Vec<Candidate>) {
        let index = usize::try_from(self.slot)
            .unwrap_or(usize::MAX)
            .saturating_sub(1);
        match &self.change {
            SlotOverride::Skip(reason) => {
                if let Some(candidate) = candidates.get_mut(index) {
                    *candidate = Candidate::Skipped(reason.clone());
                }
            }
            SlotOverride::Texts {
                name,
                scene,
                caption,
            } => {
                if let Some(name) = name {
                    place(name, index, candidates);
                }
                if let Some(Candidate::Observance(observance, origin)) = candidates.get_mut(index) {
                    *origin = match self.line {
                        Some(line) => format!("the override of {date} on line {line}"),
                        None => format!("an operator's override of {date}"),
                    };
                    observance.scene = scene.clone().or(observance.scene.take());
                    observance.caption = caption.clone().or(observance.caption.take());
                }
            }
        }
    }
}

/// Puts the observance with this name into a place; where it had another, the two are swapped, so that neither is
/// posted twice.
fn place(name: &str, index: usize, candidates: &mut Vec<Candidate>) {
    let is_named = |candidate: &Candidate| matches!(candidate, Candidate::Observance(observance, _) if observance.name.eq_ignore_ascii_case(name));
    let observance = Observance {
        name: name.to_owned(),
        scene: None,
        caption: None,
    };
    let candidate = Candidate::Observance(observance, String::new());
    match candidates.iter().position(is_named) {
        Some(other) if index < candidates.len() => candidates.swap(index, other),
        Some(_) => {}
        None if index < candidates.len() => candidates[index] = candidate,
        None => candidates.push(candidate),
    }
}
