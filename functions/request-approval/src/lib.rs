#![doc = include_str!("../README.md")]

mod emails;
mod opening;

use approvals::settle;
use aws_config::SdkConfig;
use jiff::Timestamp;
use lambda_function::env;
use post::PostId;
use posts_table::{ApprovalImage, ApprovalItem, Decision, Opened, Record, Table, Verdict};
use serde::{Deserialize, Serialize};

/// Who decides in a dry run.
const DRY_RUN: &str = "dry run";

/// The content to approve.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The ARN of the execution.
    pub execution: String,
    /// The post, `bot/date/slot`.
    pub post: String,
    /// Which picture of the post this is, from 1.
    pub round: Option<u32>,
    /// The text of the tweet.
    pub caption: String,
    /// The description of the picture.
    pub alt_text: String,
    /// The picture.
    pub image: ApprovalImage,
    /// What the picture cost, in US dollars.
    pub cost_usd: Option<f64>,
}

/// The approval.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// `bot/date/slot/round`.
    pub id: String,
    /// The key of the approval's item in the table.
    pub key: Key,
    /// The round.
    pub round: u32,
    /// When the approval closes: from then on no decision is accepted.
    pub closes_at: Timestamp,
    /// The decision, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

/// The key of an item in the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Key {
    /// The partition key.
    pub pk: String,
    /// The sort key.
    pub sk: String,
}

/// Opens the approval of a content, or finds it, and emails the approvers who have no email yet.
pub async fn request_approval(
    clients: &Clients,
    config: &Config,
    now: Timestamp,
    input: Input,
) -> Result<Output, Error> {
    let post: PostId = input.post.parse()?;
    let record = record(clients, &post, &input.execution).await?;
    let wanted = opening::approval(&post, &record, now, input)?;
    if post.dry_run.is_some() {
        return approved_dry_run(&post, wanted, now);
    }
    let mut approval = open(clients, &post, wanted).await?;
    if let Some(settled) = settle(&clients.table, now, &post, &approval).await? {
        approval = settled;
    }
    if approval.decision.is_none() {
        emails::send(clients, config, now, &post, &approval).await?;
    } else if approval.delivered_at.is_none() {
        // The output of this invocation delivers the decision.
        clients.table.delivered(&post, &approval, now).await?;
    }
    output(&post, approval)
}

/// The record of the slot, if the execution holds it.
async fn record(clients: &Clients, post: &PostId, execution: &str) -> Result<Record, Error> {
    match clients.table.read(post).await? {
        None => Err(Error::ClaimLost(format!(
            "no execution holds {post}; PickDay claims it first"
        ))),
        Some(record) if record.execution != execution => Err(Error::ClaimLost(format!(
            "{post} is held by {}, not by {execution}",
            record.execution
        ))),
        Some(record) => Ok(record),
    }
}

async fn open(
    clients: &Clients,
    post: &PostId,
    wanted: ApprovalItem,
) -> Result<ApprovalItem, Error> {
    Ok(match clients.table.open_approval(&wanted).await? {
        Opened::Now => {
            tracing::info!(%post, round = wanted.round, "approval opened");
            wanted
        }
        Opened::Before(there) => *there,
    })
}

/// The approval of a dry run: no email is sent, nothing is opened, and the content is approved as it is.
fn approved_dry_run(
    post: &PostId,
    approval: ApprovalItem,
    now: Timestamp,
) -> Result<Output, Error> {
    tracing::info!(%post, round = approval.round, "dry run: approved without an email");
    let decision = Decision {
        by: DRY_RUN.to_owned(),
        at: now,
        verdict: Verdict::Approved {
            caption: approval.caption.clone(),
            alt_text: approval.alt_text.clone(),
            hash: approval.presented_hash.clone(),
        },
    };
    let approval = ApprovalItem {
        decision: Some(decision),
        ..approval
    };
    output(post, approval)
}

fn output(post: &PostId, approval: ApprovalItem) -> Result<Output, Error> {
    let [pk, sk] = approval.item_key()?;
    Ok(Output {
        id: format!("{post}/{}", approval.round),
        key: Key { pk, sk },
        round: approval.round,
        closes_at: Timestamp::from_second(approval.closes_at)
            .map_err(|e| Error::Unexpected(e.into()))?,
        decision: approval.decision,
    })
}

/// The configuration, from the environment.
#[derive(Clone, Debug)]
pub struct Config {
    /// The name of the table.
    pub table_name: String,
    /// The secret with the signing keys.
    pub review_secret_arn: String,
    /// The address of the approval page.
    pub review_base_url: String,
    /// The sender of the emails.
    pub mail_from: String,
}

impl Config {
    /// Reads the environment.
    pub fn from_env() -> Result<Config, env::Error> {
        Ok(Config {
            table_name: env::required("TABLE_NAME")?,
            review_secret_arn: env::required("REVIEW_SECRET_ARN")?,
            review_base_url: env::required("REVIEW_BASE_URL")?,
            mail_from: env::required("MAIL_FROM")?,
        })
    }
}

/// The clients of the services.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The table.
    pub table: Table,
    /// The signing keys.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// The emails.
    pub ses: aws_sdk_sesv2::Client,
}

impl Clients {
    /// The clients of an AWS configuration.
    pub fn new(aws: &SdkConfig, config: &Config) -> Clients {
        Clients {
            table: Table::new(aws_sdk_dynamodb::Client::new(aws), &config.table_name),
            secrets: aws_sdk_secretsmanager::Client::new(aws),
            ses: aws_sdk_sesv2::Client::new(aws),
        }
    }
}

/// Why no approval was requested.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
pub enum Error {
    /// DynamoDB, SES or Secrets Manager is unreachable or busy.
    #[error("{0}")]
    ServiceUnavailable(String),
    /// SES refused the email to every approver.
    #[error("no approver could be emailed: {0}")]
    MailRefused(String),
    /// The secret is missing or malformed.
    #[error("{0}")]
    SecretUnusable(String),
    /// Another execution holds the slot.
    #[error("{0}")]
    ClaimLost(String),
    /// A field of the input is missing or invalid.
    #[error("{0}")]
    InvalidInput(String),
    /// Anything else.
    #[error("{0:#}")]
    Unexpected(anyhow::Error),
}

lambda_function::function_error!(Error {
    lambda_function::UnreadableInput => InvalidInput,
    post::InvalidPostId => InvalidInput,
    posts_table::Error => ServiceUnavailable or Unexpected,
    approvals::link::Error => ServiceUnavailable or SecretUnusable,
});
