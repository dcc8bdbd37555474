//! `spooky regenerate`.

use approvals::DecisionRequest;
use clap::Args;

use super::decision::DecisionArgs;
use crate::target::Target;

/// Ask for another picture of a post.
#[derive(Debug, Args)]
pub struct Regenerate {
    #[command(flatten)]
    decision: DecisionArgs,
    /// What to change in the picture.
    #[arg(long, default_value = "")]
    note: String,
}

impl Regenerate {
    pub(crate) async fn run(self, target: &Target) -> anyhow::Result<()> {
        let note = self.note;
        self.decision
            .decide(target, |_| DecisionRequest::Regenerate { note })
            .await
    }
}
