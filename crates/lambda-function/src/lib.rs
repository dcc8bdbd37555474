#![doc = include_str!("../README.md")]

mod aws_error;
pub mod env;
mod error;
pub mod https;
mod run;
pub mod telemetry;

pub use aws_error::{AwsError, aws_error};
pub use error::UnreadableInput;
pub use lambda_runtime::Diagnostic;
pub use post::errors::assert_cataloged;
pub use run::{FatalError, Invocation, read, run, serve, start};
