//! Texts of other services, cut to a line; times and amounts as people read them.

use jiff::{Timestamp, tz::TimeZone};
use posts_table::Record;
use serde_json::Value;

/// The length to which a message is cut, in characters.
const QUOTED: usize = 500;

/// A text as one line of limited length.
pub(crate) fn line(text: &str) -> String {
    let mut line: String = text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .filter(|c| !c.is_control())
        .take(QUOTED + 1)
        .collect();
    if line.chars().count() > QUOTED {
        line.pop();
        line.push('…');
    }
    line
}

/// The message of a cause: Lambda wraps it in JSON.
pub(crate) fn message(cause: &str) -> String {
    let wrapped = serde_json::from_str::<Value>(cause).ok();
    let message = wrapped.as_ref().and_then(|c| c["errorMessage"].as_str());
    line(message.unwrap_or(cause))
}

/// A time in the bot's zone as the pick recorded it, or else in UTC.
pub(crate) fn local_time(at: Timestamp, record: Option<&Record>) -> String {
    let zone = record.and_then(|record| record.day["timeZone"].as_str());
    let zone = zone.and_then(|zone| TimeZone::get(zone).ok());
    zoned(&at.to_zoned_datetime(zone.unwrap_or(TimeZone::UTC)))
}

/// A time with its zone, such as `2026-10-30 08:00 EDT`.
pub(crate) fn zoned(at: &jiff::ZonedDateTime) -> String {
    at.strftime("%Y-%m-%d %H:%M %Z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_of_limited_length() {
        let long = format!("one\n two\u{7} {}", "x".repeat(QUOTED));
        let cut = line(&long);
        assert!(cut.starts_with("one two xxx"), "{cut}");
        assert!(cut.ends_with("x…"), "{cut}");
        assert_eq!(cut.chars().count(), QUOTED + 1);
    }

    #[test]
    fn the_message_of_a_cause_is_found_in_the_json_of_lambda() {
        assert_eq!(message(r#"{"errorMessage": "No\nway."}"#), "No way.");
        assert_eq!(message("no JSON"), "no JSON");
    }
}
