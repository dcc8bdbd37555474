//! The doctor: a deployment that is well, one that is not, and its schedules.

use std::collections::HashMap;

use aws_sdk_lambda::types::Environment;
use aws_sdk_scheduler::types::{FlexibleTimeWindow, FlexibleTimeWindowMode, ScheduleState, Target};
use aws_sdk_sesv2::types::MailType;
use fakes::{Fault, Kind};
use serde_json::{Value, json};

use crate::fixture::{BOT, CommandLine, Fixture, Printed};

/// The checks by what they are about: the verdict, what is said, and the fix.
fn checks(printed: &Printed) -> HashMap<String, (String, String, String)> {
    let answer: Value = serde_json::from_str(&printed.out).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let checks = answer["checks"].as_array().unwrap().iter().map(|check| {
        let (verdict, fix) = (text(&check["verdict"]), text(&check["fix"]));
        assert_eq!(fix.is_empty(), verdict == "ok", "{check}");
        (text(&check["what"]), (verdict, text(&check["said"]), fix))
    });
    checks.collect()
}

fn count(printed: &Printed, verdict: &str) -> usize {
    checks(printed)
        .values()
        .filter(|check| check.0 == verdict)
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_is_well_is_said_to_be_and_nothing_is_done_to_it() {
    let fixture = Fixture::asking().await;
    let cli = CommandLine::new(&fixture);
    let printed = cli.spooky(&["doctor", "--json"]).await;
    assert_eq!(printed.code, Some(0), "{printed:?}");
    assert_eq!(count(&printed, "fail"), 0, "{printed:?}");
    let checks = checks(&printed);
    for what in [
        "deployment",
        "clock of this machine",
        "clock",
        "X credentials of spooky-days",
        "OpenAI key",
        "budget",
        "state machine",
        "function pick-day",
        "function watchdog",
        "table",
        "secret daily-post-local/spooky-days/x-credentials",
        "rule on failed executions",
        "approval page",
        "bot.toml",
        "calendar.toml",
        "calendar",
        "email sender",
        "email recipients",
        "schedules",
        "pause flag",
        "unconfirmed posts",
    ] {
        assert_eq!(checks[what].0, "ok", "{what}: {:?}", checks[what]);
    }
    let lines = cli.spooky(&["doctor"]).await.ok();
    assert!(
        lines.contains("ok    pause flag: spooky-days is not paused"),
        "{lines}"
    );
    assert!(fixture.x.tweets().is_empty());
    assert!(fixture.account.mails().await.unwrap().is_empty());
    assert!(fixture.cloud.runs().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_thing_that_is_wrong_is_named_with_its_fix() {
    let fixture = Fixture::asking().await;
    let cli = CommandLine::new(&fixture);
    let cloud = &fixture.cloud;
    fixture
        .x
        .fail(Fault::once("create-tweet", Kind::Html { status: 503 }));
    fixture
        .edit_bot(&[("policy = \"required\"", "policy = \"off\"")])
        .await;
    fixture.run_date("2026-10-30").await;
    fixture
        .edit_bot(&[("per_day_usd = 1.00", "per_day_usd = 0.05")])
        .await;

    fixture.unplug("store-image").await;
    let name = cloud.function_name("post-tweet");
    let environment = HashMap::from([
        ("TABLE_NAME".to_owned(), "another".to_owned()),
        ("LEASE_SECONDS".to_owned(), "30".to_owned()),
    ]);
    let environment = Environment::builder()
        .set_variables(Some(environment))
        .build();
    let lambda = &cloud.lambda;
    let update = lambda.update_function_configuration().function_name(&name);
    update
        .environment(environment)
        .timeout(7)
        .send()
        .await
        .unwrap();
    let version = lambda
        .publish_version()
        .function_name(&name)
        .send()
        .await
        .unwrap();
    let alias = lambda.update_alias().function_name(&name).name("live");
    alias
        .set_function_version(version.version)
        .send()
        .await
        .unwrap();

    let definition = cloud.sfn.describe_state_machine();
    let definition = definition
        .state_machine_arn(&cloud.state_machine_arn)
        .send()
        .await;
    let mut definition: Value = serde_json::from_str(&definition.unwrap().definition).unwrap();
    definition["States"]["StoreImage"]["TimeoutSeconds"] = json!(71);
    let update = cloud
        .sfn
        .update_state_machine()
        .state_machine_arn(&cloud.state_machine_arn);
    update
        .definition(definition.to_string())
        .send()
        .await
        .unwrap();

    let delete = cloud
        .secrets
        .delete_secret()
        .secret_id("daily-post-local/spooky-days/x-credentials");
    delete.recovery_window_in_days(7).send().await.unwrap();
    let delete = cloud
        .secrets
        .delete_secret()
        .secret_id("daily-post-local/openai");
    delete
        .force_delete_without_recovery(true)
        .send()
        .await
        .unwrap();
    cloud
        .events
        .disable_rule()
        .name("daily-post-local-failed")
        .send()
        .await
        .unwrap();
    let delete = cloud.ses.delete_email_identity();
    delete
        .email_identity("spooky-days@example.org")
        .send()
        .await
        .unwrap();
    let sandbox = cloud
        .ses
        .put_account_details()
        .mail_type(MailType::Transactional);
    let sandbox = sandbox
        .website_url("https://example.org")
        .production_access_enabled(false);
    sandbox.send().await.unwrap();
    cli.spooky(&["pause", "--reason", "a storm"]).await.ok();

    let printed = cli.spooky(&["doctor", "--json"]).await;
    assert_eq!(printed.code, Some(1), "{printed:?}");
    let checks = checks(&printed);
    for (what, verdict, says) in [
        (
            "function store-image",
            "fail",
            "its alias live, does not exist",
        ),
        (
            "function post-tweet",
            "fail",
            "the variable TABLE_NAME is \"another\"",
        ),
        (
            "function post-tweet",
            "fail",
            "the variable LEASE_SECONDS is \"30\"",
        ),
        (
            "function post-tweet",
            "fail",
            "the variable SECRETS_PREFIX is missing",
        ),
        (
            "function post-tweet",
            "fail",
            "its timeout is 7 s instead of 60",
        ),
        ("state machine", "warn", "it differs in StoreImage"),
        (
            "secret daily-post-local/spooky-days/x-credentials",
            "fail",
            "marked for deletion",
        ),
        (
            "secret daily-post-local/openai",
            "fail",
            "it does not exist",
        ),
        ("rule on failed executions", "fail", "is disabled"),
        ("bot.toml", "warn", "not the same as in this checkout"),
        ("email sender", "fail", "is not verified"),
        ("email recipients", "fail", "owner@example.org"),
        ("pause flag", "warn", "a storm"),
        ("budget", "warn", "are left today"),
        ("unconfirmed posts", "warn", "spooky-days/2026-10-30/1"),
        ("calendar.toml", "ok", "the same as in this checkout"),
        ("function pick-day", "ok", ""),
    ] {
        let there = &checks[what];
        assert!(
            there.0 == verdict && there.1.contains(says),
            "{what}: {there:?}"
        );
    }
    assert!(printed.err.contains("checks fail"), "{}", printed.err);

    let broken = b"broken".to_vec();
    cloud.put_bot_file(BOT, "bot.toml", broken).await.unwrap();
    let printed = cli.spooky(&["doctor"]).await;
    assert_eq!(printed.code, Some(1));
    assert!(
        printed.out.contains("fail  bot's files:"),
        "{}",
        printed.out
    );
    assert!(printed.out.contains("bot.toml:1"), "{}", printed.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_aws_the_schedules_are_held_against_the_bots_file() {
    let fixture = Fixture::asking().await;
    let cli = CommandLine::on_aws(fixture.account.url(), fixture.account.id());
    let cloud = &fixture.cloud;
    let doctor = async || checks(&cli.spooky(&["doctor", "--env", "local", "--json"]).await);
    let put = async |name: &str,
                     expression: &str,
                     zone: &str,
                     state: ScheduleState,
                     target: (&str, &str)| {
        let name = format!("daily-post-local-{name}");
        // There is none, or it is replaced.
        let _ = cloud.scheduler.delete_schedule().name(&name).send().await;
        let target = Target::builder()
            .arn(target.0)
            .role_arn("arn:aws:iam::1:role/x")
            .input(target.1);
        let window = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off);
        let create = cloud
            .scheduler
            .create_schedule()
            .name(name)
            .schedule_expression(expression);
        create
            .schedule_expression_timezone(zone)
            .state(state)
            .flexible_time_window(window.build().unwrap())
            .target(target.build().unwrap())
            .send()
            .await
            .unwrap();
    };
    let found = doctor().await;
    for what in ["schedule of slot 1", "schedule of the watchdog"] {
        assert_eq!(found[what].0, "fail", "{what}");
        assert!(
            found[what].1.contains("it does not exist"),
            "{:?}",
            found[what]
        );
    }
    let (zone, on) = ("America/New_York", ScheduleState::Enabled);
    let input = json!({"bot": BOT, "slot": 1, "scheduledTime": "<aws.scheduler.scheduled-time>"})
        .to_string();
    let slot = (cloud.state_machine_arn.as_str(), input.as_str());
    let watchdog = cloud.function_name("watchdog");
    let watchdog = format!(
        "arn:aws:lambda:us-east-1:{}:function:{watchdog}:live",
        cloud.account_id
    );
    put(
        "watchdog",
        "rate(15 minutes)",
        "UTC",
        on.clone(),
        (&watchdog, "{}"),
    )
    .await;
    for (expression, zone, state, verdict, says) in [
        (
            "cron(0 6 ? * MON-FRI *)",
            zone,
            on.clone(),
            "ok",
            "in America/New_York",
        ),
        (
            "cron(0 6 ? * MON-FRI *)",
            "UTC",
            on.clone(),
            "fail",
            "is in UTC, and bot.toml is in America/New_York",
        ),
        (
            "cron(0 8 ? * MON-FRI *)",
            zone,
            on.clone(),
            "fail",
            "but bot.toml needs cron(0 6 ?",
        ),
        (
            "cron(0 6 ? * SAT *)",
            zone,
            on.clone(),
            "fail",
            "but bot.toml needs cron(0 6 ?",
        ),
        ("rate(1 day)", zone, on, "fail", "not a weekly time"),
        (
            "cron(0 6 ? * MON-FRI *)",
            zone,
            ScheduleState::Disabled,
            "warn",
            "is disabled",
        ),
    ] {
        put("slot-1", expression, zone, state, slot).await;
        let found = doctor().await;
        let there = &found["schedule of slot 1"];
        assert!(
            there.0 == verdict && there.1.contains(says),
            "{expression}: {there:?}"
        );
        assert_eq!(found["schedule of the watchdog"].0, "ok");
    }
    // Through the API, as Terraform may do it to name the execution.
    let call = json!({"StateMachineArn": cloud.state_machine_arn, "Input": input}).to_string();
    let target = (
        "arn:aws:scheduler:::aws-sdk:sfn:startExecution",
        call.as_str(),
    );
    put(
        "slot-1",
        "cron(0 6 ? * 2-6 *)",
        zone,
        ScheduleState::Enabled,
        target,
    )
    .await;
    assert_eq!(doctor().await["schedule of slot 1"].0, "ok");
}
