//! What an operator wants to be different on one upcoming slot.

use aws_sdk_dynamodb::types::{
    ConditionCheck, Delete, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use jiff::{
    Timestamp,
    civil::{Date, Time},
    tz::TimeZone,
};
use post::{AuditEvent, PostId};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Error, Operator, SlotChange, Table,
    audit::Audit,
    item::{from_item, number, override_key, record_key, settings, text, to_item},
};

/// How long an override is kept after its date and after it was set, in seconds. The audit trail keeps what it did.
const KEPT: i64 = 30 * 24 * 60 * 60;

/// What an upcoming slot gets instead of what the bot's files give it: nothing, or another observance or other texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OverrideItem {
    /// The post, `bot/date/slot`.
    pub post: String,
    /// Why nothing is posted; absent if only texts change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<String>,
    /// The name of another observance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the picture shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scene: Option<String>,
    /// The caption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// The operator's name.
    pub by: String,
    /// When it was set.
    pub at: Timestamp,
}

/// No execution holds the slot, or its run has ended or failed without a post.
const STILL_OPEN: &str = "attribute_not_exists(pk) OR \
    ((attribute_exists(outcome) OR attribute_exists(failure)) AND ledger <> :posted AND ledger <> :armed)";

impl OverrideItem {
    /// The number of its slot.
    pub fn slot(&self) -> Result<u32, Error> {
        let post: PostId = self
            .post
            .parse()
            .map_err(|e| Error::InvalidPost("of an override", e))?;
        Ok(post.slot)
    }

    /// When DynamoDB may remove it, in seconds of the Unix epoch.
    fn expires_at(date: Date, now: Timestamp) -> i64 {
        let date = date
            .to_datetime(Time::midnight())
            .to_zoned_datetime(TimeZone::UTC);
        let later = date.map_or(now, |date| date.timestamp().max(now));
        later.as_second().saturating_add(KEPT)
    }
}

impl Table {
    /// The override of a slot.
    pub async fn overriding(&self, post: &PostId) -> Result<Option<OverrideItem>, Error> {
        let item = self.get("read an override", override_key(post)).await?;
        item.map(from_item).transpose()
    }

    /// The overrides of a bot, by date and slot, also of past dates until DynamoDB removes them.
    pub async fn overrides(&self, bot: &str) -> Result<Vec<OverrideItem>, Error> {
        self.overrides_under(bot, "override#").await
    }

    /// The overrides of all slots of a date. They are applied together: one can take the observance of another slot.
    pub async fn overrides_on(&self, bot: &str, date: Date) -> Result<Vec<OverrideItem>, Error> {
        self.overrides_under(bot, &format!("override#{date}#"))
            .await
    }

    async fn overrides_under(&self, bot: &str, prefix: &str) -> Result<Vec<OverrideItem>, Error> {
        let items = self.query("read the overrides", settings(bot), prefix);
        items.await?.into_iter().map(from_item).collect()
    }

    /// Overrides a slot, in place of an earlier override. Refused while an execution holds the slot, unless it has
    /// ended or failed without a post. A redrive of one that failed keeps its pick.
    pub async fn override_slot(
        &self,
        post: &PostId,
        over: &OverrideItem,
        operator: &Operator,
        now: Timestamp,
    ) -> Result<SlotChange, Error> {
        let doing = "override a slot";
        let mut item = to_item(over, override_key(post))?;
        let expires_at = OverrideItem::expires_at(post.date, now);
        item.insert("expiresAt".to_owned(), number(expires_at));
        let put = self.put_item_in(doing, item)?;
        let audit = Audit {
            what: AuditEvent::Overridden,
            operator,
            details: json!(over),
            now,
        };
        self.change_override(doing, post, put, audit).await
    }

    /// Deletes the override of a slot, under the same conditions.
    pub async fn undo_override(
        &self,
        post: &PostId,
        operator: &Operator,
        now: Timestamp,
    ) -> Result<SlotChange, Error> {
        let doing = "undo an override";
        let delete = Delete::builder().set_key(Some(override_key(post)));
        let delete = self.delete_in(doing, delete)?;
        let audit = Audit {
            what: AuditEvent::OverrideUndone,
            operator,
            details: json!({}),
            now,
        };
        self.change_override(doing, post, delete, audit).await
    }

    async fn change_override(
        &self,
        doing: &'static str,
        post: &PostId,
        change: TransactWriteItem,
        audit: Audit<'_>,
    ) -> Result<SlotChange, Error> {
        let still_open = ConditionCheck::builder()
            .set_key(Some(record_key(post)))
            .condition_expression(STILL_OPEN)
            .expression_attribute_values(":posted", text("posted"))
            .expression_attribute_values(":armed", text("armed"))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let items = vec![
            change,
            self.check_in(doing, still_open)?,
            self.change_in(doing, post, audit)?,
        ];
        self.transact_change(doing, post, items).await
    }

    /// The condition that a slot's override is the one that was read.
    pub(crate) fn unchanged_override(
        &self,
        post: &PostId,
        read: Option<&OverrideItem>,
    ) -> Result<TransactWriteItem, Error> {
        let check = ConditionCheck::builder().set_key(Some(override_key(post)));
        let check = match read {
            None => check.condition_expression("attribute_not_exists(pk)"),
            Some(over) => check
                .condition_expression("#at = :at")
                .expression_attribute_names("#at", "at")
                .expression_attribute_values(":at", text(over.at.to_string())),
        };
        self.check_in("claim a slot", check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_is_kept_for_thirty_days_after_its_date_or_after_it_was_set() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let date = "2026-10-30".parse().unwrap();
        let expires_at = |now| OverrideItem::expires_at(date, at(now));
        assert_eq!(
            expires_at("2026-10-01T12:00:00Z"),
            at("2026-11-29T00:00:00Z").as_second()
        );
        assert_eq!(
            expires_at("2026-11-02T12:00:00Z"),
            at("2026-12-02T12:00:00Z").as_second()
        );
    }

    #[test]
    fn the_slot_of_an_override_follows_from_its_post() {
        let over = |post: &str| OverrideItem {
            post: post.to_owned(),
            ..OverrideItem::default()
        };
        assert_eq!(over("spooky-days/2026-10-30/2").slot().unwrap(), 2);
        assert!(over("spooky-days").slot().is_err());
    }
}
