//! The notices that people are to get. An event is taken on once, and its mail is looked after until it is out.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    error::BuildError,
    types::{AttributeValue, Put, ReturnValue, TransactWriteItem},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Error, Table, failed, key, number, text};

/// The partition of all notices; no bot's partition begins with `#`.
const NOTICES: &str = "#notices";

/// How long an event is known to have been taken on, in seconds. Nothing tells of it again after a few days.
const MARKED: i64 = 90 * 24 * 60 * 60;

/// A notice, and who has not got it yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// What it is about; the same event is told once.
    pub event: String,
    /// The mail addresses that have not got it.
    #[serde(default)]
    pub to: Vec<String>,
    /// What it says.
    pub notice: Value,
    /// When the event was taken on.
    pub since: Timestamp,
    /// How often its mails were tried.
    #[serde(default)]
    pub tries: u32,
}

impl Table {
    /// Takes an event on: it is told once from now on, and whoever called is to send its mails until `lease_ends`.
    /// False if it was taken on before.
    pub async fn take_on(
        &self,
        notice: &Pending,
        now: Timestamp,
        lease_ends: Timestamp,
    ) -> Result<bool, Error> {
        let doing = "keep a notice";
        let build = |e: BuildError| Error::Refused(doing, e.to_string());
        let mut item: HashMap<String, AttributeValue> = serde_dynamo::to_item(notice)
            .map_err(|e| Error::Unreadable(notice.event.clone(), e))?;
        item.extend(pending_key(&notice.event));
        item.insert("to".to_owned(), AttributeValue::Ss(notice.to.clone()));
        item.insert("tries".to_owned(), number(1));
        item.insert("leaseUntil".to_owned(), number(lease_ends.as_millisecond()));
        let pending = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .build()
            .map_err(build)?;
        let items = vec![
            self.event_mark(doing, &notice.event, now)?,
            TransactWriteItem::builder().put(pending).build(),
        ];
        self.transact(doing, items).await
    }

    /// Marks an event as looked at, with nothing to tell. False if it was taken on before.
    pub async fn mark_event(&self, event: &str, now: Timestamp) -> Result<bool, Error> {
        let doing = "mark an event";
        self.transact(doing, vec![self.event_mark(doing, event, now)?])
            .await
    }

    /// Whether an event was taken on.
    pub async fn has_event(&self, event: &str) -> Result<bool, Error> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(event_key(event)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| failed("look for an event", e))?;
        Ok(answer.item.is_some())
    }

    /// The notices whose mails are not all out. One that cannot be read does not hide the others.
    pub async fn pending_notices(&self) -> Result<Vec<Result<Pending, Error>>, Error> {
        let items = self
            .items("read the pending notices", NOTICES.to_owned(), "pending#")
            .await?;
        let read = |(sk, item)| {
            serde_dynamo::from_item(item)
                .map_err(|e| Error::Unreadable(format!("{NOTICES} {sk}"), e))
        };
        Ok(items.into_iter().map(read).collect())
    }

    /// Leaves the mails of a pending notice to the caller until `lease_ends`; `None` if somebody else is sending
    /// them, or all are out.
    pub async fn lease_notice(
        &self,
        event: &str,
        now: Timestamp,
        lease_ends: Timestamp,
    ) -> Result<Option<Pending>, Error> {
        let leased = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(pending_key(event)))
            .update_expression("SET leaseUntil = :until ADD tries :one")
            .condition_expression("attribute_exists(pk) AND leaseUntil <= :now")
            .expression_attribute_values(":until", number(lease_ends.as_millisecond()))
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        match leased {
            Ok(answer) => answer
                .attributes
                .map(serde_dynamo::from_item)
                .transpose()
                .map_err(|e| Error::Unreadable(format!("the notice of {event}"), e)),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                Ok(None)
            }
            Err(error) => Err(failed("go on with a notice", error)),
        }
    }

    /// One address has got the mail.
    pub async fn notice_reached(&self, event: &str, address: &str) -> Result<(), Error> {
        let kept = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(pending_key(event)))
            .update_expression("DELETE #to :address")
            // Without it the item would come to life again that somebody else has finished.
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#to", "to")
            .expression_attribute_values(":address", AttributeValue::Ss(vec![address.to_owned()]))
            .send()
            .await;
        match kept {
            Err(error)
                if !error
                    .as_service_error()
                    .is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                Err(failed("keep who got a notice", error))
            }
            _ => Ok(()),
        }
    }

    /// Everybody has got the mail.
    pub async fn notice_is_out(&self, event: &str) -> Result<(), Error> {
        self.client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(pending_key(event)))
            .send()
            .await
            .map_err(|e| failed("finish a notice", e))?;
        Ok(())
    }

    fn event_mark(
        &self,
        doing: &'static str,
        event: &str,
        now: Timestamp,
    ) -> Result<TransactWriteItem, Error> {
        let mut mark = event_key(event);
        mark.insert("at".to_owned(), text(now.to_string()));
        let ends = now.as_second().saturating_add(MARKED);
        mark.insert("expiresAt".to_owned(), number(ends));
        let mark = Put::builder()
            .table_name(&self.name)
            .set_item(Some(mark))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(|e| Error::Refused(doing, e.to_string()))?;
        Ok(TransactWriteItem::builder().put(mark).build())
    }
}

fn event_key(event: &str) -> HashMap<String, AttributeValue> {
    key(NOTICES.to_owned(), format!("event#{event}"))
}

fn pending_key(event: &str) -> HashMap<String, AttributeValue> {
    key(NOTICES.to_owned(), format!("pending#{event}"))
}
