//! `spooky redrive`, `attach`, `run --again`, `pause`, `resume`, `status` and `allow-late`: the operator's hand.

use std::io::Write;

use anyhow::{Context, bail, ensure};
use aws_sdk_sfn::types::ExecutionStatus;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use post_record::{Change, DUPLICATE, Ledger, Operator, Outcome, PostId, Record, Switch};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Files, Progress, Which,
    cloud::{Cloud, Run},
    local, say,
};

/// How long a failed execution can be redriven: AWS forgets the definition after that.
const REDRIVABLE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The error of a draft that `store-image` cannot use, now or later.
const PICTURE_UNUSABLE: &str = "PictureUnusable";

/// Go on with a failed run from the state that failed, after saying what that means.
#[derive(Debug, Args)]
pub struct Redrive {
    /// A post, such as spooky-days/2026-10-30/1, or the ARN of an execution.
    what: String,
    /// Send a tweet again that was sent without a clear answer and is not to be found: it may be there twice then.
    #[arg(long, requires = "reason")]
    post_again: bool,
    /// Do not ask for a confirmation.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    whose: Whose,
    /// Why; it is kept in the audit trail.
    #[arg(long)]
    reason: Option<String>,
}

/// Record the tweet of a post that was sent without a clear answer, after looking at the account.
#[derive(Debug, Args)]
pub struct Attach {
    /// The post, bot/date/slot.
    post: PostId,
    /// The address of the tweet, or its id.
    #[arg(value_parser = tweet_id)]
    tweet: String,
    #[command(flatten)]
    whose: Whose,
}

/// Let a post that is too late be posted all the same.
#[derive(Debug, Args)]
pub struct AllowLate {
    /// The post, bot/date/slot.
    post: PostId,
    #[command(flatten)]
    whose: Whose,
    /// Why; it is kept in the audit trail.
    #[arg(long)]
    reason: String,
}

/// Stop a bot: nothing is posted until the time, or until it is resumed.
#[derive(Debug, Args)]
pub struct Pause {
    #[command(flatten)]
    which: Which,
    /// When the pause ends by itself, such as 2026-11-01T00:00:00Z.
    #[arg(long, value_parser = time)]
    until: Option<Timestamp>,
    /// Why; approvers and the record are told.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    whose: Whose,
}

/// Lift the pause of a bot.
#[derive(Debug, Args)]
pub struct Resume {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    whose: Whose,
}

/// Show whether a bot is paused, and which posts may or may not be on X.
#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    which: Which,
    /// Answer with one JSON object.
    #[arg(long)]
    json: bool,
}

/// Who does it, and how the answer looks.
#[derive(Debug, Args)]
struct Whose {
    /// Your name, for the audit trail.
    #[arg(long, env = "USER", default_value = "")]
    by: String,
    /// Answer with one JSON object.
    #[arg(long)]
    json: bool,
}

/// The operator of a command.
pub(crate) fn operator(by: &str, reason: Option<String>) -> anyhow::Result<Operator> {
    let by = by.trim();
    ensure!(
        !by.is_empty(),
        "--by has to be your name: it is kept in the audit trail"
    );
    if let Some(reason) = &reason {
        ensure!(
            !reason.trim().is_empty(),
            "--reason is empty: say why, for the audit trail"
        );
    }
    Ok(Operator {
        by: by.to_owned(),
        reason,
    })
}

/// What a redrive would do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Plan {
    post: String,
    /// The execution that failed.
    failed: String,
    /// The state that runs again.
    state: String,
    error: Option<String>,
    cause: Option<String>,
    paid_usd: f64,
    may_cost_usd: f64,
    late: bool,
    post_again: bool,
}

/// Where a run stands, as far as it says whether it can be redriven.
struct Standing<'a> {
    post: &'a PostId,
    run: &'a Run,
    /// The state that failed.
    state: Option<&'a str>,
    error: Option<&'a str>,
    record: Option<&'a Record>,
    paused: Option<&'a str>,
    post_again: bool,
    now: Timestamp,
}

impl Standing<'_> {
    fn is_late(&self) -> bool {
        self.record.is_some_and(|record| {
            record.allow_late.is_none()
                && record
                    .not_after
                    .is_some_and(|last| last < self.now.as_second())
        })
    }

    /// Why the run cannot be redriven, and what to do instead.
    fn obstacle(&self) -> Option<String> {
        let post = self.post;
        let again = format!("`spooky run --again {post} --reason …`");
        let last = self.run.last();
        if let Some(record) = self.record {
            if record.outcome == Some(Outcome::Posted) {
                return Some(format!("{post} is posted: {}", address(record)));
            }
            if !self.run.holds(&record.execution) {
                return Some(format!(
                    "{post} is held by {} by now; name the post and not the execution",
                    record.execution
                ));
            }
        }
        if last.status == ExecutionStatus::Running {
            return Some(format!(
                "{post} is running; look at it with `spooky show {}`",
                last.arn
            ));
        }
        if self.post_again
            && !self.record.is_some_and(|record| {
                record.ledger == Ledger::Armed && !record.is_in_flight(self.now)
            })
        {
            return Some(format!(
                "--post-again is for a tweet that was sent without a clear answer, and {post} {}",
                self.record.map_or_else(
                    || "was never claimed".to_owned(),
                    |record| ledger(record, self.now)
                )
            ));
        }
        if let Some(outcome) = self.record.and_then(|record| record.outcome) {
            return Some(format!(
                "{post} did not fail, it has ended: {}; to run it again, type {again}",
                name(outcome)
            ));
        }
        if last.status == ExecutionStatus::Succeeded {
            return Some(format!(
                "{} did not fail: nothing is to be redriven",
                last.arn
            ));
        }
        let too_old = last
            .stopped
            .is_some_and(|at| self.now.duration_since(at) > REDRIVABLE);
        if too_old {
            return Some(format!(
                "{} ended more than 14 days ago and cannot be redriven; type {again}",
                last.arn
            ));
        }
        let Some(state) = self.state else {
            return Some(format!("{} failed in no state; type {again}", last.arn));
        };
        if self.error == Some(PICTURE_UNUSABLE) {
            return Some(format!(
                "the picture of {post} cannot be used, and a redrive would find the same; \
                 for another, which is paid again, type {again}"
            ));
        }
        let record = self.record?;
        match record.ledger {
            Ledger::Rejected if is_duplicate(record) => Some(format!(
                "X says that the text of {post} is there already; look at the account, and type \
                 `spooky attach {post} <address of the tweet>`, or {again}"
            )),
            Ledger::Rejected => Some(format!(
                "X refuses {post} for good ({}); a redrive would be told the same; type {again}",
                record.rejection.as_deref().unwrap_or_default()
            )),
            Ledger::Armed if !self.post_again && record.looks >= post_tweet::MAX_LOOKS => {
                Some(format!(
                    "nobody knows whether {post} is on X: it was sent and not found in {} looks. \
                     Look at the account. If it is there, type `spooky attach {post} <address of the tweet>` and \
                     redrive it; if not, type `spooky redrive {post} --post-again --reason …`",
                    record.looks
                ))
            }
            Ledger::Claimed | Ledger::Armed if state == "RecordResult" => None,
            Ledger::Armed if !self.post_again => None,
            Ledger::Claimed | Ledger::Armed => {
                if let Some(reason) = self.paused {
                    return Some(format!(
                        "the bot is paused ({reason}), and {post} would end as skipped; type `spooky resume` first"
                    ));
                }
                self.is_late().then(|| {
                    format!(
                        "{post} is too late by now and would end as skipped; \
                         type `spooky allow-late {post} --reason …` first"
                    )
                })
            }
            Ledger::Posted => None,
        }
    }
}

impl Redrive {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let operator = operator(&self.whose.by, self.reason.clone())?;
        let cloud = local::running().await?;
        let (post, run) = self.find(&cloud).await?;
        let record = cloud.table.read(&post).await?;
        let last = &run.last().arn;
        let failed = cloud.failed_state(last).await?;
        let described = cloud
            .sfn
            .describe_execution()
            .execution_arn(last)
            .send()
            .await
            .context("describing the execution")?;
        let now = Timestamp::now();
        let paused = cloud.table.paused(&post.bot, now).await?;
        let standing = Standing {
            post: &post,
            run: &run,
            state: failed.as_ref().map(|(state, _)| state.as_str()),
            error: described.error(),
            record: record.as_ref(),
            paused: paused.as_deref(),
            post_again: self.post_again,
            now,
        };
        if let Some(obstacle) = standing.obstacle() {
            bail!("nothing was redriven: {obstacle}");
        }
        let late = standing.is_late();
        let (state, input) = failed.context("the execution failed in no state")?;
        let input: Value = serde_json::from_str(&input)?;
        let plan = Plan {
            post: post.to_string(),
            failed: last.clone(),
            paid_usd: paid(&input),
            may_cost_usd: may_cost(&post, &state, &input, record.as_ref(), self.post_again)?,
            late,
            post_again: self.post_again,
            error: described.error.clone(),
            cause: described.cause.clone(),
            state,
        };
        let progress = Progress::new();
        progress.note(&plan.says(record.as_ref()));
        drop(progress);
        if self.post_again {
            if !self.yes {
                confirm(&post).await?;
            }
            let change = cloud.table.post_again(&post, &operator, Timestamp::now());
            if let Change::Refused(there) = change.await? {
                bail!("nothing was redriven: {post} {}", is_now(there));
            }
        }
        let claimed = record.is_some().then_some(&post);
        let execution = cloud.continue_from(claimed, &run, &operator).await?;
        let progress = Progress::new();
        progress.note(&format!("continued as {execution}"));
        let ended = cloud.wait(&execution, |state| progress.step(state)).await?;
        drop(progress);
        if self.whose.json {
            say(&json!({"plan": plan, "run": ended}).to_string())?;
        } else if ended.status == "SUCCEEDED" {
            say(&format!("{post}: {}", ended.says()))?;
        }
        ensure!(
            ended.status == "SUCCEEDED",
            "{post} failed again, in {}: {} {}",
            ended.states.last().map_or("no state", |state| &state.name),
            ended.error.as_deref().unwrap_or(&ended.status),
            ended.cause.as_deref().unwrap_or_default()
        );
        Ok(())
    }

    /// The post and its run.
    async fn find(&self, cloud: &Cloud) -> anyhow::Result<(PostId, Run)> {
        if !self.what.starts_with("arn:") {
            let post: PostId = self.what.parse()?;
            let record = cloud.table.read(&post).await?.with_context(|| {
                format!(
                    "nobody ever claimed {post}; if it failed in PickDay, name its execution, which `spooky runs` lists"
                )
            })?;
            let run = cloud.run_of(&record.execution).await?.with_context(|| {
                format!(
                    "{} holds {post} and was never started; type `spooky run --again {post} --reason …`",
                    record.execution
                )
            })?;
            return Ok((post, run));
        }
        let run = cloud.run_of(&self.what).await?.with_context(|| {
            format!(
                "there is no execution {}; `spooky runs` lists them",
                self.what
            )
        })?;
        let described = cloud
            .sfn
            .describe_execution()
            .execution_arn(&run.first.arn)
            .send()
            .await
            .context("describing the execution")?;
        let input: Value = serde_json::from_str(described.input().unwrap_or_default())?;
        let post = post_of(&input).with_context(|| {
            format!(
                "the input of {} names no slot, and a redrive would have the same input; type `spooky run`",
                run.first.arn
            )
        })?;
        Ok((post, run))
    }
}

impl Plan {
    fn says(&self, record: Option<&Record>) -> String {
        let tweet = match record.map(|record| record.ledger) {
            Some(Ledger::Posted) => "it is on X already",
            Some(Ledger::Armed) if self.post_again => "it is sent once more",
            Some(Ledger::Armed) => "it was sent, and is looked for; nothing is sent again",
            _ => "it was not sent",
        };
        format!(
            "{} failed in {} ({}): {}\n\
             what runs again: {}, and what follows it\n\
             the tweet:       {tweet}\n\
             paid already:    ${:.2}\n\
             may cost:        ${:.2}\n\
             the slot:        {}",
            self.post,
            self.state,
            self.error.as_deref().unwrap_or("no error name"),
            self.cause.as_deref().unwrap_or("no cause"),
            self.state,
            self.paid_usd,
            self.may_cost_usd,
            match self.late {
                true => "is late",
                false => "is not late",
            }
        )
    }
}

impl Attach {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let operator = operator(&self.whose.by, None)?;
        let cloud = local::running().await?;
        let post = &self.post;
        let change = cloud
            .table
            .attach(post, &self.tweet, &operator, Timestamp::now())
            .await?;
        if let Change::Refused(there) = change {
            bail!("nothing was attached: {post} {}", is_now(there));
        }
        if self.whose.json {
            let answer =
                json!({"post": post.to_string(), "tweetId": self.tweet, "by": operator.by});
            return say(&answer.to_string());
        }
        say(&format!(
            "{post} is posted as {}, says {}\nto end its run, type `spooky redrive {post}`",
            self.tweet, operator.by
        ))
    }
}

impl AllowLate {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let operator = operator(&self.whose.by, Some(self.reason))?;
        let cloud = local::running().await?;
        let post = &self.post;
        let change = cloud.table.allow_late(post, &operator, Timestamp::now());
        if let Change::Refused(there) = change.await? {
            let why = match there {
                Some(record) if record.outcome.is_some() || record.not_after.is_some() => {
                    is_now(Some(record))
                }
                Some(_) => "was run by hand, and such a post is never late".to_owned(),
                None => "has not run yet; it can be late only after that".to_owned(),
            };
            bail!("nothing was allowed: {post} {why}");
        }
        if self.whose.json {
            return say(
                &json!({"post": post.to_string(), "lateAllowedBy": operator.by}).to_string(),
            );
        }
        say(&format!("{post} may be late, says {}", operator.by))
    }
}

impl Pause {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let operator = operator(&self.whose.by, Some(self.reason))?;
        let now = Timestamp::now();
        if let Some(until) = self.until {
            ensure!(
                until > now,
                "--until {until} is over; give a time to come, or none to pause until `spooky resume`"
            );
        }
        let cloud = local::running().await?;
        let bot = &self.which.bot;
        cloud.table.pause(bot, self.until, &operator, now).await?;
        state(&cloud, bot, self.whose.json, now).await
    }
}

impl Resume {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let operator = operator(&self.whose.by, None)?;
        let cloud = local::running().await?;
        let bot = &self.which.bot;
        let now = Timestamp::now();
        ensure!(
            cloud.table.resume(bot, &operator, now).await?,
            "{bot} was not paused; see `spooky status`"
        );
        state(&cloud, bot, self.whose.json, now).await
    }
}

impl Status {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let cloud = local::running().await?;
        state(&cloud, &self.which.bot, self.json, Timestamp::now()).await
    }
}

/// Says whether a bot is paused, and what is armed.
async fn state(cloud: &Cloud, bot: &str, json: bool, now: Timestamp) -> anyhow::Result<()> {
    let switch = cloud.table.switch(bot).await?;
    let paused = switch.filter(|switch| !switch.is_over(now));
    let armed = cloud.table.armed(bot).await?;
    if json {
        let listed: Vec<Value> = armed
            .iter()
            .map(|record| {
                json!({
                    "post": record.post,
                    "armedAt": record.armed_at,
                    "inFlight": record.is_in_flight(now),
                    "looks": record.looks,
                })
            })
            .collect();
        return say(&json!({"bot": bot, "paused": paused, "armed": listed}).to_string());
    }
    let mut lines = vec![match &paused {
        Some(switch) => says(bot, switch)?,
        None => format!("{bot} is not paused"),
    }];
    for record in &armed {
        lines.push(format!("{} {}", record.post, ledger(record, now)));
    }
    say(&lines.join("\n"))
}

fn says(bot: &str, switch: &Switch) -> anyhow::Result<String> {
    let mut line = format!("{bot} is paused");
    if let Some(until) = switch.paused_until {
        line.push_str(&format!(" until {}", Timestamp::from_second(until)?));
    }
    if let Some(by) = &switch.by {
        line.push_str(&format!(" by {by}"));
    }
    if !switch.reason.is_empty() {
        line.push_str(&format!(": {}", switch.reason));
    }
    Ok(line)
}

/// Gives a slot that was not posted to a new execution, if nobody is at it. Gives that execution.
pub(crate) async fn run_again(
    cloud: &Cloud,
    post: &PostId,
    operator: &Operator,
) -> anyhow::Result<String> {
    let record = cloud.table.read(post).await?.with_context(|| {
        format!(
            "{post} was never run; type `spooky run --date {} --slot {}`",
            post.date, post.slot
        )
    })?;
    let refuse = |why: String| format!("{post} was not run again: it {why}");
    ensure!(
        !matches!(record.ledger, Ledger::Armed | Ledger::Posted),
        refuse(is_now(Some(Box::new(record))))
    );
    // An execution that is not there was never started, or AWS has forgotten it.
    let run = cloud.run_of(&record.execution).await?;
    if let Some(run) = &run {
        let last = run.last();
        ensure!(
            last.status != ExecutionStatus::Running,
            refuse(format!(
                "is running; look at it with `spooky show {}`",
                last.arn
            ))
        );
        // A draft that cannot be used would be found again. The bucket keeps its older version.
        let ended = cloud
            .sfn
            .describe_execution()
            .execution_arn(&last.arn)
            .send()
            .await
            .context("describing the execution")?;
        if ended.error() == Some(PICTURE_UNUSABLE)
            && let Some((_, input)) = cloud.failed_state(&last.arn).await?
            && let Some(key) = serde_json::from_str::<Value>(&input)?["draft"]["key"].as_str()
        {
            cloud
                .s3
                .delete_object()
                .bucket(&cloud.image_bucket)
                .key(key)
                .send()
                .await
                .context("removing the draft that cannot be used")?;
        }
    }
    cloud.run_again(post, &record, run.as_ref(), operator).await
}

/// Asks for the name of the post on standard input.
async fn confirm(post: &PostId) -> anyhow::Result<()> {
    write!(
        std::io::stderr(),
        "If the first tweet of {post} is there after all, it will be there twice. Look at the account first.\n\
         Type {post} to send it again: "
    )?;
    // A thread of its own, which does not keep the command from ending at Ctrl-C.
    let (answer, typed) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line);
        // Nobody waits for it any more after Ctrl-C.
        let _ = answer.send(read.map(|_| line));
    });
    let line = typed.await.context("reading the confirmation")??;
    ensure!(
        line.trim() == post.to_string(),
        "nothing was redriven: not confirmed; type {post}, or give --yes in a script"
    );
    Ok(())
}

/// What the run has paid, in US dollars, by the input of the state that failed.
fn paid(input: &Value) -> f64 {
    [
        &input["spentUsd"],
        &input["draft"]["costUsd"],
        &input["tweet"]["costUsd"],
    ]
    .into_iter()
    .filter_map(Value::as_f64)
    .sum()
}

/// What going on may cost at most, in US dollars, if everything goes well.
fn may_cost(
    post: &PostId,
    state: &str,
    input: &Value,
    record: Option<&Record>,
    post_again: bool,
) -> anyhow::Result<f64> {
    let mut cost = 0.0;
    if ["PickDay", "BuildPrompt", "GenerateImage"].contains(&state) {
        let quality = match input["day"]["picture"]["quality"].as_str() {
            Some(quality) => quality.to_owned(),
            None => Files::read(&post.bot)?.bot.picture.quality,
        };
        cost += generate_image::estimate_usd(&quality);
    }
    let ledger = record.map_or(Ledger::Claimed, |record| record.ledger);
    if state != "RecordResult" && (ledger == Ledger::Claimed || post_again) {
        cost += post_tweet::COST_USD;
    }
    Ok(cost)
}

/// The post that an execution's input is about.
fn post_of(input: &Value) -> Option<PostId> {
    let bot = input["bot"].as_str()?.to_owned();
    let slot = u32::try_from(input["slot"].as_u64()?).ok()?;
    let date = match input["date"].as_str() {
        Some(date) => date.parse().ok()?,
        None => {
            let at: Timestamp = input["scheduledTime"].as_str()?.parse().ok()?;
            let files = Files::read(&bot).ok()?;
            at.to_zoned_datetime(files.bot.time_zone().clone()).date()
        }
    };
    Some(PostId { bot, date, slot })
}

/// What to say of a slot on which something is not allowed.
fn is_now(record: Option<Box<Record>>) -> String {
    let Some(record) = record else {
        return "was never run".to_owned();
    };
    match record.outcome {
        Some(outcome) if outcome != Outcome::Posted => format!("has ended: {}", name(outcome)),
        _ => ledger(&record, Timestamp::now()),
    }
}

/// What the ledger says, after the name of the post.
fn ledger(record: &Record, now: Timestamp) -> String {
    match record.ledger {
        Ledger::Claimed => "was not sent".to_owned(),
        Ledger::Armed if record.is_in_flight(now) => {
            "is being sent right now; look again in two minutes".to_owned()
        }
        Ledger::Armed => format!(
            "may or may not be on X; the timeline was looked at {} times: see `spooky redrive {}`",
            record.looks, record.post
        ),
        Ledger::Posted => format!("is posted: {}", address(record)),
        Ledger::Rejected => format!(
            "was refused by X: {}",
            record.rejection.as_deref().unwrap_or_default()
        ),
    }
}

fn is_duplicate(record: &Record) -> bool {
    let rejection = record.rejection.as_deref().unwrap_or_default();
    rejection.starts_with(DUPLICATE)
}

fn address(record: &Record) -> String {
    let id = record.tweet_id.as_deref().unwrap_or_default();
    format!("https://x.com/i/status/{id}")
}

fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Posted => "posted",
        Outcome::Skipped => "skipped",
        Outcome::Refused => "refused",
        Outcome::Rejected => "rejected",
        Outcome::Expired => "expired",
    }
}

/// The id in a tweet's address, or the id itself.
fn tweet_id(text: &str) -> Result<String, String> {
    let id = match text.split_once("/status/") {
        Some((before, after)) => {
            let host = before.trim_start_matches("https://").split('/').next();
            let host = host.unwrap_or_default().trim_start_matches("www.");
            let id = after.split(['/', '?', '#']).next().unwrap_or_default();
            match ["x.com", "twitter.com", "mobile.twitter.com"].contains(&host) {
                true => id,
                false => "",
            }
        }
        None => text,
    };
    match (1..=19).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit()) {
        true => Ok(id.to_owned()),
        false => Err(
            "write the tweet's address, such as https://x.com/i/status/1900544781383569409, or its id"
                .to_owned(),
        ),
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| {
        "write a time with its zone, such as 2026-11-01T00:00:00Z or 2026-11-01T08:00:00-04:00"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Execution;

    #[test]
    fn a_tweet_is_named_by_its_address_or_its_id() {
        for text in [
            "1900544781383569409",
            "https://x.com/spooky_days/status/1900544781383569409",
            "https://twitter.com/i/status/1900544781383569409?s=20",
            "x.com/i/status/1900544781383569409/photo/1",
        ] {
            assert_eq!(tweet_id(text).unwrap(), "1900544781383569409", "{text}");
        }
        for text in [
            "",
            "spooky",
            "https://example.org/i/status/1",
            "https://x.com/i/status/",
            "https://x.com/spooky_days",
            "12345678901234567890",
        ] {
            assert!(tweet_id(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_redriven_is_said_with_what_to_do_instead() {
        let now: Timestamp = "2026-10-30T20:00:00Z".parse().unwrap();
        let post: PostId = "spooky-days/2026-10-30/1".parse().unwrap();
        let arn = "arn:aws:states:us-east-1:000000000000:execution:daily-post-local:one";
        let run = |status: ExecutionStatus, hours: i64| Run {
            first: Execution {
                arn: arn.to_owned(),
                status,
                started: now,
                stopped: now.checked_sub(SignedDuration::from_hours(hours)).ok(),
            },
            later: Vec::new(),
        };
        let record = |changes: Value| -> Record {
            let mut record = json!({
                "post": post.to_string(), "execution": arn, "claimedAt": now, "ledger": "claimed",
                "approvalRequired": false,
            });
            for (name, value) in changes.as_object().unwrap() {
                record[name] = value.clone();
            }
            serde_json::from_value(record).unwrap()
        };
        let armed = json!({"ledger": "armed", "looks": 6, "leaseUntil": now.as_millisecond() - 1});
        let failed = run(ExecutionStatus::Failed, 1);
        let tell = |run: &Run, record: &Record, change: &dyn Fn(&mut Standing)| {
            let mut standing = Standing {
                post: &post,
                run,
                state: Some("PostTweet"),
                error: None,
                record: Some(record),
                paused: None,
                post_again: false,
                now,
            };
            change(&mut standing);
            standing.obstacle()
        };
        let as_is = |_: &mut Standing| {};
        assert_eq!(tell(&failed, &record(json!({})), &as_is), None);
        assert_eq!(
            tell(&failed, &record(json!({"ledger": "posted"})), &as_is),
            None
        );
        let looked_twice = json!({"ledger": "armed", "looks": 2, "leaseUntil": 0});
        assert_eq!(tell(&failed, &record(looked_twice), &as_is), None);
        assert_eq!(
            tell(&failed, &record(armed.clone()), &|s| s.post_again = true),
            None
        );
        let late = json!({"notAfter": now.as_second() - 1});
        let allowed = json!({"notAfter": now.as_second() - 1, "allowLate": "somebody"});
        assert_eq!(tell(&failed, &record(allowed), &as_is), None);
        // The end of a run is recorded, however late it is.
        assert_eq!(
            tell(&failed, &record(late.clone()), &|s| s.state =
                Some("RecordResult")),
            None
        );
        let cases: Vec<(Option<String>, &str)> = vec![
            (
                tell(
                    &run(ExecutionStatus::Running, 0),
                    &record(json!({})),
                    &as_is,
                ),
                "spooky show",
            ),
            (
                tell(
                    &run(ExecutionStatus::Failed, 14 * 24 + 1),
                    &record(json!({})),
                    &as_is,
                ),
                "14 days",
            ),
            (
                tell(
                    &failed,
                    &record(json!({"outcome": "posted", "tweetId": "7"})),
                    &as_is,
                ),
                "status/7",
            ),
            (
                tell(&failed, &record(json!({"outcome": "expired"})), &as_is),
                "expired; to run it again, type `spooky run --again",
            ),
            (
                tell(&failed, &record(json!({"execution": "arn:other"})), &as_is),
                "held by arn:other",
            ),
            (
                tell(&failed, &record(json!({})), &|s| s.state = None),
                "no state",
            ),
            (
                tell(&failed, &record(json!({})), &|s| {
                    s.error = Some("PictureUnusable")
                }),
                "run --again",
            ),
            (
                tell(
                    &failed,
                    &record(json!({"ledger": "rejected", "rejection": "no"})),
                    &as_is,
                ),
                "for good (no)",
            ),
            (
                tell(
                    &failed,
                    &record(json!({"ledger": "rejected", "rejection": "duplicate: no"})),
                    &as_is,
                ),
                "spooky attach",
            ),
            (tell(&failed, &record(armed), &as_is), "--post-again"),
            (
                tell(&failed, &record(json!({})), &|s| s.paused = Some("a storm")),
                "spooky resume",
            ),
            (tell(&failed, &record(late), &as_is), "spooky allow-late"),
        ];
        for (said, expected) in cases {
            let said = said.unwrap_or_default();
            assert!(said.contains(expected), "{said:?} lacks {expected:?}");
        }
        for ledger in [
            json!({"ledger": "claimed"}),
            json!({"ledger": "posted"}),
            json!({"ledger": "rejected"}),
            json!({"ledger": "armed", "leaseUntil": now.as_millisecond() + 1}),
        ] {
            let said = tell(&failed, &record(ledger), &|s| s.post_again = true);
            assert!(said.unwrap().contains("--post-again is for"));
        }
    }
}
