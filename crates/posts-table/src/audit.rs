//! The audit trail: what was done to a slot or to a bot's settings, when, by whom, and why.

use aws_sdk_dynamodb::types::TransactWriteItem;
use jiff::Timestamp;
use post::{AuditEvent, PostId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Error, Operator, Table,
    item::{Item, from_item, key, settings, to_item},
};

/// A line of an audit trail.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditLine {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub what: AuditEvent,
    /// Who did it, and what was changed.
    pub details: Value,
}

/// The line of an operator's change.
pub(crate) struct Audit<'a> {
    pub(crate) what: AuditEvent,
    pub(crate) operator: &'a Operator,
    /// What was changed; the operator and the reason are added.
    pub(crate) details: Value,
    pub(crate) now: Timestamp,
}

impl Audit<'_> {
    fn line(self) -> AuditLine {
        let mut details = self.details;
        details["by"] = json!(self.operator.by);
        details["reason"] = json!(self.operator.reason);
        AuditLine {
            at: self.now,
            what: self.what,
            details,
        }
    }
}

impl AuditLine {
    /// The same time and event of a post is the same item.
    fn item_of(&self, post: &PostId) -> Result<Item, Error> {
        self.item(post.partition_key(), &format!("{}#audit", post.sort_key()))
    }

    fn item(&self, partition: String, prefix: &str) -> Result<Item, Error> {
        let sort_key = format!("{prefix}#{}#{}", self.at, self.what);
        to_item(self, key(partition, sort_key))
    }
}

impl Table {
    /// Adds a line to the audit trail of a slot. The same time and event is the same line.
    pub async fn audit(
        &self,
        post: &PostId,
        at: Timestamp,
        what: &AuditEvent,
        details: &Value,
    ) -> Result<(), Error> {
        let line = AuditLine {
            at,
            what: what.clone(),
            details: details.clone(),
        };
        self.put("write the audit trail", line.item_of(post)?).await
    }

    /// The audit trail of a slot, oldest first.
    pub async fn audit_trail(&self, post: &PostId) -> Result<Vec<AuditLine>, Error> {
        let prefix = format!("{}#audit#", post.sort_key());
        self.trail(post.partition_key(), &prefix).await
    }

    /// The audit trail of a bot's pause flag, oldest first.
    pub async fn settings_trail(&self, bot: &str) -> Result<Vec<AuditLine>, Error> {
        self.trail(settings(bot), "audit#").await
    }

    async fn trail(&self, partition: String, prefix: &str) -> Result<Vec<AuditLine>, Error> {
        let items = self.query("read the audit trail", partition, prefix);
        let lines = items.await?.into_iter().map(from_item);
        let mut lines: Vec<AuditLine> = lines.collect::<Result<_, _>>()?;
        // Sort keys are in the order of text, in which half a second comes before the whole one.
        lines.sort_by_key(|line| line.at);
        Ok(lines)
    }

    /// A line about a slot, as a part of a transaction.
    pub(crate) fn audit_in(
        &self,
        doing: &'static str,
        post: &PostId,
        line: &AuditLine,
    ) -> Result<TransactWriteItem, Error> {
        self.put_item_in(doing, line.item_of(post)?)
    }

    /// The line of an operator's change of a slot, as a part of a transaction.
    pub(crate) fn change_in(
        &self,
        doing: &'static str,
        post: &PostId,
        audit: Audit<'_>,
    ) -> Result<TransactWriteItem, Error> {
        self.audit_in(doing, post, &audit.line())
    }

    /// The line of an operator's change of a bot's settings, as a part of a transaction.
    pub(crate) fn settings_change_in(
        &self,
        doing: &'static str,
        bot: &str,
        audit: Audit<'_>,
    ) -> Result<TransactWriteItem, Error> {
        self.put_item_in(doing, audit.line().item(settings(bot), "audit")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::{attribute_text, sort_key};

    #[test]
    fn a_line_is_stored_by_its_time_and_event_and_names_the_operator() {
        let operator = Operator {
            by: "Ada".to_owned(),
            reason: None,
        };
        let audit = Audit {
            what: AuditEvent::Attached,
            operator: &operator,
            details: json!({"tweetId": "7"}),
            now: "2026-10-30T12:00:00Z".parse().unwrap(),
        };
        let line = audit.line();
        assert_eq!(
            line.details,
            json!({"tweetId": "7", "by": "Ada", "reason": null})
        );
        let post = "spooky-days/2026-10-30/1".parse().unwrap();
        let item = line.item_of(&post).unwrap();
        assert_eq!(
            sort_key(&item),
            "slot#1#audit#2026-10-30T12:00:00Z#attached"
        );
        assert_eq!(attribute_text(&item, "what"), Some("attached"));
        let read: AuditLine = from_item(item).unwrap();
        assert_eq!(read.what, AuditEvent::Attached);
    }
}
