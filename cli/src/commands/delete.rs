//! `spooky delete`: takes a tweet down.

use anyhow::{Context, bail};
use clap::Args;
use jiff::Timestamp;
use post::PostId;
use posts_table::{Change, Ledger};
use serde_json::json;

use crate::{
    confirm,
    operate::{Whose, address, is_now, operator},
    place::Place,
    say,
};

/// Take the tweet of a post down; the slot stays taken, so that nothing is posted instead.
#[derive(Debug, Args)]
pub struct Delete {
    /// The post, bot/date/slot.
    post: PostId,
    /// Why; it is kept in the audit trail.
    #[arg(long)]
    reason: String,
    /// Do not ask for a confirmation.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    whose: Whose,
}

impl Delete {
    pub(crate) async fn run(self, place: &Place) -> anyhow::Result<()> {
        let operator = operator(&self.whose.by, Some(self.reason))?;
        let cloud = place.cloud().await?;
        let post = &self.post;
        let record = cloud.table.read(post).await?;
        let record = record.with_context(|| {
            format!("nothing was deleted: {post} was never run; `spooky runs` lists what was")
        })?;
        if record.ledger != Ledger::Posted {
            bail!(
                "nothing was deleted: {post} {}",
                is_now(Some(Box::new(record)))
            );
        }
        if record.deleted_at.is_none() {
            if !self.yes {
                let warning = format!(
                    "This takes {} down for good, and nothing is posted in its place.",
                    address(&record)
                );
                confirm(post, &warning, "nothing was deleted").await?;
            }
            let ordered = cloud
                .table
                .order_deletion(post, &operator, Timestamp::now());
            if let Change::Refused(there) = ordered.await? {
                bail!("nothing was deleted: {post} {}", is_now(there));
            }
        }
        // Only that function may read the credentials of X.
        let order = json!({"delete": {"post": post.to_string()}});
        let answer = cloud
            .invoke("post-tweet", &order)
            .await
            .with_context(|| not_known(post))?;
        let Some(at) = answer["deletedAt"].as_str() else {
            bail!(
                "{}: {} {}",
                not_known(post),
                answer["errorType"].as_str().unwrap_or("no error name"),
                answer["errorMessage"].as_str().unwrap_or_default()
            );
        };
        if self.whose.json {
            return say(&answer.to_string());
        }
        say(&format!("{}: taken down at {at}", address(&record)))
    }
}

fn not_known(post: &PostId) -> String {
    format!(
        "the tweet of {post} may still be there; the order is on record: when the cause is mended, repeat \
         `spooky delete {post} --reason …`"
    )
}
