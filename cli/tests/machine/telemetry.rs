//! What the functions of the whole machine log, and their metrics.

use fakes::{Fault, Kind};
use serde_json::{Value, json};

use crate::fixture::{BOT, Fixture, SECRETS};

const STATES: [&str; 7] = [
    "PickDay",
    "BuildPrompt",
    "GenerateImage",
    "StoreImage",
    "RequestApproval",
    "PostTweet",
    "RecordResult",
];

/// The lines that the functions wrote, each with its log group; Lambda's own are left out.
async fn lines(fixture: &Fixture) -> Vec<(String, Value)> {
    let logs = fixture.logs().await;
    assert!(SECRETS.iter().all(|secret| !logs.contains(secret)));
    let mut lines = Vec::new();
    for line in logs.lines() {
        let (group, line) = line.split_once(": ").unwrap_or(("", line));
        let own = ["START ", "END ", "REPORT ", "INIT_START "];
        if line.trim().is_empty() || own.iter().any(|own| line.starts_with(own)) {
            continue;
        }
        let read = serde_json::from_str(line);
        lines.push((
            group.to_owned(),
            read.unwrap_or_else(|e| panic!("{e}: {line}")),
        ));
    }
    lines
}

/// The metrics of these lines, without their time.
fn metrics(lines: &[(String, Value)]) -> Vec<Value> {
    let of_lines = lines.iter().map(|(_, line)| line);
    let metrics = of_lines.filter(|line| !line["_aws"].is_null());
    metrics
        .map(|line| {
            let directive = &line["_aws"]["CloudWatchMetrics"][0];
            assert_eq!(directive["Namespace"], "daily-post-local", "{line}");
            line.clone()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_names_execution_post_state_and_attempt() {
    let fixture = Fixture::new().await;
    // It fails twice, is fixed, and then fails for good in another state.
    let down = Kind::Html { status: 503 };
    fixture.x.fail(Fault {
        times: Some(2),
        ..Fault::always("upload", down.clone())
    });
    let posted = fixture.run_date("2026-10-30").await;
    assert_eq!(posted.output["record"]["outcome"], "posted", "{posted:?}");
    fixture.openai.fail(Fault::always("images", down));
    let failed = fixture.run_date("2026-10-29").await;
    assert_eq!(failed.status, "FAILED", "{failed:?}");
    fixture.cloud.run_watchdog().await.unwrap();

    let lines = lines(&fixture).await;
    let mut attempts = Vec::new();
    let mut states = Vec::new();
    for (group, line) in &lines {
        if !line["_aws"].is_null() {
            continue;
        }
        let span = &line["span"];
        assert!(span["requestId"].is_string(), "{group}: {line}");
        let state = span["state"].as_str().unwrap();
        if group.contains("-watchdog") {
            assert_eq!(state, "watchdog");
            continue;
        }
        assert!(STATES.contains(&state), "{group}: {line}");
        states.push(state);
        let execution = span["execution"].as_str().unwrap();
        let date = match execution {
            of if of == posted.execution => "2026-10-30",
            of if of == failed.execution => "2026-10-29",
            other => panic!("{other}: {line}"),
        };
        assert_eq!(span["post"], format!("{BOT}/{date}/1"), "{group}: {line}");
        // An event is no attempt of a state.
        if state != "RecordResult" {
            assert!(span["attempt"].as_u64() >= Some(1), "{group}: {line}");
        }
        // The runtime's own line about an error has them, too.
        if state == "PostTweet" && line["level"] == "ERROR" {
            attempts.push(span["attempt"].as_u64().unwrap());
        }
    }
    attempts.sort_unstable();
    assert_eq!(attempts, [1, 2]);
    for state in ["GenerateImage", "PostTweet", "RecordResult"] {
        assert!(
            states.contains(&state),
            "{state} logged nothing: {states:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_say_how_runs_ended_what_they_cost_and_how_often_they_were_tried() {
    let fixture = Fixture::new().await;
    fixture.x.fail(Fault {
        times: Some(2),
        ..Fault::always("upload", Kind::Html { status: 503 })
    });
    let posted = fixture.run_date("2026-10-30").await;
    // The same slot again is a duplicate.
    fixture.run_date("2026-10-30").await;
    fixture.cloud.run_watchdog().await.unwrap();
    // One that failed, whose event is delivered twice.
    let failed = format!("{}-2", posted.execution);
    let input = json!({"bot": BOT, "slot": 1, "date": "2026-10-29"}).to_string();
    for _ in 0..2 {
        fixture.deliver(&failed, json!({"input": input})).await;
    }
    let lines = lines(&fixture).await;
    let metrics = metrics(&lines);
    let with = |name: &str| -> Vec<&Value> {
        metrics
            .iter()
            .filter(|line| line[name].is_number())
            .collect()
    };
    let runs = with("Runs");
    let outcomes: Vec<&Value> = runs.iter().map(|line| &line["outcome"]).collect();
    assert_eq!(outcomes, ["posted", "duplicate", "failed"]);
    assert_eq!(runs[2]["error"], "ServiceUnavailable");
    let posted = runs[0];
    assert_eq!(
        posted["_aws"]["CloudWatchMetrics"][0]["Dimensions"],
        json!([["bot", "outcome"]])
    );
    assert_eq!(
        (&posted["bot"], &posted["Runs"]),
        (&json!(BOT), &json!(1.0))
    );
    assert_eq!(posted["post"], format!("{BOT}/2026-10-30/1"));
    assert!(posted["RunSeconds"].as_f64().unwrap() > 0.0, "{posted}");
    assert!(posted["CostUsd"].as_f64().unwrap() > 0.02, "{posted}");
    let retries = with("Retries");
    assert_eq!(retries.len(), 2, "{retries:?}");
    assert!(retries.iter().all(|line| line["state"] == "PostTweet"));
    let ran = with("WatchdogRan");
    assert_eq!(ran.len(), 1);
    for (name, value) in [
        ("WatchdogRan", 1.0),
        ("WatchdogFailures", 0.0),
        ("NoticesUndelivered", 0.0),
        ("ApprovalsWaiting", 0.0),
    ] {
        assert_eq!(ran[0][name], value, "{}", ran[0]);
    }
}
