//! `spooky resume`.

use anyhow::ensure;
use clap::Args;
use jiff::Timestamp;

use super::status::print_status;
use crate::{
    args::{BotArg, OperatorArgs, operator},
    target::Target,
};

/// End the pause of a bot.
#[derive(Debug, Args)]
pub struct Resume {
    #[command(flatten)]
    bot: BotArg,
    #[command(flatten)]
    operator: OperatorArgs,
}

impl Resume {
    pub(crate) async fn run(self, target: &Target) -> anyhow::Result<()> {
        let operator = operator(&self.operator.by, None)?;
        let deployment = target.deployment().await?;
        let bot = &self.bot.bot;
        let now = Timestamp::now();
        deployment.ensure_bot(bot).await?;
        ensure!(
            deployment.table.lift_pause(bot, &operator, now).await?,
            "{bot} is not paused"
        );
        print_status(&deployment, bot, self.operator.json, now).await
    }
}
