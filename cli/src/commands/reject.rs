//! `spooky reject`.

use approvals::DecisionRequest;
use clap::Args;

use super::decision::DecisionArgs;
use crate::target::Target;

/// Reject a post.
#[derive(Debug, Args)]
pub struct Reject {
    #[command(flatten)]
    decision: DecisionArgs,
    /// The reason, for the record.
    #[arg(long)]
    reason: String,
}

impl Reject {
    pub(crate) async fn run(self, target: &Target) -> anyhow::Result<()> {
        let reason = self.reason;
        self.decision
            .decide(target, |_| DecisionRequest::Reject { reason })
            .await
    }
}
