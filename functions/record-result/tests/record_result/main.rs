//! The function against the emulator: what is recorded of each end of a run, in any order, and what is not, and which
//! notifications are sent.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

mod fixture;
mod mails;

use std::process::Command;

use aws_config::retry::RetryConfig;
use jiff::Timestamp;
use post::Outcome;
use posts_table::{Failure, Ledger};
use proptest::prelude::*;
use record_result::{Clients, Config, Output, record_result};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use fixture::{ALERTS, Fixture, POST, answered, diagnostic, end, event, now, read};

fn over_budget() -> Value {
    let said = json!({"errorType": "OverBudget", "errorMessage": "A picture may cost $0.05."});
    json!({"Error": "OverBudget", "Cause": said.to_string()})
}

#[tokio::test]
async fn what_x_takes_counts_once_on_the_bots_own_day() {
    let fixture = Fixture::new().await.unwrap();
    let run = fixture.run("a");
    fixture.claim(POST, &run).await.unwrap();
    // Noon in UTC, and already tomorrow on Kiritimati.
    let change =
        json!({"day": {"status": "picked", "post": POST, "timeZone": "Pacific/Kiritimati"}});
    for _ in 0..2 {
        fixture.handle(end(&run, &change)).await.unwrap();
    }
    let month = fixture
        .table()
        .spending("spooky-days", "2026-10-31".parse().unwrap())
        .await
        .unwrap();
    assert_eq!((month.total.committed.0, month.total.x.0), (15_000, 15_000));
    assert_eq!(month.days, [("2026-10-31".parse().unwrap(), month.total)]);
}

#[tokio::test]
async fn each_end_of_a_run_that_holds_its_slot_is_its_record() {
    let fixture = Fixture::new().await.unwrap();
    let run = fixture.run("a");
    let refusal = |cause: &str| json!({"Error": "PromptRejected", "Cause": cause});
    let message = json!({"errorType": "PromptRejected", "errorMessage": "Too gory."}).to_string();
    let rows = [
        ("posted", Outcome::Posted, None, 0.065, json!({})),
        (
            "skipped",
            Outcome::Skipped,
            Some("no entry for 10-30"),
            0.0,
            json!({
                "day": {"status": "skipped", "reason": "no entry for 10-30"},
                "prompt": null, "draft": null, "image": null, "tweet": null,
            }),
        ),
        (
            "skipped",
            Outcome::Skipped,
            Some("too late"),
            0.05,
            json!({"tweet": {"status": "skipped", "reason": "too late"}}),
        ),
        (
            "rejected",
            Outcome::Rejected,
            Some("rejected by owner@example.org: not funny"),
            0.15,
            json!({
                "tweet": null, "spentUsd": 0.1,
                "approval": {"decision": {"verdict": "rejected", "by": "owner@example.org", "at": "2026-10-30T11:00:00Z", "reason": "not funny"}},
                // An earlier refusal of a prompt is not the outcome.
                "refusal": refusal(&message),
            }),
        ),
        (
            "expired",
            Outcome::Expired,
            Some("no approver decided before the deadline"),
            0.05,
            json!({
                "tweet": null,
                "approval": {"decision": {"verdict": "expired", "by": "policy", "at": "2026-10-30T11:00:00Z"}},
            }),
        ),
        // OpenAI refused another picture: the draft is the earlier one, which is counted already.
        (
            "refused",
            Outcome::Refused,
            Some("Too gory."),
            0.1,
            json!({
                "tweet": null, "spentUsd": 0.1, "refusal": refusal(&message),
                "approval": {"decision": {"verdict": "regenerate", "by": "owner@example.org", "at": "2026-10-30T11:00:00Z", "note": ""}},
            }),
        ),
        (
            "refused",
            Outcome::Refused,
            Some("Too gory."),
            0.0,
            json!({"draft": null, "image": null, "tweet": null, "refusal": refusal(&message)}),
        ),
        // A cause is not always JSON, and not always there.
        (
            "refused",
            Outcome::Refused,
            Some("no JSON"),
            0.0,
            json!({"draft": null, "image": null, "tweet": null, "refusal": refusal("no JSON")}),
        ),
        (
            "refused",
            Outcome::Refused,
            None,
            0.0,
            json!({"draft": null, "image": null, "tweet": null, "refusal": {}}),
        ),
        // The budget was used up for the first picture, for a softer one and for another one.
        (
            "skipped",
            Outcome::Skipped,
            Some("over budget: A picture may cost $0.05."),
            0.0,
            json!({"draft": null, "image": null, "tweet": null, "overBudget": over_budget()}),
        ),
        (
            "skipped",
            Outcome::Skipped,
            Some("over budget: A picture may cost $0.05."),
            0.0,
            json!({
                "draft": null, "image": null, "tweet": null,
                "overBudget": over_budget(), "refusal": refusal(&message),
            }),
        ),
        (
            "skipped",
            Outcome::Skipped,
            Some("over budget: A picture may cost $0.05."),
            0.1,
            json!({
                "tweet": null, "spentUsd": 0.1, "overBudget": over_budget(),
                "approval": {"decision": {"verdict": "regenerate", "by": "owner@example.org", "at": "2026-10-30T11:00:00Z", "note": ""}},
            }),
        ),
        // A prompt that was refused once and then accepted is not a refusal.
        (
            "posted",
            Outcome::Posted,
            None,
            0.065,
            json!({"refusal": refusal(&message), "softness": 1}),
        ),
    ];
    for (i, (name, outcome, reason, cost, change)) in rows.into_iter().enumerate() {
        let post = format!("spooky-days/{}-10-30/1", 2026 + i);
        fixture.claim(&post, &run).await.unwrap();
        let mut state = end(&run, &change);
        state["day"]["post"] = json!(post);

        let output = fixture.handle(state.clone()).await.unwrap();

        assert_eq!(output.outcome, name, "row {i}");
        assert_eq!(output.reason.as_deref(), reason, "row {i}");
        assert!(output.recorded, "row {i}");
        assert!(
            (output.cost_usd - cost).abs() < 1e-9,
            "row {i}: {}",
            output.cost_usd
        );
        let record = fixture.record(&post).await.unwrap().unwrap();
        assert_eq!(record.outcome, Some(outcome), "row {i}");
        assert_eq!(record.reason.as_deref(), reason, "row {i}");
        assert_eq!(record.ended_at, Some(now()), "row {i}");
        let result = record.result.unwrap();
        for field in ["prompt", "draft", "image"] {
            assert_eq!(result[field], state[field], "row {i}: {field}");
        }
        assert_eq!(result["tweet"]["id"], state["tweet"]["id"], "row {i}");
        let recorded = result["costUsd"].as_f64().unwrap();
        assert!((recorded - cost).abs() < 1e-9, "row {i}: {recorded}");
        assert!(fixture.audit(&post).await.unwrap().is_empty(), "row {i}");
    }
}

#[tokio::test]
async fn a_second_call_returns_and_leaves_the_same() {
    let fixture = Fixture::new().await.unwrap();
    let run = fixture.run("a");
    fixture.claim(POST, &run).await.unwrap();
    let state = end(&run, &json!({}));
    let first = fixture.handle(state.clone()).await.unwrap();
    let before = fixture.snapshot(POST).await.unwrap();

    let later = now() + jiff::SignedDuration::from_hours(1);
    let again = record_result(&fixture.clients, &fixture.config, later, read(state))
        .await
        .unwrap();

    assert_eq!(again, first);
    assert_eq!(fixture.snapshot(POST).await.unwrap(), before);
}

#[tokio::test]
async fn a_duplicate_leaves_one_line_in_the_audit_trail_and_the_record_alone() {
    let fixture = Fixture::new().await.unwrap();
    let (holder, second, third) = (fixture.run("a"), fixture.run("b"), fixture.run("c"));
    fixture.claim(POST, &holder).await.unwrap();
    let before = fixture.snapshot(POST).await.unwrap();
    let reason = format!("{POST} is held by {holder}");
    let day = json!({"status": "duplicate", "post": POST, "reason": reason, "heldBy": holder});

    for run in [&second, &second, &third] {
        let state = json!({"execution": run, "day": day});
        let output = fixture.handle(state).await.unwrap();
        assert_eq!(
            output,
            Output {
                outcome: "duplicate",
                reason: Some(reason.clone()),
                recorded: false,
                cost_usd: 0.0,
            }
        );
    }

    assert_eq!(fixture.snapshot(POST).await.unwrap(), before);
    let lines: Vec<Value> = fixture
        .audit(POST)
        .await
        .unwrap()
        .into_iter()
        .map(|(_, line)| line)
        .collect();
    assert_eq!(
        lines,
        [
            json!({"what": "duplicate#b", "execution": second}),
            json!({"what": "duplicate#c", "execution": third}),
        ]
    );
}

#[tokio::test]
async fn an_end_that_does_not_fit_the_record_is_a_lost_claim_and_changes_nothing() {
    let fixture = Fixture::new().await.unwrap();
    let (holder, other) = (fixture.run("a"), fixture.run("b"));
    let lost = async |state: Value| {
        let before = fixture.snapshot(POST).await.unwrap();
        let (name, message) = diagnostic(fixture.handle(state).await.unwrap_err());
        assert_eq!(name, "ClaimLost", "{message}");
        assert!(message.contains(POST), "{message}");
        assert_eq!(fixture.snapshot(POST).await.unwrap(), before);
    };
    let skipped = json!({"tweet": {"status": "skipped", "reason": "too late"}});
    // The slot was never claimed.
    lost(end(&holder, &json!({}))).await;
    fixture.claim(POST, &holder).await.unwrap();
    lost(end(&other, &json!({}))).await;
    fixture.handle(end(&holder, &json!({}))).await.unwrap();
    // It has another outcome.
    lost(end(&holder, &skipped)).await;
    lost(end(&other, &json!({}))).await;
}

#[tokio::test]
async fn an_invalid_end_is_invalid_input_and_names_the_field() {
    let fixture = Fixture::new().await.unwrap();
    let run = fixture.run("a");
    fixture.claim(POST, &run).await.unwrap();
    let before = fixture.snapshot(POST).await.unwrap();
    for (change, says) in [
        (
            json!({"day": {"status": "picked", "post": "spooky-days"}}),
            "bot/date/slot",
        ),
        (
            json!({"day": {"status": "picked", "post": ""}}),
            "bot/date/slot",
        ),
        (
            json!({"day": {"status": "vanished", "post": POST}}),
            "vanished",
        ),
        (
            json!({"day": {"status": "", "post": POST}}),
            "not a valid end of a run",
        ),
        (json!({"tweet": {"status": "in flight"}}), "in flight"),
        (json!({"tweet": null}), "not a valid end of a run"),
        (
            json!({"tweet": null, "refusal": null}),
            "not a valid end of a run",
        ),
    ] {
        let (name, message) = diagnostic(fixture.handle(end(&run, &change)).await.unwrap_err());
        assert_eq!(name, "InvalidInput", "{change}: {message}");
        assert!(message.contains(says), "{change}: {message}");
    }
    assert_eq!(fixture.snapshot(POST).await.unwrap(), before);
    assert_eq!(fixture.items().await.unwrap(), 1);
}

#[tokio::test]
async fn a_failure_of_the_holder_is_recorded_with_the_state_of_its_history() {
    let fixture = Fixture::new().await.unwrap();
    let run = fixture.failing_run().await.unwrap();
    fixture.claim(POST, &run).await.unwrap();
    let change = json!({"redriveCount": 2});

    let output = fixture.handle(event(&run, &change)).await.unwrap();

    assert_eq!(
        output,
        Output {
            outcome: "failed",
            reason: Some("ModelGone".to_owned()),
            recorded: true,
            cost_usd: 0.0,
        }
    );
    let record = fixture.record(POST).await.unwrap().unwrap();
    assert_eq!(
        record.failure,
        Some(Failure {
            status: "FAILED".to_owned(),
            state: Some("GenerateImage".to_owned()),
            error: Some("ModelGone".to_owned()),
            cause: Some("{\"errorMessage\": \"The model does not exist.\"}".to_owned()),
            redrive_count: 2,
            at: Timestamp::from_millisecond(1_793_361_600_000).unwrap(),
        })
    );
    // A redrive can still post it.
    assert_eq!(record.outcome, None);
    assert_eq!(record.ledger, Ledger::Claimed);
    let again = fixture.handle(event(&run, &change)).await.unwrap();
    assert_eq!(again, output);
    assert!(fixture.audit(POST).await.unwrap().is_empty());

    fixture.handle(end(&run, &json!({}))).await.unwrap();
    let ended = fixture.record(POST).await.unwrap().unwrap();
    assert_eq!(ended.outcome, Some(Outcome::Posted));
    assert_eq!(ended.failure, record.failure);
}

#[tokio::test]
async fn each_bad_status_of_an_execution_without_a_history_is_recorded_too() {
    let fixture = Fixture::new().await.unwrap();
    for (i, status) in ["FAILED", "TIMED_OUT", "ABORTED"].into_iter().enumerate() {
        let run = fixture.run(status);
        let date = format!("{}-10-30", 2026 + i);
        let post = format!("spooky-days/{date}/1");
        fixture.claim(&post, &run).await.unwrap();
        let change = json!({
            "status": status,
            "error": null, "cause": null, "redriveCount": null, "stopDate": null,
            "input": json!({"bot": "spooky-days", "slot": 1, "date": date}).to_string(),
        });

        let output = fixture.handle(event(&run, &change)).await.unwrap();

        assert!(output.recorded, "{status}");
        assert_eq!(output.reason, None);
        let failure = fixture.record(&post).await.unwrap().unwrap().failure;
        assert_eq!(
            failure,
            Some(Failure {
                status: status.to_owned(),
                state: None,
                error: None,
                cause: None,
                redrive_count: 0,
                at: now(),
            })
        );
    }
}

#[tokio::test]
async fn a_failure_that_is_late_old_or_not_the_holders_is_a_line_in_the_audit_trail() {
    let fixture = Fixture::new().await.unwrap();
    let (holder, other) = (fixture.run("a"), fixture.run("b"));
    let unrecorded = async |input: Value, lines: usize| {
        let before = fixture.snapshot(POST).await.unwrap();
        for _ in 0..2 {
            let output = fixture.handle(input.clone()).await.unwrap();
            assert_eq!(output.outcome, "failed");
            assert!(!output.recorded);
        }
        assert_eq!(fixture.snapshot(POST).await.unwrap(), before);
        let audit = fixture.audit(POST).await.unwrap();
        assert_eq!(audit.len(), lines, "{audit:?}");
        audit
    };
    let at = |ms: i64| json!({"stopDate": ms});

    // No execution holds the slot: the run failed before its claim.
    let audit = unrecorded(event(&holder, &at(1_000)), 1).await;
    assert_eq!(
        audit[0].0,
        "slot#1#audit#1970-01-01T00:00:01Z#unrecorded-failure#a"
    );
    assert_eq!(audit[0].1["execution"], holder);

    fixture.claim(POST, &holder).await.unwrap();
    let audit = unrecorded(event(&other, &at(2_000)), 2).await;
    assert_eq!(audit[1].1["what"], "unrecorded-failure#b");

    let redriven = json!({"redriveCount": 2, "error": "Unconfirmed"});
    assert!(
        fixture
            .handle(event(&holder, &redriven))
            .await
            .unwrap()
            .recorded
    );
    let old = json!({"redriveCount": 1, "stopDate": 3_000});
    unrecorded(event(&holder, &old), 3).await;

    fixture.handle(end(&holder, &json!({}))).await.unwrap();
    let late = json!({"redriveCount": 3, "stopDate": 4_000});
    unrecorded(event(&holder, &late), 4).await;
    let outcome = fixture.record(POST).await.unwrap().unwrap().outcome;
    assert_eq!(outcome, Some(Outcome::Posted));
}

#[tokio::test]
async fn an_event_whose_input_names_no_slot_is_recorded_nowhere_and_notified_once() {
    let fixture = Fixture::new().await.unwrap();
    let run = fixture.run("a");
    for input in [
        Value::Null,
        json!(""),
        json!("not JSON"),
        json!("null"),
        json!("[]"),
        json!("{}"),
        json!(json!({"bot": "spooky-days", "slot": 1}).to_string()),
        json!(json!({"bot": "spooky-days", "date": "2026-10-30"}).to_string()),
        json!(json!({"bot": 7, "slot": 1, "date": "2026-10-30"}).to_string()),
        json!(json!({"bot": "spooky-days", "slot": -1, "date": "2026-10-30"}).to_string()),
        json!(json!({"bot": "spooky-days", "slot": 1, "date": "Friday"}).to_string()),
        json!(json!({"bot": "spooky-days", "slot": 1, "scheduledTime": "<aws.scheduler.scheduled-time>"}).to_string()),
    ] {
        let change = json!({"input": input});
        let output = fixture.handle(event(&run, &change)).await.unwrap();
        assert_eq!(output.outcome, "failed", "{input}");
        assert!(!output.recorded, "{input}");
    }
    // EventBridge leaves out what is too long for it.
    let mut absent = event(&run, &json!({}));
    let detail = absent["detail"].as_object_mut().unwrap();
    detail.retain(|field, _| ["executionArn", "status"].contains(&field.as_str()));
    let output = fixture.handle(absent).await.unwrap();
    assert_eq!((output.outcome, output.recorded), ("failed", false));
    // The mark of the event.
    assert_eq!(fixture.items().await.unwrap(), 1);
    let subject = "An execution failed: its input names no slot";
    assert_eq!(fixture.subjects_to(ALERTS).await, [subject]);
}

#[tokio::test]
async fn a_scheduled_time_near_midnight_finds_the_slot_of_the_bots_own_date_without_its_time_zone()
{
    let fixture = Fixture::new().await.unwrap();
    fixture.put_bot("broken").await.unwrap();
    for (i, (time, date)) in [
        // New York, the evening before.
        ("2026-10-31T03:30:00Z", "2026-10-30"),
        ("2026-10-31T04:30:00Z", "2026-10-31"),
        // Auckland, the morning after.
        ("2026-11-02T11:30:00Z", "2026-11-03"),
        ("2027-01-01T00:30:00Z", "2026-12-31"),
        ("2028-02-29T12:30:00Z", "2028-03-01"),
        ("2029-10-31T00:30:00+02:00", "2029-10-30"),
    ]
    .into_iter()
    .enumerate()
    {
        let run = fixture.run(&format!("run-{i}"));
        let post = format!("spooky-days/{date}/1");
        fixture.claim(&post, &run).await.unwrap();
        let input = json!({"bot": "spooky-days", "slot": 1, "scheduledTime": time}).to_string();
        let output = fixture
            .handle(event(&run, &json!({"input": input})))
            .await
            .unwrap();
        assert!(output.recorded, "{time}");
        let record = fixture.record(&post).await.unwrap().unwrap();
        assert!(record.failure.is_some(), "{time}");
    }
}

#[tokio::test]
async fn the_same_date_and_time_of_another_bot_or_slot_is_another_record() {
    let fixture = Fixture::new().await.unwrap();
    let (run, other) = (fixture.run("a"), fixture.run("b"));
    fixture.claim(POST, &run).await.unwrap();
    fixture
        .claim("spooky-days/2026-10-30/2", &other)
        .await
        .unwrap();
    fixture
        .claim("other-days/2026-10-30/1", &other)
        .await
        .unwrap();
    assert!(
        fixture
            .handle(event(&run, &json!({})))
            .await
            .unwrap()
            .recorded
    );
    for post in ["spooky-days/2026-10-30/2", "other-days/2026-10-30/1"] {
        let record = fixture.record(post).await.unwrap().unwrap();
        assert_eq!(record.failure, None, "{post}");
    }
}

#[tokio::test]
async fn a_missing_resource_and_an_unavailable_service_have_error_names() {
    let fixture = Fixture::new().await.unwrap();
    let run = fixture.run("a");
    let config = Config {
        table_name: "no-such-table".to_owned(),
        ..fixture.config.clone()
    };
    let nowhere = Clients::new(&fixture.aws, &config);
    for input in [end(&run, &json!({})), event(&run, &json!({}))] {
        let (name, message) = diagnostic(
            record_result(&nowhere, &fixture.config, now(), read(input))
                .await
                .unwrap_err(),
        );
        assert_eq!(name, "Unexpected", "{message}");
        assert!(message.contains("ResourceNotFoundException"), "{message}");
    }

    let broken = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(503))
        .mount(&broken)
        .await;
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let refusing = MockServer::start().await;
    let denied = json!({"__type": "AccessDeniedException", "message": "not allowed"});
    Mock::given(any())
        .respond_with(ResponseTemplate::new(400).set_body_json(denied))
        .mount(&refusing)
        .await;
    let throttling = MockServer::start().await;
    let throttled = json!({"__type": "ThrottlingException", "message": "Rate exceeded"});
    Mock::given(any())
        .respond_with(ResponseTemplate::new(400).set_body_json(throttled))
        .mount(&throttling)
        .await;
    for (endpoint, expected) in [
        (broken.uri(), "ServiceUnavailable"),
        (throttling.uri(), "ServiceUnavailable"),
        (closed, "ServiceUnavailable"),
        (refusing.uri(), "Unexpected"),
    ] {
        // The SDK's own short retries would only make this slow.
        let elsewhere = fixture
            .aws
            .to_builder()
            .endpoint_url(endpoint.clone())
            .retry_config(RetryConfig::disabled())
            .build();
        let elsewhere = Clients::new(&elsewhere, &fixture.config);
        let no_table = Clients {
            sfn: fixture.clients.sfn.clone(),
            ..elsewhere.clone()
        };
        let no_history = Clients {
            notifier: fixture.clients.notifier.clone(),
            ..elsewhere
        };
        for (clients, service, input) in [
            (&no_table, "DynamoDB", end(&run, &json!({}))),
            (&no_table, "DynamoDB", event(&run, &json!({}))),
            (&no_history, "Step Functions", event(&run, &json!({}))),
        ] {
            let recorded = record_result(clients, &fixture.config, now(), read(input)).await;
            let (name, message) = diagnostic(recorded.unwrap_err());
            assert_eq!(name, expected, "{service} {endpoint}: {message}");
            assert!(message.contains(service), "{message}");
        }
    }
}

proptest! {
    // Each case talks to the emulator.
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn failures_in_any_order_leave_the_last_one(
        order in Just(vec![0_u64, 0, 1, 2, 2, 3]).prop_shuffle()
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let failure = runtime.block_on(async {
            let fixture = Fixture::new().await.unwrap();
            let run = fixture.run("a");
            fixture.claim(POST, &run).await.unwrap();
            for redrive in order {
                let change = json!({
                    "redriveCount": redrive,
                    "error": format!("Error{redrive}"),
                    "stopDate": 1_793_361_600_000 + redrive,
                });
                fixture.handle(event(&run, &change)).await.unwrap();
            }
            fixture.record(POST).await.unwrap().unwrap().failure.unwrap()
        });
        prop_assert_eq!(failure.redrive_count, 3);
        prop_assert_eq!(failure.error.as_deref(), Some("Error3"));
        prop_assert_eq!(failure.at.as_millisecond(), 1_793_361_600_003);
    }
}

#[tokio::test]
async fn the_function_as_it_is_deployed_names_what_its_input_lacks() {
    let rows = [
        (json!({}), "execution"),
        (json!(null), "input cannot be read"),
        (json!({"execution": "arn"}), "day"),
        (
            json!({"execution": "arn", "day": {"status": "picked"}}),
            "post",
        ),
        (
            json!({"execution": "arn", "day": {"status": "picked", "post": POST}, "tweet": {}}),
            "status",
        ),
        (json!({"detail": {}}), "executionArn"),
        (json!({"detail": {"executionArn": "arn"}}), "status"),
        (json!({"detail": null}), "null"),
    ];
    let payloads = rows.clone().map(|(payload, _)| payload);
    let answers = answered(&payloads).await.unwrap();
    assert_eq!(answers.len(), rows.len());
    for ((payload, says), answer) in rows.into_iter().zip(answers) {
        assert_eq!(answer["errorType"], "InvalidInput", "{payload}: {answer}");
        let message = answer["errorMessage"].as_str().unwrap();
        assert!(message.contains(says), "{payload}: {message}");
    }
}

#[test]
fn without_its_environment_the_function_ends_and_names_the_variable() {
    let output = Command::new(env!("CARGO_BIN_EXE_record-result"))
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("TABLE_NAME"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[tokio::test]
async fn a_dry_run_is_recorded_in_its_partition_and_not_notified() {
    let fixture = Fixture::new().await.unwrap();
    let post: post::PostId = POST.parse().unwrap();
    let run = fixture.run("a");
    let dry = post.dry_run_of(&run).to_string();
    fixture.claim(&dry, &run).await.unwrap();
    let change = json!({
        "day": {"status": "picked", "post": dry, "wouldSkip": "paused: a bad joke"},
        "draft": {"costUsd": 0.0},
        "tweet": {"status": "dry-run", "requests": [{"method": "POST"}], "costUsd": 0.0},
    });
    let output = fixture.handle(end(&run, &change)).await.unwrap();
    assert_eq!((output.outcome, output.recorded), ("dry-run", true));
    let why = "a real run would have posted nothing: paused: a bad joke";
    assert_eq!(output.reason.as_deref(), Some(why));
    let record = fixture.record(&dry).await.unwrap().unwrap();
    assert_eq!(record.outcome, Some(Outcome::DryRun));
    let result = record.result.unwrap();
    assert_eq!(result["tweet"]["requests"][0]["method"], "POST");

    // A dry run that fails, after and before its claim.
    let dry_input = json!({"bot": "spooky-days", "slot": 1, "date": "2026-10-30", "dryRun": true});
    let dry_input = json!({"input": dry_input.to_string()});
    let failing = fixture.run("b");
    let dry = post.dry_run_of(&failing).to_string();
    fixture.claim(&dry, &failing).await.unwrap();
    let output = fixture.handle(event(&failing, &dry_input)).await.unwrap();
    assert_eq!((output.outcome, output.recorded), ("failed", true));
    let record = fixture.record(&dry).await.unwrap().unwrap();
    assert_eq!(record.failure.unwrap().error.as_deref(), Some("ModelGone"));
    let output = fixture.handle(event(&fixture.run("c"), &dry_input)).await;
    assert!(!output.unwrap().recorded);

    assert!(fixture.mails().await.is_empty());
    assert!(fixture.record(POST).await.unwrap().is_none());
    assert!(fixture.audit(POST).await.unwrap().is_empty());
    assert_eq!(fixture.items().await.unwrap(), 2);
    // The output of a dry run is not a valid end of a real post.
    let real = json!({"tweet": {"status": "dry-run"}});
    fixture.claim(POST, &run).await.unwrap();
    let refused = fixture.handle(end(&run, &real)).await.unwrap_err();
    assert_eq!(<&str>::from(&refused), "InvalidInput");
}
