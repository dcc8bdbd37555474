//! `spooky show`.

use anyhow::Context;
use clap::Args;
use post::PostId;
use serde_json::json;

use crate::{target::Target, terminal::print};

/// Show a post (bot/date/slot) or an execution.
#[derive(Debug, Args)]
pub struct Show {
    /// A post, such as spooky-days/2026-10-30/1, or the ARN of an execution.
    what: String,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(crate) async fn run(self, target: &Target) -> anyhow::Result<()> {
        let deployment = target.deployment().await?;
        let shown = if self.what.starts_with("arn:") {
            let run = deployment.run_of(&self.what).await?.with_context(|| {
                format!(
                    "there is no execution {}; `spooky runs` lists all executions",
                    self.what
                )
            })?;
            let described = deployment.described(&run.first.arn).await?;
            let first =
                described.with_context(|| format!("{} does not exist any more", run.first.arn))?;
            let described = deployment.described(&run.last().arn).await?;
            let last =
                described.with_context(|| format!("{} does not exist any more", run.last().arn))?;
            let mut states = Vec::new();
            for execution in run.executions() {
                states.extend(deployment.states(&execution.arn).await?);
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
            let record = deployment
                .table
                .read(&post)
                .await?
                .with_context(|| format!("{post} has no run"))?;
            let mut shown = serde_json::to_value(&record)?;
            // The voice is long, and the same for every post of a bot.
            if let Some(day) = shown["day"].as_object_mut() {
                day.remove("voice");
            }
            shown["approvals"] = json!(deployment.table.approvals(&post).await?);
            shown["audit"] = json!(deployment.table.audit_trail(&post).await?);
            shown
        };
        match self.json {
            true => print(&shown.to_string()),
            false => print(&serde_json::to_string_pretty(&shown)?),
        }
    }
}
