//! The real function against the emulator and the fake X.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

mod crashes;
mod deletions;
mod dry_run;
mod fixture;

use fakes::{Fault, Kind};
use fixture::{CAPTION, EXECUTION, Fixture, secret};
use jiff::SignedDuration;
use post_tweet::{Error, Status};
use posts_table::{Arm, Armed, Ledger};
use serde_json::json;
use test_kit::endpoints;

fn name(error: &Error) -> &'static str {
    error.into()
}

#[tokio::test]
async fn a_post_is_uploaded_described_created_and_recorded() {
    let fixture = Fixture::new().await;
    let output = fixture.enter(0).await.unwrap();

    assert_eq!(output.status, Status::Posted);
    let tweets = fixture.x.tweets();
    assert_eq!(tweets.len(), 1);
    assert_eq!(output.id.as_deref(), Some(tweets[0].id.as_str()));
    assert_eq!(tweets[0].pictures, std::slice::from_ref(&fixture.picture));
    assert_eq!(tweets[0].alt_texts, ["A ghost reads the paper."]);
    let sent = fixture.x.requests();
    let names: Vec<&str> = sent.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["upload", "metadata", "create-tweet"]);
    let media = sent[1].1["id"].as_str().unwrap();
    assert_eq!(
        sent[2].1,
        json!({"text": CAPTION, "media": {"media_ids": [media]}, "made_with_ai": true})
    );
    let record = fixture.record().await;
    assert_eq!(record.ledger, Ledger::Posted);
    assert_eq!(record.tweet_id, output.id);
    assert_eq!(record.text.as_deref(), Some(CAPTION));
    assert_eq!(record.media_keys, [format!("3_{media}")]);
}

#[tokio::test]
async fn entered_again_it_returns_the_same_and_sends_nothing() {
    let fixture = Fixture::new().await;
    let first = fixture.enter(0).await.unwrap();
    let sent = fixture.x.requests().len();
    let again = fixture.enter(1000).await.unwrap();
    assert_eq!(again, first);
    assert_eq!(fixture.x.requests().len(), sent);
}

#[tokio::test]
async fn each_answer_of_x_has_its_error_name_and_its_ledger() {
    use Ledger::{Armed, Claimed, Rejected};
    let problem = |status: u16, kind: &str, detail: &str| Kind::Status {
        status,
        body: json!({"title": "Problem", "detail": detail, "type": format!("https://api.x.com/2/problems/{kind}")}),
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
    ] {
        let fixture = Fixture::new().await;
        assert_error(&fixture, operation, kind, error, ledger).await;
    }
}

/// Asserts the error and the ledger of a fault, and what another entry without the fault does.
async fn assert_error(fixture: &Fixture, operation: &str, kind: Kind, error: &str, ledger: Ledger) {
    use Ledger::{Claimed, Rejected};
    fixture.x.fail(Fault::always(operation, kind.clone()));
    let failed = fixture.enter(0).await.unwrap_err();
    let case = format!("{operation} {kind:?}: {failed}");
    assert_eq!(name(&failed), error, "{case}");
    assert_eq!(fixture.record().await.ledger, ledger, "{case}");
    let diagnostic = lambda_function::Diagnostic::from(failed);
    assert_eq!(diagnostic.error_type, error);
    assert!(!diagnostic.error_message.contains('\n'), "{case}");
    assert!(!diagnostic.error_message.contains("secret"), "{case}");

    // A rejection stays and has the same name. What may be repeated is, and what is in doubt is searched for.
    fixture.x.clear_faults();
    let again = fixture.enter(200).await;
    match ledger {
        Rejected => assert_eq!(name(&again.unwrap_err()), error, "{case}"),
        Claimed => assert_eq!(again.unwrap().status, Status::Posted, "{case}"),
        _ if fixture.x.tweets().is_empty() => {
            assert_eq!(name(&again.unwrap_err()), "OutcomeUnknown", "{case}");
        }
        _ => assert_eq!(again.unwrap().status, Status::Posted, "{case}"),
    }
    assert!(fixture.x.tweets().len() <= 1, "{case}");
}

#[tokio::test]
async fn a_request_that_x_does_not_answer_times_out() {
    // Long enough for every other step on a slow machine. Only the request that X does not answer has it.
    let soon = std::time::Duration::from_secs(5);
    let upload = async {
        let mut fixture = Fixture::new().await;
        fixture.config.upload_timeout = soon;
        assert_error(
            &fixture,
            "upload",
            Kind::Hang,
            "ServiceUnavailable",
            Ledger::Claimed,
        )
        .await;
    };
    let alt_text = async {
        let mut fixture = Fixture::new().await;
        fixture.config.request_timeout = soon;
        assert_error(
            &fixture,
            "metadata",
            Kind::Hang,
            "ServiceUnavailable",
            Ledger::Claimed,
        )
        .await;
    };
    let tweet = async {
        let mut fixture = Fixture::new().await;
        fixture.config.create_timeout = soon;
        assert_error(
            &fixture,
            "create-tweet",
            Kind::Hang,
            "OutcomeUnknown",
            Ledger::Armed,
        )
        .await;
    };
    tokio::join!(upload, alt_text, tweet);
}

#[tokio::test]
async fn a_refused_connection_to_x_means_that_nothing_was_sent() {
    let mut fixture = Fixture::new().await;
    fixture.config.x_api_base_url = endpoints::refusing_connections();
    assert_eq!(
        name(&fixture.enter(0).await.unwrap_err()),
        "ServiceUnavailable"
    );
    assert_eq!(fixture.record().await.ledger, Ledger::Claimed);
}

#[tokio::test]
async fn a_duplicate_that_is_this_post_is_found_and_not_refused() {
    let fixture = Fixture::new().await;
    // The first tweet is accepted and its answer lost; then an operator resets the ledger too early.
    fixture
        .x
        .fail(Fault::once("create-tweet", Kind::ResetAfter));
    assert_eq!(name(&fixture.enter(0).await.unwrap_err()), "OutcomeUnknown");
    let lease = fixture.record().await.lease_id.unwrap();
    assert!(
        fixture
            .clients
            .table
            .disarm(&fixture.post, &lease)
            .await
            .unwrap()
    );
    let output = fixture.enter(60).await.unwrap();
    assert_eq!(
        output.id.as_deref(),
        Some(fixture.x.tweets()[0].id.as_str())
    );
    assert_eq!(fixture.record().await.ledger, Ledger::Posted);
}

#[tokio::test]
async fn after_six_reconciliation_attempts_an_operator_decides_and_a_later_entry_still_finds_it() {
    let fixture = Fixture::new().await;
    fixture
        .x
        .fail(Fault::once("create-tweet", Kind::Hidden { reads: 7 }));
    for attempt in 0..posts_table::MAX_RECONCILIATIONS {
        let error = fixture.enter(i64::from(attempt) * 30).await.unwrap_err();
        assert_eq!(name(&error), "OutcomeUnknown", "{error}");
    }
    assert_eq!(name(&fixture.enter(600).await.unwrap_err()), "Unconfirmed");
    assert_eq!(name(&fixture.enter(700).await.unwrap_err()), "Unconfirmed");
    // A redrive reads once more.
    assert_eq!(fixture.enter(4000).await.unwrap().status, Status::Posted);
    assert_eq!(fixture.x.tweets().len(), 1);
}

#[tokio::test]
async fn under_a_lease_nothing_is_sent_or_read() {
    let fixture = Fixture::new().await;
    fixture.arm(0, "hash").await;
    assert_eq!(name(&fixture.enter(30).await.unwrap_err()), "PostInFlight");
    assert!(fixture.x.requests().is_empty());
    assert_eq!(
        name(&fixture.enter(91).await.unwrap_err()),
        "OutcomeUnknown"
    );
    assert_eq!(fixture.x.requests()[0].0, "timeline");
}

#[tokio::test]
async fn a_slot_that_another_execution_holds_or_that_is_free_is_left_alone() {
    let fixture = Fixture::new().await;
    let mut input = fixture.input();
    input.execution = "arn:other".to_owned();
    let error = fixture.enter_with(0, input).await.unwrap_err();
    assert_eq!(name(&error), "ClaimLost");
    assert!(error.to_string().contains(EXECUTION), "{error}");
    let mut input = fixture.input();
    input.post = "spooky-days/2026-10-29/1".to_owned();
    assert_eq!(
        name(&fixture.enter_with(0, input).await.unwrap_err()),
        "ClaimLost"
    );
    assert!(fixture.x.requests().is_empty());
}

#[tokio::test]
async fn a_paused_bot_posts_nothing_until_the_pause_is_over() {
    let fixture = Fixture::new().await;
    let until = fixture.at(100).as_second();
    fixture
        .put(json!({"pk": "spooky-days#settings", "sk": "switch", "pausedUntil": until, "reason": "a storm"}))
        .await;
    let output = fixture.enter(0).await.unwrap();
    assert_eq!(output.status, Status::Skipped);
    assert_eq!(output.reason.as_deref(), Some("paused: a storm"));
    assert_eq!(fixture.record().await.ledger, Ledger::Claimed);
    assert!(fixture.x.tweets().is_empty());
    assert_eq!(fixture.enter(100).await.unwrap().status, Status::Posted);
}

#[tokio::test]
async fn a_slot_that_is_too_late_is_skipped_unless_an_operator_allows_it() {
    let fixture = Fixture::new().await;
    fixture
        .update(json!({"notAfter": fixture.at(10).as_second()}))
        .await;
    let output = fixture.enter(11).await.unwrap();
    assert_eq!(output.status, Status::Skipped);
    assert!(output.reason.unwrap().contains("too late"));
    fixture.update(json!({"allowLate": "ada"})).await;
    assert_eq!(fixture.enter(12).await.unwrap().status, Status::Posted);
}

#[tokio::test]
async fn without_an_approval_of_exactly_this_content_nothing_is_posted() {
    let fixture = Fixture::new().await;
    fixture.update(json!({"approvalRequired": true})).await;
    let fails = async |what: &str| {
        assert_eq!(
            name(&fixture.enter(0).await.unwrap_err()),
            "NotApproved",
            "{what}"
        );
        assert_eq!(fixture.record().await.ledger, Ledger::Claimed);
    };
    let approval = |round: u32, decision: &str, hash: &str| json!({"pk": "spooky-days#2026-10-30", "sk": format!("slot#1#approval#{round}"), "decision": {"verdict": decision, "hash": hash}});
    fails("no approval").await;
    let hash = fixture.content_hash();
    fixture.put(approval(1, "rejected", &hash)).await;
    fails("a rejection").await;
    fixture.put(approval(1, "approved", "v1-other")).await;
    fails("an approval of other content").await;
    fixture.put(approval(2, "approved", &hash)).await;
    fails("an approval of another round").await;
    assert!(fixture.x.tweets().is_empty());
    fixture.put(approval(1, "approved", &hash)).await;
    assert_eq!(fixture.enter(0).await.unwrap().status, Status::Posted);
}

#[tokio::test]
async fn content_that_x_would_refuse_is_refused_before_anything_is_sent() {
    let fixture = Fixture::new().await;
    for (caption, alt_text) in [
        ("x".repeat(281), "A ghost.".to_owned()),
        (
            "look at https://example.com".to_owned(),
            "A ghost.".to_owned(),
        ),
        ("hello @ada".to_owned(), "A ghost.".to_owned()),
        (String::new(), "A ghost.".to_owned()),
        (CAPTION.to_owned(), String::new()),
        (CAPTION.to_owned(), "x".repeat(1001)),
    ] {
        let mut input = fixture.input();
        input.caption = caption;
        input.alt_text = alt_text;
        assert_eq!(
            name(&fixture.enter_with(0, input).await.unwrap_err()),
            "InvalidInput"
        );
    }
    assert!(fixture.x.requests().is_empty());
}

#[tokio::test]
async fn only_the_picture_that_was_stored_is_posted() {
    let fixture = Fixture::new().await;
    let mut input = fixture.input();
    input.image.sha256 = "0".repeat(64);
    let error = fixture.enter_with(0, input).await.unwrap_err();
    assert_eq!(name(&error), "InvalidInput");
    assert!(error.to_string().contains("not the picture"), "{error}");
    let mut input = fixture.input();
    input.image.key = "pictures/none.jpg".to_owned();
    let error = fixture.enter_with(0, input).await.unwrap_err();
    assert_eq!(name(&error), "InvalidInput");
    assert!(error.to_string().contains("pictures/none.jpg"), "{error}");
    assert!(fixture.x.requests().is_empty());
}

#[tokio::test]
async fn an_unusable_secret_is_named_and_not_quoted() {
    let fixture = Fixture::new().await;
    let short = json!({"apiKey": "very-secret"}).to_string();
    let no_number = secret(&fixture.credentials("token-very-secret")).to_string();
    for value in ["very-secret", &short, &no_number] {
        fixture.set_secret(value).await;
        let error = fixture.enter(0).await.unwrap_err();
        assert_eq!(name(&error), "SecretUnusable");
        let message = error.to_string();
        assert!(
            message.contains("accessToken") && !message.contains("very-secret"),
            "{message}"
        );
    }
    fixture.delete_secret().await;
    let error = fixture.enter(0).await.unwrap_err();
    assert_eq!(name(&error), "SecretUnusable");
    assert_eq!(fixture.record().await.ledger, Ledger::Claimed);
}

#[tokio::test]
async fn of_several_that_arm_at_once_one_may_send() {
    let fixture = Fixture::new().await;
    for round in 0..20 {
        let now = fixture.at(round * 1000);
        let lease_ids: Vec<String> = (0..4).map(|n| format!("lease-{round}-{n}")).collect();
        let tries = lease_ids.iter().map(|lease_id| {
            let table = fixture.clients.table.clone();
            let (post, lease_id) = (fixture.post.clone(), lease_id.clone());
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
        let record = fixture.record().await;
        assert_eq!(record.lease_id.as_ref(), Some(&winner[0]));
        assert!(
            fixture
                .clients
                .table
                .disarm(&fixture.post, &winner[0])
                .await
                .unwrap()
        );
    }
}
