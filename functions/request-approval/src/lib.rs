#![doc = include_str!("../README.md")]

use anyhow::anyhow;
use approvals::link::Keys;
use approvals::mails::mail;
use approvals::settle;
use aws_config::SdkConfig;
use bot_files::{OnTimeout, Policy};
use jiff::Timestamp;
use lambda_function::env;
use post::{AuditEvent, PostId};
use posts_table::{
    ApprovalImage, ApprovalItem, Decision, MAX_ROUNDS, Opened, Record, Table, Verdict, content_hash,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Who decides in a dry run.
const DRY_RUN: &str = "dry run";

/// What is to be approved.
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
    /// What the picture shows.
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
    /// Its name, `bot/date/slot/round`.
    pub id: String,
    /// The key of its item in the table.
    pub key: Key,
    /// The round.
    pub round: u32,
    /// From when on nobody decides any more.
    pub closes_at: Timestamp,
    /// What was decided.
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

/// Opens the approval of a content, or finds it, and mails whoever was not mailed yet.
pub async fn request_approval(
    clients: &Clients,
    config: &Config,
    now: Timestamp,
    input: Input,
) -> Result<Output, Error> {
    let post: PostId = input.post.parse()?;
    let record = match clients.table.read(&post).await? {
        None => {
            return Err(Error::ClaimLost(format!(
                "nobody holds {post}; pick-day claims it first"
            )));
        }
        Some(record) if record.execution != input.execution => {
            return Err(Error::ClaimLost(format!(
                "{post} is held by {}, not by {}",
                record.execution, input.execution
            )));
        }
        Some(record) => record,
    };
    let wanted = approval(&post, &record, now, input)?;
    if post.dry_run.is_some() {
        return answered_by_itself(&post, wanted, now);
    }
    let mut approval = match clients.table.open_approval(&wanted).await? {
        Opened::Now => {
            tracing::info!(%post, round = wanted.round, "approval opened");
            wanted
        }
        Opened::Before(there) => *there,
    };
    if let Some(settled) = settle(&clients.table, now, &post, &approval).await? {
        approval = settled;
    }
    if approval.decision.is_none() {
        mail_approvers(clients, config, now, &post, &approval).await?;
    } else if approval.delivered_at.is_none() {
        // This answer delivers it.
        clients.table.delivered(&post, &approval, now).await?;
    }
    output(&post, approval)
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

/// The approval of a dry run: nobody is asked, nothing is opened, and the content is approved as it is.
fn answered_by_itself(
    post: &PostId,
    approval: ApprovalItem,
    now: Timestamp,
) -> Result<Output, Error> {
    tracing::info!(%post, round = approval.round, "a dry run asks nobody");
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

/// What the function needs from its environment.
#[derive(Clone, Debug)]
pub struct Config {
    /// The name of the table.
    pub table_name: String,
    /// The secret with the signing keys.
    pub review_secret_arn: String,
    /// Where the approval page is.
    pub review_base_url: String,
    /// The sender of the mails.
    pub mail_from: String,
}

impl Config {
    /// Reads the environment; a missing variable is named.
    pub fn from_env() -> Result<Config, env::Error> {
        Ok(Config {
            table_name: env::required("TABLE_NAME")?,
            review_secret_arn: env::required("REVIEW_SECRET_ARN")?,
            review_base_url: env::required("REVIEW_BASE_URL")?,
            mail_from: env::required("MAIL_FROM")?,
        })
    }
}

/// What the function talks to.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The table.
    pub table: Table,
    /// The signing keys.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// The mails.
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

/// Why nobody was asked.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
pub enum Error {
    /// DynamoDB, SES or Secrets Manager is unreachable or busy.
    #[error("{0}")]
    ServiceUnavailable(String),
    /// SES refuses the mail to every approver.
    #[error("nobody could be asked: {0}")]
    MailRefused(String),
    /// The secret is missing or malformed.
    #[error("{0}")]
    SecretUnusable(String),
    /// The slot is held by another execution.
    #[error("{0}")]
    ClaimLost(String),
    /// The input is not one that can be worked on.
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

/// The approval as it is opened, by the policy of the pick.
fn approval(
    post: &PostId,
    record: &Record,
    now: Timestamp,
    input: Input,
) -> Result<ApprovalItem, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Day {
        name: String,
        slot_time: Timestamp,
        time_zone: String,
        approval: bot_files::BotApproval,
    }
    let day: Day = serde_json::from_value(record.day.clone()).map_err(|e| {
        Error::Unexpected(anyhow!(e).context(format!("the pick of {post} is unreadable")))
    })?;
    let policy = day.approval;
    if policy.policy == Policy::Off || policy.approvers.is_empty() {
        return Err(Error::InvalidInput(format!(
            "the bot of {post} asks nobody: its bot.toml had policy \"off\" at the pick"
        )));
    }
    let round = input.round.unwrap_or(1);
    if !(1..=MAX_ROUNDS).contains(&round) {
        return Err(Error::InvalidInput(format!(
            "round is {round}; there are 1 to {MAX_ROUNDS}"
        )));
    }
    let later = |by: jiff::SignedDuration| {
        now.checked_add(by)
            .map(|at| at.as_second())
            .map_err(|e| Error::Unexpected(e.into()))
    };
    let mut closes_at = later(policy.deadline)?;
    // A decision that comes when the post would be too late is worth nothing. A run that is too late already
    // may still have been allowed by a person.
    if let Some(not_after) = record.not_after
        && not_after > now.as_second()
    {
        closes_at = closes_at.min(not_after);
    }
    let remind_at = policy
        .reminder
        .map(|reminder| closes_at.saturating_sub(reminder.as_secs()))
        .filter(|at| *at > now.as_second());
    Ok(ApprovalItem {
        post: post.to_string(),
        round,
        day: day.name,
        presented_hash: content_hash(&input.image.sha256, &input.caption, &input.alt_text),
        caption: input.caption,
        alt_text: input.alt_text,
        image: input.image,
        cost_usd: input.cost_usd.unwrap_or_default(),
        slot_time: day.slot_time,
        time_zone: day.time_zone,
        opened_at: now,
        closes_at,
        remind_at,
        on_timeout: match policy.on_timeout {
            OnTimeout::Skip => posts_table::OnExpiry::Skip,
            OnTimeout::Post => posts_table::OnExpiry::Post,
        },
        approvers: policy.approvers,
        mailed: Vec::new(),
        reminded: Vec::new(),
        decision: None,
        task_token: None,
        delivered_at: None,
    })
}

/// Mails whoever has not got the mail. It is enough to reach one.
async fn mail_approvers(
    clients: &Clients,
    config: &Config,
    now: Timestamp,
    post: &PostId,
    approval: &ApprovalItem,
) -> Result<(), Error> {
    if approval
        .approvers
        .iter()
        .all(|approver| approval.mailed.contains(approver))
    {
        return Ok(());
    }
    let keys = Keys::read(&clients.secrets, &config.review_secret_arn).await?;
    let mut reached = !approval.mailed.is_empty();
    let mut refusals = Vec::new();
    for (number, approver) in approval.approvers.iter().enumerate() {
        if approval.mailed.contains(approver) {
            continue;
        }
        let mail = mail(
            &keys,
            &config.review_base_url,
            post,
            approval,
            number,
            false,
        );
        let details = json!({"round": approval.round, "to": approver, "subject": mail.subject});
        match notifications::mail::send(&clients.ses, &config.mail_from, approver, &mail).await {
            Ok(()) => {
                clients
                    .table
                    .mailed(post, approval.round, approver, false, &details, now)
                    .await?;
                reached = true;
            }
            Err(error @ notifications::mail::Error::Unavailable(..)) => {
                return Err(Error::ServiceUnavailable(error.to_string()));
            }
            Err(error @ notifications::mail::Error::Refused(..)) => {
                tracing::error!(%post, %error, "an approver was not asked");
                let what = AuditEvent::MailRefused(approver.to_owned());
                clients.table.audit(post, now, &what, &details).await?;
                refusals.push(error.to_string());
            }
        }
    }
    match reached {
        true => Ok(()),
        false => Err(Error::MailRefused(refusals.join("; "))),
    }
}
