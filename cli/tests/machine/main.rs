//! The whole machine on the local cloud: the real state machine, the real functions, the fakes.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

mod approval;
mod aws;
mod changes;
mod doctor;
mod dry_run;
mod fixture;
mod money;
mod notices;
mod operate;
mod page;
mod restart;
mod runbook;
mod telemetry;
mod two_bots;
mod visit;
mod wrong_use;

use deployment::{EndedExecution, ad_hoc, scheduled};
use fakes::{Fault, Kind};
use fixture::{BOT, Fixture, SECRETS};
use jiff::civil::Date;
use post::Outcome;
use posts_table::Ledger;
use serde_json::{Value, json};

/// A bot that needs no approval and has money for many pictures a day.
const RICH: [(&str, &str); 3] = [
    ("policy = \"required\"", "policy = \"off\""),
    ("per_day_usd = 1.00", "per_day_usd = 50.00"),
    ("per_month_usd = 10.00", "per_month_usd = 50.00"),
];

fn status(status: u16, body: Value) -> Kind {
    Kind::Status { status, body }
}

fn last_state(ended: &EndedExecution) -> (&str, u32) {
    let state = ended.states.last().unwrap();
    (&state.name, state.attempts)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_day_ends_as_one_recorded_post() {
    let fixture = Fixture::new().await;
    let ended = fixture
        .run(scheduled(BOT, 1, "2026-10-30T11:50:00Z".parse().unwrap()))
        .await;
    // Long past, so a scheduled run is too late; everything but the tweet has happened.
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert_eq!(ended.output["record"]["outcome"], "skipped");
    assert!(
        ended.output["record"]["reason"]
            .as_str()
            .unwrap()
            .contains("too late")
    );
    assert!(fixture.x.tweets().is_empty());

    let ended = fixture.run_date("2026-12-24").await;
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let names: Vec<&str> = ended
        .states
        .iter()
        .map(|state| state.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "PickDay",
            "IsPicked",
            "BuildPrompt",
            "GenerateImage",
            "StoreImage",
            "NeedsApproval",
            "AwaitSlot",
            "PostTweet",
            "RecordResult",
        ]
    );
    let tweets = fixture.x.tweets();
    assert_eq!(tweets.len(), 1);
    let tweet = &tweets[0];
    assert_eq!(ended.output["tweet"]["id"], tweet.id);
    assert_eq!(ended.output["prompt"]["caption"], tweet.text);
    assert_eq!(ended.output["prompt"]["altText"], tweet.alt_texts[0]);
    assert!(tweet.made_with_ai);
    let image = &ended.output["image"];
    let stored = fixture
        .cloud
        .picture(image["key"].as_str().unwrap())
        .await
        .unwrap();
    assert_eq!(stored, tweet.pictures[0]);
    assert!(String::from_utf8_lossy(&stored).contains("trainedAlgorithmicMedia"));
    fixture
        .cloud
        .picture(image["thumbnailKey"].as_str().unwrap())
        .await
        .unwrap();

    let record = fixture.record("2026-12-24").await.unwrap();
    assert_eq!(record.outcome, Some(Outcome::Posted));
    assert_eq!(record.ledger, Ledger::Posted);
    assert_eq!(record.tweet_id.as_deref(), Some(tweet.id.as_str()));
    assert_eq!(record.media_keys, tweet.media_keys);
    assert_eq!(record.execution, ended.execution);
    let request = &fixture.openai.requests()[1];
    assert_eq!(request["model"], "gpt-image-2.6-flare");
    assert_eq!(request["size"], "1024x1024");
    assert_eq!(request["output_format"], "jpeg");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_without_an_entry_and_a_slot_beyond_the_days_are_skipped_with_their_reason() {
    let fixture = Fixture::new().await;
    let small =
        "[days]\n10-31 = [{ name = \"Halloween\" }]\n[remembrance]\n11-11 = \"Veterans Day\"\n";
    fixture
        .cloud
        .put_bot_file(BOT, "calendar.toml", small.into())
        .await
        .unwrap();
    let date: Date = "2026-10-31".parse().unwrap();
    for (input, reason) in [
        (ad_hoc(BOT, "2026-11-11".parse().unwrap(), 1), "remembrance"),
        (ad_hoc(BOT, "2026-05-03".parse().unwrap(), 1), "no entry"),
        (ad_hoc(BOT, date, 40), "slot 40"),
    ] {
        let ended = fixture.run(input).await;
        assert_eq!(ended.status, "SUCCEEDED");
        assert_eq!(ended.output["record"]["outcome"], "skipped");
        let printed = ended.output["record"]["reason"].as_str().unwrap();
        assert!(printed.to_lowercase().contains(reason), "{printed}");
        let record = fixture
            .cloud
            .table
            .read(
                &ended.output["day"]["post"]
                    .as_str()
                    .unwrap()
                    .parse()
                    .unwrap(),
            )
            .await
            .unwrap();
        assert_eq!(record.unwrap().outcome, Some(Outcome::Skipped));
    }
    assert!(fixture.openai.requests().is_empty());
    assert!(fixture.x.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_start_posts_nothing_and_says_who_holds_the_slot() {
    let fixture = Fixture::new().await;
    let run = || fixture.run_date("2026-10-30");
    let (a, b, c, d) = tokio::join!(run(), run(), run(), run());
    let runs = [a, b, c, d];
    let outcome = |run: &EndedExecution| {
        run.output["record"]["outcome"]
            .as_str()
            .unwrap_or("none")
            .to_owned()
    };
    let posted: Vec<&EndedExecution> = runs.iter().filter(|run| outcome(run) == "posted").collect();
    assert_eq!(posted.len(), 1);
    for run in runs
        .iter()
        .filter(|run| run.execution != posted[0].execution)
    {
        assert_eq!(outcome(run), "duplicate");
        assert_eq!(run.output["day"]["heldBy"], posted[0].execution);
    }
    assert_eq!(fixture.x.tweets().len(), 1);
    assert_eq!(
        fixture.record("2026-10-30").await.unwrap().outcome,
        Some(Outcome::Posted)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_that_passes_is_outlived_by_a_retry() {
    let fixture = Fixture::new().await;
    fixture.edit_bot(&RICH).await;
    let overloaded = json!({"error": {"message": "Overloaded.", "type": "service_unavailable_error", "param": null, "code": "server_is_overloaded"}});
    let limited = json!({"error": {"message": "Slow down.", "type": "rate_limit_error", "param": null, "code": "rate_limit_exceeded"}});
    let too_many = json!({"title": "Too Many Requests", "status": 429});
    let unavailable = json!({"title": "Service Unavailable", "status": 503});
    let mut date: Date = "2026-12-02".parse().unwrap();
    for (state, server, operation, kind) in [
        ("GenerateImage", "openai", "images", status(503, overloaded)),
        ("GenerateImage", "openai", "images", status(429, limited)),
        (
            "GenerateImage",
            "openai",
            "images",
            Kind::Html { status: 502 },
        ),
        ("GenerateImage", "openai", "images", Kind::ResetBefore),
        ("GenerateImage", "openai", "images", Kind::ResetAfter),
        ("GenerateImage", "openai", "images", Kind::Empty),
        ("PostTweet", "x", "upload", status(503, unavailable.clone())),
        ("PostTweet", "x", "upload", Kind::ResetAfter),
        ("PostTweet", "x", "upload", Kind::Empty),
        ("PostTweet", "x", "metadata", Kind::Html { status: 500 }),
        ("PostTweet", "x", "create-tweet", status(429, too_many)),
        ("PostTweet", "x", "create-tweet", Kind::ResetAfter),
        ("PostTweet", "x", "create-tweet", Kind::AcceptedThenError),
        ("PostTweet", "x", "create-tweet", Kind::Empty),
        ("PostTweet", "x", "create-tweet", Kind::Hidden { reads: 3 }),
    ] {
        let fault = Fault::once(operation, kind.clone());
        match server {
            "openai" => fixture.openai.fail(fault),
            _ => fixture.x.fail(fault),
        }
        let before = fixture.x.tweets().len();
        // The calendar is silent on these.
        while ["2026-12-07", "2026-12-09", "2026-12-14"].contains(&date.to_string().as_str()) {
            date = date.tomorrow().unwrap();
        }
        let ended = fixture.run_date(&date.to_string()).await;
        assert_eq!(
            ended.output["record"]["outcome"], "posted",
            "{operation} {kind:?}: {ended:?}"
        );
        let hit = ended.states.iter().find(|s| s.name == state).unwrap();
        assert!(hit.attempts > 1, "{operation} {kind:?} did not happen");
        assert_eq!(fixture.x.tweets().len(), before + 1, "{operation} {kind:?}");
        date = date.tomorrow().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_that_stays_fails_in_its_own_state_and_the_record_says_where() {
    let fixture = Fixture::new().await;
    fixture.edit_bot(&RICH).await;
    let openai = |code: &str, kind: &str| json!({"error": {"message": "No.", "type": kind, "param": null, "code": code}});
    let x = |title: &str, kind: &str| json!({"title": title, "detail": title, "type": kind});
    let mut date: Date = "2026-12-15".parse().unwrap();
    for (state, error, operation, kind) in [
        (
            "GenerateImage",
            "ServiceFailed",
            "images",
            Kind::Html { status: 500 },
        ),
        (
            "GenerateImage",
            "RateLimited",
            "images",
            status(429, openai("slow_down", "rate_limit_error")),
        ),
        (
            "GenerateImage",
            "OutOfCredit",
            "images",
            status(
                429,
                openai("credit_balance_exhausted", "insufficient_quota"),
            ),
        ),
        (
            "GenerateImage",
            "ModelGone",
            "images",
            status(404, openai("model_not_found", "invalid_request_error")),
        ),
        (
            "GenerateImage",
            "Unauthorized",
            "images",
            status(401, openai("invalid_api_key", "invalid_request_error")),
        ),
        (
            "GenerateImage",
            "Unauthorized",
            "images",
            Kind::Html { status: 403 },
        ),
        ("GenerateImage", "NoPicture", "images", Kind::Empty),
        ("StoreImage", "PictureUnusable", "images", Kind::CutOff),
        ("StoreImage", "PictureUnusable", "images", Kind::Mislabelled),
        (
            "PostTweet",
            "ServiceUnavailable",
            "upload",
            Kind::ResetBefore,
        ),
        (
            "PostTweet",
            "Unauthorized",
            "upload",
            status(401, x("Unauthorized", "about:blank")),
        ),
        (
            "PostTweet",
            "OutOfCredit",
            "create-tweet",
            status(
                402,
                x("CreditsDepleted", "https://api.x.com/2/problems/credits"),
            ),
        ),
        (
            "PostTweet",
            "RateLimited",
            "create-tweet",
            status(
                429,
                json!({"errors": [{"code": 88, "message": "Rate limit exceeded"}]}),
            ),
        ),
        (
            "PostTweet",
            "Unauthorized",
            "create-tweet",
            status(
                403,
                x(
                    "Forbidden",
                    "https://api.x.com/2/problems/oauth1-permissions",
                ),
            ),
        ),
        (
            "PostTweet",
            "TweetRejected",
            "create-tweet",
            status(
                400,
                x(
                    "Invalid Request",
                    "https://api.x.com/2/problems/invalid-request",
                ),
            ),
        ),
        (
            "PostTweet",
            "Unconfirmed",
            "create-tweet",
            Kind::Html { status: 503 },
        ),
    ] {
        if operation == "images" {
            fixture.openai.fail(Fault::always(operation, kind.clone()));
        } else {
            fixture.x.fail(Fault::always(operation, kind.clone()));
        }
        let day = date.to_string();
        let ended = fixture.run_date(&day).await;
        assert_eq!(ended.status, "FAILED", "{kind:?}: {ended:?}");
        assert_eq!(last_state(&ended).0, state, "{kind:?}");
        assert_eq!(
            ended.error.as_deref(),
            Some(error),
            "{kind:?}: {:?}",
            ended.cause
        );
        let record = fixture.failed_record(&day).await;
        let failure = record.failure.unwrap();
        assert_eq!(failure.state.as_deref(), Some(state), "{kind:?}");
        assert_eq!(failure.error.as_deref(), Some(error));
        assert_eq!(record.outcome, None);
        assert!(fixture.x.tweets().is_empty(), "{kind:?}");
        fixture.openai.clear_faults();
        fixture.x.clear_faults();
        date = date.tomorrow().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_prompt_is_asked_more_softly_twice_and_then_the_run_ends_as_refused() {
    let fixture = Fixture::new().await;
    let blocked = status(
        400,
        json!({"error": {"message": "Rejected by the safety system.", "type": "image_generation_user_error", "param": null, "code": "moderation_blocked"}}),
    );
    for _ in 0..2 {
        fixture.openai.fail(Fault::once("images", blocked.clone()));
    }
    let ended = fixture.run_date("2026-10-30").await;
    assert_eq!(ended.output["record"]["outcome"], "posted", "{ended:?}");
    let prompts: Vec<Value> = fixture
        .openai
        .requests()
        .iter()
        .map(|r| r["prompt"].clone())
        .collect();
    assert_eq!(prompts.len(), 3);
    assert!(prompts[0] != prompts[1] && prompts[1] != prompts[2]);

    fixture.openai.fail(Fault::always("images", blocked));
    let ended = fixture.run_date("2026-10-29").await;
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    assert_eq!(ended.output["record"]["outcome"], "refused");
    assert!(
        ended.output["record"]["reason"]
            .as_str()
            .unwrap()
            .contains("safety system")
    );
    assert_eq!(fixture.openai.requests().len(), 6);
    assert_eq!(fixture.x.tweets().len(), 1);
    assert_eq!(
        fixture.record("2026-10-29").await.unwrap().outcome,
        Some(Outcome::Refused)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tweet_that_never_shows_ends_unconfirmed_and_is_not_sent_again() {
    let fixture = Fixture::new().await;
    fixture.x.fail(Fault::once(
        "create-tweet",
        Kind::Hidden { reads: u32::MAX },
    ));
    let ended = fixture.run_date("2026-10-30").await;
    assert_eq!(ended.status, "FAILED");
    assert_eq!(last_state(&ended).0, "PostTweet");
    assert_eq!(ended.error.as_deref(), Some("Unconfirmed"));
    assert_eq!(fixture.x.tweets().len(), 1);
    let record = fixture.failed_record("2026-10-30").await;
    assert_eq!(record.ledger, Ledger::Armed);
    assert_eq!(record.reconciliations, posts_table::MAX_RECONCILIATIONS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_is_too_large_for_x_is_posted_smaller() {
    let fixture = Fixture::new().await;
    fixture.openai.fail(Fault::once("images", Kind::Huge));
    // The noise is a PNG, so the bot asks for one.
    fixture
        .edit_bot(&[
            ("policy = \"required\"", "policy = \"off\""),
            ("format = \"jpeg\"", "format = \"png\""),
        ])
        .await;
    let ended = fixture.run_date("2026-10-30").await;
    assert_eq!(ended.output["record"]["outcome"], "posted", "{ended:?}");
    assert!(ended.output["image"]["bytes"].as_u64().unwrap() <= 5_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_and_bad_files_fail_in_pick_day_with_what_to_fix() {
    let fixture = Fixture::new().await;
    let long_ago = "2026-10-30T11:50:00Z";
    for (input, says) in [
        (
            json!({"bot": BOT, "slot": 1, "scheduledTime": "<aws.scheduler.scheduled-time>"}),
            "only EventBridge Scheduler",
        ),
        (
            json!({"bot": BOT, "slot": 1, "scheduledTime": "yesterday"}),
            "must be a time such as",
        ),
        (
            json!({"bot": BOT, "slot": 1}),
            "neither `scheduledTime` nor `date`",
        ),
        (
            json!({"bot": BOT, "slot": 1, "date": "2026-10-30", "scheduledTime": long_ago}),
            "both given",
        ),
        (
            json!({"bot": BOT, "slot": 0, "scheduledTime": long_ago}),
            "the first slot is 1",
        ),
        (
            json!({"bot": "no-such-bot", "slot": 1, "scheduledTime": long_ago}),
            "there is no bot",
        ),
        (
            json!({"bot": "../x", "slot": 1, "scheduledTime": long_ago}),
            "folder in bots/",
        ),
    ] {
        let ended = fixture.run(input.clone()).await;
        assert_eq!(ended.status, "FAILED", "{input}");
        assert_eq!(last_state(&ended), ("PickDay", 1), "{input}");
        assert_eq!(
            ended.error.as_deref(),
            Some("InvalidInput"),
            "{input}: {:?}",
            ended.cause
        );
        let cause = ended.cause.unwrap();
        assert!(cause.contains(says), "{input}: {cause}");
    }
    for (file, broken, says) in [
        ("bot.toml", "time_zone = \"Mars/Olympus\"\n", "bot.toml:1"),
        ("calendar.toml", "[[day]\n", "calendar.toml:1"),
    ] {
        let path = format!("{}/../bots/{BOT}/{file}", env!("CARGO_MANIFEST_DIR"));
        let whole = std::fs::read(path).unwrap();
        fixture
            .cloud
            .put_bot_file(BOT, file, broken.into())
            .await
            .unwrap();
        let ended = fixture.run_date("2026-10-30").await;
        assert_eq!(
            ended.error.as_deref(),
            Some("BotFilesInvalid"),
            "{:?}",
            ended.cause
        );
        assert!(
            ended.cause.as_deref().unwrap().contains(says),
            "{:?}",
            ended.cause
        );
        fixture.cloud.put_bot_file(BOT, file, whole).await.unwrap();
    }
    assert!(fixture.openai.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_and_malformed_secrets_and_a_missing_table_are_named() {
    let fixture = Fixture::new().await;
    let secret = |name: &str| format!("daily-post-local/{name}");
    let put = async |name: &str, value: &str| {
        fixture
            .cloud
            .secrets
            .put_secret_value()
            .secret_id(secret(name))
            .secret_string(value)
            .send()
            .await
            .unwrap();
    };
    put("openai", "{\"key\": \"sk-very-secret\"}").await;
    let ended = fixture.run_date("2026-10-26").await;
    assert_eq!(ended.error.as_deref(), Some("SecretUnusable"));
    let cause = ended.cause.unwrap();
    assert!(
        cause.contains("apiKey") && !cause.contains("sk-very-secret"),
        "{cause}"
    );
    put("openai", &json!({"apiKey": SECRETS[0]}).to_string()).await;

    put("spooky-days/x-credentials", "not JSON but secret").await;
    let ended = fixture.run_date("2026-10-27").await;
    assert_eq!(ended.error.as_deref(), Some("SecretUnusable"));
    assert_eq!(last_state(&ended).0, "PostTweet");
    let cause = ended.cause.unwrap();
    assert!(
        cause.contains("accessToken") && !cause.contains("but secret"),
        "{cause}"
    );

    fixture
        .cloud
        .secrets
        .delete_secret()
        .secret_id(secret("spooky-days/x-credentials"))
        .force_delete_without_recovery(true)
        .send()
        .await
        .unwrap();
    let ended = fixture.run_date("2026-10-28").await;
    assert_eq!(ended.error.as_deref(), Some("SecretUnusable"));

    fixture
        .cloud
        .dynamodb
        .delete_table()
        .table_name(local_cloud::TABLE)
        .send()
        .await
        .unwrap();
    let ended = fixture.run_date("2026-10-29").await;
    assert_eq!(last_state(&ended), ("PickDay", 1));
    assert_eq!(ended.error.as_deref(), Some("Unexpected"));
    assert!(ended.cause.unwrap().contains("ResourceNotFoundException"));
}
