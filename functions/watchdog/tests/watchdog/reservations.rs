//! Money that was reserved and that nobody settles any more.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::tz::TimeZone;
use posts_table::{Caps, Micros, Reservation, Reserved, Settlement};

use crate::setting::{BOT, Yard, at, done, id};

const POST: &str = "spooky-days/2026-10-30/1";

impl Yard {
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
async fn what_a_dead_invocation_has_reserved_counts_in_full_once() {
    let yard = Yard::new().await;
    let dead = yard.reserve("dead", 0).await;
    let settled = yard.reserve("settled", 0).await;
    let cost = Micros(20_000);
    let settle = yard
        .table()
        .settle(&settled, Settlement::Spent, cost, at(1));
    assert!(settle.await.unwrap());
    yard.reserve("alive", 60).await;
    // It may still paint.
    assert_eq!(yard.look(899).await.unwrap(), done(0, 0, 0, 0));
    assert_eq!(yard.money().await, (20_000, 100_000));
    let mut one = done(0, 0, 0, 0);
    one.counted = 1;
    assert_eq!(yard.look(900).await.unwrap(), one);
    assert_eq!(yard.look(901).await.unwrap(), done(0, 0, 0, 0));
    assert_eq!(yard.money().await, (70_000, 50_000));
    // Whoever was only slow is too late to make it less.
    let late = yard
        .table()
        .settle(&dead, Settlement::Released, Micros(0), at(902));
    assert!(!late.await.unwrap());
    assert_eq!(yard.money().await, (70_000, 50_000));
}

#[tokio::test]
async fn a_broken_reservation_does_not_hide_the_others_and_is_named() {
    let yard = Yard::new().await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    yard.dynamodb
        .put_item()
        .table_name("posts")
        .item("pk", text("spooky-days#open"))
        .item("sk", text("reserved#broken"))
        .send()
        .await
        .unwrap();
    yard.reserve("dead", 0).await;
    let (name, message) = yard.fails(900).await;
    assert_eq!(name, "Incomplete");
    assert!(
        message.contains("a reservation of spooky-days"),
        "{message}"
    );
    assert!(message.contains("reserved#broken"), "{message}");
    assert_eq!(yard.money().await, (50_000, 0));
}
