#![doc = include_str!("../README.md")]

mod decide;
pub mod link;
pub mod mails;

pub use decide::{
    ApprovalProgress, ApprovalState, Clients, DecisionOutcome, DecisionRequest, Error, MAX_NOTE,
    TextProblems, approval_state, decide, normalize, settle, settle_and_deliver,
};
