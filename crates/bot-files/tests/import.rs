//! The old calendar becomes a new one.

use bot_files::{Calendar, import};
use jiff::civil::date;

const OLD: &str = r#"{
  "october": {
    "31": ["Halloween", "National \"Magic\" Day"],
    "9": ["National Crème Brûlée Day"]
  },
  "january": {
    "1": ["New Year's Day", " National Pie Day "],
    "2": []
  },
  "february": {
    "29": ["Leap Day"],
    "3": ["National Pie Day"]
  }
}"#;

#[test]
fn every_name_is_imported_unchanged_in_the_order_of_the_year() {
    let text = import("old.json", OLD).unwrap_or_else(|problems| panic!("{problems}"));
    let days: Vec<&str> = text.lines().skip_while(|line| *line != "[days]").collect();
    assert_eq!(
        days,
        [
            "[days]",
            "01-01 = [",
            "  { name = \"New Year's Day\" },",
            "  { name = \"National Pie Day\" },",
            "]",
            "02-03 = [",
            "  { name = \"National Pie Day\", again = true },",
            "]",
            "02-29 = [",
            "  { name = \"Leap Day\" },",
            "]",
            "10-09 = [",
            "  { name = \"National Crème Brûlée Day\" },",
            "]",
            "10-31 = [",
            "  { name = \"Halloween\" },",
            "  { name = \"National \\\"Magic\\\" Day\" },",
            "]",
        ]
    );
    let calendar = Calendar::parse("calendar.toml", &text).unwrap();
    let names: Vec<String> = calendar
        .observances(date(2026, 10, 31))
        .into_iter()
        .map(|day| day.name)
        .collect();
    assert_eq!(names, ["Halloween", "National \"Magic\" Day"]);
}

#[test]
fn a_mistake_in_the_old_calendar_is_reported_with_its_line_and_the_fix() {
    for (from, to, message) in [
        (
            "\"october\"",
            "\"octobre\"",
            "old.json:2: \"octobre\" is not a month; did you mean \"october\"?",
        ),
        (
            "\"31\"",
            "\"32\"",
            "old.json:3: 10-32 is not a date of any year; October has at most 31 days",
        ),
        (
            "\"29\"",
            "\"last\"",
            "old.json:11: 02-00 is not a date of any year; February has at most 29 days",
        ),
        (
            "\"Leap Day\"",
            "\" \"",
            "old.json:11: february 29 has an empty name; write it, or remove it",
        ),
        (
            " National Pie Day ",
            "new year's day",
            "old.json:7: january 1 has \"new year's day\" twice; remove one of the two",
        ),
        (
            "\"2\": []",
            "\"2\": \"Buffet Day\"",
            "old.json:8: invalid calendar: invalid type: string \"Buffet Day\", expected a sequence at line 8 column 21; write it as in {\"january\": {\"1\": [\"New Year's Day\"]}}",
        ),
        (
            "Halloween",
            "Hallow{een}",
            "old.json:3: october 31 has a name of more than 100 characters, or with a line break or braces; shorten it to one plain line",
        ),
    ] {
        assert!(OLD.contains(from), "{from}");
        let problems = import("old.json", &OLD.replacen(from, to, 1))
            .expect_err(message)
            .to_string();
        assert_eq!(problems, message);
    }
}
