//! Runs: an execution with its continuations, and how an operator resumes one.

use anyhow::{Context, bail, ensure};
use aws_sdk_sfn::{operation::describe_execution::DescribeExecutionOutput, types::ExecutionStatus};
use jiff::Timestamp;
use lambda_function::aws_error;
use post::PostId;
use posts_table::{Operator, Record, SlotChange};
use serde_json::{Value, json};

use crate::{Deployment, ad_hoc, aws_context};

impl Deployment {
    /// The runs, newest first: each execution with those that went on from it.
    pub async fn runs(&self) -> anyhow::Result<Vec<Run>> {
        let mut executions = Vec::new();
        for machine in self.machines().await? {
            let mut listed = self
                .sfn
                .list_executions()
                .state_machine_arn(machine)
                .into_paginator()
                .items()
                .send();
            while let Some(execution) = listed.next().await {
                let execution = execution.map_err(|e| aws_context("listing the executions", e))?;
                executions.push(Execution {
                    arn: execution.execution_arn().to_owned(),
                    status: execution.status().clone(),
                    started: time(execution.start_date())?,
                    stopped: execution.stop_date().map(time).transpose()?,
                    redrives: execution.redrive_count().unwrap_or(0),
                });
            }
        }
        executions.sort_by_key(|execution| execution.started);
        let mut runs: Vec<Run> = Vec::new();
        for execution in executions {
            let run = runs
                .iter_mut()
                .find(|run| run.holds(&execution.arn) && redrives(&execution.arn) > 0);
            match run {
                Some(run) => run.later.push(execution),
                None => runs.push(Run {
                    first: execution,
                    later: Vec::new(),
                }),
            }
        }
        runs.reverse();
        Ok(runs)
    }

    /// The state machine, and on the local cloud the state machines that continue its runs.
    async fn machines(&self) -> anyhow::Result<Vec<String>> {
        if !self.is_local() {
            return Ok(vec![self.state_machine_arn.clone()]);
        }
        let continuation = format!("{}-from-", self.name);
        let mut listed = self
            .sfn
            .list_state_machines()
            .into_paginator()
            .items()
            .send();
        let mut machines = Vec::new();
        while let Some(machine) = listed.next().await {
            let machine = machine.map_err(|e| aws_context("listing the state machines", e))?;
            if machine.name() == self.name || machine.name().starts_with(&continuation) {
                machines.push(machine.state_machine_arn().to_owned());
            }
        }
        Ok(machines)
    }

    /// The run that an execution is part of, or would be; `None` if nothing of it was ever started.
    pub async fn run_of(&self, execution: &str) -> anyhow::Result<Option<Run>> {
        if self.is_local() {
            let runs = self.runs().await?;
            return Ok(runs.into_iter().find(|run| run.holds(execution)));
        }
        // On AWS a redriven execution keeps its ARN.
        let Some(there) = self.described(execution).await? else {
            return Ok(None);
        };
        if there.state_machine_arn != self.state_machine_arn {
            return Ok(None);
        }
        Ok(Some(Run {
            first: Execution {
                arn: there.execution_arn.clone(),
                status: there.status.clone(),
                started: time(&there.start_date)?,
                stopped: there.stop_date().map(time).transpose()?,
                redrives: there.redrive_count().unwrap_or(0),
            },
            later: Vec::new(),
        }))
    }

    /// Describes an execution; `None` if it does not exist, or its history was deleted.
    pub async fn described(
        &self,
        execution: &str,
    ) -> anyhow::Result<Option<DescribeExecutionOutput>> {
        let described = self
            .sfn
            .describe_execution()
            .execution_arn(execution)
            .send()
            .await;
        match described {
            Ok(there) => Ok(Some(there)),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_execution_does_not_exist() || e.is_invalid_arn()) =>
            {
                Ok(None)
            }
            Err(error) => Err(aws_context("describing the execution", error)),
        }
    }

    /// The state that an execution was in when it ended without success, with that state's recorded input;
    /// `None` if it was in none.
    pub async fn failed_state(&self, execution: &str) -> anyhow::Result<Option<(String, String)>> {
        let mut pages = self
            .sfn
            .get_execution_history()
            .execution_arn(execution)
            .reverse_order(true)
            .into_paginator()
            .items()
            .send();
        while let Some(event) = pages.next().await {
            let event = event.map_err(|e| aws_context("reading the execution's history", e))?;
            if event.state_exited_event_details().is_some() {
                return Ok(None);
            }
            if let Some(entered) = event.state_entered_event_details() {
                let input = entered.input().context("the state has no recorded input")?;
                return Ok(Some((entered.name().to_owned(), input.to_owned())));
            }
        }
        Ok(None)
    }

    /// Goes on with a run that has ended without success, from the state that it was in: AWS redrives the execution,
    /// and the local cloud continues it. Pass the post if the run has claimed one.
    pub async fn redrive(
        &self,
        post: Option<&PostId>,
        run: &Run,
        operator: &Operator,
    ) -> anyhow::Result<Redriven> {
        if self.is_local() {
            return Ok(Redriven {
                execution: self.continue_from(post, run, operator).await?,
                redrives: 0,
                states: 0,
            });
        }
        let last = run.last();
        let states = self.states(&last.arn).await?.len();
        // The claim stays; the transaction records who redrives, on condition that the run holds the claim.
        if let Some(post) = post {
            self.hand_over(post, run, &last.arn, operator).await?;
        }
        let redriven = self
            .sfn
            .redrive_execution()
            .execution_arn(&last.arn)
            .send()
            .await;
        match redriven {
            Ok(_) => Ok(Redriven {
                execution: last.arn.clone(),
                redrives: last.redrives + 1,
                states,
            }),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_execution_not_redrivable()) =>
            {
                bail!(
                    "nothing was redriven: {}; another operator may have redriven it at the same time: \
                     type `spooky show {}`",
                    aws_error(&error),
                    last.arn
                )
            }
            Err(error) => Err(aws_context("redriving the execution", error)),
        }
    }

    /// Continues a run from the state that failed, with that state's recorded input, in a new execution that takes
    /// over the claim, since the emulator cannot redrive. Returns the ARN of the new execution.
    pub async fn continue_from(
        &self,
        post: Option<&PostId>,
        run: &Run,
        operator: &Operator,
    ) -> anyhow::Result<String> {
        let execution = &run.last().arn;
        let (state, input) = self.failed_state(execution).await?.with_context(|| {
            format!("{execution} failed before its first state and cannot be continued")
        })?;
        let machine = self
            .sfn
            .describe_state_machine_for_execution()
            .execution_arn(execution)
            .send()
            .await
            .map_err(|e| aws_context("reading the execution's definition", e))?;
        let mut definition: Value = serde_json::from_str(&machine.definition)?;
        definition["StartAt"] = json!(state);
        let there = self
            .sfn
            .create_state_machine()
            .name(format!("{}-from-{state}", self.name))
            .definition(definition.to_string())
            .role_arn(self.role())
            .send()
            .await;
        let machine = match there {
            Ok(made) => made.state_machine_arn,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_state_machine_already_exists()) =>
            {
                let arn = format!("{}-from-{state}", self.state_machine_arn);
                self.sfn
                    .update_state_machine()
                    .state_machine_arn(&arn)
                    .definition(definition.to_string())
                    .send()
                    .await
                    .map_err(|e| aws_context("updating the state machine of a continuation", e))?;
                arn
            }
            Err(error) => {
                return Err(aws_context(
                    "creating the state machine of a continuation",
                    error,
                ));
            }
        };
        // With a known name, the claim is handed over before the first state checks it. Two operators who redrive the
        // same run choose the same name, of which there can be only one. So does a second attempt after a command
        // that was killed between the handover and the start.
        let name = format!(
            "{}-redrive-{}",
            first_name(execution),
            redrives(execution) + 1
        );
        let continued = execution_arn(&machine, &name);
        if let Some(post) = post {
            self.hand_over(post, run, &continued, operator).await?;
        }
        self.start_named(&machine, &name, &input).await?;
        Ok(continued)
    }

    async fn hand_over(
        &self,
        post: &PostId,
        run: &Run,
        to: &str,
        operator: &Operator,
    ) -> anyhow::Result<()> {
        let Some(held) = self.table.read(post).await? else {
            bail!("{post} has no claim");
        };
        ensure!(
            run.holds(&held.execution),
            "{post} is held by {}",
            held.execution
        );
        let now = Timestamp::now();
        let handed = self
            .table
            .hand_over(post, &held.execution, to, operator, now)
            .await?;
        match handed {
            SlotChange::Made => Ok(()),
            SlotChange::Refused(_) => bail!("another operator redrives {post} at the same time"),
        }
    }

    /// Reassigns an unposted slot to a new execution, and starts that. Before the slot has become too late, the new
    /// run keeps its time; after that it is an ad hoc run. Returns the ARN of the new execution.
    pub async fn run_again(
        &self,
        post: &PostId,
        old: &Record,
        holder: Option<&Run>,
        operator: &Operator,
    ) -> anyhow::Result<String> {
        let now = Timestamp::now();
        let name = format!("again-{}-{}-{}", post.date, post.slot, now.as_millisecond());
        let execution = execution_arn(&self.state_machine_arn, &name);
        let mut input = ad_hoc(&post.bot, post.date, post.slot);
        if old.not_after.is_some_and(|last| last > now.as_second())
            && let Some(run) = holder
        {
            let first = self.described(&run.first.arn).await?;
            let first =
                first.with_context(|| format!("{} does not exist any more", run.first.arn))?;
            input = serde_json::from_str(first.input().unwrap_or_default())?;
        }
        let approvals = self.table.approvals(post).await?;
        let taken = self
            .table
            .take_over(post, old, &approvals, &execution, operator, now)
            .await?;
        if let SlotChange::Refused(_) = taken {
            bail!("{post} changed at the same time; type `spooky show {post}`");
        }
        self.start_named(&self.state_machine_arn, &name, &input.to_string())
            .await?;
        Ok(execution)
    }

    async fn start_named(&self, machine: &str, name: &str, input: &str) -> anyhow::Result<()> {
        self.sfn
            .start_execution()
            .state_machine_arn(machine)
            .name(name)
            .input(input)
            .send()
            .await
            .map_err(|e| aws_context(&format!("starting the execution {name}"), e))?;
        Ok(())
    }
}

/// An execution.
#[derive(Clone, Debug)]
pub struct Execution {
    /// Its ARN.
    pub arn: String,
    /// Its status.
    pub status: ExecutionStatus,
    /// When it was started.
    pub started: Timestamp,
    /// When it ended.
    pub stopped: Option<Timestamp>,
    /// How often AWS has redriven it.
    pub redrives: i32,
}

/// A redrive that has started.
pub struct Redriven {
    /// The resumed execution.
    pub execution: String,
    /// How often AWS has redriven it by now.
    pub redrives: i32,
    /// How many states it had been in before.
    pub states: usize,
}

/// A run: an execution, and those that went on with it after a failure.
#[derive(Clone, Debug)]
pub struct Run {
    /// What was started by the schedule or a person.
    pub first: Execution,
    /// The continuations, oldest first.
    pub later: Vec<Execution>,
}

impl Run {
    /// The execution with the current status of the run.
    pub fn last(&self) -> &Execution {
        self.later.last().unwrap_or(&self.first)
    }

    /// How often it was redriven.
    pub fn redrives(&self) -> usize {
        self.later.len() + usize::try_from(self.first.redrives).unwrap_or(0)
    }

    /// All of them, oldest first.
    pub fn executions(&self) -> impl Iterator<Item = &Execution> {
        std::iter::once(&self.first).chain(&self.later)
    }

    /// Whether an execution is part of the run, or would be if it had been started.
    pub fn holds(&self, execution: &str) -> bool {
        first_name(&self.first.arn) == first_name(execution)
    }
}

fn split_name(execution: &str) -> (&str, u32) {
    let name = execution.rsplit(':').next().unwrap_or_default();
    name.rsplit_once("-redrive-")
        .and_then(|(first, number)| Some((first, number.parse().ok()?)))
        .unwrap_or((name, 0))
}

/// The name of the execution that a run began with.
fn first_name(execution: &str) -> &str {
    split_name(execution).0
}

/// How often the run had been redriven when this execution of it was started.
fn redrives(execution: &str) -> u32 {
    split_name(execution).1
}

fn execution_arn(machine: &str, name: &str) -> String {
    format!(
        "{}:{name}",
        machine.replace(":stateMachine:", ":execution:")
    )
}

fn time(at: &aws_sdk_sfn::primitives::DateTime) -> anyhow::Result<Timestamp> {
    Ok(Timestamp::from_millisecond(at.to_millis()?)?)
}
