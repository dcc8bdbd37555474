//! `spooky pause`.

use anyhow::ensure;
use clap::Args;
use jiff::Timestamp;

use super::status::print_status;
use crate::{
    args::{BotArg, OperatorArgs, operator, time},
    target::Target,
};

/// Pause a bot: it posts nothing until the given time, or until it is resumed.
#[derive(Debug, Args)]
pub struct Pause {
    #[command(flatten)]
    bot: BotArg,
    /// When the pause ends automatically, such as 2026-11-01T00:00:00Z.
    #[arg(long, value_parser = time)]
    until: Option<Timestamp>,
    /// The reason, which approvers see and records keep.
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
                "--until {until} is in the past; give a later time, or omit it to pause until `spooky resume`"
            );
        }
        let deployment = target.deployment().await?;
        let bot = &self.bot.bot;
        deployment.ensure_bot(bot).await?;
        deployment
            .table
            .set_pause(bot, self.until, &operator, now)
            .await?;
        print_status(&deployment, bot, self.operator.json, now).await
    }
}
