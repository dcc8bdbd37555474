//! Overrides of slots: whether one can do what it asks for.

use jiff::civil::Date;

use super::{Calendar, Override, SlotOverride, is_plain};

impl Calendar {
    /// Applies an operator's override of a slot in place of what the file has for it.
    /// Like one of the file, it changes its own slot and no other, and nothing on a silent date.
    pub fn apply_override(&mut self, date: Date, slot: u32, change: SlotOverride) {
        let overrides = self.overrides.entry(date).or_default();
        overrides.retain(|other| other.slot != slot);
        overrides.push(Override {
            slot,
            change,
            line: None,
        });
        overrides.sort_by_key(|other| other.slot);
    }

    /// Why an operator's override would have no effect, with the fix; `None` if it has one.
    pub fn check_override(&self, date: Date, slot: u32, change: &SlotOverride) -> Option<String> {
        if let Some((_, reason)) = self.silence(date) {
            return Some(format!(
                "nothing is posted on {date} anyway ({reason}); choose another date"
            ));
        }
        if let SlotOverride::Texts {
            name: Some(name), ..
        } = change
            && let Some(problem) = self.unusable_name(name)
        {
            return Some(problem);
        }
        let mut others = self.clone();
        if let Some(overrides) = others.overrides.get_mut(&date) {
            overrides.retain(|other| other.slot != slot);
        }
        others.misplaced(date, slot, change)
    }

    /// Why no post can be about this name, if so.
    fn unusable_name(&self, name: &str) -> Option<String> {
        let sensitive = self
            .entries
            .iter()
            .find(|entry| entry.sensitive && entry.observance.name.eq_ignore_ascii_case(name));
        if let Some(entry) = sensitive {
            return Some(format!(
                "\"{name}\" is sensitive and never posted about ({}:{}); choose another observance",
                self.file, entry.line
            ));
        }
        (!is_plain(name)).then(|| {
            "the name is longer than 100 characters, or has a line break or braces; shorten it to one plain line".to_owned()
        })
    }

    /// Why an override cannot change this slot of a date, besides those that the calendar has already.
    pub(super) fn misplaced(&self, date: Date, slot: u32, change: &SlotOverride) -> Option<String> {
        let count = self.candidates(date).len();
        let wanted = usize::try_from(slot).unwrap_or(usize::MAX);
        if wanted <= count {
            return None;
        }
        let SlotOverride::Texts {
            name: Some(name), ..
        } = change
        else {
            return Some(format!(
                "slot {slot} of {date} has no observance to change; give it a name, or use a slot up to {count}"
            ));
        };
        let is_there = self
            .observances(date)
            .iter()
            .any(|observance| observance.name.eq_ignore_ascii_case(name));
        if is_there {
            return Some(format!(
                "{date} has \"{name}\" already; use a slot from 1 to {count}"
            ));
        }
        (wanted > count + 1).then(|| {
            format!(
                "slot {slot} of {date} comes after a slot without an observance; use slot {}",
                count + 1
            )
        })
    }
}

impl Override {
    /// The name and caption that this override brings in.
    pub(crate) fn texts(&self) -> (Option<&str>, Option<&str>) {
        match &self.change {
            SlotOverride::Skip(_) => (None, None),
            SlotOverride::Texts { name, caption, .. } => (name.as_deref(), caption.as_deref()),
        }
    }
}
