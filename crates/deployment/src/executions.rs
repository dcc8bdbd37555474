//! Starts executions, follows them, and reads their states.

use std::time::Duration;

use anyhow::bail;
use aws_sdk_sfn::{
    operation::describe_execution::DescribeExecutionOutput,
    types::{ExecutionStatus, HistoryEvent, HistoryEventType},
};
use jiff::{SignedDuration, Timestamp};
use post::ExecutionInput;
use serde::Serialize;
use serde_json::Value;

use crate::{Deployment, aws_context};

/// How often the status of an execution is read for each time that its history is.
const POLLS_PER_HISTORY: u32 = 5;

impl Deployment {
    /// Starts an execution and returns its ARN.
    pub async fn start(&self, input: &Value) -> anyhow::Result<String> {
        let started = self
            .sfn
            .start_execution()
            .state_machine_arn(&self.state_machine_arn)
            .input(input.to_string())
            .send()
            .await
            .map_err(|e| aws_context("starting the execution", e))?;
        Ok(started.execution_arn)
    }

    /// Waits until an execution has ended. Calls `entered` with the name of each state that it enters.
    pub async fn wait(
        &self,
        execution: &str,
        entered: impl FnMut(&str),
    ) -> anyhow::Result<EndedExecution> {
        self.wait_for(execution, 0, 0, entered).await
    }

    /// Waits until an execution has ended that was redriven so often and had been in so many states before.
    pub async fn wait_for(
        &self,
        execution: &str,
        redrives: i32,
        mut reported: usize,
        mut entered: impl FnMut(&str),
    ) -> anyhow::Result<EndedExecution> {
        // AWS throttles requests.
        let pause = Duration::from_millis(match self.is_local() {
            true => 100,
            false => 1000,
        });
        let (mut unseen, mut polls) = (0, 0);
        loop {
            let Some(now) = self.current(execution, redrives, unseen).await? else {
                unseen += 1;
                tokio::time::sleep(pause).await;
                continue;
            };
            let ended = now.status != ExecutionStatus::Running;
            polls += 1;
            // A history is large, and progress is for people.
            if !ended && polls % POLLS_PER_HISTORY != 1 {
                tokio::time::sleep(pause).await;
                continue;
            }
            let states = self.states(execution).await?;
            for state in states.iter().skip(reported) {
                entered(&state.name);
            }
            reported = states.len();
            if ended {
                let output = now
                    .output
                    .as_deref()
                    .map(serde_json::from_str)
                    .transpose()?;
                return Ok(EndedExecution {
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

    /// Describes an execution after so many redrives; `None` if AWS does not show it, or its latest redrive, yet:
    /// responses can be some seconds old. Fails after 30 attempts.
    async fn current(
        &self,
        execution: &str,
        redrives: i32,
        unseen: u32,
    ) -> anyhow::Result<Option<DescribeExecutionOutput>> {
        match self.described(execution).await? {
            Some(now) if now.redrive_count.unwrap_or(0) >= redrives => Ok(Some(now)),
            _ if unseen < 30 => Ok(None),
            Some(_) => bail!("{execution} was redriven, and AWS does not show it"),
            None => bail!("{execution} does not exist"),
        }
    }

    /// The states of an execution in the order they were entered.
    pub async fn states(&self, execution: &str) -> anyhow::Result<Vec<StateVisit>> {
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
                .map_err(|e| aws_context("reading the execution's history", e))?;
            events.extend(page.events);
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        Ok(states_of(&events))
    }
}

/// An execution that has ended.
#[derive(Clone, Debug, Serialize)]
pub struct EndedExecution {
    /// Its ARN.
    pub execution: String,
    /// `SUCCEEDED`, `FAILED`, `TIMED_OUT` or `ABORTED`.
    pub status: String,
    /// The error name of a failed one.
    pub error: Option<String>,
    /// The message of the error.
    pub cause: Option<String>,
    /// The state document at the end.
    pub output: Value,
    /// Its states.
    pub states: Vec<StateVisit>,
}

impl EndedExecution {
    /// Its outcome, in a line.
    pub fn summary(&self) -> String {
        let record = &self.output["record"];
        let outcome = record["outcome"].as_str().unwrap_or(&self.status);
        let why = record["reason"].as_str().or(self.cause.as_deref());
        match why {
            Some(why) => format!("{outcome} {why}"),
            None => outcome.to_owned(),
        }
    }

    /// Where and why it failed, in a line. An aborted or timed out execution has no error name.
    pub fn failure_summary(&self) -> String {
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
pub struct StateVisit {
    /// Its name.
    pub name: String,
    /// How often its task was tried; 1 for a state without a task.
    pub attempts: u32,
    /// How long it took, in milliseconds; absent while it runs, or if it failed.
    pub milliseconds: Option<i64>,
    #[serde(skip)]
    entered: i64,
}

fn states_of(events: &[HistoryEvent]) -> Vec<StateVisit> {
    let at = |event: &HistoryEvent| event.timestamp.to_millis().unwrap_or(0);
    let mut states: Vec<StateVisit> = Vec::new();
    for event in events {
        if let Some(details) = event.state_entered_event_details() {
            states.push(StateVisit {
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
    ExecutionInput::ad_hoc(bot, date, slot).to_json()
}

/// The input of a dry run.
pub fn dry_run(bot: &str, date: jiff::civil::Date, slot: u32) -> Value {
    ExecutionInput::dry_run(bot, date, slot).to_json()
}

/// The input of a schedule that starts its runs at the slot's time.
pub fn scheduled(bot: &str, slot: u32, at: Timestamp) -> Value {
    ExecutionInput::scheduled(bot, slot, at, SignedDuration::ZERO).to_json()
}
