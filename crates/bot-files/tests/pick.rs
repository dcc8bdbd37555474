//! Which day a date's slot gets.

use bot_files::{Calendar, Observance, Pick};
use jiff::{
    ToSpan,
    civil::{Date, Weekday, date},
};
use post::SkipReason;
use proptest::prelude::*;

const CALENDAR: &str = r#"
[days]
02-29 = [{ name = "Bachelor's Day" }]
10-29 = [{ name = "World Stroke Day", sensitive = "health" }]
10-30 = [{ name = "National Candy Corn Day", scene = "candy corn with fangs", caption = "Sweet!" }]
10-31 = [
  { name = "Reformation Day", sensitive = "religion" },
  { name = "Halloween", scene = "a pumpkin" },
  { name = "National Caramel Apple Day" },
  { name = "National Magic Day" },
]
11-11 = [{ name = "Origami Day" }]
11-13 = [{ name = "World Kindness Day" }, { name = "National Indian Pudding Day" }]
"friday the 13th" = [{ name = "Friday the 13th" }]
"second friday of november" = [{ name = "Second Choice Day", rank = 2 }]
"thanksgiving + 1" = [{ name = "National Leftovers Day" }]

[remembrance]
11-11 = "Veterans Day"
"third monday of january" = "Martin Luther King Jr. Day"

[overrides]
2026-05-03 = { name = "Bot Day" }
2027-10-30 = { scene = "candy corn on parade" }
2028-10-31 = [{ slot = 1, name = "National Magic Day" }, { slot = 2, skip = "one is enough" }]
2029-10-31 = { name = "Pumpkin Thunder Day", caption = "Boom." }
2030-10-31 = { slot = 4, name = "Fourth Day" }
2026-12-25 = { name = "A Day on a Blackout" }

[blackouts]
"2026-12-24 to 2026-12-26" = "the family is home"
2025-10-31 = "a sad day"
"#;

fn calendar() -> Calendar {
    Calendar::parse("calendar.toml", CALENDAR).unwrap_or_else(|problems| panic!("{problems}"))
}

fn names(date: Date) -> Vec<String> {
    calendar()
        .observances(date)
        .into_iter()
        .map(|day| day.name)
        .collect()
}

fn reason(date: Date, slot: u32) -> String {
    match calendar().pick(date, slot) {
        Pick::Nothing { reason, .. } => reason,
        Pick::Observance(found) => panic!("{date} slot {slot} is {}", found.name),
    }
}

#[test]
fn slots_take_the_usable_days_in_order() {
    let calendar = calendar();
    let name = |slot| match calendar.pick(date(2026, 10, 31), slot) {
        Pick::Observance(day) => day.name,
        Pick::Nothing { reason, .. } => reason,
    };
    assert_eq!(name(1), "Halloween");
    assert_eq!(name(2), "National Caramel Apple Day");
    assert_eq!(name(3), "National Magic Day");
    assert_eq!(name(4), "slot 4 of 2026-10-31: the date has 3 observances");
    assert_eq!(name(0), "slot 0: slots are counted from 1");
}

#[test]
fn a_slot_without_an_observance_has_a_reason() {
    assert_eq!(reason(date(2027, 5, 3), 1), "no entry for 05-03");
    assert_eq!(
        reason(date(2026, 10, 29), 1),
        "no entry for 10-29 that is not sensitive"
    );
    assert_eq!(
        reason(date(2026, 10, 30), 2),
        "slot 2 of 2026-10-30: the date has 1 observance"
    );
    assert_eq!(reason(date(2026, 11, 11), 1), "remembrance: Veterans Day");
    assert_eq!(
        reason(date(2027, 1, 18), 1),
        "remembrance: Martin Luther King Jr. Day"
    );
    assert_eq!(reason(date(2025, 10, 31), 1), "blackout: a sad day");
    assert_eq!(reason(date(2028, 10, 31), 2), "skipped: one is enough");
    assert_eq!(reason(date(2027, 2, 28), 1), "no entry for 02-28");
}

#[test]
fn a_blackout_wins_over_an_override() {
    for day in 24..=26 {
        assert_eq!(
            reason(date(2026, 12, day), 1),
            "blackout: the family is home"
        );
    }
    assert_eq!(reason(date(2026, 12, 27), 1), "no entry for 12-27");
}

#[test]
fn a_moving_day_takes_the_place_that_its_rank_says() {
    // 2026-11-13 is the second Friday of November.
    assert_eq!(
        names(date(2026, 11, 13)),
        [
            "Friday the 13th",
            "World Kindness Day",
            "Second Choice Day",
            "National Indian Pudding Day"
        ]
    );
    assert_eq!(
        names(date(2027, 11, 13)),
        ["World Kindness Day", "National Indian Pudding Day"]
    );
    assert_eq!(names(date(2027, 11, 26)), ["National Leftovers Day"]);
}

#[test]
fn leap_day_comes_in_leap_years() {
    assert_eq!(names(date(2028, 2, 29)), ["Bachelor's Day"]);
}

#[test]
fn an_override_changes_its_own_slot_and_no_other() {
    // A day that is there already changes places, so that it is not posted twice.
    assert_eq!(
        names(date(2028, 10, 31)),
        ["National Magic Day", "Halloween"]
    );
    assert_eq!(
        names(date(2029, 10, 31)),
        [
            "Pumpkin Thunder Day",
            "National Caramel Apple Day",
            "National Magic Day"
        ]
    );
    assert_eq!(
        names(date(2030, 10, 31)),
        [
            "Halloween",
            "National Caramel Apple Day",
            "National Magic Day",
            "Fourth Day"
        ]
    );
    assert_eq!(names(date(2026, 5, 3)), ["Bot Day"]);
}

#[test]
fn an_override_of_the_scene_keeps_the_rest() {
    let day = |name: &str, scene: Option<&str>, caption: Option<&str>| {
        Pick::Observance(Observance {
            name: name.into(),
            scene: scene.map(Into::into),
            caption: caption.map(Into::into),
        })
    };
    let calendar = calendar();
    assert_eq!(
        calendar.pick(date(2027, 10, 30), 1),
        day(
            "National Candy Corn Day",
            Some("candy corn on parade"),
            Some("Sweet!")
        )
    );
    // Another day does not inherit what was written for the one it replaces.
    assert_eq!(
        calendar.pick(date(2029, 10, 31), 1),
        day("Pumpkin Thunder Day", None, Some("Boom."))
    );
}

#[test]
fn the_dates_are_those_with_a_usable_day() {
    let dates: Vec<String> = calendar()
        .dates(2026..=2026)
        .map(|date| date.to_string())
        .collect();
    assert_eq!(
        dates,
        [
            "2026-02-13",
            "2026-03-13",
            "2026-05-03",
            "2026-10-30",
            "2026-10-31",
            "2026-11-13",
            "2026-11-27"
        ]
    );
}

fn any_date() -> impl Strategy<Value = Date> {
    (0..6209i32).prop_map(|days| date(2024, 1, 1) + days.days())
}

proptest! {
    #[test]
    fn slots_and_days_agree_on_every_date(date in any_date(), slot in 1u32..6) {
        let calendar = calendar();
        let picked = (1..10).filter_map(|slot| match calendar.pick(date, slot) {
            Pick::Observance(day) => Some(day),
            Pick::Nothing { .. } => None,
        });
        prop_assert_eq!(picked.collect::<Vec<_>>(), calendar.observances(date));
        // The same question gets the same answer, and an answer that is no day has a reason.
        prop_assert_eq!(calendar.pick(date, slot), calendar.pick(date, slot));
        if let Pick::Nothing { reason, .. } = calendar.pick(date, slot) {
            prop_assert!(!reason.is_empty());
        }
    }

    #[test]
    fn no_observance_is_twice_on_a_date(date in any_date()) {
        let mut days = names(date);
        let all = days.len();
        days.sort();
        days.dedup();
        prop_assert_eq!(days.len(), all);
    }

    #[test]
    fn silent_dates_stay_silent(date in any_date(), slot in 0u32..6) {
        let third_monday = date.month() == 1 && date.weekday() == Weekday::Monday && (15..=21).contains(&date.day());
        let silent = third_monday || (date.month(), date.day()) == (11, 11);
        if silent {
            prop_assert!(matches!(calendar().pick(date, slot), Pick::Nothing { .. }), "{}", date);
        }
    }

    #[test]
    fn an_override_and_a_blackout_win_on_their_dates_and_nowhere_else(over in any_date(), first in any_date(), length in 0i32..40, date in any_date()) {
        let plain = CALENDAR.split("[overrides]").next().unwrap_or_default();
        let last = first + length.days();
        let text = format!("{plain}[overrides]\n{over} = {{ name = \"Bot Day\" }}\n[blackouts]\n\"{first} to {last}\" = \"a rest\"\n");
        let plain = Calendar::parse("calendar.toml", plain).unwrap();
        // An override of a remembrance day is rejected, which leaves nothing to compare.
        let Ok(calendar) = Calendar::parse("calendar.toml", &text) else {
            let refused = matches!(plain.pick(over, 1), Pick::Nothing { reason, .. } if reason.starts_with("remembrance: "));
            prop_assert!(refused, "{}", over);
            return Ok(());
        };
        for date in [date, over, first, last] {
            let picked = calendar.pick(date, 1);
            if (first..=last).contains(&date) {
                prop_assert_eq!(picked, Pick::Nothing { why: SkipReason::Blackout, reason: "blackout: a rest".into() });
                prop_assert_eq!(calendar.usable(date), None);
            } else if date == over {
                prop_assert!(matches!(picked, Pick::Observance(day) if day.name == "Bot Day"), "{}", date);
                let origin = calendar.origin(date, 1).unwrap_or_default();
                prop_assert!(origin.starts_with(&format!("the override of {over} on line ")), "{}", origin);
            } else {
                prop_assert_eq!(picked, plain.pick(date, 1));
            }
        }
    }

    #[test]
    fn friday_the_13th_leads_whenever_it_comes(date in any_date()) {
        let comes = date.day() == 13 && date.weekday() == Weekday::Friday;
        prop_assert_eq!(names(date).first().is_some_and(|name| name == "Friday the 13th"), comes);
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in "(\\[days\\]\n)?[-a-z0-9\"= \\[\\]{}\n.]{0,80}") {
        let _ = Calendar::parse("calendar.toml", &text);
        let _ = bot_files::Bot::parse("bot.toml", &text);
    }
}
