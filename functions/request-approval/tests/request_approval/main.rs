//! The real function against the emulator: what is opened, which approvers are emailed, what is returned when the state
//! is entered again, and the name of each error.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

mod fixture;

use approvals::link::{Link, Purpose};
use aws_sdk_dynamodb::types::AttributeValue;
use bot_files::{OnTimeout, Policy};
use fixture::*;
use jiff::SignedDuration;
use lambda_function::read;
use posts_table::{Record, Verdict};
use request_approval::{Clients, Error, Input, Output, request_approval};
use serde_json::{Value, json};
use test_kit::{binary::Binary, endpoints, stepper::Stepper};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

#[tokio::test]
async fn each_approver_gets_one_email_with_a_separate_link() {
    let fixture = Fixture::new().await;
    let output = fixture.enter(0).await;
    assert_eq!(
        json!(output),
        json!({
            "id": "spooky-days/2026-10-30/1/1",
            "key": {"pk": "spooky-days#2026-10-30", "sk": "slot#1#approval#1"},
            "round": 1,
            "closesAt": at(4 * HOUR),
        })
    );
    let mails = fixture.mails().await;
    assert_eq!(recipients(&mails), [FRIEND, OWNER]);
    for (approver, address) in [OWNER, FRIEND].into_iter().enumerate() {
        let mail = mails.iter().find(|mail| mail.to == [address]).unwrap();
        assert_eq!(mail.source, FROM);
        let expected = Link {
            post: POST.parse().unwrap(),
            round: 1,
            approver,
            ends_at: at(4 * HOUR + WEEK).as_second(),
        };
        assert_eq!(verified(Purpose::Decide, link(mail)), expected);
        // The link of the picture shows only the picture.
        let [thumbnail] = links(&mail.body_html, "thumbnail")[..] else {
            panic!("{}", mail.body_html)
        };
        assert_eq!(verified(Purpose::Show, thumbnail), expected);
    }
    assert_ne!(link(&mails[0]), link(&mails[1]));
    let approval = fixture.approval(1).await.unwrap();
    assert_eq!(approval.mailed.len(), 2);
    assert_eq!((approval.opened_at, approval.decision), (at(0), None));
    assert_eq!(
        (approval.remind_at, approval.task_token.is_some()),
        (None, false)
    );
    assert!(fixture.waits().await);
    let lines = [
        "approval-opened",
        "mailed#friend@example.net",
        "mailed#owner@example.org",
    ];
    assert_eq!(fixture.audit().await, lines);
}

#[tokio::test]
async fn entered_again_it_sends_no_email_and_returns_the_same() {
    let fixture = Fixture::new().await;
    let first = fixture.enter(0).await;
    let (approval, audit) = (fixture.approval(1).await, fixture.audit().await);
    for seconds in [0, 1, HOUR] {
        assert_eq!(fixture.enter(seconds).await, first, "{seconds}");
    }
    assert_eq!(fixture.mails().await.len(), 2);
    assert_eq!(json!(fixture.approval(1).await), json!(approval));
    assert_eq!(fixture.audit().await, audit);
}

#[tokio::test]
async fn html_and_plain_text_of_an_email_have_the_same_content_and_escape_user_text() {
    let evil = "<script>alert(\"1\")</script> & more";
    let fixture = Fixture::with(policy(), |record| {
        record["day"]["name"] = json!(format!("Day of {evil}\r\nBcc: all@example.org"));
    })
    .await;
    let input = Input {
        caption: format!("{evil}\nsecond line"),
        alt_text: format!("alt {evil}"),
        round: Some(2),
        ..input()
    };
    fixture.enter_with(0, input).await.unwrap();
    let approval = fixture.approval(2).await.unwrap();
    for mail in fixture.mails().await {
        assert!(!mail.subject.contains(['\r', '\n']), "{:?}", mail.subject);
        assert!(mail.subject.starts_with("Approve "), "{}", mail.subject);
        assert!(mail.subject.ends_with("(spooky-days/2026-10-30/1)"));
        let escaped = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; more";
        assert!(!mail.body_html.contains("<script"), "{}", mail.body_html);
        // Title, day, picture, caption and alt text.
        assert!(
            mail.body_html.matches(escaped).count() >= 5,
            "{}",
            mail.body_html
        );
        for (what, plain) in [
            ("the day", format!("Day of {evil}")),
            (
                "the post",
                "spooky-days/2026-10-30/1 needs your decision".to_owned(),
            ),
            ("the round", "This is picture 2.".to_owned()),
            ("the caption", approval.caption.clone()),
            ("the alt text", approval.alt_text.clone()),
            // The times are in the bot's zone.
            (
                "when it appears",
                "Friday 30 October 2026, 08:00 EDT".to_owned(),
            ),
            (
                "when it closes",
                "Friday 30 October 2026, 10:00 EDT".to_owned(),
            ),
            (
                "what silence means",
                "Without a decision by then, nothing is posted.".to_owned(),
            ),
            (
                "whose link it is",
                "recorded under your name. Opening it decides nothing.".to_owned(),
            ),
        ] {
            let html = plain
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&quot;");
            assert!(
                mail.body_text.contains(&plain),
                "{what}: {}",
                mail.body_text
            );
            assert!(mail.body_html.contains(&html), "{what}: {}", mail.body_html);
        }
        for body in [&mail.body_html, &mail.body_text] {
            assert!(body.len() < 100_000, "{}", body.len());
            assert!(!body.contains(KEY) && !body.contains("taskToken"));
        }
        // Only the picture is fetched, and there are no styles that a mail client drops.
        assert!(!mail.body_html.contains("<style") && !mail.body_html.contains("<link"));
        assert_eq!(mail.body_html.matches("src=").count(), 1);
    }
}

#[tokio::test]
async fn an_email_explains_what_happens_without_a_decision_and_when_a_post_without_a_time_appears()
{
    let post = bot_files::BotApproval {
        on_timeout: OnTimeout::Post,
        ..policy()
    };
    let fixture = Fixture::with(post, |record| {
        record["day"]["slotTime"] = json!(at(0));
        record["day"]["timeZone"] = json!("Asia/Tokyo");
    })
    .await;
    fixture.enter(0).await;
    for mail in fixture.mails().await {
        for body in [&mail.body_text, &mail.body_html] {
            assert!(
                body.contains("Without a decision by then, it is posted as shown."),
                "{body}"
            );
            assert!(body.contains("as soon as it is approved"), "{body}");
            assert!(body.contains("Friday 30 October 2026, 23:00 JST"), "{body}");
            assert!(!body.contains("This is picture"), "{body}");
        }
    }
}

#[tokio::test]
async fn a_stored_task_token_is_in_no_email_and_in_no_output() {
    let sandboxed = Fixture::new().await;
    sandboxed.in_the_sandbox().await;
    sandboxed.verify(OWNER).await;
    sandboxed.enter(0).await;
    sandboxed
        .set(
            1,
            "taskToken",
            AttributeValue::S("planted-token".to_owned()),
        )
        .await;
    // Now the other approver gets an email, while the state machine already waits.
    sandboxed.verify(FRIEND).await;
    let output = sandboxed.enter(60).await;
    assert!(!json!(output).to_string().contains("planted-token"));
    assert!(!format!("{output:?}").contains("planted-token"));
    let mails = sandboxed.mails().await;
    assert_eq!(recipients(&mails), [FRIEND, OWNER]);
    for mail in mails {
        assert!(!format!("{mail:?}").contains("planted-token"));
    }
    let approval = sandboxed.approval(1).await.unwrap();
    assert!(!format!("{approval:?}").contains("planted-token"));
}

/// Starts an invocation whose requests are held.
async fn start(fixture: &Fixture) -> Stepper<Result<Output, Error>> {
    let aws = fixture.aws.endpoint_url().unwrap();
    Stepper::start(&[aws], |addresses| {
        let aws = fixture.aws.to_builder().endpoint_url(&addresses[0]);
        let config = fixture.config.clone();
        let clients = Clients::new(&aws.build(), &config);
        async move { request_approval(&clients, &config, at(0), input()).await }
    })
    .await
}

#[tokio::test]
async fn killed_before_or_after_any_step_it_repeats_at_most_one_email_with_the_same_link() {
    let mut steps = Vec::new();
    let mut repeated = 0;
    for number in 0.. {
        let mut line = None;
        for arrives in [false, true] {
            let fixture = Fixture::new().await;
            let mut invocation = start(&fixture).await;
            for _ in 0..number {
                invocation.step().await;
            }
            line = invocation.request();
            if line.is_none() {
                assert!(invocation.ended().unwrap().is_ok());
                break;
            }
            invocation.kill(arrives).await;
            // The state machine enters the state again.
            let output = fixture.enter(30).await;
            assert_eq!(fixture.enter(60).await, output);
            assert_eq!(output.decision, None);
            let mails = fixture.mails().await;
            let mut once = recipients(&mails);
            once.dedup();
            assert_eq!(once, [FRIEND, OWNER], "step {number}");
            assert!(mails.len() <= 3, "step {number}: {}", mails.len());
            repeated += mails.len() - 2;
            for mail in &mails {
                let twin = mails.iter().find(|twin| twin.to == mail.to).unwrap();
                assert_eq!(link(mail), link(twin), "step {number}");
            }
            assert_eq!(fixture.approval(1).await.unwrap().mailed.len(), 2);
            assert!(fixture.waits().await);
            let audit = fixture.audit().await;
            assert_eq!(
                audit
                    .iter()
                    .filter(|line| *line == "approval-opened")
                    .count(),
                1
            );
        }
        match line {
            Some(line) => steps.push(line),
            None => break,
        }
    }
    // Claim, opening, keys, and for each of two approvers the email, its record and its audit line.
    let mails = steps.iter().filter(|line| line.contains("/v2/email"));
    assert_eq!((steps.len(), mails.count()), (9, 2), "{steps:?}");
    // For each of the two: the email was sent and its answer lost, or its record never arrived.
    assert_eq!(repeated, 4);
}

#[tokio::test]
async fn other_content_in_the_same_round_replaces_the_approval_and_needs_a_new_decision() {
    let fixture = Fixture::new().await;
    fixture.enter(0).await;
    let approved = Verdict::Approved {
        caption: CAPTION.to_owned(),
        alt_text: ALT_TEXT.to_owned(),
        hash: "v1-0".to_owned(),
    };
    fixture.decide(10, approved).await;
    let changes: [fn(&mut Input); 3] = [
        |input| input.caption.push('!'),
        |input| input.alt_text.push('!'),
        |input| input.image.sha256 = "1".repeat(64),
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut input = input();
        change(&mut input);
        let seconds = 60 * (1 + i as i64);
        let output = fixture.enter_with(seconds, input.clone()).await.unwrap();
        assert_eq!(output.decision, None, "{i}");
        assert_eq!(output.closes_at, at(seconds + 4 * HOUR), "{i}");
        let approval = fixture.approval(1).await.unwrap();
        assert_eq!(
            (&approval.caption, &approval.alt_text),
            (&input.caption, &input.alt_text)
        );
        assert_eq!(approval.image, input.image);
        assert_eq!((approval.decision, approval.delivered_at), (None, None));
        assert_eq!(
            fixture.mails().await.len(),
            2 * (2 + i),
            "the approvers are emailed again"
        );
        assert!(fixture.waits().await, "{i}");
    }
    let opened = fixture.audit().await;
    assert_eq!(
        opened
            .iter()
            .filter(|line| *line == "approval-opened")
            .count(),
        4
    );
}

#[tokio::test]
async fn another_round_is_another_approval_with_separate_emails() {
    let fixture = Fixture::new().await;
    fixture.enter(0).await;
    fixture
        .decide(
            10,
            Verdict::Regenerate {
                note: String::new(),
            },
        )
        .await;
    for round in 2..=4 {
        // Even for exactly the same content.
        let input = Input {
            round: Some(round),
            ..input()
        };
        let output = fixture
            .enter_with(60 * i64::from(round), input)
            .await
            .unwrap();
        assert_eq!(output.id, format!("{POST}/{round}"));
        assert_eq!((output.round, output.decision), (round, None));
        assert_eq!(output.key.sk, format!("slot#1#approval#{round}"));
        let mails = fixture.mails().await;
        assert_eq!(mails.len(), 2 * round as usize);
        let newest = verified(Purpose::Decide, link(mails.last().unwrap()));
        assert_eq!(newest.round, round);
    }
}

#[tokio::test]
async fn a_stored_decision_is_the_output_and_counts_as_delivered() {
    let verdicts = [
        Verdict::Approved {
            caption: "Mine".to_owned(),
            alt_text: "Mine, too".to_owned(),
            hash: "v1-0".to_owned(),
        },
        Verdict::Regenerate {
            note: "More fog".to_owned(),
        },
        Verdict::Rejected {
            reason: "Too sad".to_owned(),
        },
    ];
    for verdict in verdicts {
        let fixture = Fixture::new().await;
        fixture.enter(0).await;
        let decision = fixture.decide(10, verdict).await;
        assert!(fixture.waits().await);
        let output = fixture.enter(20).await;
        assert_eq!(output.decision.as_ref(), Some(&decision));
        assert_eq!(json!(output)["decision"], json!(decision));
        assert!(!fixture.waits().await);
        assert_eq!(
            fixture.approval(1).await.unwrap().delivered_at,
            Some(at(20))
        );
        // Again, and long after the deadline: the first decision stays, and so does the time.
        for seconds in [30, 100 * HOUR] {
            assert_eq!(fixture.enter(seconds).await, output);
        }
        assert_eq!(
            fixture.approval(1).await.unwrap().delivered_at,
            Some(at(20))
        );
        assert_eq!(fixture.mails().await.len(), 2);
    }
}

#[tokio::test]
async fn past_the_deadline_the_policy_decides() {
    for on_timeout in [OnTimeout::Skip, OnTimeout::Post] {
        let policy = bot_files::BotApproval {
            on_timeout,
            ..policy()
        };
        let fixture = Fixture::with(policy, |_| {}).await;
        fixture.enter(0).await;
        assert_eq!(fixture.enter(4 * HOUR - 1).await.decision, None);
        let decision = fixture.enter(4 * HOUR).await.decision.unwrap();
        assert_eq!(
            (decision.by.as_str(), decision.at),
            ("policy", at(4 * HOUR))
        );
        let approval = fixture.approval(1).await.unwrap();
        let expected = match on_timeout {
            OnTimeout::Skip => Verdict::Expired,
            OnTimeout::Post => Verdict::Approved {
                caption: CAPTION.to_owned(),
                alt_text: ALT_TEXT.to_owned(),
                hash: approval.presented_hash,
            },
        };
        assert_eq!(decision.verdict, expected);
        assert!(!fixture.waits().await);
        assert_eq!(fixture.enter(5 * HOUR).await.decision, Some(decision));
        assert_eq!(fixture.mails().await.len(), 2);
    }
}

#[tokio::test]
async fn an_approval_that_was_opened_and_never_emailed_expires_without_an_email() {
    let fixture = Fixture::new().await;
    let mut invocation = start(&fixture).await;
    invocation.step().await;
    // Opened, and killed before the keys are read.
    invocation.kill(true).await;
    assert!(fixture.approval(1).await.is_some());
    let output = fixture.enter(4 * HOUR).await;
    assert_eq!(output.decision.unwrap().verdict, Verdict::Expired);
    assert!(fixture.mails().await.is_empty());
}

#[tokio::test]
async fn an_approval_closes_when_the_post_would_be_too_late_and_reminds_before() {
    let policy = bot_files::BotApproval {
        reminder: Some(SignedDuration::from_mins(60)),
        ..policy()
    };
    let fixture = Fixture::with(policy, |record| {
        record["notAfter"] = json!(at(3 * HOUR).as_second());
    })
    .await;
    let output = fixture.enter(0).await;
    let approval = fixture.approval(1).await.unwrap();
    assert_eq!(output.closes_at, at(3 * HOUR));
    assert_eq!(approval.closes_at, at(3 * HOUR).as_second());
    assert_eq!(approval.remind_at, Some(at(2 * HOUR).as_second()));
}

#[tokio::test]
async fn an_approver_who_cannot_be_emailed_does_not_stop_the_others_and_is_in_the_audit_trail() {
    for refused in [OWNER, FRIEND] {
        let fixture = Fixture::new().await;
        fixture.in_the_sandbox().await;
        let reached = if refused == OWNER { FRIEND } else { OWNER };
        fixture.verify(reached).await;
        let output = fixture.enter(0).await;
        assert_eq!(output.decision, None);
        assert_eq!(recipients(&fixture.mails().await), [reached]);
        assert_eq!(fixture.approval(1).await.unwrap().mailed, [reached]);
        let audit = fixture.audit().await;
        assert!(
            audit.contains(&format!("mail-refused#{refused}")),
            "{audit:?}"
        );
        assert!(audit.contains(&format!("mailed#{reached}")), "{audit:?}");
        // Entered again, it tries this approver again, and the other one gets no second email.
        assert_eq!(fixture.enter(60).await, output);
        fixture.verify(refused).await;
        assert_eq!(fixture.enter(120).await, output);
        assert_eq!(recipients(&fixture.mails().await), [FRIEND, OWNER]);
    }
}

#[tokio::test]
async fn if_no_approver_can_be_emailed_it_fails_and_names_all_until_it_is_fixed() {
    let fixture = Fixture::new().await;
    fixture.in_the_sandbox().await;
    let (name, message) = fixture.refused(0, input()).await;
    assert_eq!(name, "MailRefused");
    for address in [OWNER, FRIEND] {
        assert!(message.contains(address), "{message}");
    }
    assert!(fixture.mails().await.is_empty());
    assert_eq!(fixture.approval(1).await.unwrap().mailed, [""; 0]);
    let lines = [
        "approval-opened",
        "mail-refused#friend@example.net",
        "mail-refused#owner@example.org",
    ];
    assert_eq!(fixture.audit().await, lines);
    // The redrive.
    fixture.verify(OWNER).await;
    assert_eq!(fixture.enter(HOUR).await.closes_at, at(4 * HOUR));
    assert_eq!(recipients(&fixture.mails().await), [OWNER]);
}

#[tokio::test]
async fn a_sender_that_is_not_verified_is_a_refused_email() {
    let mut fixture = Fixture::new().await;
    fixture.config.mail_from = "unverified@example.com".to_owned();
    let (name, message) = fixture.refused(0, input()).await;
    assert_eq!(name, "MailRefused");
    assert!(message.contains("not verified"), "{message}");
}

#[tokio::test]
async fn an_email_service_that_is_down_or_busy_is_retried_without_an_audit_line() {
    for (status, kind) in [
        (500, "InternalFailure"),
        (503, "ServiceUnavailable"),
        (429, "TooManyRequestsException"),
    ] {
        let mut fixture = Fixture::new().await;
        let down = MockServer::start().await;
        let busy = ResponseTemplate::new(status)
            .insert_header("x-amzn-errortype", kind)
            .set_body_json(json!({"message": "slow down"}));
        Mock::given(method("POST"))
            .respond_with(busy)
            .mount(&down)
            .await;
        let busy = endpoints::at(&fixture.aws, &down.uri());
        let real = std::mem::replace(&mut fixture.clients.ses, aws_sdk_sesv2::Client::new(&busy));
        let (name, message) = fixture.refused(0, input()).await;
        assert_eq!(name, "ServiceUnavailable", "{status}: {message}");
        assert_eq!(fixture.audit().await, ["approval-opened"], "{status}");
        fixture.clients.ses = real;
        fixture.enter(30).await;
        assert_eq!(fixture.mails().await.len(), 2, "{status}");
    }
}

#[tokio::test]
async fn missing_or_malformed_keys_are_named_and_not_quoted_and_no_email_is_sent() {
    let rows = [
        (None, "has no value"),
        (Some("hush-hush"), "is malformed at line 1"),
        (Some("{}"), "is malformed"),
        (
            Some(r#"{"current": "hush-hush!"}"#),
            "has a key current that is not base64",
        ),
        (
            Some(r#"{"current": "aHVzaC1odXNo"}"#),
            "has a key current of 9 bytes",
        ),
        (
            Some(
                r#"{"current": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=", "previous": "aHVzaC1odXNo"}"#,
            ),
            "has a key previous of 9 bytes",
        ),
    ];
    for (secret, says) in rows {
        let fixture = Fixture::new().await;
        match secret {
            Some(secret) => fixture.set_secret(secret).await,
            None => {
                let delete = fixture.clients.secrets.delete_secret().secret_id("review");
                delete
                    .force_delete_without_recovery(true)
                    .send()
                    .await
                    .unwrap();
            }
        }
        let (name, message) = fixture.refused(0, input()).await;
        assert_eq!(name, "SecretUnusable", "{says}");
        assert!(message.contains(says), "{says}: {message}");
        for hidden in ["hush", "aHVzaC1odXNo"] {
            assert!(!message.contains(hidden), "{message}");
        }
        assert!(fixture.mails().await.is_empty());
    }
}

#[tokio::test]
async fn only_the_execution_that_holds_the_slot_may_request_an_approval() {
    let fixture = Fixture::new().await;
    let other = Input {
        execution: OTHER_RUN.to_owned(),
        ..input()
    };
    let (name, message) = fixture.refused(0, other).await;
    assert_eq!(name, "ClaimLost");
    assert!(
        message.contains(RUN) && message.contains(OTHER_RUN),
        "{message}"
    );
    let free = Input {
        post: "spooky-days/2026-10-31/1".to_owned(),
        ..input()
    };
    let (name, message) = fixture.refused(0, free).await;
    assert_eq!(name, "ClaimLost");
    assert!(
        message.contains("no execution holds spooky-days/2026-10-31/1"),
        "{message}"
    );
    assert!(fixture.approval(1).await.is_none());
    assert!(fixture.mails().await.is_empty() && fixture.audit().await.is_empty());
}

#[tokio::test]
async fn an_invalid_policy_round_or_post_is_invalid_input() {
    let off = bot_files::BotApproval {
        policy: Policy::Off,
        ..policy()
    };
    let no_approvers = bot_files::BotApproval {
        approvers: Vec::new(),
        ..policy()
    };
    let rows: [(bot_files::BotApproval, Option<u32>, &str, &str); 6] = [
        (off, None, POST, "needs no approval"),
        (no_approvers, None, POST, "needs no approval"),
        (policy(), Some(0), POST, "round is 0; it must be 1 to 4"),
        (policy(), Some(5), POST, "round is 5; it must be 1 to 4"),
        (policy(), None, "spooky-days/2026-10-30", "is not a post"),
        (policy(), None, "Spooky Days/2026-10-30/1", "is not a post"),
    ];
    for (policy, round, post, says) in rows {
        let fixture = Fixture::with(policy, |_| {}).await;
        let input = Input {
            round,
            post: post.to_owned(),
            ..input()
        };
        let (name, message) = fixture.refused(0, input).await;
        assert_eq!(name, "InvalidInput", "{says}");
        assert!(message.contains(says), "{says}: {message}");
        assert!(fixture.mails().await.is_empty() && fixture.audit().await.is_empty());
    }
}

#[tokio::test]
async fn an_unreadable_payload_is_named_and_an_unknown_field_is_ignored() {
    let good = json!({
        "execution": RUN, "post": POST, "caption": CAPTION, "altText": ALT_TEXT, "later": true,
        "image": {"key": "pictures/1", "thumbnailKey": "thumbnails/1", "sha256": "0", "bytes": 1, "width": 1024},
    });
    // Without a field that older definitions lack, and with one that a newer definition adds.
    assert!(read::<Input, Error>(good.clone()).is_ok());
    for name in ["execution", "post", "caption", "altText", "image"] {
        let mut payload = good.clone();
        payload.as_object_mut().unwrap().remove(name);
        let (error, message) = name_and_message(read::<Input, _>(payload).unwrap_err());
        assert_eq!(error, "InvalidInput");
        assert!(message.contains(name), "{name}: {message}");
    }
    for (payload, says) in [
        (json!(null), "null"),
        (json!([]), "sequence"),
        (json!({"round": "one"}), "round"),
        (json!({"round": -1}), "-1"),
    ] {
        let payload = match payload {
            Value::Object(changes) => {
                let mut payload = good.clone();
                payload.as_object_mut().unwrap().extend(changes);
                payload
            }
            payload => payload,
        };
        let (error, message) = name_and_message(read::<Input, _>(payload).unwrap_err());
        assert_eq!(error, "InvalidInput", "{says}");
        assert!(message.contains("cannot be read"), "{says}: {message}");
    }
}

const BINARY: Binary = Binary {
    path: env!("CARGO_BIN_EXE_request-approval"),
    environment: &[
        ("TABLE_NAME", "posts"),
        ("REVIEW_SECRET_ARN", "review"),
        ("REVIEW_BASE_URL", BASE),
        ("MAIL_FROM", FROM),
    ],
};

#[tokio::test]
async fn the_deployed_binary_names_what_its_input_lacks() {
    let rows = [(json!({"execution": RUN}), "post")];
    BINARY.assert_names_what_its_input_lacks(&rows).await;
}

#[test]
fn the_deployed_binary_names_a_missing_environment_variable() {
    BINARY.assert_names_missing_variables();
}

#[tokio::test]
async fn an_unreadable_pick_and_a_missing_table_are_unexpected() {
    let fixture = Fixture::with(policy(), |record| record["day"] = json!({"name": DAY})).await;
    let (name, message) = fixture.refused(0, input()).await;
    assert_eq!(name, "Unexpected");
    assert!(
        message.contains("the pick of spooky-days/2026-10-30/1 is unreadable"),
        "{message}"
    );
    let mut fixture = Fixture::new().await;
    fixture.config.table_name = "nothing".to_owned();
    fixture.clients = Clients::new(&fixture.aws, &fixture.config);
    let (name, message) = fixture.refused(0, input()).await;
    assert_eq!(name, "Unexpected");
    assert!(message.contains("read a record"), "{message}");
}

#[tokio::test]
async fn a_dry_run_is_approved_without_an_email() {
    let fixture = Fixture::new().await;
    let dry = POST.parse::<post::PostId>().unwrap().dry_run_of(RUN);
    let mut record = json!(fixture.clients.table.read(&dry.real()).await.unwrap());
    record["post"] = json!(dry.to_string());
    let record: Record = serde_json::from_value(record).unwrap();
    fixture.clients.table.claim(&dry, &record).await.unwrap();
    let dry_input = Input {
        post: dry.to_string(),
        ..input()
    };
    let output = fixture.enter_with(0, dry_input).await.unwrap();
    let decision = output.decision.unwrap();
    assert_eq!((decision.by.as_str(), decision.at), ("dry run", at(0)));
    let verdict = Verdict::Approved {
        caption: CAPTION.to_owned(),
        alt_text: ALT_TEXT.to_owned(),
        hash: posts_table::content_hash(&"0".repeat(64), CAPTION, ALT_TEXT),
    };
    assert_eq!(decision.verdict, verdict);
    assert!(fixture.mails().await.is_empty());
    assert!(!fixture.waits().await);
    assert!(
        fixture
            .clients
            .table
            .approvals(&dry)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(fixture.audit().await.is_empty());
}
