//! `spooky estimate` against sums that are computed here again.

use std::process::Command;

use serde_json::Value;

fn spooky(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_spooky"))
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn file(path: &str) -> String {
    let path = format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The quantity and the sum of the one line that begins like this.
fn line(estimate: &Value, what: &str) -> (f64, f64) {
    let lines = estimate["lines"].as_array().into_iter().flatten();
    let found: Vec<_> = lines
        .filter(|line| {
            line["what"]
                .as_str()
                .is_some_and(|text| text.starts_with(what))
        })
        .filter_map(|line| line["quantity"].as_f64().zip(line["usd"].as_f64()))
        .collect();
    assert_eq!(found.len(), 1, "{what} in {estimate}");
    found[0]
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6
}

#[test]
fn the_estimate_follows_the_bots_files_and_the_functions_description() {
    let estimate: Value = serde_json::from_str(&spooky(&["estimate", "--json"])).unwrap();

    // "A year from today: 252 posts, 9 intentionally silent slots, 0 gaps."
    let gaps = spooky(&["calendar", "gaps"]);
    let numbers: Vec<f64> = gaps
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    let posts = numbers[0] / 12.0;
    let runs = numbers.iter().sum::<f64>() / 12.0;

    // bot.toml asks for medium quality, which is at most 0.053 a picture and half a cent per 1000 bytes of prompt.
    assert!(file("bots/spooky-days/bot.toml").contains("quality = \"medium\""));
    let (pictures, paid) = line(&estimate, "pictures of spooky-days");
    assert!(close(pictures, posts), "{pictures}");
    assert!(
        paid > posts * (0.053 + 0.0025) && paid < posts * (0.053 + 0.015),
        "{paid}"
    );
    // X takes 0.015 for the post and 0.005 for the alt text.
    let (tweets, paid) = line(&estimate, "posts of spooky-days");
    assert!(close(tweets, posts) && close(paid, posts * 0.02), "{paid}");

    let states = file("statemachine/daily-post.asl.json");
    let states: Value = serde_json::from_str(&states).unwrap();
    let states = states["States"].as_object().unwrap().len() as f64;
    let (transitions, paid) = line(&estimate, "state transitions");
    assert!(close(transitions, runs * (states + 1.0)));
    assert!(close(paid, transitions / 1000.0 * 0.025));

    // What Terraform deploys: twelve runs of the watchdog an hour, and the alarms, of which those on functions count
    // once for each function.
    assert!(file("terraform/modules/daily-post/schedule.tf").contains("\"rate(5 minutes)\""));
    let alarms = file("terraform/modules/daily-post/alarms.tf");
    let (_, alarms) = alarms.split_once("  alarms = {\n").unwrap();
    let alarms = alarms.split("\n  }\n").next().unwrap();
    let of_functions = alarms.matches(" function_metric = ").count() as f64;
    let single = alarms.matches(" metric ").count() as f64;
    let functions: Value = serde_json::from_str(&file("functions/functions.json")).unwrap();
    let count = functions.as_object().unwrap().len() as f64;
    let expected = single + of_functions * count;
    assert!(close(line(&estimate, "metrics with an alarm").0, expected));

    // The OpenAI key, the signing keys, and the X credentials of the one bot.
    assert!(close(line(&estimate, "secrets").0, 3.0));

    let mut gb_seconds = 0.0;
    for (name, function) in functions.as_object().unwrap() {
        let times = if name == "watchdog" { 8760.0 } else { runs };
        gb_seconds += times
            * function["timeoutSeconds"].as_f64().unwrap()
            * function["memoryMb"].as_f64().unwrap()
            / 1024.0;
    }
    assert!(close(
        line(&estimate, "GB-seconds of functions").0,
        gb_seconds
    ));

    let lines = estimate["lines"].as_array().unwrap();
    let mut total = 0.0;
    for line in lines {
        let usd = line["usd"].as_f64().unwrap();
        assert!(
            usd > 0.0 && line["source"].as_str().unwrap().starts_with("https://"),
            "{line}"
        );
        total += usd;
    }
    assert!(close(estimate["usd"].as_f64().unwrap(), total));
}

#[test]
fn the_table_of_the_estimate_is_aligned_and_names_its_assumptions() {
    let output = spooky(&["estimate"]);
    let (table, notes) = output.split_once("\n\n").unwrap();
    let rows: Vec<&str> = table.lines().collect();
    assert!(rows[0].starts_with("PAID TO") && rows[0].ends_with("USD"));
    assert!(rows.last().unwrap().starts_with("total per month"));
    for row in &rows {
        assert_eq!(row.chars().count(), rows[0].len(), "{row:?} in {output}");
    }
    for part in ["one picture per post", "no free tier", "from memory on 20"] {
        assert!(notes.contains(part), "{part:?} is not in {output}");
    }
}
