//! Reads `calendar.toml`.

use std::{
    collections::{
        BTreeMap,
        btree_map::Entry::{Occupied, Vacant},
    },
    ops::RangeInclusive,
};

use jiff::civil::Date;

use super::{Calendar, Entry, Observance, Override, SlotOverride, is_plain};
use crate::{
    Problems,
    rule::Rule,
    toml_reader::{Reader, Section, Value},
};

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
        let keys = ["days", "remembrance", "overrides", "blackouts"];
        let root = reader.root(&document, &keys, &[]);
        if let Some(days) = reader.require(root, "days", "{ 10-31 = [{ name = \"Halloween\" }] }") {
            calendar.read_days(&mut reader, days);
        }
        calendar.read_remembrance(&mut reader, root);
        calendar.read_blackouts(&mut reader, root);
        for (date, value) in keyed(&mut reader, root, "overrides") {
            calendar.read_overrides(&mut reader, date, value);
        }
        if reader.has_problems() {
            Err(reader.into_problems())
        } else {
            Ok(calendar)
        }
    }

    fn read_remembrance<'a>(&mut self, reader: &mut Reader<'a>, root: Section<'a>) {
        for (rule, value) in keyed(reader, root, "remembrance") {
            let rule = read_rule(reader, rule, value.line);
            let reason = reader.text(value, "the reason of the remembrance");
            self.remembrance.extend(rule.zip(reason));
        }
    }

    fn read_blackouts<'a>(&mut self, reader: &mut Reader<'a>, root: Section<'a>) {
        for (dates, value) in keyed(reader, root, "blackouts") {
            let dates = read_dates(reader, dates, value.line);
            let reason = reader.text(value, "the reason of the blackout");
            self.blackouts.extend(dates.zip(reason));
        }
    }

    fn read_days<'a>(&mut self, reader: &mut Reader<'a>, days: Value<'a>) {
        let Some(days) = reader.table(days, "[days]") else {
            return;
        };
        let mut seen = Seen::default();
        for (key, value) in reader.entries(days) {
            let rule = read_rule(reader, key, value.line);
            let of = "observances, such as [{ name = \"Halloween\" }]";
            let Some(items) = reader.array(value, "the value of a date", of) else {
                continue;
            };
            if items.is_empty() {
                let message = "the date has no observance; add one, or remove the line";
                reader.problem(value.line, message);
            }
            let mut position = 0;
            for item in items {
                let Some(entry) = read_entry(reader, item) else {
                    continue;
                };
                position += u32::from(!entry.sensitive);
                seen.check(reader, key, &entry, item.line);
                if let Some(rule) = rule.clone() {
                    self.add(key, rule, position, entry, item.line);
                }
            }
        }
    }

    fn add(&mut self, key: &str, rule: Rule, position: u32, entry: RawEntry, line: usize) {
        let index = self.entries.len();
        let rank = match rule.fixed() {
            Some(date) => {
                self.fixed.entry(date).or_default().push(index);
                position
            }
            None => {
                self.moving.push(index);
                1
            }
        };
        self.entries.push(Entry {
            rank: entry.rank.unwrap_or(rank),
            rule,
            key: key.to_owned(),
            observance: entry.observance,
            sensitive: entry.sensitive,
            line,
        });
    }

    fn read_overrides<'a>(&mut self, reader: &mut Reader<'a>, date: &str, value: Value<'a>) {
        let date = read_date(reader, date, value.line);
        let items = match value.value.as_array() {
            Some(_) => reader.array(value, "the value of a date", "overrides"),
            None => Some(vec![value]),
        };
        let Some(date) = date else { return };
        let mut overrides: Vec<Override> = Vec::new();
        for item in items.unwrap_or_default() {
            let Some(new) = read_override(reader, item) else {
                continue;
            };
            if overrides.iter().any(|other| other.slot == new.slot) {
                let slot = new.slot;
                let message =
                    format!("slot {slot} of {date} has two overrides; remove one of the two");
                reader.problem(item.line, message);
                continue;
            }
            if let (Some(reason), SlotOverride::Texts { .. }) = (self.remembered(date), &new.change)
            {
                let message = format!(
                    "nothing is posted on {date} ({reason}); remove the override, or the date from [remembrance]"
                );
                reader.problem(item.line, message);
            }
            overrides.push(new);
        }
        overrides.sort_by_key(|new| new.slot);
        self.overrides.insert(date, Vec::new());
        // One after the other, since an override may add the observance that the next one changes.
        for new in overrides {
            if let Some(message) = self.misplaced(date, new.slot, &new.change) {
                reader.problem(new.line.unwrap_or_default(), message);
            }
            self.overrides.entry(date).or_default().push(new);
        }
    }
}

/// The names and scenes of the file so far, each with its line.
#[derive(Default)]
struct Seen<'a> {
    /// With the date or rule of the first one.
    names: BTreeMap<String, (&'a str, usize)>,
    scenes: BTreeMap<String, usize>,
}

impl<'a> Seen<'a> {
    /// Reports a name or a scene that the file has already, unless that is intended.
    fn check(&mut self, reader: &mut Reader<'_>, key: &'a str, entry: &RawEntry, line: usize) {
        let name = &entry.observance.name;
        match (self.names.entry(name.to_lowercase()), entry.again) {
            (Occupied(first), true) if first.get().0 == key => {
                let first = first.get().1;
                let message = format!(
                    "\"{name}\" is on this date already, on line {first}; remove one of the two"
                );
                reader.problem(line, message);
            }
            (Occupied(first), false) => {
                let first = first.get().1;
                let message = format!(
                    "\"{name}\" is already on line {first}; remove one of the two, or set `again = true` if both are intended"
                );
                reader.problem(line, message);
            }
            (Vacant(_), true) => {
                let message = format!(
                    "`again` is set, but \"{name}\" is not on an earlier line; remove `again`, or correct the name"
                );
                reader.problem(line, message);
            }
            (Occupied(_), true) => {}
            (Vacant(vacant), false) => {
                vacant.insert((key, line));
            }
        }
        let Some(scene) = &entry.observance.scene else {
            return;
        };
        match self.scenes.entry(scene.to_lowercase()) {
            Occupied(first) => {
                let first = first.get();
                let message =
                    format!("line {first} has the same scene; write another for one of the two");
                reader.problem(line, message);
            }
            Vacant(vacant) => {
                vacant.insert(line);
            }
        }
    }
}

/// An entry as the file has it.
struct RawEntry {
    observance: Observance,
    sensitive: bool,
    rank: Option<u32>,
    again: bool,
}

fn read_entry<'a>(reader: &mut Reader<'a>, item: Value<'a>) -> Option<RawEntry> {
    let keys = ["name", "scene", "caption", "sensitive", "rank", "again"];
    let section = reader.section(item, "an observance", &keys)?;
    let name = reader.require(section, "name", "\"Halloween\"");
    let name = name.and_then(|value| reader.text(value, "name"));
    if name.as_deref().is_some_and(|name| !is_plain(name)) {
        let message =
            "`name` must be one plain line of at most 100 characters, without braces; shorten it";
        reader.problem(item.line, message);
    }
    let sensitive = read_sensitive(reader, section);
    let observance = Observance {
        name: name?,
        scene: optional_text(reader, section, "scene"),
        caption: optional_text(reader, section, "caption"),
    };
    let rank = reader
        .get(section, "rank")
        .and_then(|value| reader.number(value, "rank", 1..=9));
    let again = reader.get(section, "again");
    if let Some(value) = again
        && value.value.as_bool() != Some(true)
    {
        let wanted = "true, or be left out; it is for a name that is on another date as well";
        reader.must_be(value, "again", wanted);
    }
    Some(RawEntry {
        observance,
        sensitive,
        rank,
        again: again.is_some(),
    })
}

/// Whether an observance is sensitive, which needs a reason.
fn read_sensitive<'a>(reader: &mut Reader<'a>, section: Section<'a>) -> bool {
    let Some(value) = reader.get(section, "sensitive") else {
        return false;
    };
    let reason = value.value.as_str().unwrap_or_default();
    if reason.trim().is_empty() {
        let wanted = "a reason in quotes, such as \"remembrance\"";
        reader.must_be(value, "sensitive", wanted);
    }
    true
}

fn read_override<'a>(reader: &mut Reader<'a>, item: Value<'a>) -> Option<Override> {
    let keys = ["slot", "name", "scene", "caption", "skip"];
    let section = reader.section(item, "an override", &keys)?;
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
            let message = "an override must not both skip and change the observance; keep `skip`, or the other keys";
            reader.problem(item.line, message);
            return None;
        }
        Some(reason) => SlotOverride::Skip(reason),
        None if !has_texts => {
            let message = "the override changes nothing; add `name`, `scene`, `caption` or `skip = \"the reason\"`";
            reader.problem(item.line, message);
            return None;
        }
        None => SlotOverride::Texts {
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
        .map_err(|message| reader.problem(line, message))
        .ok()
}

fn read_date(reader: &mut Reader<'_>, text: &str, line: usize) -> Option<Date> {
    let date = text.parse::<Date>().ok().filter(|_| text.len() == 10);
    if date.is_none() {
        let message = format!(
            "\"{text}\" is not a valid date; write year, month and day, such as 2026-10-31"
        );
        reader.problem(line, message);
    }
    date
}

fn read_dates(reader: &mut Reader<'_>, text: &str, line: usize) -> Option<RangeInclusive<Date>> {
    let (first, last) = text.split_once(" to ").unwrap_or((text, text));
    let first = read_date(reader, first.trim(), line)?;
    let last = read_date(reader, last.trim(), line)?;
    if last < first {
        let message = format!("\"{text}\" ends before it begins; write \"{last} to {first}\"");
        reader.problem(line, message);
        return None;
    }
    Some(first..=last)
}
