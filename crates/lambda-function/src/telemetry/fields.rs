//! The fields of every line of a function's log.

use std::task::{Context, Poll};

use jiff::Timestamp;
use lambda_runtime::{
    LambdaInvocation,
    tower::{Layer, Service},
};
use serde::Deserialize;
use tracing::{Instrument, Span, field::Empty, instrument::Instrumented};

use super::{Metrics, Unit};

/// Starts the log. A panic becomes a line of the log, with the fields of every other line.
pub fn init() {
    lambda_runtime::tracing::init_default_subscriber();
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(%panic, "the function panicked");
    }));
}

/// The layer that adds the fields to each line of an invocation; `state` is the name of the state, or of the function.
pub fn fields(state: &'static str) -> Fields {
    Fields { state }
}

/// See [`fields`].
#[derive(Clone, Copy, Debug)]
pub struct Fields {
    state: &'static str,
}

impl<S> Layer<S> for Fields {
    type Service = WithFields<S>;

    fn layer(&self, inner: S) -> WithFields<S> {
        WithFields {
            inner,
            state: self.state,
        }
    }
}

/// The service of [`Fields`].
#[derive(Clone, Debug)]
pub struct WithFields<S> {
    inner: S,
    state: &'static str,
}

impl<S: Service<LambdaInvocation>> Service<LambdaInvocation> for WithFields<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Instrumented<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let payload = Payload::read(&invocation.body);
        let span = tracing::error_span!(
            "invocation",
            requestId = invocation.context.request_id,
            execution = payload.execution(),
            post = payload.post(),
            state = self.state,
            attempt = payload.attempt,
            xrayTraceId = Empty,
        );
        if let Some(trace) = &invocation.context.xray_trace_id {
            span.record("xrayTraceId", trace);
        }
        if payload.attempt.is_some_and(|attempt| attempt > 1) {
            Metrics::new()
                .dimension("state", self.state)
                .metric("Retries", Unit::Count, 1.0)
                .property("execution", payload.execution())
                .property("post", payload.post())
                .emit(Timestamp::now());
        }
        // The inner service makes its own spans when it is called.
        let future = span.in_scope(|| self.inner.call(invocation));
        future.instrument(span)
    }
}

/// The fields that a payload has in common with those of other functions. All are optional.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Payload {
    execution: Option<String>,
    post: Option<String>,
    attempt: Option<u64>,
    day: Option<Day>,
    detail: Option<Detail>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Day {
    post: Option<String>,
}

/// The detail of a status-change event.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Detail {
    execution_arn: Option<String>,
}

impl Payload {
    fn read(body: &[u8]) -> Payload {
        serde_json::from_slice(body).unwrap_or_default()
    }

    fn execution(&self) -> Option<&str> {
        let of_event = || self.detail.as_ref()?.execution_arn.as_deref();
        self.execution.as_deref().or_else(of_event)
    }

    fn post(&self) -> Option<&str> {
        let of_day = || self.day.as_ref()?.post.as_deref();
        self.post.as_deref().or_else(of_day)
    }
}

/// Adds the post to the lines of the current invocation, if the payload did not name it.
pub fn record_post(post: &impl std::fmt::Display) {
    Span::current().record("post", tracing::field::display(post));
}
