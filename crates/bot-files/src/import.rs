//! Imports a calendar of the bot that this one replaces.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use crate::{
    Calendar, Problem, Problems,
    calendar::is_plain,
    rule::{Rule, parse_month},
};

/// A calendar of the old form: the names of each day of each month.
type OldCalendar = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// The names of each month and day.
type Dates<'a> = BTreeMap<(i8, i8), &'a [String]>;

/// Turns a calendar of the old form, `{"january": {"1": ["New Year's Day"]}}`, into a `calendar.toml`.
///
/// The order of a date's names stays, and a name on several dates is taken as intended.
/// `file` is the name used in messages.
pub fn import(file: &str, json: &str) -> Result<String, Problems> {
    let old: OldCalendar = serde_json::from_str(json).map_err(|error| {
        Problems(vec![Problem {
            file: file.to_owned(),
            line: error.line().max(1),
            message: format!(
                "invalid calendar: {error}; write it as in {{\"january\": {{\"1\": [\"New Year's Day\"]}}}}"
            ),
        }])
    })?;
    let mut problems = Vec::new();
    let mut dates = Dates::new();
    for (month, days) in &old {
        let mut problem = |keys: &[&str], message: String| {
            problems.push(Problem {
                file: file.to_owned(),
                line: line(json, keys),
                message,
            });
        };
        let number = match parse_month(&month.to_lowercase()) {
            Ok(number) => number,
            Err(message) => {
                problem(&[month], message);
                continue;
            }
        };
        for (day, names) in days {
            let date = day.trim().parse::<i8>().unwrap_or_default();
            if let Err(message) = Rule::parse(&format!("{number:02}-{date:02}")) {
                problem(&[month, day], message);
            }
            for (name, message) in wrong_names(names) {
                let keys = [month, day, name];
                problem(
                    &keys[..if name.is_empty() { 2 } else { 3 }],
                    format!("{month} {day} {message}"),
                );
            }
            dates.insert((number, date), names);
        }
    }
    if !problems.is_empty() {
        problems.sort_by_key(|problem| problem.line);
        return Err(Problems(problems));
    }
    let calendar = write(file, &dates);
    Calendar::parse(&format!("{file}, as a calendar.toml"), &calendar)?;
    Ok(calendar)
}

/// The names of a date that cannot be taken over, each with what is wrong.
fn wrong_names(names: &[String]) -> Vec<(&str, String)> {
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for name in names {
        if name.trim().is_empty() {
            let message = "has an empty name; write it, or remove it";
            wrong.push(("", message.to_owned()));
        } else if !is_plain(name) {
            let message = "has a name of more than 100 characters, or with a line break or braces; shorten it to one plain line";
            wrong.push((name.as_str(), message.to_owned()));
        } else if !seen.insert(name.trim().to_lowercase()) {
            let message = format!("has \"{name}\" twice; remove one of the two");
            wrong.push((name.as_str(), message));
        }
    }
    wrong
}

fn write(file: &str, dates: &Dates) -> String {
    let mut text = format!(
        "# Imported from {file}. Give each observance a scene, put the best of each date first,\n\
         # and set sensitive = \"the reason\" wherever a spooky picture would be out of place.\n\n[days]\n"
    );
    let mut seen = BTreeSet::new();
    for ((month, day), names) in dates {
        if names.is_empty() {
            continue;
        }
        let mut lines = String::new();
        for name in names.iter().map(|name| name.trim()) {
            let again = match seen.insert(name.to_lowercase()) {
                true => "",
                false => ", again = true",
            };
            // A JSON string is a TOML string, too.
            let name = serde_json::Value::from(name);
            // Writing to a String cannot fail.
            let _ = writeln!(lines, "  {{ name = {name}{again} }},");
        }
        let _ = writeln!(text, "{month:02}-{day:02} = [\n{lines}]");
    }
    text
}

/// The line of the last of these keys, each searched for after the one before it.
fn line(json: &str, keys: &[&str]) -> usize {
    let mut at = 0;
    for key in keys {
        let quoted = serde_json::Value::from(*key).to_string();
        at += json[at..].find(&quoted).unwrap_or_default();
    }
    json[..at].matches('\n').count() + 1
}
