//! The notifications that still have to be sent. An event is started once, and its mails are sent until each address
//! has received one.

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Error, Table,
    item::{Item, NOTIFICATIONS, event_key, from_item, number, pending_key, text, to_item},
};

/// How long the mark of an event is kept, in seconds. An event is not reported again after a few days.
const MARKED: i64 = 90 * 24 * 60 * 60;

/// A notification, and the addresses that have not received it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingNotification {
    /// What it is about; an event is notified once.
    pub event: String,
    /// The mail addresses that have not received it.
    #[serde(default)]
    pub to: Vec<String>,
    /// Its content.
    pub notice: Value,
    /// When the event was started.
    pub since: Timestamp,
    /// How often its mails were attempted.
    #[serde(default)]
    pub tries: u32,
}

impl Table {
    /// Starts the notification of an event, whose mails the caller sends until `lease_ends`.
    /// False if the event was started before.
    pub async fn start_notification(
        &self,
        notification: &PendingNotification,
        now: Timestamp,
        lease_ends: Timestamp,
    ) -> Result<bool, Error> {
        let doing = "start a notification";
        let mut item = to_item(notification, pending_key(&notification.event))?;
        let to = AttributeValue::Ss(notification.to.clone());
        item.insert("to".to_owned(), to);
        item.insert("tries".to_owned(), number(1));
        item.insert("leaseUntil".to_owned(), number(lease_ends.as_millisecond()));
        let items = vec![
            self.event_mark(doing, &notification.event, now)?,
            self.put_item_in(doing, item)?,
        ];
        Ok(self.transact(doing, items).await?.is_none())
    }

    /// Marks an event for which no notification is sent. False if the event was marked or started before.
    pub async fn mark_event(&self, event: &str, now: Timestamp) -> Result<bool, Error> {
        let doing = "mark an event";
        let items = vec![self.event_mark(doing, event, now)?];
        Ok(self.transact(doing, items).await?.is_none())
    }

    /// Whether an event was marked or started.
    pub async fn has_event(&self, event: &str) -> Result<bool, Error> {
        let item = self.get("read the mark of an event", event_key(event));
        Ok(item.await?.is_some())
    }

    /// The notifications that some addresses have not received. One that cannot be read does not hide the others.
    pub async fn pending_notifications(
        &self,
    ) -> Result<Vec<Result<PendingNotification, Error>>, Error> {
        let partition = NOTIFICATIONS.to_owned();
        let items = self.query("read the pending notifications", partition, "pending#");
        Ok(items.await?.into_iter().map(from_item).collect())
    }

    /// Leaves the mails of a pending notification to the caller until `lease_ends`; `None` if another invocation is
    /// sending them, or all are sent.
    pub async fn lease_notification(
        &self,
        event: &str,
        now: Timestamp,
        lease_ends: Timestamp,
    ) -> Result<Option<PendingNotification>, Error> {
        let leased = self.update_and_read(
            "lease a notification",
            pending_key(event),
            "SET leaseUntil = :until ADD tries :one",
            "attribute_exists(pk) AND leaseUntil <= :now",
            [
                (":until", number(lease_ends.as_millisecond())),
                (":now", number(now.as_millisecond())),
                (":one", number(1)),
            ],
        );
        leased.await?.map(from_item).transpose()
    }

    /// An address has received the notification.
    pub async fn notification_reached(&self, event: &str, address: &str) -> Result<(), Error> {
        // Without the condition, an item that another invocation has finished would appear again.
        self.update(
            "record who received a notification",
            pending_key(event),
            "DELETE #to :address",
            "attribute_exists(pk)",
            [(":address", AttributeValue::Ss(vec![address.to_owned()]))],
        )
        .await?;
        Ok(())
    }

    /// Every address has received the notification.
    pub async fn finish_notification(&self, event: &str) -> Result<(), Error> {
        self.delete("finish a notification", pending_key(event))
            .await
    }

    fn event_mark(
        &self,
        doing: &'static str,
        event: &str,
        now: Timestamp,
    ) -> Result<TransactWriteItem, Error> {
        let mut mark: Item = event_key(event);
        mark.insert("at".to_owned(), text(now.to_string()));
        let expires_at = now.as_second().saturating_add(MARKED);
        mark.insert("expiresAt".to_owned(), number(expires_at));
        let put = Put::builder()
            .set_item(Some(mark))
            .condition_expression("attribute_not_exists(pk)");
        self.put_in(doing, put)
    }
}
