//! A deployment of the state machine and its functions: the local cloud, or one on AWS.

mod deploy;
mod runs;

pub(crate) use deploy::functions;
pub use deploy::{Settings, TABLE, Zips, build_functions};
pub use runs::{Execution, Run};

use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use aws_config::SdkConfig;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
};
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent, HistoryEventType};
use jiff::Timestamp;
use lambda_function::aws_error;
use local_cloud::Account;
use posts_table::Table;
use serde::Serialize;
use serde_json::{Value, json};

/// The state machine's definition, with placeholders for the functions.
pub(crate) const DEFINITION: &str = include_str!("../../statemachine/daily-post.asl.json");

/// A deployment of the state machine and its functions in one account.
#[derive(Clone, Debug)]
pub struct Cloud {
    /// What it is called, and what the names of its parts begin with: `daily-post-<env>`.
    pub name: String,
    /// The 12 digits of its account.
    pub account_id: String,
    /// Its region.
    pub region: String,
    /// Step Functions.
    pub sfn: aws_sdk_sfn::Client,
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Secrets Manager.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// Lambda.
    pub lambda: aws_sdk_lambda::Client,
    /// SES.
    pub ses: aws_sdk_sesv2::Client,
    /// EventBridge.
    pub events: aws_sdk_eventbridge::Client,
    /// EventBridge Scheduler.
    pub scheduler: aws_sdk_scheduler::Client,
    /// The posts.
    pub table: Table,
    /// The bucket of the pictures.
    pub image_bucket: String,
    /// The bucket of the bots' files.
    pub bot_files_bucket: String,
    /// The state machine.
    pub state_machine_arn: String,
    /// The emulator's account, if it is the local cloud.
    pub emulator: Option<Account>,
}

impl Cloud {
    /// The deployment of an environment, by the names that everything of it has.
    pub(crate) fn named(
        env: &str,
        account_id: &str,
        aws: &SdkConfig,
        emulator: Option<Account>,
    ) -> Cloud {
        let name = format!("daily-post-{env}");
        let region = aws.region().map(ToString::to_string).unwrap_or_default();
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        Cloud {
            sfn: aws_sdk_sfn::Client::new(aws),
            s3: aws_sdk_s3::Client::new(aws),
            secrets: aws_sdk_secretsmanager::Client::new(aws),
            lambda: aws_sdk_lambda::Client::new(aws),
            ses: aws_sdk_sesv2::Client::new(aws),
            events: aws_sdk_eventbridge::Client::new(aws),
            scheduler: aws_sdk_scheduler::Client::new(aws),
            table: Table::new(dynamodb.clone(), &name),
            dynamodb,
            image_bucket: format!("{name}-{account_id}-images"),
            bot_files_bucket: format!("{name}-{account_id}-bot-files"),
            state_machine_arn: format!("arn:aws:states:{region}:{account_id}:stateMachine:{name}"),
            account_id: account_id.to_owned(),
            region,
            emulator,
            name,
        }
    }

    /// The full name of a function.
    pub fn function_name(&self, function: &str) -> String {
        format!("{}-{function}", self.name)
    }

    /// The ARN by which everything calls a function.
    pub(crate) fn function_arn(&self, function: &str) -> String {
        format!(
            "arn:aws:lambda:{}:{}:function:{}:live",
            self.region,
            self.account_id,
            self.function_name(function)
        )
    }

    fn role(&self) -> String {
        format!("arn:aws:iam::{}:role/{}", self.account_id, self.name)
    }

    /// Runs the watchdog once, as its schedule would. What it could not do is in the answer.
    pub async fn run_watchdog(&self) -> anyhow::Result<Value> {
        self.invoke("watchdog", &json!({})).await
    }

    /// Invokes a function by its alias, and gives its answer, which may be an error of its own.
    pub async fn invoke(&self, function: &str, payload: &Value) -> anyhow::Result<Value> {
        let answer = self
            .lambda
            .invoke()
            .function_name(self.function_name(function))
            .qualifier("live")
            .payload(Blob::new(payload.to_string()))
            .send()
            .await
            .map_err(|e| said(&format!("invoking {function}"), e))?;
        let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
        Ok(serde_json::from_slice(&payload).unwrap_or(Value::Null))
    }

    /// Refuses a bot that is not deployed. Where that cannot be found out, it may be there: the switch works without S3.
    pub(crate) async fn ensure_bot(&self, bot: &str) -> anyhow::Result<()> {
        let there = self
            .s3
            .head_object()
            .bucket(&self.bot_files_bucket)
            .key(format!("{bot}/bot.toml"))
            .send()
            .await;
        let missing =
            there.is_err_and(|error| error.as_service_error().is_some_and(|e| e.is_not_found()));
        ensure!(!missing, self.no_bot(bot, "bot.toml"));
        Ok(())
    }

    fn no_bot(&self, bot: &str, file: &str) -> String {
        format!(
            "{} has no bot {bot:?}: s3://{}/{bot}/{file} is missing; look at --bot, or deploy the bot",
            self.name, self.bot_files_bucket
        )
    }

    /// The text of one file of a bot as it is deployed.
    pub(crate) async fn bot_file(&self, bot: &str, file: &str) -> anyhow::Result<String> {
        let key = format!("{bot}/{file}");
        let there = self
            .s3
            .get_object()
            .bucket(&self.bot_files_bucket)
            .key(&key)
            .send()
            .await;
        let there = match there {
            Ok(there) => there,
            Err(error) if error.as_service_error().is_some_and(|e| e.is_no_such_key()) => {
                bail!(self.no_bot(bot, file))
            }
            Err(error) => return Err(said(&format!("reading the deployed {key}"), error)),
        };
        let text = there.body.collect().await?.to_vec();
        String::from_utf8(text).with_context(|| format!("the deployed {key} is not UTF-8"))
    }

    /// Uploads one file of a bot, as it is, unless it is there already.
    pub async fn put_bot_file(&self, bot: &str, file: &str, text: Vec<u8>) -> anyhow::Result<()> {
        let key = format!("{bot}/{file}");
        let there = self
            .s3
            .get_object()
            .bucket(&self.bot_files_bucket)
            .key(&key)
            .send()
            .await;
        if let Ok(there) = there
            && there.body.collect().await?.to_vec() == text
        {
            return Ok(());
        }
        self.s3
            .put_object()
            .bucket(&self.bot_files_bucket)
            .key(&key)
            .body(ByteStream::from(text))
            .send()
            .await?;
        Ok(())
    }

    /// Starts an execution and gives its ARN.
    pub async fn start(&self, input: &Value) -> anyhow::Result<String> {
        let started = self
            .sfn
            .start_execution()
            .state_machine_arn(&self.state_machine_arn)
            .input(input.to_string())
            .send()
            .await
            .map_err(|e| said("starting the execution", e))?;
        Ok(started.execution_arn)
    }

    /// Waits until an execution has ended. `entered` is told each state as it is entered.
    pub async fn wait(&self, execution: &str, entered: impl FnMut(&str)) -> anyhow::Result<Ended> {
        self.wait_for(execution, 0, 0, entered).await
    }

    /// Waits until an execution has ended that was redriven so often and had been in so many states before.
    pub(crate) async fn wait_for(
        &self,
        execution: &str,
        redrives: i32,
        mut told: usize,
        mut entered: impl FnMut(&str),
    ) -> anyhow::Result<Ended> {
        // AWS counts requests, and a person does not look ten times a second.
        let pause = Duration::from_millis(match self.emulator {
            Some(_) => 100,
            None => 1000,
        });
        // What AWS says of an execution may be some seconds old: that it is not there, or that it has ended when it
        // was just redriven.
        let mut unseen = 0;
        loop {
            let now = self
                .sfn
                .describe_execution()
                .execution_arn(execution)
                .send();
            let now = match now.await {
                Ok(now) if now.redrive_count.unwrap_or(0) >= redrives => now,
                Err(e)
                    if !e
                        .as_service_error()
                        .is_some_and(|e| e.is_execution_does_not_exist()) =>
                {
                    return Err(said("describing the execution", e));
                }
                _ if unseen < 30 => {
                    unseen += 1;
                    tokio::time::sleep(pause).await;
                    continue;
                }
                Ok(_) => {
                    return Err(anyhow!(
                        "{execution} was redriven, and AWS does not show it"
                    ));
                }
                Err(e) => return Err(said("describing the execution", e)),
            };
            let states = self.states(execution).await?;
            for state in states.iter().skip(told) {
                entered(&state.name);
            }
            told = states.len();
            if now.status != ExecutionStatus::Running {
                let output = now
                    .output
                    .as_deref()
                    .map(serde_json::from_str)
                    .transpose()?;
                return Ok(Ended {
                    execution: execution.to_owned(),
                    status: now.status.as_str().to_owned(),
                    error: now.error,
                    cause: now.cause,
                    output: output.unwrap_or(Value::Null),
                    states,
                });
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// The states of an execution in the order they were entered.
    pub async fn states(&self, execution: &str) -> anyhow::Result<Vec<State>> {
        let mut events = Vec::new();
        let mut token = None;
        loop {
            let page = self
                .sfn
                .get_execution_history()
                .execution_arn(execution)
                .max_results(1000)
                .set_next_token(token)
                .send()
                .await
                .map_err(|e| said("reading the execution's history", e))?;
            events.extend(page.events);
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        Ok(states_of(&events))
    }

    /// The bytes of a picture.
    pub async fn picture(&self, key: &str) -> anyhow::Result<Vec<u8>> {
        let object = self
            .s3
            .get_object()
            .bucket(&self.image_bucket)
            .key(key)
            .send()
            .await
            .map_err(|e| said("reading the picture", e))?;
        Ok(object.body.collect().await?.to_vec())
    }
}

/// An execution that has ended.
#[derive(Clone, Debug, Serialize)]
pub struct Ended {
    /// Its ARN.
    pub execution: String,
    /// `SUCCEEDED`, `FAILED`, `TIMED_OUT` or `ABORTED`.
    pub status: String,
    /// The error name of a failed one.
    pub error: Option<String>,
    /// What the failed state said.
    pub cause: Option<String>,
    /// The state document at the end.
    pub output: Value,
    /// Its states.
    pub states: Vec<State>,
}

impl Ended {
    /// How it ended, in a line.
    pub fn says(&self) -> String {
        let record = &self.output["record"];
        let outcome = record["outcome"].as_str().unwrap_or(&self.status);
        let why = record["reason"].as_str().or(self.cause.as_deref());
        match why {
            Some(why) => format!("{outcome} {why}"),
            None => outcome.to_owned(),
        }
    }

    /// Where and why it failed, in a line. One that was stopped or has timed out has no error of its own.
    pub fn fails(&self) -> String {
        let state = self.states.last().map_or("no state", |state| &state.name);
        let error = self.error.as_deref().unwrap_or(&self.status);
        match &self.cause {
            Some(cause) => format!("in {state}: {error} {cause}"),
            None => format!("in {state}: {error}"),
        }
    }
}

/// A state of an execution.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// Its name.
    pub name: String,
    /// How often its task was tried; 1 for a state without a task.
    pub attempts: u32,
    /// How long it took, in milliseconds; absent while it runs, or if it failed.
    pub milliseconds: Option<i64>,
    #[serde(skip)]
    entered: i64,
}

fn states_of(events: &[HistoryEvent]) -> Vec<State> {
    let at = |event: &HistoryEvent| event.timestamp.to_millis().unwrap_or(0);
    let mut states: Vec<State> = Vec::new();
    for event in events {
        if let Some(details) = event.state_entered_event_details() {
            states.push(State {
                name: details.name().to_owned(),
                attempts: 0,
                milliseconds: None,
                entered: at(event),
            });
        } else if let Some(state) = states.last_mut() {
            if matches!(
                event.r#type,
                HistoryEventType::TaskScheduled | HistoryEventType::LambdaFunctionScheduled
            ) {
                state.attempts += 1;
            } else if event.state_exited_event_details().is_some() {
                state.milliseconds = Some(at(event) - state.entered);
            }
        }
    }
    for state in &mut states {
        state.attempts = state.attempts.max(1);
    }
    states
}

/// The input of an ad-hoc run.
pub fn ad_hoc(bot: &str, date: jiff::civil::Date, slot: u32) -> Value {
    json!({"bot": bot, "slot": slot, "date": date.to_string()})
}

/// The input of a dry run.
pub fn dry_run(bot: &str, date: jiff::civil::Date, slot: u32) -> Value {
    json!({"bot": bot, "slot": slot, "date": date.to_string(), "dryRun": true})
}

/// The input that a schedule gives.
pub fn scheduled(bot: &str, slot: u32, at: Timestamp) -> Value {
    json!({"bot": bot, "slot": slot, "scheduledTime": at.to_string()})
}

/// What AWS said to what was tried, as an error.
pub(crate) fn said<E>(
    doing: &str,
    error: SdkError<E, aws_smithy_runtime_api::http::Response>,
) -> anyhow::Error
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    anyhow::Error::from(aws_error(&error)).context(doing.to_owned())
}
