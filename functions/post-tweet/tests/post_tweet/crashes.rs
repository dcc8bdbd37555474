//! Invocations that are killed between any two steps, that overtake each other, and whose requests arrive late.
//!
//! A step is a request to AWS or X. Each goes through a proxy that holds it, and the test says what becomes of it.
//! X takes the same text twice here, so that a tweet that is sent twice shows as two tweets.

use std::sync::Arc;

use fakes::{
    Fault, Kind,
    proxy::{self, Held, Proxy},
};
use post_tweet::{Clients, Config, Error, Output, Status, post_tweet};
use posts_table::Ledger;
use proptest::{prelude::*, test_runner::TestRunner};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::setting::Setting;

/// The function's timeout in seconds, after which Lambda kills it.
const TIMEOUT: i64 = 60;

/// An invocation whose requests are held.
struct Invocation {
    task: JoinHandle<Result<Output, Error>>,
    requests: mpsc::UnboundedReceiver<Held>,
    started: i64,
    held: Option<Held>,
    ended: Option<Result<Output, Error>>,
    _proxies: [Proxy; 2],
}

impl Invocation {
    /// Starts one and waits for its first request.
    async fn start(setting: &Setting, seconds: i64) -> Invocation {
        let (sender, requests) = mpsc::unbounded_channel();
        let endpoint = setting.aws.endpoint_url().unwrap().to_owned();
        let aws = proxy::start(&endpoint, sender.clone()).await.unwrap();
        let x = proxy::start(&setting.x.base_url(), sender).await.unwrap();
        let config = Config {
            x_api_base_url: x.url(),
            ..setting.config.clone()
        };
        let sdk = setting
            .aws
            .clone()
            .into_builder()
            .endpoint_url(aws.url())
            .build();
        let clients = Clients::new(&sdk, &config);
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let invocation = lambda_function::Invocation {
            now: setting.at(seconds),
            id: format!("lease-{number}"),
        };
        let input = setting.input();
        let task =
            tokio::spawn(async move { post_tweet(&clients, &config, invocation, input).await });
        let mut invocation = Invocation {
            task,
            requests,
            started: seconds,
            held: None,
            ended: None,
            _proxies: [aws, x],
        };
        invocation.settle().await;
        invocation
    }

    /// Waits until it holds its next request, or has ended.
    async fn settle(&mut self) {
        tokio::select! {
            held = self.requests.recv() => self.held = held,
            ended = &mut self.task => self.ended = Some(ended.unwrap()),
        }
    }

    /// Its request arrives and is answered.
    async fn step(&mut self) {
        if let Some(held) = self.held.take() {
            held.forward().await;
            self.settle().await;
        }
    }

    /// It is killed. A request that it had sent arrives all the same, or never does.
    async fn kill(self, arrives: bool) {
        self.task.abort();
        if let Some(held) = self.held
            && arrives
        {
            held.lose_answer().await;
        }
    }

    async fn finish(mut self) -> Result<Output, Error> {
        loop {
            if let Some(ended) = self.ended.take() {
                return ended;
            }
            self.step().await;
        }
    }
}

async fn forgetful_x() -> Setting {
    let setting = Setting::new().await;
    setting
        .x
        .fail(Fault::always("create-tweet", Kind::MissedDuplicate));
    setting
}

/// Goes on as the state machine's retriers do, and gives the name of the error that none of them retries.
async fn retried(setting: &Setting, mut seconds: i64) -> Result<Output, &'static str> {
    let mut in_doubt = 0;
    for _ in 0..30 {
        seconds += 30;
        let name: &str = match setting.enter(seconds).await {
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
async fn killed_before_or_after_any_step_it_is_posted_once_or_waits_for_a_person() {
    let mut steps = Vec::new();
    for number in 0.. {
        let mut line = None;
        for arrives in [false, true] {
            let setting = forgetful_x().await;
            let mut invocation = Invocation::start(&setting, 0).await;
            for _ in 0..number {
                invocation.step().await;
            }
            line = invocation.held.as_ref().map(Held::line);
            let Some(line) = &line else { break };
            // After arming, or with the tweet on its way that never arrives.
            let in_doubt = match steps.len() {
                6 => arrives,
                7 => !arrives,
                _ => false,
            };
            invocation.kill(arrives).await;

            let end = retried(&setting, 0).await;
            let case = format!("killed at {line}, which arrives: {arrives}");
            let tweets = setting.x.tweets().len();
            match end {
                Ok(output) => {
                    assert_eq!(output.status, Status::Posted, "{case}");
                    assert_eq!(tweets, 1, "{case}");
                    assert_eq!(setting.record().await.ledger, Ledger::Posted, "{case}");
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
    /// So many seconds pass. Whoever is older than its timeout is killed.
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

/// Plays one history and says what is wrong with it.
async fn play(moves: Vec<Move>, faults: Vec<Kind>) -> Result<(), TestCaseError> {
    let setting = Arc::new(Setting::new().await);
    for kind in faults {
        setting.x.fail(Fault::once("create-tweet", kind));
    }
    setting
        .x
        .fail(Fault::always("create-tweet", Kind::MissedDuplicate));
    let mut now = 0;
    let mut alive: Vec<Invocation> = Vec::new();
    for next in moves {
        match next {
            Move::Enter if alive.len() < 3 => alive.push(Invocation::start(&setting, now).await),
            Move::Enter => {}
            Move::Step(one) if !alive.is_empty() => {
                let one = one.index(alive.len());
                alive[one].step().await;
                if alive[one].ended.is_some() {
                    alive.remove(one);
                }
            }
            Move::Kill(one, arrives) if !alive.is_empty() => {
                alive.remove(one.index(alive.len())).kill(arrives).await;
            }
            Move::Step(_) | Move::Kill(..) => {}
            Move::Wait(seconds, arrives) => {
                now += seconds;
                let (old, young): (Vec<_>, Vec<_>) = std::mem::take(&mut alive)
                    .into_iter()
                    .partition(|one| one.started + TIMEOUT <= now);
                alive = young;
                for one in old {
                    one.kill(arrives).await;
                }
            }
        }
        prop_assert!(setting.x.tweets().len() <= 1, "two tweets");
    }
    for one in alive {
        one.finish().await.ok();
    }
    let end = retried(&setting, now).await;
    let (tweets, record) = (setting.x.tweets().len(), setting.record().await);
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
