//! `[approval]`: who decides before anything is posted, and how long they have.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::values;
use crate::toml_reader::{Reader, Section};

/// The longest that approvers may have, which is what the state machine's wait is made for.
pub const MAX_DEADLINE: SignedDuration = values::MAX_DURATION;

/// The shortest that approvers may have: a mail needs time to arrive.
const MIN_DEADLINE: SignedDuration = SignedDuration::from_mins(5);

/// Who decides before anything is posted, and how long they have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BotApproval {
    /// Whether an approval is required.
    pub policy: Policy,
    /// The approvers' mail addresses.
    pub approvers: Vec<String>,
    /// How long after the mail a decision counts, unless the post would be too late by then.
    pub deadline: SignedDuration,
    /// What happens when no approver decides.
    pub on_timeout: OnTimeout,
    /// How long before the deadline the approvers get a reminder; without it there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reminder: Option<SignedDuration>,
}

impl Default for BotApproval {
    fn default() -> Self {
        BotApproval {
            policy: Policy::Required,
            approvers: Vec::new(),
            deadline: SignedDuration::from_hours(4),
            on_timeout: OnTimeout::Skip,
            reminder: None,
        }
    }
}

/// Whether an approver decides before anything is posted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Policy {
    /// Posts need no approval.
    Off,
    /// Nothing is posted without an approval. The default.
    #[default]
    Required,
}

/// What happens when no approver decides in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnTimeout {
    /// Nothing is posted.
    #[default]
    Skip,
    /// It is posted as it was presented.
    Post,
}

pub(super) fn read<'a>(reader: &mut Reader<'a>, root: Section<'a>) -> BotApproval {
    let known = ["policy", "approvers", "deadline", "on_timeout", "reminder"];
    let value = reader.get(root, "approval");
    let section = value.and_then(|value| reader.section(value, "[approval]", &known));
    let approval = section.map_or_else(BotApproval::default, |section| fields(reader, section));
    if approval.policy == Policy::Required && approval.approvers.is_empty() {
        reader.problem(
            section.map_or(1, |section| section.line),
            "an approval is required, but there is no approver; set `approvers = [\"you@example.org\"]` in [approval], or `policy = \"off\"`",
        );
    }
    approval
}

fn fields<'a>(reader: &mut Reader<'a>, section: Section<'a>) -> BotApproval {
    let mut approval = BotApproval::default();
    if let Some(value) = reader.get(section, "policy") {
        match values::word(reader, value, "policy", &["off", "required"]).as_deref() {
            Some("required") => {}
            // An invalid word is reported already; a missing approver is not reported on top of it.
            _ => approval.policy = Policy::Off,
        }
    }
    if let Some(value) = reader.get(section, "approvers") {
        approval.approvers = values::addresses(reader, value, "approvers");
    }
    if let Some(value) = reader.get(section, "deadline")
        && let Some(deadline) = values::duration(reader, value, "deadline", MIN_DEADLINE)
    {
        approval.deadline = deadline;
    }
    if let Some(value) = reader.get(section, "on_timeout")
        && values::word(reader, value, "on_timeout", &["skip", "post"]).as_deref() == Some("post")
    {
        approval.on_timeout = OnTimeout::Post;
    }
    if let Some(value) = reader.get(section, "reminder")
        && let Some(reminder) = values::duration(reader, value, "reminder", SignedDuration::ZERO)
    {
        approval.reminder = Some(reminder);
        let deadline = approval.deadline;
        if reminder >= deadline {
            let message = format!(
                "`reminder`, the time before the deadline, must be less than the deadline of {deadline:#} (got {reminder:#})"
            );
            reader.problem(value.line, message);
        }
    }
    approval
}
