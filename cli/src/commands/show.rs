//! `spooky run`, `spooky runs` and `spooky show`.

use anyhow::{Context, ensure};
use clap::Args;
use jiff::civil::Date;
use post::PostId;
use serde_json::{Value, json};

use crate::{Files, Progress, Which, cloud, operate, place::Place, say};

/// Run a slot now.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    which: Which,
    /// The date; today in the bot's time zone without it.
    #[arg(long, value_parser = crate::date)]
    date: Option<Date>,
    /// Which of the date's posts.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    slot: u32,
    /// Go through everything with a test card for a picture, and show what would be sent to X instead of sending it.
    #[arg(long, conflicts_with = "again")]
    dry_run: bool,
    /// A post, bot/date/slot, whose run has ended without a tweet: run it again, with a new pick and a new approval.
    #[arg(long, value_name = "POST", conflicts_with_all = ["bot", "date", "slot"], requires = "reason")]
    again: Option<PostId>,
    /// Why it is run again; it is kept in the audit trail.
    #[arg(long, requires = "again")]
    reason: Option<String>,
    /// Your name, for the audit trail of what is run again.
    #[arg(long, env = "USER", default_value = "")]
    by: String,
    /// Answer with one JSON object.
    #[arg(long)]
    json: bool,
}

impl Run {
    pub(crate) async fn run(self, place: &Place) -> anyhow::Result<()> {
        let cloud = place.cloud().await?;
        let (post, execution) = match self.again {
            Some(post) => {
                let operator = operate::operator(&self.by, self.reason)?;
                let execution = operate::run_again(&cloud, &post, &operator).await?;
                (post, execution)
            }
            None => {
                cloud.ensure_bot(&self.which.bot).await?;
                let date = match self.date {
                    Some(date) => date,
                    None => Files::deployed(&cloud, &self.which.bot).await?.today(),
                };
                let post = PostId {
                    date,
                    bot: self.which.bot,
                    slot: self.slot,
                    dry_run: None,
                };
                let input = match self.dry_run {
                    true => cloud::dry_run(&post.bot, post.date, post.slot),
                    false => cloud::ad_hoc(&post.bot, post.date, post.slot),
                };
                let execution = cloud.start(&input).await?;
                match self.dry_run {
                    true => (post.dry_run_of(&execution), execution),
                    false => (post, execution),
                }
            }
        };
        let progress = Progress::new();
        let ended = cloud.wait(&execution, |state| progress.step(state)).await?;
        drop(progress);
        if self.json {
            say(&serde_json::to_string(&ended)?)?;
        } else if ended.status == "SUCCEEDED" {
            say(&format!("{post}: {}\n{execution}", ended.says()))?;
            if self.dry_run {
                say(&would_have(&ended.output)?)?;
            }
        }
        ensure!(
            ended.status == "SUCCEEDED" || !self.dry_run,
            "{post} failed {}; look at it with `spooky show {execution}`, mend it, and run it again",
            ended.fails()
        );
        ensure!(
            ended.status == "SUCCEEDED",
            "{post} failed {}; look at it with `spooky show {execution}`, and go on with `spooky redrive {execution}`",
            ended.fails()
        );
        Ok(())
    }
}

/// What a dry run made, and what it would have sent.
fn would_have(output: &Value) -> anyhow::Result<String> {
    let mut lines = Vec::new();
    for (name, value) in [
        ("day", &output["day"]["name"]),
        ("prompt", &output["prompt"]["prompt"]),
        ("caption", &output["prompt"]["caption"]),
        ("alt text", &output["prompt"]["altText"]),
        ("picture", &output["image"]["key"]),
        ("approved by", &output["approval"]["decision"]["by"]),
    ] {
        if let Some(value) = value.as_str() {
            let mut first = name;
            for line in value.lines() {
                lines.push(format!("{first:<12} {line}").trim_end().to_owned());
                first = "";
            }
        }
    }
    for request in output["tweet"]["requests"].as_array().into_iter().flatten() {
        let text = |name: &str| request[name].as_str().unwrap_or_default();
        let body = request.get("json").or(request.get("multipart"));
        lines.push(format!("{} {}", text("method"), text("url")));
        lines.push(serde_json::to_string_pretty(&body)?);
    }
    Ok(lines.join("\n"))
}

/// List the executions.
#[derive(Debug, Args)]
pub struct Runs {
    /// Answer with one JSON array.
    #[arg(long)]
    json: bool,
}

impl Runs {
    pub(crate) async fn run(self, place: &Place) -> anyhow::Result<()> {
        let cloud = place.cloud().await?;
        let runs: Vec<Value> = cloud
            .runs()
            .await?
            .iter()
            .take(50)
            .map(|run| {
                json!({
                    "execution": run.first.arn,
                    "status": run.last().status.as_str(),
                    "started": run.first.started,
                    "redrives": run.redrives(),
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
            let redrives = match run["redrives"].as_u64() {
                None | Some(0) => String::new(),
                Some(1) => "  redriven once".to_owned(),
                Some(times) => format!("  redriven {times} times"),
            };
            say(&format!(
                "{}  {:<9}  {}{redrives}",
                text("started"),
                text("status"),
                text("execution")
            ))?;
        }
        Ok(())
    }
}

/// Show a post (bot/date/slot) or an execution.
#[derive(Debug, Args)]
pub struct Show {
    /// A post, such as spooky-days/2026-10-30/1, or the ARN of an execution.
    what: String,
    /// Answer with one line of JSON.
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(crate) async fn run(self, place: &Place) -> anyhow::Result<()> {
        let cloud = place.cloud().await?;
        let shown = if self.what.starts_with("arn:") {
            let run = cloud.run_of(&self.what).await?.with_context(|| {
                format!(
                    "there is no execution {}; `spooky runs` lists them",
                    self.what
                )
            })?;
            let described = cloud.described(&run.first.arn).await?;
            let first = described.with_context(|| format!("{} is gone", run.first.arn))?;
            let described = cloud.described(&run.last().arn).await?;
            let last = described.with_context(|| format!("{} is gone", run.last().arn))?;
            let mut states = Vec::new();
            for execution in run.executions() {
                states.extend(cloud.states(&execution.arn).await?);
            }
            json!({
                "execution": run.first.arn,
                "redrives": run.redrives(),
                "continuedAs": run.later.iter().map(|e| &e.arn).collect::<Vec<_>>(),
                "status": last.status().as_str(),
                "error": last.error(),
                "cause": last.cause(),
                "input": first.input(),
                "states": states,
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
