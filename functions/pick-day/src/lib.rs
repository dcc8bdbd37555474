#![doc = include_str!("../README.md")]

mod files;

use anyhow::Context;
use aws_config::SdkConfig;
use bot_files::{
    Bot, BotApproval, Calendar, Money, Observance, Pick, Picture, Policy, SlotOverride, Voice,
};
use files::Versioned;
use jiff::{Timestamp, civil::Date};
use lambda_function::env;
use post::{DRY_RUN_KEPT, ExecutionInput, PostId, SkipReason};
use posts_table::{Claim, OverrideItem, Record, Table};
use serde::{Deserialize, Serialize};

/// The execution, and what it was started with.
#[derive(Clone, Debug, Deserialize)]
pub struct Input {
    /// The ARN of the execution.
    pub execution: String,
    /// The execution's input.
    #[serde(flatten)]
    pub run: ExecutionInput,
}

/// What the slot is about. It is stored as the pick, and returned again whenever the execution enters again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Whether there is something to post.
    pub status: Status,
    /// The post, `bot/date/slot`; of a dry run, `bot/date/slot/dry-run-<execution>`.
    pub post: String,
    /// The bot's folder name.
    pub bot: String,
    /// The bot's local date.
    pub date: Date,
    /// The number of the slot on that date.
    pub slot: u32,
    /// Why the slot is skipped, or that it is a duplicate, as a text for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why the slot is skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_reason: Option<SkipReason>,
    /// In a dry run that continues: why a real run would have been skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_skip: Option<String>,
    /// The execution that holds the slot, if it is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_by: Option<String>,
    /// The observance: its name, what its picture shows, and its caption if the calendar has one.
    #[serde(flatten)]
    pub day: Option<Observance>,
    /// When the post appears.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot_time: Option<Timestamp>,
    /// The bot's time zone, by its IANA name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The input of `build-prompt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice: Option<Voice>,
    /// The input of `generate-image`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<Picture>,
    /// The caps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub money: Option<Money>,
    /// Who approves, and until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<BotApproval>,
    /// The S3 versions of the bot's files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Files>,
}

/// Whether there is something to post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The slot has an observance, and this execution holds it.
    Picked,
    /// Nothing is posted.
    Skipped,
    /// Another execution holds the slot.
    Duplicate,
}

/// The S3 versions of the bot's files; `null` in a bucket without versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// Of `bot.toml`.
    pub bot: Option<String>,
    /// Of `calendar.toml`.
    pub calendar: Option<String>,
}

impl Output {
    /// An output without a pick.
    fn without_pick(status: Status, post: &PostId) -> Output {
        Output {
            status,
            post: post.to_string(),
            bot: post.bot.clone(),
            date: post.date,
            slot: post.slot,
            reason: None,
            skip_reason: None,
            would_skip: None,
            held_by: None,
            day: None,
            slot_time: None,
            time_zone: None,
            voice: None,
            picture: None,
            money: None,
            approval: None,
            files: None,
        }
    }
}

/// Picks the observance of a slot and claims the slot.
pub async fn pick_day(
    clients: &Clients,
    config: &Config,
    now: Timestamp,
    input: Input,
) -> Result<Output, Error> {
    let bot = files::bot(clients, config, &input.run.bot).await?;
    let post = post_of(&input, &bot.content);
    lambda_function::telemetry::record_post(&post);

    // The first entry has picked, and the calendar may have changed since. Only a takeover leaves the pick to the
    // execution that it gives the slot to.
    let held = clients.table.read(&post).await?;
    let is_taken_over = held
        .as_ref()
        .is_some_and(|held| held.execution == input.execution && held.day.is_null());
    if let Some(held) = held
        && !is_taken_over
    {
        return output_of(&post, &input.execution, held);
    }

    let mut calendar = files::calendar(clients, config, &input.run.bot).await?;
    let overriding = apply_overrides(clients, &mut calendar.content, &post).await?;
    let stop = stop(clients, &bot.content, &post, now).await?;
    let slot_time = slot_time(&bot.content, &input.run, now)?;
    let output = match post.dry_run {
        None => pick(&post, &bot, &calendar, slot_time, stop),
        // A dry run continues where posting is stopped, for example to try a bot before it is resumed. Its post
        // would appear at once.
        Some(_) => Output {
            would_skip: stop.map(|(_, reason)| reason),
            ..pick(&post, &bot, &calendar, now, None)
        },
    };
    let record = Record {
        day: serde_json::to_value(&output).map_err(|e| Error::Unexpected(e.into()))?,
        ..record(&input, &post, &bot.content, slot_time, now)
    };
    if is_taken_over {
        clients.table.pick(&post, &record).await?;
    }
    claim(clients, &post, &record, overriding.as_ref()).await
}

/// The function's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The name of the table.
    pub table_name: String,
    /// The name of the bucket with the bots' files.
    pub bot_files_bucket: String,
}

impl Config {
    /// Reads the environment; a missing variable is named.
    pub fn from_env() -> Result<Config, env::Error> {
        Ok(Config {
            table_name: env::required("TABLE_NAME")?,
            bot_files_bucket: env::required("BOT_FILES_BUCKET")?,
        })
    }
}

/// The clients of the services that the function calls.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The table.
    pub table: Table,
    /// S3, for the bots' files.
    pub s3: aws_sdk_s3::Client,
}

impl Clients {
    /// The clients of an AWS configuration.
    pub fn new(aws: &SdkConfig, config: &Config) -> Clients {
        Clients {
            table: Table::new(aws_sdk_dynamodb::Client::new(aws), &config.table_name),
            s3: aws_sdk_s3::Client::new(aws),
        }
    }
}

/// Why nothing was picked.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
pub enum Error {
    /// The input cannot be used.
    #[error("{0}")]
    InvalidInput(String),
    /// The bot's files have problems.
    #[error("{0}")]
    BotFilesInvalid(String),
    /// S3 or DynamoDB is unavailable, or an operator changed the slot's override during the pick.
    #[error("{0}")]
    ServiceUnavailable(String),
    /// Anything else.
    #[error("{0:#}")]
    Unexpected(anyhow::Error),
}

lambda_function::function_error!(Error {
    lambda_function::UnreadableInput => InvalidInput,
    posts_table::Error => ServiceUnavailable or Unexpected,
});

/// The post that the execution is about.
fn post_of(input: &Input, bot: &Bot) -> PostId {
    let post = PostId {
        bot: input.run.bot.clone(),
        date: input.run.date(bot.time_zone()),
        slot: input.run.slot,
        dry_run: None,
    };
    match input.run.dry_run {
        false => post,
        true => post.dry_run_of(&input.execution),
    }
}

/// Applies the operators' overrides of the date to the calendar, and returns that of the slot.
/// All of them count: an override can take the observance of another slot, which then gets a different one.
async fn apply_overrides(
    clients: &Clients,
    calendar: &mut Calendar,
    post: &PostId,
) -> Result<Option<OverrideItem>, Error> {
    let mut overriding = None;
    for over in clients.table.overrides_on(&post.bot, post.date).await? {
        let slot = over.slot()?;
        calendar.apply_override(post.date, slot, slot_override(&over));
        if slot == post.slot {
            overriding = Some(over);
        }
    }
    Ok(overriding)
}

fn slot_override(over: &OverrideItem) -> SlotOverride {
    match &over.skip {
        Some(reason) => SlotOverride::Skip(reason.clone()),
        None => SlotOverride::Texts {
            name: over.name.clone(),
            scene: over.scene.clone(),
            caption: over.caption.clone(),
        },
    }
}

/// Why nothing of the bot is posted now, if so. For a dry run, also that its slot is held.
async fn stop(
    clients: &Clients,
    bot: &Bot,
    post: &PostId,
    now: Timestamp,
) -> Result<Option<(SkipReason, String)>, Error> {
    if let Some(reason) = clients.table.paused(&post.bot, now).await? {
        let text = match reason.as_str() {
            "" => "paused".to_owned(),
            reason => format!("paused: {reason}"),
        };
        return Ok(Some((SkipReason::Paused, text)));
    }
    if !bot.enabled {
        let text = "disabled: `enabled` is false in bot.toml".to_owned();
        return Ok(Some((SkipReason::Disabled, text)));
    }
    if post.dry_run.is_some()
        && let Some(held) = clients.table.read(&post.real()).await?
    {
        let text = format!("{} is held by {}", post.real(), held.execution);
        return Ok(Some((SkipReason::Other, text)));
    }
    Ok(None)
}

/// When the post appears: at once for a run by hand that does not wait, else at the slot's time. For a slot that
/// `bot.toml` does not have, that is the time of its schedule.
fn slot_time(bot: &Bot, run: &ExecutionInput, now: Timestamp) -> Result<Timestamp, Error> {
    if !run.waits_for_slot() {
        return Ok(now);
    }
    let zone = bot.time_zone();
    if let Some(time) = bot.slot_time(run.date(zone), run.slot) {
        return Ok(time);
    }
    let Some(scheduled) = run.scheduled_slot(zone) else {
        return Err(Error::InvalidInput(format!(
            "bot.toml of {} has no slot {} to wait for; remove `at`, or correct `slot`",
            run.bot, run.slot
        )));
    };
    let instant = zone.to_ambiguous_timestamp(scheduled).compatible();
    instant.map_err(|e| Error::Unexpected(e.into()))
}

/// The pick of a slot, or why it is skipped.
fn pick(
    post: &PostId,
    bot: &Versioned<Bot>,
    calendar: &Versioned<Calendar>,
    slot_time: Timestamp,
    stop: Option<(SkipReason, String)>,
) -> Output {
    let output = Output {
        files: Some(Files {
            bot: bot.version.clone(),
            calendar: calendar.version.clone(),
        }),
        ..Output::without_pick(Status::Skipped, post)
    };
    let bot = &bot.content;
    match (stop, calendar.content.pick(post.date, post.slot)) {
        (Some((why, reason)), _) | (None, Pick::Nothing { why, reason }) => Output {
            skip_reason: Some(why),
            reason: Some(reason),
            ..output
        },
        (None, Pick::Observance(observance)) => Output {
            status: Status::Picked,
            day: Some(observance),
            slot_time: Some(slot_time),
            time_zone: bot.time_zone().iana_name().map(str::to_owned),
            voice: Some(bot.voice.clone()),
            picture: Some(bot.picture.clone()),
            money: Some(bot.money),
            approval: Some(bot.approval.clone()),
            ..output
        },
    }
}

/// The record of the claim, without the pick.
fn record(input: &Input, post: &PostId, bot: &Bot, slot_time: Timestamp, now: Timestamp) -> Record {
    let late_after = bot.posting.late_after.as_secs();
    let not_after = slot_time.as_second().saturating_add(late_after);
    let kept_until = now.checked_add(DRY_RUN_KEPT).ok();
    Record {
        approval_required: bot.approval.policy == Policy::Required,
        not_after: input.run.waits_for_slot().then_some(not_after),
        expires_at: kept_until
            .filter(|_| post.dry_run.is_some())
            .map(Timestamp::as_second),
        ..Record::claimed(post, &input.execution, now)
    }
}

/// Claims the slot with its pick. The first claim counts: if another entry was faster, its pick is returned.
async fn claim(
    clients: &Clients,
    post: &PostId,
    record: &Record,
    overriding: Option<&OverrideItem>,
) -> Result<Output, Error> {
    match clients.table.claim_under(post, record, overriding).await? {
        Claim::Overridden => Err(Error::ServiceUnavailable(format!(
            "an operator changed the override of {post} during the pick; a retry picks again"
        ))),
        Claim::Held(held) | Claim::HeldByAnother(held) => output_of(post, &record.execution, *held),
    }
}

/// The output for a slot that is held: the pick of its holder, or that it is a duplicate.
fn output_of(post: &PostId, execution: &str, held: Record) -> Result<Output, Error> {
    if held.execution == execution {
        let pick = serde_json::from_value(held.day);
        let pick = pick.with_context(|| format!("the pick of {post} cannot be read"));
        return pick.map_err(Error::Unexpected);
    }
    Ok(Output {
        reason: Some(format!("{post} is held by {}", held.execution)),
        held_by: Some(held.execution),
        ..Output::without_pick(Status::Duplicate, post)
    })
}
