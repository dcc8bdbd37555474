//! How an approval is decided, and how the state machine receives the decision.

use aws_sdk_sfn::{
    error::SdkError, operation::send_task_success::SendTaskSuccessError, types::ExecutionStatus,
};
use jiff::Timestamp;
use lambda_function::{AwsError, aws_error};
use post::PostId;
use post_text::{check_alt_text, check_caption};
use posts_table::{Approval, Decide, Decision, OnTimeout, POLICY, Table, Verdict, content_hash};
use secrecy::ExposeSecret;

/// The longest note and the longest reason, in characters.
pub const MAX_NOTE: usize = 1000;

/// What deciding needs.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The table.
    pub table: Table,
    /// Step Functions.
    pub sfn: aws_sdk_sfn::Client,
}

/// What a person wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To post it with these texts, which may be the ones that were presented.
    Approve {
        /// The caption.
        caption: String,
        /// The alt text.
        alt_text: String,
    },
    /// Another picture.
    Regenerate {
        /// What it should be like; may be empty.
        note: String,
    },
    /// No post.
    Reject {
        /// Why.
        reason: String,
    },
}

/// What is wrong with an answer, by its field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    /// With the caption.
    pub caption: Option<String>,
    /// With the alt text.
    pub alt_text: Option<String>,
    /// With the note.
    pub note: Option<String>,
    /// With the reason.
    pub reason: Option<String>,
}

/// Where an approval stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may be decided.
    Open,
    /// Somebody, or the policy, has decided.
    Decided(Decision),
    /// The time is over, and the policy has not been applied yet.
    Closed,
    /// The bot is paused, with the reason if one was given.
    Paused(String),
    /// The execution that would post it has ended, with this status.
    ExecutionEnded(String),
}

/// What became of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It counts.
    Counts(Decision),
    /// It does not count, because of where the approval stands.
    Refused(Standing),
    /// It does not count, because other content is presented by now.
    OtherContent,
    /// It cannot be carried out as it is.
    Problems(Problems),
}

/// Why nothing was decided or delivered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The table did not do what it was asked.
    #[error(transparent)]
    Table(#[from] posts_table::Error),
    /// Step Functions did not do what it was asked.
    #[error("Step Functions did not {0}: {1}")]
    StepFunctions(&'static str, AwsError),
}

/// Where an approval stands now. Reads, and changes nothing.
pub async fn standing(
    clients: &Clients,
    now: Timestamp,
    post: &PostId,
    approval: &Approval,
) -> Result<Standing, Error> {
    if let Some(decision) = &approval.decision {
        return Ok(Standing::Decided(decision.clone()));
    }
    if approval.is_closed(now) {
        return Ok(Standing::Closed);
    }
    if let Some(status) = ended(clients, post).await? {
        return Ok(Standing::ExecutionEnded(status));
    }
    match clients.table.paused(&post.bot, now).await? {
        Some(reason) => Ok(Standing::Paused(reason)),
        None => Ok(Standing::Open),
    }
}

/// Decides an approval whose content has the hash that the person was shown, and tells the state machine.
pub async fn decide(
    clients: &Clients,
    now: Timestamp,
    post: &PostId,
    approval: &Approval,
    shown_hash: &str,
    by: &str,
    answer: &Answer,
) -> Result<Outcome, Error> {
    match standing(clients, now, post, approval).await? {
        Standing::Open => {}
        standing => {
            // Whoever comes too late at least sees to it that the state machine knows what it should.
            settle_and_deliver(clients, now, post, approval).await?;
            return Ok(Outcome::Refused(standing));
        }
    }
    if shown_hash != approval.presented_hash {
        return Ok(Outcome::OtherContent);
    }
    let verdict = match verdict(approval, answer) {
        Ok(verdict) => verdict,
        Err(problems) => return Ok(Outcome::Problems(problems)),
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
            // The decision is made, and an answer that is lost is delivered later.
            if let Err(error) = deliver(clients, now, post, &approval).await {
                tracing::warn!(%post, %error, "the decision is delivered later");
            }
            Ok(Outcome::Counts(decision))
        }
        Decide::TooLate => {
            let Some(there) = clients.table.approval(post, approval.round).await? else {
                return Ok(Outcome::OtherContent);
            };
            Ok(match there.decision {
                Some(decision) => Outcome::Refused(Standing::Decided(decision)),
                None if there.is_closed(now) => Outcome::Refused(Standing::Closed),
                None => Outcome::OtherContent,
            })
        }
    }
}

/// What became of an approval that was looked after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookedAfter {
    /// It waits for a person.
    Waits,
    /// The policy has decided, just now.
    Settled,
    /// The state machine knows a decision that it did not know before, or has ended.
    Delivered,
    /// There is nothing to do: the state machine knows, or finds the decision when it wants to wait.
    Nothing,
}

/// Applies the policy to an approval that nobody decided in time, and delivers what was decided.
pub async fn settle_and_deliver(
    clients: &Clients,
    now: Timestamp,
    post: &PostId,
    approval: &Approval,
) -> Result<LookedAfter, Error> {
    let Some(decided) = settle(&clients.table, now, post, approval).await? else {
        return Ok(LookedAfter::Waits);
    };
    let delivered = decided.delivered_at.is_none() && deliver(clients, now, post, &decided).await?;
    Ok(match (approval.decision.is_none(), delivered) {
        (true, _) => LookedAfter::Settled,
        (false, true) => LookedAfter::Delivered,
        (false, false) => LookedAfter::Nothing,
    })
}

/// Applies the policy to an approval that nobody decided in time.
/// Gives the approval with its decision, if there is one by now.
pub async fn settle(
    table: &Table,
    now: Timestamp,
    post: &PostId,
    approval: &Approval,
) -> Result<Option<Approval>, posts_table::Error> {
    if approval.decision.is_some() {
        return Ok(Some(approval.clone()));
    }
    if !approval.is_closed(now) {
        return Ok(None);
    }
    let verdict = match approval.on_timeout {
        OnTimeout::Skip => Verdict::Expired,
        OnTimeout::Post => Verdict::Approved {
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
            tracing::info!(%post, verdict = decision.verdict.name(), "settled by the policy");
            Ok(Some(*approval))
        }
        // Somebody else was faster: with a decision, with settling it, or with other content.
        Decide::TooLate => {
            let there = table.approval(post, approval.round).await?;
            Ok(there.filter(|approval| approval.decision.is_some()))
        }
    }
}

/// Tells the state machine what was decided, if it waits for it. Gives whether nobody has to look after it any more.
async fn deliver(
    clients: &Clients,
    now: Timestamp,
    post: &PostId,
    approval: &Approval,
) -> Result<bool, Error> {
    let Some(decision) = &approval.decision else {
        return Ok(false);
    };
    // Without a token nobody waits yet: the state finds the decision when it wants to wait.
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
                tracing::info!(%post, "nobody waits for the decision any more");
            }
            Err(error) => {
                return Err(Error::StepFunctions("take the decision", aws_error(&error)));
            }
        }
    } else if let Some(status) = ended(clients, post).await? {
        tracing::info!(%post, status, "the execution has ended, and nobody waits for the decision");
    } else {
        return Ok(false);
    }
    Ok(clients.table.delivered(post, approval, now).await?)
}

/// The status of the execution that holds the slot, if it has ended or is gone.
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

fn verdict(approval: &Approval, answer: &Answer) -> Result<Verdict, Problems> {
    let mut problems = Problems::default();
    let too_long = |text: &str| {
        let length = text.chars().count();
        (length > MAX_NOTE).then(|| format!("it has {length} characters; at most {MAX_NOTE} fit"))
    };
    let verdict = match answer {
        Answer::Approve { caption, alt_text } => {
            let (caption, alt_text) = (tidy(caption), tidy(alt_text));
            problems.caption = check_caption(&caption).err().map(|e| e.to_string());
            problems.alt_text = check_alt_text(&alt_text).err().map(|e| e.to_string());
            let hash = content_hash(&approval.image.sha256, &caption, &alt_text);
            Verdict::Approved {
                caption,
                alt_text,
                hash,
            }
        }
        Answer::Regenerate { note } => {
            let note = tidy(note);
            problems.note = match approval.regenerations_left() {
                0 => {
                    Some("there have been four pictures; approve this one or reject it".to_owned())
                }
                _ => too_long(&note),
            };
            Verdict::Regenerate { note }
        }
        Answer::Reject { reason } => {
            let reason = tidy(reason);
            problems.reason = match reason.is_empty() {
                true => Some("say why; it is kept in the record".to_owned()),
                false => too_long(&reason),
            };
            Verdict::Rejected { reason }
        }
    };
    match problems == Problems::default() {
        true => Ok(verdict),
        false => Err(problems),
    }
}

/// A text as it is kept. A form sends its line breaks as two characters, and nobody means the white space at the ends.
pub fn tidy(text: &str) -> String {
    text.replace("\r\n", "\n").trim().to_owned()
}
