//! What an operator does to a post, under the same checks wherever it is done.
//!
//! A refused operation is an error that says what is wrong and what to type instead.

mod delete;
mod overrides;
mod redrive;
mod run_again;

pub use delete::delete;
pub use overrides::{OverrideSet, apply_override, undo_override};
pub use redrive::{Redrive, RedrivePlan, RedriveRequest, post_of_run, prepare_redrive};
pub use run_again::run_again;

use jiff::Timestamp;
use post::Outcome;
use posts_table::{Ledger, Record};

/// The error of a draft that `store-image` cannot use, now or later.
const PICTURE_UNUSABLE: &str = "PictureUnusable";

/// The error of a picture that X does not accept.
const PICTURE_REJECTED: &str = "PictureRejected";

/// The state of a slot for which an operation was refused, after the name of the post.
pub fn slot_summary(record: Option<&Record>) -> String {
    let Some(record) = record else {
        return "has no run".to_owned();
    };
    match record.outcome {
        Some(outcome) if outcome != Outcome::Posted => format!("has ended: {outcome}"),
        _ => ledger_summary(record, Timestamp::now()),
    }
}

/// The state of the ledger, after the name of the post.
pub fn ledger_summary(record: &Record, now: Timestamp) -> String {
    match record.ledger {
        Ledger::Claimed => "was not sent".to_owned(),
        Ledger::Armed if record.is_in_flight(now) => {
            "is being sent right now; try again in two minutes".to_owned()
        }
        Ledger::Armed => format!(
            "may or may not be on X after {} reconciliation attempts; type `spooky redrive {}`",
            record.reconciliations, record.post
        ),
        Ledger::Posted => match record.deleted_at {
            Some(at) => format!("was posted as {} and deleted at {at}", tweet_url(record)),
            None => format!("is posted: {}", tweet_url(record)),
        },
        Ledger::Rejected => format!(
            "was rejected by X: {}",
            record.rejection.as_deref().unwrap_or_default()
        ),
    }
}

/// The address of a record's tweet.
pub fn tweet_url(record: &Record) -> String {
    let id = record.tweet_id.as_deref().unwrap_or_default();
    format!("https://x.com/i/status/{id}")
}

/// Whether X rejected the post because its text is on X already.
fn is_duplicate(record: &Record) -> bool {
    record.rejected_as().is_some_and(|why| why.is_duplicate())
}
