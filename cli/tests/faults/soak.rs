//! Many slots side by side, with faults at random, until each has ended: no double post, no lost slot, no lost money.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io::Write,
    sync::Mutex,
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::types::AttributeValue;
use deployment::ad_hoc;
use fakes::{Fault, Kind as Theirs};
use fastrand::Rng;
use jiff::Timestamp;
use local_cloud::Emulator;
use local_cloud::TABLE;
use post::{Outcome, PostId};
use posts_table::{ApprovalItem, Ledger, Micros, Provider, Record};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::{
    fixture::{BOT, SECRETS},
    matrix::{Worker, dates},
    proxy::{self, Kind, Proxy},
};

/// A bot that needs no approval, and one that asks its approver.
const BOTS: [&str; 2] = [BOT, "asking"];

/// How many slots run side by side in an account.
const SIDE_BY_SIDE: usize = 3;

/// After how often a person has done something a slot counts as lost.
const PATIENCE: u32 = 20;

/// What came of all slots.
#[derive(Default)]
struct Count {
    outcomes: BTreeMap<String, u32>,
    /// What people typed.
    commands: BTreeMap<&'static str, u32>,
    lost: Vec<String>,
}

/// How many of what an environment variable says.
fn setting(name: &str, default: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.map_or(default, |text| text.parse().unwrap())
}

/// Makes something go wrong, now or soon, for this slot or one that runs beside it.
fn inject(worker: &Worker<'_>, rng: &mut Rng) {
    let status = |status: u16| Theirs::Status {
        status,
        body: json!({"title": "No", "error": {"message": "No.", "type": "server_error", "param": null, "code": null}}),
    };
    let times = Some(rng.u32(1..=3));
    match rng.u32(0..10) {
        0 | 1 => {
            let kinds = [
                status(503),
                status(500),
                status(429),
                status(401),
                Theirs::ResetBefore,
                Theirs::ResetAfter,
                // Not one that paints and says 503 all the same: that is taken as a refusal that costs nothing.
                Theirs::Empty,
            ];
            worker.fixture.openai.fail(Fault {
                times,
                ..Fault::once("images", rng.choice(kinds).unwrap())
            });
        }
        2..=5 => {
            let operation = [
                "upload",
                "metadata",
                "create-tweet",
                "create-tweet",
                "create-tweet",
                "timeline",
            ];
            let kinds = [
                status(503),
                status(429),
                status(401),
                Theirs::ResetBefore,
                Theirs::ResetAfter,
                Theirs::AcceptedThenError,
                Theirs::Empty,
                Theirs::Hidden {
                    reads: rng.u32(1..9),
                },
            ];
            worker.fixture.x.fail(Fault {
                times,
                ..Fault::once(rng.choice(operation).unwrap(), rng.choice(kinds).unwrap())
            });
        }
        _ => {
            let functions = [
                "pick-day",
                "build-prompt",
                "generate-image",
                "store-image",
                "request-approval",
                "post-tweet",
                "post-tweet",
                "record-result",
                "watchdog",
            ];
            let requests = [
                "dynamodb ",
                "dynamodb ",
                "s3 ",
                "secretsmanager ",
                "ses ",
                "states ",
                "response",
            ];
            let kinds = [
                Kind::Refuse(500),
                Kind::Refuse(503),
                Kind::Refuse(403),
                Kind::KillBefore,
                Kind::KillAfter,
            ];
            let request = rng.choice(requests).unwrap();
            let kind = match request {
                "response" => rng.choice([Kind::KillBefore, Kind::KillAfter]).unwrap(),
                _ => rng.choice(kinds).unwrap(),
            };
            worker.proxy.fail(proxy::Fault {
                account: worker.account().to_owned(),
                function: rng.choice(functions).unwrap().to_owned(),
                request: request.to_owned(),
                kind,
                after: rng.u32(0..6),
                times,
            });
        }
    }
}

/// A slot and the people around it.
struct Slot<'a> {
    worker: &'a Worker<'a>,
    post: PostId,
    rng: Mutex<Rng>,
    count: &'a Mutex<Count>,
}

impl Slot<'_> {
    async fn record(&self) -> Option<Record> {
        self.worker
            .fixture
            .cloud
            .table
            .read(&self.post)
            .await
            .unwrap()
    }

    fn die(&self, sides: u32) -> u32 {
        self.rng.lock().unwrap().u32(0..sides)
    }

    async fn typed(&self, what: &'static str, arguments: &[&str]) -> crate::fixture::Printed {
        *self.count.lock().unwrap().commands.entry(what).or_default() += 1;
        self.worker.cli.spooky(arguments).await
    }

    /// Decides this and that, or lets the deadline pass.
    async fn approver(&self) -> Infallible {
        let post = self.post.to_string();
        loop {
            tokio::time::sleep(Duration::from_millis(250)).await;
            let table = &self.worker.fixture.cloud.table;
            let approvals = table.approvals(&self.post).await.unwrap();
            // A watchdog that was killed has left this to the next one.
            let decided =
                |one: &&ApprovalItem| one.decision.is_some() && one.delivered_at.is_none();
            if approvals.iter().any(|one| decided(&one)) {
                let _ = self.worker.fixture.cloud.run_watchdog().await;
            }
            let waiting = approvals
                .iter()
                .find(|one| one.decision.is_none() && one.task_token.is_some());
            let Some(waiting) = waiting else { continue };
            match self.die(10) {
                0..=4 => {
                    self.typed("approve", &["approve", &post]).await;
                }
                5 => {
                    let caption = format!("Edited by hand on {} 👻", self.post.date);
                    let edit = ["approve", &post, "--caption", &caption];
                    self.typed("approve", &edit).await;
                }
                6 | 7 => {
                    let note = ["regenerate", &post, "--note", "more bats"];
                    self.typed("regenerate", &note).await;
                }
                8 => {
                    let reject = ["reject", &post, "--reason", "not funny"];
                    self.typed("reject", &reject).await;
                }
                _ => {
                    let [pk, sk] = waiting.item_key().unwrap();
                    self.set(&pk, &sk, "closesAt").await;
                    // A fault may keep it from this; then the next one does it.
                    let _ = self.worker.fixture.cloud.run_watchdog().await;
                }
            }
        }
    }

    /// Moves a time of an item into the past, as if the clock had gone on.
    async fn set(&self, pk: &str, sk: &str, name: &str) {
        let request = self.worker.fixture.cloud.dynamodb.update_item();
        request
            .table_name(TABLE)
            .key("pk", AttributeValue::S(pk.to_owned()))
            .key("sk", AttributeValue::S(sk.to_owned()))
            .update_expression("SET #name = :past")
            .expression_attribute_names("#name", name)
            .expression_attribute_values(":past", AttributeValue::N("0".to_owned()))
            .send()
            .await
            .unwrap();
    }

    /// What a person does who looks at a run that has ended without an outcome.
    async fn remedy(&self, execution: &str) {
        let post = self.post.to_string();
        let Some(record) = self.record().await else {
            self.typed("redrive", &["redrive", execution]).await;
            return;
        };
        if record.is_in_flight(Timestamp::now()) {
            let (pk, sk) = (self.post.partition_key(), self.post.sort_key());
            self.worker.end_lease(&pk, &sk).await;
        }
        // Looking at the account, which shows all that is there.
        let tweets = self.worker.fixture.x.tweets();
        let there = tweets.iter().find(|tweet| {
            tweet
                .media_keys
                .iter()
                .any(|key| record.media_keys.contains(key))
        });
        let in_doubt = record.ledger == Ledger::Armed && record.reconciliations >= 6;
        if let (true, Some(tweet)) = (in_doubt || record.ledger == Ledger::Rejected, there) {
            self.typed("attach", &["attach", &post, &tweet.id]).await;
        } else if in_doubt {
            let reason = "it is not there";
            let again = [
                "redrive",
                &post,
                "--post-again",
                "--yes",
                "--reason",
                reason,
            ];
            self.typed("redrive --post-again", &again).await;
            return;
        }
        let printed = self.typed("redrive", &["redrive", &post]).await;
        if printed.err.contains(&format!("spooky run --again {post}"))
            && printed.err.contains("nothing was redriven")
        {
            let again = [
                "run",
                "--again",
                &post,
                "--reason",
                "a redrive cannot fix it",
            ];
            self.typed("run --again", &again).await;
        }
    }

    /// Runs it until it has an outcome, and gives that.
    async fn run(&self) -> Option<Outcome> {
        for _ in 0..self.die(3) {
            inject(self.worker, &mut self.rng.lock().unwrap());
        }
        let cloud = &self.worker.fixture.cloud;
        let input = ad_hoc(&self.post.bot, self.post.date, 1);
        let mut executions = vec![cloud.start(&input).await.unwrap()];
        if self.die(5) == 0 {
            executions.push(cloud.start(&input).await.unwrap());
        }
        let ended = async {
            for execution in &executions {
                cloud.wait(execution, |_| {}).await.unwrap();
            }
        };
        tokio::select! {
            () = ended => {}
            never = self.approver() => match never {},
        }
        for _ in 0..PATIENCE {
            let outcome = self.record().await.and_then(|record| record.outcome);
            if outcome.is_some() {
                return outcome;
            }
            tokio::select! {
                () = self.remedy(&executions[0]) => {}
                never = self.approver() => match never {},
            }
        }
        None
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_slots_with_faults_at_random_end_with_one_post_each_at_most_and_all_money_settled() {
    let (slots, seed) = (
        setting("SPOOKY_SOAK_SLOTS", 300),
        setting("SPOOKY_SOAK_SEED", 1),
    );
    let started = Instant::now();
    let proxy = Proxy::start(Emulator::shared().await.url()).await;
    let zips = proxy.functions().await;
    let workers = [
        Worker::new(&proxy, &zips).await,
        Worker::new(&proxy, &zips).await,
    ];
    let count = Mutex::new(Count::default());
    let mut work = Vec::new();
    for (number, worker) in workers.iter().enumerate() {
        for (bot, policy) in BOTS.into_iter().zip(["off", "required"]) {
            put_bot(worker, bot, policy).await;
        }
        // Whatever it does, X never notices that a text is there already: a tweet that is sent twice is there twice.
        let unnoticed = Fault::always("create-tweet", Theirs::MissedDuplicate);
        worker.fixture.x.fail(unnoticed);
        let half = usize::try_from((slots + number as u64) / 2).unwrap();
        let mut dates = dates();
        assert!(
            half <= dates.len(),
            "there are dates for {} slots",
            2 * dates.len()
        );
        dates.truncate(half);
        let left = Mutex::new(dates);
        let count = &count;
        work.push(async move {
            let next = async || {
                loop {
                    let Some(date) = left.lock().unwrap().pop_front() else {
                        break;
                    };
                    let mut rng = Rng::with_seed(
                        seed ^ (u64::from(date.day_of_year().unsigned_abs()) << 8)
                            ^ (u64::from(date.year().unsigned_abs()) << 20)
                            ^ number as u64,
                    );
                    let bot = BOTS[usize::from(rng.u32(0..4) == 0)];
                    let post = PostId {
                        bot: bot.to_owned(),
                        date,
                        slot: 1,
                        dry_run: None,
                    };
                    let slot = Slot {
                        worker,
                        post: post.clone(),
                        rng: Mutex::new(rng),
                        count,
                    };
                    let outcome = slot.run().await;
                    let mut count = count.lock().unwrap();
                    match outcome {
                        Some(outcome) => {
                            *count
                                .outcomes
                                .entry(format!("{outcome:?}").to_lowercase())
                                .or_default() += 1
                        }
                        None => count.lost.push(post.to_string()),
                    }
                }
            };
            let [a, b, c] = std::array::from_fn::<_, SIDE_BY_SIDE, _>(|_| next());
            tokio::join!(a, b, c);
        });
    }
    let second = work.pop().unwrap();
    tokio::join!(work.pop().unwrap(), second);
    drop(work);

    let count = count.into_inner().unwrap();
    let mut report = format!(
        "The soak: {slots} slots with seed {seed} in {} s.\nOutcomes: {:?}. Commands: {:?}. Lost: {:?}.\n",
        started.elapsed().as_secs(),
        count.outcomes,
        count.commands,
        count.lost,
    );
    let mut wrong = count.lost.clone();
    for worker in &workers {
        let happened = worker.proxy.clear(worker.account());
        worker.fixture.openai.clear_faults();
        wrong.extend(twice(worker).await);
        let money = money(worker, &mut wrong).await;
        report.push_str(&format!(
            "Account {}: {} tweets, {} pictures paid, {happened} faults between functions and AWS, {money}.\n",
            worker.account(),
            worker.fixture.x.tweets().len(),
            worker.fixture.openai.paid(),
        ));
        wrong.extend(said_too_much(worker).await);
    }
    std::io::stdout().write_all(report.as_bytes()).unwrap();
    assert!(wrong.is_empty(), "{report}{wrong:#?}");
}

async fn put_bot(worker: &Worker<'_>, bot: &str, policy: &str) {
    let directory = format!("{}/../bots/{BOT}", env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| std::fs::read_to_string(format!("{directory}/{file}")).unwrap();
    let mut text = read("bot.toml");
    for (from, to) in [
        ("policy = \"required\"", format!("policy = \"{policy}\"")),
        ("per_day_usd = 1.00", "per_day_usd = 1000".to_owned()),
        ("per_month_usd = 10.00", "per_month_usd = 1000".to_owned()),
        // Small ones are painted faster.
        ("size = \"1024x1024\"", "size = \"512x512\"".to_owned()),
    ] {
        assert!(text.contains(from), "bot.toml has no {from}");
        text = text.replace(from, &to);
    }
    let cloud = &worker.fixture.cloud;
    cloud
        .put_bot_file(bot, "bot.toml", text.into_bytes())
        .await
        .unwrap();
    let calendar = read("calendar.toml").into_bytes();
    cloud
        .put_bot_file(bot, "calendar.toml", calendar)
        .await
        .unwrap();
    // The deployment has a secret for the shipped bot. Both bots post to one account, whose tweets are counted.
    if bot != BOT {
        let secret = cloud.secrets.create_secret();
        let secret = secret.name(format!("{}/{bot}/x-credentials", cloud.name));
        let value = worker.fixture.x_credentials().to_string();
        secret.secret_string(value).send().await.unwrap();
    }
}

/// The records of an account, by the post.
async fn records(worker: &Worker<'_>) -> Vec<Record> {
    let table = &worker.fixture.cloud.table;
    let mut records = Vec::new();
    for date in dates() {
        for bot in BOTS {
            records.extend(table.read_date(bot, date).await.unwrap());
        }
    }
    records
}

/// Each tweet is that of a record that says so, and of one only.
async fn twice(worker: &Worker<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let records = records(worker).await;
    for tweet in worker.fixture.x.tweets() {
        let owners: Vec<&Record> = records
            .iter()
            .filter(|record| {
                record
                    .media_keys
                    .iter()
                    .any(|key| tweet.media_keys.contains(key))
            })
            .collect();
        match owners[..] {
            [owner]
                if owner.tweet_id.as_deref() == Some(&tweet.id)
                    && owner.outcome == Some(Outcome::Posted) => {}
            _ => wrong.push(format!(
                "tweet {} ({}) is of {owners:?}",
                tweet.id, tweet.text
            )),
        }
    }
    let posted = records
        .iter()
        .filter(|record| record.outcome == Some(Outcome::Posted))
        .count();
    if posted != worker.fixture.x.tweets().len() {
        wrong.push(format!("{posted} records say that they are posted"));
    }
    wrong
}

/// Has the watchdog settle what dead invocations have reserved; then nothing is reserved, what was spent is what all
/// settled calls have cost, and no picture that was paid is missing.
async fn money(worker: &Worker<'_>, wrong: &mut Vec<String>) -> String {
    let cloud = &worker.fixture.cloud;
    for bot in BOTS {
        for reservation in cloud.table.reservations(bot).await.unwrap() {
            let id = reservation.unwrap().id;
            let request = cloud.dynamodb.update_item().table_name(TABLE);
            request
                .key("pk", AttributeValue::S(format!("{bot}#open")))
                .key("sk", AttributeValue::S(format!("reserved#{id}")))
                .update_expression("SET #at = :past")
                .expression_attribute_names("#at", "at")
                .expression_attribute_values(
                    ":past",
                    AttributeValue::S("2026-01-01T00:00:00Z".to_owned()),
                )
                .condition_expression("attribute_exists(pk)")
                .send()
                .await
                .unwrap();
        }
    }
    cloud.run_watchdog().await.unwrap();
    let (mut spent, mut settled, mut pictures) = (Micros(0), Micros(0), 0);
    for bot in BOTS {
        let left = cloud.table.reservations(bot).await.unwrap();
        if !left.is_empty() {
            wrong.push(format!("not settled: {left:?}"));
        }
        let today = Timestamp::now().in_tz("America/New_York").unwrap().date();
        let month = cloud.table.spending(bot, today).await.unwrap();
        if month.total.reserved != Micros(0) {
            wrong.push(format!("{} are reserved", month.total.reserved));
        }
        spent.0 += month.total.committed.0;
    }
    for record in records(worker).await {
        let post = record.post.parse().unwrap();
        for attempt in cloud.table.attempts(&post).await.unwrap() {
            settled.0 += attempt.micros.0;
            let counts = attempt.provider == Provider::OpenAi && attempt.micros.0 > 0;
            pictures += usize::from(counts);
        }
    }
    if spent != settled {
        wrong.push(format!("{spent} are spent, and {settled} settled"));
    }
    let paid = worker.fixture.openai.paid();
    if pictures < paid {
        wrong.push(format!("{paid} pictures were paid, and {pictures} count"));
    }
    format!("{spent} spent and settled")
}

/// Keys and task tokens in the logs.
async fn said_too_much(worker: &Worker<'_>) -> Vec<String> {
    let logs = worker.fixture.logs().await;
    let mut secrets: Vec<String> = SECRETS.map(ToOwned::to_owned).to_vec();
    for record in records(worker).await {
        let post = record.post.parse().unwrap();
        for approval in worker.fixture.cloud.table.approvals(&post).await.unwrap() {
            secrets.extend(
                approval
                    .task_token
                    .map(|token| token.expose_secret().to_owned()),
            );
        }
    }
    secrets.retain(|secret| logs.contains(secret));
    secrets
        .iter()
        .map(|secret| format!("{secret} is in a log"))
        .collect()
}
