use std::fmt;

use serde::{Deserialize, Serialize};

/// What a line of the audit trail records. It is stored by its name, such as `decided` or `mailed#<address>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum AuditEvent {
    /// An approval was opened, or replaced by one for other content.
    ApprovalOpened,
    /// SES accepted the mail to this approver.
    Mailed(String),
    /// SES accepted the reminder to this approver.
    Reminded(String),
    /// SES refused the mail to this approver.
    MailRefused(String),
    /// A decision was stored.
    Decided,
    /// A form with a valid link did not count.
    AnswerRefused,
    /// A notification of this kind reached every address.
    Notified(String),
    /// This execution, by its name, found that another one holds the slot.
    Duplicate(String),
    /// This execution, by its name, failed and does not hold the slot.
    UnrecordedFailure(String),
    /// An operator overrode the slot.
    Overridden,
    /// An operator removed the slot's override.
    OverrideUndone,
    /// A run was redriven, or the claim was handed to the execution that continues it.
    Continued,
    /// An operator gave the slot to a new execution.
    TakenOver,
    /// An operator attached a tweet.
    Attached,
    /// An operator allowed to post again what may be on X.
    PostAgain,
    /// An operator allowed to post late.
    LateAllowed,
    /// An operator ordered to delete the tweet.
    DeletionOrdered,
    /// An operator paused the bot.
    Paused,
    /// An operator resumed the bot.
    Resumed,
    /// An event that a newer version has stored.
    Other(String),
}

impl AuditEvent {
    /// A duplicate start by an execution, given by its ARN or name.
    pub fn duplicate(execution: &str) -> AuditEvent {
        AuditEvent::Duplicate(name_of(execution))
    }

    /// A failure of an execution, given by its ARN or name, that does not hold the slot.
    pub fn unrecorded_failure(execution: &str) -> AuditEvent {
        AuditEvent::UnrecordedFailure(name_of(execution))
    }

    /// Whether the slot went from one execution to another.
    pub fn changes_holder(&self) -> bool {
        matches!(self, AuditEvent::Continued | AuditEvent::TakenOver)
    }

    /// The name without the part that follows `#`, and that part.
    fn parts(&self) -> (&str, Option<&str>) {
        match self {
            AuditEvent::ApprovalOpened => ("approval-opened", None),
            AuditEvent::Mailed(approver) => ("mailed", Some(approver)),
            AuditEvent::Reminded(approver) => ("reminded", Some(approver)),
            AuditEvent::MailRefused(approver) => ("mail-refused", Some(approver)),
            AuditEvent::Decided => ("decided", None),
            AuditEvent::AnswerRefused => ("answer-refused", None),
            AuditEvent::Notified(kind) => ("told", Some(kind)),
            AuditEvent::Duplicate(execution) => ("duplicate", Some(execution)),
            AuditEvent::UnrecordedFailure(execution) => ("unrecorded-failure", Some(execution)),
            AuditEvent::Overridden => ("overridden", None),
            AuditEvent::OverrideUndone => ("override-undone", None),
            AuditEvent::Continued => ("continued", None),
            AuditEvent::TakenOver => ("taken-over", None),
            AuditEvent::Attached => ("attached", None),
            AuditEvent::PostAgain => ("post-again", None),
            AuditEvent::LateAllowed => ("late-allowed", None),
            AuditEvent::DeletionOrdered => ("deletion-ordered", None),
            AuditEvent::Paused => ("paused", None),
            AuditEvent::Resumed => ("resumed", None),
            AuditEvent::Other(name) => (name, None),
        }
    }
}

/// The name of an execution, the last part of its ARN.
fn name_of(execution: &str) -> String {
    let name = execution.rsplit(':').next();
    name.unwrap_or_default().to_owned()
}

impl fmt::Display for AuditEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            (name, Some(about)) => write!(f, "{name}#{about}"),
            (name, None) => f.write_str(name),
        }
    }
}

impl From<AuditEvent> for String {
    fn from(event: AuditEvent) -> String {
        event.to_string()
    }
}

impl From<String> for AuditEvent {
    fn from(stored: String) -> AuditEvent {
        let (name, about) = match stored.split_once('#') {
            Some((name, about)) => (name, Some(about.to_owned())),
            None => (stored.as_str(), None),
        };
        match (name, about) {
            ("approval-opened", None) => AuditEvent::ApprovalOpened,
            ("mailed", Some(approver)) => AuditEvent::Mailed(approver),
            ("reminded", Some(approver)) => AuditEvent::Reminded(approver),
            ("mail-refused", Some(approver)) => AuditEvent::MailRefused(approver),
            ("decided", None) => AuditEvent::Decided,
            ("answer-refused", None) => AuditEvent::AnswerRefused,
            ("told", Some(kind)) => AuditEvent::Notified(kind),
            ("duplicate", Some(execution)) => AuditEvent::Duplicate(execution),
            ("unrecorded-failure", Some(execution)) => AuditEvent::UnrecordedFailure(execution),
            ("overridden", None) => AuditEvent::Overridden,
            ("override-undone", None) => AuditEvent::OverrideUndone,
            ("continued", None) => AuditEvent::Continued,
            ("taken-over", None) => AuditEvent::TakenOver,
            ("attached", None) => AuditEvent::Attached,
            ("post-again", None) => AuditEvent::PostAgain,
            ("late-allowed", None) => AuditEvent::LateAllowed,
            ("deletion-ordered", None) => AuditEvent::DeletionOrdered,
            ("paused", None) => AuditEvent::Paused,
            ("resumed", None) => AuditEvent::Resumed,
            _ => AuditEvent::Other(stored),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_stored_by_its_name_and_read_back() {
        let arn = "arn:aws:states:us-east-1:1:execution:daily-post:run-1";
        for (event, name) in [
            (AuditEvent::ApprovalOpened, "approval-opened"),
            (
                AuditEvent::Mailed("a#b@example.org".into()),
                "mailed#a#b@example.org",
            ),
            (
                AuditEvent::Reminded("ada@example.org".into()),
                "reminded#ada@example.org",
            ),
            (
                AuditEvent::MailRefused("ada@example.org".into()),
                "mail-refused#ada@example.org",
            ),
            (AuditEvent::Decided, "decided"),
            (AuditEvent::AnswerRefused, "answer-refused"),
            (
                AuditEvent::Notified("over-budget".into()),
                "told#over-budget",
            ),
            (AuditEvent::duplicate(arn), "duplicate#run-1"),
            (
                AuditEvent::unrecorded_failure(arn),
                "unrecorded-failure#run-1",
            ),
            (AuditEvent::Overridden, "overridden"),
            (AuditEvent::OverrideUndone, "override-undone"),
            (AuditEvent::Continued, "continued"),
            (AuditEvent::TakenOver, "taken-over"),
            (AuditEvent::Attached, "attached"),
            (AuditEvent::PostAgain, "post-again"),
            (AuditEvent::LateAllowed, "late-allowed"),
            (AuditEvent::DeletionOrdered, "deletion-ordered"),
            (AuditEvent::Paused, "paused"),
            (AuditEvent::Resumed, "resumed"),
            (AuditEvent::Other("withdrawn#3".into()), "withdrawn#3"),
            (AuditEvent::Other("mailed".into()), "mailed"),
        ] {
            assert_eq!(event.to_string(), name);
            assert_eq!(serde_json::to_value(&event).unwrap(), name);
            let read: AuditEvent = serde_json::from_value(name.into()).unwrap();
            assert_eq!(read, event);
        }
    }
}
