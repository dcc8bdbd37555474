//! The runs that a bot's schedules start.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

use bot_files::{Bot, Start};
use jiff::{SignedDuration, Timestamp, civil::date};

const BOT: &str = include_str!("../../../bots/spooky-days/bot.toml");

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The shipped bot with another slot.
fn bot(time: &str, weekdays: &str, lead: &str) -> Bot {
    let slot = "time = \"08:00\"\nweekdays = [\"monday\", \"tuesday\", \"wednesday\", \"thursday\", \"friday\"]";
    assert!(BOT.contains(slot) && BOT.contains("lead = \"2h\""));
    let text = BOT
        .replace(slot, &format!("time = \"{time}\"\nweekdays = [{weekdays}]"))
        .replace("lead = \"2h\"", &format!("lead = \"{lead}\""));
    Bot::parse("bot.toml", &text).unwrap()
}

#[test]
fn the_input_of_a_start_names_its_slot_and_its_lead_and_leads_back_to_its_date() {
    let bot = bot("20:00", "\"sunday\"", "19h");
    // Clocks go back at two in the morning: the lead is 19 hours on the clock, and 20 hours of time.
    let starts = bot.starts(at("2026-10-30T00:00:00Z"), at("2026-11-03T00:00:00Z"));
    let expected = Start {
        date: date(2026, 11, 1),
        slot: 1,
        at: at("2026-11-01T05:00:00Z"),
        lead: SignedDuration::from_hours(19),
    };
    assert_eq!(starts, [expected]);
    let input = expected.input("spooky-days");
    assert_eq!(input.date(bot.time_zone()), expected.date);
    assert_eq!(
        input.to_json(),
        serde_json::json!({"bot": "spooky-days", "slot": 1, "scheduledTime": "2026-11-01T05:00:00Z", "lead": "19h"})
    );
    assert_eq!(
        bot.slot_time(expected.date, 1),
        Some(at("2026-11-02T01:00:00Z"))
    );
    assert_eq!(bot.slot_time(expected.date, 2), None);
}

#[test]
fn a_start_that_clocks_skip_is_skipped_as_scheduler_skips_it() {
    // Half past two does not exist on 8 March.
    let bot = bot("03:30", "\"saturday\", \"sunday\", \"monday\"", "1h");
    let starts = bot.starts(at("2026-03-07T00:00:00Z"), at("2026-03-10T00:00:00Z"));
    let dates: Vec<_> = starts.iter().map(|start| start.date).collect();
    assert_eq!(dates, [date(2026, 3, 7), date(2026, 3, 9)]);
}
