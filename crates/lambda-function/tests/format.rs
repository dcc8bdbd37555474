//! Compares the lines with the specification of the embedded metric format
//! (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html,
//! as of 2026-11).

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]
#![expect(clippy::expect_used, reason = "in a test, a panic is the failure")]

use jiff::Timestamp;
use lambda_function::telemetry::{Metrics, Unit};
use serde_json::Value;

/// The units of CloudWatch.
const UNITS: [&str; 27] = [
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
    "None",
];

/// Asserts that a line follows the specification.
fn check(line: &str) -> Value {
    assert!(!line.contains('\n'), "it must be one line: {line}");
    assert!(line.len() < 256 * 1024);
    let line: Value = serde_json::from_str(line).unwrap();
    let root = line.as_object().unwrap();
    let metadata = root["_aws"].as_object().unwrap();
    // Milliseconds, not seconds: later than 2001.
    assert!(metadata["Timestamp"].as_i64().unwrap() > 1_000_000_000_000);
    let directives = metadata["CloudWatchMetrics"].as_array().unwrap();
    assert!(!directives.is_empty());
    for directive in directives {
        let namespace = directive["Namespace"].as_str().unwrap();
        assert!((1..=255).contains(&namespace.len()) && !namespace.starts_with(':'));
        let sets = directive["Dimensions"].as_array().unwrap();
        assert!(!sets.is_empty());
        for set in sets {
            let set = set.as_array().unwrap();
            assert!(set.len() <= 30);
            for name in set {
                let name = name.as_str().unwrap();
                assert!((1..=250).contains(&name.len()) && name.is_ascii());
                let value = root[name]
                    .as_str()
                    .expect("a dimension is a text of the root");
                assert!((1..=1024).contains(&value.len()), "{value}");
            }
        }
        let metrics = directive["Metrics"].as_array().unwrap();
        assert!((1..=100).contains(&metrics.len()));
        for metric in metrics {
            let name = metric["Name"].as_str().unwrap();
            assert!((1..=1024).contains(&name.len()));
            assert!(UNITS.contains(&metric["Unit"].as_str().unwrap()));
            let value = root[name]
                .as_f64()
                .expect("a metric is a number of the root");
            assert!(value == 0.0 || (1e-130..1e130).contains(&value.abs()));
        }
    }
    line
}

fn now() -> Timestamp {
    "2026-10-30T12:00:00.5Z".parse().unwrap()
}

#[test]
fn a_line_is_in_the_embedded_metric_format() {
    let line = Metrics::new()
        .dimension("bot", "spooky-days")
        .dimension("outcome", "posted")
        .metric("Runs", Unit::Count, 1.0)
        .metric("RunSeconds", Unit::Seconds, 12.5)
        .metric("CostUsd", Unit::None, 0.07)
        .property("post", Some("spooky-days/2026-10-30/1"))
        .property("reason", None)
        .line(now());
    let line = check(&line);
    assert_eq!(
        line,
        serde_json::json!({
            "bot": "spooky-days",
            "outcome": "posted",
            "Runs": 1.0,
            "RunSeconds": 12.5,
            "CostUsd": 0.07,
            "post": "spooky-days/2026-10-30/1",
            "_aws": {
                "Timestamp": 1_793_361_600_500_i64,
                "CloudWatchMetrics": [{
                    "Namespace": "daily-post",
                    "Dimensions": [["bot", "outcome"]],
                    "Metrics": [
                        {"Name": "Runs", "Unit": "Count"},
                        {"Name": "RunSeconds", "Unit": "Seconds"},
                        {"Name": "CostUsd", "Unit": "None"},
                    ],
                }],
            },
        })
    );
}

#[test]
fn a_metric_may_have_no_dimension_and_a_property_may_have_line_breaks() {
    let line = Metrics::new()
        .metric("WatchdogRan", Unit::Count, 1.0)
        .property("why", Some("one\ntwo"))
        .line(now());
    let line = check(&line);
    assert_eq!(
        line["_aws"]["CloudWatchMetrics"][0]["Dimensions"],
        serde_json::json!([[]])
    );
}

#[test]
fn a_value_that_is_not_finite_is_left_out() {
    let line = Metrics::new()
        .metric("Runs", Unit::Count, 1.0)
        .metric("CostUsd", Unit::None, f64::NAN)
        .metric("RunSeconds", Unit::Seconds, f64::INFINITY)
        .line(now());
    let line = check(&line);
    assert!(line["CostUsd"].is_null() && line["RunSeconds"].is_null());
}
