//! A dry run has a separate record, and does not touch its slot.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

use aws_sdk_dynamodb::Client;
use jiff::{Timestamp, tz::TimeZone};
use local_cloud::Emulator;
use post::{Outcome, PostId};
use posts_table::{
    ApprovalItem, Arm, Caps, Claim, Error, Micros, Operator, OverrideItem, Provider, Record,
    RunEnd, Table,
};
use serde_json::{Value, json};

const RUN: &str = "arn:aws:states:us-east-1:000000000000:execution:daily-post:one";

fn now() -> Timestamp {
    "2026-10-30T12:00:00Z".parse().unwrap()
}

fn post() -> PostId {
    "spooky-days/2026-10-30/1".parse().unwrap()
}

fn record(post: &PostId) -> Record {
    serde_json::from_value(json!({
        "post": post.to_string(),
        "execution": RUN,
        "claimedAt": now(),
        "ledger": "claimed",
        "day": {"status": "picked"},
        "approvalRequired": false,
        "expiresAt": 1_794_000_000,
    }))
    .unwrap()
}

async fn table() -> Table {
    let account = Emulator::shared().await.account();
    account.create_table("posts").await.unwrap();
    Table::new(Client::new(&account.sdk_config().await), "posts")
}

fn is_refused<T>(answer: Result<T, Error>) -> bool {
    matches!(answer, Err(Error::NotAllowed(_, why)) if why.contains("is a dry run"))
}

#[tokio::test]
async fn a_dry_run_is_recorded_beside_the_slot_and_is_found_by_nobody_who_looks_for_posts() {
    let table = table().await;
    let dry = post().dry_run_of(RUN);
    let claimed = table.claim(&dry, &record(&dry)).await.unwrap();
    assert!(matches!(claimed, Claim::Held(_)));
    assert!(table.read(&post()).await.unwrap().is_none());
    assert!(
        table
            .read_date("spooky-days", post().date)
            .await
            .unwrap()
            .is_empty()
    );
    let kept = table.read(&dry).await.unwrap().unwrap();
    assert_eq!(kept.expires_at, Some(1_794_000_000));
    let nothing = json!({});
    let end = RunEnd::new(Outcome::DryRun, &nothing);
    let finished = table.finish(&dry, RUN, &end, now());
    assert!(finished.await.unwrap());
    // The slot is as free as before.
    let claimed = table.claim(&post(), &record(&post())).await.unwrap();
    assert!(matches!(claimed, Claim::Held(_)));
    assert_eq!(
        table
            .read_date("spooky-days", post().date)
            .await
            .unwrap()
            .len(),
        1
    );
    let ended = table.read(&dry).await.unwrap().unwrap();
    assert_eq!(serde_json::to_value(ended).unwrap()["outcome"], "dry-run");
}

#[tokio::test]
async fn a_dry_run_can_never_be_armed_asked_about_paid_for_or_changed_by_hand() {
    let table = table().await;
    let dry = post().dry_run_of(RUN);
    let old = record(&dry);
    table.claim(&dry, &old).await.unwrap();
    let arm = Arm {
        execution: RUN,
        text: "Boo.",
        media_key: "3_1",
        round: 1,
        content_hash: "v1-0",
        lease_id: "one",
        lease_until: now().as_millisecond() + 90_000,
    };
    assert!(is_refused(table.arm(&dry, false, now(), &arm).await));
    let approval: ApprovalItem = serde_json::from_value(json!({
        "post": dry.to_string(), "round": 1, "day": "Bat Day", "caption": "Boo.", "altText": "A bat.",
        "image": {"key": "k", "thumbnailKey": "t", "sha256": "0", "bytes": 1}, "presentedHash": "v1-0",
        "costUsd": 0.0, "slotTime": now(), "timeZone": "UTC", "openedAt": now(), "closesAt": 1,
        "onTimeout": "skip", "approvers": ["owner@example.org"],
    }))
    .unwrap();
    assert!(is_refused(table.open_approval(&approval).await));
    let (caps, zone) = (Caps::default(), TimeZone::UTC);
    let money = table.reserve(&dry, 1, "a", Micros(1), caps, &zone, now());
    assert!(is_refused(money.await));
    let charge = table.charge(&dry, Provider::X, "a", Micros(1), dry.date, now());
    assert!(is_refused(charge.await));
    let operator = Operator {
        by: "Ada".to_owned(),
        reason: Some("to see".to_owned()),
    };
    let taken = table.take_over(&dry, &old, &[], "other", &operator, now());
    assert!(is_refused(taken.await));
    let over = OverrideItem {
        post: post().to_string(),
        skip: Some("no".to_owned()),
        by: "Ada".to_owned(),
        at: now(),
        ..OverrideItem::default()
    };
    // Else the real slot would be overridden.
    let overridden = table.override_slot(&dry, &over, &operator, now());
    assert!(is_refused(overridden.await));
    assert!(table.overriding(&post()).await.unwrap().is_none());
    assert!(table.armed("spooky-days").await.unwrap().is_empty());
    assert!(
        table
            .waiting_approvals("spooky-days")
            .await
            .unwrap()
            .is_empty()
    );
    let left: Value = serde_json::to_value(table.read(&dry).await.unwrap()).unwrap();
    assert_eq!(left, serde_json::to_value(old).unwrap());
}
