//! Abandoned reservations.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::tz::TimeZone;
use posts_table::{Caps, Micros, Reservation, Reserved, Settlement};

use crate::fixture::{BOT, Fixture, at, done, id};

const POST: &str = "spooky-days/2026-10-30/1";

impl Fixture {
    async fn reserve(&self, name: &str, seconds: i64) -> Reservation {
        let (post, zone) = (id(POST), TimeZone::UTC);
        let (table, caps) = (self.table(), Caps::default());
        let reserve = table.reserve(&post, 1, name, Micros(50_000), caps, &zone, at(seconds));
        match reserve.await.unwrap() {
            Reserved::Yes(reservation) => reservation,
            Reserved::OverBudget(why) => panic!("{why}"),
        }
    }

    /// What is spent, and what is reserved.
    async fn money(&self) -> (i64, i64) {
        let date = at(0).to_zoned_datetime(TimeZone::UTC).date();
        let total = self.table().spending(BOT, date).await.unwrap().total;
        (total.openai.0, total.reserved.0)
    }
}

#[tokio::test]
async fn an_abandoned_reservation_counts_in_full_once() {
    let fixture = Fixture::new().await;
    let dead = fixture.reserve("dead", 0).await;
    let settled = fixture.reserve("settled", 0).await;
    let cost = Micros(20_000);
    let settle = fixture
        .table()
        .settle(&settled, Settlement::Spent, cost, at(1));
    assert!(settle.await.unwrap());
    fixture.reserve("alive", 60).await;
    // It may still paint.
    assert_eq!(fixture.look(899).await.unwrap(), done(0, 0, 0, 0));
    assert_eq!(fixture.money().await, (20_000, 100_000));
    let mut one = done(0, 0, 0, 0);
    one.counted = 1;
    assert_eq!(fixture.look(900).await.unwrap(), one);
    assert_eq!(fixture.look(901).await.unwrap(), done(0, 0, 0, 0));
    assert_eq!(fixture.money().await, (70_000, 50_000));
    // A slow invocation cannot settle it for less afterwards.
    let late = fixture
        .table()
        .settle(&dead, Settlement::Released, Micros(0), at(902));
    assert!(!late.await.unwrap());
    assert_eq!(fixture.money().await, (70_000, 50_000));
}

#[tokio::test]
async fn an_unreadable_reservation_does_not_stop_the_others_and_is_named() {
    let fixture = Fixture::new().await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    fixture
        .dynamodb
        .put_item()
        .table_name("posts")
        .item("pk", text("spooky-days#open"))
        .item("sk", text("reserved#broken"))
        .send()
        .await
        .unwrap();
    fixture.reserve("dead", 0).await;
    let (name, message) = fixture.fails(900).await;
    assert_eq!(name, "Incomplete");
    assert!(
        message.contains("a reservation of spooky-days"),
        "{message}"
    );
    assert!(message.contains("reserved#broken"), "{message}");
    assert_eq!(fixture.money().await, (50_000, 0));
}
