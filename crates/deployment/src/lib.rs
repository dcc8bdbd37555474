#![doc = include_str!("../README.md")]

mod bot_files;
mod deployment;
mod executions;
mod functions;
pub mod operations;
mod runs;

pub use bot_files::BotFiles;
pub use deployment::{Deployment, aws_context};
pub use executions::{EndedExecution, StateVisit, ad_hoc, dry_run, scheduled};
pub use functions::{FunctionDescription, functions};
pub use runs::{Execution, Redriven, Run};

/// The state machine's definition, with placeholders for the functions.
pub const DEFINITION: &str = include_str!("../../../statemachine/daily-post.asl.json");
