#![doc = include_str!("../README.md")]

mod aws_error;
pub mod https;
pub mod telemetry;

pub use aws_error::{AwsError, aws_error};
