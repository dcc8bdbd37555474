//! `spooky runs`.

use clap::Args;
use serde_json::{Value, json};

use crate::{target::Target, terminal::print};

/// List the runs.
#[derive(Debug, Args)]
pub struct Runs {
    /// Print one JSON array.
    #[arg(long)]
    json: bool,
}

impl Runs {
    pub(crate) async fn run(self, target: &Target) -> anyhow::Result<()> {
        let deployment = target.deployment().await?;
        let runs: Vec<Value> = deployment
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
            return print(&json!(runs).to_string());
        }
        if runs.is_empty() {
            return print("no runs yet");
        }
        for run in runs {
            let text = |name: &str| run[name].as_str().unwrap_or_default().to_owned();
            let redrives = match run["redrives"].as_u64() {
                None | Some(0) => String::new(),
                Some(1) => "  redriven once".to_owned(),
                Some(times) => format!("  redriven {times} times"),
            };
            print(&format!(
                "{}  {:<9}  {}{redrives}",
                text("started"),
                text("status"),
                text("execution")
            ))?;
        }
        Ok(())
    }
}
