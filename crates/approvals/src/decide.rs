//! How an approval is decided or expires, and how the state machine receives the decision.
//!
//! [`approval_state`] decides whether an approval is still open, and [`settle`] applies the policy to an approval that
//! has expired.

use aws_sdk_sfn::{
    error::SdkError, operation::send_task_success::SendTaskSuccessError, types::ExecutionStatus,
};
use jiff::Timestamp;
use lambda_function::{AwsError, aws_error};
use post::PostId;
use post_text::{check_alt_text, check_caption};
use posts_table::{ApprovalItem, Decide, Decision, OnExpiry, POLICY, Table, Verdict, content_hash};
use secrecy::ExposeSecret;

/// The longest note and the longest reason, in characters.
pub const MAX_NOTE: usize = 1000;

/// The clients of a decision.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The table.
    pub table: Table,
    /// Step Functions.
    pub sfn: aws_sdk_sfn::Client,
}

/// What an approver asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecisionRequest {
    /// Post it with these texts, which can be the presented ones.
    Approve {
        /// The caption.
        caption: String,
        /// The alt text.
        alt_text: String,
    },
    /// Generate another picture.
    Regenerate {
        /// What to change; can be empty.
        note: String,
    },
    /// Post nothing.
    Reject {
        /// The reason.
        reason: String,
    },
}

/// What is wrong with the texts of a request, by field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextProblems {
    /// With the caption.
    pub caption: Option<String>,
    /// With the alt text.
    pub alt_text: Option<String>,
    /// With the note.
    pub note: Option<String>,
    /// With the reason.
    pub reason: Option<String>,
}

/// The state of an approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApprovalState {
    /// It can be decided.
    Open,
    /// An approver or the policy has decided.
    Decided(Decision),
    /// The deadline has passed, and the policy has not been applied yet.
    Closed,
    /// The bot is paused, with the reason if one was given.
    Paused(String),
    /// The execution that would post it has ended, with this status; `gone` if it does not exist.
    ExecutionEnded(String),
}

/// The outcome of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecisionOutcome {
    /// The decision is recorded.
    Recorded(Decision),
    /// The approval is not open.
    Refused(ApprovalState),
    /// The presented content has changed since the approver saw it.
    ContentChanged,
    /// The texts are invalid.
    Invalid(TextProblems),
}

/// An error while deciding or delivering.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The table returned an error.
    #[error(transparent)]
    Table(#[from] posts_table::Error),
    /// Step Functions returned an error.
    #[error("Step Functions did not {0}: {1}")]
    StepFunctions(&'static str, AwsError),
}

/// Reads the current state of an approval. Changes nothing.
pub async fn approval_state(
    clients: &Clients,
    now: Timestamp,
    post: &PostId,
    approval: &ApprovalItem,
) -> Result<ApprovalState, Error> {
    if let Some(decision) = &approval.decision {
        return Ok(ApprovalState::Decided(decision.clone()));
    }
    if approval.is_closed(now) {
        return Ok(ApprovalState::Closed);
    }
    if let Some(status) = ended(clients, post).await? {
        return Ok(ApprovalState::ExecutionEnded(status));
    }
    match clients.table.paused(&post.bot, now).await? {
        Some(reason) => Ok(ApprovalState::Paused(reason)),
        None => Ok(ApprovalState::Open),
    }
}

/// Decides an approval on condition that its content has the hash that the approver saw, and delivers the decision to
/// the state machine.
pub async fn decide(
    clients: &Clients,
    now: Timestamp,
    post: &PostId,
    approval: &ApprovalItem,
    shown_hash: &str,
    by: &str,
    answer: &DecisionRequest,
) -> Result<DecisionOutcome, Error> {
    match approval_state(clients, now, post, approval).await? {
        ApprovalState::Open => {}
        standing => {
            // A late request still delivers a decision that did not reach the state machine.
            settle_and_deliver(clients, now, post, approval).await?;
            return Ok(DecisionOutcome::Refused(standing));
        }
    }
    if shown_hash != approval.presented_hash {
        return Ok(DecisionOutcome::ContentChanged);
    }
    let verdict = match verdict(approval, answer) {
        Ok(verdict) => verdict,
        Err(problems) => return Ok(DecisionOutcome::Invalid(problems)),
    };
    let decision = Decision {
        by: by.to_owned(),
        at: now,
        verdict,
    };
    match clients
        .table
        .decide(post, approval.round, shown_hash, &decision)
        .await?
    {
        Decide::Counts(approval) => {
            // The decision is recorded; the watchdog delivers it if this fails.
            if let Err(error) = deliver(clients, now, post, &approval).await {
                tracing::warn!(%post, %error, "the decision was not delivered; the watchdog retries");
            }
            Ok(DecisionOutcome::Recorded(decision))
        }
        Decide::TooLate => {
            let Some(there) = clients.table.approval(post, approval.round).await? else {
                return Ok(DecisionOutcome::ContentChanged);
            };
            Ok(match there.decision {
                Some(decision) => DecisionOutcome::Refused(ApprovalState::Decided(decision)),
                None if there.is_closed(now) => DecisionOutcome::Refused(ApprovalState::Closed),
                None => DecisionOutcome::ContentChanged,
            })
        }
    }
}

/// What [`settle_and_deliver`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApprovalProgress {
    /// Nothing: the approval waits for a decision.
    Waiting,
    /// It applied the policy.
    Settled,
    /// It delivered a decision, or found that the execution has ended.
    Delivered,
    /// Nothing: the decision was delivered before, or AwaitApproval finds it when it is entered.
    Nothing,
}

/// Applies the policy to an approval that has expired, and delivers the decision.
pub async fn settle_and_deliver(
    clients: &Clients,
    now: Timestamp,
    post: &PostId,
    approval: &ApprovalItem,
) -> Result<ApprovalProgress, Error> {
    let Some(decided) = settle(&clients.table, now, post, approval).await? else {
        return Ok(ApprovalProgress::Waiting);
    };
    let delivered = decided.delivered_at.is_none() && deliver(clients, now, post, &decided).await?;
    Ok(match (approval.decision.is_none(), delivered) {
        (true, _) => ApprovalProgress::Settled,
        (false, true) => ApprovalProgress::Delivered,
        (false, false) => ApprovalProgress::Nothing,
    })
}

/// Applies the policy to an approval that has expired without a decision.
/// Returns the approval with its decision; `None` while it is open.
pub async fn settle(
    table: &Table,
    now: Timestamp,
    post: &PostId,
    approval: &ApprovalItem,
) -> Result<Option<ApprovalItem>, posts_table::Error> {
    if approval.decision.is_some() {
        return Ok(Some(approval.clone()));
    }
    if !approval.is_closed(now) {
        return Ok(None);
    }
    let verdict = match approval.on_timeout {
        OnExpiry::Skip => Verdict::Expired,
        OnExpiry::Post => Verdict::Approved {
            caption: approval.caption.clone(),
            alt_text: approval.alt_text.clone(),
            hash: approval.presented_hash.clone(),
        },
    };
    let decision = Decision {
        by: POLICY.to_owned(),
        at: now,
        verdict,
    };
    let decided = table
        .decide(post, approval.round, &approval.presented_hash, &decision)
        .await?;
    match decided {
        Decide::Counts(approval) => {
            tracing::info!(%post, verdict = decision.verdict.name(), "the approval expired, and the policy was applied");
            Ok(Some(*approval))
        }
        // A decision, another settlement or new content came first.
        Decide::TooLate => {
            let there = table.approval(post, approval.round).await?;
            Ok(there.filter(|approval| approval.decision.is_some()))
        }
    }
}

/// Delivers the decision to the state machine, if that waits for it. Returns whether nothing is left to deliver.
async fn deliver(
    clients: &Clients,
    now: Timestamp,
    post: &PostId,
    approval: &ApprovalItem,
) -> Result<bool, Error> {
    let Some(decision) = &approval.decision else {
        return Ok(false);
    };
    // Without a token the state machine does not wait yet: AwaitApproval finds the decision when it is entered.
    if let Some(token) = &approval.task_token {
        let output = serde_json::json!(decision).to_string();
        let sent = clients
            .sfn
            .send_task_success()
            .task_token(token.expose_secret())
            .output(output)
            .send()
            .await;
        match sent {
            Ok(_) => tracing::info!(%post, verdict = decision.verdict.name(), "delivered"),
            // The token was used, or its state has ended. A state that is entered again finds the decision.
            Err(SdkError::ServiceError(e))
                if matches!(
                    e.err(),
                    SendTaskSuccessError::TaskDoesNotExist(_)
                        | SendTaskSuccessError::TaskTimedOut(_)
                        | SendTaskSuccessError::InvalidToken(_)
                ) =>
            {
                tracing::info!(%post, "the state machine no longer waits for the decision");
            }
            Err(error) => {
                return Err(Error::StepFunctions(
                    "accept the decision",
                    aws_error(&error),
                ));
            }
        }
    } else if let Some(status) = ended(clients, post).await? {
        tracing::info!(%post, status, "the execution has ended, so the decision is not needed");
    } else {
        return Ok(false);
    }
    Ok(clients.table.delivered(post, approval, now).await?)
}

/// The status of the execution that holds the slot, if it has ended; `gone` if it does not exist.
async fn ended(clients: &Clients, post: &PostId) -> Result<Option<String>, Error> {
    let Some(record) = clients.table.read(post).await? else {
        return Ok(Some("gone".to_owned()));
    };
    let described = clients
        .sfn
        .describe_execution()
        .execution_arn(&record.execution)
        .send()
        .await;
    match described {
        Ok(execution) if execution.status == ExecutionStatus::Running => Ok(None),
        Ok(execution) => Ok(Some(execution.status.as_str().to_owned())),
        Err(SdkError::ServiceError(e)) if e.err().is_execution_does_not_exist() => {
            Ok(Some("gone".to_owned()))
        }
        Err(error) => Err(Error::StepFunctions(
            "describe the execution",
            aws_error(&error),
        )),
    }
}

fn verdict(approval: &ApprovalItem, answer: &DecisionRequest) -> Result<Verdict, TextProblems> {
    let mut problems = TextProblems::default();
    let too_long = |text: &str| {
        let length = text.chars().count();
        (length > MAX_NOTE)
            .then(|| format!("it must have at most {MAX_NOTE} characters (got {length})"))
    };
    let verdict = match answer {
        DecisionRequest::Approve { caption, alt_text } => {
            let (caption, alt_text) = (normalize(caption), normalize(alt_text));
            problems.caption = check_caption(&caption).err().map(|e| e.to_string());
            problems.alt_text = check_alt_text(&alt_text).err().map(|e| e.to_string());
            let hash = content_hash(&approval.image.sha256, &caption, &alt_text);
            Verdict::Approved {
                caption,
                alt_text,
                hash,
            }
        }
        DecisionRequest::Regenerate { note } => {
            let note = normalize(note);
            problems.note = match approval.regenerations_left() {
                0 => Some("all four pictures are used; approve this one or reject it".to_owned()),
                _ => too_long(&note),
            };
            Verdict::Regenerate { note }
        }
        DecisionRequest::Reject { reason } => {
            let reason = normalize(reason);
            problems.reason = match reason.is_empty() {
                true => Some("enter a reason; it is kept in the record".to_owned()),
                false => too_long(&reason),
            };
            Verdict::Rejected { reason }
        }
    };
    match problems == TextProblems::default() {
        true => Ok(verdict),
        false => Err(problems),
    }
}

/// Normalizes a text: line breaks as `\n` (forms send `\r\n`), without white space at the ends.
pub fn normalize(text: &str) -> String {
    text.replace("\r\n", "\n").trim().to_owned()
}
