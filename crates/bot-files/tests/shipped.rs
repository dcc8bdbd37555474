//! The files of `bots/spooky-days` themselves.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
    path::Path,
    sync::LazyLock,
};

use bot_files::{Bot, Calendar, Observance, Pick, Policy, Start, check};
use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, Weekday, date},
};
use post::SkipReason;
use proptest::prelude::*;

const YEARS: RangeInclusive<i16> = 2024..=2040;

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

fn dates(years: RangeInclusive<i16>) -> impl Iterator<Item = Date> {
    let last = *years.end();
    date(*years.start(), 1, 1)
        .series(1.day())
        .take_while(move |date| date.year() <= last)
}

/// Why nothing at all is posted on a date.
fn silence(calendar: &Calendar, date: Date) -> Option<String> {
    match calendar.pick(date, 1) {
        Pick::Nothing { reason, .. } => Some(reason),
        Pick::Observance(_) => None,
    }
}

/// Every usable day, once, with a date that has it.
fn days(calendar: &Calendar) -> BTreeMap<String, (Date, Observance)> {
    let dated = dates(YEARS).flat_map(|date| {
        let days = calendar.observances(date);
        days.into_iter()
            .map(move |day| (day.name.clone(), (date, day)))
    });
    dated.collect()
}

#[test]
fn the_shipped_files_are_sound_from_2024_to_2040() {
    let (bot, calendar) = shipped();
    check(&bot, &calendar, YEARS).unwrap_or_else(|problems| panic!("{problems}"));
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
fn every_date_has_two_observances_or_more_or_a_reason_for_silence() {
    let (_, calendar) = shipped();
    let (mut silent, mut two, mut more) = (0, 0, 0);
    for date in dates(YEARS) {
        match (silence(&calendar, date), calendar.observances(date).len()) {
            (Some(reason), 0) => {
                assert!(
                    reason.starts_with("remembrance: ") || reason == "blackout: Yom HaShoah",
                    "{date}: {reason}"
                );
                silent += 1;
            }
            (None, 2) => two += 1,
            (None, 3..) => more += 1,
            (_, days) => panic!("{date} has {days} days"),
        }
    }
    assert_eq!(silent + two + more, 6210);
    assert!(more > two && two > silent, "{more}, {two}, {silent}");
}

#[test]
fn every_month_has_its_days() {
    let (_, calendar) = shipped();
    for month in 1..=12 {
        let count = calendar.count(Some(month));
        assert!(
            count.usable >= 60 && count.sensitive >= 4,
            "{month}: {count:?}"
        );
    }
    let moving = calendar.count(None);
    assert!(moving.usable >= 90 && moving.sensitive >= 15, "{moving:?}");
}

#[test]
fn dates_of_grief_post_nothing() {
    let (_, calendar) = shipped();
    for (date, reason) in [
        (
            date(2027, 1, 27),
            "remembrance: International Holocaust Remembrance Day",
        ),
        (date(2027, 1, 18), "remembrance: Martin Luther King Jr. Day"),
        (date(2027, 3, 26), "remembrance: Good Friday"),
        (date(2026, 4, 14), "blackout: Yom HaShoah"),
        (
            date(2026, 4, 24),
            "remembrance: Armenian Genocide Remembrance Day",
        ),
        (
            date(2026, 5, 25),
            "remembrance: National Missing Children's Day",
        ),
        (date(2027, 5, 31), "remembrance: Memorial Day"),
        (date(2026, 8, 6), "remembrance: Hiroshima"),
        (
            date(2026, 9, 11),
            "remembrance: the attacks of September 11",
        ),
        (date(2026, 11, 11), "remembrance: Veterans Day"),
        (
            date(2026, 12, 7),
            "remembrance: Pearl Harbor Remembrance Day",
        ),
        (date(2026, 12, 14), "remembrance: the Sandy Hook shooting"),
    ] {
        for slot in 1..=3 {
            assert_eq!(
                calendar.pick(date, slot),
                Pick::Nothing {
                    why: match reason.starts_with("blackout: ") {
                        true => SkipReason::Blackout,
                        false => SkipReason::Remembrance,
                    },
                    reason: reason.into()
                },
                "{date}"
            );
        }
    }
}

#[test]
fn moving_observances_are_on_their_dates() {
    let (_, calendar) = shipped();
    for (date, name) in [
        (date(2026, 2, 17), "International Pancake Day"),
        (date(2027, 3, 15), "National Napping Day"),
        (date(2026, 5, 10), "Mother's Day"),
        (date(2026, 6, 5), "National Donut Day"),
        (date(2026, 6, 26), "International Day in Support"),
        (date(2027, 6, 25), "Take Your Dog to Work Day"),
        (date(2026, 9, 5), "International Bacon Day"),
        (date(2026, 10, 21), "Hagfish Day"),
        (date(2026, 10, 31), "Halloween"),
        (date(2026, 11, 13), "Friday the 13th"),
        (date(2026, 11, 26), "Thanksgiving Day"),
        (date(2027, 11, 26), "National Leftovers Day"),
        (date(2028, 2, 29), "Leap Day"),
        (date(2028, 11, 22), "National Jukebox Day"),
    ] {
        match calendar.pick(date, 1) {
            Pick::Observance(day) => assert_eq!(day.name, name, "{date}"),
            // A day of silence wins over a moving day, too.
            Pick::Nothing { reason, .. } => assert!(reason.contains(name), "{date}: {reason}"),
        }
    }
}

#[test]
fn every_observance_has_a_unique_scene_that_a_picture_can_show() {
    let (_, calendar) = shipped();
    let mut scenes = BTreeSet::new();
    for (name, (date, day)) in days(&calendar) {
        let scene = day.scene.unwrap_or_else(|| panic!("{name} has no scene"));
        let length = scene.chars().count();
        assert!((15..=190).contains(&length), "{name}: {length}: {scene}");
        assert!(
            !scene.ends_with('.') && !scene.contains(['{', '\n']),
            "{scene}"
        );
        let words = scene.to_lowercase();
        let words: BTreeSet<&str> = words.split(|c: char| !c.is_alphanumeric()).collect();
        for unwanted in [
            "blood",
            "bloody",
            "gore",
            "corpse",
            "corpses",
            "kill",
            "kills",
            "killed",
            "murder",
            "suicide",
            "gun",
            "guns",
            "noose",
            "gallows",
            "decapitated",
            "severed",
        ] {
            assert!(!words.contains(unwanted), "{name}: {scene}");
        }
        assert!(scenes.insert(scene), "{name} on {date} shares its scene");
    }
    assert!(scenes.len() > 1000);
}

#[test]
fn names_are_spelled_correctly() {
    let (_, calendar) = shipped();
    let days = days(&calendar);
    for name in [
        "April Fools' Day",
        "National Chocolate Éclair Day",
        "National Kouign-Amann Day",
        "National VCR Day",
        "National DNA Day",
        "National #2 Pencil Day",
        "National U.S. Postage Stamp Day",
        "Cook Something Bold & Pungent Day",
        "Yell \"Fudge\" at the Cobras in North America Day",
        "National 'I Want Butterscotch' Day",
    ] {
        assert!(days.contains_key(name), "{name}");
    }
    for name in days.keys() {
        for doubled in ["National National", "World World", "Day of Day"] {
            assert!(!name.contains(doubled), "{name}");
        }
        assert!(
            !name.contains(['_', '|', '\t']) && !name.contains("  "),
            "{name}"
        );
    }
}

#[test]
fn no_name_is_on_two_dates_of_a_year_by_accident() {
    let (_, calendar) = shipped();
    for year in YEARS {
        let mut seen = BTreeMap::new();
        for date in dates(year..=year) {
            for day in calendar.observances(date) {
                if let Some(earlier) = seen.insert(day.name.clone(), date) {
                    let meant = again().contains(&day.name) || day.name == "Friday the 13th";
                    assert!(meant, "{} on {earlier} and {date}", day.name);
                }
            }
        }
    }
    assert!(again().contains("National Donut Day"), "{:?}", again());
}

fn any_date() -> impl Strategy<Value = Date> {
    (0..6210i32).prop_map(|days| date(2024, 1, 1) + days.days())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_slot_gets_the_day_of_its_number_and_no_sensitive_one(date in any_date(), slot in 1u32..6) {
        let (_, calendar) = cached();
        let days = calendar.observances(date);
        match calendar.pick(date, slot) {
            Pick::Observance(day) => {
                prop_assert_eq!(Some(&day), days.get(slot as usize - 1));
                prop_assert!(!sensitive().contains(&day.name), "{} on {}", day.name, date);
                prop_assert!(calendar.origin(date, slot).is_some());
            }
            Pick::Nothing { reason, .. } => {
                prop_assert!(days.len() < slot as usize, "{}: {}", date, reason);
                prop_assert_eq!(calendar.origin(date, slot), None);
            }
        }
    }
}

#[test]
fn a_run_starts_at_its_local_time_in_winter_and_in_summer_unless_the_bot_is_disabled() {
    let (mut bot, _) = shipped();
    let at = |text: &str| text.parse::<Timestamp>().unwrap_or_default();
    let start = |date, time| Start {
        date,
        slot: 1,
        at: at(time),
        lead: SignedDuration::from_hours(2),
    };
    // 8:00 in New York less the lead of two hours; 28 and 29 November are a weekend.
    for (from, to, starts) in [
        (
            "2026-11-24T00:00:00Z",
            "2026-11-24T23:00:00Z",
            vec![start(date(2026, 11, 24), "2026-11-24T11:00:00Z")],
        ),
        (
            "2026-10-30T00:00:00Z",
            "2026-10-30T23:00:00Z",
            vec![start(date(2026, 10, 30), "2026-10-30T10:00:00Z")],
        ),
        ("2026-11-28T06:00:00Z", "2026-11-29T23:00:00Z", vec![]),
        // After one time and not after another.
        ("2026-11-24T11:00:00Z", "2026-11-25T10:59:59Z", vec![]),
        (
            "2026-11-24T10:59:59Z",
            "2026-11-25T11:00:00Z",
            vec![
                start(date(2026, 11, 24), "2026-11-24T11:00:00Z"),
                start(date(2026, 11, 25), "2026-11-25T11:00:00Z"),
            ],
        ),
    ] {
        assert_eq!(bot.starts(at(from), at(to)), starts);
    }
    bot.enabled = false;
    let (from, to) = (at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z"));
    assert_eq!(bot.starts(from, to), []);
}

fn cached() -> &'static (Bot, Calendar) {
    static SHIPPED: LazyLock<(Bot, Calendar)> = LazyLock::new(shipped);
    &SHIPPED
}

/// The names of the file whose line holds a text: a reading of the file that owes nothing to the parser.
fn named(text: &str) -> BTreeSet<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bots/spooky-days/calendar.toml");
    let file = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{error}"));
    file.lines()
        .filter(|line| line.contains(text))
        .flat_map(|line| {
            line.split("{ name = \"")
                .skip(1)
                .filter(|entry| entry.contains(text))
                .filter_map(|entry| entry.split_once('"'))
                .map(|(name, _)| name.to_owned())
                .collect::<Vec<_>>()
        })
        .collect()
}

fn sensitive() -> &'static BTreeSet<String> {
    static NAMES: LazyLock<BTreeSet<String>> = LazyLock::new(|| named(", sensitive = \""));
    &NAMES
}

fn again() -> &'static BTreeSet<String> {
    static NAMES: LazyLock<BTreeSet<String>> = LazyLock::new(|| named(", again = true"));
    &NAMES
}
