//! `[notifications]`: who is notified of how runs end.

use super::values;
use crate::toml_reader::{Reader, Section};

/// Who is notified of how runs end, and of what. Runs that need an operator are always in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notifications {
    /// Mail addresses: the approvers, unless others are named.
    pub to: Vec<String>,
    /// Whether each post is notified.
    pub posted: bool,
    /// Whether it is notified when nothing was to be posted, such as on a date that the calendar leaves out, or during
    /// a pause.
    pub skipped: bool,
    /// Whether it is notified when an approver has rejected a post.
    pub rejected: bool,
}

pub(super) fn read<'a>(
    reader: &mut Reader<'a>,
    root: Section<'a>,
    approvers: &[String],
) -> Notifications {
    let mut notifications = Notifications {
        to: approvers.to_vec(),
        posted: false,
        skipped: false,
        rejected: false,
    };
    let known = ["to", "posted", "skipped", "rejected"];
    let value = reader.get(root, "notifications");
    let section = value.and_then(|value| reader.section(value, "[notifications]", &known));
    let to = section.and_then(|section| reader.get(section, "to"));
    if let Some(value) = to {
        notifications.to = values::addresses(reader, value, "to");
    }
    if let Some(section) = section {
        for (key, field) in [
            ("posted", &mut notifications.posted),
            ("skipped", &mut notifications.skipped),
            ("rejected", &mut notifications.rejected),
        ] {
            let value = reader.get(section, key);
            if let Some(wanted) = value.and_then(|value| reader.truth(value, key)) {
                *field = wanted;
            }
        }
    }
    // An invalid address is reported already.
    if notifications.to.is_empty() && !reader.has_problems() {
        reader.problem(
            to.map_or(section.map_or(1, |section| section.line), |to| to.line),
            "failed runs would notify no address; set `to = [\"you@example.org\"]` in [notifications]",
        );
    }
    notifications
}
