//! The real function against the emulator and the stand-in for X.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

mod crashes;
mod deletions;
mod dry_run;
mod setting;

use fakes::{Fault, Kind};
use jiff::SignedDuration;
use post_tweet::{Error, Status};
use posts_table::{Arm, Armed, Ledger};
use serde_json::json;
use setting::{CAPTION, EXECUTION, Setting, secret};

fn name(error: &Error) -> &'static str {
    error.into()
}

#[tokio::test]
async fn a_post_is_uploaded_described_created_and_recorded() {
    let setting = Setting::new().await;
    let output = setting.enter(0).await.unwrap();

    assert_eq!(output.status, Status::Posted);
    let tweets = setting.x.tweets();
    assert_eq!(tweets.len(), 1);
    assert_eq!(output.id.as_deref(), Some(tweets[0].id.as_str()));
    assert_eq!(tweets[0].pictures, std::slice::from_ref(&setting.picture));
    assert_eq!(tweets[0].alt_texts, ["A ghost reads the paper."]);
    let sent = setting.x.requests();
    let names: Vec<&str> = sent.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["upload", "metadata", "create-tweet"]);
    let media = sent[1].1["id"].as_str().unwrap();
    assert_eq!(
        sent[2].1,
        json!({"text": CAPTION, "media": {"media_ids": [media]}, "made_with_ai": true})
    );
    let record = setting.record().await;
    assert_eq!(record.ledger, Ledger::Posted);
    assert_eq!(record.tweet_id, output.id);
    assert_eq!(record.text.as_deref(), Some(CAPTION));
    assert_eq!(record.media_keys, [format!("3_{media}")]);
}

#[tokio::test]
async fn entered_again_it_answers_the_same_and_sends_nothing() {
    let setting = Setting::new().await;
    let first = setting.enter(0).await.unwrap();
    let sent = setting.x.requests().len();
    let again = setting.enter(1000).await.unwrap();
    assert_eq!(again, first);
    assert_eq!(setting.x.requests().len(), sent);
}

#[tokio::test]
async fn each_answer_of_x_has_its_name_and_its_place_in_the_ledger() {
    use Ledger::{Armed, Claimed, Rejected};
    let problem = |status: u16, kind: &str, detail: &str| Kind::Status {
        status,
        body: json!({"title": "Said", "detail": detail, "type": format!("https://api.x.com/2/problems/{kind}")}),
    };
    let duplicate = "You are not allowed to create a Tweet with duplicate content.";
    for (operation, kind, error, ledger) in [
        ("upload", problem(401, "x", "No."), "Unauthorized", Claimed),
        (
            "upload",
            problem(402, "credits-depleted", "credits depleted"),
            "OutOfCredit",
            Claimed,
        ),
        ("upload", problem(429, "x", "Slow."), "RateLimited", Claimed),
        (
            "upload",
            problem(400, "invalid-request", "No picture."),
            "PictureRejected",
            Claimed,
        ),
        (
            "upload",
            Kind::Html { status: 502 },
            "ServiceUnavailable",
            Claimed,
        ),
        (
            "upload",
            Kind::Html { status: 200 },
            "ServiceUnavailable",
            Claimed,
        ),
        ("upload", Kind::ResetBefore, "ServiceUnavailable", Claimed),
        ("upload", Kind::ResetAfter, "ServiceUnavailable", Claimed),
        ("upload", Kind::Empty, "ServiceUnavailable", Claimed),
        ("upload", Kind::Hang, "ServiceUnavailable", Claimed),
        (
            "metadata",
            problem(400, "invalid-request", "Too long."),
            "PictureRejected",
            Claimed,
        ),
        (
            "metadata",
            Kind::Html { status: 500 },
            "ServiceUnavailable",
            Claimed,
        ),
        ("metadata", Kind::Hang, "ServiceUnavailable", Claimed),
        (
            "create-tweet",
            problem(401, "x", "No."),
            "Unauthorized",
            Claimed,
        ),
        (
            "create-tweet",
            problem(403, "oauth1-permissions", "No."),
            "Unauthorized",
            Claimed,
        ),
        (
            "create-tweet",
            problem(403, "client-forbidden", "No."),
            "Unauthorized",
            Claimed,
        ),
        (
            "create-tweet",
            problem(403, "x", "Your account is suspended."),
            "Unauthorized",
            Claimed,
        ),
        (
            "create-tweet",
            problem(402, "credits", "none"),
            "OutOfCredit",
            Claimed,
        ),
        (
            "create-tweet",
            problem(429, "x", "Slow."),
            "RateLimited",
            Claimed,
        ),
        (
            "create-tweet",
            problem(403, "x", duplicate),
            "DuplicateTweet",
            Rejected,
        ),
        (
            "create-tweet",
            problem(400, "invalid-request", "No."),
            "TweetRejected",
            Rejected,
        ),
        (
            "create-tweet",
            problem(403, "x", "Against the rules."),
            "TweetRejected",
            Rejected,
        ),
        (
            "create-tweet",
            Kind::Html { status: 503 },
            "OutcomeUnknown",
            Armed,
        ),
        (
            "create-tweet",
            Kind::Html { status: 200 },
            "OutcomeUnknown",
            Armed,
        ),
        (
            "create-tweet",
            problem(408, "x", "Timeout."),
            "OutcomeUnknown",
            Armed,
        ),
        ("create-tweet", Kind::ResetBefore, "OutcomeUnknown", Armed),
        ("create-tweet", Kind::ResetAfter, "OutcomeUnknown", Armed),
        ("create-tweet", Kind::Empty, "OutcomeUnknown", Armed),
        (
            "create-tweet",
            Kind::AcceptedThenError,
            "OutcomeUnknown",
            Armed,
        ),
        ("create-tweet", Kind::Hang, "OutcomeUnknown", Armed),
    ] {
        let mut setting = Setting::new().await;
        if matches!(kind, Kind::Hang) {
            let soon = std::time::Duration::from_millis(300);
            setting.config.upload_timeout = soon;
            setting.config.create_timeout = soon;
            setting.config.request_timeout = soon;
        }
        setting.x.fail(Fault::always(operation, kind.clone()));
        let failed = setting.enter(0).await.unwrap_err();
        let case = format!("{operation} {kind:?}: {failed}");
        assert_eq!(name(&failed), error, "{case}");
        assert_eq!(setting.record().await.ledger, ledger, "{case}");
        let diagnostic = lambda_runtime::Diagnostic::from(failed);
        assert_eq!(diagnostic.error_type, error);
        assert!(!diagnostic.error_message.contains('\n'), "{case}");
        assert!(!diagnostic.error_message.contains("secret"), "{case}");

        // What was rejected stays so and says so; what may be repeated is, and what is in doubt is looked for.
        setting.x.clear_faults();
        let again = setting.enter(200).await;
        match ledger {
            Rejected => assert_eq!(name(&again.unwrap_err()), error, "{case}"),
            Claimed => assert_eq!(again.unwrap().status, Status::Posted, "{case}"),
            _ if setting.x.tweets().is_empty() => {
                assert_eq!(name(&again.unwrap_err()), "OutcomeUnknown", "{case}");
            }
            _ => assert_eq!(again.unwrap().status, Status::Posted, "{case}"),
        }
        assert!(setting.x.tweets().len() <= 1, "{case}");
    }
}

#[tokio::test]
async fn nobody_at_xs_address_means_that_nothing_was_sent() {
    let mut setting = Setting::new().await;
    setting.config.x_api_base_url = "http://127.0.0.1:9".to_owned();
    assert_eq!(
        name(&setting.enter(0).await.unwrap_err()),
        "ServiceUnavailable"
    );
    assert_eq!(setting.record().await.ledger, Ledger::Claimed);
}

#[tokio::test]
async fn a_duplicate_that_is_this_very_post_is_found_and_not_refused() {
    let setting = Setting::new().await;
    // The first try is accepted and its answer lost; then somebody puts the ledger back too early.
    setting
        .x
        .fail(Fault::once("create-tweet", Kind::ResetAfter));
    assert_eq!(name(&setting.enter(0).await.unwrap_err()), "OutcomeUnknown");
    let lease = setting.record().await.lease_id.unwrap();
    assert!(
        setting
            .clients
            .table
            .disarm(&setting.post, &lease)
            .await
            .unwrap()
    );
    let output = setting.enter(60).await.unwrap();
    assert_eq!(
        output.id.as_deref(),
        Some(setting.x.tweets()[0].id.as_str())
    );
    assert_eq!(setting.record().await.ledger, Ledger::Posted);
}

#[tokio::test]
async fn after_six_looks_in_vain_a_person_decides_and_a_later_entry_still_finds_it() {
    let setting = Setting::new().await;
    setting
        .x
        .fail(Fault::once("create-tweet", Kind::Hidden { reads: 7 }));
    for look in 0..posts_table::MAX_RECONCILIATIONS {
        let error = setting.enter(i64::from(look) * 30).await.unwrap_err();
        assert_eq!(name(&error), "OutcomeUnknown", "{error}");
    }
    assert_eq!(name(&setting.enter(600).await.unwrap_err()), "Unconfirmed");
    assert_eq!(name(&setting.enter(700).await.unwrap_err()), "Unconfirmed");
    // A redrive reads once more.
    assert_eq!(setting.enter(4000).await.unwrap().status, Status::Posted);
    assert_eq!(setting.x.tweets().len(), 1);
}

#[tokio::test]
async fn under_a_lease_that_runs_nothing_is_sent_or_read() {
    let setting = Setting::new().await;
    setting.arm(0, "hash").await;
    assert_eq!(name(&setting.enter(30).await.unwrap_err()), "PostInFlight");
    assert!(setting.x.requests().is_empty());
    assert_eq!(
        name(&setting.enter(91).await.unwrap_err()),
        "OutcomeUnknown"
    );
    assert_eq!(setting.x.requests()[0].0, "timeline");
}

#[tokio::test]
async fn a_slot_of_another_execution_or_of_nobody_is_left_alone() {
    let setting = Setting::new().await;
    let mut input = setting.input();
    input.execution = "arn:other".to_owned();
    let error = setting.enter_with(0, input).await.unwrap_err();
    assert_eq!(name(&error), "ClaimLost");
    assert!(error.to_string().contains(EXECUTION), "{error}");
    let mut input = setting.input();
    input.post = "spooky-days/2026-10-29/1".to_owned();
    assert_eq!(
        name(&setting.enter_with(0, input).await.unwrap_err()),
        "ClaimLost"
    );
    assert!(setting.x.requests().is_empty());
}

#[tokio::test]
async fn a_paused_bot_posts_nothing_until_the_pause_is_over() {
    let setting = Setting::new().await;
    let until = setting.at(100).as_second();
    setting
        .put(json!({"pk": "spooky-days#settings", "sk": "switch", "pausedUntil": until, "reason": "a storm"}))
        .await;
    let output = setting.enter(0).await.unwrap();
    assert_eq!(output.status, Status::Skipped);
    assert_eq!(output.reason.as_deref(), Some("paused: a storm"));
    assert_eq!(setting.record().await.ledger, Ledger::Claimed);
    assert!(setting.x.tweets().is_empty());
    assert_eq!(setting.enter(100).await.unwrap().status, Status::Posted);
}

#[tokio::test]
async fn a_slot_that_is_too_late_is_skipped_unless_a_person_allows_it() {
    let setting = Setting::new().await;
    setting
        .update(json!({"notAfter": setting.at(10).as_second()}))
        .await;
    let output = setting.enter(11).await.unwrap();
    assert_eq!(output.status, Status::Skipped);
    assert!(output.reason.unwrap().contains("too late"));
    setting.update(json!({"allowLate": "somebody"})).await;
    assert_eq!(setting.enter(12).await.unwrap().status, Status::Posted);
}

#[tokio::test]
async fn without_an_approval_of_this_very_content_nothing_is_posted() {
    let setting = Setting::new().await;
    setting.update(json!({"approvalRequired": true})).await;
    let fails = async |what: &str| {
        assert_eq!(
            name(&setting.enter(0).await.unwrap_err()),
            "NotApproved",
            "{what}"
        );
        assert_eq!(setting.record().await.ledger, Ledger::Claimed);
    };
    let approval = |round: u32, decision: &str, hash: &str| json!({"pk": "spooky-days#2026-10-30", "sk": format!("slot#1#approval#{round}"), "decision": {"verdict": decision, "hash": hash}});
    fails("no approval").await;
    let hash = setting.content_hash();
    setting.put(approval(1, "rejected", &hash)).await;
    fails("a rejection").await;
    setting.put(approval(1, "approved", "v1-other")).await;
    fails("an approval of other content").await;
    setting.put(approval(2, "approved", &hash)).await;
    fails("an approval of another round").await;
    assert!(setting.x.tweets().is_empty());
    setting.put(approval(1, "approved", &hash)).await;
    assert_eq!(setting.enter(0).await.unwrap().status, Status::Posted);
}

#[tokio::test]
async fn content_that_x_would_refuse_is_refused_before_anything_is_sent() {
    let setting = Setting::new().await;
    for (caption, alt_text) in [
        ("x".repeat(281), "A ghost.".to_owned()),
        (
            "look at https://example.com".to_owned(),
            "A ghost.".to_owned(),
        ),
        ("hello @somebody".to_owned(), "A ghost.".to_owned()),
        (String::new(), "A ghost.".to_owned()),
        (CAPTION.to_owned(), String::new()),
        (CAPTION.to_owned(), "x".repeat(1001)),
    ] {
        let mut input = setting.input();
        input.caption = caption;
        input.alt_text = alt_text;
        assert_eq!(
            name(&setting.enter_with(0, input).await.unwrap_err()),
            "InvalidInput"
        );
    }
    assert!(setting.x.requests().is_empty());
}

#[tokio::test]
async fn only_the_picture_that_was_stored_is_posted() {
    let setting = Setting::new().await;
    let mut input = setting.input();
    input.image.sha256 = "0".repeat(64);
    let error = setting.enter_with(0, input).await.unwrap_err();
    assert_eq!(name(&error), "InvalidInput");
    assert!(error.to_string().contains("not the picture"), "{error}");
    let mut input = setting.input();
    input.image.key = "pictures/none.jpg".to_owned();
    let error = setting.enter_with(0, input).await.unwrap_err();
    assert_eq!(name(&error), "InvalidInput");
    assert!(error.to_string().contains("pictures/none.jpg"), "{error}");
    assert!(setting.x.requests().is_empty());
}

#[tokio::test]
async fn a_secret_that_cannot_be_used_is_named_and_not_quoted() {
    let setting = Setting::new().await;
    let short = json!({"apiKey": "very-secret"}).to_string();
    let no_number = secret(&setting.credentials("token-very-secret")).to_string();
    for value in ["very-secret", &short, &no_number] {
        setting.set_secret(value).await;
        let error = setting.enter(0).await.unwrap_err();
        assert_eq!(name(&error), "SecretUnusable");
        let said = error.to_string();
        assert!(
            said.contains("accessToken") && !said.contains("very-secret"),
            "{said}"
        );
    }
    setting.delete_secret().await;
    let error = setting.enter(0).await.unwrap_err();
    assert_eq!(name(&error), "SecretUnusable");
    assert_eq!(setting.record().await.ledger, Ledger::Claimed);
}

#[tokio::test]
async fn of_two_that_arm_at_once_one_may_send() {
    let setting = Setting::new().await;
    for round in 0..20 {
        let now = setting.at(round * 1000);
        let arms: Vec<String> = (0..4).map(|n| format!("lease-{round}-{n}")).collect();
        let tries = arms.iter().map(|lease_id| {
            let table = setting.clients.table.clone();
            let (post, lease_id) = (setting.post.clone(), lease_id.clone());
            tokio::spawn(async move {
                let arm = Arm {
                    execution: EXECUTION,
                    text: CAPTION,
                    media_key: "3_1",
                    round: 1,
                    content_hash: "hash",
                    lease_id: &lease_id,
                    lease_until: now
                        .checked_add(SignedDuration::from_secs(90))
                        .unwrap()
                        .as_millisecond(),
                };
                let armed = table.arm(&post, false, now, &arm).await.unwrap();
                (armed, lease_id)
            })
        });
        let mut winner = Vec::new();
        for one in tries.collect::<Vec<_>>() {
            let (armed, lease_id) = one.await.unwrap();
            match armed {
                Armed::Yes => winner.push(lease_id),
                other => assert_eq!(other, Armed::LedgerMoved),
            }
        }
        assert_eq!(winner.len(), 1);
        let record = setting.record().await;
        assert_eq!(record.lease_id.as_ref(), Some(&winner[0]));
        assert!(
            setting
                .clients
                .table
                .disarm(&setting.post, &winner[0])
                .await
                .unwrap()
        );
    }
}
