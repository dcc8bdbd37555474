#![doc = include_str!("../README.md")]

use anyhow::anyhow;
use aws_config::SdkConfig;
use aws_sdk_s3::error::SdkError;
use bot_files::{
    Bot, BotApproval, Calendar, Money, Observance, Pick, Picture, Policy, SlotOverride, Voice,
};
use jiff::{Timestamp, civil::Date};
use lambda_function::aws_error;
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

/// What the slot is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Whether there is something to post.
    pub status: Status,
    /// The post, `bot/date/slot`; of a dry run, `bot/date/slot/dry-run-<execution>`, by which every state knows it.
    pub post: String,
    /// The bot's folder name.
    pub bot: String,
    /// The bot's local date.
    pub date: Date,
    /// Which of the date's posts.
    pub slot: u32,
    /// Why nothing is to be posted, as a text for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why the slot is skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_reason: Option<SkipReason>,
    /// Why a real run would have posted nothing, in a dry run that goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_skip: Option<String>,
    /// The execution that holds the slot, where it is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_by: Option<String>,
    /// The day's name, what its picture shows, and its caption if the calendar gives one.
    #[serde(flatten)]
    pub day: Option<Observance>,
    /// When the post is to appear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot_time: Option<Timestamp>,
    /// The bot's time zone, by its IANA name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// What `build-prompt` needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice: Option<Voice>,
    /// What `generate-image` needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<Picture>,
    /// The most that may be spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub money: Option<Money>,
    /// Who has to approve, and until when.
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
    /// There is a day, and the slot is this execution's.
    Picked,
    /// Nothing is to be posted.
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

/// Picks the day of a slot and claims the slot.
pub async fn pick_day(
    clients: &Clients,
    config: &Config,
    now: Timestamp,
    input: Input,
) -> Result<Output, Error> {
    let ExecutionInput {
        bot: name, slot, ..
    } = &input.run;
    let (bot_text, bot_version) = file(clients, config, name, "bot.toml").await?;
    let bot = Bot::parse(&format!("{name}/bot.toml"), &bot_text)
        .map_err(|e| Error::BotFilesInvalid(e.to_string()))?;
    let date = input.run.date(bot.time_zone());
    let slot = *slot;
    let slot_of_post = PostId {
        bot: name.clone(),
        date,
        slot,
        dry_run: None,
    };
    let is_dry = input.run.dry_run;
    let post = match is_dry {
        false => slot_of_post.clone(),
        true => slot_of_post.dry_run_of(&input.execution),
    };
    lambda_function::telemetry::record_post(&post);
    // Whoever entered first has decided; the calendar may have changed since. Only who took the slot over for this
    // execution has left the pick to it.
    let mut taken_over = false;
    if let Some(held) = clients.table.read(&post).await? {
        taken_over = held.execution == input.execution && held.day.is_null();
        if !taken_over {
            return held_answer(&post, &input.execution, held);
        }
    }
    let (calendar_text, calendar_version) = file(clients, config, name, "calendar.toml").await?;
    let mut calendar = Calendar::parse(&format!("{}/calendar.toml", name), &calendar_text)
        .map_err(|e| Error::BotFilesInvalid(e.to_string()))?;
    let mut overriding = None;
    for over in clients.table.overrides_on(&post.bot, date).await? {
        calendar.apply_override(date, over.slot()?, change(&over));
        if over.slot()? == slot {
            overriding = Some(over);
        }
    }

    let slot_time = slot_time(&bot, &input.run, now)?;
    // What only stops posting does not stop a dry run: whoever has paused the bot wants to see that it works again.
    let mut stops = stops(clients, &bot, name, now).await?;
    let mut would_skip = None;
    if is_dry {
        if let Some(held) = clients.table.read(&slot_of_post).await? {
            let held_by = format!("{slot_of_post} is held by {}", held.execution);
            stops.get_or_insert((SkipReason::Other, held_by));
        }
        would_skip = stops.take().map(|(_, reason)| reason);
    }
    let mut output = Output {
        status: Status::Skipped,
        post: post.to_string(),
        bot: name.clone(),
        date,
        slot,
        reason: None,
        skip_reason: None,
        would_skip,
        held_by: None,
        day: None,
        slot_time: None,
        time_zone: None,
        voice: None,
        picture: None,
        money: None,
        approval: None,
        files: Some(Files {
            bot: bot_version,
            calendar: calendar_version,
        }),
    };
    match (stops, calendar.pick(date, slot)) {
        (Some((why, reason)), _) | (None, Pick::Nothing { why, reason }) => {
            output.skip_reason = Some(why);
            output.reason = Some(reason);
        }
        (None, Pick::Observance(day)) => {
            output.status = Status::Picked;
            output.day = Some(day);
            output.slot_time = Some(if is_dry { now } else { slot_time });
            output.time_zone = bot.time_zone().iana_name().map(str::to_owned);
            output.voice = Some(bot.voice.clone());
            output.picture = Some(bot.picture.clone());
            output.money = Some(bot.money);
            output.approval = Some(bot.approval.clone());
        }
    }
    let record = Record {
        day: serde_json::to_value(&output).map_err(|e| Error::Unexpected(e.into()))?,
        approval_required: bot.approval.policy == Policy::Required,
        not_after: input.run.waits_for_slot().then(|| {
            slot_time
                .as_second()
                .saturating_add(bot.posting.late_after.as_secs())
        }),
        expires_at: match is_dry {
            true => now.checked_add(DRY_RUN_KEPT).ok().map(|at| at.as_second()),
            false => None,
        },
        ..Record::claimed(&post, &input.execution, now)
    };
    if taken_over {
        clients.table.pick(&post, &record).await?;
    }
    // What was taken over is held by now, with this pick, or with that of another entry that was faster.
    match clients
        .table
        .claim_under(&post, &record, overriding.as_ref())
        .await?
    {
        Claim::Overridden => Err(Error::ServiceUnavailable(format!(
            "an operator changed the override of {post} at this very moment; it is picked again"
        ))),
        Claim::Held(held) | Claim::HeldByAnother(held) => {
            held_answer(&post, &input.execution, *held)
        }
    }
}

/// What the function needs from its environment.
#[derive(Clone, Debug)]
pub struct Config {
    /// The name of the table.
    pub table_name: String,
    /// The bucket of the bots' files.
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

/// What the function talks to.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The table.
    pub table: Table,
    /// The bots' files.
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

/// Why no day was picked.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
pub enum Error {
    /// The input is not one that can be worked on.
    #[error("{0}")]
    InvalidInput(String),
    /// The bot's files have problems.
    #[error("{0}")]
    BotFilesInvalid(String),
    /// S3 or DynamoDB is unreachable or busy.
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

/// What an operator wants instead.
fn change(over: &OverrideItem) -> SlotOverride {
    match &over.skip {
        Some(reason) => SlotOverride::Skip(reason.clone()),
        None => SlotOverride::Texts {
            name: over.name.clone(),
            scene: over.scene.clone(),
            caption: over.caption.clone(),
        },
    }
}

/// When the post is to appear: at once for a run by hand, else at the slot's time, which for a slot that `bot.toml`
/// does not have is that of its schedule.
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

/// What keeps the whole bot from posting now, if anything does.
async fn stops(
    clients: &Clients,
    bot: &Bot,
    name: &str,
    now: Timestamp,
) -> Result<Option<(SkipReason, String)>, Error> {
    let paused = |reason| Some((SkipReason::Paused, reason));
    Ok(match clients.table.paused(name, now).await? {
        Some(reason) if reason.is_empty() => paused("paused".to_owned()),
        Some(reason) => paused(format!("paused: {reason}")),
        None if !bot.enabled => {
            let reason = "disabled: `enabled` is false in bot.toml";
            Some((SkipReason::Disabled, reason.to_owned()))
        }
        None => None,
    })
}

fn held_answer(post: &PostId, execution: &str, held: Record) -> Result<Output, Error> {
    if held.execution == execution {
        return serde_json::from_value(held.day).map_err(|e| {
            Error::Unexpected(anyhow!(e).context(format!("the pick of {post} is unreadable")))
        });
    }
    Ok(Output {
        status: Status::Duplicate,
        post: post.to_string(),
        bot: post.bot.clone(),
        date: post.date,
        slot: post.slot,
        reason: Some(format!("{post} is held by {}", held.execution)),
        skip_reason: None,
        would_skip: None,
        held_by: Some(held.execution),
        day: None,
        slot_time: None,
        time_zone: None,
        voice: None,
        picture: None,
        money: None,
        approval: None,
        files: None,
    })
}

async fn file(
    clients: &Clients,
    config: &Config,
    bot: &str,
    name: &str,
) -> Result<(String, Option<String>), Error> {
    let key = format!("{bot}/{name}");
    let object = clients
        .s3
        .get_object()
        .bucket(&config.bot_files_bucket)
        .key(&key)
        .send()
        .await
        .map_err(|error| match &error {
            SdkError::ServiceError(e) if e.err().is_no_such_key() => Error::InvalidInput(format!(
                "there is no bot {bot:?}: s3://{}/{key} is missing",
                config.bot_files_bucket
            )),
            SdkError::ServiceError(e) if e.raw().status().as_u16() < 500 => {
                Error::Unexpected(anyhow!(
                    "reading s3://{}/{key}: {}",
                    config.bot_files_bucket,
                    aws_error(&error)
                ))
            }
            _ => Error::ServiceUnavailable(format!(
                "S3 did not give s3://{}/{key}: {}",
                config.bot_files_bucket,
                aws_error(&error)
            )),
        })?;
    let version = object.version_id.filter(|version| version != "null");
    let bytes = object
        .body
        .collect()
        .await
        .map_err(|e| Error::ServiceUnavailable(format!("reading {key} broke off: {e}")))?;
    let text = String::from_utf8(bytes.to_vec()).map_err(|e| {
        Error::BotFilesInvalid(format!("{key} is not UTF-8: {e}; save it as UTF-8"))
    })?;
    Ok((text, version))
}
