//! What an operator does by hand. Each change says in the audit trail who made it and why, in the same transaction.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    error::BuildError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        AttributeValue, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
    },
};
use jiff::Timestamp;
use post::{AuditEvent, PostId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Approval, AuditLine, Error, Ledger, Record, Table, approval, audit_item, audit_item_under,
    failed, key, number, only_real, post_key, record, settings, switch_key, text,
};

/// Who does something by hand, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// A name.
    pub by: String,
    /// The reason, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Who wants a tweet gone, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// A name.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When they said so.
    pub at: Timestamp,
}

/// The answer to an operator's change of a slot.
#[derive(Debug)]
pub enum Change {
    /// It is made, and in the audit trail.
    Made,
    /// It is not allowed as the slot is, and this is how it is; `None` if nobody ever claimed it.
    Refused(Option<Box<Record>>),
}

/// The switch of a bot that was paused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Switch {
    /// Seconds of the Unix epoch until which it is paused; for ever without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<i64>,
    /// Why; may be empty.
    pub reason: String,
    /// Who paused it, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

impl Switch {
    /// Whether the pause is over by itself.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.paused_until
            .is_some_and(|until| until <= now.as_second())
    }
}

impl Record {
    /// Whether somebody may be sending at this time.
    pub fn is_in_flight(&self, now: Timestamp) -> bool {
        self.ledger == Ledger::Armed
            && self
                .lease_until
                .is_some_and(|until| until > now.as_millisecond())
    }
}

/// The lease of an armed ledger is over, at `:ms`.
const LEASE_OVER: &str = "(attribute_not_exists(leaseUntil) OR leaseUntil <= :ms)";

impl Table {
    /// Gives the claim of one execution to another, which goes on with its run.
    /// Refused if the first does not hold it.
    pub async fn hand_over(
        &self,
        post: &PostId,
        from: &str,
        to: &str,
        operator: &Operator,
        now: Timestamp,
    ) -> Result<Change, Error> {
        let update = Update::builder()
            .update_expression("SET execution = :to")
            .condition_expression("execution = :from")
            .expression_attribute_values(":to", text(to))
            .expression_attribute_values(":from", text(from));
        let details = json!({"from": from, "to": to});
        self.change(
            post,
            update,
            Vec::new(),
            AuditEvent::Continued,
            operator,
            details,
            now,
        )
        .await
    }

    /// Puts an armed ledger whose lease is over back to `claimed`, so that the post is sent once more:
    /// a person says that it is not there.
    pub async fn post_again(
        &self,
        post: &PostId,
        operator: &Operator,
        now: Timestamp,
    ) -> Result<Change, Error> {
        let update = Update::builder()
            .update_expression("SET ledger = :claimed, looks = :zero REMOVE leaseId, leaseUntil")
            .condition_expression(format!("ledger = :armed AND {LEASE_OVER}"))
            .expression_attribute_values(":claimed", text("claimed"))
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":armed", text("armed"))
            .expression_attribute_values(":ms", number(now.as_millisecond()));
        self.change(
            post,
            update,
            Vec::new(),
            AuditEvent::PostAgain,
            operator,
            json!({}),
            now,
        )
        .await
    }

    /// Records a tweet that a person has found: an armed ledger whose lease is over, or one that X refused because
    /// the text was there already, becomes `posted`.
    pub async fn attach(
        &self,
        post: &PostId,
        tweet_id: &str,
        operator: &Operator,
        now: Timestamp,
    ) -> Result<Change, Error> {
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
        let details = json!({"tweetId": tweet_id});
        self.change(
            post,
            update,
            Vec::new(),
            AuditEvent::Attached,
            operator,
            details,
            now,
        )
        .await
    }

    /// Orders that the tweet of a post be taken down; `post-tweet` does it, and only with this order.
    /// Refused where nothing is posted. Ordered again, the first order stays, and both are in the audit trail.
    pub async fn order_deletion(
        &self,
        post: &PostId,
        operator: &Operator,
        now: Timestamp,
    ) -> Result<Change, Error> {
        let deletion = Deletion {
            by: operator.by.clone(),
            reason: operator.reason.clone().unwrap_or_default(),
            at: now,
        };
        let deletion: AttributeValue = serde_dynamo::to_attribute_value(deletion)
            .map_err(|e| Error::Unreadable(post.to_string(), e))?;
        let update = Update::builder()
            .update_expression("SET deletion = if_not_exists(deletion, :deletion)")
            .condition_expression("ledger = :posted AND attribute_exists(tweetId)")
            .expression_attribute_values(":deletion", deletion)
            .expression_attribute_values(":posted", text("posted"));
        let what = AuditEvent::DeletionOrdered;
        self.change(post, update, Vec::new(), what, operator, json!({}), now)
            .await
    }

    /// Records that the tweet of a post is gone, once. False if nobody ordered that.
    pub async fn deleted(&self, post: &PostId, now: Timestamp) -> Result<bool, Error> {
        self.update(
            post,
            "record a deletion",
            "SET deletedAt = if_not_exists(deletedAt, :at)",
            "ledger = :posted AND attribute_exists(deletion)",
            [(":at", text(now.to_string())), (":posted", text("posted"))],
        )
        .await
    }

    /// Lets a post that is too late be posted all the same. Refused where it cannot be late, has ended or was sent.
    pub async fn allow_late(
        &self,
        post: &PostId,
        operator: &Operator,
        now: Timestamp,
    ) -> Result<Change, Error> {
        let update = Update::builder()
            .update_expression("SET allowLate = :by")
            .condition_expression(
                "ledger = :claimed AND attribute_exists(notAfter) AND attribute_not_exists(outcome)",
            )
            .expression_attribute_values(":by", text(&operator.by))
            .expression_attribute_values(":claimed", text("claimed"));
        self.change(
            post,
            update,
            Vec::new(),
            AuditEvent::LateAllowed,
            operator,
            json!({}),
            now,
        )
        .await
    }

    /// Gives a slot that was not posted to a new execution, which picks afresh and asks afresh. What was there goes
    /// to the audit trail; only the media keys stay, since any of them may turn up on the timeline.
    /// Refused if the slot is not held by the execution of `old` any more, or is armed or posted.
    /// Whether that execution still runs, the caller has to know.
    pub async fn take_over(
        &self,
        post: &PostId,
        old: &Record,
        approvals: &[Approval],
        to: &str,
        operator: &Operator,
        now: Timestamp,
    ) -> Result<Change, Error> {
        let update = Update::builder()
            // Nothing may be posted before the pick has said whether it needs an approval.
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
            .expression_attribute_values(":from", text(&old.execution))
            .expression_attribute_values(":rejected", text("rejected"))
            .expression_attribute_values(":posted", text("posted"));
        // Decisions were about the earlier run: the new one would find them for the same content.
        let mut items = Vec::new();
        for approval in approvals {
            for key in [
                approval::approval_key(post, approval.round),
                approval::waiting_key(post, approval.round),
            ] {
                let delete = Delete::builder()
                    .table_name(&self.name)
                    .set_key(Some(key))
                    .build()
                    .map_err(|e| build("take a slot over", e))?;
                items.push(TransactWriteItem::builder().delete(delete).build());
            }
        }
        let mut was = json!(old);
        // The voice is long, and the pick names the version of its file.
        if let Some(day) = was["day"].as_object_mut() {
            day.remove("voice");
        }
        let details =
            json!({"from": old.execution, "to": to, "record": was, "approvals": approvals});
        self.change(
            post,
            update,
            items,
            AuditEvent::TakenOver,
            operator,
            details,
            now,
        )
        .await
    }

    /// Writes the pick of a slot that was taken over. Returns false if the execution does not hold the slot, or has
    /// picked already.
    pub async fn pick(&self, post: &PostId, record: &Record) -> Result<bool, Error> {
        let unreadable = |e| Error::Unreadable(post.to_string(), e);
        let day: AttributeValue =
            serde_dynamo::to_attribute_value(&record.day).map_err(unreadable)?;
        let mut expression = "SET #day = :day, approvalRequired = :approval".to_owned();
        let mut request = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(post_key(post)))
            .condition_expression("execution = :execution AND attribute_not_exists(#day)")
            .expression_attribute_names("#day", "day")
            .expression_attribute_values(":day", day)
            .expression_attribute_values(
                ":approval",
                AttributeValue::Bool(record.approval_required),
            )
            .expression_attribute_values(":execution", text(&record.execution));
        if let Some(not_after) = record.not_after {
            expression.push_str(", notAfter = :notAfter");
            request = request.expression_attribute_values(":notAfter", number(not_after));
        }
        match request.update_expression(expression).send().await {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                Ok(false)
            }
            Err(error) => Err(failed("write a pick", error)),
        }
    }

    /// The switch, if the bot was paused and nobody has lifted that. The pause may be over by itself.
    pub async fn switch(&self, bot: &str) -> Result<Option<Switch>, Error> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(switch_key(bot)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| failed("read the switch", e))?;
        // Read leniently: an item that is there pauses the bot, whatever is in it.
        Ok(answer.item.map(|item| {
            let said = |name: &str| item.get(name).and_then(|v| v.as_s().ok()).cloned();
            Switch {
                paused_until: item
                    .get("pausedUntil")
                    .and_then(|v| v.as_n().ok())
                    .and_then(|n| n.parse().ok()),
                reason: said("reason").unwrap_or_default(),
                by: said("by"),
                at: said("at").and_then(|at| at.parse().ok()),
            }
        }))
    }

    /// Pauses a bot, until a time or for ever. An earlier pause is replaced.
    pub async fn pause(
        &self,
        bot: &str,
        until: Option<Timestamp>,
        operator: &Operator,
        now: Timestamp,
    ) -> Result<(), Error> {
        let doing = "pause a bot";
        let mut item = switch_key(bot);
        item.insert("by".to_owned(), text(&operator.by));
        item.insert("at".to_owned(), text(now.to_string()));
        item.insert(
            "reason".to_owned(),
            text(operator.reason.clone().unwrap_or_default()),
        );
        if let Some(until) = until {
            item.insert("pausedUntil".to_owned(), number(until.as_second()));
        }
        let switch = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .build()
            .map_err(|e| build(doing, e))?;
        let mut details = json!(operator);
        details["until"] = json!(until);
        let items = vec![
            TransactWriteItem::builder().put(switch).build(),
            self.settings_audit(bot, &AuditEvent::Paused, &details, now)?,
        ];
        self.transact(doing, items).await?;
        Ok(())
    }

    /// Lifts a pause; false if there was none.
    pub async fn resume(
        &self,
        bot: &str,
        operator: &Operator,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let doing = "resume a bot";
        let delete = Delete::builder()
            .table_name(&self.name)
            .set_key(Some(switch_key(bot)))
            .condition_expression("attribute_exists(pk)")
            .build()
            .map_err(|e| build(doing, e))?;
        let items = vec![
            TransactWriteItem::builder().delete(delete).build(),
            self.settings_audit(bot, &AuditEvent::Resumed, &json!(operator), now)?,
        ];
        self.transact(doing, items).await
    }

    /// Who paused and resumed a bot, oldest first.
    pub async fn settings_trail(&self, bot: &str) -> Result<Vec<AuditLine>, Error> {
        self.trail(settings(bot), "audit#".to_owned()).await
    }

    /// The records that are armed right now: of these nobody knows whether they are posted.
    /// One that cannot be read does not hide the others.
    pub async fn armed(&self, bot: &str) -> Result<Vec<Result<Record, Error>>, Error> {
        let items = self
            .items("read what is armed", open(bot), "armed#")
            .await?;
        let mut armed = Vec::new();
        for (sort_key, item) in items {
            armed.extend(self.still_armed(bot, sort_key, item).await.transpose());
        }
        Ok(armed)
    }

    /// The record that a mark is about, if it is armed; otherwise the mark goes.
    async fn still_armed(
        &self,
        bot: &str,
        sort_key: String,
        item: HashMap<String, AttributeValue>,
    ) -> Result<Option<Record>, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Mark {
            post: PostId,
            lease_id: String,
        }
        let mark: Mark = serde_dynamo::from_item(item)
            .map_err(|e| Error::Unreadable(format!("{} {sort_key}", open(bot)), e))?;
        if let Some(record) = self.read(&mark.post).await?
            && record.ledger == Ledger::Armed
        {
            return Ok(Some(record));
        }
        // Not armed any more. If it is armed anew at this moment, the mark has another lease and stays.
        let gone = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(key(open(bot), sort_key)))
            .condition_expression("leaseId = :lease")
            .expression_attribute_values(":lease", text(mark.lease_id))
            .send()
            .await;
        match gone {
            Err(error)
                if !error
                    .as_service_error()
                    .is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                Err(failed("unmark what is not armed any more", error))
            }
            _ => Ok(None),
        }
    }

    /// The mark by which [`Table::armed`] finds a post; written with the arming.
    pub(crate) fn armed_mark(
        &self,
        post: &PostId,
        lease_id: &str,
    ) -> Result<TransactWriteItem, Error> {
        let sort_key = format!("armed#{}#{}", post.date, post.slot);
        let mut item = key(open(&post.bot), sort_key);
        item.insert("post".to_owned(), text(post.to_string()));
        item.insert("leaseId".to_owned(), text(lease_id));
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .build()
            .map_err(|e| build("arm a post", e))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    pub(crate) fn settings_audit(
        &self,
        bot: &str,
        what: &AuditEvent,
        details: &Value,
        now: Timestamp,
    ) -> Result<TransactWriteItem, Error> {
        let item = audit_item_under(settings(bot), "audit", now, what, details)?;
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .build()
            .map_err(|e| build("write the audit trail", e))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Changes the item of a slot on a condition, and says so in the audit trail, all or nothing.
    #[expect(
        clippy::too_many_arguments,
        reason = "the one place where all of it meets"
    )]
    async fn change(
        &self,
        post: &PostId,
        update: aws_sdk_dynamodb::types::builders::UpdateBuilder,
        others: Vec<TransactWriteItem>,
        what: AuditEvent,
        operator: &Operator,
        mut details: Value,
        now: Timestamp,
    ) -> Result<Change, Error> {
        let doing = "change a slot";
        let update = update
            .table_name(&self.name)
            .set_key(Some(post_key(post)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(|e| build(doing, e))?;
        details["by"] = json!(operator.by);
        details["reason"] = json!(operator.reason);
        let audit = Put::builder()
            .table_name(&self.name)
            .set_item(Some(audit_item(post, now, &what, &details)?))
            .build()
            .map_err(|e| build(doing, e))?;
        let mut items = vec![
            TransactWriteItem::builder().update(update).build(),
            TransactWriteItem::builder().put(audit).build(),
        ];
        items.extend(others);
        self.transact_unless(doing, post, items).await
    }

    /// Writes all or nothing; refused if a condition does not hold, with the slot's item if the condition is on it
    /// and asks for it.
    pub(crate) async fn transact_unless(
        &self,
        doing: &'static str,
        post: &PostId,
        items: Vec<TransactWriteItem>,
    ) -> Result<Change, Error> {
        only_real(post, doing)?;
        // Of two transactions on one item at the same moment one is cancelled, whatever its conditions say.
        for _ in 0..5 {
            let written = self
                .client
                .transact_write_items()
                .set_transact_items(Some(items.clone()))
                .send()
                .await;
            let Err(error) = written else {
                return Ok(Change::Made);
            };
            let reasons = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    cancelled.cancellation_reasons()
                }
                _ => return Err(failed(doing, error)),
            };
            let has = |code| reasons.iter().any(|reason| reason.code() == Some(code));
            if has("ConditionalCheckFailed") {
                let item = reasons.iter().find_map(|reason| reason.item.clone());
                let there = item.map(|item| record(post, item)).transpose()?;
                return Ok(Change::Refused(there.map(Box::new)));
            }
            if !has("TransactionConflict") {
                return Err(failed(doing, error));
            }
        }
        let why = "other transactions were at the same item each time";
        Err(Error::Unavailable(doing, why.to_owned()))
    }
}

/// The partition of what somebody has to look after.
pub(crate) fn open(bot: &str) -> String {
    format!("{bot}#open")
}

pub(crate) fn build(doing: &'static str, error: BuildError) -> Error {
    Error::Refused(doing, error.to_string())
}
