//! Exactly-once delivery of notifications.

use jiff::{SignedDuration, Timestamp};
use post::{AuditEvent, PostId};
use posts_table::{Error, PendingNotification, Table};
use serde_json::json;

use crate::{Notification, Recipients};

/// How long a sender has before another one may send the mails of the same notification.
const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// Sends notifications.
#[derive(Clone, Debug)]
pub struct Notifier {
    /// Where pending notifications are stored.
    pub table: Table,
    /// The mail service.
    pub ses: aws_sdk_sesv2::Client,
    /// The sender.
    pub from: String,
    /// The environment on AWS that commands name; none on the local cloud.
    pub env: Option<String>,
}

/// The result of a call for one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Every recipient got the mail in this call.
    Sent,
    /// An earlier call took the event: it has sent the mails, or is sending them.
    TakenBefore,
    /// The recipients do not want notifications of this kind.
    Unwanted,
    /// A recipient has not got the mail, for this reason. The watchdog tries again.
    Pending(String),
}

/// The result of a retry of all pending notifications.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retried {
    /// How many were sent.
    pub sent: u32,
    /// Why others were not.
    pub failures: Vec<String>,
}

impl Notifier {
    /// Notifies the recipients of an event, unless an earlier call did. If SES refuses a mail, the notification stays
    /// pending, the log has the reason, and the call succeeds.
    pub async fn notify(
        &self,
        recipients: &Recipients,
        event: &str,
        notification: &Notification,
        now: Timestamp,
    ) -> Result<Delivery, Error> {
        if !recipients.want(notification.kind) {
            return Ok(Delivery::Unwanted);
        }
        let notification = recipients
            .addressed(notification)
            .for_environment(self.env.as_deref());
        let pending = PendingNotification {
            event: event.to_owned(),
            to: recipients.to(),
            notice: json!(notification),
            since: now,
            tries: 0,
        };
        if self
            .table
            .start_notification(&pending, now, lease_ends(now))
            .await?
        {
            return self.send(&pending, now).await;
        }
        // The earlier call may have been interrupted.
        self.resume(event, now).await
    }

    /// Sends the pending notifications that no other call is sending.
    pub async fn send_pending(&self, now: Timestamp) -> Result<Retried, Error> {
        let mut retried = Retried::default();
        for pending in self.table.pending_notifications().await? {
            let delivery = async { self.resume(&pending?.event, now).await };
            match delivery.await {
                Ok(Delivery::Sent) => retried.sent += 1,
                Ok(Delivery::Pending(why)) => retried.failures.push(why),
                Ok(Delivery::TakenBefore | Delivery::Unwanted) => {}
                Err(error) => retried.failures.push(error.to_string()),
            }
        }
        Ok(retried)
    }

    /// Sends a pending notification, if its lease is over.
    async fn resume(&self, event: &str, now: Timestamp) -> Result<Delivery, Error> {
        let leased = self.table.lease_notification(event, now, lease_ends(now));
        match leased.await? {
            Some(pending) => self.send(&pending, now).await,
            None => Ok(Delivery::TakenBefore),
        }
    }

    async fn send(&self, pending: &PendingNotification, now: Timestamp) -> Result<Delivery, Error> {
        let event = &pending.event;
        let notification: Notification = match serde_json::from_value(pending.notice.clone()) {
            Ok(notification) => notification,
            Err(error) => {
                let why = format!("the notification of {event} cannot be read: {error}");
                return Ok(Delivery::Pending(why));
            }
        };
        let failures = self.send_mails(pending, &notification).await?;
        if failures.is_empty() {
            self.finish(pending, &notification, now).await?;
            return Ok(Delivery::Sent);
        }
        let why = failures.join("; ");
        tracing::error!(
            event,
            tries = pending.tries,
            why,
            "notification not delivered"
        );
        Ok(Delivery::Pending(format!(
            "the notification of {event} was not delivered: {why}"
        )))
    }

    /// Sends each mail and removes its address from the pending notification. Returns why some were not sent.
    async fn send_mails(
        &self,
        pending: &PendingNotification,
        notification: &Notification,
    ) -> Result<Vec<String>, Error> {
        let mail = notification.mail();
        let mut failures = Vec::new();
        for to in &pending.to {
            match crate::mail::send(&self.ses, &self.from, to, &mail).await {
                Ok(()) => self.table.notification_reached(&pending.event, to).await?,
                Err(error) => failures.push(error.to_string()),
            }
        }
        Ok(failures)
    }

    /// Writes the audit line and deletes the pending notification.
    async fn finish(
        &self,
        pending: &PendingNotification,
        notification: &Notification,
        now: Timestamp,
    ) -> Result<(), Error> {
        let post = notification.post.as_deref();
        let post: Option<PostId> = post.and_then(|post| post.parse().ok());
        let kind = notification.kind.name();
        if let Some(post) = post {
            let details = json!({"to": pending.to, "subject": notification.mail().subject});
            let event = AuditEvent::Notified(kind.to_owned());
            self.table.audit(&post, now, &event, &details).await?;
        }
        self.table.finish_notification(&pending.event).await?;
        tracing::info!(event = pending.event, kind, "notification delivered");
        Ok(())
    }
}

fn lease_ends(now: Timestamp) -> Timestamp {
    now.checked_add(LEASE).unwrap_or(now)
}
