//! Deletes the tweet of a post.

use anyhow::{Context, bail};
use jiff::Timestamp;
use post::PostId;
use posts_table::{Ledger, Operator, Record, SlotChange};
use serde_json::{Value, json};

use super::slot_summary;
use crate::Deployment;

/// Deletes a post's tweet; the slot stays taken, so that nothing is posted in its place. Returns the result of
/// `post-tweet`, the only function that may read the X credentials.
///
/// A repeated call completes a deletion that was ordered before.
pub async fn delete(
    deployment: &Deployment,
    record: &Record,
    post: &PostId,
    operator: &Operator,
) -> anyhow::Result<Value> {
    if record.ledger != Ledger::Posted {
        bail!("nothing was deleted: {post} {}", slot_summary(Some(record)));
    }
    if record.deleted_at.is_none() {
        let ordered = deployment
            .table
            .order_deletion(post, operator, Timestamp::now());
        if let SlotChange::Refused(current) = ordered.await? {
            bail!(
                "nothing was deleted: {post} {}",
                slot_summary(current.as_deref())
            );
        }
    }
    let order = json!({"delete": {"post": post.to_string()}});
    let unknown = || {
        format!(
            "the tweet of {post} may still exist; the order is recorded: fix the cause, then repeat \
             `spooky delete {post} --reason …`"
        )
    };
    let result = deployment
        .invoke("post-tweet", &order)
        .await
        .with_context(unknown)?;
    if result["deletedAt"].is_string() {
        return Ok(result);
    }
    bail!(
        "{}: {} {}",
        unknown(),
        result["errorType"].as_str().unwrap_or("no error name"),
        result["errorMessage"].as_str().unwrap_or_default()
    )
}
