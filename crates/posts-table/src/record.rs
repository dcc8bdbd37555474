//! The record of a slot: what was claimed, how far its post is, and how its run ended.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{Timestamp, civil::Date};
use post::{Outcome, PostId, Rejection, SkipReason};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Deletion, Error, Ledger, Table,
    item::{from_item, number, record_key, text, to_attribute},
};

/// The record of a slot.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The post, `bot/date/slot`.
    pub post: String,
    /// The ARN of the execution that holds the slot.
    pub execution: String,
    /// When it was claimed.
    pub claimed_at: Timestamp,
    /// How far the post is.
    pub ledger: Ledger,
    /// The output of `pick-day`, which another entry returns again. `null` if the slot was taken over and its new
    /// execution has not picked yet.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub day: Value,
    /// Whether the bot's files of the pick require an approval.
    pub approval_required: bool,
    /// Seconds of the Unix epoch after which a scheduled post is too late; absent for a run by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<i64>,
    /// The operator who allowed to post late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_late: Option<String>,
    /// The media keys of all uploads, of which at most one was posted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media_keys: Vec<String>,
    /// The caption that was armed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The invocation that may send while the ledger is armed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_id: Option<String>,
    /// Milliseconds of the Unix epoch until which it may send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<i64>,
    /// When the ledger was armed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub armed_at: Option<Timestamp>,
    /// The reconciliation attempts since then that did not find the tweet.
    #[serde(default, rename = "looks")]
    pub reconciliations: u32,
    /// The tweet's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tweet_id: Option<String>,
    /// When the tweet was known to exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub posted_at: Option<Timestamp>,
    /// The order to delete the tweet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion: Option<Deletion>,
    /// When the tweet was known to be deleted. The slot stays taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// Why X rejected this content for good, as a text for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejection: Option<String>,
    /// The same as data; absent in records of earlier versions. [`Record::rejected_as`] reads both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected_as: Option<Rejection>,
    /// How the run ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Why it ended so, as a text for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it was skipped; absent in records of earlier versions. [`Record::skip_reason`] reads both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_reason: Option<SkipReason>,
    /// When the outcome was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The last failure of the execution. It stays when a redrive succeeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What was made and what it cost, as the state machine passed it at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Seconds of the Unix epoch after which DynamoDB removes a dry run; posts are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

/// Where and why an execution failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The status of the execution, such as `FAILED`.
    pub status: String,
    /// The state that was entered and not left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The error name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The error message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// How often the execution had been redriven when it failed.
    #[serde(default)]
    pub redrive_count: u64,
    /// When it failed.
    pub at: Timestamp,
}

/// How a run ended, and what it made.
#[derive(Clone, Copy, Debug)]
pub struct RunEnd<'a> {
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was skipped, if it was.
    pub skip_reason: Option<SkipReason>,
    /// Why it ended so, as a text for people.
    pub reason: Option<&'a str>,
    /// What was made and what it cost.
    pub result: &'a Value,
}

impl<'a> RunEnd<'a> {
    /// An end without a reason.
    pub fn new(outcome: Outcome, result: &'a Value) -> RunEnd<'a> {
        RunEnd {
            outcome,
            skip_reason: None,
            reason: None,
            result,
        }
    }
}

impl Record {
    /// The record of a slot that an execution claims, without a pick.
    pub fn claimed(post: &PostId, execution: &str, at: Timestamp) -> Record {
        Record {
            post: post.to_string(),
            execution: execution.to_owned(),
            claimed_at: at,
            ledger: Ledger::Claimed,
            day: Value::Null,
            // Until the pick has read the bot's files, nothing may be posted without an approval.
            approval_required: true,
            not_after: None,
            allow_late: None,
            media_keys: Vec::new(),
            text: None,
            lease_id: None,
            lease_until: None,
            armed_at: None,
            reconciliations: 0,
            tweet_id: None,
            posted_at: None,
            deletion: None,
            deleted_at: None,
            rejection: None,
            rejected_as: None,
            outcome: None,
            reason: None,
            skip_reason: None,
            ended_at: None,
            failure: None,
            result: None,
            expires_at: None,
        }
    }

    /// Whether an invocation may be sending the post at this time.
    pub fn is_in_flight(&self, now: Timestamp) -> bool {
        let now = now.as_millisecond();
        self.ledger == Ledger::Armed && self.lease_until.is_some_and(|until| until > now)
    }

    /// Why the run was skipped; `None` if it was not.
    pub fn skip_reason(&self) -> Option<SkipReason> {
        if self.outcome != Some(Outcome::Skipped) {
            return None;
        }
        let untyped = || SkipReason::from_untyped(self.reason.as_deref().unwrap_or_default());
        Some(self.skip_reason.unwrap_or_else(untyped))
    }

    /// Why X rejected this content for good; `None` if it did not.
    pub fn rejected_as(&self) -> Option<Rejection> {
        let untyped = || self.rejection.as_deref().map(Rejection::from_untyped);
        self.rejected_as.clone().or_else(untyped)
    }
}

impl Table {
    /// The record of a post; `None` if its slot was never claimed.
    pub async fn read(&self, post: &PostId) -> Result<Option<Record>, Error> {
        let item = self.get("read a record", record_key(post)).await?;
        item.map(from_item).transpose()
    }

    /// The records of all slots of a date, in the order of the slots.
    pub async fn read_date(&self, bot: &str, date: Date) -> Result<Vec<Record>, Error> {
        let partition = format!("{bot}#{date}");
        let doing = "read the records of a date";
        let items = self.query(doing, partition, "slot#").await?;
        let records = items.into_iter().filter(|item| item.contains_key("ledger"));
        records.map(from_item).collect()
    }

    /// Writes the one outcome of a run, if its execution holds the claim and no other outcome is recorded.
    /// Returns false otherwise.
    pub async fn finish(
        &self,
        post: &PostId,
        execution: &str,
        end: &RunEnd<'_>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let key = record_key(post);
        let reason = end.reason.map_or(AttributeValue::Null(true), text);
        // An earlier entry of the same state may have written it; the first time stays.
        self.update_record(
            "record an outcome",
            post,
            "SET outcome = :outcome, reason = :reason, skipReason = :skip, #result = :result, \
             endedAt = if_not_exists(endedAt, :at)",
            "execution = :execution AND (attribute_not_exists(outcome) OR outcome = :outcome)",
            [
                (":outcome", to_attribute(&end.outcome, &key)?),
                (":reason", reason),
                (":skip", to_attribute(&end.skip_reason, &key)?),
                (":result", to_attribute(end.result, &key)?),
                (":at", text(now.to_string())),
                (":execution", text(execution)),
            ],
        )
        .await
    }

    /// Writes a failure, if the execution holds the claim, no outcome is recorded, and no failure after a later
    /// redrive is recorded. Returns false otherwise.
    pub async fn fail(
        &self,
        post: &PostId,
        execution: &str,
        failure: &Failure,
    ) -> Result<bool, Error> {
        self.update_record(
            "record a failure",
            post,
            "SET failure = :failure",
            "execution = :execution AND attribute_not_exists(outcome) AND \
             (attribute_not_exists(failure) OR failure.redriveCount <= :count)",
            [
                (":failure", to_attribute(failure, &record_key(post))?),
                (":execution", text(execution)),
                (":count", number(failure.redrive_count as i64)),
            ],
        )
        .await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A record as an earlier version stored it, with these fields besides.
    fn stored(fields: Value) -> Record {
        let mut record = json!({
            "post": "spooky-days/2026-10-30/1",
            "execution": "arn:aws:states:us-east-1:1:execution:daily-post:run-1",
            "claimedAt": "2026-10-30T12:00:00Z",
            "ledger": "claimed",
            "approvalRequired": false,
            "looks": 2,
        });
        for (name, value) in fields.as_object().unwrap() {
            record[name] = value.clone();
        }
        serde_json::from_value(record).unwrap()
    }

    #[test]
    fn a_record_of_an_earlier_version_has_its_reason_and_its_rejection_only_as_text() {
        let record = stored(json!({"outcome": "skipped", "reason": "over budget: a picture"}));
        assert_eq!(record.skip_reason(), Some(SkipReason::OverBudget));
        assert_eq!(record.rejected_as(), None);
        assert_eq!(record.reconciliations, 2);
        let record = stored(json!({"outcome": "expired", "reason": "paused"}));
        assert_eq!(record.skip_reason(), None);

        let record = stored(json!({"ledger": "rejected", "rejection": "duplicate: no"}));
        assert!(record.rejected_as().unwrap().is_duplicate());
        let record = stored(json!({"ledger": "rejected", "rejection": "no"}));
        assert!(!record.rejected_as().unwrap().is_duplicate());
    }

    #[test]
    fn what_a_record_has_as_data_counts_whatever_its_text_is() {
        let record = stored(json!({
            "outcome": "skipped", "reason": "over budget: no", "skipReason": "too-late",
            "rejection": "duplicate: no", "rejectedAs": {"kind": "content", "message": "no"},
        }));
        assert_eq!(record.skip_reason(), Some(SkipReason::TooLate));
        assert!(!record.rejected_as().unwrap().is_duplicate());
        // `null` is what an outcome without a reason stores.
        let record = stored(json!({"outcome": "posted", "reason": null, "skipReason": null}));
        assert_eq!(record.skip_reason(), None);
    }

    #[test]
    fn a_record_is_stored_under_the_names_that_it_is_read_by() {
        let post: PostId = "spooky-days/2026-10-30/1".parse().unwrap();
        let at = "2026-10-30T12:00:00Z".parse().unwrap();
        let claimed = Record::claimed(&post, "arn", at);
        assert_eq!(
            json!(claimed),
            json!({
                "post": "spooky-days/2026-10-30/1", "execution": "arn", "ledger": "claimed", "looks": 0,
                "claimedAt": "2026-10-30T12:00:00Z", "approvalRequired": true,
            })
        );
    }

    #[test]
    fn only_an_armed_ledger_with_a_lease_is_in_flight() {
        let at: Timestamp = "2026-10-30T12:00:00Z".parse().unwrap();
        let until = at.as_millisecond();
        let before = Timestamp::from_millisecond(until - 1).unwrap();
        let armed = stored(json!({"ledger": "armed", "leaseUntil": until}));
        assert!(armed.is_in_flight(before) && !armed.is_in_flight(at));
        assert!(!stored(json!({"ledger": "armed"})).is_in_flight(before));
        assert!(!stored(json!({"leaseUntil": until})).is_in_flight(before));
    }
}
