//! The fields of every log line of a function, and metrics as log lines.
//!
//! [`init`] starts the log: JSON lines where Lambda's log format says so, plain lines elsewhere.
//! [`fields`] is a layer around the runtime.
//! It adds the `execution`, the `post`, the `state` and the `attempt` to every line of an invocation, including the
//! runtime's own lines about an error or a panic, as far as the payload names them.
//! [`record_post`] adds the post later, for a function that learns it from elsewhere.
//!
//! [`Metrics`] is one line in the [embedded metric format][emf] on standard output.
//! CloudWatch turns the line into metrics, so that no request, client or permission is needed.
//! Execution and post are properties of that line and not dimensions: each value of a dimension is billed as a
//! separate metric.
//! `docs/telemetry.md` lists all fields and metrics.
//!
//! [emf]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

mod fields;
mod metrics;

pub use fields::{Fields, WithFields, fields, init, record_post};
pub use metrics::{Metrics, Unit, namespace};
