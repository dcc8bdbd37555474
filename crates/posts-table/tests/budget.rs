//! Budgets: no reservation exceeds a cap, also at the same time as others, and nothing is lost or counted twice.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

use aws_sdk_dynamodb::Client;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use local_cloud::Emulator;
use post::PostId;
use posts_table::{Caps, Micros, Provider, Reservation, Reserved, Settlement, Spending, Table};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

const CENT: i64 = 10_000;
const CAPS: Caps = Caps {
    per_day: Micros(20 * CENT),
    per_month: Micros(50 * CENT),
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-10-30T12:00:00Z")
}

fn today() -> Date {
    "2026-10-30".parse().unwrap()
}

fn post() -> PostId {
    "spooky-days/2026-10-30/1".parse().unwrap()
}

async fn table() -> Table {
    let account = Emulator::shared().await.account();
    account.create_table("posts").await.unwrap();
    Table::new(Client::new(&account.sdk_config().await), "posts")
}

async fn reserve_at(table: &Table, id: &str, cents: i64, now: Timestamp) -> Reserved {
    let zone = TimeZone::get("America/New_York").unwrap();
    let micros = Micros(cents * CENT);
    table
        .reserve(&post(), 1, id, micros, CAPS, &zone, now)
        .await
        .unwrap()
}

async fn reserve(table: &Table, id: &str, cents: i64) -> Reserved {
    reserve_at(table, id, cents, now()).await
}

fn granted(reserved: Reserved) -> Reservation {
    match reserved {
        Reserved::Yes(reservation) => reservation,
        Reserved::OverBudget(why) => panic!("{why}"),
    }
}

fn refused(reserved: Reserved) -> String {
    match reserved {
        Reserved::Yes(reservation) => panic!("{reservation:?}"),
        Reserved::OverBudget(why) => why,
    }
}

/// Of the month and of the one day, which are to be alike.
async fn spending(table: &Table) -> Spending {
    let month = table.spending("spooky-days", today()).await.unwrap();
    assert_eq!(month.days, [(today(), month.total)]);
    month.total
}

fn cents(committed: i64, openai: i64, x: i64, reserved: i64) -> Spending {
    Spending {
        committed: Micros(committed * CENT),
        openai: Micros(openai * CENT),
        x: Micros(x * CENT),
        reserved: Micros(reserved * CENT),
    }
}

#[tokio::test]
async fn a_reservation_counts_until_it_is_settled_with_what_it_cost() {
    let table = table().await;
    let first = granted(reserve(&table, "one", 5).await);
    let second = granted(reserve(&table, "two", 5).await);
    let third = granted(reserve(&table, "three", 5).await);
    assert_eq!(spending(&table).await, cents(15, 0, 0, 15));

    let settle = async |reservation, settlement, cost| {
        let cost = Micros(cost * CENT);
        let settled = table.settle(reservation, settlement, cost, now());
        settled.await.unwrap()
    };
    assert!(settle(&first, Settlement::Spent, 3).await);
    assert!(settle(&second, Settlement::Released, 3).await);
    assert!(settle(&third, Settlement::Unknown, 3).await);
    assert_eq!(spending(&table).await, cents(8, 8, 0, 0));
    // The second time changes nothing, whatever its settlement is.
    assert!(!settle(&first, Settlement::Unknown, 0).await);
    assert_eq!(spending(&table).await, cents(8, 8, 0, 0));
    assert!(table.reservations("spooky-days").await.unwrap().is_empty());
    let attempts = table.attempts(&post()).await.unwrap();
    let mut costs: Vec<i64> = attempts.iter().map(|a| a.micros.0 / CENT).collect();
    costs.sort_unstable();
    assert_eq!(costs, [0, 3, 5]);
}

#[tokio::test]
async fn over_a_cap_nothing_is_reserved_and_the_words_say_why() {
    let table = table().await;
    let settled = granted(reserve(&table, "one", 10).await);
    let cost = Micros(12 * CENT);
    table
        .settle(&settled, Settlement::Spent, cost, now())
        .await
        .unwrap();
    granted(reserve(&table, "two", 5).await);
    assert_eq!(
        refused(reserve(&table, "three", 4).await),
        "a picture may cost $0.04, and of per_day_usd = $0.20 $0.12 are spent and $0.05 reserved on 2026-10-30"
    );
    // To the cap, and not a hair further.
    granted(reserve(&table, "four", 3).await);
    assert_eq!(spending(&table).await, cents(20, 12, 0, 8));
    // More than a whole cap does not even fit on an empty day.
    let tomorrow = at("2026-10-31T12:00:00Z");
    assert!(refused(reserve_at(&table, "five", 21, tomorrow).await).contains("per_day_usd"));
}

#[tokio::test]
async fn a_day_is_the_bots_own_and_a_month_has_a_cap_over_its_days() {
    let table = table().await;
    // In New York it is still the day before.
    let late = granted(reserve_at(&table, "late", 20, at("2026-10-30T03:59:59Z")).await);
    assert_eq!(late.date, "2026-10-29".parse().unwrap());
    granted(reserve_at(&table, "early", 20, at("2026-10-30T04:00:00Z")).await);
    let why = refused(reserve_at(&table, "third", 20, at("2026-10-31T12:00:00Z")).await);
    assert!(why.contains("of per_month_usd = $0.50"), "{why}");
    assert!(why.contains("$0.40 reserved in 2026-10"), "{why}");
    // The month that begins has its whole cap.
    granted(reserve_at(&table, "november", 20, at("2026-11-01T12:00:00Z")).await);
    let october = table.spending("spooky-days", today()).await.unwrap();
    assert_eq!(october.total, cents(40, 0, 0, 40));
    assert_eq!(october.days.len(), 2);
}

#[tokio::test]
async fn a_fee_counts_once_and_leaves_less_for_pictures() {
    let table = table().await;
    let charge = async |id: &str| {
        let (post, fee) = (post(), Micros(2 * CENT));
        let charged = table.charge(&post, Provider::X, id, fee, today(), now());
        charged.await.unwrap()
    };
    assert!(charge("tweet-1").await);
    assert!(!charge("tweet-1").await);
    assert_eq!(spending(&table).await, cents(2, 0, 2, 0));
    refused(reserve(&table, "one", 19).await);
    granted(reserve(&table, "one", 18).await);
}

#[tokio::test]
async fn of_many_at_once_only_so_many_get_money_as_there_is() {
    let table = table().await;
    for round in 0..5 {
        let day = now()
            .checked_add(jiff::SignedDuration::from_hours(24 * 31 * round))
            .unwrap();
        let tries = (0..8).map(|n| {
            let table = table.clone();
            tokio::spawn(async move { reserve_at(&table, &format!("{round}-{n}"), 5, day).await })
        });
        let mut granted = 0;
        for tried in tries.collect::<Vec<_>>() {
            granted += usize::from(matches!(tried.await.unwrap(), Reserved::Yes(_)));
        }
        assert_eq!(granted, 4, "in round {round}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Reserve(i64),
    Settle(usize, Settlement, i64),
    Charge(u8, i64),
}

#[test]
fn whatever_happens_what_is_committed_is_what_was_settled_and_what_is_open() {
    let settlement = prop_oneof![
        Just(Settlement::Spent),
        Just(Settlement::Released),
        Just(Settlement::Unknown)
    ];
    let step = prop_oneof![
        (1i64..8).prop_map(Step::Reserve),
        (0usize..8, settlement, 0i64..9).prop_map(|(n, how, cost)| Step::Settle(n, how, cost)),
        (0u8..4, 1i64..3).prop_map(|(id, fee)| Step::Charge(id, fee)),
    ];
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = TestRunner::new(Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    });
    let steps = proptest::collection::vec(step, 1..20);
    let ran = runner.run(&steps, |steps| {
        runtime.block_on(async {
            let table = table().await;
            let mut reservations = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Reserve(cents) => {
                        let id = number.to_string();
                        let before = table.spending("spooky-days", today()).await.unwrap();
                        let reserved = reserve(&table, &id, cents).await;
                        let fits = before.total.committed.0 + cents * CENT <= CAPS.per_day.0;
                        assert_eq!(matches!(reserved, Reserved::Yes(_)), fits);
                        if let Reserved::Yes(reservation) = reserved {
                            reservations.push(reservation);
                        }
                    }
                    Step::Settle(n, how, cost) if !reservations.is_empty() => {
                        let which = &reservations[n % reservations.len()];
                        let cost = Micros(cost * CENT);
                        table.settle(which, how, cost, now()).await.unwrap();
                    }
                    Step::Settle(..) => {}
                    Step::Charge(id, fee) => {
                        let (id, fee) = (format!("tweet-{id}"), Micros(fee * CENT));
                        let post = post();
                        let charged = table.charge(&post, Provider::X, &id, fee, today(), now());
                        charged.await.unwrap();
                    }
                }
            }
            let open = table.reservations("spooky-days").await.unwrap();
            let open: i64 = open.into_iter().map(|r| r.unwrap().micros.0).sum();
            let settled = table.attempts(&post()).await.unwrap();
            let of = |provider| -> i64 {
                let attempts = settled.iter().filter(|a| a.provider == provider);
                attempts.map(|a| a.micros.0).sum()
            };
            let total = table.spending("spooky-days", today()).await.unwrap().total;
            assert_eq!(total.reserved.0, open);
            assert_eq!(total.openai.0, of(Provider::OpenAi));
            assert_eq!(total.x.0, of(Provider::X));
            assert_eq!(total.committed.0, open + total.openai.0 + total.x.0);
        });
        Ok(())
    });
    ran.unwrap();
}
