#![doc = include_str!("../README.md")]

use anyhow::anyhow;
use aws_config::SdkConfig;
use aws_said::aws_said;
use aws_sdk_sfn::error::{ProvideErrorMetadata, SdkError};
use jiff::{Timestamp, civil::Date};
use lambda_runtime::Diagnostic;
use post_record::{Decision, Failure, Outcome, PostId, Table, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The end of a run, as the state machine or as EventBridge tells it.
#[derive(Clone, Debug)]
pub enum Input {
    /// A status-change event.
    Event(Event),
    /// The state `RecordResult`.
    State(Box<State>),
}

impl Input {
    /// Reads a payload. The runtime's own refusal of one would not have a name that anybody knows, and would not say
    /// which field is wrong.
    pub fn read(payload: Value) -> Result<Input, Error> {
        let read = if payload.get("detail").is_some() {
            serde_json::from_value(payload).map(Input::Event)
        } else {
            serde_json::from_value(payload).map(|state| Input::State(Box::new(state)))
        };
        read.map_err(|e| Error::InvalidInput(format!("the input cannot be read: {e}")))
    }
}

/// "Step Functions Execution Status Change".
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    /// What changed.
    pub detail: Detail,
}

/// The part of the event that says what changed.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    /// The execution.
    pub execution_arn: String,
    /// `FAILED`, `TIMED_OUT` or `ABORTED`.
    pub status: String,
    /// The execution's input, as text; absent when it is too long for an event.
    pub input: Option<String>,
    /// The error name.
    pub error: Option<String>,
    /// What the failed state said.
    pub cause: Option<String>,
    /// How often the execution was redriven.
    pub redrive_count: Option<u64>,
    /// When it ended, in milliseconds of the Unix epoch.
    pub stop_date: Option<i64>,
}

/// The end of the state machine.
#[derive(Clone, Debug, Deserialize)]
pub struct State {
    /// The ARN of the execution.
    pub execution: String,
    /// What `pick-day` said.
    pub day: Picked,
    /// What `generate-image` said.
    pub draft: Option<Value>,
    /// What `store-image` said.
    pub image: Option<Value>,
    /// The texts.
    pub prompt: Option<Value>,
    /// What `post-tweet` said.
    pub tweet: Option<Tweet>,
    /// What was decided about it.
    pub approval: Option<Asked>,
    /// What earlier pictures of the run cost, in US dollars.
    #[serde(rename = "spentUsd")]
    pub spent_usd: Option<f64>,
    /// The last refusal of a prompt, if the run ended with one.
    pub refusal: Option<Value>,
}

/// What is needed of `pick-day`'s answer.
#[derive(Clone, Debug, Deserialize)]
pub struct Picked {
    /// `picked`, `skipped` or `duplicate`.
    pub status: String,
    /// The post.
    pub post: String,
    /// Why nothing was picked.
    pub reason: Option<String>,
}

/// What is needed of the approval.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Asked {
    /// Who decided what.
    pub decision: Option<Decision>,
}

/// What `post-tweet` said.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tweet {
    /// `posted` or `skipped`.
    pub status: String,
    /// The id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Why it was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What X charges, in US dollars.
    pub cost_usd: Option<f64>,
}

/// What was recorded.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// `posted`, `skipped`, `refused`, `rejected`, `expired`, `duplicate` or `failed`.
    pub outcome: &'static str,
    /// Why, where that needs saying.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether the slot's record says so now.
    pub recorded: bool,
    /// What the run cost, in US dollars.
    pub cost_usd: f64,
}

/// Records how a run ended.
pub async fn record_result(
    clients: &Clients,
    now: Timestamp,
    input: Input,
) -> Result<Output, Error> {
    match input {
        Input::Event(event) => record_failure(clients, now, event.detail).await,
        Input::State(state) => record_end(clients, now, *state).await,
    }
}

/// What the function needs from its environment.
#[derive(Clone, Debug)]
pub struct Config {
    /// The name of the table.
    pub table_name: String,
}

impl Config {
    /// Reads the environment; a missing variable is named.
    pub fn from_env() -> Result<Config, anyhow::Error> {
        Ok(Config {
            table_name: std::env::var("TABLE_NAME")
                .map_err(|_| anyhow!("the environment variable TABLE_NAME is missing"))?,
        })
    }
}

/// What the function talks to.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The table.
    pub table: Table,
    /// Step Functions, for the history of a failed execution.
    pub sfn: aws_sdk_sfn::Client,
}

impl Clients {
    /// The clients of an AWS configuration.
    pub fn new(aws: &SdkConfig, config: &Config) -> Clients {
        Clients {
            table: Table::new(aws_sdk_dynamodb::Client::new(aws), &config.table_name),
            sfn: aws_sdk_sfn::Client::new(aws),
        }
    }
}

/// Why nothing was recorded.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
pub enum Error {
    /// The input is not one that can be worked on.
    #[error("{0}")]
    InvalidInput(String),
    /// DynamoDB or Step Functions is unreachable or busy.
    #[error("{0}")]
    ServiceUnavailable(String),
    /// Another execution holds the slot, or it has another outcome.
    #[error(
        "{0} is not held by this execution any more, or has another outcome: nothing was recorded"
    )]
    ClaimLost(PostId),
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

async fn record_end(clients: &Clients, now: Timestamp, state: State) -> Result<Output, Error> {
    let post: PostId = state
        .day
        .post
        .parse()
        .map_err(|e: post_record::NotAPost| Error::InvalidInput(e.to_string()))?;
    let cost_usd = state.spent_usd.unwrap_or(0.0)
        + cost(state.draft.as_ref())
        + state.tweet.as_ref().and_then(|t| t.cost_usd).unwrap_or(0.0);
    let (outcome, reason) = match (state.day.status.as_str(), &state.tweet) {
        ("duplicate", _) => {
            let details = json!({"execution": state.execution, "reason": state.day.reason});
            // Named by the execution, so that entering again writes the same line.
            let name = state.execution.rsplit(':').next().unwrap_or_default();
            clients
                .table
                .audit(
                    &post,
                    Timestamp::UNIX_EPOCH,
                    &format!("duplicate#{name}"),
                    &details,
                )
                .await?;
            tracing::info!(post = %post, execution = state.execution, "duplicate");
            return Ok(Output {
                outcome: "duplicate",
                reason: state.day.reason,
                recorded: false,
                cost_usd,
            });
        }
        ("skipped", _) => (Outcome::Skipped, state.day.reason.clone()),
        ("picked", Some(tweet)) if tweet.status == "posted" => (Outcome::Posted, None),
        ("picked", Some(tweet)) if tweet.status == "skipped" => {
            (Outcome::Skipped, tweet.reason.clone())
        }
        ("picked", None) if let Some(ended) = ended_by(state.approval.as_ref()) => ended,
        ("picked", None) if state.refusal.is_some() => (
            Outcome::Refused,
            state.refusal.as_ref().and_then(refusal_message),
        ),
        (status, tweet) => {
            return Err(Error::InvalidInput(format!(
                "day.status {status:?} with tweet.status {:?} is no end of a run",
                tweet.as_ref().map(|t| &t.status)
            )));
        }
    };
    let result = json!({
        "draft": state.draft,
        "image": state.image,
        "prompt": state.prompt,
        "decision": state.approval.and_then(|approval| approval.decision),
        "tweet": state.tweet,
        "costUsd": cost_usd,
    });
    if !clients
        .table
        .finish(
            &post,
            &state.execution,
            outcome,
            reason.as_deref(),
            &result,
            now,
        )
        .await?
    {
        return Err(Error::ClaimLost(post));
    }
    let outcome = match outcome {
        Outcome::Posted => "posted",
        Outcome::Skipped => "skipped",
        Outcome::Refused => "refused",
        Outcome::Rejected => "rejected",
        Outcome::Expired => "expired",
    };
    tracing::info!(post = %post, execution = state.execution, outcome, reason, cost_usd, "recorded");
    Ok(Output {
        outcome,
        reason,
        recorded: true,
        cost_usd,
    })
}

async fn record_failure(
    clients: &Clients,
    now: Timestamp,
    detail: Detail,
) -> Result<Output, Error> {
    let state = failed_state(clients, &detail.execution_arn).await?;
    let failure = Failure {
        status: detail.status.clone(),
        state: state.clone(),
        error: detail.error.clone(),
        cause: detail.cause.clone(),
        redrive_count: detail.redrive_count.unwrap_or(0),
        at: detail
            .stop_date
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .unwrap_or(now),
    };
    let mut recorded = false;
    match post_of(clients, &detail).await? {
        Some(post) => {
            recorded = clients
                .table
                .fail(&post, &detail.execution_arn, &failure)
                .await?;
            if !recorded {
                let name = detail.execution_arn.rsplit(':').next().unwrap_or_default();
                let details = json!({
                    "execution": detail.execution_arn,
                    "failure": failure,
                });
                clients
                    .table
                    .audit(
                        &post,
                        failure.at,
                        &format!("unrecorded-failure#{name}"),
                        &details,
                    )
                    .await?;
            }
            tracing::error!(
                post = %post, execution = detail.execution_arn, status = detail.status, state,
                error = detail.error, recorded, "execution failed"
            );
        }
        None => tracing::error!(
            execution = detail.execution_arn,
            status = detail.status,
            state,
            error = detail.error,
            recorded,
            "execution failed, and its input names no slot"
        ),
    }
    Ok(Output {
        outcome: "failed",
        reason: detail.error,
        recorded,
        cost_usd: 0.0,
    })
}

/// The slot that a failed execution was about: what `pick-day` said, or else what its input says.
async fn post_of(clients: &Clients, detail: &Detail) -> Result<Option<PostId>, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ExecutionInput {
        bot: String,
        slot: u32,
        scheduled_time: Option<Timestamp>,
        date: Option<Date>,
    }
    let Some(input) = detail
        .input
        .as_deref()
        .and_then(|input| serde_json::from_str::<ExecutionInput>(input).ok())
    else {
        return Ok(None);
    };
    // The bot's time zone is not known here, but its date is one of three, and the claim names the execution.
    let dates: Vec<Date> = match (input.date, input.scheduled_time) {
        (Some(date), _) => vec![date],
        (None, Some(at)) => {
            let date = at.to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
            [Some(date), date.yesterday().ok(), date.tomorrow().ok()]
                .into_iter()
                .flatten()
                .collect()
        }
        (None, None) => return Ok(None),
    };
    let mut posts = dates.into_iter().map(|date| PostId {
        bot: input.bot.clone(),
        date,
        slot: input.slot,
    });
    for post in posts.clone() {
        let held = clients.table.read(&post).await?;
        if held.is_some_and(|held| held.execution == detail.execution_arn) {
            return Ok(Some(post));
        }
    }
    Ok(posts.next())
}

/// The state that was entered and not left.
async fn failed_state(clients: &Clients, execution: &str) -> Result<Option<String>, Error> {
    let mut token = None;
    loop {
        let page = clients
            .sfn
            .get_execution_history()
            .execution_arn(execution)
            .reverse_order(true)
            .include_execution_data(false)
            .set_next_token(token)
            .send()
            .await;
        let page = match page {
            Ok(page) => page,
            // An execution that is gone must not keep its failure from being recorded.
            Err(SdkError::ServiceError(e)) if e.err().is_execution_does_not_exist() => {
                return Ok(None);
            }
            Err(error) => {
                let message = format!(
                    "Step Functions did not give the history of {execution}: {}",
                    aws_said(&error)
                );
                return Err(match error {
                    SdkError::ServiceError(e)
                        if e.raw().status().as_u16() < 500
                            && e.err().code() != Some("ThrottlingException") =>
                    {
                        Error::Unexpected(anyhow!(message))
                    }
                    _ => Error::ServiceUnavailable(message),
                });
            }
        };
        for event in page.events() {
            if let Some(entered) = event.state_entered_event_details() {
                return Ok(Some(entered.name().to_owned()));
            }
            if event.state_exited_event_details().is_some() {
                return Ok(None);
            }
        }
        token = page.next_token;
        if token.is_none() {
            return Ok(None);
        }
    }
}

/// How a decision ends a run, if it does.
fn ended_by(approval: Option<&Asked>) -> Option<(Outcome, Option<String>)> {
    let decision = approval?.decision.as_ref()?;
    match &decision.verdict {
        Verdict::Rejected { reason } => {
            let reason = format!("rejected by {}: {reason}", decision.by);
            Some((Outcome::Rejected, Some(reason)))
        }
        Verdict::Expired => {
            let reason = "nobody decided in time".to_owned();
            Some((Outcome::Expired, Some(reason)))
        }
        Verdict::Approved { .. } | Verdict::Regenerate { .. } => None,
    }
}

fn cost(value: Option<&Value>) -> f64 {
    value
        .and_then(|v| v.get("costUsd"))
        .and_then(Value::as_f64)
        .unwrap_or(0.0)
}

/// What the provider said of a refused prompt; the cause of a Lambda error is JSON, others are plain text.
fn refusal_message(refusal: &Value) -> Option<String> {
    let cause = refusal.get("Cause")?.as_str()?;
    let message = serde_json::from_str::<Value>(cause).ok().and_then(|v| {
        v.get("errorMessage")
            .and_then(Value::as_str)
            .map(str::to_owned)
    });
    Some(message.unwrap_or_else(|| cause.to_owned()))
}
