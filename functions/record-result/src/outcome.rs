//! Which outcome a run ended with, and why.

use post::{Outcome, PostId, SkipReason};
use posts_table::Verdict;
use serde_json::Value;

use crate::{Error, FinalState, Tweet};

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) outcome: Outcome,
    pub(crate) skip_reason: Option<SkipReason>,
    /// The reason as a text for people.
    pub(crate) reason: Option<String>,
}

impl End {
    fn new(outcome: Outcome, reason: Option<String>) -> End {
        End {
            outcome,
            skip_reason: None,
            reason,
        }
    }

    /// State data of earlier versions has only the text.
    fn skipped(skip_reason: Option<SkipReason>, reason: Option<String>) -> End {
        let untyped = || SkipReason::from_untyped(reason.as_deref().unwrap_or_default());
        End {
            skip_reason: Some(skip_reason.unwrap_or_else(untyped)),
            ..End::new(Outcome::Skipped, reason)
        }
    }
}

impl FinalState {
    /// How the run ended.
    pub(crate) fn end(&self, post: &PostId) -> Result<End, Error> {
        let ended = match (self.day.status.as_str(), &self.tweet) {
            ("skipped", _) => {
                let reason = self.day.reason.clone();
                Some(End::skipped(self.day.skip_reason, reason))
            }
            ("picked", Some(tweet)) => self.after_posting(post, tweet),
            ("picked", None) => self.before_posting(),
            _ => None,
        };
        ended.ok_or_else(|| {
            Error::InvalidInput(format!(
                "day.status {:?} with tweet.status {:?} is not a valid end of a run",
                self.day.status,
                self.tweet.as_ref().map(|tweet| &tweet.status)
            ))
        })
    }

    fn after_posting(&self, post: &PostId, tweet: &Tweet) -> Option<End> {
        match tweet.status.as_str() {
            "posted" => Some(End::new(Outcome::Posted, None)),
            "skipped" => Some(End::skipped(tweet.skip_reason, tweet.reason.clone())),
            "dry-run" if post.dry_run.is_some() => {
                let why = self.day.would_skip.as_ref().or(tweet.reason.as_ref());
                let reason = why.map(|why| format!("a real run would have posted nothing: {why}"));
                Some(End::new(Outcome::DryRun, reason))
            }
            _ => None,
        }
    }

    fn before_posting(&self) -> Option<End> {
        if let Some(ended) = self.by_decision() {
            return Some(ended);
        }
        // Before a refusal: the budget may have been used up for a softer prompt.
        if let Some(error) = &self.over_budget {
            let why = message(error).unwrap_or_default();
            let reason = format!("over budget: {why}");
            return Some(End::skipped(Some(SkipReason::OverBudget), Some(reason)));
        }
        let refusal = self.refusal.as_ref()?;
        Some(End::new(Outcome::Refused, message(refusal)))
    }

    /// The end by a decision, unless the run continues after it.
    fn by_decision(&self) -> Option<End> {
        let decision = self.decision()?;
        match &decision.verdict {
            Verdict::Rejected { reason } => {
                let reason = format!("rejected by {}: {reason}", decision.by);
                Some(End::new(Outcome::Rejected, Some(reason)))
            }
            Verdict::Expired => {
                let reason = "no approver decided before the deadline".to_owned();
                Some(End::new(Outcome::Expired, Some(reason)))
            }
            Verdict::Approved { .. } | Verdict::Regenerate { .. } => None,
        }
    }
}

/// The message of a caught error. The cause of a Lambda error is JSON, others are plain text.
fn message(error: &Value) -> Option<String> {
    let cause = error["Cause"].as_str()?;
    let wrapped = serde_json::from_str::<Value>(cause).ok();
    let message = wrapped
        .as_ref()
        .and_then(|cause| cause["errorMessage"].as_str());
    Some(message.unwrap_or(cause).to_owned())
}
