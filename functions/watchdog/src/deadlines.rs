//! ApprovalItem deadlines, reminders, and undelivered decisions.

use anyhow::anyhow;
use approvals::link::Keys;
use approvals::mails::mail;
use approvals::{ApprovalProgress, ApprovalState, approval_state, settle_and_deliver};
use post::PostId;
use posts_table::ApprovalItem;
use serde_json::json;

use crate::{Error, Folder, Sweep};

impl Sweep<'_> {
    /// Settles, delivers or reminds of the open approvals of a bot.
    pub(crate) async fn approvals(&mut self, bot: &Folder) -> Result<(), Error> {
        for waiting in self.table().waiting_approvals(&bot.name).await? {
            let (post, round) = match waiting {
                Ok(waiting) => waiting,
                Err(error) => {
                    self.failed(format!("an approval of {}", bot.name), &error.into());
                    continue;
                }
            };
            if let Err(error) = self.approval(&post, round).await {
                self.failed(format!("the approval {post}/{round}"), &error);
            }
        }
        Ok(())
    }

    async fn approval(&mut self, post: &PostId, round: u32) -> anyhow::Result<()> {
        let Some(approval) = self.table().approval(post, round).await? else {
            // The marker exists without its approval only if the approval was deleted by hand.
            return Ok(self.table().forget(post, round).await?);
        };
        let decision = &self.clients.decision;
        match settle_and_deliver(decision, self.now, post, &approval).await? {
            ApprovalProgress::Waiting => self.done.waiting += 1,
            ApprovalProgress::Settled => self.done.settled += 1,
            ApprovalProgress::Delivered => self.done.delivered += 1,
            ApprovalProgress::Nothing => {}
        }
        let due: Vec<usize> = match approval.remind_at {
            Some(at) if at <= self.now.as_second() => to_remind(&approval),
            _ => Vec::new(),
        };
        // No reminder for an approval that cannot be decided, such as that of a paused bot or of an ended run.
        if !due.is_empty()
            && approval_state(decision, self.now, post, &approval).await? == ApprovalState::Open
        {
            self.remind(post, &approval, &due).await?;
        }
        Ok(())
    }

    /// Reminds the approvers with these indexes.
    async fn remind(
        &mut self,
        post: &PostId,
        approval: &ApprovalItem,
        indexes: &[usize],
    ) -> anyhow::Result<()> {
        let (clients, config) = (self.clients, self.config);
        let keys = self
            .keys
            .get_or_try_init(|| Keys::read(&clients.secrets, &config.review_secret_arn))
            .await?;
        let mut failures = Vec::new();
        for &number in indexes {
            let approver = &approval.approvers[number];
            let mail = mail(keys, &config.review_base_url, post, approval, number, true);
            let details = json!({"round": approval.round, "to": approver, "subject": mail.subject});
            match notifications::mail::send(&clients.ses, &config.mail_from, approver, &mail).await
            {
                Ok(()) => {
                    clients
                        .decision
                        .table
                        .mailed(post, approval.round, approver, true, &details, self.now)
                        .await?;
                    self.done.reminded += 1;
                }
                Err(error) => failures.push(error.to_string()),
            }
        }
        match failures.is_empty() {
            true => Ok(()),
            false => Err(anyhow!(failures.join("; "))),
        }
    }
}

/// The indexes of the approvers who received the email and no reminder.
fn to_remind(approval: &ApprovalItem) -> Vec<usize> {
    let approvers = approval.approvers.iter().enumerate();
    approvers
        .filter(|(_, approver)| {
            approval.mailed.contains(approver) && !approval.reminded.contains(approver)
        })
        .map(|(number, _)| number)
        .collect()
}
