//! `spooky attach`, `run --again`, `pause`, `resume`, `status` and `allow-late`: the operator's hand.

use anyhow::{Context, bail, ensure};
use aws_sdk_sfn::types::ExecutionStatus;
use clap::Args;
use jiff::{Timestamp, tz::TimeZone};
use post::{Outcome, PostId};
use posts_table::{Change, DUPLICATE, Ledger, Operator, Override, Record, Switch};
use serde_json::{Value, json};

use crate::{
    Which,
    cloud::{Cloud, said},
    place::Place,
    say,
};

/// The error of a draft that `store-image` cannot use, now or later.
pub(crate) const PICTURE_UNUSABLE: &str = "PictureUnusable";

/// The error of a picture that X does not take.
const PICTURE_REJECTED: &str = "PictureRejected";

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

/// Show whether a bot is paused, what is set for slots to come, and which posts may or may not be on X.
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
pub(crate) struct Whose {
    /// Your name, for the audit trail.
    #[arg(long, env = "USER", default_value = "")]
    pub(crate) by: String,
    /// Answer with one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
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

impl Attach {
    pub(crate) async fn run(self, place: &Place) -> anyhow::Result<()> {
        let operator = operator(&self.whose.by, None)?;
        let cloud = place.cloud().await?;
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
    pub(crate) async fn run(self, place: &Place) -> anyhow::Result<()> {
        let operator = operator(&self.whose.by, Some(self.reason))?;
        let cloud = place.cloud().await?;
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
    pub(crate) async fn run(self, place: &Place) -> anyhow::Result<()> {
        let operator = operator(&self.whose.by, Some(self.reason))?;
        let now = Timestamp::now();
        if let Some(until) = self.until {
            ensure!(
                until > now,
                "--until {until} is over; give a time to come, or none to pause until `spooky resume`"
            );
        }
        let cloud = place.cloud().await?;
        let bot = &self.which.bot;
        cloud.ensure_bot(bot).await?;
        cloud.table.pause(bot, self.until, &operator, now).await?;
        state(&cloud, bot, self.whose.json, now).await
    }
}

impl Resume {
    pub(crate) async fn run(self, place: &Place) -> anyhow::Result<()> {
        let operator = operator(&self.whose.by, None)?;
        let cloud = place.cloud().await?;
        let bot = &self.which.bot;
        let now = Timestamp::now();
        cloud.ensure_bot(bot).await?;
        ensure!(
            cloud.table.resume(bot, &operator, now).await?,
            "{bot} was not paused; see `spooky status`"
        );
        state(&cloud, bot, self.whose.json, now).await
    }
}

impl Status {
    pub(crate) async fn run(self, place: &Place) -> anyhow::Result<()> {
        let cloud = place.cloud().await?;
        cloud.ensure_bot(&self.which.bot).await?;
        state(&cloud, &self.which.bot, self.json, Timestamp::now()).await
    }
}

/// Says whether a bot is paused, and what is armed.
async fn state(cloud: &Cloud, bot: &str, json: bool, now: Timestamp) -> anyhow::Result<()> {
    let switch = cloud.table.switch(bot).await?;
    let paused = switch.filter(|switch| !switch.is_over(now));
    let armed = cloud.table.armed(bot).await?;
    let armed: Vec<Record> = armed.into_iter().collect::<Result<_, _>>()?;
    // Kept for a month, and of interest until their date, or that on which they were set, is over everywhere.
    let yesterday = now.to_zoned_datetime(TimeZone::UTC).date().yesterday()?;
    let mut overrides = cloud.table.overrides(bot).await?;
    overrides.retain(|over| {
        let post: Result<PostId, _> = over.post.parse();
        let set = over.at.to_zoned_datetime(TimeZone::UTC).date();
        post.is_ok_and(|post| post.date.max(set) >= yesterday)
    });
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
        return say(
            &json!({"bot": bot, "paused": paused, "overrides": overrides, "armed": listed})
                .to_string(),
        );
    }
    let mut lines = vec![match &paused {
        Some(switch) => says(bot, switch)?,
        None => format!("{bot} is not paused"),
    }];
    for over in &overrides {
        lines.push(format!("{} {}, says {}", over.post, wish(over), over.by));
    }
    for record in &armed {
        lines.push(format!("{} {}", record.post, ledger(record, now)));
    }
    say(&lines.join("\n"))
}

/// What an override says, after the name of the post.
fn wish(over: &Override) -> String {
    if let Some(reason) = &over.skip {
        return format!("is skipped: {reason}");
    }
    let texts = [
        ("day", &over.name),
        ("scene", &over.scene),
        ("caption", &over.caption),
    ];
    let texts: Vec<String> = texts
        .into_iter()
        .filter_map(|(what, text)| Some(format!("{what} \"{}\"", text.as_ref()?)))
        .collect();
    format!("has another {}", texts.join(", another "))
}

/// What the switch of a paused bot says.
pub(crate) fn says(bot: &str, switch: &Switch) -> anyhow::Result<String> {
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
    ensure!(
        post.dry_run.is_none(),
        "{post} is a dry run; type `spooky run --dry-run --date {} --slot {}` for another one",
        post.date,
        post.slot
    );
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
        // A draft that cannot be used, or that X does not take, would be found again. The bucket keeps its older
        // version.
        let ended = cloud.described(&last.arn).await?;
        let ended = ended.with_context(|| format!("{} is gone", last.arn))?;
        if matches!(ended.error(), Some(PICTURE_UNUSABLE | PICTURE_REJECTED))
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
                .map_err(|e| said("removing the draft of a picture that cannot be used", e))?;
        }
    }
    cloud.run_again(post, &record, run.as_ref(), operator).await
}

/// What to say of a slot on which something is not allowed.
pub(crate) fn is_now(record: Option<Box<Record>>) -> String {
    let Some(record) = record else {
        return "was never run".to_owned();
    };
    match record.outcome {
        Some(outcome) if outcome != Outcome::Posted => format!("has ended: {outcome}"),
        _ => ledger(&record, Timestamp::now()),
    }
}

/// What the ledger says, after the name of the post.
pub(crate) fn ledger(record: &Record, now: Timestamp) -> String {
    match record.ledger {
        Ledger::Claimed => "was not sent".to_owned(),
        Ledger::Armed if record.is_in_flight(now) => {
            "is being sent right now; look again in two minutes".to_owned()
        }
        Ledger::Armed => format!(
            "may or may not be on X; the timeline was looked at {} times: see `spooky redrive {}`",
            record.looks, record.post
        ),
        Ledger::Posted => match record.deleted_at {
            Some(at) => format!("was posted as {} and taken down at {at}", address(record)),
            None => format!("is posted: {}", address(record)),
        },
        Ledger::Rejected => format!(
            "was refused by X: {}",
            record.rejection.as_deref().unwrap_or_default()
        ),
    }
}

pub(crate) fn is_duplicate(record: &Record) -> bool {
    let rejection = record.rejection.as_deref().unwrap_or_default();
    rejection.starts_with(DUPLICATE)
}

pub(crate) fn address(record: &Record) -> String {
    let id = record.tweet_id.as_deref().unwrap_or_default();
    format!("https://x.com/i/status/{id}")
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
}
