#![doc = include_str!("../README.md")]

mod deadlines;
mod digest;
mod reservations;
mod runs;

use std::sync::OnceLock;

use anyhow::anyhow;
use approvals::link::Keys;
use aws_config::SdkConfig;
use aws_sdk_s3::error::SdkError;
use bot_files::Bot;
use jiff::Timestamp;
use lambda_function::aws_error;
use lambda_function::env;
use lambda_function::telemetry::{Metrics, Unit};
use notifications::{Delivery, Notification, Notifier, Recipients, read_bot};
use post::is_bot_name;
use posts_table::Table;
use probes::{Check, ProbedBot, Probes};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

/// What to do. A schedule gives nothing: the watchdog then does all of its duties.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Input {
    /// Whether to run only the probes.
    #[serde(rename = "canaries")]
    pub probes: Option<bool>,
    /// With `canaries`: the bot to probe. Without it, every deployed bot.
    pub bot: Option<String>,
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Output {
    /// All duties are done.
    Swept(Done),
    /// Only the probes ran.
    Probed {
        /// The results.
        checks: Vec<Check>,
    },
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    /// Expired approvals that the policy settled.
    pub settled: u32,
    /// Decisions that it delivered to the state machine.
    pub delivered: u32,
    /// Reminders that it sent.
    pub reminded: u32,
    /// Approvals that wait for a decision.
    pub waiting: u32,
    /// Notifications that it sent.
    pub told: u32,
    /// Abandoned reservations, which it settled in full.
    pub counted: u32,
}

/// Does all duties once, or runs the probes.
pub async fn watchdog(
    clients: &Clients,
    config: &Config,
    now: Timestamp,
    input: Input,
) -> Result<Output, Error> {
    let mut bots = Vec::new();
    for name in names(clients, config).await? {
        bots.push(Folder::read(clients, config, name).await);
    }
    if input.probes == Some(true) {
        if let Some(only) = &input.bot {
            bots.retain(|bot| bot.name == *only);
        }
        let checks = run_probes(clients, config, now, &bots)
            .await
            .map_err(Error::Unexpected)?;
        return Ok(Output::Probed { checks });
    }
    let mut sweep = Sweep {
        clients,
        config,
        now,
        keys: OnceCell::new(),
        done: Done::default(),
        failures: Vec::new(),
    };
    for bot in &bots {
        sweep.approvals(bot).await?;
        sweep.runs(bot).await?;
        sweep.reservations(bot).await?;
        sweep.digest(bot).await;
    }
    let pending = clients.notifier(config).send_pending(now).await?;
    sweep.done.told += pending.sent;
    sweep.failures.extend(pending.failures);
    let undelivered = clients.decision.table.pending_notifications().await?.len();
    let done = sweep.done;
    tracing::info!(
        settled = done.settled,
        delivered = done.delivered,
        reminded = done.reminded,
        waiting = done.waiting,
        told = done.told,
        counted = done.counted,
        failures = sweep.failures.len(),
        "the sweep is complete"
    );
    Metrics::new()
        .metric("WatchdogRan", Unit::Count, 1.0)
        .metric("WatchdogFailures", Unit::Count, sweep.failures.len() as f64)
        .metric("NoticesUndelivered", Unit::Count, undelivered as f64)
        .metric("ApprovalsWaiting", Unit::Count, done.waiting.into())
        .emit(now);
    match sweep.failures.is_empty() {
        true => Ok(Output::Swept(done)),
        false => Err(Error::Incomplete(sweep.failures.join("; "))),
    }
}

/// Runs the probes for these bots.
pub(crate) async fn run_probes(
    clients: &Clients,
    config: &Config,
    now: Timestamp,
    bots: &[Folder],
) -> Result<Vec<Check>, anyhow::Error> {
    let http = match clients.http.get() {
        Some(http) => http,
        None => {
            let http = lambda_function::https::client_builder()
                .timeout(probes::TIMEOUT)
                .build()?;
            clients.http.get_or_init(|| http)
        }
    };
    let probes = Probes {
        s3: &clients.s3,
        secrets: &clients.secrets,
        http,
        bot_files_bucket: &config.bot_files_bucket,
        review_secret_arn: &config.review_secret_arn,
        openai_secret_arn: &config.openai_secret_arn,
        openai_base_url: &config.openai_base_url,
        secrets_prefix: &config.secrets_prefix,
        x_api_base_url: &config.x_api_base_url,
        now,
    };
    let bots: Vec<ProbedBot> = bots
        .iter()
        .map(|bot| ProbedBot {
            name: &bot.name,
            bot: bot.bot.as_ref().map_err(String::as_str),
        })
        .collect();
    Ok(probes.run(&bots).await)
}

/// One run of all duties. Each duty is in a separate file.
struct Sweep<'a> {
    clients: &'a Clients,
    config: &'a Config,
    now: Timestamp,
    /// The signing keys, read when the first reminder needs them.
    keys: OnceCell<Keys>,
    done: Done,
    /// The duties that failed. A failure does not stop the others.
    failures: Vec<String>,
}

impl Sweep<'_> {
    fn table(&self) -> &Table {
        &self.clients.decision.table
    }

    /// Records a failed duty.
    fn failed(&mut self, what: String, why: &anyhow::Error) {
        let why = format!("{why:#}");
        tracing::error!(what, why, "a duty failed");
        self.failures.push(format!("{what}: {why}"));
    }

    /// Notifies the recipients of a bot of an event, unless an earlier call did.
    async fn notify(
        &mut self,
        bot: &Folder,
        event: &str,
        notification: &Notification,
    ) -> anyhow::Result<()> {
        let notifier = self.clients.notifier(self.config);
        let notify = notifier.notify(&bot.recipients, event, notification, self.now);
        match notify.await? {
            Delivery::Sent => self.done.told += 1,
            Delivery::Pending(why) => self.failures.push(why),
            Delivery::TakenBefore | Delivery::Unwanted => {}
        }
        Ok(())
    }
}

/// A bot, which is a folder of the bucket.
struct Folder {
    name: String,
    /// Its `bot.toml`, or why it cannot be read.
    bot: Result<Bot, String>,
    /// Who receives its notifications.
    recipients: Recipients,
}

impl Folder {
    async fn read(clients: &Clients, config: &Config, name: String) -> Folder {
        let bot = read_bot(&clients.s3, &config.bot_files_bucket, &name).await;
        let recipients = match &bot {
            Ok(bot) => Recipients::of(bot),
            Err(why) => Recipients::fallback(&config.alert_to, why),
        };
        Folder {
            name,
            bot,
            recipients,
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
    /// The secret with the signing keys.
    pub review_secret_arn: String,
    /// The base address of the approval page.
    pub review_base_url: String,
    /// The sender of the emails.
    pub mail_from: String,
    /// Receives the notifications of a bot whose `bot.toml` cannot be read.
    pub alert_to: Vec<String>,
    /// The deployment's name. Each bot's X credentials are the secret `<prefix>/<bot>/x-credentials`.
    pub secrets_prefix: String,
    /// The base URL of X.
    pub x_api_base_url: String,
    /// The secret with the key of OpenAI.
    pub openai_secret_arn: String,
    /// The base URL of OpenAI, with `/v1`.
    pub openai_base_url: String,
}

impl Config {
    /// Reads the environment; a missing variable is named.
    pub fn from_env() -> Result<Config, env::Error> {
        Ok(Config {
            table_name: env::required("TABLE_NAME")?,
            bot_files_bucket: env::required("BOT_FILES_BUCKET")?,
            review_secret_arn: env::required("REVIEW_SECRET_ARN")?,
            review_base_url: env::required("REVIEW_BASE_URL")?,
            mail_from: env::required("MAIL_FROM")?,
            alert_to: env::parsed("ALERT_TO", notifications::addresses)?,
            secrets_prefix: env::required("SECRETS_PREFIX")?,
            x_api_base_url: env::or("X_API_BASE_URL", "https://api.x.com"),
            openai_secret_arn: env::required("OPENAI_SECRET_ARN")?,
            openai_base_url: env::or("OPENAI_BASE_URL", "https://api.openai.com/v1"),
        })
    }
}

/// The clients of the function.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The table and Step Functions.
    pub decision: approvals::Clients,
    /// The bots' files.
    pub s3: aws_sdk_s3::Client,
    /// The signing keys, and the secrets of the providers.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// Sends the emails.
    pub ses: aws_sdk_sesv2::Client,
    /// Whether the deployment is on AWS, where executions can be opened in the console.
    pub on_aws: bool,
    /// The HTTP client of the probes, built at the first request.
    pub http: OnceLock<reqwest::Client>,
}

impl Clients {
    /// The clients of an AWS configuration.
    pub fn new(aws: &SdkConfig, config: &Config) -> Clients {
        Clients {
            decision: approvals::Clients {
                table: Table::new(aws_sdk_dynamodb::Client::new(aws), &config.table_name),
                sfn: aws_sdk_sfn::Client::new(aws),
            },
            s3: aws_sdk_s3::Client::new(aws),
            secrets: aws_sdk_secretsmanager::Client::new(aws),
            ses: aws_sdk_sesv2::Client::new(aws),
            on_aws: aws.endpoint_url().is_none(),
            http: OnceLock::new(),
        }
    }

    fn notifier(&self, config: &Config) -> Notifier {
        Notifier {
            table: self.decision.table.clone(),
            ses: self.ses.clone(),
            from: config.mail_from.clone(),
            env: self
                .on_aws
                .then(|| notifications::env(&config.table_name))
                .flatten(),
        }
    }
}

/// Why the run failed.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
pub enum Error {
    /// Some duties failed.
    #[error("{0}")]
    Incomplete(String),
    /// S3 or DynamoDB is unreachable or busy.
    #[error("{0}")]
    ServiceUnavailable(String),
    /// The input cannot be read.
    #[error("{0}")]
    InvalidInput(String),
    /// Anything else.
    #[error("{0:#}")]
    Unexpected(anyhow::Error),
}

lambda_function::function_error!(Error {
    lambda_function::UnreadableInput => InvalidInput,
    posts_table::Error => ServiceUnavailable or Unexpected,
});

/// The names of the bots, which are the folders of the bucket.
async fn names(clients: &Clients, config: &Config) -> Result<Vec<String>, Error> {
    let mut pages = clients
        .s3
        .list_objects_v2()
        .bucket(&config.bot_files_bucket)
        .delimiter("/")
        .into_paginator()
        .send();
    let mut bots = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| {
            let said = format!(
                "S3 did not list s3://{}: {}",
                config.bot_files_bucket,
                aws_error(&error)
            );
            match error {
                SdkError::ServiceError(e) if e.raw().status().as_u16() < 500 => {
                    Error::Unexpected(anyhow!(said))
                }
                _ => Error::ServiceUnavailable(said),
            }
        })?;
        let folders = page.common_prefixes().iter().filter_map(|p| p.prefix());
        let names = folders.map(|folder| folder.trim_end_matches('/'));
        bots.extend(names.filter(|name| is_bot_name(name)).map(str::to_owned));
    }
    Ok(bots)
}
