//! What an operator changes by hand. Each change and its line in the audit trail are one transaction.

use aws_sdk_dynamodb::types::{
    ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update, builders::UpdateBuilder,
};
use jiff::Timestamp;
use post::{AuditEvent, PostId};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Error, Record, Table,
    audit::Audit,
    item::{from_item, number, record_key, text, to_attribute},
};

/// An operator who changes something, and the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// The operator's name.
    pub by: String,
    /// The reason, if one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// An order to delete a tweet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// The operator's name.
    pub by: String,
    /// The reason; may be empty.
    pub reason: String,
    /// When it was ordered.
    pub at: Timestamp,
}

/// The answer to an operator's change of a slot.
#[derive(Debug)]
pub enum SlotChange {
    /// It is made, and in the audit trail.
    Made,
    /// The slot does not allow it; with the slot's record, or `None` if the slot was never claimed.
    Refused(Option<Box<Record>>),
}

/// The lease of an armed ledger is over at `:ms`.
const LEASE_OVER: &str = "(attribute_not_exists(leaseUntil) OR leaseUntil <= :ms)";

impl Table {
    /// Puts an armed ledger whose lease is over back to `claimed`, so that the post is sent again: the operator
    /// confirms that the tweet does not exist.
    pub async fn post_again(
        &self,
        post: &PostId,
        operator: &Operator,
        now: Timestamp,
    ) -> Result<SlotChange, Error> {
        let update = Update::builder()
            .update_expression("SET ledger = :claimed, looks = :zero REMOVE leaseId, leaseUntil")
            .condition_expression(format!("ledger = :armed AND {LEASE_OVER}"))
            .expression_attribute_values(":claimed", text("claimed"))
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":armed", text("armed"))
            .expression_attribute_values(":ms", number(now.as_millisecond()));
        let audit = Audit {
            what: AuditEvent::PostAgain,
            operator,
            details: json!({}),
            now,
        };
        self.change(post, update, Vec::new(), audit).await
    }

    /// Records a tweet that the operator has found: `posted` from an armed ledger whose lease is over, or from one
    /// that X rejected as a duplicate.
    pub async fn attach(
        &self,
        post: &PostId,
        tweet_id: &str,
        operator: &Operator,
        now: Timestamp,
    ) -> Result<SlotChange, Error> {
        let update = Update::builder()
            .update_expression("SET ledger = :posted, tweetId = :tweet, postedAt = :at")
            .condition_expression(format!(
                "(ledger = :armed AND {LEASE_OVER}) OR \
                 (ledger = :rejected AND (rejectedAs.kind = :duplicate OR \
                 (attribute_not_exists(rejectedAs) AND begins_with(rejection, :untyped))))"
            ))
            .expression_attribute_values(":posted", text("posted"))
            .expression_attribute_values(":tweet", text(tweet_id))
            .expression_attribute_values(":at", text(now.to_string()))
            .expression_attribute_values(":armed", text("armed"))
            .expression_attribute_values(":ms", number(now.as_millisecond()))
            .expression_attribute_values(":rejected", text("rejected"))
            .expression_attribute_values(":duplicate", text("duplicate"))
            // A record of an earlier version has only the text.
            .expression_attribute_values(":untyped", text("duplicate: "));
        let audit = Audit {
            what: AuditEvent::Attached,
            operator,
            details: json!({"tweetId": tweet_id}),
            now,
        };
        self.change(post, update, Vec::new(), audit).await
    }

    /// Orders to delete the tweet of a post; `post-tweet` deletes it, and only with this order.
    ///
    /// Refused where nothing is posted. If it is ordered twice, the first order stays, and both are in the audit
    /// trail.
    pub async fn order_deletion(
        &self,
        post: &PostId,
        operator: &Operator,
        now: Timestamp,
    ) -> Result<SlotChange, Error> {
        let deletion = Deletion {
            by: operator.by.clone(),
            reason: operator.reason.clone().unwrap_or_default(),
            at: now,
        };
        let deletion = to_attribute(&deletion, &record_key(post))?;
        let update = Update::builder()
            .update_expression("SET deletion = if_not_exists(deletion, :deletion)")
            .condition_expression("ledger = :posted AND attribute_exists(tweetId)")
            .expression_attribute_values(":deletion", deletion)
            .expression_attribute_values(":posted", text("posted"));
        let audit = Audit {
            what: AuditEvent::DeletionOrdered,
            operator,
            details: json!({}),
            now,
        };
        self.change(post, update, Vec::new(), audit).await
    }

    /// Allows to post a slot after its limit. Refused where a post cannot be late, has ended or was sent.
    pub async fn allow_late(
        &self,
        post: &PostId,
        operator: &Operator,
        now: Timestamp,
    ) -> Result<SlotChange, Error> {
        let update = Update::builder()
            .update_expression("SET allowLate = :by")
            .condition_expression(
                "ledger = :claimed AND attribute_exists(notAfter) AND attribute_not_exists(outcome)",
            )
            .expression_attribute_values(":by", text(&operator.by))
            .expression_attribute_values(":claimed", text("claimed"));
        let audit = Audit {
            what: AuditEvent::LateAllowed,
            operator,
            details: json!({}),
            now,
        };
        self.change(post, update, Vec::new(), audit).await
    }

    /// Changes the record of a slot on a condition, in one transaction with its line in the audit trail and with
    /// `others`.
    pub(crate) async fn change(
        &self,
        post: &PostId,
        update: UpdateBuilder,
        others: Vec<TransactWriteItem>,
        audit: Audit<'_>,
    ) -> Result<SlotChange, Error> {
        let doing = "change a slot";
        let update = update
            .set_key(Some(record_key(post)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let mut items = vec![
            self.update_in(doing, update)?,
            self.change_in(doing, post, audit)?,
        ];
        items.extend(others);
        self.transact_change(doing, post, items).await
    }

    /// Writes all or nothing; refused if a condition does not hold, with the slot's record if its condition asks
    /// for it.
    pub(crate) async fn transact_change(
        &self,
        doing: &'static str,
        post: &PostId,
        items: Vec<TransactWriteItem>,
    ) -> Result<SlotChange, Error> {
        only_real(post, doing)?;
        let Some(refusal) = self.transact(doing, items).await? else {
            return Ok(SlotChange::Made);
        };
        let record: Option<Record> = refusal.first_item().map(from_item).transpose()?;
        Ok(SlotChange::Refused(record.map(Box::new)))
    }
}

/// Refuses what a dry run may not do.
pub(crate) fn only_real(post: &PostId, doing: &'static str) -> Result<(), Error> {
    match post.dry_run {
        None => Ok(()),
        Some(_) => Err(Error::NotAllowed(doing, format!("{post} is a dry run"))),
    }
}
