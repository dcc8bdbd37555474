//! One broken file for each kind of mistake, and the message that it gets.

use bot_files::{Bot, Calendar, Notices, OnTimeout, Policy, check};

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

[notices]
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

#[test]
fn the_sound_files_are_sound() {
    let bot = Bot::parse("bot.toml", BOT).unwrap();
    let calendar = Calendar::parse("calendar.toml", CALENDAR).unwrap();
    check(&bot, &calendar, 2024..=2040).unwrap();
}

#[test]
fn a_mistake_in_bot_toml_is_told_with_its_line_and_the_fix() {
    for (from, to, message) in [
        (
            "time_zone = \"America/New_York\"",
            "time_zone = \"America/New_York",
            "bot.toml:1: this is not TOML: invalid basic string, expected `\"`; mend the line \"time_zone = \"America/New_York\"",
        ),
        (
            "lead = \"10m\"",
            "lead = \"10m\"\nlead = \"20m\"",
            "bot.toml:7: the key of this line is there twice; keep one, with everything in it",
        ),
        (
            "[posting]",
            "[postin]",
            "bot.toml:17: the file has no key \"postin\"; did you mean \"posting\"?",
        ),
        (
            "[posting]",
            "[colours]",
            "bot.toml:17: the file has no key \"colours\"; remove it, or use one of time_zone, enabled, slots, picture, approval, money, posting, notices, voice",
        ),
        (
            "policy = \"off\"",
            "policy = \"required\"",
            "bot.toml:14: an approval is required, and nobody is there to give it; set approvers = [\"you@example.org\"] in [approval], or policy = \"off\"",
        ),
        (
            "policy = \"off\"",
            "policy = \"maybe\"\napprovers = [\"a@example.org\"]",
            "bot.toml:15: policy is \"maybe\"; make it one of \"off\", \"required\"",
        ),
        (
            "policy = \"off\"",
            "approvers = [\"Ann <ann@example.org>\"]\npolicy = \"off\"",
            "bot.toml:15: \"Ann <ann@example.org>\" is no mail address; write it without a name, like \"you@example.org\"",
        ),
        (
            "policy = \"off\"",
            "approvers = [\"a@example.org\", \"a@example.org\"]",
            "bot.toml:15: \"a@example.org\" is there twice; name each approver once",
        ),
        (
            "policy = \"off\"",
            "policy = \"off\"\ndeadline = \"1m\"",
            "bot.toml:16: nobody decides as fast as the deadline; give it at least 5 minutes",
        ),
        (
            "policy = \"off\"",
            "policy = \"off\"\ndeadline = \"25h\"",
            "bot.toml:16: deadline is \"25h\"; make it a length of time in quotes of at most 24 hours, like \"10m\" or \"1h 30m\"",
        ),
        (
            "policy = \"off\"",
            "policy = \"off\"\non_timeout = \"shrug\"",
            "bot.toml:16: on_timeout is \"shrug\"; make it one of \"skip\", \"post\"",
        ),
        (
            "policy = \"off\"",
            "policy = \"off\"\nreminder = \"4h\"",
            "bot.toml:16: the reminder would come before the mail; make it shorter than the deadline: it is the time between reminder and deadline",
        ),
        (
            "time_zone = \"America/New_York\"\n",
            "time_zone = \"America/New_York\"\nenabled = \"no\"\n",
            "bot.toml:2: enabled is \"no\"; make it true or false",
        ),
        (
            "policy = \"off\"",
            "policy = \"off\"\n[money]\nper_day_usd = -1",
            "bot.toml:17: per_day_usd is -1; make it an amount from 0 to 10000, like 1.50",
        ),
        (
            "policy = \"off\"",
            "policy = \"off\"\n[money]\nper_month_usd = \"10\"",
            "bot.toml:17: per_month_usd is \"10\"; make it an amount from 0 to 10000, like 1.50",
        ),
        (
            "policy = \"off\"",
            "policy = \"off\"\n[money]\nper_day_usd = inf",
            "bot.toml:17: per_day_usd is of the type float; make it an amount from 0 to 10000, like 1.50",
        ),
        (
            "policy = \"off\"",
            "policy = \"off\"\n[money]\nper_day_usd = 20",
            "bot.toml:16: a day may cost more than its whole month; make per_day_usd at most per_month_usd",
        ),
        (
            "to = [\"a@example.org\"]\n",
            "",
            "bot.toml:34: nobody would be told when a run fails; set to = [\"you@example.org\"] in [notices]",
        ),
        (
            "to = [\"a@example.org\"]",
            "to = []",
            "bot.toml:35: nobody would be told when a run fails; set to = [\"you@example.org\"] in [notices]",
        ),
        (
            "to = [\"a@example.org\"]",
            "to = [\"Ann\"]",
            "bot.toml:35: \"Ann\" is no mail address; write it without a name, like \"you@example.org\"",
        ),
        (
            "to = [\"a@example.org\"]",
            "to = [\"a@example.org\"]\nposted = \"yes\"",
            "bot.toml:36: posted is \"yes\"; make it true or false",
        ),
        (
            "to = [\"a@example.org\"]",
            "to = [\"a@example.org\"]\nfailed = false",
            "bot.toml:36: [notices] has no key \"failed\"; remove it, or use one of to, posted, skipped, rejected",
        ),
        (
            "quality =",
            "qualty =",
            "bot.toml:11: [picture] has no key \"qualty\"; did you mean \"quality\"?",
        ),
        (
            "time_zone = \"America/New_York\"\n",
            "",
            "bot.toml:1: the file has no \"time_zone\"; add time_zone = \"America/New_York\"",
        ),
        (
            "America/New_York",
            "America/New_Yrok",
            "bot.toml:1: there is no time zone \"America/New_Yrok\"; did you mean \"America/New_York\"?",
        ),
        (
            "America/New_York",
            "Nowhere",
            "bot.toml:1: there is no time zone \"Nowhere\"; use a name of the IANA database, like \"America/New_York\"",
        ),
        (
            "\"America/New_York\"",
            "5",
            "bot.toml:1: time_zone is 5; make it text in quotes",
        ),
        (
            "time = \"08:00\"\n",
            "",
            "bot.toml:3: a slot has no \"time\"; add time = \"08:00\"",
        ),
        (
            "\"08:00\"",
            "\"8 o'clock\"",
            "bot.toml:4: time is \"8 o'clock\"; make it hours and minutes in quotes, like \"08:00\"",
        ),
        (
            "\"08:00\"",
            "\"24:00\"",
            "bot.toml:4: time is \"24:00\"; make it hours and minutes in quotes, like \"08:00\"",
        ),
        (
            "\"08:00\"",
            "08:00:00",
            "bot.toml:4: time is of the type datetime; make it hours and minutes in quotes, like \"08:00\"",
        ),
        (
            "\"friday\"]",
            "\"firday\"]",
            "bot.toml:5: \"firday\" is not a weekday; did you mean \"friday\"?",
        ),
        (
            "\"friday\"]",
            "\"mon\"]",
            "bot.toml:5: \"mon\" is there twice; name each weekday once",
        ),
        (
            "[\"monday\", \"friday\"]",
            "[]",
            "bot.toml:5: the slot has no weekdays; name at least one, or remove the slot",
        ),
        (
            "\"10m\"",
            "10",
            "bot.toml:6: lead is 10; make it a length of time in quotes of at most 24 hours, like \"10m\" or \"1h 30m\"",
        ),
        (
            "\"10m\"",
            "\"-10m\"",
            "bot.toml:6: lead is \"-10m\"; make it a length of time in quotes of at most 24 hours, like \"10m\" or \"1h 30m\"",
        ),
        (
            "\"10m\"",
            "\"9h\"",
            "bot.toml:6: the lead reaches back past midnight, so the run for 08:00 would start the day before; shorten the lead, or move the slot to a later time",
        ),
        (
            "\"1024x1024\"",
            "\"1000x1000\"",
            "bot.toml:10: size is \"1000x1000\"; make it width and height that are multiples of 16 and at most 3:1, like \"1024x1024\"",
        ),
        (
            "\"medium\"",
            "\"good\"",
            "bot.toml:11: quality is \"good\"; make it one of \"low\", \"medium\", \"high\", \"xhigh\", \"max\", \"auto\"",
        ),
        (
            "\"jpeg\"",
            "\"jpg\"",
            "bot.toml:12: format is \"jpg\"; make it one of \"jpeg\", \"png\", \"webp\"",
        ),
        (
            "\"off\"",
            "\"never\"",
            "bot.toml:15: policy is \"never\"; make it one of \"off\", \"required\"",
        ),
        (
            "\"6h\"",
            "\"later\"",
            "bot.toml:18: late_after is \"later\"; make it a length of time in quotes of at most 24 hours, like \"10m\" or \"1h 30m\"",
        ),
        (
            "[\"linocut\"]",
            "[]",
            "bot.toml:24: styles is empty; give it at least one text",
        ),
        (
            "[\"linocut\"]",
            "\"linocut\"",
            "bot.toml:24: styles is \"linocut\"; make it a list of texts in quotes",
        ),
        (
            "[\"linocut\"]",
            "[\"linocut\", \"linocut\"]",
            "bot.toml:24: the text is there twice; remove one of the two",
        ),
        (
            "[\"linocut\"]",
            "[\" \"]",
            "bot.toml:24: styles is empty; write something, or remove it",
        ),
        (
            "{subject}\"]",
            "{subjct}\"]",
            "bot.toml:23: scenes has no {subjct}; did you mean {subject}?",
        ),
        (
            ", { mood = \"sweet\" }",
            "",
            "bot.toml:28: softness has 2 levels; give it 3: as it is meant, softer, softest",
        ),
        (
            "{ mood = \"sweet\" }",
            "{ moood = \"sweet\" }",
            "bot.toml:28: a level of softness has no key \"moood\"; did you mean \"mood\"?",
        ),
        (
            "Happy {name}!",
            "Happy day!",
            "bot.toml:29: the text does not say {name}; put {name} into it",
        ),
        (
            "Happy {name}!",
            "Happy National {name}!",
            "bot.toml:29: \"National\" or \"Day\" would be there twice; take it out: {name} is the whole name, like National Pumpkin Day",
        ),
        (
            "#SpookyDays",
            "Spooky Days",
            "bot.toml:30: \"Spooky Days\" is no hashtag; write # and letters, digits or _, like \"#SpookyDays\"",
        ),
        (
            "hashtags_per_caption = 2",
            "hashtags_per_caption = 20",
            "bot.toml:31: hashtags_per_caption is 20; make it a whole number from 0 to 5",
        ),
    ] {
        let problems = Bot::parse("bot.toml", &broken(BOT, from, to))
            .expect_err(message)
            .to_string();
        assert_eq!(
            problems.lines().next(),
            Some(message),
            "all of it:\n{problems}"
        );
    }
}

#[test]
fn a_mistake_in_calendar_toml_is_told_with_its_line_and_the_fix() {
    let days = "10-30 = [";
    for (from, to, message) in [
        (
            "  { name = \"Halloween\" },",
            "  { name = \"Halloween\"",
            "calendar.toml:7: this is not TOML: missing key for inline table element, expected `,`; mend the line \"{ name = \"National Magic Day\" },\"",
        ),
        (
            "10-31 = [",
            "10-30 = [",
            "calendar.toml:5: the key of this line is there twice; keep one, with everything in it",
        ),
        (
            "[days]",
            "[dayz]",
            "calendar.toml:1: the file has no \"days\"; add days = { 10-31 = [{ name = \"Halloween\" }] }",
        ),
        (
            "[blackouts]",
            "[blackout]",
            "calendar.toml:17: the file has no key \"blackout\"; did you mean \"blackouts\"?",
        ),
        (
            "scene =",
            "sceen =",
            "calendar.toml:3: a day has no key \"sceen\"; did you mean \"scene\"?",
        ),
        (
            "{ name = \"Halloween\" }",
            "{ scene = \"a pumpkin\" }",
            "calendar.toml:6: a day has no \"name\"; add name = \"Halloween\"",
        ),
        (
            "\"Halloween\" }",
            "31 }",
            "calendar.toml:6: name is 31; make it text in quotes",
        ),
        (
            "\"Halloween\" }",
            "\"\" }",
            "calendar.toml:6: name is empty; write something, or remove it",
        ),
        (
            "{ name = \"Halloween\" }",
            "\"Halloween\"",
            "calendar.toml:6: a day is \"Halloween\"; make it a table",
        ),
        (
            "\"National Magic Day\"",
            "\"National candy corn day\"",
            "calendar.toml:7: \"National candy corn day\" is on line 3 already; keep the one that is right, or say again = true if both are meant",
        ),
        (
            "{ name = \"National Magic Day\" }",
            "{ name = \"National Magic Day\", again = true }",
            "calendar.toml:7: \"National Magic Day\" is not there before this line; remove again, or mend the name",
        ),
        (
            "{ name = \"National Magic Day\" }",
            "{ name = \"Halloween\", again = true }",
            "calendar.toml:7: \"Halloween\" is on this date already, on line 6; keep one of the two",
        ),
        (
            "{ name = \"National Magic Day\" }",
            "{ name = \"National Candy Corn Day\", again = \"yes\" }",
            "calendar.toml:7: again is \"yes\"; make it true, where the name stands on another date as well and is meant to",
        ),
        (
            "{ name = \"National Magic Day\" }",
            "{ name = \"National Magic Day\", scene = \"Candy corn with fangs\" }",
            "calendar.toml:7: the scene is that of line 3 too; write another for one of the two",
        ),
        (
            "{ name = \"Halloween\" }",
            "{ name = \"Halloween\", sensitive = true }",
            "calendar.toml:6: sensitive has no reason; say why, like sensitive = \"remembrance\"",
        ),
        (
            "{ name = \"Halloween\" }",
            "{ name = \"Halloween\", sensitive = \"\" }",
            "calendar.toml:6: sensitive has no reason; say why, like sensitive = \"remembrance\"",
        ),
        (
            "{ name = \"Halloween\" }",
            "{ name = \"Halloween\", rank = 0 }",
            "calendar.toml:6: rank is 0; make it a whole number from 1 to 9",
        ),
        (
            days,
            "02-30 = [",
            "calendar.toml:2: 02-30 never comes; use a day that there is: February has 29 at most",
        ),
        (
            days,
            "31-10 = [",
            "calendar.toml:2: 31-10 never comes; write the month first, 01 to 12, like 10-31",
        ),
        (
            days,
            "1-5 = [",
            "calendar.toml:2: \"1-5\" is no date; write month and day with two digits each, like 10-31",
        ),
        (
            days,
            "\"frist friday of june\" = [",
            "calendar.toml:2: \"frist\" is not one of the weeks; did you mean \"first\"?",
        ),
        (
            days,
            "\"sixth friday of june\" = [",
            "calendar.toml:2: \"sixth\" is not one of the weeks; did you mean \"fifth\"?",
        ),
        (
            days,
            "\"first freitag of june\" = [",
            "calendar.toml:2: \"freitag\" is not a weekday; use one of monday, tuesday, wednesday, thursday, friday, saturday, sunday",
        ),
        (
            days,
            "\"first friday of juni\" = [",
            "calendar.toml:2: \"juni\" is not a month; did you mean \"june\"?",
        ),
        (
            days,
            "\"friday the 32nd\" = [",
            "calendar.toml:2: friday the 32nd never comes; use a day that there is: January has 31 at most",
        ),
        (
            days,
            "\"friday the thirteenth\" = [",
            "calendar.toml:2: \"thirteenth\" is no day of the month; write it like 13th",
        ),
        (
            days,
            "\"thanksgving + 1\" = [",
            "calendar.toml:2: \"thanksgving + 1\" is no date; did you mean \"thanksgiving\"?",
        ),
        (
            days,
            "\"easter + many\" = [",
            "calendar.toml:2: \"easter + many\" moves by \"many\" days; move by 1 to 200 days",
        ),
        (
            days,
            "\"every full moon\" = [",
            "calendar.toml:2: \"every full moon\" is no date; write it like 10-31, first friday of june, last thursday of november, friday the 13th, easter + 1 or thanksgiving + 1",
        ),
        (
            "\"friday the 13th\" = [{ name = \"Friday the 13th\" }]",
            "\"friday the 13th\" = []",
            "calendar.toml:9: the date has no days; give it one, or remove the line",
        ),
        (
            "[{ name = \"Friday the 13th\" }]",
            "\"Friday the 13th\"",
            "calendar.toml:9: a date's value is \"Friday the 13th\"; make it a list of days, like [{ name = \"Halloween\" }]",
        ),
        (
            "\"Veterans Day\"",
            "true",
            "calendar.toml:12: what is remembered is of the type boolean; make it text in quotes",
        ),
        (
            "2026-10-30 =",
            "10-30 =",
            "calendar.toml:15: \"10-30\" is no date that comes; write year, month and day, like 2026-10-31",
        ),
        (
            "2026-10-30 =",
            "2026-02-29 =",
            "calendar.toml:15: \"2026-02-29\" is no date that comes; write year, month and day, like 2026-10-31",
        ),
        (
            "2026-10-30 =",
            "2026-11-11 =",
            "calendar.toml:15: 2026-11-11 is a remembrance day (Veterans Day), on which nothing is posted; remove the override, or the date from [remembrance]",
        ),
        (
            "{ name = \"Haunted Refrigerator Night\" }",
            "{}",
            "calendar.toml:15: an override changes nothing; give it a name, a scene, a caption or skip = \"the reason\"",
        ),
        (
            "{ name = \"Haunted Refrigerator Night\" }",
            "{ name = \"Haunted Refrigerator Night\", skip = \"no\" }",
            "calendar.toml:15: an override both skips and changes the day; keep skip, or the rest",
        ),
        (
            "{ name = \"Haunted Refrigerator Night\" }",
            "{ slot = 0, skip = \"no\" }",
            "calendar.toml:15: slot is 0; make it a whole number from 1 to 9",
        ),
        (
            "{ name = \"Haunted Refrigerator Night\" }",
            "{ slot = 2, scene = \"a bat\" }",
            "calendar.toml:15: slot 2 of 2026-10-30 has no day that could be changed; give it a name",
        ),
        (
            "{ name = \"Haunted Refrigerator Night\" }",
            "{ slot = 3, name = \"Bat Day\" }",
            "calendar.toml:15: slot 3 of 2026-10-30 comes after a slot without a day; use slot 2",
        ),
        (
            "{ name = \"Haunted Refrigerator Night\" }",
            "{ slot = 2, name = \"National Candy Corn Day\" }",
            "calendar.toml:15: 2026-10-30 has \"National Candy Corn Day\" already; use a slot from 1 to 1",
        ),
        (
            "{ name = \"Haunted Refrigerator Night\" }",
            "[{ scene = \"a bat\" }, { caption = \"Boo!\" }]",
            "calendar.toml:15: slot 1 of 2026-10-30 is overridden twice; keep one of the two",
        ),
        (
            "2026-12-24 to 2026-12-26",
            "2026-12-26 to 2026-12-24",
            "calendar.toml:18: \"2026-12-26 to 2026-12-24\" ends before it begins; write \"2026-12-24 to 2026-12-26\"",
        ),
        (
            "2026-12-24 to 2026-12-26",
            "christmas",
            "calendar.toml:18: \"christmas\" is no date that comes; write year, month and day, like 2026-10-31",
        ),
        (
            "\"holidays\"",
            "\"\"",
            "calendar.toml:18: the reason of the blackout is empty; write something, or remove it",
        ),
    ] {
        let problems = Calendar::parse("calendar.toml", &broken(CALENDAR, from, to))
            .expect_err(message)
            .to_string();
        assert!(
            problems.lines().any(|line| line == message),
            "wanted:\n{message}\ngot:\n{problems}"
        );
    }
}

#[test]
fn mistakes_between_the_two_files_are_told_with_line_and_fix() {
    let all_week = "[\"monday\", \"tuesday\", \"wednesday\", \"thursday\", \"friday\", \"saturday\", \"sunday\"]";
    let sound = (BOT.to_owned(), CALENDAR.to_owned());
    for ((bot, calendar), message) in [
        (
            (
                broken(
                    BOT,
                    "[\"monday\", \"friday\"]\nlead",
                    &format!("{all_week}\nlead"),
                )
                .replace("08:00", "02:30"),
                sound.1.clone(),
            ),
            "bot.toml:3: slot 1 has to do with 02:30 on 2024-03-10, a time that daylight saving time leaves out; choose a time, or a lead, outside the hour when the clocks go forward",
        ),
        (
            (
                broken(
                    BOT,
                    "[\"monday\", \"friday\"]\nlead",
                    &format!("{all_week}\nlead"),
                )
                .replace("08:00", "03:05"),
                sound.1.clone(),
            ),
            "bot.toml:3: slot 1 has to do with 02:55 on 2024-03-10, a time that daylight saving time leaves out; choose a time, or a lead, outside the hour when the clocks go forward",
        ),
        (
            (
                broken(BOT, "[picture]", "[[slots]]\ntime = \"18:00\"\n\n[picture]"),
                sound.1.clone(),
            ),
            "bot.toml:8: slot 2 has nothing to post on 2024-09-13, which has 1 usable; add a day to that date, or its reason for silence to [remembrance], or drop the slot",
        ),
        (
            (
                sound.0.clone(),
                broken(
                    CALENDAR,
                    "scene = \"candy corn with fangs\"",
                    "sensitive = \"sugar\"",
                ),
            ),
            "calendar.toml:3: slot 1 has nothing to post on 2028-10-30, which has 0 usable; add a day to that date, or its reason for silence to [remembrance], or drop the slot",
        ),
        (
            (
                sound.0.clone(),
                broken(
                    CALENDAR,
                    "\"Halloween\" }",
                    "\"Halloween\", caption = \"Boo! example.com\" }",
                ),
            ),
            "calendar.toml:6: the caption cannot be posted: it holds the link \"example.com\"; take the link out, or put a space after the full stop",
        ),
        (
            (
                sound.0.clone(),
                broken(CALENDAR, "\"Halloween\" }", "\"Halloween with @ghost\" }"),
            ),
            "calendar.toml:6: no caption of bot.toml can be posted for \"Halloween with @ghost\": it mentions \"@ghost\"; take the mention out",
        ),
        (
            (
                broken(
                    BOT,
                    "Happy {name}!",
                    &format!("Happy {{name}}{}", "!".repeat(270)),
                ),
                sound.1.clone(),
            ),
            "calendar.toml:3: no caption of bot.toml can be posted for \"National Candy Corn Day\": it has a weighted length of 299, and X takes at most 280; shorten it",
        ),
        (
            (
                sound.0.clone(),
                broken(
                    CALENDAR,
                    "{ name = \"Haunted Refrigerator Night\" }",
                    "{ caption = \"$BOO and $SOUL\" }",
                ),
            ),
            "calendar.toml:15: the caption cannot be posted: it holds a second cashtag, \"$SOUL\"; keep one cashtag",
        ),
    ] {
        let bot = Bot::parse("bot.toml", &bot).unwrap();
        let calendar = Calendar::parse("calendar.toml", &calendar).unwrap();
        let problems = check(&bot, &calendar, 2024..=2040)
            .expect_err(message)
            .to_string();
        assert_eq!(
            problems.lines().next(),
            Some(message),
            "all of it:\n{problems}"
        );
    }
}

#[test]
fn all_problems_of_a_file_are_told_at_once_in_the_order_of_the_lines() {
    let text = BOT
        .replace("08:00", "8")
        .replace("medium", "good")
        .replace("Happy {name}!", "Happy!");
    let problems = Bot::parse("bot.toml", &text).unwrap_err();
    let lines: Vec<usize> = problems.0.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [4, 11, 29]);
}

#[test]
fn a_bot_that_is_silent_about_approval_requires_it_and_posts_nothing_that_nobody_approved() {
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
fn a_bot_that_says_nothing_of_money_may_spend_little() {
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
fn the_approvers_are_told_where_nobody_else_is_named_and_of_what_needs_a_person_only() {
    let text = BOT
        .replace("policy = \"off\"\n", "approvers = [\"b@example.org\"]\n")
        .replace("[notices]\nto = [\"a@example.org\"]\n", "");
    let told = Notices {
        to: vec!["b@example.org".to_owned()],
        posted: false,
        skipped: false,
        rejected: false,
    };
    assert_eq!(Bot::parse("bot.toml", &text).unwrap().notices, told);
    let text = text + "\n[notices]\nto = [\"c@example.org\"]\nposted = true\n";
    let told = Notices {
        to: vec!["c@example.org".to_owned()],
        posted: true,
        ..told
    };
    assert_eq!(Bot::parse("bot.toml", &text).unwrap().notices, told);
}

#[test]
fn a_voice_that_would_burden_every_run_is_refused() {
    let text = BOT.replace("A spooky picture.", &"spooky ".repeat(1500));
    let problems = Bot::parse("bot.toml", &text).unwrap_err().to_string();
    assert!(
        problems.starts_with("bot.toml:20: [voice] has 1"),
        "{problems}"
    );
    assert!(
        problems.ends_with("bytes, and every run carries it; shorten it to 8192"),
        "{problems}"
    );
}
