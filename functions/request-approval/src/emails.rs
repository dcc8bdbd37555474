//! The emails to the approvers.

use approvals::{link::Keys, mails::mail};
use jiff::Timestamp;
use notifications::mail::Error as MailError;
use post::{AuditEvent, PostId};
use posts_table::ApprovalItem;
use serde_json::json;

use crate::{Clients, Config, Error};

/// Emails each approver who has no email yet. It is enough to reach one.
pub(crate) async fn send(
    clients: &Clients,
    config: &Config,
    now: Timestamp,
    post: &PostId,
    approval: &ApprovalItem,
) -> Result<(), Error> {
    let is_mailed = |approver: &String| approval.mailed.contains(approver);
    if approval.approvers.iter().all(is_mailed) {
        return Ok(());
    }
    let emails = Emails {
        clients,
        config,
        keys: Keys::read(&clients.secrets, &config.review_secret_arn).await?,
        post,
        approval,
        now,
    };
    let mut is_reached = !approval.mailed.is_empty();
    let mut refusals = Vec::new();
    for (number, approver) in approval.approvers.iter().enumerate() {
        if is_mailed(approver) {
            continue;
        }
        match emails.send(number, approver).await? {
            None => is_reached = true,
            Some(refusal) => refusals.push(refusal),
        }
    }
    match is_reached {
        true => Ok(()),
        false => Err(Error::MailRefused(refusals.join("; "))),
    }
}

struct Emails<'a> {
    clients: &'a Clients,
    config: &'a Config,
    keys: Keys,
    post: &'a PostId,
    approval: &'a ApprovalItem,
    now: Timestamp,
}

impl Emails<'_> {
    /// Sends one email and records it in the audit trail. Returns SES's message if SES refuses it.
    async fn send(&self, number: usize, approver: &str) -> Result<Option<String>, Error> {
        let Emails { post, approval, .. } = self;
        let base_url = &self.config.review_base_url;
        let mail = mail(&self.keys, base_url, post, approval, number, false);
        let details = json!({"round": approval.round, "to": approver, "subject": mail.subject});
        let (ses, from) = (&self.clients.ses, &self.config.mail_from);
        let table = &self.clients.table;
        match notifications::mail::send(ses, from, approver, &mail).await {
            Ok(()) => {
                table
                    .mailed(post, approval.round, approver, false, &details, self.now)
                    .await?;
                Ok(None)
            }
            Err(error @ MailError::Unavailable(..)) => {
                Err(Error::ServiceUnavailable(error.to_string()))
            }
            Err(error @ MailError::Refused(..)) => {
                tracing::error!(%post, %error, "an approver was not emailed");
                let event = AuditEvent::MailRefused(approver.to_owned());
                table.audit(post, self.now, &event, &details).await?;
                Ok(Some(error.to_string()))
            }
        }
    }
}
