use std::{
    collections::{
        BTreeMap,
        btree_map::Entry::{Occupied, Vacant},
    },
    ops::RangeInclusive,
};

use jiff::{ToSpan, civil::Date};
use post::SkipReason;
use serde::{Deserialize, Serialize};

use crate::{
    Problems,
    reader::{Reader, Section, Value},
    rule::Rule,
};

/// The days of a bot's year, as its `calendar.toml` gives them.
#[derive(Debug, Clone)]
pub struct Calendar {
    pub(crate) file: String,
    /// In the order of the file, sensitive ones included.
    pub(crate) entries: Vec<Entry>,
    /// Where the entries of a month and day are, so that a year does not take a walk through all of them every day.
    fixed: BTreeMap<(i8, i8), Vec<usize>>,
    moving: Vec<usize>,
    remembrance: Vec<(Rule, String)>,
    pub(crate) overrides: BTreeMap<Date, Vec<Override>>,
    blackouts: Vec<(RangeInclusive<Date>, String)>,
}

/// A day of the calendar.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    rule: Rule,
    /// The rule as the file has it.
    key: String,
    /// Its place among the days of its date, 1 for the first.
    rank: u32,
    pub(crate) day: Day,
    pub(crate) sensitive: bool,
    pub(crate) line: usize,
}

/// What one date's slot gets instead.
#[derive(Debug, Clone)]
pub(crate) struct Override {
    slot: u32,
    change: Change,
    /// Where it stands in the file; an operator's stands in none.
    pub(crate) line: Option<usize>,
}

/// What is done to one slot of one date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing is posted, for this reason.
    Skip(String),
    /// Another day, or other words for the day that is there.
    Texts {
        /// The name of the other day.
        name: Option<String>,
        /// What its picture shows.
        scene: Option<String>,
        /// Its caption.
        caption: Option<String>,
    },
}

/// What a slot of a date comes to, before it is asked for.
#[derive(Debug, Clone)]
enum Place {
    /// With where it comes from: its rule or its override.
    Day(Day, String),
    Skipped(String),
}

/// What the calendar says about one slot of one date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pick {
    /// The day to post about.
    Day(Day),
    /// There is nothing to post.
    Nothing {
        /// Why.
        why: SkipReason,
        /// The same for people, with the entry or date that it is about.
        reason: String,
    },
}

/// How many days of a kind a calendar has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Days that may be posted about.
    pub usable: usize,
    /// Days that never are.
    pub sensitive: usize,
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
    pub fn parse(file: &str, text: &str) -> Result<Calendar, Problems> {
        let mut reader = Reader::new(file, text);
        let Some(document) = reader.parse() else {
            return Err(reader.into_problems());
        };
        let mut calendar = Calendar {
            file: file.to_owned(),
            entries: Vec::new(),
            fixed: BTreeMap::new(),
            moving: Vec::new(),
            remembrance: Vec::new(),
            overrides: BTreeMap::new(),
            blackouts: Vec::new(),
        };
        let root = reader.root(
            &document,
            &["days", "remembrance", "overrides", "blackouts"],
        );
        if let Some(days) = reader.require(root, "days", "{ 10-31 = [{ name = \"Halloween\" }] }") {
            calendar.read_days(&mut reader, days);
        }
        for (rule, value) in keyed(&mut reader, root, "remembrance") {
            let rule = read_rule(&mut reader, rule, value.line);
            if let (Some(rule), Some(reason)) = (rule, reader.text(value, "what is remembered")) {
                calendar.remembrance.push((rule, reason));
            }
        }
        for (dates, value) in keyed(&mut reader, root, "blackouts") {
            let dates = read_dates(&mut reader, dates, value.line);
            if let (Some(dates), Some(reason)) =
                (dates, reader.text(value, "the reason of the blackout"))
            {
                calendar.blackouts.push((dates, reason));
            }
        }
        for (date, value) in keyed(&mut reader, root, "overrides") {
            calendar.read_overrides(&mut reader, date, value);
        }
        if reader.has_problems() {
            Err(reader.into_problems())
        } else {
            Ok(calendar)
        }
    }

    /// The day of this slot, or why there is none; slots are counted from 1.
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
        let places = self.places(date);
        match places.get(index) {
            Some(Place::Day(day, _)) => Pick::Day(day.clone()),
            Some(Place::Skipped(reason)) => {
                nothing(SkipReason::Override, format!("skipped: {reason}"))
            }
            None if places.is_empty() && self.on(date).next().is_some() => no_observance(format!(
                "no entry for {} that is not sensitive",
                date.strftime("%m-%d")
            )),
            None if places.is_empty() => {
                no_observance(format!("no entry for {}", date.strftime("%m-%d")))
            }
            None => {
                let days = if places.len() == 1 {
                    "1 day".to_owned()
                } else {
                    format!("{} days", places.len())
                };
                no_observance(format!("slot {slot} of {date}: the date has {days}"))
            }
        }
    }

    /// Puts an operator's change of a slot in the place of what the file overrides there.
    /// It counts like one of the file: it changes its own slot and no other, and nothing on a silent date.
    pub fn put_over(&mut self, date: Date, slot: u32, change: Change) {
        let overrides = self.overrides.entry(date).or_default();
        overrides.retain(|over| over.slot != slot);
        overrides.push(Override {
            slot,
            change,
            line: None,
        });
        overrides.sort_by_key(|over| over.slot);
    }

    /// Why an operator's change would not do what it says, with the fix; `None` if it would.
    pub fn cannot_put_over(&self, date: Date, slot: u32, change: &Change) -> Option<String> {
        if let Some((_, reason)) = self.silence(date) {
            return Some(format!(
                "nothing is posted on {date} anyway ({reason}); choose another date"
            ));
        }
        let mut others = self.clone();
        if let Some(overrides) = others.overrides.get_mut(&date) {
            overrides.retain(|over| over.slot != slot);
        }
        let count = others.places(date).len();
        let wanted = usize::try_from(slot).unwrap_or(usize::MAX);
        let named = |day: &Day, name: &str| day.name.eq_ignore_ascii_case(name);
        match change {
            Change::Skip(_) | Change::Texts { name: None, .. } if wanted > count => Some(format!(
                "slot {slot} of {date} has no day that could be changed; it has {count}"
            )),
            Change::Texts {
                name: Some(name), ..
            } => {
                let sensitive = self
                    .entries
                    .iter()
                    .find(|entry| entry.sensitive && named(&entry.day, name));
                if let Some(entry) = sensitive {
                    return Some(format!(
                        "\"{name}\" is never posted about: it is sensitive, says line {} of {}",
                        entry.line, self.file
                    ));
                }
                if !is_plain(name) {
                    return Some("the name is longer than 100 characters, or has a line break or braces in it; shorten it to one plain line".to_owned());
                }
                if wanted > count + 1 {
                    return Some(format!(
                        "slot {slot} of {date} comes after a slot without a day; use slot {}",
                        count + 1
                    ));
                }
                if wanted > count && others.days(date).iter().any(|day| named(day, name)) {
                    return Some(format!(
                        "{date} has \"{name}\" already; use a slot from 1 to {count}"
                    ));
                }
                None
            }
            _ => None,
        }
    }

    /// Where the day of this slot comes from: its rule or its override, and the line.
    pub fn origin(&self, date: Date, slot: u32) -> Option<String> {
        if self.silence(date).is_some() {
            return None;
        }
        let index = usize::try_from(slot.checked_sub(1)?).ok()?;
        match self.places(date).into_iter().nth(index)? {
            Place::Day(_, origin) => Some(origin),
            Place::Skipped(_) => None,
        }
    }

    /// The days that are fixed to this month, or, without one, those that move.
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

    /// The usable days of a date, in order of preference; none on a blackout or a remembrance day.
    pub fn days(&self, date: Date) -> Vec<Day> {
        if self.silence(date).is_some() {
            return Vec::new();
        }
        self.places(date)
            .into_iter()
            .filter_map(|place| match place {
                Place::Day(day, _) => Some(day),
                Place::Skipped(_) => None,
            })
            .collect()
    }

    /// The dates of these years that have at least one usable day, in order.
    pub fn dates(&self, years: RangeInclusive<i16>) -> impl Iterator<Item = Date> {
        let last = *years.end();
        Date::new(*years.start(), 1, 1)
            .into_iter()
            .flat_map(|first| first.series(1.day()))
            .take_while(move |date| date.year() <= last)
            .filter(|date| !self.days(*date).is_empty())
    }

    /// How many of a date's days may be posted about, those that an override skips included; none on a silent date.
    pub fn usable(&self, date: Date) -> Option<usize> {
        match self.silence(date) {
            Some(_) => None,
            None => Some(self.places(date).len()),
        }
    }

    /// The line of the first day that is fixed to this date.
    pub(crate) fn line(&self, date: Date) -> Option<usize> {
        let first = self.fixed.get(&(date.month(), date.day()))?.first()?;
        self.entries.get(*first).map(|entry| entry.line)
    }

    /// Why nothing at all is posted on a date, if so.
    fn silence(&self, date: Date) -> Option<(SkipReason, String)> {
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

    fn remembered(&self, date: Date) -> Option<&str> {
        self.remembrance
            .iter()
            .find(|(rule, _)| rule.matches(date))
            .map(|(_, reason)| reason.as_str())
    }

    /// The places of a date in order: the usable entries by rank, a moving one before a fixed one of the same rank,
    /// then the overrides, each of which changes its own slot and no other.
    fn places(&self, date: Date) -> Vec<Place> {
        let mut entries: Vec<&Entry> = self.on(date).filter(|entry| !entry.sensitive).collect();
        entries.sort_by_key(|entry| (entry.rank, entry.rule.fixed().is_some(), entry.line));
        let mut places: Vec<Place> = entries
            .into_iter()
            .map(|entry| {
                let origin = format!("{} on line {}", entry.key, entry.line);
                Place::Day(entry.day.clone(), origin)
            })
            .collect();
        for over in self.overrides.get(&date).into_iter().flatten() {
            over.apply(date, &mut places);
        }
        places
    }

    fn read_days<'a>(&mut self, reader: &mut Reader<'a>, days: Value<'a>) {
        let Some(days) = reader.table(days, "[days]") else {
            return;
        };
        let mut names: BTreeMap<String, (&str, usize)> = BTreeMap::new();
        let mut scenes = BTreeMap::new();
        for (key, value) in reader.entries(days) {
            let rule = read_rule(reader, key, value.line);
            let Some(items) = reader.array(
                value,
                "a date's value",
                "days, like [{ name = \"Halloween\" }]",
            ) else {
                continue;
            };
            if items.is_empty() {
                reader.problem(
                    value.line,
                    "the date has no days",
                    "give it one, or remove the line",
                );
            }
            let mut position = 0;
            for item in items {
                let Some(entry) = read_entry(reader, item) else {
                    continue;
                };
                position += u32::from(entry.sensitive.is_none());
                let name = &entry.day.name;
                match (names.entry(name.to_lowercase()), entry.again) {
                    (Occupied(first), true) if first.get().0 == key => reader.problem(
                        item.line,
                        format!(
                            "\"{name}\" is on this date already, on line {}",
                            first.get().1
                        ),
                        "keep one of the two",
                    ),
                    (Occupied(first), false) => reader.problem(
                        item.line,
                        format!("\"{name}\" is on line {} already", first.get().1),
                        "keep the one that is right, or say again = true if both are meant",
                    ),
                    (Vacant(_), true) => reader.problem(
                        item.line,
                        format!("\"{name}\" is not there before this line"),
                        "remove again, or mend the name",
                    ),
                    (Occupied(_), true) => {}
                    (Vacant(vacant), false) => {
                        vacant.insert((key, item.line));
                    }
                }
                if let Some(scene) = &entry.day.scene {
                    match scenes.entry(scene.to_lowercase()) {
                        Occupied(first) => reader.problem(
                            item.line,
                            format!("the scene is that of line {} too", first.get()),
                            "write another for one of the two",
                        ),
                        Vacant(vacant) => {
                            vacant.insert(item.line);
                        }
                    }
                }
                let Some(rule) = rule.clone() else { continue };
                let place = if rule.fixed().is_some() { position } else { 1 };
                match rule.fixed() {
                    Some(date) => self.fixed.entry(date).or_default().push(self.entries.len()),
                    None => self.moving.push(self.entries.len()),
                }
                self.entries.push(Entry {
                    rank: entry.rank.unwrap_or(place),
                    rule,
                    key: key.to_owned(),
                    day: entry.day,
                    sensitive: entry.sensitive.is_some(),
                    line: item.line,
                });
            }
        }
    }

    fn read_overrides<'a>(&mut self, reader: &mut Reader<'a>, date: &str, value: Value<'a>) {
        let date = read_date(reader, date, value.line);
        let items = match value.value.as_array() {
            Some(_) => reader
                .array(value, "a date's value", "overrides")
                .unwrap_or_default(),
            None => vec![value],
        };
        let Some(date) = date else { return };
        let mut overrides: Vec<Override> = Vec::new();
        for item in items {
            let Some(over) = read_override(reader, item) else {
                continue;
            };
            let number = over.slot;
            if overrides.iter().any(|other| other.slot == number) {
                reader.problem(
                    item.line,
                    format!("slot {number} of {date} is overridden twice"),
                    "keep one of the two",
                );
                continue;
            }
            if let (Some(reason), Change::Texts { .. }) = (self.remembered(date), &over.change) {
                reader.problem(
                    item.line,
                    format!("{date} is a remembrance day ({reason}), on which nothing is posted"),
                    "remove the override, or the date from [remembrance]",
                );
            }
            overrides.push(over);
        }
        overrides.sort_by_key(|over| over.slot);
        self.overrides.insert(date, Vec::new());
        for over in overrides {
            let count = self.places(date).len();
            let wanted = usize::try_from(over.slot).unwrap_or(usize::MAX);
            let line = over.line.unwrap_or_default();
            match &over.change {
                Change::Texts { name: None, .. } | Change::Skip(_) if wanted > count => reader
                    .problem(
                        line,
                        format!(
                            "slot {} of {date} has no day that could be changed",
                            over.slot
                        ),
                        "give it a name",
                    ),
                Change::Texts {
                    name: Some(name), ..
                } if wanted > count
                    && self
                        .days(date)
                        .iter()
                        .any(|day| day.name.eq_ignore_ascii_case(name)) =>
                {
                    reader.problem(
                        line,
                        format!("{date} has \"{name}\" already"),
                        format!("use a slot from 1 to {count}"),
                    );
                }
                Change::Texts { .. } if wanted > count + 1 => reader.problem(
                    line,
                    format!(
                        "slot {} of {date} comes after a slot without a day",
                        over.slot
                    ),
                    format!("use slot {}", count + 1),
                ),
                _ => {}
            }
            self.overrides.entry(date).or_default().push(over);
        }
    }
}

impl Override {
    fn apply(&self, date: Date, places: &mut Vec<Place>) {
        let index = usize::try_from(self.slot)
            .unwrap_or(usize::MAX)
            .saturating_sub(1);
        match &self.change {
            Change::Skip(reason) => {
                if let Some(place) = places.get_mut(index) {
                    *place = Place::Skipped(reason.clone());
                }
            }
            Change::Texts {
                name,
                scene,
                caption,
            } => {
                if let Some(name) = name {
                    let day = Day {
                        name: name.clone(),
                        scene: None,
                        caption: None,
                    };
                    let place = Place::Day(day, String::new());
                    let named = |place: &Place| matches!(place, Place::Day(day, _) if day.name.eq_ignore_ascii_case(name));
                    match places.iter().position(named) {
                        // The two change places, so that none is posted twice.
                        Some(other) if index < places.len() => places.swap(index, other),
                        Some(_) => {}
                        None if index < places.len() => places[index] = place,
                        None => places.push(place),
                    }
                }
                if let Some(Place::Day(day, origin)) = places.get_mut(index) {
                    *origin = match self.line {
                        Some(line) => format!("the override of {date} on line {line}"),
                        None => format!("an operator's override of {date}"),
                    };
                    day.scene = scene.clone().or(day.scene.take());
                    day.caption = caption.clone().or(day.caption.take());
                }
            }
        }
    }

    /// The name and caption that this override brings in.
    pub(crate) fn texts(&self) -> (Option<&str>, Option<&str>) {
        match &self.change {
            Change::Skip(_) => (None, None),
            Change::Texts { name, caption, .. } => (name.as_deref(), caption.as_deref()),
        }
    }
}

/// An entry as it stands in the file.
struct RawEntry {
    day: Day,
    sensitive: Option<String>,
    rank: Option<u32>,
    again: bool,
}

fn read_entry<'a>(reader: &mut Reader<'a>, item: Value<'a>) -> Option<RawEntry> {
    let section = reader.section(
        item,
        "a day",
        &["name", "scene", "caption", "sensitive", "rank", "again"],
    )?;
    let name = reader.require(section, "name", "\"Halloween\"");
    let name = name.and_then(|value| reader.text(value, "name"));
    if let Some(name) = &name
        && !is_plain(name)
    {
        reader.problem(
            item.line,
            "name is longer than 100 characters, or has a line break or braces in it",
            "shorten it to one plain line",
        );
    }
    let sensitive = match reader.get(section, "sensitive") {
        Some(value)
            if value
                .value
                .as_str()
                .is_none_or(|reason| reason.trim().is_empty()) =>
        {
            reader.problem(
                value.line,
                "sensitive has no reason",
                "say why, like sensitive = \"remembrance\"",
            );
            None
        }
        value => value.and_then(|value| reader.text(value, "sensitive")),
    };
    let day = Day {
        name: name?,
        scene: optional_text(reader, section, "scene"),
        caption: optional_text(reader, section, "caption"),
    };
    let rank = reader
        .get(section, "rank")
        .and_then(|value| reader.number(value, "rank", 1..=9));
    let again = match reader.get(section, "again") {
        Some(value) if value.value.as_bool() != Some(true) => {
            reader.wrong_type(
                value,
                "again",
                "true, where the name stands on another date as well and is meant to",
            );
            true
        }
        value => value.is_some(),
    };
    Some(RawEntry {
        day,
        sensitive,
        rank,
        again,
    })
}

/// Whether a name can go into every text.
pub(crate) fn is_plain(name: &str) -> bool {
    name.chars().count() <= 100 && !name.contains(['\n', '{', '}'])
}

fn read_override<'a>(reader: &mut Reader<'a>, item: Value<'a>) -> Option<Override> {
    let section = reader.section(
        item,
        "an override",
        &["slot", "name", "scene", "caption", "skip"],
    )?;
    let slot = match reader.get(section, "slot") {
        Some(value) => reader.number(value, "slot", 1..=9)?,
        None => 1,
    };
    let skip = optional_text(reader, section, "skip");
    let [name, scene, caption] =
        ["name", "scene", "caption"].map(|key| optional_text(reader, section, key));
    let has_texts = name.is_some() || scene.is_some() || caption.is_some();
    let change = match skip {
        Some(_) if has_texts => {
            reader.problem(
                item.line,
                "an override both skips and changes the day",
                "keep skip, or the rest",
            );
            return None;
        }
        Some(reason) => Change::Skip(reason),
        None if !has_texts => {
            reader.problem(
                item.line,
                "an override changes nothing",
                "give it a name, a scene, a caption or skip = \"the reason\"",
            );
            return None;
        }
        None => Change::Texts {
            name,
            scene,
            caption,
        },
    };
    Some(Override {
        slot,
        change,
        line: Some(item.line),
    })
}

fn optional_text<'a>(reader: &mut Reader<'a>, section: Section<'a>, key: &str) -> Option<String> {
    reader
        .get(section, key)
        .and_then(|value| reader.text(value, key))
}

/// The keys and values of a table that may be missing.
fn keyed<'a>(
    reader: &mut Reader<'a>,
    root: Section<'a>,
    key: &'static str,
) -> Vec<(&'a str, Value<'a>)> {
    let table = reader
        .get(root, key)
        .and_then(|value| reader.table(value, key));
    table.map(|table| reader.entries(table)).unwrap_or_default()
}

fn read_rule(reader: &mut Reader<'_>, text: &str, line: usize) -> Option<Rule> {
    Rule::parse(text)
        .map_err(|(what, fix)| reader.problem(line, what, fix))
        .ok()
}

fn read_date(reader: &mut Reader<'_>, text: &str, line: usize) -> Option<Date> {
    let date = text.parse::<Date>().ok().filter(|_| text.len() == 10);
    if date.is_none() {
        reader.problem(
            line,
            format!("\"{text}\" is no date that comes"),
            "write year, month and day, like 2026-10-31",
        );
    }
    date
}

fn read_dates(reader: &mut Reader<'_>, text: &str, line: usize) -> Option<RangeInclusive<Date>> {
    let (first, last) = text.split_once(" to ").unwrap_or((text, text));
    let first = read_date(reader, first.trim(), line)?;
    let last = read_date(reader, last.trim(), line)?;
    if last < first {
        reader.problem(
            line,
            format!("\"{text}\" ends before it begins"),
            format!("write \"{last} to {first}\""),
        );
        return None;
    }
    Some(first..=last)
}
