#![doc = include_str!("../README.md")]

use anyhow::anyhow;
use approval_decision::{LookedAfter, Standing, settle_and_deliver, standing};
use approval_mail::mail;
use aws_config::SdkConfig;
use aws_said::aws_said;
use aws_sdk_s3::error::SdkError;
use jiff::Timestamp;
use lambda_runtime::Diagnostic;
use notices::Teller;
use post_record::{Approval, PostId, Table, is_bot_name};
use review_link::Keys;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::OnceCell;

/// Nothing: the schedule says that it is time.
#[derive(Clone, Debug, Deserialize)]
pub struct Input {}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Output {
    /// Approvals that the policy settled.
    pub settled: u32,
    /// Decisions of people that were delivered now.
    pub delivered: u32,
    /// Reminders that were sent.
    pub reminded: u32,
    /// Approvals that wait for a person.
    pub waiting: u32,
}

/// Looks after everything once.
pub async fn watchdog(
    clients: &Clients,
    config: &Config,
    now: Timestamp,
    _input: Input,
) -> Result<Output, Error> {
    let mut output = Output::default();
    let mut failures = Vec::new();
    // The signing keys are read when the first reminder needs them.
    let keys = OnceCell::new();
    for bot in bots(clients, config).await? {
        for (post, round) in clients.decision.table.waiting_approvals(&bot).await? {
            let looked_after =
                look_after(clients, config, &keys, now, &post, round, &mut output).await;
            if let Err(error) = looked_after {
                tracing::error!(%post, round, error = %format!("{error:#}"), "not looked after");
                failures.push(format!("the approval {post}/{round}: {error:#}"));
            }
        }
    }
    let teller = Teller {
        table: clients.decision.table.clone(),
        ses: clients.ses.clone(),
        from: config.mail_from.clone(),
    };
    failures.extend(teller.send_pending(now).await?.failures);
    tracing::info!(
        settled = output.settled,
        delivered = output.delivered,
        reminded = output.reminded,
        waiting = output.waiting,
        "looked after everything"
    );
    match failures.is_empty() {
        true => Ok(output),
        false => Err(Error::Incomplete(failures.join("; "))),
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
    /// Where the approval page is.
    pub review_base_url: String,
    /// The sender of the mails.
    pub mail_from: String,
}

impl Config {
    /// Reads the environment; a missing variable is named.
    pub fn from_env() -> Result<Config, anyhow::Error> {
        let variable = |name: &str| {
            std::env::var(name).map_err(|_| anyhow!("the environment variable {name} is missing"))
        };
        Ok(Config {
            table_name: variable("TABLE_NAME")?,
            bot_files_bucket: variable("BOT_FILES_BUCKET")?,
            review_secret_arn: variable("REVIEW_SECRET_ARN")?,
            review_base_url: variable("REVIEW_BASE_URL")?,
            mail_from: variable("MAIL_FROM")?,
        })
    }
}

/// What the function talks to.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The table and Step Functions.
    pub decision: approval_decision::Clients,
    /// The bots' files.
    pub s3: aws_sdk_s3::Client,
    /// The signing keys.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// The mails.
    pub ses: aws_sdk_sesv2::Client,
}

impl Clients {
    /// The clients of an AWS configuration.
    pub fn new(aws: &SdkConfig, config: &Config) -> Clients {
        Clients {
            decision: approval_decision::Clients {
                table: Table::new(aws_sdk_dynamodb::Client::new(aws), &config.table_name),
                sfn: aws_sdk_sfn::Client::new(aws),
            },
            s3: aws_sdk_s3::Client::new(aws),
            secrets: aws_sdk_secretsmanager::Client::new(aws),
            ses: aws_sdk_sesv2::Client::new(aws),
        }
    }
}

/// Why not everything was looked after.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
pub enum Error {
    /// Some of it was not.
    #[error("{0}")]
    Incomplete(String),
    /// S3 or DynamoDB is unreachable or busy.
    #[error("{0}")]
    ServiceUnavailable(String),
    /// Anything else.
    #[error("{0:#}")]
    Unexpected(anyhow::Error),
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Diagnostic {
        Diagnostic {
            error_type: <&str>::from(&error).to_owned(),
            error_message: error.to_string().replace('\n', " | "),
        }
    }
}

impl From<post_record::Error> for Error {
    fn from(error: post_record::Error) -> Error {
        match error {
            post_record::Error::Unavailable(..) => Error::ServiceUnavailable(error.to_string()),
            _ => Error::Unexpected(error.into()),
        }
    }
}

/// The bots, which are the folders of the bucket.
async fn bots(clients: &Clients, config: &Config) -> Result<Vec<String>, Error> {
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
                aws_said(&error)
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

async fn look_after(
    clients: &Clients,
    config: &Config,
    keys: &OnceCell<Keys>,
    now: Timestamp,
    post: &PostId,
    round: u32,
    output: &mut Output,
) -> anyhow::Result<()> {
    let table = &clients.decision.table;
    let Some(approval) = table.approval(post, round).await? else {
        // It cannot be there without its approval, unless a person took that away.
        return Ok(table.forget(post, round).await?);
    };
    match settle_and_deliver(&clients.decision, now, post, &approval).await? {
        LookedAfter::Waits => output.waiting += 1,
        LookedAfter::Settled => output.settled += 1,
        LookedAfter::Delivered => output.delivered += 1,
        LookedAfter::Nothing => {}
    }
    let who: Vec<usize> = match approval.remind_at {
        Some(at) if at <= now.as_second() => to_remind(&approval),
        _ => Vec::new(),
    };
    // Nobody is reminded of what the page would refuse, such as the post of a paused bot or of a run that has ended.
    if !who.is_empty() && standing(&clients.decision, now, post, &approval).await? == Standing::Open
    {
        output.reminded += remind(clients, config, keys, now, post, &approval, &who).await?;
    }
    Ok(())
}

/// The places of those who got the mail and no reminder.
fn to_remind(approval: &Approval) -> Vec<usize> {
    let approvers = approval.approvers.iter().enumerate();
    approvers
        .filter(|(_, who)| approval.mailed.contains(who) && !approval.reminded.contains(who))
        .map(|(number, _)| number)
        .collect()
}

/// Reminds the approvers with these places.
async fn remind(
    clients: &Clients,
    config: &Config,
    keys: &OnceCell<Keys>,
    now: Timestamp,
    post: &PostId,
    approval: &Approval,
    who: &[usize],
) -> anyhow::Result<u32> {
    let keys = keys
        .get_or_try_init(|| Keys::read(&clients.secrets, &config.review_secret_arn))
        .await?;
    let mut reminded = 0;
    let mut failures = Vec::new();
    for &number in who {
        let approver = &approval.approvers[number];
        let mail = mail(keys, &config.review_base_url, post, approval, number, true);
        let details = json!({"round": approval.round, "to": approver, "subject": mail.subject});
        match mail::send(&clients.ses, &config.mail_from, approver, &mail).await {
            Ok(()) => {
                clients
                    .decision
                    .table
                    .mailed(post, approval.round, approver, true, &details, now)
                    .await?;
                reminded += 1;
            }
            Err(error) => failures.push(error.to_string()),
        }
    }
    match failures.is_empty() {
        true => Ok(reminded),
        false => Err(anyhow!(failures.join("; "))),
    }
}
