//! `spooky delete`.

use anyhow::Context;
use clap::Args;
use deployment::operations::{delete, tweet_url};
use post::PostId;
use posts_table::Ledger;

use crate::{
    args::{OperatorArgs, operator},
    target::Target,
    terminal::{confirm, print},
};

/// Delete the tweet of a post; the slot stays taken, so that nothing is posted in its place.
#[derive(Debug, Args)]
pub struct Delete {
    /// The post, bot/date/slot.
    post: PostId,
    /// The reason, for the audit trail.
    #[arg(long)]
    reason: String,
    /// Do not ask for a confirmation.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    operator: OperatorArgs,
}

impl Delete {
    pub(crate) async fn run(self, target: &Target) -> anyhow::Result<()> {
        let operator = operator(&self.operator.by, Some(self.reason))?;
        let deployment = target.deployment().await?;
        let post = &self.post;
        let record = deployment.table.read(post).await?;
        let record = record.with_context(|| {
            format!("nothing was deleted: {post} has no run; `spooky runs` lists all runs")
        })?;
        let is_posted = record.ledger == Ledger::Posted && record.deleted_at.is_none();
        if is_posted && !self.yes {
            let warning = format!(
                "This deletes {} for good, and nothing is posted in its place.",
                tweet_url(&record)
            );
            confirm(post, &warning, "nothing was deleted").await?;
        }
        let result = delete(&deployment, &record, post, &operator).await?;
        match self.operator.json {
            true => print(&result.to_string()),
            false => print(&format!(
                "{}: deleted at {}",
                tweet_url(&record),
                result["deletedAt"].as_str().unwrap_or_default()
            )),
        }
    }
}
