#![doc = include_str!("../README.md")]

mod audit_event;
pub mod commands;
pub mod errors;
mod execution_input;
mod outcome;
mod post_id;
mod rejection;
mod remedy;
mod skip_reason;

pub use audit_event::AuditEvent;
pub use errors::{Entry, ErrorName, TaskState};
pub use execution_input::{
    ExecutionInput, InvalidInput, MAX_LEAD, NoStart, When, lead_text, start_of_slot,
};
pub use outcome::Outcome;
pub use post_id::{DRY_RUN_KEPT, InvalidPostId, PostId, is_bot_name};
pub use rejection::Rejection;
pub use remedy::{FailedRun, Remedy, Step};
pub use skip_reason::SkipReason;
