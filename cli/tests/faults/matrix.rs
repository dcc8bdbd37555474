//! The fault matrix: each state, each fault, how it ends, and how it is fixed.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io::Write,
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::types::AttributeValue;
use bot_files::Calendar;
use deployment::{EndedExecution, ad_hoc};
use fakes::Fault;
use jiff::civil::Date;
use local_cloud::{Emulator, Mail};
use local_cloud::{TABLE, Zips};
use post::PostId;
use posts_table::{Ledger, Record};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{
    cells::{By, Cause, Cell, Doubt, End, Recorded, Remedy, cells, function, killed},
    fixture::{BOT, CommandLine, Fixture, SECRETS, commands as commands_of, post, until},
    proxy::{self, Kind, Proxy},
    visit::{Page, link},
};

/// What a reader sees of a cell.
struct Row {
    state: &'static str,
    fault: String,
    ended: String,
    record: String,
    notices: String,
    fixed: &'static str,
    then: String,
    tweets: usize,
    pictures: usize,
    wrong: Vec<String>,
}

/// Where cells run, one after the other.
pub struct Worker<'a> {
    pub fixture: Fixture,
    pub cli: CommandLine,
    pub proxy: &'a Proxy,
}

impl Worker<'_> {
    pub async fn new<'a>(proxy: &'a Proxy, zips: &Zips) -> Worker<'a> {
        let fixture = Fixture::of(zips).await;
        Worker {
            cli: CommandLine::new(&fixture),
            fixture,
            proxy,
        }
    }

    pub fn account(&self) -> &str {
        self.fixture.account.id()
    }

    async fn set_policy(&self, asks: bool) {
        let policy = if asks { "required" } else { "off" };
        let policy = format!("policy = \"{policy}\"");
        self.fixture
            .edit_bot(&[
                ("policy = \"required\"", &policy),
                ("posted = false", "posted = true"),
                // All cells are of the same days, and each pays for a picture.
                ("per_day_usd = 1.00", "per_day_usd = 100"),
                ("per_month_usd = 10.00", "per_month_usd = 100"),
            ])
            .await;
    }

    async fn put_secret(&self, name: &str, value: &Value) {
        let request = self.fixture.cloud.secrets.put_secret_value();
        request
            .secret_id(format!("daily-post-local/{name}"))
            .secret_string(value.to_string())
            .send()
            .await
            .unwrap();
    }

    /// Gives a function another timeout, as a deployment does.
    async fn set_timeout(&self, function: &str, seconds: i32) -> i32 {
        let lambda = &self.fixture.cloud.lambda;
        let name = self.fixture.cloud.function_name(function);
        let there = lambda.get_function_configuration().function_name(&name);
        let before = there.send().await.unwrap().timeout.unwrap();
        let change = lambda.update_function_configuration();
        change
            .function_name(&name)
            .timeout(seconds)
            .send()
            .await
            .unwrap();
        let published = lambda.publish_version().function_name(&name);
        let version = published.send().await.unwrap().version.unwrap();
        lambda
            .update_alias()
            .function_name(&name)
            .name("live")
            .function_version(version)
            .send()
            .await
            .unwrap();
        before
    }

    /// Allows no invocation of a function, or lets the version that is deployed run again.
    async fn set_throttled(&self, function: &str, throttled: bool) {
        let lambda = &self.fixture.cloud.lambda;
        let name = self.fixture.cloud.function_name(function);
        // The emulator keeps the limit for `$LATEST` alone, which is the same code.
        let version = match throttled {
            true => "$LATEST".to_owned(),
            false => lambda
                .publish_version()
                .function_name(&name)
                .send()
                .await
                .unwrap()
                .version
                .unwrap(),
        };
        let alias = lambda.update_alias().function_name(&name).name("live");
        alias.function_version(version).send().await.unwrap();
        if throttled {
            let request = lambda.put_function_concurrency().function_name(name);
            let request = request.reserved_concurrent_executions(0);
            request.send().await.unwrap();
        } else {
            let request = lambda.delete_function_concurrency();
            request.function_name(name).send().await.unwrap();
        }
    }

    /// Makes it go wrong, and gives what undoes that.
    async fn cause(&self, cause: &Cause) -> Option<Cause> {
        match cause {
            Cause::OpenAi(kind) => self
                .fixture
                .openai
                .fail(Fault::always("images", kind.clone())),
            Cause::X(operation, kind, times) => self.fixture.x.fail(Fault {
                times: *times,
                ..Fault::always(operation, kind.clone())
            }),
            Cause::Between {
                function,
                request,
                kind,
                after,
                times,
            } => self.proxy.fail(proxy::Fault {
                account: self.account().to_owned(),
                function: (*function).to_owned(),
                request: request.clone(),
                kind: *kind,
                after: *after,
                times: *times,
            }),
            Cause::Timeout(function, seconds) => {
                let before = self.set_timeout(function, *seconds).await;
                return Some(Cause::Timeout(function, before));
            }
            Cause::Throttled(function) => {
                self.set_throttled(function, true).await;
                return Some(cause.clone());
            }
            Cause::BotFile => {
                let cloud = &self.fixture.cloud;
                let broken = b"broken".to_vec();
                cloud.put_bot_file(BOT, "bot.toml", broken).await.unwrap();
            }
            Cause::Secret(name) => self.put_secret(name, &json!({})).await,
            Cause::Answered(_) => {}
        }
        None
    }

    /// Lifts all faults.
    async fn lift(&self, undo: Vec<Cause>) {
        self.proxy.clear(self.account());
        self.fixture.openai.clear_faults();
        self.fixture.x.clear_faults();
        for cause in undo {
            match cause {
                Cause::Timeout(function, seconds) => {
                    self.set_timeout(function, seconds).await;
                }
                Cause::Throttled(function) => self.set_throttled(function, false).await,
                _ => {}
            }
        }
        let [openai_key, x_key_secret, x_token_secret, _] = SECRETS;
        self.put_secret("openai", &json!({"apiKey": openai_key}))
            .await;
        let keys = json!({"apiKey": "key", "apiKeySecret": x_key_secret, "accessToken": "42-token", "accessTokenSecret": x_token_secret});
        self.put_secret("spooky-days/x-credentials", &keys).await;
    }

    /// Answers whatever the post's approvers are asked, for as long as it is waited for.
    async fn approver(&self, by: By, post: &PostId) -> Infallible {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let approvals = self.fixture.cloud.table.approvals(post).await.unwrap();
            let waiting = approvals
                .iter()
                .find(|one| one.decision.is_none() && one.task_token.is_some());
            let Some(waiting) = waiting else { continue };
            match by {
                By::CommandLine => {
                    let approve = ["approve", &post.to_string()];
                    // Refused while the run that is redriven has not started again.
                    self.cli.spooky(&approve).await;
                }
                By::Page => {
                    self.click(post, waiting.round).await;
                    self.fixture.cloud.run_watchdog().await.unwrap();
                }
                By::TaskFailed => {
                    let token = waiting.task_token.as_ref().unwrap();
                    let fail = self.fixture.cloud.sfn.send_task_failure();
                    let fail = fail.task_token(token.expose_secret()).error("ByHand");
                    fail.send().await.unwrap();
                    std::future::pending().await
                }
            }
        }
    }

    /// Approves on the page, whose function may be killed once it has written the decision.
    async fn click(&self, post: &PostId, round: u32) {
        let mails = self.fixture.account.mails().await.unwrap();
        let asks = |mail: &&Mail| mail.subject.starts_with("Approve ");
        let mail = mails.iter().rev().find(asks).unwrap();
        let page = Page::open(&link(&mail.body_text)).await;
        tokio::select! {
            _ = page.answer(&[("answer", "approve")]) => {}
            _ = until("the decision", async || {
                let approval = self.fixture.cloud.table.approval(post, round).await;
                approval.unwrap().unwrap().decision
            }) => {}
        }
    }

    /// The kinds of the notices about a post so far, in order.
    async fn notices(&self, post: &PostId) -> Vec<String> {
        let name = post.to_string();
        let mails = self.fixture.account.mails().await.unwrap();
        let about = mails.iter().filter(|mail| mail.body_text.contains(&name));
        about
            .filter_map(|mail| {
                let (_, rest) = mail.body_text.split_once("This is a \"")?;
                Some(rest.split('"').next()?.to_owned())
            })
            .collect()
    }

    /// Does what the notice, or the runbook where none could be sent, says once the fault is gone.
    async fn remedy(
        &self,
        cell: &Cell,
        ended: &EndedExecution,
        post: &PostId,
    ) -> Result<(), String> {
        let claimed = self.record(post).await.is_some();
        let redrive = match claimed {
            true => format!("redrive {post}"),
            false => format!("redrive {}", ended.execution),
        };
        let post_again = format!("redrive {post} --post-again --reason …");
        let run_again = format!("run --again {post} --reason …");
        let (partition, sort) = (post.partition_key(), post.sort_key());
        let end_lease = self.end_lease(&partition, &sort);
        let commands = match cell.remedy {
            Remedy::Nothing => return Ok(()),
            Remedy::Watchdog => {
                for pending in self
                    .fixture
                    .cloud
                    .table
                    .pending_notifications()
                    .await
                    .unwrap()
                {
                    let event = pending.unwrap().event;
                    self.end_lease("#notices", &format!("pending#{event}"))
                        .await;
                }
                self.fixture.cloud.run_watchdog().await.unwrap();
                return Ok(());
            }
            Remedy::Redrive => vec![redrive],
            Remedy::RedriveAfterTheLease => {
                end_lease.await;
                vec![redrive]
            }
            Remedy::RedriveAndPostAgain => {
                end_lease.await;
                let looked = self.cli.types(&redrive, &[], &[]).await;
                if looked.code == Some(0) || !looked.err.contains("Unconfirmed") {
                    return Err(format!("the redrive should not know: {looked:?}"));
                }
                vec![post_again]
            }
            Remedy::PostAgain => vec![post_again],
            Remedy::Attach => vec![format!("attach {post} <address of the tweet>"), redrive],
            Remedy::RunAgain => vec![run_again],
            Remedy::Reword => vec![format!("override {post} --caption …"), run_again],
        };
        for command in commands {
            if cell.notice.is_some() {
                let named = until_or_not(async || {
                    let mails = self.fixture.account.mails().await.unwrap();
                    let names = |mail: &Mail| commands_of(mail).contains(&command.as_str());
                    mails.iter().any(names).then_some(())
                });
                named
                    .await
                    .ok_or_else(|| format!("no notice names `spooky {command}`"))?;
            }
            let tweet = self.fixture.x.tweets().last().map(|tweet| tweet.id.clone());
            let address = format!("https://x.com/i/status/{}", tweet.unwrap_or_default());
            let caption = format!("--caption '{}'", reworded(post));
            let open = [
                ("<address of the tweet>", address.as_str()),
                ("--caption …", &caption),
            ];
            let more: &[&str] = match command.contains("--post-again") {
                true => &["--json", "--yes"],
                false => &["--json"],
            };
            let printed = tokio::select! {
                printed = self.cli.types(&command, &open, more) => printed,
                never = self.approver(By::CommandLine, post) => match never {},
            };
            if printed.code != Some(0) {
                return Err(format!("{command}: {}", printed.err));
            }
        }
        let text = self
            .fixture
            .x
            .tweets()
            .last()
            .map(|tweet| tweet.text.clone());
        if cell.remedy == Remedy::Reword && text != Some(reworded(post)) {
            return Err(format!("the tweet should have another caption: {text:?}"));
        }
        Ok(())
    }

    async fn record(&self, post: &PostId) -> Option<Record> {
        self.fixture.cloud.table.read(post).await.unwrap()
    }

    /// As if the clock had gone on until the lease of an item was over.
    pub async fn end_lease(&self, partition_key: &str, sort_key: &str) {
        let request = self.fixture.cloud.dynamodb.update_item().table_name(TABLE);
        request
            .key("pk", AttributeValue::S(partition_key.to_owned()))
            .key("sk", AttributeValue::S(sort_key.to_owned()))
            .update_expression("SET leaseUntil = :past")
            .expression_attribute_values(":past", AttributeValue::N("0".to_owned()))
            .send()
            .await
            .unwrap();
    }

    /// Runs cells until none is left, each on a date of its own.
    async fn work(
        self,
        left: &Mutex<VecDeque<Cell>>,
        rows: &Mutex<Vec<Row>>,
        mut dates: VecDeque<Date>,
    ) -> Self {
        loop {
            let Some(mut cell) = left.lock().unwrap().pop_front() else {
                return self;
            };
            let row = loop {
                let (row, missed) = self.run(&cell, dates.pop_front().unwrap()).await;
                // A function that is merely slow has run into its shortened timeout before the fault.
                if missed && cell.lengthen_timeouts() {
                    continue;
                }
                break row;
            };
            rows.lock().unwrap().push(row);
        }
    }

    /// Runs a cell on a date. The flag says that an attempt of the state ended before the fault could happen.
    async fn run(&self, cell: &Cell, date: Date) -> (Row, bool) {
        let post = post(&date.to_string(), 1);
        let mut wrong = Vec::new();
        let asks = matches!(cell.state, "RequestApproval" | "AwaitApproval");
        self.set_policy(asks).await;
        let mut undo = Vec::new();
        for cause in &cell.causes {
            undo.extend(self.cause(cause).await);
        }
        let (tweets, pictures) = (self.fixture.x.tweets().len(), self.fixture.openai.paid());

        let execution = self
            .fixture
            .cloud
            .start(&ad_hoc(BOT, date, 1))
            .await
            .unwrap();
        let ended = tokio::select! {
            ended = self.fixture.ended(&execution) => ended,
            never = self.approver(cell.answered_by(), &post) => match never {},
        };
        let last = ended.states.last().unwrap();
        let as_it_ended = match ended.status.as_str() {
            "SUCCEEDED" => ended.summary(),
            status => format!(
                "{status} in {}: {} ({} attempts)",
                last.name,
                ended.error.as_deref().unwrap_or_default(),
                last.attempts
            ),
        };
        let right = match cell.end {
            End::Failed(error) => {
                ended.status == "FAILED"
                    && last.name == cell.state
                    && ended.error.as_deref() == Some(error)
            }
            End::Ended(outcome) => ended.output["record"]["outcome"] == outcome,
        };
        if !right {
            wrong.push(format!("it should have ended {:?}", cell.end));
        }
        let hit = cell
            .causes
            .iter()
            .any(|cause| matches!(cause, Cause::Between { .. }));
        // What failed is told by an event, which takes a moment.
        if let Some(kind) = cell.notice {
            let told = until_or_not(async || {
                self.notices(&post)
                    .await
                    .contains(&kind.to_owned())
                    .then_some(())
            })
            .await;
            if told.is_none() {
                wrong.push(format!("there should be a notice {kind}"));
            }
        }
        let record = self.record(&post).await;
        let recorded = match &record {
            None => Recorded::Nothing,
            Some(record) if record.outcome.is_some() => Recorded::Outcome,
            Some(record) if record.failure.is_some() => {
                let failure = record.failure.as_ref().unwrap();
                if failure.state.as_deref() != Some(cell.state) || failure.error != ended.error {
                    wrong.push(format!("the failure is recorded as {failure:?}"));
                }
                Recorded::Failure
            }
            Some(record) => {
                if record.ledger != Ledger::Posted {
                    wrong.push(format!("the ledger is {:?}", record.ledger));
                }
                Recorded::Unrecorded
            }
        };
        if recorded != cell.record {
            wrong.push(format!("the record should be {:?}", cell.record));
        }
        let mut notices = self.notices(&post).await.join(", ");
        let happened = self.proxy.clear(self.account());
        if hit && happened == 0 {
            wrong.push("the fault did not happen".to_owned());
        }
        let of_state = ended.states.iter().filter(|state| state.name == cell.state);
        let missed = happened < of_state.map(|state| state.attempts).sum();
        self.lift(undo).await;
        self.set_policy(asks).await;

        if let Err(why) = self.remedy(cell, &ended, &post).await {
            wrong.push(why);
        }
        let outcome = self.record(&post).await.and_then(|record| record.outcome);
        let outcome = outcome.map_or("none".to_owned(), |outcome| {
            json!(outcome).as_str().unwrap().to_owned()
        });
        let expected = match cell.end {
            End::Ended(outcome) => outcome,
            End::Failed(_) => "posted",
        };
        if outcome != expected {
            wrong.push(format!("it should be {expected} now"));
        }
        if cell.notice.is_none() || cell.remedy != Remedy::Nothing {
            let told = until_or_not(async || {
                self.notices(&post)
                    .await
                    .contains(&"posted".to_owned())
                    .then_some(())
            })
            .await;
            if told.is_none() {
                wrong.push("there should be a notice posted".to_owned());
            }
            notices = self.notices(&post).await.join(", ");
        }
        let tweets = self.fixture.x.tweets().len() - tweets;
        if tweets != usize::from(expected == "posted") {
            wrong.push("the number of tweets is wrong".to_owned());
        }
        let pictures = self.fixture.openai.paid() - pictures;
        // A new run paints again exactly if the old picture is what was wrong.
        if pictures > cell.pictures || cell.remedy == Remedy::RunAgain && pictures < cell.pictures {
            wrong.push(format!("{} pictures were to be paid", cell.pictures));
        }
        let row = Row {
            state: cell.state,
            fault: cell.fault.clone(),
            ended: as_it_ended,
            record: match recorded {
                Recorded::Nothing => "none".to_owned(),
                Recorded::Failure => "failure".to_owned(),
                Recorded::Unrecorded => "ledger posted".to_owned(),
                Recorded::Outcome => "outcome".to_owned(),
            },
            notices,
            fixed: match cell.remedy {
                Remedy::Nothing => "–",
                Remedy::Redrive => "redrive",
                Remedy::RedriveAfterTheLease => "lease over, redrive",
                Remedy::RedriveAndPostAgain => "lease over, redrive, redrive --post-again",
                Remedy::PostAgain => "redrive --post-again",
                Remedy::Attach => "attach, redrive",
                Remedy::RunAgain => "run --again",
                Remedy::Reword => "override --caption, run --again",
                Remedy::Watchdog => "watchdog",
            },
            then: outcome,
            tweets,
            pictures,
            wrong,
        };
        (row, missed)
    }
}

/// Waits so long that only what never comes takes it, on whatever machine.
async fn until_or_not<T>(mut look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    for _ in 0..600 {
        if let Some(there) = look().await {
            return Some(there);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    None
}

/// The caption that a person gives a post whose first one X does not take.
fn reworded(post: &PostId) -> String {
    format!("Another caption for {}, by hand", post.date)
}

/// Dates of the shipped calendar with a day.
pub fn dates() -> VecDeque<Date> {
    let path = format!("{}/../bots/{BOT}/calendar.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let calendar = Calendar::parse("calendar.toml", &text).unwrap();
    let usable = |date: &Date| calendar.usable(*date).is_some_and(|days| days > 0);
    calendar.dates(2026..=2027).filter(usable).collect()
}

/// A cell for each write of an ordinary day, killed before and after it.
async fn kills(worker: &Worker<'_>, dates: &mut VecDeque<Date>) -> Vec<Cell> {
    let mut cells = Vec::new();
    for asks in [false, true] {
        worker.set_policy(asks).await;
        let date = dates.pop_front().unwrap();
        let before = worker.proxy.passed(worker.account()).len();
        let execution = worker
            .fixture
            .cloud
            .start(&ad_hoc(BOT, date, 1))
            .await
            .unwrap();
        let post = post(&date.to_string(), 1);
        let ended = tokio::select! {
            ended = worker.fixture.ended(&execution) => ended,
            never = worker.approver(By::CommandLine, &post) => match never {},
        };
        assert_eq!(ended.output["record"]["outcome"], "posted", "{ended:?}");
        let passed = worker.proxy.passed(worker.account()).split_off(before);
        let states: &[&str] = match asks {
            false => &[
                "PickDay",
                "GenerateImage",
                "StoreImage",
                "PostTweet",
                "RecordResult",
            ],
            true => &["RequestApproval"],
        };
        for state in states {
            let lines: Vec<&str> = passed
                .iter()
                .filter(|asked| asked.function == function(state))
                .map(|asked| asked.line.as_str())
                .collect();
            let mut doubt = None;
            for (index, line) in lines.iter().enumerate().filter(|(_, line)| is_write(line)) {
                let before = &lines[..index];
                let number = before
                    .iter()
                    .filter(|other| other.starts_with(line))
                    .count();
                let number = u32::try_from(number).unwrap();
                let next = lines[index + 1..].iter().find(|line| is_write(line));
                cells.push(killed(state, line, number, doubt, Kind::KillBefore));
                doubt = match (*state, doubt) {
                    ("PostTweet", None) if line.ends_with("TransactWriteItems") => {
                        Some(Doubt::Armed)
                    }
                    ("RecordResult", _) if next.is_some_and(|line| line.starts_with("ses")) => {
                        Some(Doubt::TakenOn)
                    }
                    _ => None,
                };
                cells.push(killed(state, line, number, doubt, Kind::KillAfter));
            }
        }
    }
    cells
}

fn is_write(line: &str) -> bool {
    ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"]
        .iter()
        .any(|write| line.ends_with(write))
        || line.starts_with("s3 PUT")
        || line.starts_with("ses POST")
        || line == "response"
}

/// The errors of the runbook that no cell ends with, and where they are fixed as it says.
const ELSEWHERE: [(&str, &str); 19] = [
    (
        "CaptionRejected",
        "build-prompt: the files and `spooky override` are checked before",
    ),
    (
        "PromptRejected",
        "it ends as refused: cli/tests/machine/runbook.rs",
    ),
    (
        "OverBudget",
        "it ends as skipped: cli/tests/machine/runbook.rs",
    ),
    ("TimedOut", "generate-image; as NoPicture"),
    (
        "OutcomeUnknown",
        "retried until it is Unconfirmed or PostInFlight",
    ),
    ("NotApproved", "cli/tests/machine/runbook.rs"),
    ("NotOrdered", "post-tweet: no run ends with it"),
    (
        "ClaimLost",
        "cli/tests/machine/notices.rs: the notice is not-the-holder",
    ),
    ("InvalidInput", "cli/tests/machine/runbook.rs"),
    ("States.Timeout", "AWS's own, for Sandbox.Timedout"),
    ("Incomplete", "watchdog: no run ends with it"),
    (
        "Lambda.ResourceNotFoundException",
        "cli/tests/machine/operate.rs: a function that is not there",
    ),
    ("Lambda.…", "AWS's own, as Lambda.Unknown"),
    ("Runtime.…", "AWS's own, as Runtime.ExitError"),
    (
        "DynamoDb.ConditionalCheckFailedException",
        "it is caught: cli/tests/machine/approval.rs",
    ),
    (
        "DynamoDb.…",
        "the emulator has no faults there; as AwaitApproval's ByHand",
    ),
    (
        "States.QueryEvaluationError",
        "cli/tests/machine/runbook.rs",
    ),
    ("States.Runtime", "as States.QueryEvaluationError"),
    ("States.ServiceRestart", "cli/tests/machine/restart.rs"),
];

#[test]
fn every_error_of_the_runbook_is_tried() {
    let runbook = include_str!("../../../docs/runbook.md");
    let failed = runbook
        .split("\n### ")
        .find(|part| part.starts_with("failed\n"));
    let rows = failed
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("| "));
    let names = rows.flat_map(|row| {
        let first = row.split(" | ").next().unwrap();
        first.split('`').skip(1).step_by(2)
    });
    let cells = cells();
    let killed = killed(
        "PostTweet",
        "",
        0,
        Some(Doubt::Armed),
        proxy::Kind::KillAfter,
    );
    let mut elsewhere: Vec<&str> = ELSEWHERE.iter().map(|(name, _)| *name).collect();
    for name in names {
        let tried = cells
            .iter()
            .chain([&killed])
            .any(|cell| cell.end == End::Failed(name));
        let before = elsewhere.len();
        elsewhere.retain(|other| *other != name);
        assert_ne!(tried, elsewhere.len() < before, "{name}");
    }
    assert!(elsewhere.is_empty(), "{elsewhere:?} are not in the runbook");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_each_state_ends_where_it_should_and_is_fixed_to_one_post() {
    let started = Instant::now();
    let proxy = Proxy::start(Emulator::shared().await.url()).await;
    let zips = proxy.functions().await;
    let first = Worker::new(&proxy, &zips).await;
    let mut first_dates = dates();
    let mut all = cells();
    all.extend(kills(&first, &mut first_dates).await);
    // For a look at some of them: a part of the state's name, or of the fault.
    if let Ok(only) = std::env::var("SPOOKY_CELLS") {
        all.retain(|cell| format!("{}: {}", cell.state, cell.fault).contains(&only));
    }
    let order: Vec<(&str, String)> = all
        .iter()
        .map(|cell| (cell.state, cell.fault.clone()))
        .collect();
    let left = Mutex::new(VecDeque::from(all));
    let rows = Mutex::new(Vec::new());
    let more = async || {
        let worker = Worker::new(&proxy, &zips).await;
        worker.work(&left, &rows, dates()).await
    };
    let (a, b, c, d) = tokio::join!(
        first.work(&left, &rows, first_dates),
        more(),
        more(),
        more()
    );

    let mut rows = rows.into_inner().unwrap();
    rows.sort_by_key(|row| {
        order
            .iter()
            .position(|(state, fault)| *state == row.state && *fault == row.fault)
    });
    let table = table(&rows, started.elapsed());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fault-matrix.md");
    std::fs::write(path, &table).unwrap();
    // Past the test's capture, so that it is seen when the test passes.
    std::io::stdout().write_all(table.as_bytes()).unwrap();
    for worker in [a, b, c, d] {
        let logs = worker.fixture.logs().await;
        for secret in SECRETS {
            assert!(!logs.contains(secret), "{secret} is in a log");
        }
    }
    let wrong: Vec<String> = rows
        .iter()
        .filter(|row| !row.wrong.is_empty())
        .map(|row| format!("{}, {}: {}", row.state, row.fault, row.wrong.join("; ")))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What was tried, in Markdown.
fn table(rows: &[Row], took: Duration) -> String {
    let mut table = format!(
        "# The fault matrix\n\n{} cells in {} s.\n\n| State | Fault | EndedExecution | Record | Fixed by | Then | Notices | Tweets | Pictures paid | |\n|---|---|---|---|---|---|---|---|---|---|\n",
        rows.len(),
        took.as_secs()
    );
    for row in rows {
        let verdict = if row.wrong.is_empty() { "ok" } else { "WRONG" };
        table.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {verdict} |\n",
            row.state,
            row.fault,
            row.ended,
            row.record,
            row.fixed,
            row.then,
            row.notices,
            row.tweets,
            row.pictures
        ));
    }
    table
}
