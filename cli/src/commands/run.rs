//! `spooky run`.

use anyhow::ensure;
use clap::Args;
use deployment::{BotFiles, ad_hoc, dry_run, operations};
use jiff::civil::Date;
use post::PostId;
use serde_json::Value;

use crate::{
    args::{BotArg, operator},
    target::Target,
    terminal::{Progress, print},
};

/// Run a slot now.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    bot: BotArg,
    /// The date [default: today in the bot's time zone].
    #[arg(long, value_parser = crate::args::date)]
    date: Option<Date>,
    /// The number of the date's post.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    slot: u32,
    /// Go through all states with a test card, and show the requests to X instead of sending them.
    #[arg(long, conflicts_with = "again")]
    dry_run: bool,
    /// Run a post again whose run has ended without a tweet, with a new pick and a new approval.
    #[arg(long, value_name = "POST", conflicts_with_all = ["bot", "date", "slot"], requires = "reason")]
    again: Option<PostId>,
    /// The reason for running it again, for the audit trail.
    #[arg(long, requires = "again")]
    reason: Option<String>,
    /// Your name, for the audit trail of a post that is run again.
    #[arg(long, env = "USER", default_value = "")]
    by: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Run {
    pub(crate) async fn run(self, target: &Target) -> anyhow::Result<()> {
        let deployment = target.deployment().await?;
        let (post, execution) = match self.again {
            Some(post) => {
                let operator = operator(&self.by, self.reason)?;
                let execution = operations::run_again(&deployment, &post, &operator).await?;
                (post, execution)
            }
            None => {
                deployment.ensure_bot(&self.bot.bot).await?;
                let date = match self.date {
                    Some(date) => date,
                    None => BotFiles::deployed(&deployment, &self.bot.bot)
                        .await?
                        .today(),
                };
                let post = PostId {
                    date,
                    bot: self.bot.bot,
                    slot: self.slot,
                    dry_run: None,
                };
                let input = match self.dry_run {
                    true => dry_run(&post.bot, post.date, post.slot),
                    false => ad_hoc(&post.bot, post.date, post.slot),
                };
                let execution = deployment.start(&input).await?;
                match self.dry_run {
                    true => (post.dry_run_of(&execution), execution),
                    false => (post, execution),
                }
            }
        };
        let progress = Progress::new();
        let ended = deployment
            .wait(&execution, |state| progress.step(state))
            .await?;
        drop(progress);
        if self.json {
            print(&serde_json::to_string(&ended)?)?;
        } else if ended.status == "SUCCEEDED" {
            print(&format!("{post}: {}\n{execution}", ended.summary()))?;
            if self.dry_run {
                print(&dry_run_summary(&ended.output)?)?;
            }
        }
        ensure!(
            ended.status == "SUCCEEDED" || !self.dry_run,
            "{post} failed {}; type `spooky show {execution}`, fix the cause, and run it again",
            ended.failure_summary()
        );
        ensure!(
            ended.status == "SUCCEEDED",
            "{post} failed {}; type `spooky show {execution}`, fix the cause, and type `spooky redrive {execution}`",
            ended.failure_summary()
        );
        Ok(())
    }
}

/// The texts and the picture of a dry run, and the requests that it did not send.
fn dry_run_summary(output: &Value) -> anyhow::Result<String> {
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
