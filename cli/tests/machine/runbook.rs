//! The runbook: each notice comes, and its commands are typed as they stand in it. `failed` and `unconfirmed` are
//! those of the fault matrix, which types theirs for each error.

use deployment::{ad_hoc, scheduled};
use fakes::{Fault, Kind};
use jiff::{Timestamp, tz::TimeZone};
use local_cloud::Mail;
use serde_json::json;

use crate::{
    approval::Waiting,
    fixture::{BOT, CommandLine, Fixture, commands, post, until},
    operate::name,
};

fn run_again(date: &str) -> String {
    format!("run --again {} --reason …", name(date))
}

impl Fixture {
    /// The notice of this number, which is of this kind.
    async fn told(&self, number: usize, kind: &str) -> Mail {
        let mail = self.notices(number).await.remove(number - 1);
        let footer = format!("This is a \"{kind}\" notification. See docs/runbook.md#{kind}.");
        assert!(mail.body_text.contains(&footer), "{}", mail.body_text);
        mail
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_without_a_post_is_posted_by_the_commands_of_its_notice() {
    const OFF: (&str, &str) = ("policy = \"required\"", "policy = \"off\"");
    let fixture = Fixture::new().await;
    let cli = CommandLine::new(&fixture);

    let small = ("per_day_usd = 1.00", "per_day_usd = 0.01");
    fixture.edit_bot(&[OFF, small]).await;
    let ended = fixture.run_date("2026-10-30").await;
    assert_eq!(ended.output["record"]["outcome"], "skipped", "{ended:?}");
    let mail = fixture.told(1, "over-budget").await;
    let costs = cli.spooky(&["costs", "--json"]).await.json();
    assert_eq!(costs["perDayUsd"], 0.01, "{costs}");
    fixture.edit_bot(&[OFF]).await;
    let [again] = commands(&mail)[..] else {
        panic!("{}", mail.body_text);
    };
    assert_eq!(again, run_again("2026-10-30"));
    let printed = cli.types(again, &[], &[]).await.ok();
    assert!(printed.contains("posted"), "{printed}");

    let input = scheduled(BOT, 1, "2026-10-29T12:00:00Z".parse().unwrap());
    let ended = fixture.run(input).await;
    assert_eq!(ended.output["record"]["outcome"], "skipped", "{ended:?}");
    let mail = fixture.told(2, "too-late").await;
    let [again] = commands(&mail)[..] else {
        panic!("{}", mail.body_text);
    };
    let printed = cli.types(again, &[], &[]).await.ok();
    assert!(printed.contains("posted"), "{printed}");

    let body = json!({"error": {"message": "No.", "type": "image_generation_user_error", "param": null, "code": "moderation_blocked"}});
    let refused = Kind::Status { status: 400, body };
    fixture.openai.fail(Fault::always("images", refused));
    let ended = fixture.run_date("2026-10-28").await;
    assert_eq!(ended.output["record"]["outcome"], "refused", "{ended:?}");
    fixture.openai.clear_faults();
    let mail = fixture.told(3, "refused").await;
    let [milder, again] = commands(&mail)[..] else {
        panic!("{}", mail.body_text);
    };
    let scene = "a very small ghost waters a very large pumpkin";
    let open = format!("--scene '{scene}'");
    cli.types(milder, &[("--scene …", &open)], &[]).await.ok();
    let printed = cli.types(again, &[], &[]).await.ok();
    assert!(printed.contains("posted"), "{printed}");
    let painted = fixture.openai.requests();
    let prompt = painted.last().unwrap()["prompt"].as_str().unwrap();
    assert!(prompt.contains(scene), "{prompt}");
    assert_eq!(fixture.x.tweets().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expired_is_asked_again_by_the_command_of_its_notice() {
    let waiting = Waiting::new(&[]).await;
    let fixture = &waiting.fixture;
    let cli = CommandLine::new(fixture);
    waiting.set(1, "closesAt", -1).await;
    fixture.cloud.run_watchdog().await.unwrap();
    let ended = waiting.ends().await;
    assert_eq!(ended.output["record"]["outcome"], "expired", "{ended:?}");
    let mail = fixture.told(1, "expired").await;
    let [again] = commands(&mail)[..] else {
        panic!("{}", mail.body_text);
    };
    let approve = async {
        // The decision of before does not count.
        until("the new approval", async || {
            let approval = waiting.approval(1).await?;
            (approval.decision.is_none() && approval.task_token.is_some()).then_some(())
        })
        .await;
        let post = name("2026-10-30");
        cli.spooky(&["approve", &post]).await.ok()
    };
    let (printed, _) = tokio::join!(cli.types(again, &[], &[]), approve);
    assert!(printed.ok().contains("posted"));
    assert_eq!(fixture.x.tweets().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_was_wrong_is_made_good_by_the_command_of_its_notice() {
    let fixture = Fixture::new().await;
    let cli = CommandLine::new(&fixture);

    // An input without a slot, as a schedule with a mistake gives it.
    let ended = fixture.run(json!({"bot": BOT, "date": "2026-10-30"})).await;
    assert_eq!(ended.error.as_deref(), Some("InvalidInput"), "{ended:?}");
    let mail = fixture.told(1, "no-slot").await;
    let [run] = commands(&mail)[..] else {
        panic!("{}", mail.body_text);
    };
    let open = format!("--bot {BOT} --date 2026-10-30 --slot 1");
    let blank = ("--bot … --date … --slot …", open.as_str());
    let printed = cli.types(run, &[blank], &[]).await.ok();
    assert!(printed.contains("posted"), "{printed}");

    // One that names its slot, and something else as well.
    let both = json!({"bot": BOT, "slot": 1, "date": "2026-10-29", "scheduledTime": "2026-10-29T11:50:00Z"});
    let ended = fixture.run(both).await;
    assert_eq!(ended.error.as_deref(), Some("InvalidInput"), "{ended:?}");
    let mail = fixture.told(2, "failed").await;
    let [run] = commands(&mail)[..] else {
        panic!("{}", mail.body_text);
    };
    let printed = cli.types(run, &[], &[]).await.ok();
    assert!(printed.contains("posted"), "{printed}");

    // None at all.
    let due = Timestamp::now().to_zoned_datetime(TimeZone::UTC);
    let notice = notifications::not_started(&post("2026-10-28", 1), &due);
    let runs = notice.todo.iter().find_map(|step| step.with.as_deref());
    let run = runs.and_then(|run| run.strip_prefix("spooky ")).unwrap();
    let printed = cli.types(run, &[], &[]).await.ok();
    assert!(printed.contains("posted"), "{printed}");
    assert_eq!(fixture.x.tweets().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_redrive_cannot_fix_is_run_again_by_the_command_of_its_notice() {
    let fixture = Fixture::new().await;
    let cli = CommandLine::new(&fixture);
    let sfn = &fixture.cloud.sfn;
    let arn = &fixture.cloud.state_machine_arn;

    // A definition that does not fit its data.
    let there = sfn.describe_state_machine().state_machine_arn(arn);
    let there = there.send().await.unwrap();
    let deploy = async |definition: String| {
        let update = sfn.update_state_machine().state_machine_arn(arn);
        update.definition(definition).send().await.unwrap();
    };
    let key = "$states.input.draft.key }";
    assert!(there.definition().contains(key));
    deploy(
        there
            .definition()
            .replace(key, "$states.input.draft.key + 1 }"),
    )
    .await;
    let ended = fixture.run_date("2026-10-30").await;
    let error = "States.QueryEvaluationError";
    assert_eq!(ended.error.as_deref(), Some(error), "{ended:?}");
    deploy(there.definition().to_owned()).await;

    // A post that is to be approved, and went by its approval.
    fixture
        .openai
        .fail(Fault::always("images", Kind::Html { status: 500 }));
    let ended = fixture.run_date("2026-10-29").await;
    assert_eq!(ended.error.as_deref(), Some("ServiceFailed"), "{ended:?}");
    fixture.told(2, "failed").await;
    fixture.openai.clear_faults();
    let yes = aws_sdk_dynamodb::types::AttributeValue::Bool(true);
    fixture
        .set("2026-10-29", &[("approvalRequired", yes)])
        .await;
    let printed = cli.spooky(&["redrive", &name("2026-10-29")]).await;
    assert!(printed.err.contains("NotApproved"), "{printed:?}");

    for (number, date) in [(1, "2026-10-30"), (3, "2026-10-29")] {
        let mail = fixture.told(number, "failed").await;
        let [again] = commands(&mail)[..] else {
            panic!("{}", mail.body_text);
        };
        assert_eq!(again, run_again(date));
        let printed = cli.types(again, &[], &[]).await.ok();
        assert!(printed.contains("posted"), "{printed}");
    }
    // What was painted was not painted again.
    assert_eq!(fixture.openai.paid(), 2);
    assert_eq!(fixture.x.tweets().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_digest_reports_is_fixed_by_its_command() {
    const OTHER: &str = "night-owl";
    let fixture = Fixture::new().await;
    let cli = CommandLine::new(&fixture);
    // The digest is due after nine, so this bot lives where it is noon.
    let now = Timestamp::now().to_zoned_datetime(TimeZone::UTC);
    let east = 12 - i32::from(now.hour());
    // The names of these zones have the sign the other way round.
    let zone = format!("time_zone = \"Etc/GMT{:+}\"", -east);
    let files = format!("{}/../bots/{BOT}", env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| std::fs::read_to_string(format!("{files}/{file}")).unwrap();
    let text = read("bot.toml")
        .replace("time_zone = \"America/New_York\"", &zone)
        .replace("policy = \"required\"", "policy = \"off\"");
    let calendar = read("calendar.toml");
    let cloud = &fixture.cloud;
    for (file, text) in [("bot.toml", text), ("calendar.toml", calendar.clone())] {
        let put = cloud.put_bot_file(OTHER, file, text.into_bytes());
        put.await.unwrap();
    }
    let put = fixture.cloud.secrets.create_secret();
    put.name(format!("daily-post-local/{OTHER}/x-credentials"))
        .secret_string(fixture.x_credentials().to_string())
        .send()
        .await
        .unwrap();
    let calendar = bot_files::Calendar::parse("calendar.toml", &calendar).unwrap();
    let mut date = now.date();
    while calendar.usable(date).is_none_or(|days| days == 0) {
        date = date.yesterday().unwrap();
    }
    fixture
        .x
        .fail(Fault::always("upload", Kind::Html { status: 500 }));
    let ended = fixture.run(ad_hoc(OTHER, date, 1)).await;
    assert_eq!(ended.status, "FAILED", "{ended:?}");
    fixture.told(1, "failed").await;
    cloud.run_watchdog().await.unwrap();
    let mail = fixture.told(2, "digest").await;
    assert_eq!(
        commands(&mail),
        [format!("redrive {OTHER}/{date}/1")],
        "{}",
        mail.body_text
    );
    fixture.x.clear_faults();
    let printed = cli.types(commands(&mail)[0], &[], &[]).await.ok();
    assert!(printed.contains("posted"), "{printed}");
    // Once a day, however often it is looked.
    cloud.run_watchdog().await.unwrap();
    assert_eq!(fixture.notices(2).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_stopped_resumes_by_the_command_of_its_notice() {
    let waiting = Waiting::new(&[]).await;
    let fixture = &waiting.fixture;
    let cli = CommandLine::new(fixture);
    let stop = fixture.cloud.sfn.stop_execution();
    let stop = stop.execution_arn(&waiting.execution);
    stop.send().await.unwrap();
    let mail = fixture.told(1, "failed").await;
    assert!(mail.subject.contains("it was stopped"), "{mail:?}");
    let [redrive, ..] = commands(&mail)[..] else {
        panic!("{}", mail.body_text);
    };
    let post = name("2026-10-30");
    assert_eq!(redrive, format!("redrive {post}"));
    let approve = async {
        until("the approval", async || {
            let printed = cli.spooky(&["approve", &post]).await;
            (printed.code == Some(0)).then_some(())
        })
        .await;
    };
    let (printed, ()) = tokio::join!(cli.types(redrive, &[], &[]), approve);
    assert!(
        printed.err.contains("AwaitApproval: ABORTED\n"),
        "{printed:?}"
    );
    assert!(printed.ok().contains("posted"));
    assert_eq!(fixture.x.tweets().len(), 1);
    assert_eq!(fixture.openai.paid(), 1);
}
