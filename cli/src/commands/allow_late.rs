//! `spooky allow-late`.

use anyhow::bail;
use clap::Args;
use deployment::operations::slot_summary;
use jiff::Timestamp;
use post::PostId;
use posts_table::SlotChange;
use serde_json::json;

use crate::{
    args::{OperatorArgs, operator},
    target::Target,
    terminal::print,
};

/// Allow a post after its slot has become too late.
#[derive(Debug, Args)]
pub struct AllowLate {
    /// The post, bot/date/slot.
    post: PostId,
    #[command(flatten)]
    operator: OperatorArgs,
    /// The reason, for the audit trail.
    #[arg(long)]
    reason: String,
}

impl AllowLate {
    pub(crate) async fn run(self, target: &Target) -> anyhow::Result<()> {
        let operator = operator(&self.operator.by, Some(self.reason))?;
        let deployment = target.deployment().await?;
        let post = &self.post;
        let change = deployment
            .table
            .allow_late(post, &operator, Timestamp::now());
        if let SlotChange::Refused(current) = change.await? {
            let why = match current.as_deref() {
                Some(record) if record.outcome.is_some() || record.not_after.is_some() => {
                    slot_summary(Some(record))
                }
                Some(_) => "was run by hand, so it cannot be late".to_owned(),
                None => "has no run yet, so it cannot be late".to_owned(),
            };
            bail!("nothing was allowed: {post} {why}");
        }
        if self.operator.json {
            return print(
                &json!({"post": post.to_string(), "lateAllowedBy": operator.by}).to_string(),
            );
        }
        print(&format!(
            "{post} may be posted late (allowed by {})",
            operator.by
        ))
    }
}
