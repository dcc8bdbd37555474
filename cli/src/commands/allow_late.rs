//! `spooky allow-late`.

use anyhow::bail;
use clap::Args;
use deployment::operations::slot_summary;
use jiff::Timestamp;
use post::PostId;
use posts_table::Change;
use serde_json::json;

use crate::{
    args::{OperatorArgs, operator},
    target::Target,
    terminal::print,
};

/// Let a post that is too late be posted all the same.
#[derive(Debug, Args)]
pub struct AllowLate {
    /// The post, bot/date/slot.
    post: PostId,
    #[command(flatten)]
    operator: OperatorArgs,
    /// Why; it is kept in the audit trail.
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
        if let Change::Refused(current) = change.await? {
            let why = match current.as_deref() {
                Some(record) if record.outcome.is_some() || record.not_after.is_some() => {
                    slot_summary(Some(record))
                }
                Some(_) => "was run by hand, and such a post is never late".to_owned(),
                None => "has not run yet; it can be late only after that".to_owned(),
            };
            bail!("nothing was allowed: {post} {why}");
        }
        if self.operator.json {
            return print(
                &json!({"post": post.to_string(), "lateAllowedBy": operator.by}).to_string(),
            );
        }
        print(&format!("{post} may be late, says {}", operator.by))
    }
}
