//! `spooky run`, `spooky runs` and `spooky show`.

use anyhow::Context;
use clap::Args;
use jiff::civil::Date;
use post_record::PostId;
use serde_json::{Value, json};

use crate::{Files, Progress, Which, cloud, local, say};

/// Run a slot now on the local cloud that `spooky local` has started.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    which: Which,
    /// The date; today in the bot's time zone without it.
    #[arg(long)]
    date: Option<Date>,
    /// Which of the date's posts.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    slot: u32,
    /// Answer with one JSON object.
    #[arg(long)]
    json: bool,
}

impl Run {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let files = Files::read(&self.which.bot)?;
        let cloud = local::running().await?;
        let date = self.date.unwrap_or_else(|| files.today());
        let progress = Progress::new();
        let execution = cloud
            .start(&cloud::ad_hoc(&self.which.bot, date, self.slot))
            .await?;
        let ended = cloud.wait(&execution, |state| progress.step(state)).await?;
        drop(progress);
        if self.json {
            return say(&serde_json::to_string(&ended)?);
        }
        let record = &ended.output["record"];
        let outcome = record["outcome"].as_str().unwrap_or(&ended.status);
        let why = record["reason"]
            .as_str()
            .or(ended.cause.as_deref())
            .unwrap_or_default();
        say(format!(
            "{}/{date}/{}: {outcome} {why}\n{execution}",
            self.which.bot, self.slot
        )
        .trim_end())
    }
}

/// List the executions of the local cloud.
#[derive(Debug, Args)]
pub struct Runs {
    /// Answer with one JSON array.
    #[arg(long)]
    json: bool,
}

impl Runs {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let cloud = local::running().await?;
        let listed = cloud
            .sfn
            .list_executions()
            .state_machine_arn(&cloud.state_machine_arn)
            .max_results(50)
            .send()
            .await
            .context("listing the executions")?;
        let runs: Vec<Value> = listed
            .executions()
            .iter()
            .map(|run| {
                json!({
                    "execution": run.execution_arn(),
                    "status": run.status().as_str(),
                    "started": run.start_date().to_string(),
                })
            })
            .collect();
        if self.json {
            return say(&json!(runs).to_string());
        }
        if runs.is_empty() {
            return say("there was no execution yet");
        }
        for run in runs {
            let text = |name: &str| run[name].as_str().unwrap_or_default().to_owned();
            say(&format!(
                "{}  {:<9}  {}",
                text("started"),
                text("status"),
                text("execution")
            ))?;
        }
        Ok(())
    }
}

/// Show a post (bot/date/slot) or an execution of the local cloud.
#[derive(Debug, Args)]
pub struct Show {
    /// A post, such as spooky-days/2026-10-30/1, or the ARN of an execution.
    what: String,
    /// Answer with one line of JSON.
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let cloud = local::running().await?;
        let shown = if self.what.starts_with("arn:") {
            let run = cloud
                .sfn
                .describe_execution()
                .execution_arn(&self.what)
                .send()
                .await
                .with_context(|| format!("there is no execution {}", self.what))?;
            json!({
                "execution": self.what,
                "status": run.status().as_str(),
                "error": run.error(),
                "cause": run.cause(),
                "input": run.input(),
                "states": cloud.states(&self.what).await?,
            })
        } else {
            let post: PostId = self.what.parse()?;
            let record = cloud
                .table
                .read(&post)
                .await?
                .with_context(|| format!("{post} was never run"))?;
            let mut shown = serde_json::to_value(&record)?;
            // The voice is long and the same for every post of a bot.
            if let Some(day) = shown["day"].as_object_mut() {
                day.remove("voice");
            }
            shown["approvals"] = json!(cloud.table.approvals(&post).await?);
            shown["audit"] = json!(cloud.table.audit_trail(&post).await?);
            shown
        };
        match self.json {
            true => say(&shown.to_string()),
            false => say(&serde_json::to_string_pretty(&shown)?),
        }
    }
}
