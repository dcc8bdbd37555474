//! That a notice reaches its people, once.

use jiff::{SignedDuration, Timestamp};
use post::{AuditEvent, PostId};
use posts_table::{Error, PendingNotification, Table};
use serde_json::json;

use crate::{Audience, Notice};

/// How long whoever took a notice on may send its mails before somebody else does.
const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// What telling needs.
#[derive(Clone, Debug)]
pub struct Teller {
    /// The table.
    pub table: Table,
    /// The mails.
    pub ses: aws_sdk_sesv2::Client,
    /// The sender.
    pub from: String,
    /// The environment on AWS that all of it is of, which the commands of a notice name; none on the local cloud.
    pub env: Option<String>,
}

/// What became of a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Everybody got it now.
    Now,
    /// It was taken on before: everybody has got it, or somebody is sending it.
    Before,
    /// Nobody wants it.
    Unwanted,
    /// Somebody has not got it yet, and this is why. The watchdog tries again.
    Later(String),
}

/// What became of the pending notices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// How many were sent.
    pub sent: u32,
    /// Why others were not.
    pub failures: Vec<String>,
}

impl Teller {
    /// Tells an audience of an event, if nobody did before. A mail that SES does not take fails nothing: it is
    /// logged, and stays pending.
    pub async fn tell(
        &self,
        audience: &Audience,
        event: &str,
        notice: &Notice,
        now: Timestamp,
    ) -> Result<Told, Error> {
        if !audience.wants(notice.kind) {
            return Ok(Told::Unwanted);
        }
        let notice = audience.addressed(notice).typed_for(self.env.as_deref());
        let pending = PendingNotification {
            event: event.to_owned(),
            to: audience.to(),
            notice: json!(notice),
            since: now,
            tries: 0,
        };
        let lease_ends = lease_ends(now);
        if self
            .table
            .start_notification(&pending, now, lease_ends)
            .await?
        {
            return self.send(&pending, now).await;
        }
        // An earlier entry may have been interrupted.
        match self
            .table
            .lease_notification(event, now, lease_ends)
            .await?
        {
            Some(pending) => self.send(&pending, now).await,
            None => Ok(Told::Before),
        }
    }

    /// Sends what is pending and what nobody is sending.
    pub async fn send_pending(&self, now: Timestamp) -> Result<Sent, Error> {
        let mut sent = Sent::default();
        for pending in self.table.pending_notifications().await? {
            let told = async {
                let event = pending?.event;
                let leased = self.table.lease_notification(&event, now, lease_ends(now));
                match leased.await? {
                    Some(pending) => self.send(&pending, now).await,
                    None => Ok(Told::Before),
                }
            };
            match told.await {
                Ok(Told::Now) => sent.sent += 1,
                Ok(Told::Later(why)) => sent.failures.push(why),
                Ok(Told::Before | Told::Unwanted) => {}
                Err(error) => sent.failures.push(error.to_string()),
            }
        }
        Ok(sent)
    }

    async fn send(&self, pending: &PendingNotification, now: Timestamp) -> Result<Told, Error> {
        let event = &pending.event;
        let notice: Notice = match serde_json::from_value(pending.notice.clone()) {
            Ok(notice) => notice,
            Err(error) => {
                let why = format!("the notice of {event} cannot be read: {error}");
                return Ok(Told::Later(why));
            }
        };
        let post: Option<PostId> = notice.post.as_deref().and_then(|post| post.parse().ok());
        let mail = notice.mail();
        let mut failures = Vec::new();
        for to in &pending.to {
            match crate::mail::send(&self.ses, &self.from, to, &mail).await {
                Ok(()) => self.table.notification_reached(event, to).await?,
                Err(error) => failures.push(error.to_string()),
            }
        }
        if failures.is_empty() {
            if let Some(post) = post {
                let what = AuditEvent::Notified(notice.kind.name().to_owned());
                let details = json!({"to": pending.to, "subject": mail.subject});
                self.table.audit(&post, now, &what, &details).await?;
            }
            self.table.finish_notification(event).await?;
            tracing::info!(event, kind = notice.kind.name(), "told");
            return Ok(Told::Now);
        }
        let why = failures.join("; ");
        tracing::error!(event, tries = pending.tries, why, "not everybody was told");
        Ok(Told::Later(format!("the notice of {event}: {why}")))
    }
}

fn lease_ends(now: Timestamp) -> Timestamp {
    now.checked_add(LEASE).unwrap_or(now)
}
