//! The operator's changes of the table: what is refused, and what happens when two come at once.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

use aws_sdk_dynamodb::Client;
use jiff::{SignedDuration, Timestamp};
use local_cloud::Emulator;
use post::{Outcome, PostId, Rejection};
use posts_table::{
    Arm, Armed, Claim, Failure, Ledger, Operator, OverrideItem, Pause, Record, RunEnd, SlotChange,
    Table,
};
use serde_json::json;

const OLD: &str = "arn:aws:states:us-east-1:000000000000:execution:daily-post:old";
const NEW: &str = "arn:aws:states:us-east-1:000000000000:execution:daily-post:new";

fn now() -> Timestamp {
    "2026-10-30T12:00:00Z".parse().unwrap()
}

fn later(seconds: i64) -> Timestamp {
    now()
        .checked_add(SignedDuration::from_secs(seconds))
        .unwrap()
}

fn operator() -> Operator {
    Operator {
        by: "Ada".to_owned(),
        reason: Some("to see".to_owned()),
    }
}

async fn table() -> Table {
    let account = Emulator::shared().await.account();
    account.create_table("posts").await.unwrap();
    Table::new(Client::new(&account.sdk_config().await), "posts")
}

fn record(post: &PostId, execution: &str) -> Record {
    serde_json::from_value(json!({
        "post": post.to_string(),
        "execution": execution,
        "claimedAt": now(),
        "ledger": "claimed",
        "day": {"status": "picked"},
        "approvalRequired": false,
    }))
    .unwrap()
}

/// A slot that the old execution holds.
async fn claimed(table: &Table, slot: u32) -> (PostId, Record) {
    let post: PostId = format!("spooky-days/2026-10-30/{slot}").parse().unwrap();
    let record = record(&post, OLD);
    let claim = table.claim(&post, &record).await.unwrap();
    assert!(matches!(claim, Claim::Held(_)));
    (post, record)
}

async fn arm(table: &Table, post: &PostId, execution: &str, lease_id: &str) -> Armed {
    let arm = Arm {
        execution,
        text: "Boo.",
        media_key: "3_1",
        round: 1,
        content_hash: "v1-0",
        lease_id,
        lease_until: later(90).as_millisecond(),
    };
    table.arm(post, false, now(), &arm).await.unwrap()
}

async fn read(table: &Table, post: &PostId) -> Record {
    table.read(post).await.unwrap().unwrap()
}

fn made(change: &SlotChange) -> bool {
    matches!(change, SlotChange::Made)
}

#[tokio::test]
async fn of_a_takeover_and_an_arming_at_the_same_time_only_one_succeeds() {
    let table = table().await;
    let operator = operator();
    for slot in 1..=40 {
        let (post, old) = claimed(&table, slot).await;
        let take = table.take_over(&post, &old, &[], NEW, &operator, now());
        let (armed, taken) = tokio::join!(arm(&table, &post, OLD, "old"), take);
        let taken = made(&taken.unwrap());
        let mut sent = u32::from(armed == Armed::Yes);
        assert!(!(taken && sent > 0), "{post}: both");
        // The execution that took it over posts; one that did not may not.
        table.pick(&post, &record(&post, NEW)).await.unwrap();
        sent += u32::from(arm(&table, &post, NEW, "new").await == Armed::Yes);
        // The old one tries again, as a retry would.
        sent += u32::from(arm(&table, &post, OLD, "older").await == Armed::Yes);
        assert_eq!(sent, 1, "{post}");
        let execution = read(&table, &post).await.execution;
        assert_eq!(execution == NEW, taken, "{post}");
    }
}

#[tokio::test]
async fn of_two_takeovers_at_the_same_time_one_succeeds_and_so_with_attach_and_post_again() {
    let table = table().await;
    let operator = operator();
    for slot in 1..=20 {
        let (post, old) = claimed(&table, slot).await;
        let other = format!("{NEW}er");
        let (one, two) = tokio::join!(
            table.take_over(&post, &old, &[], NEW, &operator, now()),
            table.take_over(&post, &old, &[], &other, &operator, later(1)),
        );
        assert!(made(&one.unwrap()) != made(&two.unwrap()), "{post}");

        let holder = read(&table, &post).await.execution;
        table.pick(&post, &record(&post, &holder)).await.unwrap();
        assert_eq!(arm(&table, &post, &holder, "one").await, Armed::Yes);
        let (again, attached, found) = tokio::join!(
            table.post_again(&post, &operator, later(91)),
            table.attach(&post, "7", &operator, later(91)),
            table.posted(&post, "8", later(91)),
        );
        let done = [
            made(&again.unwrap()),
            made(&attached.unwrap()),
            found.unwrap(),
        ];
        assert_eq!(done.into_iter().filter(|done| *done).count(), 1, "{done:?}");
    }
}

#[tokio::test]
async fn a_slot_that_was_taken_over_keeps_only_its_media_keys_and_is_picked_once() {
    let table = table().await;
    let (post, _) = claimed(&table, 1).await;
    table.add_media_key(&post, OLD, "3_1").await.unwrap();
    let result = json!({"costUsd": 0.06});
    table
        .finish(&post, OLD, &RunEnd::new(Outcome::Expired, &result), now())
        .await
        .unwrap();
    let old = read(&table, &post).await;
    let taken = table
        .take_over(&post, &old, &[], NEW, &operator(), later(1))
        .await
        .unwrap();
    assert!(made(&taken));
    let there = json!(read(&table, &post).await);
    assert_eq!(
        there,
        json!({
            "post": post.to_string(), "execution": NEW, "claimedAt": later(1), "ledger": "claimed",
            "approvalRequired": true, "mediaKeys": ["3_1"], "looks": 0,
        })
    );
    // Before the pick nothing can be posted, and a late event of the old execution is not written.
    assert_ne!(arm(&table, &post, NEW, "early").await, Armed::Yes);
    assert!(!table.pick(&post, &record(&post, OLD)).await.unwrap());
    let mut pick = record(&post, NEW);
    pick.not_after = Some(now().as_second());
    assert!(table.pick(&post, &pick).await.unwrap());
    assert!(!table.pick(&post, &record(&post, NEW)).await.unwrap());
    let there = read(&table, &post).await;
    assert_eq!(there.not_after, Some(now().as_second()));
    assert!(!there.approval_required && there.day == pick.day);
    let line = &table.audit_trail(&post).await.unwrap()[0];
    assert_eq!(line.what.to_string(), "taken-over");
    assert_eq!(line.details["record"]["outcome"], "expired");
    assert_eq!(line.details["record"]["result"], result);
}

#[tokio::test]
async fn each_change_is_refused_where_it_would_be_wrong_and_returns_the_record() {
    let table = table().await;
    let operator = operator();
    // How many seconds after the arming, and which ledger: post again, attach, take over.
    for (slot, ledger, seconds, expected) in [
        (1, "claimed", 91, [false, false, true]),
        (2, "armed", 89, [false, false, false]),
        (3, "armed", 90, [true, true, false]),
        (4, "posted", 91, [false, false, false]),
        (5, "rejected", 91, [false, false, true]),
        (6, "duplicate", 91, [false, true, true]),
    ] {
        for (number, expected) in expected.into_iter().enumerate() {
            let slot = slot * 10 + number as u32;
            let (post, old) = claimed(&table, slot).await;
            if ledger != "claimed" {
                assert_eq!(arm(&table, &post, OLD, "one").await, Armed::Yes);
            }
            let reject = async |why: Rejection| table.reject(&post, "one", &why).await;
            match ledger {
                "posted" => assert!(table.posted(&post, "7", now()).await.unwrap()),
                "rejected" => assert!(reject(Rejection::from_untyped("no")).await.unwrap()),
                "duplicate" => {
                    let message = "no".to_owned();
                    let duplicate = Rejection::Duplicate { message };
                    assert!(reject(duplicate).await.unwrap());
                }
                _ => {}
            }
            let before = read(&table, &post).await;
            let at = later(seconds);
            let change = match number {
                0 => table.post_again(&post, &operator, at).await,
                1 => table.attach(&post, "8", &operator, at).await,
                _ => table.take_over(&post, &old, &[], NEW, &operator, at).await,
            };
            let lines = table.audit_trail(&post).await.unwrap().len();
            match change.unwrap() {
                SlotChange::Made => assert!(expected && lines == 1, "{ledger} {number}"),
                SlotChange::Refused(there) => {
                    assert!(!expected && lines == 0, "{ledger} {number}");
                    assert_eq!(json!(there.unwrap()), json!(before));
                    assert_eq!(json!(read(&table, &post).await), json!(before));
                }
            }
        }
    }
    // A slot that was never claimed.
    let unclaimed: PostId = "spooky-days/2026-10-31/1".parse().unwrap();
    for change in [
        table.post_again(&unclaimed, &operator, now()).await,
        table.attach(&unclaimed, "8", &operator, now()).await,
        table.allow_late(&unclaimed, &operator, now()).await,
        table
            .hand_over(&unclaimed, OLD, NEW, &operator, now())
            .await,
    ] {
        assert!(matches!(change.unwrap(), SlotChange::Refused(None)));
    }
    assert!(table.read(&unclaimed).await.unwrap().is_none());
}

#[tokio::test]
async fn a_pause_stops_arming_until_it_is_over_or_lifted() {
    let table = table().await;
    let operator = operator();
    let (post, _) = claimed(&table, 1).await;
    table
        .set_pause("spooky-days", Some(later(1)), &operator, now())
        .await
        .unwrap();
    let pause = table.pause("spooky-days").await.unwrap();
    assert_eq!(
        pause,
        Some(Pause {
            paused_until: Some(later(1).as_second()),
            reason: "to see".to_owned(),
            by: Some("Ada".to_owned()),
            at: Some(now()),
        })
    );
    assert_eq!(
        arm(&table, &post, OLD, "one").await,
        Armed::Paused(Some("to see".to_owned()))
    );
    assert!(table.armed("spooky-days").await.unwrap().is_empty());
    let paused = async |at| table.paused("spooky-days", at).await.unwrap();
    assert!(paused(now()).await.is_some() && paused(later(1)).await.is_none());
    let resume = || table.lift_pause("spooky-days", &operator, later(2));
    assert!(resume().await.unwrap());
    assert!(!resume().await.unwrap());
    assert_eq!(arm(&table, &post, OLD, "one").await, Armed::Yes);
    let armed = table.armed("spooky-days").await.unwrap();
    assert_eq!(armed.len(), 1);
    assert_eq!(armed[0].as_ref().unwrap().post, post.to_string());

    // Disarmed and armed again, it is still found; posted, it is not.
    table.disarm(&post, "one").await.unwrap();
    assert!(table.armed("spooky-days").await.unwrap().is_empty());
    assert_eq!(arm(&table, &post, OLD, "two").await, Armed::Yes);
    assert_eq!(table.armed("spooky-days").await.unwrap().len(), 1);
    table.posted(&post, "7", now()).await.unwrap();
    assert!(table.armed("spooky-days").await.unwrap().is_empty());
    assert_eq!(read(&table, &post).await.ledger, Ledger::Posted);
    let trail = table.settings_trail("spooky-days").await.unwrap();
    let events: Vec<String> = trail.iter().map(|line| line.what.to_string()).collect();
    assert_eq!(events, ["paused", "resumed"]);
}

#[tokio::test]
async fn only_a_scheduled_post_that_was_not_sent_may_be_allowed_to_be_late() {
    let table = table().await;
    let (by_hand, _) = claimed(&table, 1).await;
    let change = table
        .allow_late(&by_hand, &operator(), now())
        .await
        .unwrap();
    assert!(!made(&change));
    let post: PostId = "spooky-days/2026-10-30/2".parse().unwrap();
    let mut scheduled = record(&post, OLD);
    scheduled.not_after = Some(now().as_second() - 1);
    table.claim(&post, &scheduled).await.unwrap();
    assert_eq!(arm(&table, &post, OLD, "one").await, Armed::TooLate);
    let operator = operator();
    let allow = || table.allow_late(&post, &operator, now());
    assert!(made(&allow().await.unwrap()));
    assert_eq!(read(&table, &post).await.allow_late.as_deref(), Some("Ada"));
    assert_eq!(arm(&table, &post, OLD, "two").await, Armed::Yes);
    assert!(!made(&allow().await.unwrap()));
}

fn over(post: &PostId, name: &str, at: Timestamp) -> OverrideItem {
    OverrideItem {
        post: post.to_string(),
        name: Some(name.to_owned()),
        by: "Ada".to_owned(),
        at,
        ..OverrideItem::default()
    }
}

#[tokio::test]
async fn a_slot_is_claimed_only_with_the_override_that_was_seen_and_overridden_only_while_it_is_free()
 {
    let table = table().await;
    let post: PostId = "spooky-days/2026-10-30/1".parse().unwrap();
    let first = over(&post, "National Bat Day", now());
    let put = async |over: &OverrideItem, at: Timestamp| {
        let changed = table.override_slot(&post, over, &operator(), at).await;
        changed.unwrap()
    };
    assert!(matches!(put(&first, now()).await, SlotChange::Made));
    assert_eq!(table.overriding(&post).await.unwrap(), Some(first.clone()));
    // A pick without it, or with an older one, claims nothing.
    let run = record(&post, OLD);
    let claim = table.claim(&post, &run).await.unwrap();
    assert!(matches!(claim, Claim::Overridden));
    let second = over(&post, "National Owl Day", later(1));
    assert!(matches!(put(&second, later(1)).await, SlotChange::Made));
    let claim = async |seen| table.claim_under(&post, &run, seen).await.unwrap();
    assert!(matches!(claim(Some(&first)).await, Claim::Overridden));
    assert!(table.read(&post).await.unwrap().is_none());
    assert!(matches!(claim(Some(&second)).await, Claim::Held(_)));
    // Entered again, the claim counts, whatever was seen.
    assert!(matches!(claim(None).await, Claim::Held(_)));

    let third = over(&post, "National Cat Day", later(2));
    let SlotChange::Refused(Some(held)) = put(&third, later(2)).await else {
        panic!("a held slot was overridden");
    };
    assert_eq!(held.execution, OLD);
    let undone = table.undo_override(&post, &operator(), later(2)).await;
    assert!(matches!(undone.unwrap(), SlotChange::Refused(Some(_))));
    // A run that failed may be run again.
    let failure = Failure {
        status: "FAILED".to_owned(),
        state: Some("PostTweet".to_owned()),
        error: Some("TweetRejected".to_owned()),
        cause: None,
        redrive_count: 0,
        at: later(2),
    };
    assert!(table.fail(&post, OLD, &failure).await.unwrap());
    assert!(matches!(put(&third, later(3)).await, SlotChange::Made));
    let nothing = json!({});
    let end = RunEnd::new(Outcome::Expired, &nothing);
    let finished = table.finish(&post, OLD, &end, later(3)).await;
    assert!(finished.unwrap());
    assert!(matches!(put(&third, later(4)).await, SlotChange::Made));
    assert_eq!(table.overrides("spooky-days").await.unwrap(), [third]);
    let undone = table.undo_override(&post, &operator(), later(5)).await;
    assert!(matches!(undone.unwrap(), SlotChange::Made));
    assert!(table.overrides("spooky-days").await.unwrap().is_empty());

    let lines = table.audit_trail(&post).await.unwrap();
    let events: Vec<(String, &str)> = lines
        .iter()
        .map(|line| (line.what.to_string(), line.details["by"].as_str().unwrap()))
        .collect();
    assert_eq!(
        events,
        [
            ("overridden".to_owned(), "Ada"),
            ("overridden".to_owned(), "Ada"),
            ("overridden".to_owned(), "Ada"),
            ("overridden".to_owned(), "Ada"),
            ("override-undone".to_owned(), "Ada")
        ]
    );
    assert_eq!(lines[0].details["reason"], "to see");
    assert_eq!(lines[0].details["name"], "National Bat Day");
}

#[tokio::test]
async fn an_override_and_a_claim_at_the_same_moment_never_both_get_through_unseen() {
    let table = table().await;
    for slot in 1..=20 {
        let post: PostId = format!("spooky-days/2026-10-30/{slot}").parse().unwrap();
        let (run, over) = (record(&post, OLD), over(&post, "National Bat Day", now()));
        let by = operator();
        let (claim, change) = tokio::join!(
            table.claim(&post, &run),
            table.override_slot(&post, &over, &by, now())
        );
        match (claim.unwrap(), change.unwrap()) {
            (Claim::Held(_), SlotChange::Refused(_)) | (Claim::Overridden, SlotChange::Made) => {}
            other => panic!("slot {slot}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn only_what_is_posted_and_was_ordered_gone_is_recorded_as_deleted() {
    let table = table().await;
    let (post, _) = claimed(&table, 1).await;
    let order = async |at| table.order_deletion(&post, &operator(), at).await.unwrap();
    assert!(matches!(order(now()).await, SlotChange::Refused(Some(_))));
    assert_eq!(arm(&table, &post, OLD, "one").await, Armed::Yes);
    assert!(matches!(order(now()).await, SlotChange::Refused(Some(_))));
    assert!(table.posted(&post, "7", now()).await.unwrap());
    assert!(!table.deleted(&post, now()).await.unwrap());
    assert!(matches!(order(later(1)).await, SlotChange::Made));
    assert!(matches!(order(later(2)).await, SlotChange::Made));
    assert!(table.deleted(&post, later(3)).await.unwrap());
    assert!(table.deleted(&post, later(4)).await.unwrap());
    let record = table.read(&post).await.unwrap().unwrap();
    assert_eq!(record.ledger, Ledger::Posted);
    assert_eq!(record.deletion.unwrap().at, later(1));
    assert_eq!(record.deleted_at, Some(later(3)));
}
