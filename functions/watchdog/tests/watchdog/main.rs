//! The real function against the emulator, with real executions that wait: what it settles, delivers and reminds of,
//! what it leaves alone, and that looking twice changes nothing.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

mod probes;
mod reservations;
mod runs;
mod setting;

use std::process::Command;

use approvals::link::{Keys, Purpose};
use approvals::{
    ApprovalProgress, ApprovalState, DecisionOutcome, DecisionRequest, decide, settle_and_deliver,
};
use aws_sdk_dynamodb::types::AttributeValue;
use post::AuditEvent;
use posts_table::{OnTimeout, Verdict, content_hash};
use serde_json::json;
use setting::{
    ALERTS, BASE, BOT, DEADLINE, FRIEND, FROM, KEY, OWNER, POST, REMINDER, Yard, at, done, id, text,
};
use watchdog::{Clients, Config, Done, Input, watchdog};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::header};

#[tokio::test]
async fn where_nothing_waits_there_is_nothing_to_do_and_no_key_is_read() {
    let yard = Yard::new().await;
    yard.delete_secret().await;
    assert_eq!(yard.look(0).await.unwrap(), Done::default());
    yard.waiting(POST, |_| {}).await;
    let before = yard.everything().await;
    for seconds in [0, REMINDER - 1, REMINDER, DEADLINE - 1] {
        // Nobody has got the mail, so nobody can be reminded.
        assert_eq!(
            yard.look(seconds).await.unwrap(),
            done(0, 0, 0, 1),
            "{seconds}"
        );
    }
    assert_eq!(yard.everything().await, before);
}

#[tokio::test]
async fn what_nobody_decided_in_time_is_settled_by_the_policy_once() {
    for on_timeout in [OnTimeout::Skip, OnTimeout::Post] {
        let yard = Yard::new().await;
        let execution = yard.waiting(POST, |a| a.on_timeout = on_timeout).await;
        assert_eq!(yard.look(DEADLINE - 1).await.unwrap(), done(0, 0, 0, 1));
        assert_eq!(yard.look(DEADLINE).await.unwrap(), done(1, 0, 0, 0));
        let approval = yard.approval(POST).await;
        let decision = approval.decision.unwrap();
        assert_eq!(
            (decision.by.as_str(), decision.at),
            ("policy", at(DEADLINE))
        );
        let verdict = match on_timeout {
            OnTimeout::Skip => Verdict::Expired,
            OnTimeout::Post => Verdict::Approved {
                caption: approval.caption,
                alt_text: approval.alt_text,
                hash: approval.presented_hash,
            },
        };
        assert_eq!(decision.verdict, verdict);
        let told = ("SUCCEEDED".to_owned(), Some(json!(decision)));
        assert_eq!(yard.ended(&execution).await, told);
        assert_eq!(approval.delivered_at, Some(at(DEADLINE)));
        assert!(yard.marked(BOT).await.is_empty());
        let before = yard.everything().await;
        for seconds in [DEADLINE, DEADLINE + 300] {
            assert_eq!(yard.look(seconds).await.unwrap(), Done::default());
        }
        assert_eq!(yard.everything().await, before);
    }
}

#[tokio::test]
async fn a_decision_whose_answer_did_not_get_through_is_delivered_once_even_after_the_deadline() {
    for seconds in [60, DEADLINE - 1, DEADLINE, 2 * DEADLINE] {
        let yard = Yard::new().await;
        let execution = yard.waiting(POST, |_| {}).await;
        yard.mailed(POST, OWNER).await;
        let decision = yard.decide(POST, 10).await;
        assert_eq!(yard.status(&execution).await.0, "RUNNING");
        assert_eq!(yard.look(seconds).await.unwrap(), done(0, 1, 0, 0));
        let told = ("SUCCEEDED".to_owned(), Some(json!(decision)));
        assert_eq!(yard.ended(&execution).await, told);
        assert_eq!(yard.decision(POST).await, Some(decision));
        assert!(yard.marked(BOT).await.is_empty());
        let before = yard.everything().await;
        assert_eq!(yard.look(seconds + 300).await.unwrap(), Done::default());
        assert_eq!(yard.everything().await, before);
        assert!(
            yard.mails().await.is_empty(),
            "what is decided needs no reminder"
        );
    }
}

#[tokio::test]
async fn a_decision_that_nobody_waits_for_any_more_is_not_looked_after_any_more() {
    // The execution was stopped: its token is dead.
    let yard = Yard::new().await;
    let execution = yard.waiting(POST, |_| {}).await;
    let decision = yard.decide(POST, 10).await;
    yard.stop(&execution).await;
    assert_eq!(yard.look(60).await.unwrap(), done(0, 1, 0, 0));
    assert_eq!(yard.decision(POST).await, Some(decision));
    assert_eq!(yard.ended(&execution).await.0, "ABORTED");
    assert!(yard.marked(BOT).await.is_empty());

    // Somebody used the token, and the bookkeeping after it was lost.
    let yard = Yard::new().await;
    let execution = yard.waiting(POST, |_| {}).await;
    let decision = yard.decide(POST, 10).await;
    let table = &yard.clients.decision.table;
    let decided = table.approval(&id(POST), 1).await.unwrap().unwrap();
    settle_and_deliver(&yard.clients.decision, at(20), &id(POST), &decided)
        .await
        .unwrap();
    let [pk, sk] = decided.item_key().unwrap();
    let undo = yard.dynamodb.update_item().table_name("posts");
    let undo = undo.key("pk", text(&pk)).key("sk", text(&sk));
    let undo = undo.update_expression("REMOVE deliveredAt");
    undo.send().await.unwrap();
    yard.put_item(&[
        ("pk", text("spooky-days#open")),
        ("sk", text("approval#2026-10-30#1#1")),
        ("post", text(POST)),
        ("round", AttributeValue::N("1".to_owned())),
    ])
    .await;
    assert_eq!(yard.look(60).await.unwrap(), done(0, 1, 0, 0));
    let told = ("SUCCEEDED".to_owned(), Some(json!(decision)));
    assert_eq!(yard.ended(&execution).await, told);
    assert!(yard.marked(BOT).await.is_empty());

    // It ended before it waited, so there never was a token.
    for execution in ["stopped", "gone", "never claimed"] {
        let yard = Yard::new().await;
        yard.open(POST, |_| {}).await;
        match execution {
            "stopped" => {
                let other = yard.waiting("spooky-days/2026-10-29/1", |_| {}).await;
                yard.claim(POST, &other).await;
                yard.stop(&other).await;
            }
            "gone" => {
                let gone = "arn:aws:states:us-east-1:000000000000:execution:daily-post:gone";
                yard.claim(POST, gone).await;
            }
            _ => {}
        }
        yard.decide(POST, 10).await;
        let output = yard.look(60).await.unwrap();
        assert_eq!((output.settled, output.delivered), (0, 1), "{execution}");
        assert!(
            !yard.marked(BOT).await.contains(&POST.to_owned()),
            "{execution}"
        );
    }
}

#[tokio::test]
async fn a_decision_of_a_run_that_does_not_wait_yet_is_left_for_it_to_find() {
    let yard = Yard::new().await;
    let running = yard.waiting("spooky-days/2026-10-29/1", |_| {}).await;
    yard.open(POST, |_| {}).await;
    yard.claim(POST, &running).await;
    yard.decide(POST, 10).await;
    let before = yard.everything().await;
    for seconds in [60, DEADLINE - 1] {
        assert_eq!(yard.look(seconds).await.unwrap(), done(0, 0, 0, 1));
    }
    assert_eq!(yard.everything().await, before);
    assert!(yard.marked(BOT).await.contains(&POST.to_owned()));
}

#[tokio::test]
async fn those_who_were_asked_are_reminded_once_each() {
    let yard = Yard::new().await;
    yard.waiting(POST, |_| {}).await;
    yard.mailed(POST, OWNER).await;
    assert_eq!(yard.look(REMINDER - 1).await.unwrap(), done(0, 0, 0, 1));
    assert!(yard.mails().await.is_empty());
    assert_eq!(yard.look(REMINDER).await.unwrap(), done(0, 0, 1, 1));
    let mails = yard.mails().await;
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
    // Nobody is reminded twice, and who gets the mail later is reminded as well.
    let before = yard.everything().await;
    assert_eq!(yard.look(REMINDER + 300).await.unwrap(), done(0, 0, 0, 1));
    assert_eq!(yard.everything().await, before);
    yard.mailed(POST, FRIEND).await;
    assert_eq!(yard.look(REMINDER + 600).await.unwrap(), done(0, 0, 1, 1));
    assert_eq!(yard.mails().await[1].to, [FRIEND]);
    assert_eq!(yard.look(REMINDER + 900).await.unwrap(), done(0, 0, 0, 1));
    let trail = yard
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
async fn nobody_is_reminded_of_what_they_cannot_decide() {
    for why in ["no reminder", "decided", "closed", "ended", "paused"] {
        let yard = Yard::new().await;
        let execution = yard
            .waiting(POST, |approval| {
                if why == "no reminder" {
                    approval.remind_at = None;
                }
            })
            .await;
        yard.mailed(POST, OWNER).await;
        let mut seconds = REMINDER;
        match why {
            "decided" => {
                yard.decide(POST, 10).await;
            }
            "closed" => seconds = DEADLINE,
            "ended" => yard.stop(&execution).await,
            "paused" => {
                yard.put_item(&[("pk", text("spooky-days#settings")), ("sk", text("switch"))])
                    .await;
            }
            _ => {}
        }
        assert_eq!(yard.look(seconds).await.unwrap().reminded, 0, "{why}");
        assert!(yard.mails().await.is_empty(), "{why}");
        if why == "paused" {
            // Once the bot is resumed, there is something to decide.
            yard.delete("spooky-days#settings", "switch").await;
            assert_eq!(yard.look(seconds + 300).await.unwrap().reminded, 1);
        }
    }
}

#[tokio::test]
async fn a_reminder_that_cannot_be_sent_does_not_keep_the_others_waiting_and_is_tried_again() {
    let yard = Yard::new().await;
    let sandbox = yard.clients.ses.put_account_details();
    let sandbox = sandbox
        .production_access_enabled(false)
        .mail_type(aws_sdk_sesv2::types::MailType::Transactional)
        .website_url("https://example.org");
    sandbox.send().await.unwrap();
    let verify = yard.clients.ses.create_email_identity();
    verify.email_identity(FRIEND).send().await.unwrap();
    yard.waiting(POST, |_| {}).await;
    yard.mailed(POST, OWNER).await;
    yard.mailed(POST, FRIEND).await;
    let late = "spooky-days/2026-10-31/1";
    yard.waiting(late, |a| a.closes_at = at(REMINDER).as_second())
        .await;
    let (name, message) = yard.fails(REMINDER).await;
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
    assert_eq!(yard.mails().await.len(), 1);
    assert_eq!(yard.approval(POST).await.reminded, [FRIEND]);
    assert_eq!(yard.decision(late).await.unwrap().verdict, Verdict::Expired);
    // Then the address is put right.
    let verify = yard.clients.ses.create_email_identity();
    verify.email_identity(OWNER).send().await.unwrap();
    assert_eq!(yard.look(REMINDER + 300).await.unwrap(), done(0, 0, 1, 1));
}

#[tokio::test]
async fn without_the_signing_keys_nobody_is_reminded_and_everything_else_goes_on() {
    let yard = Yard::new().await;
    yard.waiting(POST, |_| {}).await;
    yard.mailed(POST, OWNER).await;
    let other = "spooky-days/2026-10-31/1";
    yard.waiting(other, |_| {}).await;
    yard.decide(other, 10).await;
    yard.delete_secret().await;
    let (name, message) = yard.fails(REMINDER).await;
    assert_eq!(name, "Incomplete");
    assert!(
        message.contains("the secret review has no value"),
        "{message}"
    );
    assert!(yard.approval(other).await.delivered_at.is_some());
    assert!(yard.mails().await.is_empty());
    // What needs no keys still works.
    assert_eq!(yard.look(DEADLINE).await.unwrap(), done(1, 0, 0, 0));
}

#[tokio::test]
async fn a_broken_approval_does_not_keep_the_others_waiting_and_is_named() {
    let yard = Yard::new().await;
    let posts = ["spooky-days/2026-10-28/1", POST, "spooky-days/2026-10-31/2"];
    for post in posts {
        yard.waiting(post, |_| {}).await;
    }
    for (pk, sk) in [
        ("spooky-days#2026-10-28", "slot#1#approval#1"),
        ("spooky-days#2026-10-31", "slot#2#approval#1"),
    ] {
        yard.put_item(&[
            ("pk", text(pk)),
            ("sk", text(sk)),
            ("round", text("garbage")),
        ])
        .await;
    }
    let (name, message) = yard.fails(DEADLINE).await;
    assert_eq!(name, "Incomplete");
    for post in [posts[0], posts[2]] {
        assert!(
            message.contains(&format!("the approval {post}/1: ")),
            "{message}"
        );
    }
    assert!(!message.contains(POST), "{message}");
    assert_eq!(yard.decision(POST).await.unwrap().verdict, Verdict::Expired);
    // They stay on the list, so that it is said each time until somebody looks.
    assert_eq!(yard.marked(BOT).await, [posts[0], posts[2]]);
    assert_eq!(yard.fails(DEADLINE + 300).await.1, message);
}

#[tokio::test]
async fn an_approval_that_somebody_took_away_is_not_looked_after_any_more() {
    let yard = Yard::new().await;
    let execution = yard.waiting(POST, |_| {}).await;
    yard.delete("spooky-days#2026-10-30", "slot#1#approval#1")
        .await;
    assert_eq!(yard.marked(BOT).await, [POST]);
    assert_eq!(yard.look(60).await.unwrap(), Done::default());
    assert!(yard.marked(BOT).await.is_empty());
    assert_eq!(yard.status(&execution).await.0, "RUNNING");
    // Nor is half an approval left behind.
    let before = yard.everything().await;
    assert!(before.iter().all(|item| !item.contains_key("deliveredAt")));
    assert_eq!(yard.look(120).await.unwrap(), Done::default());
    assert_eq!(yard.everything().await, before);
}

#[tokio::test]
async fn an_approval_whose_content_was_replaced_meanwhile_goes_on_waiting() {
    let yard = Yard::new().await;
    let execution = yard.waiting(POST, |_| {}).await;
    yard.decide(POST, 10).await;
    let read = yard.approval(POST).await;
    // The run ended, was redriven with other code, and asks about other content, while this is on its way.
    yard.stop(&execution).await;
    yard.open(POST, |approval| {
        approval.caption = "Other".to_owned();
        approval.presented_hash = content_hash(&approval.image.sha256, "Other", &approval.alt_text);
        approval.opened_at = at(20);
    })
    .await;
    let clients = &yard.clients.decision;
    let looked = settle_and_deliver(clients, at(30), &id(POST), &read)
        .await
        .unwrap();
    assert_ne!(looked, ApprovalProgress::Waiting);
    let there = yard.approval(POST).await;
    assert_eq!(
        (there.caption.as_str(), there.decision, there.delivered_at),
        ("Other", None, None)
    );
    assert_eq!(yard.marked(BOT).await, [POST]);
    assert_eq!(yard.look(DEADLINE).await.unwrap(), done(1, 0, 0, 0));
}

#[tokio::test]
async fn all_posts_of_all_bots_are_looked_after_and_nothing_else_is_a_bot() {
    let yard = Yard::new().await;
    for key in [
        "gloomy-days/bot.toml",
        "gloomy-days/calendar.toml",
        "Not A Bot/bot.toml",
        "README.md",
        "quiet/bot.toml",
    ] {
        yard.put_file(key).await;
    }
    let posts = [
        "spooky-days/2026-10-29/1",
        POST,
        "spooky-days/2026-10-30/2",
        "spooky-days/2026-10-30/10",
        "gloomy-days/2026-10-30/1",
    ];
    for post in posts {
        yard.waiting(post, |_| {}).await;
        yard.mailed(post, FRIEND).await;
    }
    yard.waiting("removed/2026-10-30/1", |_| {}).await;
    yard.decide(posts[2], 10).await;
    yard.decide(posts[4], 10).await;
    assert_eq!(yard.look(REMINDER).await.unwrap(), done(0, 2, 3, 3));
    assert_eq!(yard.look(REMINDER + 60).await.unwrap(), done(0, 0, 0, 3));
    assert_eq!(yard.look(DEADLINE).await.unwrap(), done(3, 0, 0, 0));
    for bot in [BOT, "gloomy-days"] {
        assert!(yard.marked(bot).await.is_empty(), "{bot}");
    }
    assert_eq!(yard.marked("removed").await, ["removed/2026-10-30/1"]);
}

#[tokio::test]
async fn of_the_policy_and_a_person_at_the_last_moment_one_decides() {
    let answer = DecisionRequest::Approve {
        caption: "Mine".to_owned(),
        alt_text: "Mine, too".to_owned(),
    };
    for round in 0..8 {
        let yard = Yard::new().await;
        let execution = yard.waiting(POST, |_| {}).await;
        let read = yard.approval(POST).await;
        let (clients, post) = (&yard.clients.decision, id(POST));
        // Their clocks do not agree.
        let last = at(DEADLINE - 1);
        let hash = &read.presented_hash;
        let person = decide(clients, last, &post, &read, hash, OWNER, &answer);
        let policy = yard.look(DEADLINE);
        let (person, policy) = match round % 2 {
            0 => tokio::join!(person, policy),
            _ => {
                let (policy, person) = tokio::join!(policy, person);
                (person, policy)
            }
        };
        policy.unwrap();
        let decision = yard.decision(POST).await.unwrap();
        match person.unwrap() {
            DecisionOutcome::Recorded(counts) => assert_eq!(counts, decision),
            DecisionOutcome::Refused(ApprovalState::Decided(there)) => {
                assert_eq!((&there, there.by.as_str()), (&decision, "policy"));
            }
            other => panic!("{other:?}"),
        }
        let told = ("SUCCEEDED".to_owned(), Some(json!(decision)));
        assert_eq!(yard.ended(&execution).await, told, "{round}");
        let before = yard.everything().await;
        assert_eq!(yard.look(DEADLINE + 300).await.unwrap(), Done::default());
        assert_eq!(yard.everything().await, before);
    }
}

#[tokio::test]
async fn what_step_functions_did_not_hear_is_told_the_next_time() {
    let yard = Yard::new().await;
    let execution = yard.waiting(POST, |_| {}).await;
    let (clients, broken) = yard.with_lost_answers(&execution).await;
    Mock::given(header("x-amz-target", "AWSStepFunctions.SendTaskSuccess"))
        .respond_with(ResponseTemplate::new(500))
        .expect(2)
        .mount(&broken)
        .await;
    for _ in 0..2 {
        let error = watchdog(&clients, &yard.config, at(DEADLINE), Input::default()).await;
        let error = error.unwrap_err();
        assert_eq!(<&str>::from(&error), "Incomplete");
        assert!(error.to_string().contains("take the decision"), "{error}");
        let items = yard.everything().await;
        let token = items.iter().find_map(|item| item.get("taskToken")).unwrap();
        assert!(
            !error.to_string().contains(token.as_s().unwrap()),
            "{error}"
        );
        assert_eq!(yard.marked(BOT).await, [POST]);
    }
    let decision = yard.decision(POST).await.unwrap();
    assert_eq!(decision.verdict, Verdict::Expired);
    assert_eq!(yard.look(DEADLINE + 300).await.unwrap(), done(0, 1, 0, 0));
    let told = ("SUCCEEDED".to_owned(), Some(json!(decision)));
    assert_eq!(yard.ended(&execution).await, told);
}

#[tokio::test]
async fn what_is_missing_or_down_has_its_name() {
    let mut yard = Yard::new().await;
    yard.waiting(POST, |_| {}).await;
    let bucket = std::mem::replace(&mut yard.config.bot_files_bucket, "nothing".to_owned());
    let (name, message) = yard.fails(0).await;
    assert_eq!(name, "Unexpected");
    assert!(message.contains("s3://nothing"), "{message}");
    yard.config.bot_files_bucket = bucket;

    let real = yard.clients.clone();
    let missing = Config {
        table_name: "nothing".to_owned(),
        ..yard.config.clone()
    };
    yard.clients = Clients::new(&yard.aws, &missing);
    let (name, message) = yard.fails(0).await;
    assert_eq!(name, "Unexpected");
    assert!(message.contains("read the open approvals"), "{message}");

    let down = MockServer::start().await;
    let down = Clients::new(&yard.at(&down.uri()), &yard.config);
    let broken = MockServer::start().await;
    Mock::given(wiremock::matchers::any())
        .respond_with(ResponseTemplate::new(503))
        .mount(&broken)
        .await;
    let broken = Clients::new(&yard.at(&broken.uri()), &yard.config);
    yard.clients = Clients {
        s3: broken.s3,
        ..real.clone()
    };
    assert_eq!(yard.fails(0).await.0, "ServiceUnavailable");
    yard.clients = Clients {
        decision: broken.decision,
        ..real.clone()
    };
    assert_eq!(yard.fails(0).await.0, "ServiceUnavailable");
    // Something else answers there: nothing that time would heal.
    yard.clients = Clients {
        s3: down.s3,
        ..real
    };
    assert_eq!(yard.fails(0).await.0, "Unexpected");
}

#[test]
fn a_schedule_may_send_what_it_likes() {
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
fn without_its_environment_the_function_ends_and_names_the_variable() {
    let given = [
        ("TABLE_NAME", "posts"),
        ("BOT_FILES_BUCKET", "bucket"),
        ("REVIEW_SECRET_ARN", "review"),
        ("REVIEW_BASE_URL", BASE),
        ("MAIL_FROM", FROM),
        ("ALERT_TO", ALERTS),
        ("SECRETS_PREFIX", "daily-post-test"),
        ("OPENAI_SECRET_ARN", "openai"),
    ];
    for (missing, _) in given {
        let output = Command::new(env!("CARGO_BIN_EXE_watchdog"))
            .env_clear()
            .envs(given.into_iter().filter(|(name, _)| *name != missing))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{missing}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(missing), "{missing}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}
