//! The Lambda Runtime API for one function.

use std::{collections::VecDeque, process::Stdio, sync::Arc};

use anyhow::bail;
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::Value;
use tokio::{
    process::Command,
    sync::{Mutex, mpsc},
};

use crate::server::Server;

/// The result of an invocation.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Whether the function reported an error.
    pub is_error: bool,
    /// The output, or `{"errorType", "errorMessage"}`.
    pub body: Value,
}

struct Api {
    invocations: Mutex<VecDeque<(usize, Value)>>,
    answers: mpsc::UnboundedSender<Answer>,
}

/// Runs the binary of a function with only this environment and invokes it with each payload in turn.
/// It fails if the function exits before it has answered all of them.
pub async fn invoke(
    binary: &str,
    environment: &[(&str, &str)],
    payloads: &[Value],
) -> anyhow::Result<Vec<Answer>> {
    let (answers, mut answered) = mpsc::unbounded_channel();
    let api = Api {
        invocations: Mutex::new(payloads.iter().cloned().enumerate().collect()),
        answers,
    };
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/{kind}", post(answer))
        .with_state(Arc::new(api));
    let server = Server::start(0, router).await?;
    let name = std::path::Path::new(binary).file_name();
    let mut function = Command::new(binary)
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", server.address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", name.unwrap_or_default())
        .envs([
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "log"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "log"),
            ("AWS_REGION", "us-east-1"),
        ])
        .envs(environment.iter().copied())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let mut all = Vec::new();
    while all.len() < payloads.len() {
        tokio::select! {
            answer = answered.recv() => all.extend(answer),
            ended = function.wait() => bail!("the function exited before it answered: {}", ended?),
        }
    }
    Ok(all)
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    let invocation = api.invocations.lock().await.pop_front();
    let Some((number, payload)) = invocation else {
        // No invocation is left, so the long poll of the function never returns.
        return std::future::pending().await;
    };
    let headers = [
        ("lambda-runtime-aws-request-id", number.to_string()),
        ("lambda-runtime-deadline-ms", "4102444800000".to_owned()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:x".to_owned(),
        ),
    ];
    (headers, Json(payload)).into_response()
}

async fn answer(
    State(api): State<Arc<Api>>,
    Path((_, kind)): Path<(String, String)>,
    body: Bytes,
) -> StatusCode {
    let is_error = kind == "error";
    // The runtime sends no content type, so axum's `Json` would reject it.
    let Ok(body) = serde_json::from_slice(&body) else {
        return StatusCode::BAD_REQUEST;
    };
    // The test may have ended.
    let _ = api.answers.send(Answer { is_error, body });
    StatusCode::ACCEPTED
}
