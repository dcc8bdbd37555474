#![doc = include_str!("../README.md")]

use anyhow::anyhow;
use aws_config::SdkConfig;
use aws_sdk_sfn::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sfn::types::ExecutionStatus;
use bot_files::Bot;
use jiff::{Timestamp, tz::TimeZone};
use lambda_function::aws_error;
use lambda_function::env;
use lambda_function::telemetry::{Metrics, Unit};
use notifications::{Audience, Failed, Teller, Told};
use post::{AuditEvent, ExecutionInput, Outcome, PostId, SkipReason};
use posts_table::{Decision, Failure, Micros, Provider, Record, RunEnd, Table, Verdict};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Value, json};

/// The end of a run, as the state machine or as EventBridge tells it.
#[derive(Clone, Debug)]
pub enum Input {
    /// A status-change event.
    Event(Event),
    /// The state `RecordResult`.
    State(Box<State>),
}

impl<'de> Deserialize<'de> for Input {
    /// The derived reader would not name the field that is wrong.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Input, D::Error> {
        let payload = Value::deserialize(deserializer)?;
        let input = match payload.get("detail") {
            Some(_) => serde_json::from_value(payload).map(Input::Event),
            None => serde_json::from_value(payload).map(|state| Input::State(Box::new(state))),
        };
        input.map_err(D::Error::custom)
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
    /// What `generate-image` said when a picture would have gone over a cap.
    #[serde(rename = "overBudget")]
    pub over_budget: Option<Value>,
}

/// What is needed of `pick-day`'s answer.
#[derive(Clone, Debug, Deserialize)]
pub struct Picked {
    /// `picked`, `skipped` or `duplicate`.
    pub status: String,
    /// The post.
    pub post: String,
    /// Why nothing was picked, as a text for people.
    pub reason: Option<String>,
    /// Why it was skipped; absent in executions that started before reasons were typed.
    #[serde(rename = "skipReason")]
    pub skip_reason: Option<SkipReason>,
    /// The bot's time zone, by its IANA name; UTC without it.
    #[serde(rename = "timeZone")]
    pub time_zone: Option<String>,
    /// Why a real run would have posted nothing, in a dry run.
    #[serde(rename = "wouldSkip")]
    pub would_skip: Option<String>,
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
    /// `posted`, `skipped` or `dry-run`.
    pub status: String,
    /// The id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Why it was skipped, as a text for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it was skipped; absent in executions that started before reasons were typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_reason: Option<SkipReason>,
    /// What a dry run would have sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<Value>,
    /// What X charges, in US dollars.
    pub cost_usd: Option<f64>,
}

/// What was recorded.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// `posted`, `skipped`, `refused`, `rejected`, `expired`, `dry-run`, `duplicate` or `failed`.
    pub outcome: &'static str,
    /// Why, where that needs saying.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether the slot's record says so now.
    pub recorded: bool,
    /// What the run cost, in US dollars.
    pub cost_usd: f64,
}

/// Records how a run ended, and tells those who are to know.
pub async fn record_result(
    clients: &Clients,
    config: &Config,
    now: Timestamp,
    input: Input,
) -> Result<Output, Error> {
    match input {
        Input::Event(event) => record_failure(clients, config, now, event.detail).await,
        Input::State(state) => record_end(clients, config, now, *state).await,
    }
}

/// What the function needs from its environment.
#[derive(Clone, Debug)]
pub struct Config {
    /// The name of the table.
    pub table_name: String,
    /// The bucket of the bots' files, which name who is told.
    pub bot_files_bucket: String,
    /// The sender of the mails.
    pub mail_from: String,
    /// Who is told where `bot.toml` cannot be read, or nobody knows the bot.
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

/// What the function talks to.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The table and the mails.
    pub teller: Teller,
    /// The bots' files.
    pub s3: aws_sdk_s3::Client,
    /// Step Functions, for the history of a failed execution.
    pub sfn: aws_sdk_sfn::Client,
    /// Whether the executions are in the console of AWS, as they are at its own endpoints.
    pub on_aws: bool,
}

impl Clients {
    /// The clients of an AWS configuration.
    pub fn new(aws: &SdkConfig, config: &Config) -> Clients {
        let on_aws = aws.endpoint_url().is_none();
        Clients {
            teller: Teller {
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

    fn table(&self) -> &Table {
        &self.teller.table
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

lambda_function::function_error!(Error {
    lambda_function::UnreadableInput => InvalidInput,
    post::InvalidPostId => InvalidInput,
    posts_table::Error => ServiceUnavailable or Unexpected,
});

async fn record_end(
    clients: &Clients,
    config: &Config,
    now: Timestamp,
    state: State,
) -> Result<Output, Error> {
    let post: PostId = state.day.post.parse()?;
    let asked_anew = matches!(
        state.approval.as_ref().and_then(|asked| asked.decision.as_ref()),
        Some(decision) if matches!(decision.verdict, Verdict::Regenerate { .. })
    );
    // The draft of an earlier round, which a run ends with that got no other one, is among what was spent.
    let draft = state.draft.as_ref().filter(|_| !asked_anew);
    let cost_usd = state.spent_usd.unwrap_or(0.0)
        + cost(draft)
        + state.tweet.as_ref().and_then(|t| t.cost_usd).unwrap_or(0.0);
    let (outcome, skip_reason, reason) = match (state.day.status.as_str(), &state.tweet) {
        ("duplicate", _) => {
            let details = json!({"execution": state.execution, "reason": state.day.reason});
            // Named by the execution, so that entering again writes the same line.
            let what = AuditEvent::duplicate(&state.execution);
            clients
                .table()
                .audit(&post, Timestamp::UNIX_EPOCH, &what, &details)
                .await?;
            tracing::info!("duplicate");
            ended_metrics(&post, &state.execution, "duplicate").emit(now);
            return Ok(Output {
                outcome: "duplicate",
                reason: state.day.reason,
                recorded: false,
                cost_usd,
            });
        }
        ("skipped", _) => skipped(state.day.skip_reason, state.day.reason.clone()),
        ("picked", Some(tweet)) if tweet.status == "posted" => (Outcome::Posted, None, None),
        ("picked", Some(tweet)) if tweet.status == "skipped" => {
            skipped(tweet.skip_reason, tweet.reason.clone())
        }
        ("picked", Some(tweet)) if tweet.status == "dry-run" && post.dry_run.is_some() => {
            let why = state.day.would_skip.as_ref().or(tweet.reason.as_ref());
            let reason = why.map(|why| format!("a real run would have posted nothing: {why}"));
            (Outcome::DryRun, None, reason)
        }
        ("picked", None) if let Some(ended) = ended_by(state.approval.as_ref()) => ended,
        // Before a refusal: a softer prompt may have been what there was no money for.
        ("picked", None) if let Some(said) = &state.over_budget => {
            let why = refusal_message(said).unwrap_or_default();
            let reason = format!("over budget: {why}");
            skipped(Some(SkipReason::OverBudget), Some(reason))
        }
        ("picked", None) if state.refusal.is_some() => (
            Outcome::Refused,
            None,
            state.refusal.as_ref().and_then(refusal_message),
        ),
        (status, tweet) => {
            return Err(Error::InvalidInput(format!(
                "day.status {status:?} with tweet.status {:?} is no end of a run",
                tweet.as_ref().map(|t| &t.status)
            )));
        }
    };
    if let (Outcome::Posted, Some(tweet)) = (outcome, &state.tweet)
        && let (Some(id), Some(fee)) = (&tweet.id, tweet.cost_usd)
    {
        let zone = state
            .day
            .time_zone
            .as_deref()
            .and_then(|name| TimeZone::get(name).ok());
        let date = now.to_zoned_datetime(zone.unwrap_or(TimeZone::UTC)).date();
        let (id, fee) = (format!("tweet-{id}"), Micros::from_usd(fee));
        let charge = clients
            .table()
            .charge(&post, Provider::X, &id, fee, date, now);
        charge.await?;
    }
    let result = json!({
        "draft": state.draft,
        "image": state.image,
        "prompt": state.prompt,
        "decision": state.approval.and_then(|approval| approval.decision),
        "tweet": state.tweet,
        "costUsd": cost_usd,
    });
    if !clients
        .table()
        .finish(
            &post,
            &state.execution,
            &RunEnd {
                outcome,
                skip_reason,
                reason: reason.as_deref(),
                result: &result,
            },
            now,
        )
        .await?
    {
        return Err(Error::ClaimLost(post));
    }
    // Whoever starts a dry run looks at it: nobody else is told, and nothing is counted.
    let record = match post.dry_run {
        None => clients.table().read(&post).await?,
        Some(_) => None,
    };
    if let Some(record) = &record {
        let bot = bot(clients, config, &post.bot).await;
        tell_end(clients, config, now, &post, record, &bot).await?;
    }
    let outcome = outcome.name();
    tracing::info!(outcome, reason, cost_usd, "recorded");
    // The first time: entering again keeps it.
    if let Some(record) = record.filter(|record| record.ended_at == Some(now)) {
        let seconds = now.duration_since(record.claimed_at).as_secs_f64();
        ended_metrics(&post, &state.execution, outcome)
            .metric("RunSeconds", Unit::Seconds, seconds)
            .metric("CostUsd", Unit::None, cost_usd)
            .emit(now);
        approval_metrics(clients, &post, now).await?;
    }
    Ok(Output {
        outcome,
        reason,
        recorded: true,
        cost_usd,
    })
}

/// The metrics of a run that ended so.
fn ended_metrics(post: &PostId, execution: &str, outcome: &'static str) -> Metrics {
    Metrics::new()
        .dimension("bot", &post.bot)
        .dimension("outcome", outcome)
        .metric("Runs", Unit::Count, 1.0)
        .property("post", Some(&post.to_string()))
        .property("execution", Some(execution))
}

/// How long each picture of a post waited for a person, or for the deadline.
async fn approval_metrics(clients: &Clients, post: &PostId, now: Timestamp) -> Result<(), Error> {
    for approval in clients.table().approvals(post).await? {
        let Some(decision) = approval.decision else {
            continue;
        };
        let waited = decision.at.duration_since(approval.opened_at);
        Metrics::new()
            .dimension("bot", &post.bot)
            .metric("ApprovalSeconds", Unit::Seconds, waited.as_secs_f64())
            .property("post", Some(&post.to_string()))
            .property("verdict", Some(decision.verdict.name()))
            .emit(now);
    }
    Ok(())
}

/// The bot's `bot.toml`, or why it cannot be read.
async fn bot(clients: &Clients, config: &Config, bot: &str) -> Result<Bot, String> {
    let read = notifications::read_bot(&clients.s3, &config.bot_files_bucket, bot).await;
    if let Err(why) = &read {
        tracing::warn!(bot, why, "those of ALERT_TO are told");
    }
    read
}

fn audience(config: &Config, bot: &Result<Bot, String>) -> Audience {
    match bot {
        Ok(bot) => Audience::of(bot),
        Err(why) => Audience::instead(&config.alert_to, why),
    }
}

/// Tells how the run of a slot ended, unless that was told.
async fn tell_end(
    clients: &Clients,
    config: &Config,
    now: Timestamp,
    post: &PostId,
    record: &Record,
    bot: &Result<Bot, String>,
) -> Result<(), Error> {
    if let Some(notice) = notifications::ended(post, record) {
        let event = notifications::ended_event(post, record);
        let audience = audience(config, bot);
        clients.teller.tell(&audience, &event, &notice, now).await?;
    }
    Ok(())
}

async fn record_failure(
    clients: &Clients,
    config: &Config,
    now: Timestamp,
    detail: Detail,
) -> Result<Output, Error> {
    let execution = &detail.execution_arn;
    let state = failed_state(clients, execution).await?;
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
    let output = |recorded| Output {
        outcome: "failed",
        reason: detail.error.clone(),
        recorded,
        cost_usd: 0.0,
    };
    let input = named_input(&detail);
    let bot = match &input {
        Some(input) => bot(clients, config, &input.bot).await,
        None => Err("nobody knows which bot it is about".to_owned()),
    };
    let post = match &input {
        Some(input) => post_of(clients, input, &bot, execution).await?,
        None => None,
    };
    if let Some(post) = &post {
        lambda_function::telemetry::record_post(post);
    }
    tracing::error!(
        status = detail.status,
        failed_state = state,
        error = detail.error,
        "execution failed"
    );
    if input.as_ref().is_some_and(|input| input.dry_run) {
        let recorded = match &post {
            Some(post) => clients.table().fail(post, execution, &failure).await?,
            None => false,
        };
        return Ok(output(recorded));
    }
    let Some(post) = post else {
        tell_failure(clients, config, now, None, execution, &failure, None, &bot).await?;
        return Ok(output(false));
    };
    // An event can arrive when a redrive is under way, or has posted. What it says is over then.
    let is_over = went_on(clients, execution, failure.redrive_count).await?;
    let recorded = !is_over && clients.table().fail(&post, execution, &failure).await?;
    if !recorded {
        let details = json!({"execution": execution, "failure": failure});
        let what = AuditEvent::unrecorded_failure(execution);
        clients
            .table()
            .audit(&post, failure.at, &what, &details)
            .await?;
    }
    let record = clients.table().read(&post).await?;
    match &record {
        // It has ended, so it can only have failed after that: what is left to do is to tell how it ended.
        Some(held) if held.outcome.is_some() && held.execution == *execution => {
            tell_end(clients, config, now, &post, held, &bot).await?;
        }
        _ if is_over => {}
        // A later failure is recorded, and was told.
        Some(held) if held.execution == *execution && !recorded => {}
        Some(held)
            if held.execution != *execution && gave_up(clients, &post, execution).await? => {}
        held => {
            let (post, held) = (Some(&post), held.as_ref());
            tell_failure(clients, config, now, post, execution, &failure, held, &bot).await?;
        }
    }
    Ok(output(recorded))
}

#[expect(
    clippy::too_many_arguments,
    reason = "the one place where all of it meets"
)]
async fn tell_failure(
    clients: &Clients,
    config: &Config,
    now: Timestamp,
    post: Option<&PostId>,
    execution: &str,
    failure: &Failure,
    record: Option<&Record>,
    bot: &Result<Bot, String>,
) -> Result<(), Error> {
    let failed = Failed {
        post,
        execution,
        failure,
        record,
        on_aws: clients.on_aws,
    };
    let audience = audience(config, bot);
    let (event, notice) = (failed.event(), failed.notice());
    let told = clients.teller.tell(&audience, &event, &notice, now).await?;
    // The event may be delivered again.
    if told != Told::Before {
        Metrics::new()
            .dimension("bot", post.map_or("unknown", |post| &post.bot))
            .dimension("outcome", "failed")
            .metric("Runs", Unit::Count, 1.0)
            .property("post", notice.post.as_deref())
            .property("execution", Some(execution))
            .property("state", failure.state.as_deref())
            .property("error", failure.error.as_deref())
            .emit(now);
    }
    Ok(())
}

/// Whether an execution runs again or has ended otherwise since it failed after so many redrives.
async fn went_on(clients: &Clients, execution: &str, redrives: u64) -> Result<bool, Error> {
    let described = clients
        .sfn
        .describe_execution()
        .execution_arn(execution)
        .send()
        .await;
    match described {
        Ok(now) => {
            let failed = matches!(
                now.status,
                ExecutionStatus::Failed | ExecutionStatus::TimedOut | ExecutionStatus::Aborted
            );
            let counted = now.redrive_count.unwrap_or(0);
            Ok(!failed || u64::try_from(counted).is_ok_and(|counted| counted > redrives))
        }
        // An execution that is gone must not keep its failure from being told.
        Err(SdkError::ServiceError(e)) if e.err().is_execution_does_not_exist() => Ok(false),
        Err(error) => Err(unanswered("describe", execution, error)),
    }
}

/// Whether an operator has given the slot of this execution to another one since: whoever did knows of the failure.
async fn gave_up(clients: &Clients, post: &PostId, execution: &str) -> Result<bool, Error> {
    let trail = clients.table().audit_trail(post).await?;
    Ok(trail
        .iter()
        .any(|line| line.what.changes_holder() && line.details["from"] == execution))
}

/// The input of an execution, if it names a slot.
fn named_input(detail: &Detail) -> Option<ExecutionInput> {
    let input: Value = serde_json::from_str(detail.input.as_deref()?).ok()?;
    ExecutionInput::read_failed(&input).ok()
}

/// The slot that a failed execution was about: the one that it holds, or else the one that its input names.
async fn post_of(
    clients: &Clients,
    input: &ExecutionInput,
    bot: &Result<Bot, String>,
    execution: &str,
) -> Result<Option<PostId>, Error> {
    let dates = match bot {
        Ok(bot) => vec![input.date(bot.time_zone())],
        // Without the bot's time zone there are several, and the claim names the execution.
        Err(_) => input.possible_dates(),
    };
    let mut posts = dates.into_iter().map(|date| {
        let post = PostId {
            bot: input.bot.clone(),
            date,
            slot: input.slot,
            dry_run: None,
        };
        match input.dry_run {
            true => post.dry_run_of(execution),
            false => post,
        }
    });
    for post in posts.clone() {
        let held = clients.table().read(&post).await?;
        if held.is_some_and(|held| held.execution == execution) {
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
            Err(error) => return Err(unanswered("give the history of", execution, error)),
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

fn unanswered<E>(doing: &str, execution: &str, error: SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let said = aws_error(&error);
    let message = format!("Step Functions did not {doing} {execution}: {said}");
    match error {
        SdkError::ServiceError(e)
            if e.raw().status().as_u16() < 500 && e.err().code() != Some("ThrottlingException") =>
        {
            Error::Unexpected(anyhow!(message))
        }
        _ => Error::ServiceUnavailable(message),
    }
}

/// How a run ended, why it was skipped if it was, and the reason for people.
type End = (Outcome, Option<SkipReason>, Option<String>);

/// The end of a run that was skipped. State data of earlier versions has only the text.
fn skipped(why: Option<SkipReason>, reason: Option<String>) -> End {
    let untyped = || SkipReason::from_untyped(reason.as_deref().unwrap_or_default());
    let why = why.unwrap_or_else(untyped);
    (Outcome::Skipped, Some(why), reason)
}

/// How a decision ends a run, if it does.
fn ended_by(approval: Option<&Asked>) -> Option<End> {
    let decision = approval?.decision.as_ref()?;
    match &decision.verdict {
        Verdict::Rejected { reason } => {
            let reason = format!("rejected by {}: {reason}", decision.by);
            Some((Outcome::Rejected, None, Some(reason)))
        }
        Verdict::Expired => {
            let reason = "nobody decided in time".to_owned();
            Some((Outcome::Expired, None, Some(reason)))
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
