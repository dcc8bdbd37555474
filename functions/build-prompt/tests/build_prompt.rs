//! The texts of the shipped bot, for the shipped calendar and for input that is not right.

use std::{collections::BTreeSet, path::Path};

use bot_files::{Bot, Calendar, Observance, Pick, Softness, Voice};
use build_prompt::{Error, Input, Output, build_prompt};
use jiff::{ToSpan, civil::Date, civil::date};
use post_text::{check_alt_text, check_caption, weighted_length};
use proptest::prelude::*;

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

fn voice() -> Voice {
    shipped().0.voice
}

fn input(date: Date, slot: u32, day: Observance, voice: &Voice) -> Input {
    Input {
        post: format!("spooky-days/{date}/{slot}"),
        date: date.to_string(),
        name: day.name,
        scene: day.scene,
        caption: day.caption,
        voice: voice.clone(),
        ..Input::default()
    }
}

fn pumpkin_day() -> Observance {
    Observance {
        name: "National Pumpkin Day".into(),
        scene: Some("a king-sized pumpkin on a throne of vines".into()),
        caption: None,
    }
}

fn pumpkin() -> Input {
    input(date(2026, 10, 26), 1, pumpkin_day(), &voice())
}

fn build(input: &Input) -> Output {
    build_prompt(input).unwrap_or_else(|error| panic!("{error}"))
}

fn rejected(input: &Input) -> (String, String) {
    let error = build_prompt(input)
        .err()
        .unwrap_or_else(|| panic!("it was built"));
    let diagnostic = lambda_runtime::Diagnostic::from(error);
    (diagnostic.error_type, diagnostic.error_message)
}

#[test]
fn the_prompt_names_the_day_and_shows_the_scene() {
    let prompt = build(&pumpkin()).prompt;
    let labels: Vec<&str> = prompt
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(label, _)| label)
        .collect();
    assert!(
        prompt.contains(
            "\nThe day: National Pumpkin Day.\nScene: a king-sized pumpkin on a throne of vines.\n"
        ),
        "{prompt}"
    );
    assert!(
        labels.ends_with(&[
            "The day",
            "Scene",
            "Art style",
            "Lighting",
            "Palette",
            "Composition",
            "Mood"
        ]),
        "{labels:?}"
    );
    assert!(prompt.ends_with(&voice().avoid), "{prompt}");
    assert!(!prompt.contains(".."), "{prompt}");
}

#[test]
fn the_same_post_gets_the_same_texts_again() {
    assert_eq!(build(&pumpkin()), build(&pumpkin()));
}

#[test]
fn the_choice_stays_the_same_from_build_to_build() {
    // A redriven run finds the draft that it paid for under the hash of its prompt, even when new code runs it.
    let letters = |count: u8| -> Vec<String> {
        (b'a'..b'a' + count)
            .map(|letter| char::from(letter).to_string())
            .collect()
    };
    let mut input = pumpkin();
    input.voice = Voice {
        brief: "Spooky.".into(),
        avoid: "No text.".into(),
        scenes: letters(5),
        styles: letters(13),
        lighting: letters(7),
        palettes: letters(8),
        compositions: letters(9),
        captions: letters(17)
            .iter()
            .map(|letter| format!("{letter} {{name}}"))
            .collect(),
        hashtags: vec!["#A".into(), "#B".into(), "#C".into()],
        alt_texts: letters(3)
            .iter()
            .map(|letter| format!("{letter}: {{scene}}"))
            .collect(),
        softness: vec![Softness {
            mood: "grim".into(),
            scenes: Vec::new(),
        }],
        hashtags_per_caption: 2,
    };
    let Output {
        prompt,
        caption,
        alt_text,
    } = build(&input);
    assert_eq!(
        prompt,
        "Spooky.\nThe day: National Pumpkin Day.\nScene: a king-sized pumpkin on a throne of vines.\nArt style: l.\nLighting: g.\n\
         Palette: b.\nComposition: g.\nMood: grim.\nNo text."
    );
    assert_eq!(caption, "q National Pumpkin Day\n\n#NationalPumpkinDay #A");
    assert_eq!(alt_text, "C: a king-sized pumpkin on a throne of vines");
}

#[test]
fn neighboring_dates_slots_and_rounds_get_other_texts() {
    let part = |output: &Output, label: &str| -> String {
        output
            .prompt
            .lines()
            .find(|line| line.starts_with(label))
            .unwrap_or_default()
            .to_owned()
    };
    let voice = voice();
    let day = Observance {
        name: "Halloween".into(),
        scene: None,
        caption: None,
    };
    for start in [date(2026, 10, 1), date(2027, 12, 28), date(2028, 2, 25)] {
        for days in 0..60 {
            let today = input(start + days.days(), 1, day.clone(), &voice);
            let tomorrow = input(start + (days + 1).days(), 1, day.clone(), &voice);
            let after_the_weekend = input(start + (days + 3).days(), 1, day.clone(), &voice);
            let second_slot = input(start + days.days(), 2, day.clone(), &voice);
            let again = Input {
                round: Some(2),
                ..today.clone()
            };
            let ours = build(&today);
            for other in [tomorrow, after_the_weekend, second_slot, again] {
                let theirs = build(&other);
                for label in ["Scene", "Art style", "Lighting", "Palette", "Composition"] {
                    assert_ne!(
                        part(&ours, label),
                        part(&theirs, label),
                        "{} and {}",
                        today.post,
                        other.post
                    );
                }
                assert_ne!(
                    ours.caption, theirs.caption,
                    "{} and {}",
                    today.post, other.post
                );
            }
        }
    }
}

#[test]
fn a_season_of_posts_looks_different_every_time() {
    let (bot, calendar) = shipped();
    let mut looks = BTreeSet::new();
    let mut captions = BTreeSet::new();
    let dates: Vec<Date> = calendar.dates(2026..=2026).collect();
    for date in &dates {
        let Pick::Observance(day) = calendar.pick(*date, 1) else {
            continue;
        };
        let name = day.name.clone();
        let output = build(&input(*date, 1, day, &bot.voice));
        looks.insert(output.prompt.lines().skip(3).collect::<String>());
        captions.insert(output.caption.replace(&name, ""));
    }
    assert_eq!(looks.len(), dates.len());
    assert!(
        captions.len() > bot.voice.captions.len(),
        "{}",
        captions.len()
    );
}

#[test]
fn no_weekday_has_a_recurring_look() {
    // Lists whose length is a multiple of 7 would give every Monday the same light.
    let voice = voice();
    for (label, length) in [
        ("Art style", voice.styles.len()),
        ("Lighting", voice.lighting.len()),
        ("Palette", voice.palettes.len()),
        ("Composition", voice.compositions.len()),
    ] {
        let day = |week: usize| Observance {
            name: "Halloween".into(),
            scene: Some(format!("ghost {week}")),
            caption: None,
        };
        let mondays = (0..length).map(|week| {
            let monday = date(2026, 11, 2) + i32::try_from(week * 7).unwrap().days();
            let prompt = build(&input(monday, 1, day(week), &voice)).prompt;
            let line = prompt.lines().find(|line| line.starts_with(label));
            line.unwrap_or_default().to_owned()
        });
        assert_eq!(mondays.collect::<BTreeSet<_>>().len(), length, "{label}");
    }
}

#[test]
fn every_post_from_2024_to_2040_gets_texts_that_can_be_posted() {
    let (bot, calendar) = shipped();
    let mut input = input(date(2024, 1, 1), 1, pumpkin_day(), &bot.voice);
    let mut posts = 0;
    for date in calendar.dates(2024..=2040) {
        for (slot, day) in (1..).zip(calendar.observances(date)) {
            input.post = format!("spooky-days/{date}/{slot}");
            input.date = date.to_string();
            input.name = day.name;
            input.scene = day.scene;
            input.caption = day.caption;
            // Softness changes no caption: one level a post, in turn, covers all of them many times over.
            input.softness = Some(posts % 3);
            let output = build(&input);
            let (caption, alt_text, name) = (&output.caption, &output.alt_text, &input.name);
            check_caption(caption).unwrap_or_else(|problem| panic!("{caption}: {problem}"));
            check_alt_text(alt_text).unwrap_or_else(|problem| panic!("{alt_text}: {problem}"));
            assert!(caption.contains(name), "{caption}");
            assert!(alt_text.contains(name), "{alt_text}");
            assert!(output.prompt.contains(name), "{}", output.prompt);
            let around = caption.replace(name, "it").to_lowercase();
            for doubled in [
                "national it",
                "world it",
                "it day",
                "happy happy",
                "it's it's",
            ] {
                assert!(!around.contains(doubled), "{caption}");
            }
            let hashtags = around.matches('#').count();
            assert!(hashtags <= bot.voice.hashtags_per_caption, "{caption}");
            assert!(output.prompt.len() < 4000, "{}", output.prompt.len());
            posts += 1;
        }
    }
    assert!(posts > 15_000, "{posts}");
}

#[test]
fn every_name_is_letter_for_letter_in_every_caption_and_alt_text() {
    let (bot, calendar) = shipped();
    let mut days: Vec<Observance> = calendar
        .dates(2024..=2040)
        .flat_map(|date| calendar.observances(date))
        .collect();
    days.sort_by_key(|day| (day.name.clone(), day.scene.clone()));
    days.dedup();
    let odd = [
        "New Year's Day",
        "New Year’s Eve",
        "D.N.A. Day",
        "National Crème Brûlée Day",
        "WD-40-like Forms Day",
        "Rock & Roll Day",
        "No \"L\" Day",
        "{scene} Day",
    ];
    days.extend(odd.map(|name| Observance {
        name: name.into(),
        ..pumpkin_day()
    }));
    for day in &days {
        for template in &bot.voice.captions {
            let caption = Voice::caption(template, &day.name, &[]);
            assert_eq!(check_caption(&caption), Ok(()), "{caption}");
            assert_eq!(caption.matches(&day.name).count(), 1, "{caption}");
        }
        let mut input = input(date(2026, 10, 26), 1, day.clone(), &bot.voice);
        for template in &bot.voice.alt_texts {
            input.voice.alt_texts = vec![template.clone()];
            let alt_text = build(&input).alt_text;
            assert!(alt_text.contains(&day.name), "{alt_text}");
        }
    }
}

#[test]
fn a_template_that_repeats_a_word_of_the_name_is_left_for_another_name() {
    for (template, name, suits) in [
        ("Happy {name}!", "Happy Mew Year for Cats Day", false),
        ("Happy {name}!", "'Happy Birthday to You' Day", false),
        ("It's {name}, and", "It's My Party Day", false),
        ("The national {name}", "National Pie Day", false),
        ("{name} day, again", "National Pie Day", false),
        ("Happy {name}!", "Halloween", true),
        ("So happy. {name}!", "Happy Mew Year for Cats Day", true),
        ("{name}: day and night", "National Pie Day", true),
    ] {
        assert_eq!(Voice::suits(template, name), suits, "{template} {name}");
    }
    let mut input = Input {
        name: "Happy Mew Year for Cats Day".into(),
        ..pumpkin()
    };
    input.voice.captions = vec!["Happy {name}!".into(), "Today is {name}.".into()];
    for day in 1..=2 {
        input.date = format!("2026-10-0{day}");
        input.post = format!("spooky-days/2026-10-0{day}/1");
        let caption = build(&input).caption;
        assert!(caption.starts_with("Today is"), "{caption}");
    }
    // Better a stumble than no post.
    input.voice.captions.truncate(1);
    assert!(build(&input).caption.starts_with("Happy Happy"));
}

#[test]
fn softness_changes_the_mood_and_at_the_last_level_the_scene() {
    let [plain, softer, softest] = [0, 1, 2].map(|softness| {
        build(&Input {
            softness: Some(softness),
            ..pumpkin()
        })
        .prompt
    });
    assert!(plain.contains("Mood: spooky, gothic"), "{plain}");
    assert!(softer.contains("Mood: gently spooky"), "{softer}");
    assert!(softer.contains("throne of vines"), "{softer}");
    assert!(softest.contains("Mood: sweet"), "{softest}");
    assert!(!softest.contains("throne of vines"), "{softest}");
    assert!(
        softest.contains("National Pumpkin Day") && softest.contains("Pumpkin"),
        "{softest}"
    );
}

#[test]
fn the_alt_text_describes_the_scene_of_the_prompt() {
    assert!(
        build(&pumpkin())
            .alt_text
            .to_lowercase()
            .contains("a king-sized pumpkin on a throne of vines")
    );
    let softest = build(&Input {
        softness: Some(2),
        ..pumpkin()
    });
    assert!(
        !softest.alt_text.contains("throne of vines"),
        "{}",
        softest.alt_text
    );
    let endless = Input {
        scene: Some("a very long procession of ghosts and ".repeat(60)),
        ..pumpkin()
    };
    let alt_text = build(&endless).alt_text;
    assert!(
        (900..=1000).contains(&alt_text.chars().count()),
        "{}",
        alt_text.len()
    );
    assert!(
        alt_text.starts_with("A very long procession") && alt_text.ends_with('…'),
        "{alt_text}"
    );
}

#[test]
fn the_note_is_in_the_prompt_on_one_line() {
    let noted = Input {
        note: Some("  less fog,\nmore bats. ".into()),
        round: Some(2),
        ..pumpkin()
    };
    let prompt = build(&noted).prompt;
    assert!(
        prompt.contains("asks for this: less fog, more bats.\n"),
        "{prompt}"
    );
    let long = Input {
        note: Some("bats ".repeat(10_000)),
        ..pumpkin()
    };
    assert!(build(&long).prompt.len() < 4000);
    assert_eq!(
        build(&Input {
            note: Some(" ".into()),
            ..pumpkin()
        }),
        build(&pumpkin())
    );
}

#[test]
fn the_caption_of_the_calendar_is_used_as_it_is() {
    let own = Input {
        caption: Some("Who carved whom? 🎃".into()),
        ..pumpkin()
    };
    assert_eq!(build(&own).caption, "Who carved whom? 🎃");
}

#[test]
fn a_long_name_takes_fewer_hashtags_and_then_a_shorter_template() {
    let mut input = pumpkin();
    input.voice.captions = vec![
        format!("{{name}} {}", "boo ".repeat(60).trim()),
        "Happy {name}!".into(),
    ];
    for length in [20, 30, 45, 60, 100, 200, 270] {
        input.name = "x".repeat(length);
        let caption = build(&input).caption;
        assert!(
            caption.contains(&input.name) && weighted_length(&caption) <= 280,
            "{caption}"
        );
    }
}

#[test]
fn captions_that_cannot_be_posted_are_rejected_before_anything_is_spent() {
    for (caption, reason) in [
        (
            "Boo! https://example.com",
            "it contains the link \"https://example.com\"",
        ),
        ("Boo! example.com", "it contains the link \"example.com\""),
        ("Boo, @ghost", "it mentions \"@ghost\""),
        ("$BOO and $SOUL", "it contains a second cashtag, \"$SOUL\""),
        ("", "it is empty"),
        (
            &*"boo ".repeat(80),
            "it has a weighted length of 320, and X accepts at most 280",
        ),
    ] {
        let (name, message) = rejected(&Input {
            caption: Some(caption.into()),
            ..pumpkin()
        });
        assert_eq!(
            (name.as_str(), message.as_str()),
            (
                "CaptionRejected",
                &*format!("no caption for \"National Pumpkin Day\" can be posted: {reason}")
            )
        );
    }
    for name in ["National @ghost Day", "Example.com Day", &"x".repeat(281)] {
        assert_eq!(
            rejected(&Input {
                name: name.into(),
                ..pumpkin()
            })
            .0,
            "CaptionRejected",
            "{name}"
        );
    }
}

#[test]
fn names_with_full_stops_and_signs_are_not_links() {
    for name in [
        "D.N.A. Day",
        "WD-40 Day",
        "National $2 Bill Day",
        "J.R.R. Day",
        "Cook Something Bold & Pungent Day",
        "No \"L\" Day",
        "{name} Day",
    ] {
        let output = build(&Input {
            name: name.into(),
            scene: None,
            ..pumpkin()
        });
        assert!(output.caption.contains(name), "{}", output.caption);
    }
}

#[test]
fn an_invalid_input_is_rejected_with_the_field() {
    type Change = fn(&mut Input);
    let cases: [(Change, &str); 10] = [
        (
            |i| i.post.clear(),
            "the input's post is \"\", not bot, date and slot like spooky-days/2026-10-26/1",
        ),
        (
            |i| i.post = "spooky-days/2026-10-26/0".into(),
            "the input's post is \"spooky-days/2026-10-26/0\", not bot, date and slot like spooky-days/2026-10-26/1",
        ),
        (
            |i| i.post = "spooky-days/2026-10-27/1".into(),
            "the input's post is \"spooky-days/2026-10-27/1\", not bot, date and slot like spooky-days/2026-10-26/1",
        ),
        (
            |i| i.date.clear(),
            "the input's date is \"\", not a date like 2026-10-31",
        ),
        (
            |i| i.date = "26 October".into(),
            "the input's date is \"26 October\", not a date like 2026-10-31",
        ),
        (|i| i.name = " ".into(), "the input's name is missing"),
        (
            |i| i.round = Some(0),
            "the input's round is 0; rounds are counted from 1",
        ),
        (
            |i| i.softness = Some(3),
            "the input's softness is 3; there are 0, 1 and 2",
        ),
        (
            |i| i.voice.styles.clear(),
            "the input's voice.styles is missing",
        ),
        (
            |i| i.voice.softness.truncate(0),
            "the input's voice.softness has no level 0",
        ),
    ];
    for (change, message) in cases {
        let mut input = pumpkin();
        change(&mut input);
        assert_eq!(rejected(&input), ("InvalidInput".into(), message.into()));
    }
}

#[test]
fn the_payload_may_lack_optional_fields_and_have_unknown_ones() {
    let payload = serde_json::json!({
        "post": "spooky-days/2026-10-26/1", "date": "2026-10-26", "name": "National Pumpkin Day",
        "scene": "a king-sized pumpkin on a throne of vines", "voice": voice(), "later": { "field": true },
    });
    let input: Input = serde_json::from_value(payload).unwrap();
    let output = build(&input);
    assert_eq!(output, build(&pumpkin()));
    let keys: Vec<String> = serde_json::to_value(&output)
        .unwrap()
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(keys, ["altText", "caption", "prompt"]);
    let empty: Input = serde_json::from_str("{}").unwrap();
    assert!(matches!(
        build_prompt(&empty),
        Err(Error::InvalidInput { field: "date", .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_name_and_note_give_texts_or_a_named_error(name in "\\PC{1,120}", scene in proptest::option::of("\\PC{0,1200}"), note in proptest::option::of("\\PC{0,200}"), days in 0i32..6000) {
        let date = date(2024, 1, 1) + days.days();
        let day = Observance { name, scene, caption: None };
        let input = Input { note, ..input(date, 1, day, &voice()) };
        match build_prompt(&input) {
            Ok(output) => {
                prop_assert_eq!(check_caption(&output.caption), Ok(()));
                prop_assert_eq!(check_alt_text(&output.alt_text), Ok(()));
                prop_assert!(output.caption.contains(&input.name));
            }
            Err(Error::CaptionRejected { .. }) => {}
            Err(error) => prop_assert!(input.name.trim().is_empty(), "{error}"),
        }
    }
}
