//! The errors of X's API.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::server::code;

/// A response with a problem (RFC 9457), as X sends it.
pub(super) fn problem(status: u16, title: &str, detail: &str, kind: &str) -> Response {
    let body = json!({"title": title, "detail": detail, "type": kind, "status": status});
    (code(status), Json(body)).into_response()
}
