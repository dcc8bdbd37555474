//! The real function against the emulator, with real executions that wait: what it settles, delivers and reminds of,
//! what it leaves alone, and that looking twice changes nothing.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

mod fixture;
mod probes;
mod reservations;
mod runs;

use approvals::link::{Keys, Purpose};
use approvals::{
    ApprovalProgress, ApprovalState, DecisionOutcome, DecisionRequest, decide, settle_and_deliver,
};
use aws_sdk_dynamodb::types::AttributeValue;
use fixture::{
    ALERTS, BASE, BOT, DEADLINE, FRIEND, FROM, Fixture, KEY, OWNER, POST, REMINDER, at, done, id,
    text,
};
use post::AuditEvent;
use posts_table::{OnExpiry, Verdict, content_hash};
use serde_json::json;
use test_kit::binary::Binary;
use watchdog::{Clients, Config, Done, Input, watchdog};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::header};

#[tokio::test]
async fn without_open_approvals_nothing_is_done_and_no_key_is_read() {
    let fixture = Fixture::new().await;
    fixture.delete_secret().await;
    assert_eq!(fixture.look(0).await.unwrap(), Done::default());
    fixture.waiting(POST, |_| {}).await;
    let before = fixture.everything().await;
    for seconds in [0, REMINDER - 1, REMINDER, DEADLINE - 1] {
        // No approver has received the email, so there is no reminder.
        assert_eq!(
            fixture.look(seconds).await.unwrap(),
            done(0, 0, 0, 1),
            "{seconds}"
        );
    }
    assert_eq!(fixture.everything().await, before);
}

#[tokio::test]
async fn the_policy_settles_an_expired_approval_once() {
    for on_timeout in [OnExpiry::Skip, OnExpiry::Post] {
        let fixture = Fixture::new().await;
        let execution = fixture.waiting(POST, |a| a.on_timeout = on_timeout).await;
        assert_eq!(fixture.look(DEADLINE - 1).await.unwrap(), done(0, 0, 0, 1));
        assert_eq!(fixture.look(DEADLINE).await.unwrap(), done(1, 0, 0, 0));
        let approval = fixture.approval(POST).await;
        let decision = approval.decision.unwrap();
        assert_eq!(
            (decision.by.as_str(), decision.at),
            ("policy", at(DEADLINE))
        );
        let verdict = match on_timeout {
            OnExpiry::Skip => Verdict::Expired,
            OnExpiry::Post => Verdict::Approved {
                caption: approval.caption,
                alt_text: approval.alt_text,
                hash: approval.presented_hash,
            },
        };
        assert_eq!(decision.verdict, verdict);
        let told = ("SUCCEEDED".to_owned(), Some(json!(decision)));
        assert_eq!(fixture.ended(&execution).await, told);
        assert_eq!(approval.delivered_at, Some(at(DEADLINE)));
        assert!(fixture.marked(BOT).await.is_empty());
        let before = fixture.everything().await;
        for seconds in [DEADLINE, DEADLINE + 300] {
            assert_eq!(fixture.look(seconds).await.unwrap(), Done::default());
        }
        assert_eq!(fixture.everything().await, before);
    }
}

#[tokio::test]
async fn an_undelivered_decision_is_delivered_once_even_after_the_deadline() {
    for seconds in [60, DEADLINE - 1, DEADLINE, 2 * DEADLINE] {
        let fixture = Fixture::new().await;
        let execution = fixture.waiting(POST, |_| {}).await;
        fixture.mailed(POST, OWNER).await;
        let decision = fixture.decide(POST, 10).await;
        assert_eq!(fixture.status(&execution).await.0, "RUNNING");
        assert_eq!(fixture.look(seconds).await.unwrap(), done(0, 1, 0, 0));
        let told = ("SUCCEEDED".to_owned(), Some(json!(decision)));
        assert_eq!(fixture.ended(&execution).await, told);
        assert_eq!(fixture.decision(POST).await, Some(decision));
        assert!(fixture.marked(BOT).await.is_empty());
        let before = fixture.everything().await;
        assert_eq!(fixture.look(seconds + 300).await.unwrap(), Done::default());
        assert_eq!(fixture.everything().await, before);
        assert!(
            fixture.mails().await.is_empty(),
            "what is decided needs no reminder"
        );
    }
}

#[tokio::test]
async fn a_decision_that_no_execution_waits_for_is_dropped() {
    // The execution was stopped: its token is dead.
    let fixture = Fixture::new().await;
    let execution = fixture.waiting(POST, |_| {}).await;
    let decision = fixture.decide(POST, 10).await;
    fixture.stop(&execution).await;
    assert_eq!(fixture.look(60).await.unwrap(), done(0, 1, 0, 0));
    assert_eq!(fixture.decision(POST).await, Some(decision));
    assert_eq!(fixture.ended(&execution).await.0, "ABORTED");
    assert!(fixture.marked(BOT).await.is_empty());

    // The token was used, and recording the delivery failed.
    let fixture = Fixture::new().await;
    let execution = fixture.waiting(POST, |_| {}).await;
    let decision = fixture.decide(POST, 10).await;
    let table = &fixture.clients.decision.table;
    let decided = table.approval(&id(POST), 1).await.unwrap().unwrap();
    settle_and_deliver(&fixture.clients.decision, at(20), &id(POST), &decided)
        .await
        .unwrap();
    let [pk, sk] = decided.item_key().unwrap();
    let undo = fixture.dynamodb.update_item().table_name("posts");
    let undo = undo.key("pk", text(&pk)).key("sk", text(&sk));
    let undo = undo.update_expression("REMOVE deliveredAt");
    undo.send().await.unwrap();
    fixture
        .put_item(&[
            ("pk", text("spooky-days#open")),
            ("sk", text("approval#2026-10-30#1#1")),
            ("post", text(POST)),
            ("round", AttributeValue::N("1".to_owned())),
        ])
        .await;
    assert_eq!(fixture.look(60).await.unwrap(), done(0, 1, 0, 0));
    let told = ("SUCCEEDED".to_owned(), Some(json!(decision)));
    assert_eq!(fixture.ended(&execution).await, told);
    assert!(fixture.marked(BOT).await.is_empty());

    // It ended before it waited, so there never was a token.
    for execution in ["stopped", "gone", "never claimed"] {
        let fixture = Fixture::new().await;
        fixture.open(POST, |_| {}).await;
        match execution {
            "stopped" => {
                let other = fixture.waiting("spooky-days/2026-10-29/1", |_| {}).await;
                fixture.claim(POST, &other).await;
                fixture.stop(&other).await;
            }
            "gone" => {
                let gone = "arn:aws:states:us-east-1:000000000000:execution:daily-post:gone";
                fixture.claim(POST, gone).await;
            }
            _ => {}
        }
        fixture.decide(POST, 10).await;
        let output = fixture.look(60).await.unwrap();
        assert_eq!((output.settled, output.delivered), (0, 1), "{execution}");
        assert!(
            !fixture.marked(BOT).await.contains(&POST.to_owned()),
            "{execution}"
        );
    }
}

#[tokio::test]
async fn a_decision_of_a_run_that_does_not_wait_yet_is_left_for_await_approval() {
    let fixture = Fixture::new().await;
    let running = fixture.waiting("spooky-days/2026-10-29/1", |_| {}).await;
    fixture.open(POST, |_| {}).await;
    fixture.claim(POST, &running).await;
    fixture.decide(POST, 10).await;
    let before = fixture.everything().await;
    for seconds in [60, DEADLINE - 1] {
        assert_eq!(fixture.look(seconds).await.unwrap(), done(0, 0, 0, 1));
    }
    assert_eq!(fixture.everything().await, before);
    assert!(fixture.marked(BOT).await.contains(&POST.to_owned()));
}

#[tokio::test]
async fn each_approver_is_reminded_once() {
    let fixture = Fixture::new().await;
    fixture.waiting(POST, |_| {}).await;
    fixture.mailed(POST, OWNER).await;
    assert_eq!(fixture.look(REMINDER - 1).await.unwrap(), done(0, 0, 0, 1));
    assert!(fixture.mails().await.is_empty());
    assert_eq!(fixture.look(REMINDER).await.unwrap(), done(0, 0, 1, 1));
    let mails = fixture.mails().await;
    assert_eq!((mails.len(), &mails[0].to), (1, &vec![OWNER.to_owned()]));
    assert_eq!(
        mails[0].subject,
        "Reminder: approve National Candy Corn Day (spooky-days/2026-10-30/1)"
    );
    // The link is the one of the first mail.
    let link = mails[0].body_text.split_once("/review/").unwrap().1;
    let link = link.split_whitespace().next().unwrap();
    let keys = Keys::parse(&json!({"current": KEY}).to_string()).unwrap();
    let link = keys.verify(Purpose::Decide, link).unwrap();
    assert_eq!((link.post, link.round, link.approver), (id(POST), 1, 0));
    assert_eq!(link.ends_at, at(DEADLINE).as_second() + 7 * 24 * 60 * 60);
    // No approver is reminded twice, and an approver who receives the email later is reminded as well.
    let before = fixture.everything().await;
    assert_eq!(
        fixture.look(REMINDER + 300).await.unwrap(),
        done(0, 0, 0, 1)
    );
    assert_eq!(fixture.everything().await, before);
    fixture.mailed(POST, FRIEND).await;
    assert_eq!(
        fixture.look(REMINDER + 600).await.unwrap(),
        done(0, 0, 1, 1)
    );
    assert_eq!(fixture.mails().await[1].to, [FRIEND]);
    assert_eq!(
        fixture.look(REMINDER + 900).await.unwrap(),
        done(0, 0, 0, 1)
    );
    let trail = fixture
        .clients
        .decision
        .table
        .audit_trail(&id(POST))
        .await
        .unwrap();
    let reminded = trail
        .iter()
        .filter(|line| matches!(line.what, AuditEvent::Reminded(_)));
    assert_eq!(reminded.count(), 2);
}

#[tokio::test]
async fn no_reminder_is_sent_for_an_approval_that_cannot_be_decided() {
    for why in ["no reminder", "decided", "closed", "ended", "paused"] {
        let fixture = Fixture::new().await;
        let execution = fixture
            .waiting(POST, |approval| {
                if why == "no reminder" {
                    approval.remind_at = None;
                }
            })
            .await;
        fixture.mailed(POST, OWNER).await;
        let mut seconds = REMINDER;
        match why {
            "decided" => {
                fixture.decide(POST, 10).await;
            }
            "closed" => seconds = DEADLINE,
            "ended" => fixture.stop(&execution).await,
            "paused" => {
                fixture
                    .put_item(&[("pk", text("spooky-days#settings")), ("sk", text("switch"))])
                    .await;
            }
            _ => {}
        }
        assert_eq!(fixture.look(seconds).await.unwrap().reminded, 0, "{why}");
        assert!(fixture.mails().await.is_empty(), "{why}");
        if why == "paused" {
            // Once the bot is resumed, there is something to decide.
            fixture.delete("spooky-days#settings", "switch").await;
            assert_eq!(fixture.look(seconds + 300).await.unwrap().reminded, 1);
        }
    }
}

#[tokio::test]
async fn a_reminder_that_fails_does_not_stop_the_others_and_is_retried() {
    let fixture = Fixture::new().await;
    let sandbox = fixture.clients.ses.put_account_details();
    let sandbox = sandbox
        .production_access_enabled(false)
        .mail_type(aws_sdk_sesv2::types::MailType::Transactional)
        .website_url("https://example.org");
    sandbox.send().await.unwrap();
    let verify = fixture.clients.ses.create_email_identity();
    verify.email_identity(FRIEND).send().await.unwrap();
    fixture.waiting(POST, |_| {}).await;
    fixture.mailed(POST, OWNER).await;
    fixture.mailed(POST, FRIEND).await;
    let late = "spooky-days/2026-10-31/1";
    fixture
        .waiting(late, |a| a.closes_at = at(REMINDER).as_second())
        .await;
    let (name, message) = fixture.fails(REMINDER).await;
    assert_eq!(name, "Incomplete");
    assert!(
        message.contains("the approval spooky-days/2026-10-30/1/1"),
        "{message}"
    );
    assert!(
        message.contains(OWNER) && !message.contains(late),
        "{message}"
    );
    assert!(!message.contains(BASE), "{message}");
    assert_eq!(fixture.mails().await.len(), 1);
    assert_eq!(fixture.approval(POST).await.reminded, [FRIEND]);
    assert_eq!(
        fixture.decision(late).await.unwrap().verdict,
        Verdict::Expired
    );
    // Then the address is put right.
    let verify = fixture.clients.ses.create_email_identity();
    verify.email_identity(OWNER).send().await.unwrap();
    assert_eq!(
        fixture.look(REMINDER + 300).await.unwrap(),
        done(0, 0, 1, 1)
    );
}

#[tokio::test]
async fn without_the_signing_keys_only_the_reminders_fail() {
    let fixture = Fixture::new().await;
    fixture.waiting(POST, |_| {}).await;
    fixture.mailed(POST, OWNER).await;
    let other = "spooky-days/2026-10-31/1";
    fixture.waiting(other, |_| {}).await;
    fixture.decide(other, 10).await;
    fixture.delete_secret().await;
    let (name, message) = fixture.fails(REMINDER).await;
    assert_eq!(name, "Incomplete");
    assert!(
        message.contains("the secret review has no value"),
        "{message}"
    );
    assert!(fixture.approval(other).await.delivered_at.is_some());
    assert!(fixture.mails().await.is_empty());
    // What needs no keys still works.
    assert_eq!(fixture.look(DEADLINE).await.unwrap(), done(1, 0, 0, 0));
}

#[tokio::test]
async fn an_unreadable_approval_does_not_stop_the_others_and_is_named() {
    let fixture = Fixture::new().await;
    let posts = ["spooky-days/2026-10-28/1", POST, "spooky-days/2026-10-31/2"];
    for post in posts {
        fixture.waiting(post, |_| {}).await;
    }
    for (pk, sk) in [
        ("spooky-days#2026-10-28", "slot#1#approval#1"),
        ("spooky-days#2026-10-31", "slot#2#approval#1"),
    ] {
        fixture
            .put_item(&[
                ("pk", text(pk)),
                ("sk", text(sk)),
                ("round", text("garbage")),
            ])
            .await;
    }
    let (name, message) = fixture.fails(DEADLINE).await;
    assert_eq!(name, "Incomplete");
    for post in [posts[0], posts[2]] {
        assert!(
            message.contains(&format!("the approval {post}/1: ")),
            "{message}"
        );
    }
    assert!(!message.contains(POST), "{message}");
    assert_eq!(
        fixture.decision(POST).await.unwrap().verdict,
        Verdict::Expired
    );
    // They stay on the list, so that each run reports them until an operator acts.
    assert_eq!(fixture.marked(BOT).await, [posts[0], posts[2]]);
    assert_eq!(fixture.fails(DEADLINE + 300).await.1, message);
}

#[tokio::test]
async fn the_marker_of_a_deleted_approval_is_removed() {
    let fixture = Fixture::new().await;
    let execution = fixture.waiting(POST, |_| {}).await;
    fixture
        .delete("spooky-days#2026-10-30", "slot#1#approval#1")
        .await;
    assert_eq!(fixture.marked(BOT).await, [POST]);
    assert_eq!(fixture.look(60).await.unwrap(), Done::default());
    assert!(fixture.marked(BOT).await.is_empty());
    assert_eq!(fixture.status(&execution).await.0, "RUNNING");
    // Nor is half an approval left behind.
    let before = fixture.everything().await;
    assert!(before.iter().all(|item| !item.contains_key("deliveredAt")));
    assert_eq!(fixture.look(120).await.unwrap(), Done::default());
    assert_eq!(fixture.everything().await, before);
}

#[tokio::test]
async fn an_approval_whose_content_was_replaced_keeps_waiting() {
    let fixture = Fixture::new().await;
    let execution = fixture.waiting(POST, |_| {}).await;
    fixture.decide(POST, 10).await;
    let read = fixture.approval(POST).await;
    // The run ended, was redriven with other code, and asks about other content, while this is on its way.
    fixture.stop(&execution).await;
    fixture
        .open(POST, |approval| {
            approval.caption = "Other".to_owned();
            approval.presented_hash =
                content_hash(&approval.image.sha256, "Other", &approval.alt_text);
            approval.opened_at = at(20);
        })
        .await;
    let clients = &fixture.clients.decision;
    let looked = settle_and_deliver(clients, at(30), &id(POST), &read)
        .await
        .unwrap();
    assert_ne!(looked, ApprovalProgress::Waiting);
    let there = fixture.approval(POST).await;
    assert_eq!(
        (there.caption.as_str(), there.decision, there.delivered_at),
        ("Other", None, None)
    );
    assert_eq!(fixture.marked(BOT).await, [POST]);
    assert_eq!(fixture.look(DEADLINE).await.unwrap(), done(1, 0, 0, 0));
}

#[tokio::test]
async fn all_posts_of_all_bots_are_checked_and_only_folders_are_bots() {
    let fixture = Fixture::new().await;
    for key in [
        "gloomy-days/bot.toml",
        "gloomy-days/calendar.toml",
        "Not A Bot/bot.toml",
        "README.md",
        "quiet/bot.toml",
    ] {
        fixture.put_file(key).await;
    }
    let posts = [
        "spooky-days/2026-10-29/1",
        POST,
        "spooky-days/2026-10-30/2",
        "spooky-days/2026-10-30/10",
        "gloomy-days/2026-10-30/1",
    ];
    for post in posts {
        fixture.waiting(post, |_| {}).await;
        fixture.mailed(post, FRIEND).await;
    }
    fixture.waiting("removed/2026-10-30/1", |_| {}).await;
    fixture.decide(posts[2], 10).await;
    fixture.decide(posts[4], 10).await;
    assert_eq!(fixture.look(REMINDER).await.unwrap(), done(0, 2, 3, 3));
    assert_eq!(fixture.look(REMINDER + 60).await.unwrap(), done(0, 0, 0, 3));
    assert_eq!(fixture.look(DEADLINE).await.unwrap(), done(3, 0, 0, 0));
    for bot in [BOT, "gloomy-days"] {
        assert!(fixture.marked(bot).await.is_empty(), "{bot}");
    }
    assert_eq!(fixture.marked("removed").await, ["removed/2026-10-30/1"]);
}

#[tokio::test]
async fn of_the_policy_and_a_simultaneous_decision_one_wins() {
    let answer = DecisionRequest::Approve {
        caption: "Mine".to_owned(),
        alt_text: "Mine, too".to_owned(),
    };
    for round in 0..8 {
        let fixture = Fixture::new().await;
        let execution = fixture.waiting(POST, |_| {}).await;
        let read = fixture.approval(POST).await;
        let (clients, post) = (&fixture.clients.decision, id(POST));
        // Their clocks do not agree.
        let last = at(DEADLINE - 1);
        let hash = &read.presented_hash;
        let person = decide(clients, last, &post, &read, hash, OWNER, &answer);
        let policy = fixture.look(DEADLINE);
        let (person, policy) = match round % 2 {
            0 => tokio::join!(person, policy),
            _ => {
                let (policy, person) = tokio::join!(policy, person);
                (person, policy)
            }
        };
        policy.unwrap();
        let decision = fixture.decision(POST).await.unwrap();
        match person.unwrap() {
            DecisionOutcome::Recorded(counts) => assert_eq!(counts, decision),
            DecisionOutcome::Refused(ApprovalState::Decided(there)) => {
                assert_eq!((&there, there.by.as_str()), (&decision, "policy"));
            }
            other => panic!("{other:?}"),
        }
        let told = ("SUCCEEDED".to_owned(), Some(json!(decision)));
        assert_eq!(fixture.ended(&execution).await, told, "{round}");
        let before = fixture.everything().await;
        assert_eq!(fixture.look(DEADLINE + 300).await.unwrap(), Done::default());
        assert_eq!(fixture.everything().await, before);
    }
}

#[tokio::test]
async fn a_decision_that_step_functions_did_not_receive_is_delivered_by_the_next_run() {
    let fixture = Fixture::new().await;
    let execution = fixture.waiting(POST, |_| {}).await;
    let (clients, broken) = fixture.with_lost_answers(&execution).await;
    Mock::given(header("x-amz-target", "AWSStepFunctions.SendTaskSuccess"))
        .respond_with(ResponseTemplate::new(500))
        .expect(2)
        .mount(&broken)
        .await;
    for _ in 0..2 {
        let error = watchdog(&clients, &fixture.config, at(DEADLINE), Input::default()).await;
        let error = error.unwrap_err();
        assert_eq!(<&str>::from(&error), "Incomplete");
        assert!(error.to_string().contains("accept the decision"), "{error}");
        let items = fixture.everything().await;
        let token = items.iter().find_map(|item| item.get("taskToken")).unwrap();
        assert!(
            !error.to_string().contains(token.as_s().unwrap()),
            "{error}"
        );
        assert_eq!(fixture.marked(BOT).await, [POST]);
    }
    let decision = fixture.decision(POST).await.unwrap();
    assert_eq!(decision.verdict, Verdict::Expired);
    assert_eq!(
        fixture.look(DEADLINE + 300).await.unwrap(),
        done(0, 1, 0, 0)
    );
    let told = ("SUCCEEDED".to_owned(), Some(json!(decision)));
    assert_eq!(fixture.ended(&execution).await, told);
}

#[tokio::test]
async fn a_missing_or_unavailable_resource_is_named() {
    let mut fixture = Fixture::new().await;
    fixture.waiting(POST, |_| {}).await;
    let bucket = std::mem::replace(&mut fixture.config.bot_files_bucket, "nothing".to_owned());
    let (name, message) = fixture.fails(0).await;
    assert_eq!(name, "Unexpected");
    assert!(message.contains("s3://nothing"), "{message}");
    fixture.config.bot_files_bucket = bucket;

    let real = fixture.clients.clone();
    let missing = Config {
        table_name: "nothing".to_owned(),
        ..fixture.config.clone()
    };
    fixture.clients = Clients::new(&fixture.aws, &missing);
    let (name, message) = fixture.fails(0).await;
    assert_eq!(name, "Unexpected");
    assert!(message.contains("read the open approvals"), "{message}");

    let down = MockServer::start().await;
    let down = Clients::new(&fixture.at(&down.uri()), &fixture.config);
    let broken = MockServer::start().await;
    Mock::given(wiremock::matchers::any())
        .respond_with(ResponseTemplate::new(503))
        .mount(&broken)
        .await;
    let broken = Clients::new(&fixture.at(&broken.uri()), &fixture.config);
    fixture.clients = Clients {
        s3: broken.s3,
        ..real.clone()
    };
    assert_eq!(fixture.fails(0).await.0, "ServiceUnavailable");
    fixture.clients = Clients {
        decision: broken.decision,
        ..real.clone()
    };
    assert_eq!(fixture.fails(0).await.0, "ServiceUnavailable");
    // Something else answers there: nothing that time would heal.
    fixture.clients = Clients {
        s3: down.s3,
        ..real
    };
    assert_eq!(fixture.fails(0).await.0, "Unexpected");
}

#[test]
fn a_schedule_can_send_any_payload() {
    for payload in [
        json!({}),
        json!({"version": "0", "detail-type": "Scheduled Event", "detail": {}}),
        json!({"time": "2026-10-30T10:00:00Z"}),
    ] {
        assert!(
            serde_json::from_value::<Input>(payload.clone()).is_ok(),
            "{payload}"
        );
    }
}

#[test]
fn the_deployed_binary_names_a_missing_environment_variable() {
    let binary = Binary {
        path: env!("CARGO_BIN_EXE_watchdog"),
        environment: &[
            ("TABLE_NAME", "posts"),
            ("BOT_FILES_BUCKET", "bucket"),
            ("REVIEW_SECRET_ARN", "review"),
            ("REVIEW_BASE_URL", BASE),
            ("MAIL_FROM", FROM),
            ("ALERT_TO", ALERTS),
            ("SECRETS_PREFIX", "daily-post-test"),
            ("OPENAI_SECRET_ARN", "openai"),
        ],
    };
    binary.assert_names_missing_variables();
}
