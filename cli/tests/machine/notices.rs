//! Who is told of how runs end, by the whole machine.

use aws_sdk_lambda::primitives::Blob;
use fakes::{Fault, Kind};
use post::Outcome;
use serde_json::{Value, json};

use crate::fixture::{BOT, CommandLine, Fixture, SECRETS, commands};

const DATE: &str = "2026-10-30";
const POST: &str = "spooky-days/2026-10-30/1";

impl Fixture {
    /// One whose bot needs no approval, and tells of each post.
    async fn telling() -> Fixture {
        let fixture = Fixture::asking().await;
        fixture.edit_bot(&TELLING).await;
        fixture
    }

    /// Calls a function, and gives what it answers.
    async fn call(&self, function: &str, payload: Value) -> Value {
        let invoke = self.cloud.lambda.invoke();
        let answer = invoke
            .function_name(format!("daily-post-local-{function}"))
            .qualifier("live")
            .payload(Blob::new(payload.to_string()))
            .send()
            .await
            .unwrap();
        serde_json::from_slice(answer.payload.unwrap().as_ref()).unwrap()
    }

    /// Delivers the event of a failed execution, perhaps once more, and gives what was answered.
    pub async fn deliver(&self, execution: &str, change: Value) -> Value {
        let mut detail = json!({
            "executionArn": execution,
            "status": "FAILED",
            "input": json!({"bot": BOT, "slot": 1, "date": DATE}).to_string(),
            "error": "ServiceUnavailable",
            "redriveCount": 0,
            "stopDate": 1_793_361_600_000_i64,
        });
        for (field, value) in change.as_object().into_iter().flatten() {
            detail[field] = value.clone();
        }
        self.call("record-result", json!({"detail": detail})).await
    }
}

const TELLING: [(&str, &str); 2] = [
    ("policy = \"required\"", "policy = \"off\""),
    ("posted = false", "posted = true"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_mails_one_notice_whose_command_fixes_it_and_late_events_mail_nothing() {
    let fixture = Fixture::telling().await;
    let cli = CommandLine::new(&fixture);
    fixture
        .x
        .fail(Fault::always("upload", Kind::Html { status: 500 }));
    let ended = fixture.run_date(DATE).await;
    assert_eq!(ended.status, "FAILED", "{ended:?}");
    let notices = fixture.notices(1).await;
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert_eq!(notices[0].to, ["owner@example.org"]);
    let subject = "spooky-days/2026-10-30/1 failed in PostTweet: ";
    assert!(notices[0].subject.starts_with(subject), "{notices:?}");
    assert_eq!(commands(&notices[0]), [format!("redrive {POST}")]);

    fixture.x.clear_faults();
    let printed = cli.types(commands(&notices[0])[0], &[], &[]).await;
    assert!(printed.ok().contains("posted"));
    let notices = fixture.notices(2).await;
    let tweet = &fixture.x.tweets()[0].id;
    let text = &notices[1].body_text;
    assert!(text.contains(&format!("{POST} was posted.")), "{text}");
    assert!(
        text.contains(&format!("https://x.com/i/status/{tweet}\n")),
        "{text}"
    );

    // What comes late, twice, out of order, or of another execution changes nothing of it.
    let before = json!(fixture.record(DATE).await);
    let held = fixture.record(DATE).await.unwrap().execution;
    for (execution, redrives) in [
        (&ended.execution, 0),
        (&ended.execution, 1),
        (&held, 1),
        (&held, 0),
    ] {
        let change = json!({"redriveCount": redrives});
        let answer = fixture.deliver(execution, change).await;
        assert_eq!(answer["recorded"], false, "{answer}");
    }
    assert_eq!(json!(fixture.record(DATE).await), before);
    assert_eq!(fixture.notices(2).await.len(), 2);
    for mail in fixture.account.mails().await.unwrap() {
        for secret in SECRETS {
            assert!(!mail.body_text.contains(secret) && !mail.body_html.contains(secret));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_that_fails_leaves_the_post_alone_and_says_so() {
    let fixture = Fixture::telling().await;
    let cli = CommandLine::new(&fixture);
    let ended = fixture.run_date(DATE).await;
    assert_eq!(ended.output["record"]["outcome"], "posted", "{ended:?}");
    fixture.notices(1).await;
    let before = json!(fixture.record(DATE).await);
    let duplicate = format!("{}-2", ended.execution);
    for _ in 0..2 {
        let answer = fixture.deliver(&duplicate, json!({})).await;
        assert_eq!(answer["recorded"], false, "{answer}");
    }
    assert_eq!(json!(fixture.record(DATE).await), before);
    let notices = fixture.notices(2).await;
    assert_eq!(notices.len(), 2, "{notices:?}");
    assert_eq!(
        notices[1].subject,
        format!("A second execution for {POST} failed; the slot is unaffected")
    );
    assert_eq!(commands(&notices[1]), [format!("show {POST}")]);
    let printed = cli.types(commands(&notices[1])[0], &[], &[]).await;
    assert!(printed.ok().contains(&ended.execution));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_an_unconfirmed_post_end_it_with_one_tweet() {
    let fixture = Fixture::telling().await;
    let cli = CommandLine::new(&fixture);
    // It is on X, and is not to be found.
    let hidden = Kind::Hidden { reads: u32::MAX };
    fixture.x.fail(Fault::once("create-tweet", hidden));
    let ended = fixture.run_date(DATE).await;
    assert_eq!(ended.error.as_deref(), Some("Unconfirmed"), "{ended:?}");
    let notices = fixture.notices(1).await;
    assert_eq!(notices.len(), 1, "{notices:?}");
    let text = &notices[0].body_text;
    assert!(text.contains("it may or may not be on X"), "{text}");
    let tweet = fixture.x.tweets()[0].id.clone();
    let [attach, redrive, again] = commands(&notices[0])[..] else {
        panic!("{text}");
    };
    assert_eq!(again, format!("redrive {POST} --post-again --reason …"));
    let address = format!("https://x.com/i/status/{tweet}");
    for command in [attach, redrive] {
        let open = [("<address of the tweet>", address.as_str())];
        cli.types(command, &open, &[]).await.ok();
    }
    let record = fixture.record(DATE).await.unwrap();
    assert_eq!(record.outcome, Some(Outcome::Posted));
    assert_eq!(fixture.x.tweets().len(), 1);
    let notices = fixture.notices(2).await;
    assert!(notices[1].body_text.contains(&tweet), "{notices:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_before_its_claim_is_told_with_its_execution_and_to_whom_there_is() {
    let fixture = Fixture::telling().await;
    let cli = CommandLine::new(&fixture);
    let cloud = &fixture.cloud;
    let broken = b"broken".to_vec();
    cloud.put_bot_file(BOT, "bot.toml", broken).await.unwrap();
    let ended = fixture.run_date(DATE).await;
    assert_eq!(ended.error.as_deref(), Some("BotFilesInvalid"));
    let notices = fixture.notices(1).await;
    assert_eq!(notices[0].to, ["alerts@example.org"]);
    let text = &notices[0].body_text;
    assert!(
        text.contains("spooky-days/bot.toml cannot be read"),
        "{text}"
    );
    assert_eq!(
        commands(&notices[0]),
        [format!("redrive {}", ended.execution)]
    );
    fixture.edit_bot(&TELLING).await;
    let printed = cli.types(commands(&notices[0])[0], &[], &[]).await;
    assert!(printed.ok().contains("posted"));
    assert_eq!(fixture.notices(2).await[1].to, ["owner@example.org"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deployed_canaries_see_what_a_run_would_meet() {
    let fixture = Fixture::asking().await;
    let ask = async || {
        let answer = fixture.call("watchdog", json!({"canaries": true})).await;
        let text = answer.to_string();
        assert!(
            SECRETS.iter().all(|secret| !text.contains(secret)),
            "{text}"
        );
        answer["checks"].as_array().unwrap().clone()
    };
    let checks = ask().await;
    assert_eq!(checks.len(), 7, "{checks:?}");
    assert!(
        checks.iter().all(|check| check["verdict"] == "ok"),
        "{checks:?}"
    );
    let put = fixture.cloud.secrets.put_secret_value();
    put.secret_id("daily-post-local/openai")
        .secret_string(r#"{"apiKey": "another"}"#)
        .send()
        .await
        .unwrap();
    fixture
        .edit_bot(&[("lead = \"2h\"", "lead = \"9h\"")])
        .await;
    let mut checks = ask().await;
    checks.retain(|check| check["verdict"] != "ok");
    let names: Vec<&str> = checks
        .iter()
        .map(|check| check["what"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["files of spooky-days", "OpenAI key"], "{checks:?}");
    assert!(fixture.openai.requests().is_empty() && fixture.x.tweets().is_empty());
    assert!(fixture.account.mails().await.unwrap().is_empty());
}
