#![doc = include_str!("../README.md")]

mod ended;
mod executions;
mod failed;
mod input;
mod metrics;
mod outcome;

use aws_config::SdkConfig;
use bot_files::Bot;
use jiff::Timestamp;
use lambda_function::env;
use notifications::{Notifier, Recipients};
use post::PostId;
use posts_table::Table;
use serde::Serialize;

pub use input::{ApprovalResult, Detail, Event, FinalState, Input, Picked, Tweet};

/// What was recorded.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// `posted`, `skipped`, `refused`, `rejected`, `expired`, `dry-run`, `duplicate` or `failed`.
    pub outcome: &'static str,
    /// The reason, if the outcome has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether the slot's record has the outcome or the failure.
    pub recorded: bool,
    /// What the run cost, in US dollars.
    pub cost_usd: f64,
}

/// Records how a run ended, and notifies the recipients.
pub async fn record_result(
    clients: &Clients,
    config: &Config,
    now: Timestamp,
    input: Input,
) -> Result<Output, Error> {
    let context = Context {
        clients,
        config,
        now,
    };
    match input {
        Input::Event(event) => context.record_failure(event.detail).await,
        Input::State(run) => context.record_end(*run).await,
    }
}

/// What the function needs from its environment.
#[derive(Clone, Debug)]
pub struct Config {
    /// The name of the table.
    pub table_name: String,
    /// The bucket of the bots' files, which name the recipients.
    pub bot_files_bucket: String,
    /// The sender of the notifications.
    pub mail_from: String,
    /// The recipients if `bot.toml` cannot be read, or the bot is unknown.
    pub alert_to: Vec<String>,
}

impl Config {
    /// Reads the environment; a missing variable is named.
    pub fn from_env() -> Result<Config, env::Error> {
        Ok(Config {
            table_name: env::required("TABLE_NAME")?,
            bot_files_bucket: env::required("BOT_FILES_BUCKET")?,
            mail_from: env::required("MAIL_FROM")?,
            alert_to: env::parsed("ALERT_TO", notifications::addresses)?,
        })
    }
}

/// The clients of the function.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The table and the mails.
    pub notifier: Notifier,
    /// The bots' files.
    pub s3: aws_sdk_s3::Client,
    /// Step Functions, for the history of a failed execution.
    pub sfn: aws_sdk_sfn::Client,
    /// Whether the executions are in the AWS console, which has none of the local cloud.
    pub on_aws: bool,
}

impl Clients {
    /// The clients of an AWS configuration.
    pub fn new(aws: &SdkConfig, config: &Config) -> Clients {
        let on_aws = aws.endpoint_url().is_none();
        Clients {
            notifier: Notifier {
                table: Table::new(aws_sdk_dynamodb::Client::new(aws), &config.table_name),
                ses: aws_sdk_sesv2::Client::new(aws),
                from: config.mail_from.clone(),
                env: on_aws
                    .then(|| notifications::env(&config.table_name))
                    .flatten(),
            },
            s3: aws_sdk_s3::Client::new(aws),
            sfn: aws_sdk_sfn::Client::new(aws),
            on_aws,
        }
    }
}

/// Why nothing was recorded.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
pub enum Error {
    /// The input cannot be used.
    #[error("{0}")]
    InvalidInput(String),
    /// DynamoDB or Step Functions is unreachable, unavailable or throttles requests.
    #[error("{0}")]
    ServiceUnavailable(String),
    /// Another execution holds the slot, or it has another outcome.
    #[error("this execution no longer holds {0}, or {0} has another outcome; nothing was recorded")]
    ClaimLost(PostId),
    /// Anything else.
    #[error("{0:#}")]
    Unexpected(anyhow::Error),
}

lambda_function::function_error!(Error {
    lambda_function::UnreadableInput => InvalidInput,
    post::InvalidPostId => InvalidInput,
    posts_table::Error => ServiceUnavailable or Unexpected,
});

/// What every step needs.
struct Context<'a> {
    clients: &'a Clients,
    config: &'a Config,
    now: Timestamp,
}

impl Context<'_> {
    fn table(&self) -> &Table {
        &self.clients.notifier.table
    }

    /// The deployed `bot.toml` of a bot, or why it cannot be read.
    async fn bot(&self, bot: &str) -> Result<Bot, String> {
        let bucket = &self.config.bot_files_bucket;
        let read = notifications::read_bot(&self.clients.s3, bucket, bot).await;
        if let Err(why) = &read {
            tracing::warn!(bot, why, "the addresses in ALERT_TO are notified instead");
        }
        read
    }

    fn recipients(&self, bot: &Result<Bot, String>) -> Recipients {
        match bot {
            Ok(bot) => Recipients::of(bot),
            Err(why) => Recipients::fallback(&self.config.alert_to, why),
        }
    }
}
