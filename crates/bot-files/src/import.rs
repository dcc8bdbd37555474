use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use crate::{
    Calendar, Problem, Problems,
    calendar::is_plain,
    rule::{Rule, parse_month},
};

/// Turns a calendar of the old form, `{"january": {"1": ["New Year's Day"]}}`, into a `calendar.toml`.
///
/// The order of a date's names stays, and a name that the old calendar has on several dates is taken as meant.
/// `file` is the name used in messages.
pub fn import(file: &str, json: &str) -> Result<String, Problems> {
    let old: BTreeMap<String, BTreeMap<String, Vec<String>>> =
        serde_json::from_str(json).map_err(|error| {
            Problems(vec![Problem {
                file: file.to_owned(),
                line: error.line().max(1),
                what: format!("this is no calendar of the old form: {error}"),
                fix: "make it like {\"january\": {\"1\": [\"New Year's Day\"]}}".to_owned(),
            }])
        })?;
    let mut problems = Vec::new();
    let mut dates: BTreeMap<(i8, i8), &[String]> = BTreeMap::new();
    for (month, days) in &old {
        let mut problem = |keys: &[&str], (what, fix): (String, String)| {
            problems.push(Problem {
                file: file.to_owned(),
                line: line(json, keys),
                what,
                fix,
            });
        };
        let number = match parse_month(&month.to_lowercase()) {
            Ok(number) => number,
            Err(mistake) => {
                problem(&[month], mistake);
                continue;
            }
        };
        for (day, names) in days {
            let date = day.trim().parse::<i8>().unwrap_or_default();
            if let Err(mistake) = Rule::parse(&format!("{number:02}-{date:02}")) {
                problem(
                    &[month, day],
                    (format!("{month} {day} never comes"), mistake.1),
                );
            }
            let mut seen = BTreeSet::new();
            for name in names {
                if name.trim().is_empty() {
                    let what = format!("{month} {day} has a name that is empty");
                    problem(&[month, day], (what, "write it, or remove it".to_owned()));
                } else if !is_plain(name) {
                    let what = format!(
                        "{month} {day} has a name of more than 100 characters, or with a line break or braces"
                    );
                    problem(
                        &[month, day, name],
                        (what, "shorten it to one plain line".to_owned()),
                    );
                } else if !seen.insert(name.trim().to_lowercase()) {
                    let what = format!("{month} {day} has \"{name}\" twice");
                    problem(
                        &[month, day, name],
                        (what, "remove one of the two".to_owned()),
                    );
                }
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

fn write(file: &str, dates: &BTreeMap<(i8, i8), &[String]>) -> String {
    let mut text = format!(
        "# Imported from {file}. Give each day a scene, put the best of each date first,\n\
         # and say sensitive = \"the reason\" wherever a spooky picture would be out of place.\n\n[days]\n"
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

/// The line of the last of these keys, each looked for behind the one before it.
fn line(json: &str, keys: &[&str]) -> usize {
    let mut at = 0;
    for key in keys {
        let quoted = serde_json::Value::from(*key).to_string();
        at += json[at..].find(&quoted).unwrap_or_default();
    }
    json[..at].matches('\n').count() + 1
}
