//! Missed slots, failures without a notification, and the digest.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use post::Outcome;
use posts_table::{Arm, Armed, RunEnd};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use crate::fixture::{ALERTS, BOT, BOT_TOML, Fixture, OWNER, id, text};

/// The shipped bot, which starts a run at 06:00 in New York from Monday to Friday, with slots on every day.
fn daily() -> String {
    let weekdays = r#"["monday", "tuesday", "wednesday", "thursday", "friday"]"#;
    assert!(BOT_TOML.contains(weekdays));
    let all = weekdays.replace("\"friday\"", "\"friday\", \"saturday\", \"sunday\"");
    BOT_TOML.replace(weekdays, &all)
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// A time of day in New York, so many days after another time.
fn new_york(after: Timestamp, days: i64, hour: i8) -> Timestamp {
    let zone = TimeZone::get("America/New_York").unwrap();
    let date = (after + hours(24 * days))
        .to_zoned_datetime(zone.clone())
        .date();
    let at = date.at(hour, 0, 0, 0).to_zoned_datetime(zone).unwrap();
    at.timestamp()
}

fn date(at: Timestamp) -> Date {
    at.to_zoned_datetime(TimeZone::get("America/New_York").unwrap())
        .date()
}

/// A fixture whose bot has a slot each day, and when its file was deployed.
async fn open_fixture() -> (Fixture, Timestamp) {
    let fixture = Fixture::new().await;
    let deployed = fixture.put("spooky-days/bot.toml", &daily()).await;
    (fixture, deployed)
}

impl Fixture {
    /// Has the digests of these days done.
    async fn no_digest(&self, from: Timestamp, days: i64) {
        for day in 0..=days {
            let event = notifications::digest_event(BOT, date(from + hours(24 * day)));
            self.table().mark_event(&event, from).await.unwrap();
        }
    }

    async fn subjects(&self) -> Vec<String> {
        let mails = self.mails().await.into_iter();
        mails.map(|mail| mail.subject).collect()
    }

    /// An execution that has failed for good, and when.
    async fn failed_run(&self, post: &str) -> (String, Timestamp) {
        let execution = self.waiting_alone(post).await;
        self.stop(&execution).await;
        let describe = self.clients.decision.sfn.describe_execution();
        let described = describe.execution_arn(&execution).send().await.unwrap();
        let stopped = described.stop_date.unwrap().to_millis().unwrap();
        (execution, Timestamp::from_millisecond(stopped).unwrap())
    }

    /// A running execution without an approval.
    async fn waiting_alone(&self, post: &str) -> String {
        self.open(post, |approval| approval.remind_at = None).await;
        let execution = self.wait_for(post).await;
        let table = self.table();
        table.forget(&id(post), 1).await.unwrap();
        self.claim(post, &execution).await;
        execution
    }

    async fn end(&self, post: &str, execution: &str, outcome: Outcome) {
        let result = json!({});
        let (post, at) = (id(post), Timestamp::now());
        let end = RunEnd::new(outcome, &result);
        let finish = self.table().finish(&post, execution, &end, at);
        assert!(finish.await.unwrap());
    }

    async fn arm(&self, post: &str, execution: &str, until: Timestamp) {
        let arm = Arm {
            execution,
            text: "Boo!",
            media_key: "3_1",
            round: 1,
            content_hash: "v1-0",
            lease_id: "lease",
            lease_until: until.as_millisecond(),
        };
        // The claim of these tests requires an approval, which is not what they are about.
        let update = self.dynamodb.update_item().table_name("posts");
        let post = id(post);
        update
            .key("pk", text(&post.partition_key()))
            .key("sk", text(&post.sort_key()))
            .update_expression("SET approvalRequired = :no")
            .expression_attribute_values(":no", AttributeValue::Bool(false))
            .send()
            .await
            .unwrap();
        let armed = self.table().arm(&post, false, until, &arm).await.unwrap();
        assert_eq!(armed, Armed::Yes);
    }
}

fn post(at: Timestamp) -> String {
    format!("{BOT}/{}/1", date(at))
}

#[tokio::test]
async fn a_slot_without_a_run_is_notified_once_with_the_command_that_runs_it() {
    let (fixture, deployed) = open_fixture().await;
    fixture.no_digest(deployed, 10).await;
    let due = new_york(deployed, 1, 6);
    // Until then nothing was expected; and a run may take half an hour to claim its slot.
    for early in [deployed, due, due + SignedDuration::from_mins(29)] {
        assert_eq!(fixture.look_at(early).await.unwrap().told, 0, "{early}");
    }
    let late = due + SignedDuration::from_mins(30);
    assert_eq!(fixture.look_at(late).await.unwrap().told, 1);
    let mails = fixture.mails().await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].to, [OWNER]);
    let text = &mails[0].body_text;
    let run = format!("spooky run --bot {BOT} --date {} --slot 1\n", date(due));
    assert!(text.contains(&run), "{text}");
    let due_at = format!("was due at {} 06:00 E", date(due));
    assert!(text.contains(&due_at), "{text}");
    for again in [late, late + hours(1), due + hours(20)] {
        assert_eq!(fixture.look_at(again).await.unwrap().told, 0, "{again}");
    }
    // A watchdog that was down for three days misses none, and two at once tell none twice.
    let back = new_york(deployed, 4, 12);
    let (one, other) = tokio::join!(fixture.look_at(back), fixture.look_at(back));
    assert_eq!(one.unwrap().told + other.unwrap().told, 3);
    let mut subjects = fixture.subjects().await;
    subjects.sort();
    let expected: Vec<String> = (1..=4)
        .map(|day| format!("{} did not start", post(new_york(deployed, day, 6))))
        .collect();
    assert_eq!(subjects, expected);
}

#[tokio::test]
async fn a_slot_with_an_ended_or_running_run_is_not_reported() {
    let (fixture, deployed) = open_fixture().await;
    fixture.no_digest(deployed, 10).await;
    let slots: Vec<String> = (1..=4)
        .map(|day| post(new_york(deployed, day, 6)))
        .collect();
    for (slot, outcome) in slots
        .iter()
        .zip([Outcome::Posted, Outcome::Skipped, Outcome::Rejected])
    {
        fixture
            .claim(slot, "arn:aws:states:us-east-1:1:execution:x:y")
            .await;
        fixture
            .end(slot, "arn:aws:states:us-east-1:1:execution:x:y", outcome)
            .await;
    }
    let running = fixture.waiting_alone(&slots[3]).await;
    assert_eq!(
        fixture
            .look_at(new_york(deployed, 4, 12))
            .await
            .unwrap()
            .told,
        0
    );
    assert_eq!(fixture.status(&running).await.0, "RUNNING");
    assert!(fixture.mails().await.is_empty());
}

#[tokio::test]
async fn expected_slots_follow_the_file_that_was_deployed_at_the_time() {
    // Switched off: nothing is missed, also not by the file of a moment before.
    let (fixture, deployed) = open_fixture().await;
    fixture.no_digest(deployed, 10).await;
    let off = daily().replace("enabled = true", "enabled = false");
    fixture.put("spooky-days/bot.toml", &off).await;
    let later = new_york(deployed, 3, 12);
    assert_eq!(fixture.look_at(later).await.unwrap().told, 0);
    // Taken away altogether.
    let fixture = Fixture::new().await;
    fixture.no_digest(deployed, 10).await;
    fixture.put("spooky-days/bot.toml", &daily()).await;
    let delete = fixture.clients.s3.delete_object();
    let delete = delete.bucket(&fixture.config.bot_files_bucket);
    delete.key("spooky-days/bot.toml").send().await.unwrap();
    assert_eq!(fixture.look_at(later).await.unwrap().told, 0);
    // On Saturdays and Sundays the shipped bot posts nothing.
    let fixture = Fixture::new().await;
    fixture.no_digest(deployed, 20).await;
    let mut expected = 0;
    for day in 1..=7 {
        let at = new_york(deployed, day, 6);
        let weekday = date(at).weekday();
        expected += u32::from(!matches!(
            weekday,
            jiff::civil::Weekday::Saturday | jiff::civil::Weekday::Sunday
        ));
    }
    let mut told = 0;
    for day in 1..=7 {
        told += fixture
            .look_at(new_york(deployed, day, 12))
            .await
            .unwrap()
            .told;
    }
    assert_eq!((told, expected), (5, 5));
}

#[tokio::test]
async fn a_failure_whose_event_was_lost_is_recorded_and_notified_once() {
    let (fixture, deployed) = open_fixture().await;
    fixture.no_digest(deployed, 10).await;
    let due = new_york(deployed, 1, 6);
    let slot = post(due);
    let (execution, _) = fixture.failed_run(&slot).await;
    assert_eq!(fixture.look_at(due + hours(1)).await.unwrap().told, 1);
    let mails = fixture.mails().await;
    let text = &mails[0].body_text;
    assert!(text.contains("it was stopped"), "{text}");
    assert!(text.contains(&format!("spooky redrive {slot}\n")), "{text}");
    let record = fixture.table().read(&id(&slot)).await.unwrap().unwrap();
    assert_eq!(record.failure.as_ref().unwrap().status, "ABORTED");
    assert_eq!(fixture.look_at(due + hours(2)).await.unwrap().told, 0);
    // The event has the same name, so it would not be told once more.
    let failure = record.failure.unwrap();
    let failed = notifications::Failed {
        post: None,
        execution: &execution,
        failure: &failure,
        record: None,
        on_aws: false,
    };
    assert!(fixture.table().has_event(&failed.event()).await.unwrap());
}

#[tokio::test]
async fn an_event_that_can_still_arrive_is_waited_for() {
    let fixture = Fixture::new().await;
    let slot = "spooky-days/2026-11-24/1";
    let (execution, stopped) = fixture.failed_run(slot).await;
    fixture.no_digest(stopped, 2).await;
    fixture.arm(slot, &execution, stopped).await;
    let soon = stopped + SignedDuration::from_mins(14);
    assert_eq!(fixture.look_at(soon).await.unwrap().told, 0);
    assert_eq!(fixture.look_at(stopped + hours(1)).await.unwrap().told, 1);
}

#[tokio::test]
async fn an_armed_post_without_a_run_is_notified_and_nothing_is_sent() {
    let fixture = Fixture::new().await;
    let slot = "spooky-days/2026-11-24/1";
    let running = fixture.waiting_alone(slot).await;
    let now = Timestamp::now() + hours(1);
    fixture.no_digest(now, 10).await;
    fixture.arm(slot, &running, now).await;
    // Within its lease, and after it as long as it runs.
    for at in [now - hours(1), now, now + hours(1)] {
        assert_eq!(fixture.look_at(at).await.unwrap().told, 0);
    }
    fixture.stop(&running).await;
    assert_eq!(fixture.look_at(now + hours(2)).await.unwrap().told, 1);
    assert_eq!(fixture.look_at(now + hours(3)).await.unwrap().told, 0);
    let mails = fixture.mails().await;
    let text = &mails[0].body_text;
    assert!(
        text.contains("The tweet may be on X, so nothing is sent again"),
        "{text}"
    );
    assert!(text.contains(&format!("spooky redrive {slot}\n")), "{text}");
    let record = fixture.table().read(&id(slot)).await.unwrap().unwrap();
    assert_eq!(record.ledger, posts_table::Ledger::Armed);
}

#[tokio::test]
async fn unreadable_items_do_not_stop_the_others_and_are_named() {
    let (fixture, deployed) = open_fixture().await;
    fixture.no_digest(deployed, 10).await;
    let due = new_york(deployed, 1, 6);
    let broken = post(new_york(deployed, 2, 6));
    for (pk, sk) in [
        ("spooky-days#open", "approval#x"),
        ("spooky-days#open", "armed#x"),
        (id(&broken).partition_key().as_str(), "slot#1"),
        ("#notices", "pending#x"),
    ] {
        fixture
            .put_item(&[("pk", text(pk)), ("sk", text(sk)), ("ledger", text("?"))])
            .await;
    }
    let error = fixture
        .look_at(new_york(deployed, 2, 12))
        .await
        .unwrap_err();
    let message = error.to_string();
    assert_eq!(<&str>::from(&error), "Incomplete");
    for part in [
        "spooky-days#open approval#x",
        "spooky-days#open armed#x",
        &format!("the slot {broken}"),
        "pending#x",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(
        fixture.subjects().await,
        [format!("{} did not start", post(due))]
    );
}

#[tokio::test]
async fn the_digest_is_sent_once_a_day_from_nine_on_and_lists_redrivable_failures() {
    let (fixture, deployed) = open_fixture().await;
    let slot = post(new_york(deployed, 1, 6));
    fixture.failed_run(&slot).await;
    let ended = post(new_york(deployed, 2, 6));
    fixture.claim(&ended, "arn").await;
    fixture.end(&ended, "arn", Outcome::Posted).await;
    // One that failed before it could claim its slot.
    let unclaimed = new_york(deployed, 3, 6);
    let failure = json!({
        "status": "FAILED", "state": "PickDay", "error": "BotFilesInvalid", "redriveCount": 0, "at": unclaimed,
    });
    let gone = "arn:aws:states:us-east-1:1:execution:x:gone";
    let details = json!({"execution": gone, "failure": failure});
    let line = fixture.table();
    line.audit(
        &id(&post(unclaimed)),
        unclaimed,
        &"unrecorded-failure#gone".to_owned().into(),
        &details,
    )
    .await
    .unwrap();
    let digests = async || {
        let mails = fixture.mails().await;
        mails
            .into_iter()
            .filter(|mail| mail.body_text.contains("a \"digest\" notification"))
            .collect::<Vec<_>>()
    };
    fixture.look_at(new_york(deployed, 3, 8)).await.unwrap();
    assert!(digests().await.is_empty());
    let nine = new_york(deployed, 3, 9);
    let (one, other) = tokio::join!(fixture.look_at(nine), fixture.look_at(nine));
    one.unwrap();
    other.unwrap();
    fixture.look_at(nine + hours(3)).await.unwrap();
    let sent = digests().await;
    assert_eq!(sent.len(), 1, "{sent:?}");
    let mail = &sent[0].body_text;
    for part in [
        format!("{slot} (ABORTED): it failed and was not redriven"),
        format!("spooky redrive {slot}\n"),
        format!("{} (BotFilesInvalid)", post(unclaimed)),
        format!("spooky redrive {gone}\n"),
        // Nothing listens there in this test.
        "X credentials of spooky-days: the secret daily-post-test/spooky-days/x-credentials has no value".to_owned(),
    ] {
        assert!(mail.contains(&part), "{part}: {mail}");
    }
    assert!(!mail.contains(&ended), "{mail}");
    // Told as failures each, too, and no more than once.
    let failures = fixture.subjects().await;
    let failed = failures
        .iter()
        .filter(|subject| subject.contains(" failed"));
    assert_eq!(failed.count(), 2, "{failures:?}");
    // Each day again, until it cannot be redriven any more.
    fixture.look_at(new_york(deployed, 4, 10)).await.unwrap();
    assert!(digests().await[1].body_text.contains(&slot));
    fixture.look_at(new_york(deployed, 15, 10)).await.unwrap();
    assert!(!digests().await[2].body_text.contains(&slot));
}

#[tokio::test]
async fn a_digest_that_failed_is_sent_by_the_next_run() {
    let (mut fixture, deployed) = open_fixture().await;
    let day = new_york(deployed, 0, 9) + hours(24);
    fixture.claim(&post(day), "arn").await;
    fixture.end(&post(day), "arn", Outcome::Posted).await;
    let broken = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(503))
        .mount(&broken)
        .await;
    let real = fixture.clients.clone();
    fixture.clients.ses = aws_sdk_sesv2::Client::new(&fixture.at(&broken.uri()));
    let error = fixture.look_at(day).await.unwrap_err();
    assert!(error.to_string().contains("digest/spooky-days"), "{error}");
    fixture.clients = real;
    fixture
        .look_at(day + SignedDuration::from_mins(15))
        .await
        .unwrap();
    fixture
        .look_at(day + SignedDuration::from_mins(30))
        .await
        .unwrap();
    let mails = fixture.mails().await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert!(mails[0].body_text.contains("a \"digest\" notification"));
}

#[tokio::test]
async fn the_failures_of_a_bot_with_an_unreadable_file_go_to_the_alert_addresses() {
    let (fixture, deployed) = open_fixture().await;
    fixture.put("spooky-days/bot.toml", "broken").await;
    // Without the file the zone is UTC: noon in New York is after nine there, too.
    let noon = new_york(deployed, 2, 12);
    let _: Value = json!(fixture.look_at(noon).await.unwrap());
    let mails = fixture.mails().await;
    assert!(mails.iter().all(|mail| mail.to == [ALERTS]), "{mails:?}");
    let digest = mails.last().unwrap();
    assert!(
        digest.body_text.contains("files of spooky-days: s3://"),
        "{digest:?}"
    );
    assert!(
        digest.body_text.contains("your address is in ALERT_TO"),
        "{digest:?}"
    );
}
