//! `spooky doctor`.

use anyhow::ensure;
use clap::Args;
use jiff::Timestamp;
use probes::{Check, Status};
use serde_json::json;

use crate::{args::BotArg, doctor::check, target::Target, terminal::print};

/// Check a deployment from end to end, without posting, generating, mailing or changing anything.
#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    bot: BotArg,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(crate) async fn run(self, target: &Target) -> anyhow::Result<()> {
        let deployment = target.deployment().await?;
        let bot = &self.bot.bot;
        let checks = check(&deployment, bot, Timestamp::now()).await?;
        let count = |status| checks.iter().filter(|check| check.status == status).count();
        let (failed, warned) = (count(Status::Fail), count(Status::Warn));
        match self.json {
            true => print(
                &json!({
                    "deployment": deployment.name,
                    "bot": bot,
                    "failed": failed,
                    "warned": warned,
                    "checks": checks,
                })
                .to_string(),
            )?,
            false => print_checks(&checks)?,
        }
        ensure!(
            failed == 0,
            "{failed} of {} checks fail; each names its fix",
            checks.len()
        );
        Ok(())
    }
}

fn print_checks(checks: &[Check]) -> anyhow::Result<()> {
    for check in checks {
        let status = match check.status {
            Status::Ok => "ok",
            Status::Warn => "warn",
            Status::Fail => "fail",
        };
        print(&format!("{status:<5} {}: {}", check.what, check.message))?;
        if let Some(fix) = &check.fix {
            print(&format!("      {fix}"))?;
        }
    }
    Ok(())
}
