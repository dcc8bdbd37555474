//! What a post is.

mod execution_input;

pub use execution_input::{
    ExecutionInput, InvalidInput, MAX_LEAD, NoStart, When, lead_text, start_of_slot,
};
