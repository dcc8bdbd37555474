//! Metrics as lines of the log.

use std::io::Write;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The namespace of a deployment's metrics: the common prefix of its functions' names, such as `daily-post-prod`.
/// It separates the metrics and alarms of two environments in one account.
pub fn namespace(function_name: &str) -> &str {
    // An environment's name has no hyphen.
    match function_name.match_indices('-').nth(2) {
        Some((end, _)) => &function_name[..end],
        None => "daily-post",
    }
}

/// The unit of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of events.
    Count,
    /// A duration.
    Seconds,
    /// US dollars, for which CloudWatch has no unit.
    None,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Unit::Count => "Count",
            Unit::Seconds => "Seconds",
            Unit::None => "None",
        }
    }
}

/// A line with metrics, their dimensions and further properties.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    dimensions: Vec<&'static str>,
    metrics: Vec<Value>,
    members: Map<String, Value>,
}

impl Metrics {
    /// An empty line.
    pub fn new() -> Metrics {
        Metrics::default()
    }

    /// Adds a dimension of all metrics of the line. Each combination of values is billed as a metric, so keep them few.
    pub fn dimension(mut self, name: &'static str, value: impl Into<String>) -> Metrics {
        self.dimensions.push(name);
        self.members.insert(name.to_owned(), json!(value.into()));
        self
    }

    /// Adds a metric. A value that is not finite is left out.
    pub fn metric(mut self, name: &'static str, unit: Unit, value: f64) -> Metrics {
        if value.is_finite() {
            self.metrics
                .push(json!({"Name": name, "Unit": unit.name()}));
            self.members.insert(name.to_owned(), json!(value));
        }
        self
    }

    /// Adds a property, which is in the line and in no metric, if there is a value.
    pub fn property(mut self, name: &'static str, value: Option<&str>) -> Metrics {
        if let Some(value) = value {
            self.members.insert(name.to_owned(), json!(value));
        }
        self
    }

    /// The line.
    pub fn line(&self, now: Timestamp) -> String {
        let function_name = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
        let mut line = self.members.clone();
        let directive = json!({
            "Namespace": namespace(&function_name),
            "Dimensions": [self.dimensions],
            "Metrics": self.metrics,
        });
        let metadata = json!({
            "Timestamp": now.as_millisecond(),
            "CloudWatchMetrics": [directive],
        });
        line.insert("_aws".to_owned(), metadata);
        Value::Object(line).to_string()
    }

    /// Writes the line to standard output. A line that cannot be written does not fail the invocation.
    pub fn emit(&self, now: Timestamp) {
        if !self.metrics.is_empty() {
            let _ = writeln!(std::io::stdout(), "{}", self.line(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_deployment_has_a_separate_namespace() {
        assert_eq!(namespace("daily-post-prod-post-tweet"), "daily-post-prod");
        assert_eq!(namespace("daily-post-dev-watchdog"), "daily-post-dev");
        assert_eq!(namespace("watchdog"), "daily-post");
    }
}
