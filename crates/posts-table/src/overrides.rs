//! What an operator wants to be different on one slot to come.

use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem,
};
use jiff::{
    Timestamp,
    civil::{Date, Time},
    tz::TimeZone,
};
use post::{AuditEvent, PostId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashMap;

use crate::{
    Change, Error, Operator, Table, audit_item, failed, key, number, operate::build, post_key,
    settings, text,
};

/// How long an override is kept after its date and after it was set, in seconds; what came of it is in the audit trail.
const KEPT: i64 = 30 * 24 * 60 * 60;

/// What a slot to come gets instead of what the bot's files say: nothing, or another day or other words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Override {
    /// The post, `bot/date/slot`.
    pub post: String,
    /// Why nothing is posted; a change of the texts without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<String>,
    /// The name of another day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the picture shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scene: Option<String>,
    /// The caption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// Who wants it so.
    pub by: String,
    /// When they said so.
    pub at: Timestamp,
}

/// Nobody holds the slot, or its run has ended or failed without a post.
const STILL_OPEN: &str = "attribute_not_exists(pk) OR ((attribute_exists(outcome) OR attribute_exists(failure)) AND ledger <> :posted AND ledger <> :armed)";

impl Override {
    /// The number of its slot.
    pub fn slot(&self) -> Result<u32, Error> {
        let post: PostId = self
            .post
            .parse()
            .map_err(|e: post::InvalidPostId| Error::Refused("read an override", e.to_string()))?;
        Ok(post.slot)
    }
}

impl Table {
    /// The override of a slot, read consistently.
    pub async fn overriding(&self, post: &PostId) -> Result<Option<Override>, Error> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(override_key(post)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| failed("read an override", e))?;
        answer
            .item
            .map(|item| {
                serde_dynamo::from_item(item)
                    .map_err(|e| Error::Unreadable(format!("the override of {post}"), e))
            })
            .transpose()
    }

    /// The overrides of a bot, by date and slot; also those that are over and not yet forgotten.
    pub async fn overrides(&self, bot: &str) -> Result<Vec<Override>, Error> {
        self.overrides_under(bot, "override#".to_owned()).await
    }

    /// The overrides of all slots of a date: one may take the day of another, which then gets its.
    pub async fn overrides_on(&self, bot: &str, date: Date) -> Result<Vec<Override>, Error> {
        self.overrides_under(bot, format!("override#{date}#")).await
    }

    async fn overrides_under(&self, bot: &str, prefix: String) -> Result<Vec<Override>, Error> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", text(settings(bot)))
            .expression_attribute_values(":prefix", text(prefix))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut overrides = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|e| failed("read the overrides", e))?;
            let over = serde_dynamo::from_item(item)
                .map_err(|e| Error::Unreadable(format!("an override of {bot}"), e))?;
            overrides.push(over);
        }
        Ok(overrides)
    }

    /// Overrides a slot; an earlier override is replaced. Refused once an execution holds the slot, unless that has
    /// ended or failed without a post. A redrive of one that failed keeps its pick.
    pub async fn override_slot(
        &self,
        post: &PostId,
        over: &Override,
        operator: &Operator,
        now: Timestamp,
    ) -> Result<Change, Error> {
        let doing = "override a slot";
        let mut item: HashMap<String, AttributeValue> =
            serde_dynamo::to_item(over).map_err(|e| Error::Unreadable(post.to_string(), e))?;
        item.extend(override_key(post));
        let forgotten = post
            .date
            .to_datetime(Time::midnight())
            .to_zoned_datetime(TimeZone::UTC)
            .map_or(now, |date| date.timestamp().max(now));
        item.insert(
            "expiresAt".to_owned(),
            number(forgotten.as_second().saturating_add(KEPT)),
        );
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .build()
            .map_err(|e| build(doing, e))?;
        let put = TransactWriteItem::builder().put(put).build();
        let mut details = json!(over);
        details["reason"] = json!(operator.reason);
        self.change_override(doing, post, put, &AuditEvent::Overridden, &details, now)
            .await
    }

    /// Takes the override of a slot away, under the same conditions.
    pub async fn undo_override(
        &self,
        post: &PostId,
        operator: &Operator,
        now: Timestamp,
    ) -> Result<Change, Error> {
        let doing = "undo an override";
        let delete = Delete::builder()
            .table_name(&self.name)
            .set_key(Some(override_key(post)))
            .build()
            .map_err(|e| build(doing, e))?;
        let delete = TransactWriteItem::builder().delete(delete).build();
        self.change_override(
            doing,
            post,
            delete,
            &AuditEvent::OverrideUndone,
            &json!(operator),
            now,
        )
        .await
    }

    async fn change_override(
        &self,
        doing: &'static str,
        post: &PostId,
        change: TransactWriteItem,
        what: &AuditEvent,
        details: &Value,
        now: Timestamp,
    ) -> Result<Change, Error> {
        let slot = ConditionCheck::builder()
            .table_name(&self.name)
            .set_key(Some(post_key(post)))
            .condition_expression(STILL_OPEN)
            .expression_attribute_values(":posted", text("posted"))
            .expression_attribute_values(":armed", text("armed"))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(|e| build(doing, e))?;
        let audit = Put::builder()
            .table_name(&self.name)
            .set_item(Some(audit_item(post, now, what, details)?))
            .build()
            .map_err(|e| build(doing, e))?;
        let items = vec![
            change,
            TransactWriteItem::builder().condition_check(slot).build(),
            TransactWriteItem::builder().put(audit).build(),
        ];
        self.transact_unless(doing, post, items).await
    }

    /// The condition that a slot's override is what was seen.
    pub(crate) fn unchanged_override(
        &self,
        post: &PostId,
        seen: Option<&Override>,
    ) -> Result<TransactWriteItem, Error> {
        let check = ConditionCheck::builder()
            .table_name(&self.name)
            .set_key(Some(override_key(post)));
        let check = match seen {
            None => check.condition_expression("attribute_not_exists(pk)"),
            Some(over) => check
                .condition_expression("#at = :at")
                .expression_attribute_names("#at", "at")
                .expression_attribute_values(":at", text(over.at.to_string())),
        };
        let check = check.build().map_err(|e| build("claim a slot", e))?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }
}

fn override_key(post: &PostId) -> HashMap<String, AttributeValue> {
    key(
        settings(&post.bot),
        format!("override#{}#{}", post.date, post.slot),
    )
}
