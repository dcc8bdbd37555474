//! A slot whose run never started.

use jiff::ZonedDateTime;
use post::{PostId, commands};

use crate::{Notification, NotificationKind, Step, text::zoned};

/// The event that no run of a slot has started.
pub fn not_started_event(post: &PostId) -> String {
    format!("not-started/{post}")
}

/// No run of a slot has started, although one was due.
pub fn not_started(post: &PostId, due: &ZonedDateTime) -> Notification {
    let due = zoned(due);
    Notification {
        kind: NotificationKind::NotStarted,
        post: Some(post.to_string()),
        subject: format!("{post} did not start"),
        what: format!(
            "No run has started for {post}, so nothing was posted. The run was due at {due}."
        ),
        facts: vec![
            ("Post".to_owned(), post.to_string()),
            ("Due".to_owned(), due),
        ],
        todo: vec![
            Step::by_hand(
                "Check that the schedule exists and is enabled, and that its dead-letter queue is empty",
            ),
            Step::with(
                "Run the slot now, if the post still makes sense",
                commands::run(post),
            ),
        ],
    }
}
