//! Invocations that are killed between any two steps, that run at the same time, and whose requests arrive late.
//!
//! A step is a request to AWS or X. A proxy holds each until the test decides whether it arrives.
//! This X accepts the same text twice, so that a tweet that is sent twice is two tweets.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use fakes::{Fault, Kind};
use post_tweet::{Clients, Config, Error, Output, Status, post_tweet};
use posts_table::Ledger;
use proptest::{prelude::*, test_runner::TestRunner};
use test_kit::stepper::Stepper;

use crate::fixture::Fixture;

/// The function's timeout in seconds, after which Lambda kills it.
const TIMEOUT: i64 = 60;

type Invocation = Stepper<Result<Output, Error>>;

/// Starts an invocation whose requests to AWS and X are held.
async fn start(fixture: &Fixture, seconds: i64) -> Invocation {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let invocation = lambda_function::Invocation {
        now: fixture.at(seconds),
        id: format!("lease-{}", NEXT.fetch_add(1, Ordering::Relaxed)),
    };
    let aws = fixture.aws.endpoint_url().unwrap();
    let services = [aws, &fixture.x.base_url()];
    let input = fixture.input();
    Stepper::start(&services, |addresses| {
        let config = Config {
            x_api_base_url: addresses[1].clone(),
            ..fixture.config.clone()
        };
        let aws = fixture.aws.to_builder().endpoint_url(&addresses[0]);
        let clients = Clients::new(&aws.build(), &config);
        async move { post_tweet(&clients, &config, invocation, input).await }
    })
    .await
}

async fn fixture_without_duplicate_check() -> Fixture {
    let fixture = Fixture::new().await;
    fixture
        .x
        .fail(Fault::always("create-tweet", Kind::MissedDuplicate));
    fixture
}

/// Enters again as the state machine's retriers do, and returns the name of the error that none of them retries.
async fn retried(fixture: &Fixture, mut seconds: i64) -> Result<Output, &'static str> {
    let mut in_doubt = 0;
    for _ in 0..30 {
        seconds += 30;
        let name: &str = match fixture.enter(seconds).await {
            Ok(output) => return Ok(output),
            Err(error) => (&error).into(),
        };
        match name {
            "PostInFlight" | "OutcomeUnknown" => in_doubt += 1,
            "RateLimited" | "ServiceUnavailable" => {}
            final_name => return Err(final_name),
        }
        assert!(in_doubt <= 12, "the retrier for {name} would be used up");
    }
    panic!("no end after 30 entries");
}

#[tokio::test]
async fn killed_before_or_after_any_step_it_is_posted_once_or_needs_an_operator() {
    let mut steps = Vec::new();
    for number in 0.. {
        let mut line = None;
        for arrives in [false, true] {
            let fixture = fixture_without_duplicate_check().await;
            let mut invocation = start(&fixture, 0).await;
            for _ in 0..number {
                invocation.step().await;
            }
            line = invocation.request();
            let Some(line) = &line else { break };
            // After arming, or with the tweet on its way that never arrives.
            let in_doubt = match steps.len() {
                6 => arrives,
                7 => !arrives,
                _ => false,
            };
            invocation.kill(arrives).await;

            let end = retried(&fixture, 0).await;
            let case = format!("killed at {line}, which arrives: {arrives}");
            let tweets = fixture.x.tweets().len();
            match end {
                Ok(output) => {
                    assert_eq!(output.status, Status::Posted, "{case}");
                    assert_eq!(tweets, 1, "{case}");
                    assert_eq!(fixture.record().await.ledger, Ledger::Posted, "{case}");
                }
                // The ledger was armed, and nothing shows that the tweet never left.
                Err(name) => {
                    assert_eq!(name, "Unconfirmed", "{case}");
                    assert_eq!(tweets, 0, "{case}");
                    assert!(in_doubt, "{case}");
                }
            }
        }
        match line {
            Some(line) => steps.push(line),
            None => break,
        }
    }
    // Table, picture, secret, upload, media key, alt text, arm, tweet, posted.
    assert_eq!(steps.len(), 9, "{steps:?}");
    assert_eq!(steps[7], "POST /2/tweets");
}

#[derive(Clone, Debug)]
enum Move {
    /// Another invocation of the state comes in.
    Enter,
    /// The request of one of them arrives and is answered.
    Step(prop::sample::Index),
    /// One of them is killed, and its request arrives or does not.
    Kill(prop::sample::Index, bool),
    /// So many seconds pass. Invocations that are older than the timeout are killed.
    Wait(i64, bool),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    prop::collection::vec(
        prop_oneof![
            2 => Just(Move::Enter),
            12 => any::<prop::sample::Index>().prop_map(Move::Step),
            1 => (any::<prop::sample::Index>(), any::<bool>()).prop_map(|(one, arrives)| Move::Kill(one, arrives)),
            1 => (1..120_i64, any::<bool>()).prop_map(|(seconds, arrives)| Move::Wait(seconds, arrives)),
        ],
        5..50,
    )
}

fn faults() -> impl Strategy<Value = Vec<Kind>> {
    let unavailable = serde_json::json!({"title": "Service Unavailable"});
    prop::collection::vec(
        prop_oneof![
            Just(Kind::ResetBefore),
            Just(Kind::ResetAfter),
            Just(Kind::AcceptedThenError),
            Just(Kind::Empty),
            Just(Kind::Status {
                status: 503,
                body: unavailable.clone()
            }),
            Just(Kind::Status {
                status: 429,
                body: unavailable
            }),
            (1..9_u32).prop_map(|reads| Kind::Hidden { reads }),
        ],
        0..3,
    )
}

/// Plays one history and returns what is wrong with it.
async fn play(moves: Vec<Move>, faults: Vec<Kind>) -> Result<(), TestCaseError> {
    let fixture = Arc::new(Fixture::new().await);
    for kind in faults {
        fixture.x.fail(Fault::once("create-tweet", kind));
    }
    fixture
        .x
        .fail(Fault::always("create-tweet", Kind::MissedDuplicate));
    let mut now = 0;
    // Each with the second in which it started.
    let mut alive: Vec<(i64, Invocation)> = Vec::new();
    for next in moves {
        match next {
            Move::Enter if alive.len() < 3 => alive.push((now, start(&fixture, now).await)),
            Move::Enter => {}
            Move::Step(one) if !alive.is_empty() => {
                let one = one.index(alive.len());
                alive[one].1.step().await;
                if alive[one].1.ended().is_some() {
                    alive.remove(one);
                }
            }
            Move::Kill(one, arrives) if !alive.is_empty() => {
                let (_, one) = alive.remove(one.index(alive.len()));
                one.kill(arrives).await;
            }
            Move::Step(_) | Move::Kill(..) => {}
            Move::Wait(seconds, arrives) => {
                now += seconds;
                let (old, young): (Vec<_>, Vec<_>) = std::mem::take(&mut alive)
                    .into_iter()
                    .partition(|(started, _)| started + TIMEOUT <= now);
                alive = young;
                for (_, one) in old {
                    one.kill(arrives).await;
                }
            }
        }
        prop_assert!(fixture.x.tweets().len() <= 1, "two tweets");
    }
    for (_, one) in alive {
        one.finish().await.ok();
    }
    let end = retried(&fixture, now).await;
    let (tweets, record) = (fixture.x.tweets().len(), fixture.record().await);
    prop_assert!(tweets <= 1, "two tweets");
    match end {
        Ok(output) => {
            prop_assert_eq!(output.status, Status::Posted);
            prop_assert_eq!(tweets, 1);
            prop_assert_eq!(record.ledger, Ledger::Posted);
        }
        Err(name) => {
            prop_assert_eq!(name, "Unconfirmed");
            prop_assert_eq!(record.ledger, Ledger::Armed);
        }
    }
    Ok(())
}

#[test]
fn no_history_of_crashes_races_and_late_timelines_has_two_posts_or_gets_stuck() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 200,
        max_shrink_iters: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&(moves(), faults()), |(moves, faults)| {
            runtime.block_on(play(moves, faults))
        })
        .unwrap();
}
