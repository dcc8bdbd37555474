//! The files of `bots/spooky-days` themselves.

use std::path::Path;

use bot_files::{Bot, Calendar, Day, Pick, Policy, check};
use jiff::{
    ToSpan,
    civil::{Date, Weekday, date},
};

fn shipped() -> (Bot, Calendar) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bots/spooky-days");
    let read = |name: &str| {
        std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let bot =
        Bot::parse("bot.toml", &read("bot.toml")).unwrap_or_else(|problems| panic!("{problems}"));
    let calendar = Calendar::parse("calendar.toml", &read("calendar.toml"))
        .unwrap_or_else(|problems| panic!("{problems}"));
    (bot, calendar)
}

fn dates(years: std::ops::RangeInclusive<i16>) -> impl Iterator<Item = Date> {
    let last = *years.end();
    date(*years.start(), 1, 1)
        .series(1.day())
        .take_while(move |date| date.year() <= last)
}

fn is_remembrance(calendar: &Calendar, date: Date) -> bool {
    matches!(calendar.pick(date, 1), Pick::Nothing { reason } if reason.starts_with("remembrance: "))
}

#[test]
fn the_shipped_files_are_sound_from_2024_to_2040() {
    let (bot, calendar) = shipped();
    check(&bot, &calendar, 2024..=2040).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(bot.slots.len(), 1);
    let slot = bot.slot(1).unwrap();
    assert_eq!(slot.time.to_string(), "08:00:00");
    assert_eq!(
        slot.weekdays,
        [
            Weekday::Monday,
            Weekday::Tuesday,
            Weekday::Wednesday,
            Weekday::Thursday,
            Weekday::Friday
        ]
    );
    assert_eq!(slot.lead.as_hours(), 2);
    assert_eq!(bot.time_zone().iana_name(), Some("America/New_York"));
    assert_eq!(bot.approval.policy, Policy::Required);
}

#[test]
fn october_to_january_have_two_days_or_more_on_every_date_but_the_remembrance_days_and_other_months_only_friday_the_13th()
 {
    let (_, calendar) = shipped();
    for date in dates(2024..=2040) {
        let days = calendar.days(date);
        if ![10, 11, 12, 1].contains(&date.month()) {
            let friday_13th = date.weekday() == Weekday::Friday && date.day() == 13;
            assert_eq!(days.len(), usize::from(friday_13th), "{date} has {days:?}");
        } else if is_remembrance(&calendar, date) {
            assert_eq!(days, [], "{date}");
        } else {
            assert!(days.len() >= 2, "{date} has {days:?}");
        }
    }
}

#[test]
fn dates_that_the_calendar_does_not_know_say_so() {
    let (_, calendar) = shipped();
    assert_eq!(
        calendar.pick(date(2026, 5, 3), 1),
        Pick::Nothing {
            reason: "no entry for 05-03".into()
        }
    );
}

#[test]
fn remembrance_days_post_nothing() {
    let (_, calendar) = shipped();
    for (date, reason) in [
        (date(2026, 11, 11), "remembrance: Veterans Day"),
        (
            date(2026, 12, 7),
            "remembrance: Pearl Harbor Remembrance Day",
        ),
        (date(2026, 12, 14), "remembrance: the Sandy Hook shooting"),
        (
            date(2027, 1, 27),
            "remembrance: International Holocaust Remembrance Day",
        ),
        (date(2027, 1, 18), "remembrance: Martin Luther King Jr. Day"),
        (
            date(2026, 9, 11),
            "remembrance: the attacks of September 11",
        ),
    ] {
        assert_eq!(
            calendar.pick(date, 1),
            Pick::Nothing {
                reason: reason.into()
            },
            "{date}"
        );
    }
}

#[test]
fn moving_days_come_round() {
    let (_, calendar) = shipped();
    for (date, name) in [
        (date(2026, 11, 13), "Friday the 13th"),
        (date(2026, 11, 26), "Thanksgiving Day"),
        (date(2027, 11, 26), "National Leftovers Day"),
        (date(2028, 11, 22), "National Jukebox Day"),
        (date(2026, 10, 31), "Halloween"),
        (date(2026, 10, 21), "Hagfish Day"),
    ] {
        assert!(
            matches!(calendar.pick(date, 1), Pick::Day(Day { name: picked, .. }) if picked == name),
            "{date}"
        );
    }
}

#[test]
fn the_first_day_of_every_date_has_a_scene() {
    let (_, calendar) = shipped();
    for date in calendar.dates(2024..=2040) {
        assert!(calendar.days(date)[0].scene.is_some(), "{date}");
    }
}
