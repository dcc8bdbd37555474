//! One broken file for each kind of mistake, and its problems. The snapshots hold the messages.

#![expect(clippy::expect_used, reason = "in a test, a panic is the failure")]

use bot_files::{Bot, Calendar, Notifications, OnTimeout, Policy, Problems, check};

const BOT: &str = r##"time_zone = "America/New_York"

[[slots]]
time = "08:00"
weekdays = ["monday", "friday"]
lead = "10m"

[picture]
model = "gpt-image-2.6-flare"
size = "1024x1024"
quality = "medium"
format = "jpeg"

[approval]
policy = "off"

[posting]
late_after = "6h"

[voice]
brief = "A spooky picture."
avoid = "No text."
scenes = ["a ghost with {subject}"]
styles = ["linocut"]
lighting = ["moonlight"]
palettes = ["orange and black"]
compositions = ["wide"]
softness = [{ mood = "spooky" }, { mood = "mild" }, { mood = "sweet" }]
captions = ["Happy {name}!"]
hashtags = ["#SpookyDays"]
hashtags_per_caption = 2
alt_texts = ["{scene}, drawn as {style} for {name}."]

[notifications]
to = ["a@example.org"]
"##;

const CALENDAR: &str = r#"[days]
10-30 = [
  { name = "National Candy Corn Day", scene = "candy corn with fangs" },
]
10-31 = [
  { name = "Halloween" },
  { name = "National Magic Day" },
]
"friday the 13th" = [{ name = "Friday the 13th" }]

[remembrance]
11-11 = "Veterans Day"

[overrides]
2026-10-30 = { name = "Haunted Refrigerator Night" }

[blackouts]
"2026-12-24 to 2026-12-26" = "holidays"
"#;

/// The sound file with one text in place of another.
fn broken(sound: &str, from: &str, to: &str) -> String {
    assert!(sound.contains(from), "{from}");
    sound.replacen(from, to, 1)
}

/// What was changed in a sound file, and the problems that it then has.
fn described(from: &str, to: &str, problems: Result<(), Problems>) -> String {
    let problems = problems.expect_err(to).to_string();
    // A mistake that every date has is reported for each of them.
    let problems: Vec<&str> = problems.lines().take(3).collect();
    format!("{from:?} -> {to:?}\n    {}\n", problems.join("\n    "))
}

#[test]
fn the_sound_files_are_sound() {
    let bot = Bot::parse("bot.toml", BOT).unwrap();
    let calendar = Calendar::parse("calendar.toml", CALENDAR).unwrap();
    check(&bot, &calendar, 2024..=2040).unwrap();
}

#[test]
fn a_mistake_in_bot_toml_is_reported_with_its_line_and_the_fix() {
    let described: Vec<String> = [
        ("time_zone = \"America/New_York\"", "time_zone = \"America/New_York"),
        ("lead = \"10m\"", "lead = \"10m\"\nlead = \"20m\""),
        ("[posting]", "[postin]"),
        ("[posting]", "[colors]"),
        ("policy = \"off\"", "policy = \"required\""),
        ("policy = \"off\"", "policy = \"maybe\"\napprovers = [\"a@example.org\"]"),
        ("policy = \"off\"", "approvers = [\"Ann <ann@example.org>\"]\npolicy = \"off\""),
        ("policy = \"off\"", "approvers = [\"a@example.org\", \"a@example.org\"]"),
        ("policy = \"off\"", "policy = \"off\"\ndeadline = \"1m\""),
        ("policy = \"off\"", "policy = \"off\"\ndeadline = \"25h\""),
        ("policy = \"off\"", "policy = \"off\"\non_timeout = \"shrug\""),
        ("policy = \"off\"", "policy = \"off\"\nreminder = \"4h\""),
        ("time_zone = \"America/New_York\"\n", "time_zone = \"America/New_York\"\nenabled = \"no\"\n"),
        ("policy = \"off\"", "policy = \"off\"\n[money]\nper_day_usd = -1"),
        ("policy = \"off\"", "policy = \"off\"\n[money]\nper_month_usd = \"10\""),
        ("policy = \"off\"", "policy = \"off\"\n[money]\nper_day_usd = inf"),
        ("policy = \"off\"", "policy = \"off\"\n[money]\nper_day_usd = 20"),
        ("to = [\"a@example.org\"]\n", ""),
        ("to = [\"a@example.org\"]", "to = []"),
        ("to = [\"a@example.org\"]", "to = [\"Ann\"]"),
        ("to = [\"a@example.org\"]", "to = [\"a@example.org\"]\nposted = \"yes\""),
        ("to = [\"a@example.org\"]", "to = [\"a@example.org\"]\nfailed = false"),
        ("quality =", "qualty ="),
        ("time_zone = \"America/New_York\"\n", ""),
        ("America/New_York", "America/New_Yrok"),
        ("America/New_York", "Nowhere"),
        ("\"America/New_York\"", "5"),
        ("time = \"08:00\"\n", ""),
        ("\"08:00\"", "\"8 o'clock\""),
        ("\"08:00\"", "\"24:00\""),
        ("\"08:00\"", "08:00:00"),
        ("\"friday\"]", "\"firday\"]"),
        ("\"friday\"]", "\"mon\"]"),
        ("[\"monday\", \"friday\"]", "[]"),
        ("\"10m\"", "10"),
        ("\"10m\"", "\"-10m\""),
        ("\"10m\"", "\"9h\""),
        ("\"1024x1024\"", "\"1000x1000\""),
        ("\"medium\"", "\"good\""),
        ("\"jpeg\"", "\"jpg\""),
        ("\"off\"", "\"never\""),
        ("\"6h\"", "\"later\""),
        ("[\"linocut\"]", "[]"),
        ("[\"linocut\"]", "\"linocut\""),
        ("[\"linocut\"]", "[\"linocut\", \"linocut\"]"),
        ("[\"linocut\"]", "[\" \"]"),
        ("{subject}\"]", "{subjct}\"]"),
        (", { mood = \"sweet\" }", ""),
        ("{ mood = \"sweet\" }", "{ moood = \"sweet\" }"),
        ("Happy {name}!", "Happy day!"),
        ("Happy {name}!", "Happy National {name}!"),
        ("#SpookyDays", "Spooky Days"),
        ("hashtags_per_caption = 2", "hashtags_per_caption = 20"),
        ("[notifications]", "[notices]"),
        ("to = [\"a@example.org\"]", "to = [\"1@a.org\", \"2@a.org\", \"3@a.org\", \"4@a.org\", \"5@a.org\", \"6@a.org\", \"7@a.org\", \"8@a.org\", \"9@a.org\", \"10@a.org\", \"11@a.org\"]"),
    ]
    .iter()
    .map(|(from, to)| {
        let parsed = Bot::parse("bot.toml", &broken(BOT, from, to));
        described(from, to, parsed.map(drop))
    })
    .collect();
    insta::assert_snapshot!(described.join("\n"));
}

#[test]
fn a_mistake_in_calendar_toml_is_reported_with_its_line_and_the_fix() {
    let days = "10-30 = [";
    let described: Vec<String> = [
        ("  { name = \"Halloween\" },", "  { name = \"Halloween\""),
        ("10-31 = [", "10-30 = ["),
        ("[days]", "[dayz]"),
        ("[blackouts]", "[blackout]"),
        ("scene =", "sceen ="),
        ("{ name = \"Halloween\" }", "{ scene = \"a pumpkin\" }"),
        ("\"Halloween\" }", "31 }"),
        ("\"Halloween\" }", "\"\" }"),
        ("{ name = \"Halloween\" }", "\"Halloween\""),
        ("\"National Magic Day\"", "\"National candy corn day\""),
        (
            "{ name = \"National Magic Day\" }",
            "{ name = \"National Magic Day\", again = true }",
        ),
        (
            "{ name = \"National Magic Day\" }",
            "{ name = \"Halloween\", again = true }",
        ),
        (
            "{ name = \"National Magic Day\" }",
            "{ name = \"National Candy Corn Day\", again = \"yes\" }",
        ),
        (
            "{ name = \"National Magic Day\" }",
            "{ name = \"National Magic Day\", scene = \"Candy corn with fangs\" }",
        ),
        (
            "{ name = \"Halloween\" }",
            "{ name = \"Halloween\", sensitive = true }",
        ),
        (
            "{ name = \"Halloween\" }",
            "{ name = \"Halloween\", sensitive = \"\" }",
        ),
        (
            "{ name = \"Halloween\" }",
            "{ name = \"Halloween\", rank = 0 }",
        ),
        (days, "02-30 = ["),
        (days, "31-10 = ["),
        (days, "1-5 = ["),
        (days, "\"frist friday of june\" = ["),
        (days, "\"sixth friday of june\" = ["),
        (days, "\"first freitag of june\" = ["),
        (days, "\"first friday of juni\" = ["),
        (days, "\"friday the 32nd\" = ["),
        (days, "\"friday the thirteenth\" = ["),
        (days, "\"thanksgving + 1\" = ["),
        (days, "\"easter + many\" = ["),
        (days, "\"every full moon\" = ["),
        (
            "\"friday the 13th\" = [{ name = \"Friday the 13th\" }]",
            "\"friday the 13th\" = []",
        ),
        ("[{ name = \"Friday the 13th\" }]", "\"Friday the 13th\""),
        ("\"Veterans Day\"", "true"),
        ("2026-10-30 =", "10-30 ="),
        ("2026-10-30 =", "2026-02-29 ="),
        ("2026-10-30 =", "2026-11-11 ="),
        ("{ name = \"Haunted Refrigerator Night\" }", "{}"),
        (
            "{ name = \"Haunted Refrigerator Night\" }",
            "{ name = \"Haunted Refrigerator Night\", skip = \"no\" }",
        ),
        (
            "{ name = \"Haunted Refrigerator Night\" }",
            "{ slot = 0, skip = \"no\" }",
        ),
        (
            "{ name = \"Haunted Refrigerator Night\" }",
            "{ slot = 2, scene = \"a bat\" }",
        ),
        (
            "{ name = \"Haunted Refrigerator Night\" }",
            "{ slot = 3, name = \"Bat Day\" }",
        ),
        (
            "{ name = \"Haunted Refrigerator Night\" }",
            "{ slot = 2, name = \"National Candy Corn Day\" }",
        ),
        (
            "{ name = \"Haunted Refrigerator Night\" }",
            "[{ scene = \"a bat\" }, { caption = \"Boo!\" }]",
        ),
        ("2026-12-24 to 2026-12-26", "2026-12-26 to 2026-12-24"),
        ("2026-12-24 to 2026-12-26", "christmas"),
        ("\"holidays\"", "\"\""),
    ]
    .iter()
    .map(|(from, to)| {
        let parsed = Calendar::parse("calendar.toml", &broken(CALENDAR, from, to));
        described(from, to, parsed.map(drop))
    })
    .collect();
    insta::assert_snapshot!(described.join("\n"));
}

#[test]
fn a_mistake_between_the_two_files_is_reported_with_its_line_and_the_fix() {
    let slot = "time = \"08:00\"\nweekdays = [\"monday\", \"friday\"]";
    let long = format!("Happy {{name}}{}", "!".repeat(270));
    let haunted = "{ name = \"Haunted Refrigerator Night\" }";
    let described: Vec<String> = [
        (slot, "time = \"02:30\""),
        (slot, "time = \"03:05\""),
        ("[picture]", "[[slots]]\ntime = \"18:00\"\n\n[picture]"),
        ("Happy {name}!", &long),
        ("scene = \"candy corn with fangs\"", "sensitive = \"sugar\""),
        (
            "\"Halloween\" }",
            "\"Halloween\", caption = \"Boo! example.com\" }",
        ),
        ("\"Halloween\" }", "\"Halloween with @ghost\" }"),
        (haunted, "{ caption = \"$BOO and $SOUL\" }"),
    ]
    .iter()
    .map(|(from, to)| {
        let change = |sound: &str| sound.replacen(from, to, 1);
        assert!(BOT.contains(from) != CALENDAR.contains(from), "{from}");
        let bot = Bot::parse("bot.toml", &change(BOT)).unwrap();
        let calendar = Calendar::parse("calendar.toml", &change(CALENDAR)).unwrap();
        described(from, to, check(&bot, &calendar, 2024..=2040))
    })
    .collect();
    insta::assert_snapshot!(described.join("\n"));
}

#[test]
fn all_problems_of_a_file_are_reported_at_once_in_the_order_of_the_lines() {
    let text = BOT
        .replace("08:00", "8")
        .replace("medium", "good")
        .replace("Happy {name}!", "Happy!");
    let problems = Bot::parse("bot.toml", &text).unwrap_err();
    let lines: Vec<usize> = problems.0.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [4, 11, 29]);
}

#[test]
fn a_bot_without_an_approval_section_requires_an_approval_and_posts_nothing_without_it() {
    let text = BOT.replace("policy = \"off\"\n", "approvers = [\"a@example.org\"]\n");
    let approval = Bot::parse("bot.toml", &text).unwrap().approval;
    assert_eq!(approval.policy, Policy::Required);
    assert_eq!(approval.on_timeout, OnTimeout::Skip);
    // As the state machine and the functions read it.
    assert_eq!(
        serde_json::to_value(&approval).unwrap(),
        serde_json::json!({"policy": "required", "approvers": ["a@example.org"], "deadline": "PT4H", "onTimeout": "skip"})
    );
    let silent = BOT.replace("[approval]\npolicy = \"off\"\n", "");
    let problems = Bot::parse("bot.toml", &silent).unwrap_err().to_string();
    assert!(
        problems.starts_with("bot.toml:1: an approval is required"),
        "{problems}"
    );
}

#[test]
fn a_bot_without_a_money_section_may_spend_little() {
    let money = |text: &str| {
        let bot = Bot::parse("bot.toml", text).unwrap();
        (bot.money.per_day_micros, bot.money.per_month_micros)
    };
    assert_eq!(money(BOT), (1_000_000, 10_000_000));
    let spends = |caps: &str| BOT.replace("[posting]", &format!("[money]\n{caps}\n[posting]"));
    let text = spends("per_day_usd = 0.25\nper_month_usd = 3");
    assert_eq!(money(&text), (250_000, 3_000_000));
    assert_eq!(money(&spends("per_day_usd = 0")), (0, 10_000_000));
}

#[test]
fn the_approvers_are_notified_unless_others_are_named_and_only_of_what_needs_an_operator() {
    let text = BOT
        .replace("policy = \"off\"\n", "approvers = [\"b@example.org\"]\n")
        .replace("[notifications]\nto = [\"a@example.org\"]\n", "");
    let notified = Notifications {
        to: vec!["b@example.org".to_owned()],
        posted: false,
        skipped: false,
        rejected: false,
    };
    assert_eq!(
        Bot::parse("bot.toml", &text).unwrap().notifications,
        notified
    );
    let text = text + "\n[notifications]\nto = [\"c@example.org\"]\nposted = true\n";
    let notified = Notifications {
        to: vec!["c@example.org".to_owned()],
        posted: true,
        ..notified
    };
    assert_eq!(
        Bot::parse("bot.toml", &text).unwrap().notifications,
        notified
    );
}

#[test]
fn a_voice_that_is_too_large_for_the_state_data_is_rejected() {
    let text = BOT.replace("A spooky picture.", &"spooky ".repeat(1500));
    let problems = Bot::parse("bot.toml", &text).unwrap_err().to_string();
    assert!(
        problems.starts_with("bot.toml:20: [voice] must be at most 8192 bytes"),
        "{problems}"
    );
}
