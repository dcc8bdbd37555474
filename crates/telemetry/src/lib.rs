#![doc = include_str!("../README.md")]

mod fields;
mod metrics;

pub use fields::{Fields, WithFields, fields, init, record_post};
pub use metrics::{Metrics, Unit, namespace};
