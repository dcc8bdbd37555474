//! Who is told what, and that nobody is told twice or wrongly.

use aws_config::retry::RetryConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use notifications::{Kind, Told};
use posts_table::{Arm, Armed, Operator, RunEnd};
use record_result::{Clients, record_result};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use crate::setting::{ALERTS, Archive, BOT_TOML, FROM, OWNER, POST, end, event, now, read};

fn later(minutes: i64) -> Timestamp {
    now() + SignedDuration::from_mins(minutes)
}

/// The same bot, which wants all that is optional.
fn curious() -> String {
    ["posted", "skipped", "rejected"]
        .into_iter()
        .fold(BOT_TOML.to_owned(), |text, key| {
            text.replace(&format!("{key} = false"), &format!("{key} = true"))
        })
}

/// The ends of a run: the outcome's notice, whether it is optional, and what differs in the input.
fn ends() -> Vec<(Kind, bool, Value)> {
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
        (Kind::Posted, true, json!({})),
        (Kind::Skipped, true, of_day("no entry for 10-30")),
        (Kind::Skipped, true, skipped("paused: holidays")),
        (
            Kind::Rejected,
            true,
            decision(json!({"verdict": "rejected", "reason": "not funny"})),
        ),
        (
            Kind::OverBudget,
            false,
            of_day("over budget: $3.00 of $3.00"),
        ),
        (
            Kind::TooLate,
            false,
            skipped("too late: the slot's time is too long ago"),
        ),
        (
            Kind::Expired,
            false,
            decision(json!({"verdict": "expired"})),
        ),
        (
            Kind::Refused,
            false,
            json!({"tweet": null, "refusal": {"Cause": "{\"errorMessage\": \"Too gory.\"}"}}),
        ),
    ]
}

#[tokio::test]
async fn what_needs_a_person_is_told_once_and_the_rest_to_those_who_want_it() {
    for wanted in [false, true] {
        let archive = Archive::new().await.unwrap();
        if wanted {
            archive.put_bot(&curious()).await.unwrap();
        }
        for (i, (kind, optional, change)) in ends().into_iter().enumerate() {
            let post = format!("spooky-days/{}-10-30/1", 2026 + i);
            let run = archive.run(&format!("run-{i}"));
            archive.claim(&post, &run).await.unwrap();
            let mut state = end(&run, &change);
            state["day"]["post"] = json!(post);
            for _ in 0..2 {
                archive.tell(state.clone()).await.unwrap();
            }
            let mails = archive.mails().await;
            let mails: Vec<_> = mails
                .iter()
                .filter(|mail| mail.subject.contains(&post))
                .collect();
            let told = usize::from(wanted || !optional);
            assert_eq!(mails.len(), told, "{}: {mails:?}", kind.name());
            let Some(mail) = mails.first() else { continue };
            assert_eq!(
                (mail.source.as_str(), &mail.to[..]),
                (FROM, &[OWNER.to_owned()][..])
            );
            let footer = format!("the notice \"{}\" of docs/runbook.md", kind.name());
            assert!(mail.body_text.contains(&footer), "{}", mail.body_text);
            let mends = mail
                .body_text
                .contains(&format!("spooky run --again {post} --reason …"));
            assert_eq!(mends, !optional, "{}", mail.body_text);
            if kind == Kind::Posted {
                // The link is the ledger's own.
                assert!(!mail.body_text.contains("status/17"), "{}", mail.body_text);
                assert!(mail.body_text.contains("Cost: $0.07"), "{}", mail.body_text);
            }
            let trail = archive.table().audit_trail(&post.parse().unwrap()).await;
            let trail = trail.unwrap();
            assert_eq!(trail.len(), 1, "{trail:?}");
            assert_eq!(trail[0].what.to_string(), format!("told#{}", kind.name()));
        }
    }
}

#[tokio::test]
async fn a_failure_is_told_once_for_each_redrive_with_the_command_that_mends_it() {
    let archive = Archive::new().await.unwrap();
    let run = archive.run("a");
    archive.claim(POST, &run).await.unwrap();
    for redrives in [0, 0, 1, 0, 1, 2] {
        let change = json!({"redriveCount": redrives, "error": "OutOfCredit"});
        archive.tell(event(&run, &change)).await.unwrap();
    }
    let mails = archive.mails().await;
    assert_eq!(mails.len(), 3, "{mails:?}");
    for mail in &mails {
        assert_eq!(mail.to, [OWNER]);
        for part in [
            "Post: spooky-days/2026-10-30/1",
            "the account at OpenAI or X has no credit left",
            "Error: OutOfCredit",
            "Message: The model does not exist.",
            "Top it up",
            "spooky redrive spooky-days/2026-10-30/1\n",
            "notice \"failed\"",
        ] {
            assert!(mail.body_text.contains(part), "{part}: {}", mail.body_text);
        }
        // This cloud is not in the console.
        assert!(!mail.body_text.contains("console"), "{}", mail.body_text);
        assert!(mail.body_html.contains("<code"), "{}", mail.body_html);
    }
}

#[tokio::test]
async fn on_aws_the_commands_name_the_environment_and_the_console_has_the_execution() {
    let mut archive = Archive::new().await.unwrap();
    archive.clients.on_aws = true;
    archive.clients.teller.env = notifications::env("daily-post-prod");
    let run = archive.run("a");
    archive.claim(POST, &run).await.unwrap();
    for (redrives, error) in [(0, "OutOfCredit"), (1, "Unconfirmed")] {
        let change = json!({"redriveCount": redrives, "error": error});
        archive.tell(event(&run, &change)).await.unwrap();
    }
    let mails = archive.mails().await;
    let [failed, unconfirmed] = &mails[..] else {
        panic!("{mails:?}");
    };
    let console = format!(
        "https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1#/v2/executions/details/{run}\n"
    );
    for (mail, parts) in [
        (
            failed,
            [format!("spooky --env prod redrive {POST}\n"), console],
        ),
        (
            unconfirmed,
            [
                format!(
                    "spooky --env prod attach {POST} <address of the tweet> && spooky --env prod redrive {POST}\n"
                ),
                format!("spooky --env prod redrive {POST} --post-again --reason …\n"),
            ],
        ),
    ] {
        for part in parts {
            assert!(mail.body_text.contains(&part), "{part}: {}", mail.body_text);
        }
    }
    // The bot's name has the command's in it.
    assert!(
        failed
            .body_text
            .contains("Post: spooky-days/2026-10-30/1\n")
    );
}

#[tokio::test]
async fn each_error_has_its_own_way_to_be_mended() {
    let rows = [
        ("RateLimited", "failed", vec!["spooky redrive POST\n"]),
        (
            "ModelGone",
            "failed",
            vec!["spooky run --again POST --reason"],
        ),
        (
            "Unconfirmed",
            "unconfirmed",
            vec![
                "It may be on X",
                "spooky attach POST <address of the tweet> && spooky redrive POST\n",
                "spooky redrive POST --post-again --reason",
            ],
        ),
        (
            "DuplicateTweet",
            "failed",
            vec!["spooky attach POST", "spooky run --again POST --reason"],
        ),
        (
            "Lambda.Unknown",
            "failed",
            vec!["a function crashed", "spooky redrive POST\n"],
        ),
        (
            "Brand.New",
            "failed",
            vec!["no words yet", "spooky redrive POST\n"],
        ),
    ];
    let archive = Archive::new().await.unwrap();
    for (i, (error, kind, parts)) in rows.into_iter().enumerate() {
        let date = format!("{}-10-30", 2026 + i);
        let post = format!("spooky-days/{date}/1");
        let run = archive.run(error);
        archive.claim(&post, &run).await.unwrap();
        if error == "Unconfirmed" {
            arm(&archive, &post, &run).await;
        }
        let change = json!({
            "error": error,
            "input": json!({"bot": "spooky-days", "slot": 1, "date": date}).to_string(),
        });
        archive.tell(event(&run, &change)).await.unwrap();
        let mails = archive.mails().await;
        let mail = mails.last().unwrap();
        let footer = format!("notice \"{kind}\"");
        for part in parts.into_iter().chain([footer.as_str()]) {
            let part = part.replace("POST", &post);
            assert!(mail.body_text.contains(&part), "{part}: {}", mail.body_text);
        }
    }
}

async fn arm(archive: &Archive, post: &str, run: &str) {
    let arm = Arm {
        execution: run,
        text: "Boo!",
        media_key: "3_1",
        round: 1,
        content_hash: "v1-0",
        lease_id: "lease",
        lease_until: now().as_millisecond(),
    };
    let post = post.parse().unwrap();
    let armed = archive.table().arm(&post, false, now(), &arm);
    assert_eq!(armed.await.unwrap(), Armed::Yes);
}

#[tokio::test]
async fn a_failure_before_the_claim_is_told_with_the_execution_to_redrive() {
    let archive = Archive::new().await.unwrap();
    let run = archive.run("a");
    let input = json!({"bot": "spooky-days", "slot": 1, "scheduledTime": "2026-10-31T03:30:00Z"});
    let change = json!({"error": "ServiceUnavailable", "input": input.to_string()});
    for _ in 0..2 {
        archive.tell(event(&run, &change)).await.unwrap();
    }
    let mails = archive.mails().await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    let text = &mails[0].body_text;
    // By the bot's own clock it is still the day before.
    assert!(text.contains("Post: spooky-days/2026-10-30/1"), "{text}");
    assert!(text.contains(&format!("spooky redrive {run}\n")), "{text}");
}

#[tokio::test]
async fn a_failure_that_is_over_is_told_to_nobody() {
    let archive = Archive::new().await.unwrap();
    let (run, next) = (archive.run("a"), archive.run("a-redrive-1"));
    archive.claim(POST, &run).await.unwrap();
    // A redrive has posted, and the event of the failure before it comes now.
    archive.tell(end(&run, &json!({}))).await.unwrap();
    archive.tell(event(&run, &json!({}))).await.unwrap();
    assert!(archive.mails().await.is_empty());

    // A later failure is recorded, and the earlier one comes now.
    let post = "spooky-days/2027-10-30/1";
    archive.claim(post, &run).await.unwrap();
    let input = json!({"bot": "spooky-days", "slot": 1, "date": "2027-10-30"}).to_string();
    for redrives in [1, 0] {
        let change = json!({"redriveCount": redrives, "input": input});
        archive.tell(event(&run, &change)).await.unwrap();
    }
    assert_eq!(archive.told(OWNER).await.len(), 1);

    // Somebody has given the slot to an execution that goes on with the run.
    let post = "spooky-days/2028-10-30/1";
    archive.claim(post, &run).await.unwrap();
    let operator = Operator {
        by: "Ada".to_owned(),
        reason: None,
    };
    let table = archive.table();
    table
        .hand_over(&post.parse().unwrap(), &run, &next, &operator, now())
        .await
        .unwrap();
    let input = json!({"bot": "spooky-days", "slot": 1, "date": "2028-10-30"}).to_string();
    let change = json!({"redriveCount": 5, "input": input});
    archive.tell(event(&run, &change)).await.unwrap();
    assert_eq!(archive.told(OWNER).await.len(), 1);
}

#[tokio::test]
async fn a_failure_of_an_execution_that_runs_again_is_neither_recorded_nor_told() {
    let archive = Archive::new().await.unwrap();
    let run = archive.run("a");
    archive.claim(POST, &run).await.unwrap();
    let before = archive.snapshot(POST).await.unwrap();
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
        let aws = archive.aws.to_builder().endpoint_url(there.uri()).build();
        let clients = Clients {
            sfn: aws_sdk_sfn::Client::new(&aws),
            ..archive.clients.clone()
        };
        let told = record_result(
            &clients,
            &archive.config,
            now(),
            read(event(&run, &json!({}))),
        );
        assert!(!told.await.unwrap().recorded, "{status}");
        assert_eq!(archive.snapshot(POST).await.unwrap(), before, "{status}");
    }
    assert!(archive.mails().await.is_empty());
}

#[tokio::test]
async fn a_second_execution_that_fails_is_told_as_one_that_touches_nothing() {
    let archive = Archive::new().await.unwrap();
    let (holder, second) = (archive.run("a"), archive.run("b"));
    archive.claim(POST, &holder).await.unwrap();
    let before = archive.snapshot(POST).await.unwrap();
    for _ in 0..2 {
        archive.tell(event(&second, &json!({}))).await.unwrap();
    }
    assert_eq!(archive.snapshot(POST).await.unwrap(), before);
    let mails = archive.mails().await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    let text = &mails[0].body_text;
    assert!(text.contains("does not hold the slot"), "{text}");
    assert!(text.contains(&format!("Holder: {holder}")), "{text}");
    assert!(text.contains(&format!("spooky show {POST}\n")), "{text}");
    assert!(!text.contains("redrive"), "{text}");
}

#[tokio::test]
async fn a_run_that_failed_after_its_end_was_written_tells_its_end() {
    let archive = Archive::new().await.unwrap();
    let run = archive.run("a");
    archive.claim(POST, &run).await.unwrap();
    // The record was written, and then the function crashed for good.
    let outcome = post::Outcome::Expired;
    let (post, result) = (POST.parse().unwrap(), json!({}));
    let end = RunEnd {
        reason: Some("nobody decided in time"),
        ..RunEnd::new(outcome, &result)
    };
    let finished = archive.table().finish(&post, &run, &end, now());
    assert!(finished.await.unwrap());
    let change = json!({"error": "Runtime.ExitError"});
    archive.tell(event(&run, &change)).await.unwrap();
    let subject = format!("{POST} was not posted: nobody decided in time");
    assert_eq!(archive.told(OWNER).await, [subject]);
}

#[tokio::test]
async fn where_bot_toml_cannot_be_read_somebody_else_is_told_why() {
    let archive = Archive::new().await.unwrap();
    archive
        .put_bot("[notifications]\nto = [\"a@example.org\"]")
        .await
        .unwrap();
    let run = archive.run("a");
    archive.claim(POST, &run).await.unwrap();
    archive.tell(event(&run, &json!({}))).await.unwrap();
    let input = json!({"bot": "no-such-bot", "slot": 1, "date": "2026-10-30"}).to_string();
    let change = json!({"input": input});
    archive
        .tell(event(&archive.run("b"), &change))
        .await
        .unwrap();
    let mails = archive.mails().await;
    assert_eq!(mails.len(), 2, "{mails:?}");
    for (mail, why) in mails.iter().zip(["`time_zone` is missing", "NoSuchKey"]) {
        assert_eq!(mail.to, [ALERTS]);
        let text = &mail.body_text;
        assert!(text.contains("Why you: you are in ALERT_TO"), "{text}");
        assert!(text.contains(why), "{text}");
    }
    // What nobody is known to want is sent to nobody, and holds nothing up.
    let output = archive.tell(end(&run, &json!({}))).await.unwrap();
    assert_eq!(output.outcome, "posted");
    assert_eq!(archive.mails().await.len(), 2);
}

#[tokio::test]
async fn where_ses_refuses_the_record_is_written_and_the_notice_goes_out_later_once() {
    let archive = Archive::new().await.unwrap();
    let both = BOT_TOML.replace(
        "to = [\"owner@example.org\"]",
        "to = [\"owner@example.org\", \"friend@example.net\"]",
    );
    archive.put_bot(&both).await.unwrap();
    let run = archive.run("a");
    archive.claim(POST, &run).await.unwrap();
    let broken = MockServer::start().await;
    Mock::given(any())
        .respond_with(
            ResponseTemplate::new(400).set_body_json(json!({"message": "Sending is paused."})),
        )
        .mount(&broken)
        .await;
    let elsewhere = archive.aws.to_builder().endpoint_url(broken.uri());
    let elsewhere = elsewhere.retry_config(RetryConfig::disabled()).build();
    let mut clients = archive.clients.clone();
    clients.teller.ses = aws_sdk_sesv2::Client::new(&elsewhere);

    let told = record_result(
        &clients,
        &archive.config,
        now(),
        read(event(&run, &json!({}))),
    );
    assert!(told.await.unwrap().recorded);

    assert_eq!(broken.received_requests().await.unwrap().len(), 2);
    assert!(archive.mails().await.is_empty());
    // Its sender may still be at it.
    let sent = archive.clients.teller.send_pending(now()).await.unwrap();
    assert_eq!((sent.sent, sent.failures), (0, Vec::new()));
    // SES is back for one of the two.
    let half = MockServer::start().await;
    Mock::given(wiremock::matchers::body_string_contains(
        "friend@example.net",
    ))
    .respond_with(ResponseTemplate::new(200).set_body_json(json!({"MessageId": "1"})))
    .mount(&half)
    .await;
    let elsewhere = archive.aws.to_builder().endpoint_url(half.uri());
    let elsewhere = elsewhere.retry_config(RetryConfig::disabled()).build();
    clients.teller.ses = aws_sdk_sesv2::Client::new(&elsewhere);
    let sent = clients.teller.send_pending(later(2)).await.unwrap();
    assert_eq!(sent.sent, 0);
    assert!(sent.failures[0].contains(OWNER), "{sent:?}");
    assert!(!sent.failures[0].contains("friend"), "{sent:?}");
    for minutes in [4, 6] {
        let sent = archive.clients.teller.send_pending(later(minutes)).await;
        assert!(sent.unwrap().failures.is_empty());
    }
    // Each of them has it once by now.
    assert_eq!(archive.told(OWNER).await.len(), 1);
    assert_eq!(archive.mails().await.len(), 1);
    archive.tell(event(&run, &json!({}))).await.unwrap();
    assert_eq!(archive.mails().await.len(), 1);
}

#[tokio::test]
async fn a_notice_whose_sender_died_is_sent_by_who_comes_next_and_no_earlier() {
    let archive = Archive::new().await.unwrap();
    let run = archive.run("a");
    archive.claim(POST, &run).await.unwrap();
    archive.tell(event(&run, &json!({}))).await.unwrap();
    let record = archive.record(POST).await.unwrap().unwrap();
    // As it was before its mail was sent, so that the crash comes right after the mark.
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
        notice: json!(failed.notice()),
        since: now(),
        tries: 0,
    };
    let table = archive.table();
    assert!(
        table
            .start_notification(&pending, now(), later(1))
            .await
            .unwrap()
    );
    let before = archive.mails().await.len();
    let teller = &archive.clients.teller;
    let audience = notifications::Audience::instead(&[OWNER.to_owned()], "a test");
    let tell = async |at| {
        teller
            .tell(&audience, &pending.event, &failed.notice(), at)
            .await
    };
    assert_eq!(tell(now()).await.unwrap(), Told::Before);
    assert_eq!(archive.mails().await.len(), before);
    // Two at once: one of them sends.
    let (one, other) = tokio::join!(tell(later(2)), tell(later(2)));
    let mut told = [one.unwrap(), other.unwrap()];
    told.sort_by_key(|told| *told != Told::Now);
    assert_eq!(told, [Told::Now, Told::Before]);
    assert_eq!(archive.mails().await.len(), before + 1);
    assert_eq!(tell(later(9)).await.unwrap(), Told::Before);
    assert!(table.pending_notifications().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_notice_that_cannot_be_read_does_not_keep_the_others() {
    let archive = Archive::new().await.unwrap();
    let mut put = archive.dynamodb.put_item().table_name("posts");
    for (name, value) in [("pk", "#notices"), ("sk", "pending#a"), ("notice", "?")] {
        put = put.item(name, AttributeValue::S(value.to_owned()));
    }
    put.send().await.unwrap();
    let pending = posts_table::PendingNotification {
        event: "z".to_owned(),
        to: vec![OWNER.to_owned()],
        notice: json!(notifications::not_started(&POST.parse().unwrap(), now())),
        since: now(),
        tries: 0,
    };
    assert!(
        archive
            .table()
            .start_notification(&pending, now(), now())
            .await
            .unwrap()
    );
    let sent = archive.clients.teller.send_pending(later(1)).await.unwrap();
    assert_eq!(sent.sent, 1);
    assert!(sent.failures[0].contains("pending#a"), "{sent:?}");
}
