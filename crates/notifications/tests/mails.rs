//! The mail of every notification and of every error, as snapshots.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

use insta::assert_snapshot;
use jiff::{Timestamp, tz::TimeZone};
use notifications::{Failed, Notification, NotificationKind, Step, digest, ended, not_started};
use post::{ErrorName, PostId, TaskState};
use posts_table::{Failure, Record};
use serde_json::{Value, json};
use strum::VariantNames;

const EXECUTION: &str = "arn:aws:states:us-east-1:123456789012:execution:daily-post-prod:one";

fn post() -> PostId {
    "spooky-days/2026-10-30/1".parse().unwrap()
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

/// The record of the post, with what differs from one that was claimed.
fn record(change: Value) -> Record {
    let mut record = json!({
        "post": post().to_string(),
        "execution": EXECUTION,
        "claimedAt": "2026-10-30T10:00:00Z",
        "ledger": "claimed",
        "approvalRequired": true,
        "day": {"name": "National Candy Corn Day", "timeZone": "America/New_York"},
    });
    for (name, value) in change.as_object().unwrap() {
        record[name] = value.clone();
    }
    serde_json::from_value(record).unwrap()
}

fn failure(state: Option<TaskState>, error: Option<&str>) -> Failure {
    Failure {
        status: "FAILED".to_owned(),
        state: state.map(|state| state.to_string()),
        error: error.map(str::to_owned),
        cause: Some(json!({"errorMessage": "The message of the function."}).to_string()),
        redrive_count: 0,
        at: at("2026-10-30T12:00:00Z"),
    }
}

fn failed(failure: &Failure, record: Option<&Record>, on_aws: bool) -> Notification {
    let post = post();
    let failed = Failed {
        post: Some(&post),
        execution: EXECUTION,
        failure,
        record,
        on_aws,
    };
    failed.notification()
}

/// Subject, text and HTML, with each element of the HTML on a line.
fn whole(notification: &Notification) -> String {
    let mail = notification.mail();
    let html = mail.html.replace("><", ">\n<");
    format!(
        "Subject: {}\n\n{}\n----\n\n{html}\n",
        mail.subject, mail.text
    )
}

fn notification(kind: NotificationKind) -> Notification {
    let outcome = |outcome: &str, reason: Option<&str>| {
        let result = json!({"costUsd": 0.065});
        let change = json!({
            "outcome": outcome, "reason": reason, "tweetId": "1790000000000000000", "result": result,
            "endedAt": "2026-10-30T12:00:00Z",
        });
        ended(&post(), &record(change)).unwrap()
    };
    match kind {
        NotificationKind::Posted => outcome("posted", None),
        NotificationKind::Skipped => outcome("skipped", Some("no entry for 10-30")),
        NotificationKind::Rejected => {
            outcome("rejected", Some("rejected by owner@example.org: not funny"))
        }
        NotificationKind::OverBudget => outcome(
            "skipped",
            Some("over budget: a picture may cost $0.05, and $0.02 are left"),
        ),
        NotificationKind::TooLate => {
            outcome("skipped", Some("too late: the slot's time is too long ago"))
        }
        NotificationKind::Refused => outcome("refused", Some("Too gory.")),
        NotificationKind::Expired => {
            outcome("expired", Some("no approver decided before the deadline"))
        }
        NotificationKind::Failed => {
            let late = record(json!({"notAfter": at("2026-10-30T18:00:00Z").as_second()}));
            let failure = failure(Some(TaskState::PostTweet), Some("OutOfCredit"));
            failed(&failure, Some(&late), true)
        }
        NotificationKind::Unconfirmed => {
            let armed =
                json!({"ledger": "armed", "notAfter": at("2026-10-30T18:00:00Z").as_second()});
            let failure = failure(Some(TaskState::PostTweet), Some("Unconfirmed"));
            failed(&failure, Some(&record(armed)), true)
        }
        NotificationKind::NotTheHolder => {
            let other = record(json!({"execution": format!("{EXECUTION}-other")}));
            let failure = failure(Some(TaskState::PostTweet), Some("ClaimLost"));
            failed(&failure, Some(&other), true)
        }
        NotificationKind::NoSlot => Failed {
            post: None,
            execution: EXECUTION,
            failure: &failure(Some(TaskState::PickDay), Some("InvalidInput")),
            record: None,
            on_aws: true,
        }
        .notification(),
        NotificationKind::NotStarted => {
            let zone = TimeZone::get("America/New_York").unwrap();
            not_started(&post(), &at("2026-10-30T10:00:00Z").to_zoned_datetime(zone))
        }
        NotificationKind::Digest => {
            let redrive = Step::with(
                "spooky-days/2026-10-30/1 (OutOfCredit) failed and has not been redriven",
                "spooky redrive spooky-days/2026-10-30/1",
            );
            let key = Step::by_hand("OpenAI key: OpenAI responded 401. Store a valid key");
            let problems = vec![
                (post().to_string(), redrive),
                ("OpenAI key".to_owned(), key),
            ];
            digest("spooky-days", "2026-10-31".parse().unwrap(), problems)
        }
    }
}

#[test]
fn every_kind_of_notification_has_its_mail() {
    for name in NotificationKind::VARIANTS {
        let kind: NotificationKind = serde_json::from_value(json!(name)).unwrap();
        let notification = notification(kind);
        assert_eq!(notification.kind, kind);
        let stored = json!(notification);
        assert_eq!(
            serde_json::from_value::<Notification>(stored).unwrap(),
            notification
        );
        assert_snapshot!(*name, whole(&notification.for_environment(Some("prod"))));
    }
}

#[test]
fn every_error_has_its_mail() {
    let claimed = record(json!({}));
    let mut mails = Vec::new();
    let mut html = Vec::new();
    for name in ErrorName::ALL {
        let state = name.retried_by().first().or(name.caught_by().first());
        let failure = failure(state.copied(), Some(name.name()));
        let mail = failed(&failure, Some(&claimed), false).mail();
        mails.push(format!("Subject: {}\n\n{}", mail.subject, mail.text));
        let (_, todo) = mail.html.split_once("What to do</p>").unwrap();
        let (todo, _) = todo.split_once("</ul>").unwrap();
        html.push(format!("{name}\n{}</ul>\n", todo.replace("><", ">\n<")));
    }
    assert_snapshot!("errors", mails.join("\n----\n\n"));
    assert_snapshot!("errors-html", html.join("\n"));
}

#[test]
fn an_error_in_two_states_names_the_provider_of_each() {
    let claimed = record(json!({}));
    let subject = |state: Option<TaskState>, error: &str| {
        failed(&failure(state, Some(error)), Some(&claimed), false).subject
    };
    let subjects: Vec<String> = [
        ErrorName::RateLimited,
        ErrorName::ServiceUnavailable,
        ErrorName::OutOfCredit,
        ErrorName::Unauthorized,
    ]
    .into_iter()
    .flat_map(|error| {
        [TaskState::GenerateImage, TaskState::PostTweet]
            .map(|state| subject(Some(state), error.name()))
    })
    .collect();
    assert_snapshot!(subjects.join("\n"));
    assert_eq!(
        subject(None, "Brand.New"),
        "spooky-days/2026-10-30/1 failed: the error is not in the catalog"
    );
}

#[test]
fn an_execution_that_was_stopped_or_took_too_long_is_explained_by_its_status() {
    for (status, explanation) in [
        ("ABORTED", "it was stopped"),
        ("TIMED_OUT", "it exceeded the time limit of an execution"),
    ] {
        let failure = Failure {
            status: status.to_owned(),
            ..failure(Some(TaskState::AwaitApproval), None)
        };
        let notification = failed(&failure, Some(&record(json!({}))), false);
        assert_eq!(
            notification.subject,
            format!("{} failed in AwaitApproval: {explanation}", post())
        );
    }
}

#[test]
fn while_the_tweet_is_in_doubt_every_error_is_redriven() {
    let armed = record(json!({"ledger": "armed"}));
    for name in ErrorName::ALL {
        let failure = failure(Some(TaskState::PostTweet), Some(name.name()));
        let notification = failed(&failure, Some(&armed), false);
        assert!(
            notification.what.contains("The tweet may be on X"),
            "{name}"
        );
        let commands: Vec<&str> = notification
            .todo
            .iter()
            .filter_map(|step| step.with.as_deref())
            .collect();
        assert!(
            commands.iter().any(|command| command.contains("redrive")),
            "{name}"
        );
        assert!(
            !commands
                .iter()
                .any(|command| command.contains("run --again")),
            "{name}"
        );
    }
}

#[test]
fn without_a_claim_the_commands_name_the_execution_and_the_slot() {
    let commands = |error: &str| {
        let failure = failure(Some(TaskState::PickDay), Some(error));
        let steps = failed(&failure, None, false).todo;
        steps
            .into_iter()
            .filter_map(|step| step.with)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        commands("BotFilesInvalid"),
        [format!("spooky redrive {EXECUTION}")]
    );
    assert_eq!(
        commands("InvalidInput"),
        ["spooky run --bot spooky-days --date 2026-10-30 --slot 1"]
    );
}

#[test]
fn on_aws_each_command_names_the_environment_and_the_name_of_the_bot_stays() {
    let failure = failure(Some(TaskState::PostTweet), Some("Unconfirmed"));
    let notification = failed(&failure, Some(&record(json!({}))), true);
    let text = notification.for_environment(Some("prod")).mail().text;
    let post = post();
    for part in [
        format!(
            "spooky --env prod attach {post} <address of the tweet> && spooky --env prod redrive {post}\n"
        ),
        format!("spooky --env prod redrive {post} --post-again --reason …\n"),
        format!("Post: {post}\n"),
    ] {
        assert!(text.contains(&part), "{part}: {text}");
    }
}

#[test]
fn only_executions_on_aws_have_a_page_in_the_console() {
    let region = "us-east-1.console.aws.amazon.com/states/home?region=us-east-1";
    let url = format!("https://{region}#/v2/executions/details/{EXECUTION}");
    assert_eq!(notifications::console_url(EXECUTION), Some(url.clone()));
    assert_eq!(
        notifications::console_url("arn:aws:lambda:us-east-1:1:function:x"),
        None
    );
    let failure = failure(Some(TaskState::PickDay), Some("ServiceUnavailable"));
    let claimed = record(json!({}));
    let has_url = |on_aws| {
        failed(&failure, Some(&claimed), on_aws)
            .mail()
            .text
            .contains(&url)
    };
    assert!(has_url(true));
    assert!(!has_url(false));
    assert_eq!(
        notifications::env("daily-post-prod").as_deref(),
        Some("prod")
    );
    assert_eq!(notifications::env("posts"), None);
}

#[test]
fn a_dry_run_and_a_run_without_an_outcome_notify_no_recipient() {
    for change in [json!({}), json!({"outcome": "dry-run"})] {
        assert_eq!(ended(&post(), &record(change)), None);
    }
}

#[test]
fn what_a_service_writes_is_escaped_and_kept_to_a_line() {
    let mut failure = failure(Some(TaskState::PostTweet), Some("Unexpected"));
    failure.cause = Some("<script>`\nalert(1)`\u{7}".to_owned() + &"x".repeat(600));
    let mail = failed(&failure, Some(&record(json!({}))), false).mail();
    assert!(!mail.html.contains("<script>"), "{}", mail.html);
    assert!(
        mail.text.contains("Message: <script>` alert(1)`xxx"),
        "{}",
        mail.text
    );
    assert!(mail.text.contains("x…\n"), "{}", mail.text);
}
