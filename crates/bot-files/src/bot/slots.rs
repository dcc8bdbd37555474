//! `[[slots]]`: when a bot posts.

use jiff::{
    SignedDuration,
    civil::{Time, Weekday},
};

use super::values;
use crate::{
    rule::parse_weekday,
    toml_reader::{Reader, Section, Value},
};

/// One post of the day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// When the tweet appears, in the bot's time zone.
    pub time: Time,
    /// The days of the week on which there is a post.
    pub weekdays: Vec<Weekday>,
    /// How long before `time` the run starts, in civil time.
    pub lead: SignedDuration,
    pub(crate) line: usize,
}

pub(super) fn read<'a>(reader: &mut Reader<'a>, root: Section<'a>) -> Vec<Slot> {
    let example = "[{ time = \"08:00\", weekdays = [\"monday\"], lead = \"10m\" }]";
    let Some(value) = reader.require(root, "slots", example) else {
        return Vec::new();
    };
    let Some(items) = reader.array(value, "slots", "tables, each under [[slots]]") else {
        return Vec::new();
    };
    if items.is_empty() {
        reader.problem(value.line, "the bot has no slot; add one under [[slots]]");
    }
    items
        .into_iter()
        .filter_map(|item| slot(reader, item))
        .collect()
}

fn slot<'a>(reader: &mut Reader<'a>, item: Value<'a>) -> Option<Slot> {
    let section = reader.section(item, "a slot", &["time", "weekdays", "lead"])?;
    let time = reader.require(section, "time", "\"08:00\"");
    let time = time.and_then(|value| self::time(reader, value));
    let weekdays = match reader.get(section, "weekdays") {
        Some(value) => self::weekdays(reader, value),
        None => Weekday::Monday.cycle_forward().take(7).collect(),
    };
    let given = reader.get(section, "lead");
    let lead = match given {
        Some(value) => values::duration(reader, value, "lead", SignedDuration::ZERO)?,
        None => SignedDuration::from_mins(10),
    };
    let time = time?;
    if time.duration_since(Time::midnight()) < lead {
        let line = given.map_or(item.line, |value| value.line);
        let time = time.strftime("%H:%M");
        let message = format!(
            "`lead` must not cross midnight, and a run for {time} would start on the day before (got {lead:#}); shorten the lead, or move the slot to a later time"
        );
        reader.problem(line, message);
    }
    Some(Slot {
        time,
        weekdays,
        lead,
        line: item.line,
    })
}

fn time<'a>(reader: &mut Reader<'a>, value: Value<'a>) -> Option<Time> {
    let time = value
        .value
        .as_str()
        .filter(|text| text.len() == 5)
        .and_then(|text| Time::strptime("%H:%M", text).ok());
    if time.is_none() {
        reader.must_be(
            value,
            "time",
            "hours and minutes in quotes, such as \"08:00\"",
        );
    }
    time
}

fn weekdays<'a>(reader: &mut Reader<'a>, value: Value<'a>) -> Vec<Weekday> {
    let mut weekdays = Vec::new();
    let items = reader.array(
        value,
        "weekdays",
        "weekdays, such as [\"monday\", \"friday\"]",
    );
    if items.as_ref().is_some_and(Vec::is_empty) {
        let message = "`weekdays` is empty; name at least one, or remove the slot";
        reader.problem(value.line, message);
    }
    for item in items.unwrap_or_default() {
        let Some(word) = reader.text(item, "a weekday") else {
            continue;
        };
        match parse_weekday(&word) {
            Ok(weekday) if weekdays.contains(&weekday) => {
                let message = format!("\"{word}\" is listed twice; remove one of the two");
                reader.problem(item.line, message);
            }
            Ok(weekday) => weekdays.push(weekday),
            Err(message) => reader.problem(item.line, message),
        }
    }
    weekdays
}
