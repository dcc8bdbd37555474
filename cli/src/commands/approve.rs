//! `spooky approve`.

use approvals::DecisionRequest;
use clap::Args;

use super::decision::DecisionArgs;
use crate::target::Target;

/// Approve a post, optionally with an edited caption or alt text.
#[derive(Debug, Args)]
pub struct Approve {
    #[command(flatten)]
    decision: DecisionArgs,
    /// The edited caption.
    #[arg(long)]
    caption: Option<String>,
    /// The edited alt text.
    #[arg(long)]
    alt_text: Option<String>,
}

impl Approve {
    pub(crate) async fn run(self, target: &Target) -> anyhow::Result<()> {
        let (caption, alt_text) = (self.caption, self.alt_text);
        self.decision
            .decide(target, |approval| DecisionRequest::Approve {
                caption: caption.unwrap_or_else(|| approval.caption.clone()),
                alt_text: alt_text.unwrap_or_else(|| approval.alt_text.clone()),
            })
            .await
    }
}
