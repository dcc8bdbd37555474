//! The operator's commands, with the real `spooky`.

use aws_sdk_dynamodb::types::AttributeValue;
use deployment::{ad_hoc, scheduled};
use fakes::{Fault, Kind};
use jiff::{SignedDuration, Timestamp};
use local_cloud::TABLE;
use post::Outcome;
use posts_table::{Decision, Failure, Ledger, Verdict};
use serde_json::{Value, json};

use crate::{
    approval::{Page, Waiting, link},
    fixture::{BOT, CommandLine, Fixture, SECRETS, post, until},
};

const DATE: &str = "2026-10-30";

pub fn name(date: &str) -> String {
    format!("{BOT}/{date}/1")
}

impl Fixture {
    /// Takes a function's alias away, and gives what brings it back.
    pub async fn unplug(&self, function: &str) -> String {
        let name = format!("daily-post-local-{function}");
        let lambda = &self.cloud.lambda;
        let alias = lambda.get_alias().function_name(&name).name("live");
        let version = alias.send().await.unwrap().function_version.unwrap();
        let request = lambda.delete_alias().function_name(&name).name("live");
        request.send().await.unwrap();
        version
    }

    async fn plug_in(&self, function: &str, version: &str) {
        let request = self.cloud.lambda.create_alias();
        request
            .function_name(format!("daily-post-local-{function}"))
            .name("live")
            .function_version(version)
            .send()
            .await
            .unwrap();
    }

    async fn put_secret(&self, name: &str, value: &str) {
        let request = self.cloud.secrets.put_secret_value();
        request
            .secret_id(format!("daily-post-local/{name}"))
            .secret_string(value)
            .send()
            .await
            .unwrap();
    }

    async fn audit(&self, date: &str) -> Vec<(String, Value)> {
        let lines = self.cloud.table.audit_trail(&post(date, 1)).await.unwrap();
        lines
            .into_iter()
            .map(|line| (line.what.to_string(), line.details))
            .collect()
    }

    /// The audit line of this name.
    pub async fn audited(&self, date: &str, what: &str) -> Value {
        let lines = self.audit(date).await;
        let line = lines.iter().find(|(name, _)| name == what);
        line.unwrap_or_else(|| panic!("no {what} in {lines:?}"))
            .1
            .clone()
    }

    fn creates(&self) -> usize {
        let requests = self.x.requests();
        requests
            .iter()
            .filter(|(operation, _)| operation == "create-tweet")
            .count()
    }

    /// A run whose tweet was sent, and is hidden or not there.
    async fn unconfirmed(&self, kind: Kind) {
        self.x.fail(Fault::once("create-tweet", kind));
        let ended = self.run_date(DATE).await;
        assert_eq!(ended.error.as_deref(), Some("Unconfirmed"), "{ended:?}");
        self.failed_record(DATE).await;
    }

    /// Moves the end of the pause into the past.
    async fn end_pause(&self) {
        let request = self.cloud.dynamodb.update_item().table_name(TABLE);
        request
            .key("pk", AttributeValue::S(format!("{BOT}#settings")))
            .key("sk", AttributeValue::S("switch".to_owned()))
            .update_expression("SET pausedUntil = :past")
            .condition_expression("attribute_exists(pausedUntil)")
            .expression_attribute_values(":past", AttributeValue::N("1".to_owned()))
            .send()
            .await
            .unwrap();
    }

    /// Sets attributes of a slot's item.
    pub async fn set(&self, date: &str, changes: &[(&str, AttributeValue)]) {
        let post = post(date, 1);
        for (name, value) in changes {
            let request = self.cloud.dynamodb.update_item().table_name(TABLE);
            request
                .key("pk", AttributeValue::S(post.partition_key()))
                .key("sk", AttributeValue::S(post.sort_key()))
                .update_expression("SET #name = :value")
                .expression_attribute_names("#name", *name)
                .expression_attribute_values(":value", value.clone())
                .send()
                .await
                .unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_failed_in_any_state_is_redriven_to_one_post() {
    let fixture = Fixture::new().await;
    let cli = CommandLine::new(&fixture);
    let html = Kind::Html { status: 500 };
    let mut dates = (15..).map(|day| format!("2026-12-{day}"));
    let mut posted = 0;
    for (state, fault) in [
        ("PickDay", "bot.toml"),
        ("BuildPrompt", "unplugged build-prompt"),
        ("GenerateImage", "openai images"),
        ("GenerateImage", "secret openai"),
        ("StoreImage", "unplugged store-image"),
        ("PostTweet", "x upload"),
        ("PostTweet", "x create-tweet refused"),
        ("PostTweet", "secret spooky-days/x-credentials"),
        ("RecordResult", "unplugged record-result"),
    ] {
        let date = dates.next().unwrap();
        let mut version = String::new();
        match fault.split(' ').collect::<Vec<_>>()[..] {
            ["bot.toml"] => {
                let cloud = &fixture.cloud;
                cloud
                    .put_bot_file(BOT, "bot.toml", b"broken".to_vec())
                    .await
                    .unwrap();
            }
            ["unplugged", function] => version = fixture.unplug(function).await,
            ["openai", operation] => fixture.openai.fail(Fault::always(operation, html.clone())),
            ["x", operation] => fixture.x.fail(Fault::always(operation, html.clone())),
            ["x", operation, _] => fixture.x.fail(Fault::always(
                operation,
                Kind::Status {
                    status: 401,
                    body: json!({"title": "Unauthorized", "status": 401}),
                },
            )),
            ["secret", secret] => fixture.put_secret(secret, "{}").await,
            _ => unreachable!(),
        }
        let ended = fixture.run_date(&date).await;
        assert_eq!(ended.status, "FAILED", "{fault}: {ended:?}");
        assert_eq!(ended.states.last().unwrap().name, state, "{fault}");
        // Without its claim, only the execution says what is to be redriven.
        let what = match state {
            "PickDay" => ended.execution.clone(),
            _ => name(&date),
        };
        if state != "PickDay" && state != "RecordResult" {
            fixture.failed_record(&date).await;
        }
        // While the fault is there, it fails there again, or is not tried where that is plain to see.
        let printed = cli.spooky(&["redrive", &what]).await.refused();
        let (says, redrives) = match fault {
            "bot.toml" => ("fix the line `broken`".to_owned(), 1),
            _ => (format!("failed again, in {state}"), 2),
        };
        assert!(printed.contains(&says), "{printed}");

        fixture.openai.clear_faults();
        fixture.x.clear_faults();
        fixture
            .edit_bot(&[("policy = \"required\"", "policy = \"off\"")])
            .await;
        if let Some(function) = fault.strip_prefix("unplugged ") {
            fixture.plug_in(function, &version).await;
        }
        let [openai_key, x_key_secret, x_token_secret, _] = SECRETS;
        fixture
            .put_secret("openai", &json!({"apiKey": openai_key}).to_string())
            .await;
        let keys = json!({"apiKey": "key", "apiKeySecret": x_key_secret, "accessToken": "42-token", "accessTokenSecret": x_token_secret});
        fixture
            .put_secret("spooky-days/x-credentials", &keys.to_string())
            .await;

        let printed = cli.spooky(&["redrive", &what, "--json"]).await.json();
        assert_eq!(
            printed["run"]["output"]["record"]["outcome"], "posted",
            "{fault}: {printed}"
        );
        assert_eq!(printed["plan"]["state"], state);
        posted += 1;
        assert_eq!(fixture.x.tweets().len(), posted, "{fault}");
        let record = fixture.record(&date).await.unwrap();
        assert_eq!(record.outcome, Some(Outcome::Posted), "{fault}");
        let shown = cli
            .spooky(&["show", &ended.execution, "--json"])
            .await
            .json();
        assert_eq!(shown["status"], "SUCCEEDED", "{fault}");
        assert_eq!(shown["redrives"], redrives);
        assert_eq!(shown["continuedAs"].as_array().unwrap().len(), redrives);
        let runs = cli.spooky(&["runs", "--json"]).await.json();
        assert_eq!(runs.as_array().unwrap().len(), posted, "{runs}");
        assert_eq!(runs[0]["redrives"], redrives);
        let refused = cli.spooky(&["redrive", &what]).await.refused();
        assert!(
            refused.contains("is posted: https://x.com/i/status/"),
            "{refused}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_says_what_it_will_do_and_who_did_it_is_on_record() {
    let fixture = Fixture::new().await;
    let cli = CommandLine::new(&fixture);
    fixture
        .x
        .fail(Fault::always("upload", Kind::Html { status: 500 }));
    fixture.run_date(DATE).await;
    fixture.failed_record(DATE).await;
    fixture.x.clear_faults();
    let arguments = ["redrive", &name(DATE), "--by", "Ada", "--reason", "X is up"];
    let printed = cli.spooky(&arguments).await;
    for part in [
        "failed in PostTweet: ServiceUnavailable",
        "PostTweet, and the states after it",
        "Tweet:        was not sent",
        "May cost:     $0.02",
        "is not too late",
        "continued as arn:",
    ] {
        assert!(printed.err.contains(part), "{part}: {}", printed.err);
    }
    assert!(printed.ok().contains("posted"));
    let line = fixture.audited(DATE, "continued").await;
    assert_eq!(
        (&line["by"], &line["reason"]),
        (&json!("Ada"), &json!("X is up"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_redrives_at_once_are_one() {
    let fixture = Fixture::new().await;
    let cli = CommandLine::new(&fixture);
    fixture
        .x
        .fail(Fault::always("upload", Kind::Html { status: 500 }));
    fixture.run_date(DATE).await;
    fixture.failed_record(DATE).await;
    fixture.x.clear_faults();
    let name = name(DATE);
    let arguments = ["redrive", &name];
    let redrive = || cli.spooky(&arguments);
    let (a, b, c) = tokio::join!(redrive(), redrive(), redrive());
    let done = [&a, &b, &c].iter().filter(|s| s.code == Some(0)).count();
    assert_eq!(done, 1, "{a:?} {b:?} {c:?}");
    assert_eq!(fixture.x.tweets().len(), 1);
    assert_eq!(
        fixture.record(DATE).await.unwrap().outcome,
        Some(Outcome::Posted)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_that_fails_again_is_the_failure_on_record() {
    let fixture = Fixture::new().await;
    let cli = CommandLine::new(&fixture);
    fixture
        .openai
        .fail(Fault::always("images", Kind::Html { status: 500 }));
    assert_eq!(fixture.run_date(DATE).await.status, "FAILED");
    let first = fixture.failed_record(DATE).await;
    cli.spooky(&["redrive", &name(DATE)]).await.refused();
    let second = until("the second failure", async || {
        let record = fixture.record(DATE).await?;
        (record.failure != first.failure).then_some(record)
    })
    .await;
    assert_ne!(second.execution, first.execution);
    let failure = second.failure.unwrap();
    assert_eq!(failure.state.as_deref(), Some("GenerateImage"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_that_was_killed_before_it_could_start_is_redriven() {
    let fixture = Fixture::new().await;
    let cli = CommandLine::new(&fixture);
    fixture
        .x
        .fail(Fault::always("upload", Kind::Html { status: 500 }));
    let ended = fixture.run_date(DATE).await;
    fixture.failed_record(DATE).await;
    fixture.x.clear_faults();
    // The claim is handed over, and nothing is started.
    let to = format!(
        "{}-redrive-1",
        ended.execution.replace("local:", "local-from-PostTweet:")
    );
    fixture
        .set(DATE, &[("execution", AttributeValue::S(to.clone()))])
        .await;
    cli.spooky(&["redrive", &name(DATE)]).await.ok();
    assert_eq!(fixture.record(DATE).await.unwrap().execution, to);
    assert_eq!(fixture.x.tweets().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_failure_event_after_a_redrive_that_posted_leaves_the_record_right() {
    let fixture = Fixture::new().await;
    let cli = CommandLine::new(&fixture);
    fixture
        .x
        .fail(Fault::always("upload", Kind::Html { status: 500 }));
    let ended = fixture.run_date(DATE).await;
    let failure: Failure = fixture.failed_record(DATE).await.failure.unwrap();
    fixture.x.clear_faults();
    cli.spooky(&["redrive", &name(DATE)]).await.ok();
    let before = json!(fixture.record(DATE).await);
    let event = json!({"detail": {
        "executionArn": ended.execution,
        "status": "FAILED",
        "input": ad_hoc(BOT, DATE.parse().unwrap(), 1).to_string(),
        "error": failure.error,
        "stopDate": Timestamp::now().as_millisecond(),
    }});
    let told = fixture
        .cloud
        .lambda
        .invoke()
        .function_name("daily-post-local-record-result")
        .qualifier("live")
        .payload(event.to_string().into_bytes().into())
        .send()
        .await
        .unwrap();
    let told: Value = serde_json::from_slice(told.payload.unwrap().as_ref()).unwrap();
    assert_eq!(told["recorded"], false, "{told}");
    assert_eq!(json!(fixture.record(DATE).await), before);
    assert_eq!(before["outcome"], "posted");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unconfirmed_tweet_that_is_there_is_attached_and_the_run_ends_posted() {
    let fixture = Fixture::new().await;
    let cli = CommandLine::new(&fixture);
    let hidden = Kind::Hidden { reads: u32::MAX };
    fixture.unconfirmed(hidden).await;
    let name = name(DATE);
    let printed = cli.spooky(&["redrive", &name]).await.refused();
    assert!(
        printed.contains("spooky attach") && printed.contains("--post-again"),
        "{printed}"
    );
    let printed = cli.spooky(&["status", "--json"]).await.json();
    assert_eq!(printed["armed"][0]["post"], name.as_str());
    assert_eq!(
        printed["armed"][0]["looks"],
        posts_table::MAX_RECONCILIATIONS
    );

    let id = fixture.x.tweets()[0].id.clone();
    let url = format!("https://x.com/spooky_days/status/{id}");
    cli.spooky(&["attach", &name, &url, "--by", "Ada"])
        .await
        .ok();
    let record = fixture.record(DATE).await.unwrap();
    assert_eq!(record.ledger, Ledger::Posted);
    assert_eq!(record.tweet_id.as_ref(), Some(&id));
    let line = fixture.audited(DATE, "attached").await;
    assert_eq!((&line["by"], &line["tweetId"]), (&json!("Ada"), &json!(id)));
    // Once is enough.
    let printed = cli.spooky(&["attach", &name, "1"]).await.refused();
    assert!(printed.contains(&id), "{printed}");
    let printed = cli.spooky(&["status", "--json"]).await.json();
    assert_eq!(printed["armed"], json!([]));

    assert!(
        cli.spooky(&["redrive", &name])
            .await
            .ok()
            .contains("posted")
    );
    assert_eq!(
        fixture.record(DATE).await.unwrap().outcome,
        Some(Outcome::Posted)
    );
    assert_eq!((fixture.x.tweets().len(), fixture.creates()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unconfirmed_tweet_that_is_not_there_is_sent_exactly_once_more_after_a_confirmation() {
    let fixture = Fixture::new().await;
    let cli = CommandLine::new(&fixture);
    fixture.unconfirmed(Kind::Html { status: 503 }).await;
    let name = name(DATE);
    let mut arguments = vec!["redrive", &name, "--post-again"];
    let printed = cli.spooky(&arguments).await.refused();
    assert!(printed.contains("--reason"), "{printed}");
    arguments.extend(["--reason", "not on the account"]);
    for typed in ["", "yes\n", "spooky-days/2026-10-31/1\n"] {
        let printed = cli.typing(&arguments, typed).await.refused();
        assert!(printed.contains("not confirmed"), "{printed}");
    }
    assert_eq!(fixture.record(DATE).await.unwrap().ledger, Ledger::Armed);
    let before = fixture.creates();
    cli.typing(&arguments, &format!("{name}\n")).await.ok();
    assert_eq!(fixture.creates(), before + 1);
    assert_eq!(fixture.x.tweets().len(), 1);
    assert_eq!(
        fixture.record(DATE).await.unwrap().outcome,
        Some(Outcome::Posted)
    );
    let line = fixture.audited(DATE, "post-again").await;
    assert_eq!(
        (&line["by"], &line["reason"]),
        (&json!("operator"), &json!("not on the account"))
    );
    arguments.push("--yes");
    let printed = cli.spooky(&arguments).await.refused();
    assert!(printed.contains("is posted"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tweet_that_is_there_after_all_is_not_there_twice_and_is_attached() {
    let fixture = Fixture::new().await;
    let cli = CommandLine::new(&fixture);
    fixture.unconfirmed(Kind::Hidden { reads: u32::MAX }).await;
    let name = name(DATE);
    let arguments = [
        "redrive",
        &name,
        "--post-again",
        "--yes",
        "--reason",
        "gone",
    ];
    let printed = cli.spooky(&arguments).await.refused();
    assert!(printed.contains("DuplicateTweet"), "{printed}");
    let printed = cli.spooky(&["redrive", &name]).await.refused();
    assert!(printed.contains("spooky attach"), "{printed}");
    let id = fixture.x.tweets()[0].id.clone();
    cli.spooky(&["attach", &name, &id]).await.ok();
    cli.spooky(&["redrive", &name]).await.ok();
    assert_eq!(fixture.x.tweets().len(), 1);
    assert_eq!(
        fixture.record(DATE).await.unwrap().outcome,
        Some(Outcome::Posted)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_without_a_post_is_run_again_with_a_new_approval() {
    for (verdict, ended_as) in [("reject", "rejected"), ("expire", "expired")] {
        let waiting = Waiting::new(&[]).await;
        let fixture = &waiting.fixture;
        let cli = CommandLine::new(fixture);
        let name = name(DATE);
        let arguments = ["run", "--again", &name, "--reason", "we want it", "--json"];
        let printed = cli.spooky(&arguments).await.refused();
        assert!(printed.contains("is running"), "{printed}");
        match verdict {
            "reject" => {
                let fields = [("answer", "reject"), ("reason", "no")];
                assert_eq!(waiting.answer(0, &fields).await.status(), 303);
            }
            _ => {
                waiting.set(1, "closesAt", -1).await;
                fixture.cloud.run_watchdog().await.unwrap();
            }
        }
        let ended = waiting.ends().await;
        assert_eq!(ended.output["record"]["outcome"], ended_as, "{ended:?}");
        let printed = cli.spooky(&["redrive", &name]).await.refused();
        assert!(
            printed.contains(ended_as) && printed.contains("run --again"),
            "{printed}"
        );

        let again = async { cli.spooky(&arguments).await.json() };
        let approve = async {
            // The old decision does not count: it waits for another.
            let asked = until("the new approval", async || {
                let approval = waiting.approval(1).await?;
                (approval.decision.is_none() && approval.task_token.is_some()).then_some(approval)
            })
            .await;
            let printed = cli.spooky(&["approve", &name]).await.ok();
            assert!(printed.contains("approved by operator"), "{printed}");
            asked
        };
        let (again, asked) = tokio::join!(again, approve);
        assert_eq!(again["output"]["record"]["outcome"], "posted", "{again}");
        assert_eq!(fixture.x.tweets()[0].text, asked.caption);
        // The picture was paid once.
        assert_eq!(fixture.openai.requests().len(), 1);
        let record = fixture.record(DATE).await.unwrap();
        assert_eq!(record.outcome, Some(Outcome::Posted));
        assert_eq!(record.execution, again["execution"]);
        let line = fixture.audited(DATE, "taken-over").await;
        assert_eq!(line["record"]["outcome"], ended_as);
        assert_eq!(line["approvals"][0]["decision"]["verdict"], ended_as);
        assert_eq!(
            (&line["by"], &line["reason"]),
            (&json!("operator"), &json!("we want it"))
        );
        let printed = cli.spooky(&arguments).await.refused();
        assert!(printed.contains("is posted"), "{printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_skipped_or_failed_is_run_again_and_what_may_be_on_x_is_not() {
    let fixture = Fixture::new().await;
    let cli = CommandLine::new(&fixture);
    let again = async |date: &str| {
        cli.spooky(&[
            "run",
            "--again",
            &name(date),
            "--reason",
            "better late",
            "--json",
        ])
        .await
    };
    // Skipped as too late; the run by hand cannot be late.
    let input = scheduled(BOT, 1, "2026-10-30T12:00:00Z".parse().unwrap());
    let ended = fixture.run(input).await;
    assert_eq!(ended.output["record"]["outcome"], "skipped", "{ended:?}");
    assert_eq!(
        again(DATE).await.json()["output"]["record"]["outcome"],
        "posted"
    );
    assert!(again(DATE).await.refused().contains("is posted"));

    // A picture that cannot be used is painted again.
    fixture.openai.fail(Fault::once("images", Kind::CutOff));
    let ended = fixture.run_date("2026-12-24").await;
    assert_eq!(ended.error.as_deref(), Some("PictureUnusable"));
    let printed = cli
        .spooky(&["redrive", &name("2026-12-24")])
        .await
        .refused();
    assert!(printed.contains("would find the same"), "{printed}");
    assert_eq!(
        again("2026-12-24").await.json()["output"]["record"]["outcome"],
        "posted"
    );

    // A take-over that was killed before it could start.
    fixture.openai.fail(Fault::always("images", Kind::Empty));
    fixture.run_date("2026-12-22").await;
    let record = fixture.failed_record("2026-12-22").await;
    let operator = posts_table::Operator {
        by: "killed".to_owned(),
        reason: None,
    };
    let to = record.execution.replace("local:", "local:never-started-");
    let table = &fixture.cloud.table;
    table
        .take_over(
            &post("2026-12-22", 1),
            &record,
            &[],
            &to,
            &operator,
            Timestamp::now(),
        )
        .await
        .unwrap();
    let printed = cli
        .spooky(&["redrive", &name("2026-12-22")])
        .await
        .refused();
    assert!(
        printed.contains("never started") && printed.contains("run --again"),
        "{printed}"
    );
    // A start by the schedule in between is a duplicate.
    let ended = fixture.run_date("2026-12-22").await;
    assert_eq!(ended.output["record"]["outcome"], "duplicate", "{ended:?}");
    fixture.openai.clear_faults();
    assert_eq!(
        again("2026-12-22").await.json()["output"]["record"]["outcome"],
        "posted"
    );

    fixture
        .x
        .fail(Fault::once("create-tweet", Kind::Html { status: 503 }));
    fixture.run_date("2026-12-23").await;
    fixture.failed_record("2026-12-23").await;
    let printed = again("2026-12-23").await.refused();
    assert!(printed.contains("may or may not be on X"), "{printed}");
    assert!(again("2026-12-01").await.refused().contains("has no run"));
    assert_eq!(fixture.x.tweets().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_stops_what_waits_for_its_approver_or_its_slot() {
    // Decided by the policy while it is paused; no one else can.
    let waiting = Waiting::new(&[("on_timeout = \"skip\"", "on_timeout = \"post\"")]).await;
    let cli = CommandLine::new(&waiting.fixture);
    let paused = cli
        .spooky(&["pause", "--reason", "a storm", "--by", "Ada", "--json"])
        .await
        .json();
    assert_eq!(paused["paused"]["by"], "Ada");
    let mails = waiting.fixture.mails(1).await;
    let page = Page::open(&link(&mails[0].body_text)).await;
    assert!(page.html.contains("paused: a storm") && !page.html.contains("<form"));
    let printed = cli.spooky(&["approve", &name(DATE)]).await.refused();
    assert!(printed.contains("paused: a storm"), "{printed}");
    waiting.set(1, "closesAt", -1).await;
    waiting.fixture.cloud.run_watchdog().await.unwrap();
    let ended = waiting.ends().await;
    assert_eq!(ended.output["record"]["outcome"], "skipped", "{ended:?}");
    assert_eq!(ended.output["record"]["reason"], "paused: a storm");

    // Approved, and paused before its slot.
    let waiting = Waiting::new(&[]).await;
    let cli = CommandLine::new(&waiting.fixture);
    let approval = waiting.approval(1).await.unwrap();
    let decision = Decision {
        by: "owner@example.org".to_owned(),
        at: Timestamp::now(),
        verdict: Verdict::Approved {
            caption: approval.caption,
            alt_text: approval.alt_text,
            hash: approval.presented_hash.clone(),
        },
    };
    let table = &waiting.fixture.cloud.table;
    table
        .decide(&post(DATE, 1), 1, &approval.presented_hash, &decision)
        .await
        .unwrap();
    cli.spooky(&["pause", "--reason", "a storm"]).await.ok();
    waiting.fixture.cloud.run_watchdog().await.unwrap();
    let ended = waiting.ends().await;
    assert_eq!(
        ended.output["record"]["reason"], "paused: a storm",
        "{ended:?}"
    );
    assert_eq!(waiting.fixture.creates(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_is_told_lifted_and_lifts_itself() {
    let fixture = Fixture::new().await;
    let cli = CommandLine::new(&fixture);
    assert_eq!(
        cli.spooky(&["status"]).await.ok(),
        "spooky-days is not paused"
    );
    let printed = cli.spooky(&["resume"]).await.refused();
    assert!(printed.contains("is not paused"), "{printed}");

    fixture.unconfirmed(Kind::Html { status: 503 }).await;
    let until = Timestamp::now()
        .checked_add(SignedDuration::from_hours(1))
        .unwrap();
    let printed = cli
        .spooky(&[
            "pause",
            "--until",
            &until.to_string(),
            "--reason",
            "a storm",
        ])
        .await
        .ok();
    assert!(printed.contains("by operator: a storm"), "{printed}");
    // What may be on X already is told at once.
    assert!(
        printed.contains(&format!("{} may or may not be on X", name(DATE))),
        "{printed}"
    );
    let ended = fixture.run_date("2026-12-24").await;
    assert_eq!(
        ended.output["record"]["reason"], "paused: a storm",
        "{ended:?}"
    );
    fixture.end_pause().await;
    let status = cli.spooky(&["status", "--json"]).await.json();
    assert!(status["paused"].is_null(), "{status}");
    let ended = fixture.run_date("2026-12-23").await;
    assert_eq!(ended.output["record"]["outcome"], "posted", "{ended:?}");

    // A failed run is not redriven into a skip.
    fixture
        .x
        .fail(Fault::always("upload", Kind::Html { status: 500 }));
    fixture.run_date("2026-12-22").await;
    fixture.failed_record("2026-12-22").await;
    fixture.x.clear_faults();
    cli.spooky(&["pause", "--reason", "another storm"])
        .await
        .ok();
    let printed = cli
        .spooky(&["redrive", &name("2026-12-22")])
        .await
        .refused();
    assert!(
        printed.contains("another storm") && printed.contains("spooky resume"),
        "{printed}"
    );
    cli.spooky(&["resume", "--by", "Ada"]).await.ok();
    cli.spooky(&["redrive", &name("2026-12-22")]).await.ok();
    let trail = fixture.cloud.table.settings_trail(BOT).await.unwrap();
    let told: Vec<(String, Value)> = trail
        .into_iter()
        .map(|line| (line.what.to_string(), line.details["by"].clone()))
        .collect();
    let line = |what: &str, by: &str| (what.to_owned(), json!(by));
    assert_eq!(
        told,
        [
            line("paused", "operator"),
            line("paused", "operator"),
            line("resumed", "Ada")
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_post_is_redriven_only_after_an_operator_allowed_it() {
    let fixture = Fixture::new().await;
    let cli = CommandLine::new(&fixture);
    fixture
        .x
        .fail(Fault::always("upload", Kind::Html { status: 500 }));
    fixture
        .run(scheduled(BOT, 1, "2026-10-30T12:00:00Z".parse().unwrap()))
        .await;
    fixture.failed_record(DATE).await;
    fixture.x.clear_faults();
    let name = name(DATE);
    let printed = cli.spooky(&["redrive", &name]).await.refused();
    assert!(printed.contains("spooky allow-late"), "{printed}");
    cli.spooky(&["allow-late", &name, "--reason", "a good one"])
        .await
        .ok();
    let line = fixture.audited(DATE, "late-allowed").await;
    assert_eq!(
        (&line["by"], &line["reason"]),
        (&json!("operator"), &json!("a good one"))
    );
    assert!(
        cli.spooky(&["redrive", &name])
            .await
            .ok()
            .contains("posted")
    );
    let printed = cli.spooky(&["allow-late", &name, "--reason", "x"]).await;
    assert!(printed.refused().contains("is posted"));
}
