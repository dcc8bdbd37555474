//! The metrics of how runs end; `docs/telemetry.md` lists them.

use jiff::Timestamp;
use lambda_function::telemetry::{Metrics, Unit};
use post::{Outcome, PostId};
use posts_table::{Decision, Failure, Record};

/// A run that ended with this outcome.
pub(crate) fn ended(post: &PostId, execution: &str, outcome: &'static str) -> Metrics {
    Metrics::new()
        .dimension("bot", &post.bot)
        .dimension("outcome", outcome)
        .metric("Runs", Unit::Count, 1.0)
        .property("post", Some(&post.to_string()))
        .property("execution", Some(execution))
}

/// A run that ended with this outcome, with its duration and its cost.
pub(crate) fn finished(
    post: &PostId,
    execution: &str,
    outcome: Outcome,
    record: &Record,
    cost_usd: f64,
) -> Metrics {
    let ended_at = record.ended_at.unwrap_or(record.claimed_at);
    let seconds = ended_at.duration_since(record.claimed_at).as_secs_f64();
    ended(post, execution, outcome.name())
        .metric("RunSeconds", Unit::Seconds, seconds)
        .metric("CostUsd", Unit::None, cost_usd)
}

/// A run that failed; its post may not be known.
pub(crate) fn failed(post: Option<&PostId>, execution: &str, failure: &Failure) -> Metrics {
    Metrics::new()
        .dimension("bot", post.map_or("unknown", |post| &post.bot))
        .dimension("outcome", "failed")
        .metric("Runs", Unit::Count, 1.0)
        .property("post", post.map(ToString::to_string).as_deref())
        .property("execution", Some(execution))
        .property("state", failure.state.as_deref())
        .property("error", failure.error.as_deref())
}

/// A decision about a picture, by an approver or by the policy.
pub(crate) fn decided(post: &PostId, opened_at: Timestamp, decision: &Decision) -> Metrics {
    let waited = decision.at.duration_since(opened_at).as_secs_f64();
    Metrics::new()
        .dimension("bot", &post.bot)
        .metric("ApprovalSeconds", Unit::Seconds, waited)
        .property("post", Some(&post.to_string()))
        .property("verdict", Some(decision.verdict.name()))
}
