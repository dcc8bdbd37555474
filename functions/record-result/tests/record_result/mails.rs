//! Which notifications the recipients get, and that each is delivered exactly once.
//! The content of the mails is tested in `crates/notifications`.

use aws_config::retry::RetryConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use notifications::{Delivery, NotificationKind};
use posts_table::{Operator, RunEnd};
use record_result::{Clients, record_result};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use crate::fixture::{ALERTS, BOT_TOML, FROM, Fixture, OWNER, POST, end, event, now, read};

fn later(minutes: i64) -> Timestamp {
    now() + SignedDuration::from_mins(minutes)
}

/// The bot's file with every optional notification turned on.
fn with_optional_notifications() -> String {
    ["posted", "skipped", "rejected"]
        .into_iter()
        .fold(BOT_TOML.to_owned(), |text, key| {
            text.replace(&format!("{key} = false"), &format!("{key} = true"))
        })
}

/// The ends of a run: the kind of its notification, whether it is optional, and what differs in the input.
fn ends() -> Vec<(NotificationKind, bool, Value)> {
    let decision = |verdict: Value| {
        let mut decision = json!({"by": OWNER, "at": "2026-10-30T11:00:00Z"});
        decision
            .as_object_mut()
            .unwrap()
            .extend(verdict.as_object().unwrap().clone());
        json!({"tweet": null, "approval": {"decision": decision}})
    };
    let skipped = |reason: &str| json!({"tweet": {"status": "skipped", "reason": reason}});
    let of_day = |reason: &str| json!({"day": {"status": "skipped", "reason": reason}, "tweet": null, "draft": null});
    vec![
        (NotificationKind::Posted, true, json!({})),
        (
            NotificationKind::Skipped,
            true,
            of_day("no entry for 10-30"),
        ),
        (NotificationKind::Skipped, true, skipped("paused: holidays")),
        (
            NotificationKind::Rejected,
            true,
            decision(json!({"verdict": "rejected", "reason": "not funny"})),
        ),
        (
            NotificationKind::OverBudget,
            false,
            of_day("over budget: $3.00 of $3.00"),
        ),
        (
            NotificationKind::TooLate,
            false,
            skipped("too late: the slot's time is too long ago"),
        ),
        (
            NotificationKind::Expired,
            false,
            decision(json!({"verdict": "expired"})),
        ),
        (
            NotificationKind::Refused,
            false,
            json!({"tweet": null, "refusal": {"Cause": "{\"errorMessage\": \"Too gory.\"}"}}),
        ),
    ]
}

#[tokio::test]
async fn each_end_is_notified_once_and_optional_kinds_only_if_the_bot_turns_them_on() {
    for wanted in [false, true] {
        let fixture = Fixture::new().await.unwrap();
        if wanted {
            fixture
                .put_bot(&with_optional_notifications())
                .await
                .unwrap();
        }
        for (i, (kind, optional, change)) in ends().into_iter().enumerate() {
            let post = format!("spooky-days/{}-10-30/1", 2026 + i);
            let run = fixture.run(&format!("run-{i}"));
            fixture.claim(&post, &run).await.unwrap();
            let mut state = end(&run, &change);
            state["day"]["post"] = json!(post);
            for _ in 0..2 {
                fixture.handle(state.clone()).await.unwrap();
            }
            let mails = fixture.mails().await;
            let mails: Vec<_> = mails
                .iter()
                .filter(|mail| mail.subject.contains(&post))
                .collect();
            let count = usize::from(wanted || !optional);
            assert_eq!(mails.len(), count, "{}: {mails:?}", kind.name());
            let Some(mail) = mails.first() else { continue };
            assert_eq!(
                (mail.source.as_str(), &mail.to[..]),
                (FROM, &[OWNER.to_owned()][..])
            );
            let footer = format!("a \"{}\" notification", kind.name());
            assert!(mail.body_text.contains(&footer), "{}", mail.body_text);
            if kind == NotificationKind::Posted {
                // The link comes from the ledger, not from the input.
                assert!(!mail.body_text.contains("status/17"), "{}", mail.body_text);
                assert!(
                    mail.body_text.contains("Cost: $0.065"),
                    "{}",
                    mail.body_text
                );
            }
            let trail = fixture.table().audit_trail(&post.parse().unwrap()).await;
            let trail = trail.unwrap();
            assert_eq!(trail.len(), 1, "{trail:?}");
            assert_eq!(trail[0].what.to_string(), format!("told#{}", kind.name()));
        }
    }
}

#[tokio::test]
async fn a_failure_is_notified_once_for_each_redrive_with_the_command_that_fixes_it() {
    let mut fixture = Fixture::new().await.unwrap();
    // As on AWS.
    fixture.clients.notifier.env = notifications::env("daily-post-prod");
    let run = fixture.run("a");
    fixture.claim(POST, &run).await.unwrap();
    for redrives in [0, 0, 1, 0, 1, 2] {
        let change = json!({"redriveCount": redrives, "error": "OutOfCredit"});
        fixture.handle(event(&run, &change)).await.unwrap();
    }
    let mails = fixture.mails().await;
    assert_eq!(mails.len(), 3, "{mails:?}");
    for mail in &mails {
        assert_eq!(mail.to, [OWNER]);
        for part in [
            "Error: OutOfCredit",
            "Message: The model does not exist.",
            "spooky --env prod redrive spooky-days/2026-10-30/1\n",
            "a \"failed\" notification",
        ] {
            assert!(mail.body_text.contains(part), "{part}: {}", mail.body_text);
        }
        assert!(mail.body_html.contains("<code"), "{}", mail.body_html);
    }
}

#[tokio::test]
async fn a_failure_before_the_claim_names_the_execution_to_redrive() {
    let fixture = Fixture::new().await.unwrap();
    let run = fixture.run("a");
    let input = json!({"bot": "spooky-days", "slot": 1, "scheduledTime": "2026-10-31T03:30:00Z"});
    let change = json!({"error": "ServiceUnavailable", "input": input.to_string()});
    for _ in 0..2 {
        fixture.handle(event(&run, &change)).await.unwrap();
    }
    let mails = fixture.mails().await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    let text = &mails[0].body_text;
    // In the bot's time zone the date is still the day before.
    assert!(text.contains("Post: spooky-days/2026-10-30/1"), "{text}");
    assert!(text.contains(&format!("spooky redrive {run}\n")), "{text}");
}

#[tokio::test]
async fn a_failure_that_is_over_is_not_notified() {
    let fixture = Fixture::new().await.unwrap();
    let (run, next) = (fixture.run("a"), fixture.run("a-redrive-1"));
    fixture.claim(POST, &run).await.unwrap();
    // A redrive has posted, and the event of the earlier failure arrives after that.
    fixture.handle(end(&run, &json!({}))).await.unwrap();
    fixture.handle(event(&run, &json!({}))).await.unwrap();
    assert!(fixture.mails().await.is_empty());

    // A later failure is recorded, and the earlier one arrives after that.
    let post = "spooky-days/2027-10-30/1";
    fixture.claim(post, &run).await.unwrap();
    let input = json!({"bot": "spooky-days", "slot": 1, "date": "2027-10-30"}).to_string();
    for redrives in [1, 0] {
        let change = json!({"redriveCount": redrives, "input": input});
        fixture.handle(event(&run, &change)).await.unwrap();
    }
    assert_eq!(fixture.subjects_to(OWNER).await.len(), 1);

    // An operator has given the slot to an execution that continues the run.
    let post = "spooky-days/2028-10-30/1";
    fixture.claim(post, &run).await.unwrap();
    let operator = Operator {
        by: "Ada".to_owned(),
        reason: None,
    };
    let table = fixture.table();
    table
        .hand_over(&post.parse().unwrap(), &run, &next, &operator, now())
        .await
        .unwrap();
    let input = json!({"bot": "spooky-days", "slot": 1, "date": "2028-10-30"}).to_string();
    let change = json!({"redriveCount": 5, "input": input});
    fixture.handle(event(&run, &change)).await.unwrap();
    assert_eq!(fixture.subjects_to(OWNER).await.len(), 1);
}

#[tokio::test]
async fn a_failure_of_an_execution_that_runs_again_is_neither_recorded_nor_notified() {
    let fixture = Fixture::new().await.unwrap();
    let run = fixture.run("a");
    fixture.claim(POST, &run).await.unwrap();
    let before = fixture.snapshot(POST).await.unwrap();
    for (status, redrives) in [
        ("RUNNING", 1),
        ("SUCCEEDED", 0),
        ("FAILED", 1),
        ("PENDING_REDRIVE", 0),
    ] {
        let there = MockServer::start().await;
        let described = json!({
            "executionArn": run,
            "stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:daily-post",
            "status": status,
            "startDate": 1_793_354_400,
            "redriveCount": redrives,
            "events": [],
        });
        Mock::given(any())
            .respond_with(ResponseTemplate::new(200).set_body_json(described))
            .mount(&there)
            .await;
        let aws = fixture.aws.to_builder().endpoint_url(there.uri()).build();
        let clients = Clients {
            sfn: aws_sdk_sfn::Client::new(&aws),
            ..fixture.clients.clone()
        };
        let recorded = record_result(
            &clients,
            &fixture.config,
            now(),
            read(event(&run, &json!({}))),
        );
        assert!(!recorded.await.unwrap().recorded, "{status}");
        assert_eq!(fixture.snapshot(POST).await.unwrap(), before, "{status}");
    }
    assert!(fixture.mails().await.is_empty());
}

#[tokio::test]
async fn the_notification_of_a_second_execution_states_that_the_slot_is_unaffected() {
    let fixture = Fixture::new().await.unwrap();
    let (holder, second) = (fixture.run("a"), fixture.run("b"));
    fixture.claim(POST, &holder).await.unwrap();
    let before = fixture.snapshot(POST).await.unwrap();
    for _ in 0..2 {
        fixture.handle(event(&second, &json!({}))).await.unwrap();
    }
    assert_eq!(fixture.snapshot(POST).await.unwrap(), before);
    let mails = fixture.mails().await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    let text = &mails[0].body_text;
    assert!(text.contains("does not hold the slot"), "{text}");
    assert!(text.contains(&format!("Holder: {holder}")), "{text}");
    assert!(text.contains(&format!("spooky show {POST}\n")), "{text}");
    assert!(!text.contains("redrive"), "{text}");
}

#[tokio::test]
async fn a_run_that_failed_after_its_outcome_was_written_notifies_the_outcome() {
    let fixture = Fixture::new().await.unwrap();
    let run = fixture.run("a");
    fixture.claim(POST, &run).await.unwrap();
    // The record was written, and then the function crashed for good.
    let outcome = post::Outcome::Expired;
    let (post, result) = (POST.parse().unwrap(), json!({}));
    let end = RunEnd {
        reason: Some("no approver decided before the deadline"),
        ..RunEnd::new(outcome, &result)
    };
    let finished = fixture.table().finish(&post, &run, &end, now());
    assert!(finished.await.unwrap());
    let change = json!({"error": "Runtime.ExitError"});
    fixture.handle(event(&run, &change)).await.unwrap();
    let subject = format!("{POST} was not posted: the approval expired");
    assert_eq!(fixture.subjects_to(OWNER).await, [subject]);
}

#[tokio::test]
async fn if_bot_toml_cannot_be_read_the_alert_addresses_are_notified_and_learn_why() {
    let fixture = Fixture::new().await.unwrap();
    fixture
        .put_bot("[notifications]\nto = [\"a@example.org\"]")
        .await
        .unwrap();
    let run = fixture.run("a");
    fixture.claim(POST, &run).await.unwrap();
    fixture.handle(event(&run, &json!({}))).await.unwrap();
    let input = json!({"bot": "no-such-bot", "slot": 1, "date": "2026-10-30"}).to_string();
    let change = json!({"input": input});
    fixture
        .handle(event(&fixture.run("b"), &change))
        .await
        .unwrap();
    let mails = fixture.mails().await;
    assert_eq!(mails.len(), 2, "{mails:?}");
    for (mail, why) in mails.iter().zip(["`time_zone` is missing", "NoSuchKey"]) {
        assert_eq!(mail.to, [ALERTS]);
        let text = &mail.body_text;
        assert!(
            text.contains("Why you: your address is in ALERT_TO"),
            "{text}"
        );
        assert!(text.contains(why), "{text}");
    }
    // Optional notifications need a readable bot.toml; without one the run is recorded all the same.
    let output = fixture.handle(end(&run, &json!({}))).await.unwrap();
    assert_eq!(output.outcome, "posted");
    assert_eq!(fixture.mails().await.len(), 2);
}

#[tokio::test]
async fn if_ses_refuses_the_record_is_written_and_the_notification_is_delivered_once_later() {
    let fixture = Fixture::new().await.unwrap();
    let both = BOT_TOML.replace(
        "to = [\"owner@example.org\"]",
        "to = [\"owner@example.org\", \"friend@example.net\"]",
    );
    fixture.put_bot(&both).await.unwrap();
    let run = fixture.run("a");
    fixture.claim(POST, &run).await.unwrap();
    let broken = MockServer::start().await;
    Mock::given(any())
        .respond_with(
            ResponseTemplate::new(400).set_body_json(json!({"message": "Sending is paused."})),
        )
        .mount(&broken)
        .await;
    let elsewhere = fixture.aws.to_builder().endpoint_url(broken.uri());
    let elsewhere = elsewhere.retry_config(RetryConfig::disabled()).build();
    let mut clients = fixture.clients.clone();
    clients.notifier.ses = aws_sdk_sesv2::Client::new(&elsewhere);

    let recorded = record_result(
        &clients,
        &fixture.config,
        now(),
        read(event(&run, &json!({}))),
    );
    assert!(recorded.await.unwrap().recorded);

    assert_eq!(broken.received_requests().await.unwrap().len(), 2);
    assert!(fixture.mails().await.is_empty());
    // The lease of its sender is not over.
    let sent = fixture.clients.notifier.send_pending(now()).await.unwrap();
    assert_eq!((sent.sent, sent.failures), (0, Vec::new()));
    // SES takes one of the two mails again.
    let half = MockServer::start().await;
    Mock::given(wiremock::matchers::body_string_contains(
        "friend@example.net",
    ))
    .respond_with(ResponseTemplate::new(200).set_body_json(json!({"MessageId": "1"})))
    .mount(&half)
    .await;
    let elsewhere = fixture.aws.to_builder().endpoint_url(half.uri());
    let elsewhere = elsewhere.retry_config(RetryConfig::disabled()).build();
    clients.notifier.ses = aws_sdk_sesv2::Client::new(&elsewhere);
    let sent = clients.notifier.send_pending(later(2)).await.unwrap();
    assert_eq!(sent.sent, 0);
    assert!(sent.failures[0].contains(OWNER), "{sent:?}");
    assert!(!sent.failures[0].contains("friend"), "{sent:?}");
    for minutes in [4, 6] {
        let sent = fixture.clients.notifier.send_pending(later(minutes)).await;
        assert!(sent.unwrap().failures.is_empty());
    }
    // Each recipient has the mail once.
    assert_eq!(fixture.subjects_to(OWNER).await.len(), 1);
    assert_eq!(fixture.mails().await.len(), 1);
    fixture.handle(event(&run, &json!({}))).await.unwrap();
    assert_eq!(fixture.mails().await.len(), 1);
}

#[tokio::test]
async fn a_notification_whose_sender_died_is_sent_by_the_next_call_after_the_lease() {
    let fixture = Fixture::new().await.unwrap();
    let run = fixture.run("a");
    fixture.claim(POST, &run).await.unwrap();
    fixture.handle(event(&run, &json!({}))).await.unwrap();
    let record = fixture.record(POST).await.unwrap().unwrap();
    // The state after a crash between the mark and the mail.
    let failure = record.failure.clone().unwrap();
    let failed = notifications::Failed {
        post: None,
        execution: "arn:b",
        failure: &failure,
        record: None,
        on_aws: false,
    };
    let pending = posts_table::PendingNotification {
        event: failed.event(),
        to: vec![OWNER.to_owned()],
        notice: json!(failed.notification()),
        since: now(),
        tries: 0,
    };
    let table = fixture.table();
    assert!(
        table
            .start_notification(&pending, now(), later(1))
            .await
            .unwrap()
    );
    let before = fixture.mails().await.len();
    let notifier = &fixture.clients.notifier;
    let recipients = notifications::Recipients::fallback(&[OWNER.to_owned()], "a test");
    let notify = async |at| {
        let notification = failed.notification();
        notifier
            .notify(&recipients, &pending.event, &notification, at)
            .await
    };
    assert_eq!(notify(now()).await.unwrap(), Delivery::TakenBefore);
    assert_eq!(fixture.mails().await.len(), before);
    // Of two concurrent calls, one sends.
    let (one, other) = tokio::join!(notify(later(2)), notify(later(2)));
    let mut deliveries = [one.unwrap(), other.unwrap()];
    deliveries.sort_by_key(|delivery| *delivery != Delivery::Sent);
    assert_eq!(deliveries, [Delivery::Sent, Delivery::TakenBefore]);
    assert_eq!(fixture.mails().await.len(), before + 1);
    assert_eq!(notify(later(9)).await.unwrap(), Delivery::TakenBefore);
    assert!(table.pending_notifications().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_notification_that_cannot_be_read_does_not_block_the_others() {
    let fixture = Fixture::new().await.unwrap();
    let mut put = fixture.dynamodb.put_item().table_name("posts");
    for (name, value) in [("pk", "#notices"), ("sk", "pending#a"), ("notice", "?")] {
        put = put.item(name, AttributeValue::S(value.to_owned()));
    }
    put.send().await.unwrap();
    let pending = posts_table::PendingNotification {
        event: "z".to_owned(),
        to: vec![OWNER.to_owned()],
        notice: json!(notifications::not_started(
            &POST.parse().unwrap(),
            &now().to_zoned_datetime(TimeZone::UTC)
        )),
        since: now(),
        tries: 0,
    };
    assert!(
        fixture
            .table()
            .start_notification(&pending, now(), now())
            .await
            .unwrap()
    );
    let sent = fixture
        .clients
        .notifier
        .send_pending(later(1))
        .await
        .unwrap();
    assert_eq!(sent.sent, 1);
    assert!(sent.failures[0].contains("pending#a"), "{sent:?}");
}
