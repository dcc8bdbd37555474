//! `spooky pause`.

use anyhow::ensure;
use clap::Args;
use jiff::Timestamp;

use super::status::print_status;
use crate::{
    args::{BotArg, OperatorArgs, operator, time},
    target::Target,
};

/// Stop a bot: nothing is posted until the time, or until it is resumed.
#[derive(Debug, Args)]
pub struct Pause {
    #[command(flatten)]
    bot: BotArg,
    /// When the pause ends by itself, such as 2026-11-01T00:00:00Z.
    #[arg(long, value_parser = time)]
    until: Option<Timestamp>,
    /// Why; approvers and the record are told.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    operator: OperatorArgs,
}

impl Pause {
    pub(crate) async fn run(self, target: &Target) -> anyhow::Result<()> {
        let operator = operator(&self.operator.by, Some(self.reason))?;
        let now = Timestamp::now();
        if let Some(until) = self.until {
            ensure!(
                until > now,
                "--until {until} is over; give a time to come, or none to pause until `spooky resume`"
            );
        }
        let deployment = target.deployment().await?;
        let bot = &self.bot.bot;
        deployment.ensure_bot(bot).await?;
        deployment
            .table
            .pause(bot, self.until, &operator, now)
            .await?;
        print_status(&deployment, bot, self.operator.json, now).await
    }
}
