//! Who holds a slot: the claim of an execution, and its way to another one.

use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
    builders::UpdateBuilder,
};
use jiff::Timestamp;
use post::{AuditEvent, PostId};
use serde_json::json;

use crate::{
    ApprovalItem, Error, Operator, OverrideItem, Record, SlotChange, Table,
    audit::Audit,
    item::{approval_key, from_item, number, record_key, text, to_attribute, to_item, waiting_key},
};

/// The answer to a claim.
#[derive(Debug)]
pub enum Claim {
    /// The slot is this execution's, now or since an earlier entry.
    Held(Box<Record>),
    /// Another execution holds it.
    HeldByAnother(Box<Record>),
    /// An operator has changed the slot's override since it was read: nothing is claimed.
    Overridden,
}

impl Table {
    /// Claims a slot for which no override was read.
    pub async fn claim(&self, post: &PostId, record: &Record) -> Result<Claim, Error> {
        self.claim_under(post, record, None).await
    }

    /// Claims the slot for `record.execution`, if its override is still the one that the pick was made with.
    /// The first claim stays, with its pick.
    pub async fn claim_under(
        &self,
        post: &PostId,
        record: &Record,
        picked_with: Option<&OverrideItem>,
    ) -> Result<Claim, Error> {
        let doing = "claim a slot";
        let put = Put::builder()
            .set_item(Some(to_item(record, record_key(post))?))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let items = vec![
            self.put_in(doing, put)?,
            self.unchanged_override(post, picked_with)?,
        ];
        let Some(refusal) = self.transact(doing, items).await? else {
            return Ok(Claim::Held(Box::new(record.clone())));
        };
        if !refusal.is_of(0) {
            return Ok(Claim::Overridden);
        }
        let held: Record = from_item(refusal.item(0).unwrap_or_default())?;
        Ok(match held.execution == record.execution {
            true => Claim::Held(Box::new(held)),
            false => Claim::HeldByAnother(Box::new(held)),
        })
    }

    /// Writes the pick of a slot that was taken over. Returns false if the execution does not hold the slot, or has
    /// picked already.
    pub async fn pick(&self, post: &PostId, record: &Record) -> Result<bool, Error> {
        let doing = "write a pick";
        let condition = "execution = :execution AND attribute_not_exists(#day)";
        let day = to_attribute(&record.day, &record_key(post))?;
        let approval = AttributeValue::Bool(record.approval_required);
        let execution = text(&record.execution);
        let values = [
            (":day", day),
            (":approval", approval),
            (":execution", execution),
        ];
        let Some(not_after) = record.not_after else {
            let set = "SET #day = :day, approvalRequired = :approval";
            return self
                .update_record(doing, post, set, condition, values)
                .await;
        };
        let set = "SET #day = :day, approvalRequired = :approval, notAfter = :notAfter";
        let [day, approval, execution] = values;
        let values = [day, approval, execution, (":notAfter", number(not_after))];
        self.update_record(doing, post, set, condition, values)
            .await
    }

    /// Gives the claim of one execution to another, which continues its run.
    /// Refused if the first does not hold it.
    pub async fn hand_over(
        &self,
        post: &PostId,
        from: &str,
        to: &str,
        operator: &Operator,
        now: Timestamp,
    ) -> Result<SlotChange, Error> {
        let update = Update::builder()
            .update_expression("SET execution = :to")
            .condition_expression("execution = :from")
            .expression_attribute_values(":to", text(to))
            .expression_attribute_values(":from", text(from));
        let audit = Audit {
            what: AuditEvent::Continued,
            operator,
            details: json!({"from": from, "to": to}),
            now,
        };
        self.change(post, update, Vec::new(), audit).await
    }

    /// Gives a slot that was not posted to a new execution, which picks again and asks for a new approval.
    ///
    /// The audit trail keeps the earlier record; only the media keys stay, since any of them may appear on the
    /// timeline. Refused if the execution of `old` no longer holds the slot, or the ledger is armed or posted.
    /// The caller has to know whether that execution still runs.
    pub async fn take_over(
        &self,
        post: &PostId,
        old: &Record,
        approvals: &[ApprovalItem],
        to: &str,
        operator: &Operator,
        now: Timestamp,
    ) -> Result<SlotChange, Error> {
        let mut record = json!(old);
        // The voice is long, and the pick names the version of its file.
        if let Some(day) = record["day"].as_object_mut() {
            day.remove("voice");
        }
        let audit = Audit {
            what: AuditEvent::TakenOver,
            operator,
            details: json!({
                "from": old.execution, "to": to, "record": record, "approvals": approvals,
            }),
            now,
        };
        let update = taken_over(&old.execution, to, now);
        let deletions = self.deletions_of(post, approvals)?;
        self.change(post, update, deletions, audit).await
    }

    /// Deletes the approvals of an earlier execution: for the same content, the new one would find their decisions.
    fn deletions_of(
        &self,
        post: &PostId,
        approvals: &[ApprovalItem],
    ) -> Result<Vec<TransactWriteItem>, Error> {
        let keys = approvals.iter().flat_map(|approval| {
            [
                approval_key(post, approval.round),
                waiting_key(post, approval.round),
            ]
        });
        let delete = |key| Delete::builder().set_key(Some(key));
        keys.map(|key| self.delete_in("take a slot over", delete(key)))
            .collect()
    }
}

fn taken_over(from: &str, to: &str, now: Timestamp) -> UpdateBuilder {
    Update::builder()
        // Nothing may be posted before the pick has decided whether it needs an approval.
        .update_expression(
            "SET execution = :to, claimedAt = :at, ledger = :claimed, approvalRequired = :yes, looks = :zero \
             REMOVE #day, notAfter, allowLate, #text, mediaKey, leaseId, leaseUntil, armedAt, rejection, \
             rejectedAs, outcome, reason, skipReason, endedAt, failure, #result",
        )
        .condition_expression(
            "execution = :from AND (ledger = :claimed OR ledger = :rejected) AND \
             (attribute_not_exists(outcome) OR outcome <> :posted)",
        )
        .expression_attribute_names("#day", "day")
        .expression_attribute_names("#text", "text")
        .expression_attribute_names("#result", "result")
        .expression_attribute_values(":to", text(to))
        .expression_attribute_values(":at", text(now.to_string()))
        .expression_attribute_values(":claimed", text("claimed"))
        .expression_attribute_values(":yes", AttributeValue::Bool(true))
        .expression_attribute_values(":zero", number(0))
        .expression_attribute_values(":from", text(from))
        .expression_attribute_values(":rejected", text("rejected"))
        .expression_attribute_values(":posted", text("posted"))
}
