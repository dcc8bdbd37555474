//! `spooky skip`.

use bot_files::SlotOverride;
use clap::Args;
use post::PostId;

use super::override_::set_or_undo;
use crate::{args::OperatorArgs, target::Target};

/// Post nothing in an upcoming slot.
#[derive(Debug, Args)]
pub struct Skip {
    /// The post, bot/date/slot.
    post: PostId,
    /// The reason, for the record.
    #[arg(long, required_unless_present = "undo")]
    reason: Option<String>,
    /// Remove the override of the slot.
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    operator: OperatorArgs,
}

impl Skip {
    pub(crate) async fn run(self, target: &Target) -> anyhow::Result<()> {
        let wish = match (self.undo, &self.reason) {
            (false, Some(reason)) => Some(SlotOverride::Skip(reason.clone())),
            _ => None,
        };
        set_or_undo(target, &self.post, wish, self.reason, &self.operator).await
    }
}
