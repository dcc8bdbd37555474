#![doc = include_str!("../README.md")]

mod approval;
mod budget;
mod notice;
mod operate;
mod overrides;
pub mod prices;

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{
        AttributeValue, CancellationReason, ConditionCheck, Put,
        ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
    },
};
use jiff::{Timestamp, civil::Date};
use lambda_function::aws_error;
use post::{AuditEvent, Outcome, PostId, Rejection, SkipReason};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use approval::{
    Approval, Decide, Decision, Image, MAX_ROUNDS, OnTimeout, Opened, POLICY, Verdict,
};
pub use budget::{
    Attempt, Caps, Micros, Month, Provider, Reservation, Reserved, Settlement, Spending,
};
pub use notice::Pending;
pub use operate::{Change, Deletion, Operator, Switch};
pub use overrides::Override;

/// How far the post of a slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ledger {
    /// An execution holds the slot, and nothing was sent.
    Claimed,
    /// The tweet may have been sent. Only reading is allowed.
    Armed,
    /// The tweet is on X.
    Posted,
    /// X refused this content for good.
    Rejected,
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
    /// What the state said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// How often the execution had been redriven when it failed.
    #[serde(default)]
    pub redrive_count: u64,
    /// When it failed.
    pub at: Timestamp,
}

/// The item of a slot.
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
    /// What `pick-day` answered: entering again gives the same. `null` if the slot was taken over and nothing is
    /// picked yet.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub day: serde_json::Value,
    /// Whether the bot's files of the pick require a person's approval.
    pub approval_required: bool,
    /// Seconds of the Unix epoch after which a scheduled post is too late; absent for an ad-hoc run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<i64>,
    /// Who allowed that it is posted too late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_late: Option<String>,
    /// The media keys of every upload, of which at most one was ever posted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media_keys: Vec<String>,
    /// The caption that was armed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Who may send while the ledger is armed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_id: Option<String>,
    /// Milliseconds of the Unix epoch until which it may send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<i64>,
    /// When the ledger was armed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub armed_at: Option<Timestamp>,
    /// How often the timeline was read in vain since then.
    #[serde(default)]
    pub looks: u32,
    /// The tweet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tweet_id: Option<String>,
    /// When the tweet was known to be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub posted_at: Option<Timestamp>,
    /// Who wants the tweet gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion: Option<Deletion>,
    /// When the tweet was known to be gone. The slot stays taken.
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
    /// The last failure of the execution, kept when a redrive mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What was made and what it cost, as the state machine said at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<serde_json::Value>,
    /// Seconds of the Unix epoch after which the table forgets a dry run; posts are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

impl Record {
    /// The record of a slot that an execution claims, without a pick.
    pub fn claimed(post: &PostId, execution: &str, at: Timestamp) -> Record {
        Record {
            post: post.to_string(),
            execution: execution.to_owned(),
            claimed_at: at,
            ledger: Ledger::Claimed,
            day: serde_json::Value::Null,
            // Until the pick has read the bot's files, nothing may be posted without an approval.
            approval_required: true,
            not_after: None,
            allow_late: None,
            media_keys: Vec::new(),
            text: None,
            lease_id: None,
            lease_until: None,
            armed_at: None,
            looks: 0,
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

/// How a run ended, and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct RunEnd<'a> {
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was skipped, if it was.
    pub skip_reason: Option<SkipReason>,
    /// Why it ended so, as a text for people.
    pub reason: Option<&'a str>,
    /// What was made and what it cost.
    pub result: &'a serde_json::Value,
}

impl<'a> RunEnd<'a> {
    /// An end that needs no reason.
    pub fn new(outcome: Outcome, result: &'a serde_json::Value) -> RunEnd<'a> {
        RunEnd {
            outcome,
            skip_reason: None,
            reason: None,
            result,
        }
    }
}

/// The answer to a claim.
#[derive(Debug)]
pub enum Claim {
    /// The slot is this execution's, now or since an earlier entry.
    Held(Box<Record>),
    /// Another execution holds it.
    HeldByAnother(Box<Record>),
    /// An operator has changed the slot's override since it was looked at: nothing is claimed.
    Overridden,
}

/// The answer to a try to arm.
#[derive(Debug, PartialEq, Eq)]
pub enum Armed {
    /// The tweet may be sent, once, within the lease.
    Yes,
    /// The ledger is no longer `claimed` by this execution: read it again.
    LedgerMoved,
    /// The bot is paused, with the reason if one was given.
    Paused(Option<String>),
    /// The bot requires an approval, and there is none for this content.
    NotApproved,
    /// The slot's time is too long ago.
    TooLate,
}

/// What to arm with.
#[derive(Debug)]
pub struct Arm<'a> {
    /// The execution that must hold the claim.
    pub execution: &'a str,
    /// The caption.
    pub text: &'a str,
    /// The media key of the picture.
    pub media_key: &'a str,
    /// The round whose approval is looked for.
    pub round: u32,
    /// The [`content_hash`] that must be approved.
    pub content_hash: &'a str,
    /// A name of this very try, never used twice.
    pub lease_id: &'a str,
    /// Milliseconds of the Unix epoch until which the tweet may be sent.
    pub lease_until: i64,
}

/// How often the timeline is read for a tweet whose outcome is unknown, before it needs an operator's decision.
pub const MAX_RECONCILIATIONS: u32 = 6;

/// Why the table did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// DynamoDB is not to be reached, or busy: nothing is known to be wrong with the request.
    #[error("DynamoDB is unavailable while trying to {0}: {1}")]
    Unavailable(&'static str, String),
    /// DynamoDB refused the request, for example because the table is not there.
    #[error("DynamoDB refused to {0}: {1}")]
    Refused(&'static str, String),
    /// An item is not what this version understands.
    #[error("the item {0} cannot be read: {1}")]
    Unreadable(String, serde_dynamo::Error),
}

impl Error {
    /// Whether another attempt can succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Error::Unavailable(..))
    }
}

/// The table.
#[derive(Clone, Debug)]
pub struct Table {
    client: Client,
    name: String,
}

impl Table {
    /// A table by its name.
    pub fn new(client: Client, name: impl Into<String>) -> Table {
        Table {
            client,
            name: name.into(),
        }
    }

    /// The record of a post, read consistently; `None` if nobody ever claimed it.
    pub async fn read(&self, post: &PostId) -> Result<Option<Record>, Error> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(post_key(post)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| failed("read a record", e))?;
        answer.item.map(|item| record(post, item)).transpose()
    }

    /// The records of all slots of a date, in order.
    pub async fn read_date(&self, bot: &str, date: Date) -> Result<Vec<Record>, Error> {
        let answer = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :slot)")
            .filter_expression("attribute_exists(ledger)")
            .expression_attribute_values(":pk", text(format!("{bot}#{date}")))
            .expression_attribute_values(":slot", text("slot#"))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| failed("read the records of a date", e))?;
        answer
            .items
            .unwrap_or_default()
            .into_iter()
            .map(|item| {
                serde_dynamo::from_item(item)
                    .map_err(|e| Error::Unreadable(format!("{bot}#{date}"), e))
            })
            .collect()
    }

    /// Whether the bot is paused at this time, and the reason that was given.
    pub async fn paused(&self, bot: &str, now: Timestamp) -> Result<Option<String>, Error> {
        let switch = self.switch(bot).await?;
        Ok(switch
            .filter(|switch| !switch.is_over(now))
            .map(|switch| switch.reason))
    }

    /// Claims a slot for which no override was seen.
    pub async fn claim(&self, post: &PostId, record: &Record) -> Result<Claim, Error> {
        self.claim_under(post, record, None).await
    }

    /// Claims the slot for `record.execution`, if its override is still the one that the pick was made with.
    /// The first claim stays, with its pick.
    pub async fn claim_under(
        &self,
        post: &PostId,
        record: &Record,
        seen: Option<&Override>,
    ) -> Result<Claim, Error> {
        let doing = "claim a slot";
        let build = |e: aws_sdk_dynamodb::error::BuildError| Error::Refused(doing, e.to_string());
        let mut item: HashMap<String, AttributeValue> =
            serde_dynamo::to_item(record).map_err(|e| Error::Unreadable(post.to_string(), e))?;
        item.extend(post_key(post));
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(build)?;
        let items = vec![
            TransactWriteItem::builder().put(put).build(),
            self.unchanged_override(post, seen)?,
        ];
        // Of two transactions on one item at the same moment one is cancelled, whatever its conditions say.
        for _ in 0..5 {
            let written = self
                .client
                .transact_write_items()
                .set_transact_items(Some(items.clone()))
                .send()
                .await;
            let Err(error) = written else {
                return Ok(Claim::Held(Box::new(record.clone())));
            };
            use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError as E;
            let reasons = match error.as_service_error() {
                Some(E::TransactionCanceledException(cancelled)) => {
                    cancelled.cancellation_reasons()
                }
                _ => return Err(failed(doing, error)),
            };
            let code = |i: usize| reasons.get(i).and_then(|reason| reason.code());
            if code(0) == Some("ConditionalCheckFailed") {
                let held = reasons.first().and_then(|reason| reason.item.clone());
                let held = self::record(post, held.unwrap_or_default())?;
                return Ok(if held.execution == record.execution {
                    Claim::Held(Box::new(held))
                } else {
                    Claim::HeldByAnother(Box::new(held))
                });
            }
            if code(1) == Some("ConditionalCheckFailed") {
                return Ok(Claim::Overridden);
            }
            if !reasons
                .iter()
                .any(|reason| reason.code() == Some("TransactionConflict"))
            {
                return Err(failed(doing, error));
            }
        }
        let why = "other transactions were at the same item each time";
        Err(Error::Unavailable(doing, why.to_owned()))
    }

    /// Keeps the media key of an upload. None is ever overwritten, since any may turn up on the timeline.
    /// Returns false if this execution no longer holds a claimed ledger.
    pub async fn add_media_key(
        &self,
        post: &PostId,
        execution: &str,
        media_key: &str,
    ) -> Result<bool, Error> {
        self.update(
            post,
            "keep a media key",
            "SET mediaKeys = list_append(if_not_exists(mediaKeys, :none), :key)",
            "execution = :execution AND ledger = :claimed",
            [
                (":none", AttributeValue::L(Vec::new())),
                (":key", AttributeValue::L(vec![text(media_key)])),
                (":execution", text(execution)),
                (":claimed", text("claimed")),
            ],
        )
        .await
    }

    /// Moves the ledger from `claimed` to `armed`, if at this very moment the claim is held, the switch is on,
    /// the content is approved where the bot requires it, and the slot is not too late.
    pub async fn arm(
        &self,
        post: &PostId,
        approval_required: bool,
        now: Timestamp,
        arm: &Arm<'_>,
    ) -> Result<Armed, Error> {
        only_real(post, "arm a post")?;
        let build =
            |e: aws_sdk_dynamodb::error::BuildError| Error::Refused("arm a post", e.to_string());
        let seconds = number(now.as_second());
        let update = Update::builder()
            .table_name(&self.name)
            .set_key(Some(post_key(post)))
            .update_expression(
                "SET ledger = :armed, #text = :text, mediaKey = :key, armedAt = :at, \
                 leaseId = :lease, leaseUntil = :until, looks = :zero",
            )
            .condition_expression(
                "execution = :execution AND ledger = :claimed AND approvalRequired = :approval AND \
                 (attribute_not_exists(notAfter) OR notAfter >= :now OR attribute_exists(allowLate))",
            )
            .expression_attribute_names("#text", "text")
            .expression_attribute_values(":armed", text("armed"))
            .expression_attribute_values(":text", text(arm.text))
            .expression_attribute_values(":key", text(arm.media_key))
            .expression_attribute_values(":at", text(now.to_string()))
            .expression_attribute_values(":lease", text(arm.lease_id))
            .expression_attribute_values(":until", number(arm.lease_until))
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":execution", text(arm.execution))
            .expression_attribute_values(":claimed", text("claimed"))
            .expression_attribute_values(":approval", AttributeValue::Bool(approval_required))
            .expression_attribute_values(":now", seconds.clone())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(build)?;
        let switch = ConditionCheck::builder()
            .table_name(&self.name)
            .set_key(Some(switch_key(&post.bot)))
            .condition_expression("attribute_not_exists(pk) OR pausedUntil <= :now")
            .expression_attribute_values(":now", seconds)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(build)?;
        let mut items = vec![
            TransactWriteItem::builder().update(update).build(),
            TransactWriteItem::builder().condition_check(switch).build(),
        ];
        if approval_required {
            let approval = ConditionCheck::builder()
                .table_name(&self.name)
                .set_key(Some(approval::approval_key(post, arm.round)))
                .condition_expression("decision.verdict = :approved AND decision.#hash = :hash")
                .expression_attribute_names("#hash", "hash")
                .expression_attribute_values(":approved", text("approved"))
                .expression_attribute_values(":hash", text(arm.content_hash))
                .build()
                .map_err(build)?;
            items.push(
                TransactWriteItem::builder()
                    .condition_check(approval)
                    .build(),
            );
        }
        // Last, since the answer tells the others by their place.
        items.push(self.armed_mark(post, arm.lease_id)?);
        let written = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .send()
            .await;
        let error = match written {
            Ok(_) => return Ok(Armed::Yes),
            Err(error) => error,
        };
        use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError as E;
        let reasons: Vec<CancellationReason> = match error.as_service_error() {
            Some(E::TransactionCanceledException(e)) => e.cancellation_reasons().to_vec(),
            _ => Vec::new(),
        };
        let failed_check = |i: usize| {
            reasons
                .get(i)
                .filter(|r| r.code() == Some("ConditionalCheckFailed"))
        };
        if let Some(reason) = failed_check(0) {
            let still_ours = match &reason.item {
                Some(item) => {
                    let held = record(post, item.clone())?;
                    held.execution == arm.execution && held.ledger == Ledger::Claimed
                }
                None => false,
            };
            return Ok(if still_ours {
                Armed::TooLate
            } else {
                Armed::LedgerMoved
            });
        }
        if let Some(reason) = failed_check(1) {
            return Ok(Armed::Paused(reason.item.as_ref().and_then(pause_reason)));
        }
        if approval_required && failed_check(2).is_some() {
            return Ok(Armed::NotApproved);
        }
        // Two transactions on one item at the same moment: the other one decides, this one looks again.
        if reasons
            .iter()
            .any(|r| r.code() == Some("TransactionConflict"))
        {
            return Ok(Armed::LedgerMoved);
        }
        Err(failed("arm a post", error))
    }

    /// Records the tweet: `armed` → `posted`. Returns false if the ledger is not armed any more.
    pub async fn posted(
        &self,
        post: &PostId,
        tweet_id: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        self.update(
            post,
            "record a tweet",
            "SET ledger = :posted, tweetId = :tweet, postedAt = :at",
            "ledger = :armed",
            [
                (":posted", text("posted")),
                (":tweet", text(tweet_id)),
                (":at", text(now.to_string())),
                (":armed", text("armed")),
            ],
        )
        .await
    }

    /// X refused clearly and nothing was posted: the holder of the lease puts the ledger back to `claimed`.
    pub async fn disarm(&self, post: &PostId, lease_id: &str) -> Result<bool, Error> {
        self.update(
            post,
            "disarm a post",
            "SET ledger = :claimed REMOVE leaseId, leaseUntil",
            "ledger = :armed AND leaseId = :lease",
            [
                (":claimed", text("claimed")),
                (":armed", text("armed")),
                (":lease", text(lease_id)),
            ],
        )
        .await
    }

    /// X rejected this content, and would reject it again: `armed` → `rejected`.
    pub async fn reject(
        &self,
        post: &PostId,
        lease_id: &str,
        why: &Rejection,
    ) -> Result<bool, Error> {
        let typed: AttributeValue = serde_dynamo::to_attribute_value(why)
            .map_err(|e| Error::Unreadable(post.to_string(), e))?;
        self.update(
            post,
            "record a rejection",
            "SET ledger = :rejected, rejection = :why, rejectedAs = :typed REMOVE leaseId, leaseUntil",
            "ledger = :armed AND leaseId = :lease",
            [
                (":rejected", text("rejected")),
                (":why", text(why.to_string())),
                (":typed", typed),
                (":armed", text("armed")),
                (":lease", text(lease_id)),
            ],
        )
        .await
    }

    /// The holder of the lease knows that it sends no more; the ledger stays `armed`, and reading may begin at once.
    pub async fn end_lease(
        &self,
        post: &PostId,
        lease_id: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        self.update(
            post,
            "end a lease",
            "SET leaseUntil = :now",
            "ledger = :armed AND leaseId = :lease",
            [
                (":now", number(now.as_millisecond())),
                (":armed", text("armed")),
                (":lease", text(lease_id)),
            ],
        )
        .await
    }

    /// Counts a look at the timeline that did not find the tweet.
    pub async fn count_look(&self, post: &PostId) -> Result<bool, Error> {
        self.update(
            post,
            "count a look",
            "ADD looks :one",
            "ledger = :armed",
            [(":one", number(1)), (":armed", text("armed"))],
        )
        .await
    }

    /// Writes the one outcome of a run, if its execution holds the claim and there is no outcome yet, or the same.
    /// Returns false otherwise.
    pub async fn finish(
        &self,
        post: &PostId,
        execution: &str,
        end: &RunEnd<'_>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let unreadable = |e| Error::Unreadable(post.to_string(), e);
        let outcome: AttributeValue =
            serde_dynamo::to_attribute_value(end.outcome).map_err(unreadable)?;
        let skip_reason: AttributeValue =
            serde_dynamo::to_attribute_value(end.skip_reason).map_err(unreadable)?;
        let result: AttributeValue =
            serde_dynamo::to_attribute_value(end.result).map_err(unreadable)?;
        // An earlier entry of the same state may have written it; the first time stays.
        self.update(
            post,
            "record an outcome",
            "SET outcome = :outcome, reason = :reason, skipReason = :skip, #result = :result, endedAt = if_not_exists(endedAt, :at)",
            "execution = :execution AND (attribute_not_exists(outcome) OR outcome = :outcome)",
            [
                (":outcome", outcome),
                (":reason", end.reason.map_or(AttributeValue::Null(true), text)),
                (":skip", skip_reason),
                (":result", result),
                (":at", text(now.to_string())),
                (":execution", text(execution)),
            ],
        )
        .await
    }

    /// Writes a failure, if the execution holds the claim, there is no outcome yet,
    /// and no failure after a later redrive is recorded. Returns false otherwise.
    pub async fn fail(
        &self,
        post: &PostId,
        execution: &str,
        failure: &Failure,
    ) -> Result<bool, Error> {
        let item: AttributeValue = serde_dynamo::to_attribute_value(failure)
            .map_err(|e| Error::Unreadable(post.to_string(), e))?;
        self.update(
            post,
            "record a failure",
            "SET failure = :failure",
            "execution = :execution AND attribute_not_exists(outcome) AND \
             (attribute_not_exists(failure) OR failure.redriveCount <= :count)",
            [
                (":failure", item),
                (":execution", text(execution)),
                (":count", number(failure.redrive_count as i64)),
            ],
        )
        .await
    }

    /// Adds a line to the audit trail of a slot. The same time and name is the same line.
    pub async fn audit(
        &self,
        post: &PostId,
        at: Timestamp,
        what: &AuditEvent,
        details: &serde_json::Value,
    ) -> Result<(), Error> {
        self.client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(audit_item(post, at, what, details)?))
            .send()
            .await
            .map_err(|e| failed("write the audit trail", e))?;
        Ok(())
    }

    /// The audit trail of a slot, oldest first.
    pub async fn audit_trail(&self, post: &PostId) -> Result<Vec<AuditLine>, Error> {
        let prefix = format!("{}#audit#", post.sort_key());
        self.trail(post.partition_key(), prefix).await
    }

    async fn trail(&self, partition: String, prefix: String) -> Result<Vec<AuditLine>, Error> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", text(&partition))
            .expression_attribute_values(":prefix", text(prefix))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut lines = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|e| failed("read the audit trail", e))?;
            let line: AuditLine = serde_dynamo::from_item(item)
                .map_err(|e| Error::Unreadable(format!("the audit trail of {partition}"), e))?;
            lines.push(line);
        }
        // The sort key is in the order of text, where half a second comes before the whole one.
        lines.sort_by_key(|line| line.at);
        Ok(lines)
    }

    /// The items of a partition whose sort keys begin with a prefix, each with its sort key.
    async fn items(
        &self,
        doing: &'static str,
        partition: String,
        prefix: &str,
    ) -> Result<Vec<(String, HashMap<String, AttributeValue>)>, Error> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", text(partition))
            .expression_attribute_values(":prefix", text(prefix))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|e| failed(doing, e))?;
            let sort_key = item.get("sk").and_then(|sk| sk.as_s().ok()).cloned();
            items.push((sort_key.unwrap_or_default(), item));
        }
        Ok(items)
    }

    /// A conditional update of a slot's item; false if its condition did not hold.
    async fn update<const N: usize>(
        &self,
        post: &PostId,
        doing: &'static str,
        expression: &str,
        condition: &str,
        values: [(&str, AttributeValue); N],
    ) -> Result<bool, Error> {
        let mut request = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(post_key(post)))
            .update_expression(expression)
            .condition_expression(condition);
        if expression.contains("#result") {
            request = request.expression_attribute_names("#result", "result");
        }
        for (name, value) in values {
            request = request.expression_attribute_values(name, value);
        }
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
            Err(error) => Err(failed(doing, error)),
        }
    }
}

/// The hash of what will be posted: picture, caption and alt text, hex. It begins with its version,
/// since an approval may be older than the function that looks for it.
pub fn content_hash(image_sha256: &str, caption: &str, alt_text: &str) -> String {
    let mut hash = Sha256::new();
    for part in [image_sha256, caption, alt_text] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hex: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    format!("v1-{hex}")
}

/// Something that happened to a slot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditLine {
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub what: AuditEvent,
    /// Who, and what was changed.
    pub details: serde_json::Value,
}

fn audit_item(
    post: &PostId,
    at: Timestamp,
    what: &AuditEvent,
    details: &serde_json::Value,
) -> Result<HashMap<String, AttributeValue>, Error> {
    let prefix = format!("{}#audit", post.sort_key());
    audit_item_under(post.partition_key(), &prefix, at, what, details)
}

fn audit_item_under(
    partition: String,
    prefix: &str,
    at: Timestamp,
    what: &AuditEvent,
    details: &serde_json::Value,
) -> Result<HashMap<String, AttributeValue>, Error> {
    let line = AuditLine {
        at,
        what: what.clone(),
        details: details.clone(),
    };
    let mut item: HashMap<String, AttributeValue> =
        serde_dynamo::to_item(line).map_err(|e| Error::Unreadable(partition.clone(), e))?;
    item.extend(key(partition, format!("{prefix}#{at}#{what}")));
    Ok(item)
}

fn record(post: &PostId, item: HashMap<String, AttributeValue>) -> Result<Record, Error> {
    serde_dynamo::from_item(item).map_err(|e| Error::Unreadable(post.to_string(), e))
}

/// Refuses what a dry run may not do.
fn only_real(post: &PostId, doing: &'static str) -> Result<(), Error> {
    match post.dry_run {
        None => Ok(()),
        Some(_) => Err(Error::Refused(doing, format!("{post} is a dry run"))),
    }
}

fn switch_key(bot: &str) -> HashMap<String, AttributeValue> {
    key(settings(bot), "switch".to_owned())
}

fn settings(bot: &str) -> String {
    format!("{bot}#settings")
}

fn pause_reason(item: &HashMap<String, AttributeValue>) -> Option<String> {
    item.get("reason")
        .and_then(|v| v.as_s().ok())
        .filter(|reason| !reason.is_empty())
        .cloned()
}

fn post_key(post: &PostId) -> HashMap<String, AttributeValue> {
    key(post.partition_key(), post.sort_key())
}

fn key(pk: String, sk: String) -> HashMap<String, AttributeValue> {
    HashMap::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))])
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn failed<E>(doing: &'static str, error: SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let throttled = matches!(
        error.code(),
        Some(
            "ProvisionedThroughputExceededException"
                | "ThrottlingException"
                | "RequestLimitExceeded"
                | "InternalServerError"
                | "ServiceUnavailable"
        )
    );
    let message = aws_error(&error);
    match error {
        // What stands before DynamoDB answers 5xx without a code.
        SdkError::ServiceError(e) if !throttled && e.raw().status().as_u16() < 500 => {
            Error::Refused(doing, message.to_string())
        }
        _ => Error::Unavailable(doing, message.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_hash_keeps_its_parts_apart() {
        assert_ne!(content_hash("a", "bc", ""), content_hash("a", "b", "c"));
        assert!(content_hash("a", "b", "c").starts_with("v1-"));
    }
}
