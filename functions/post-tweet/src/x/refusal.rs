//! What an answer of X that is not a success means.

use jiff::Timestamp;
use reqwest::{Response, StatusCode, header::HeaderMap};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::chain;
use crate::Error;

/// The last part of the address of each problem type that an operator fixes, for the app, the account or its
/// permissions ([OpenAPI 2.167](https://docs.x.com), 2026-08-28). X has changed the host of these addresses once.
const ACCOUNT_PROBLEMS: [&str; 4] = [
    "oauth1-permissions",
    "client-forbidden",
    "usage-capped",
    "not-authorized-for-resource",
];

/// What a phrase in X's message means, where neither the status nor the type of the problem has a meaning.
enum Meaning {
    Duplicate,
    Account,
}

/// The phrases, in lower case.
const PHRASES: [(&str, Meaning); 5] = [
    // akrherz/iembot#163, 2026-02-12: "You are not allowed to create a Tweet with duplicate content."
    ("duplicate content", Meaning::Duplicate),
    // plhery/node-twitter-api-v2#493: "not configured with the appropriate oauth1 app permissions".
    ("permission", Meaning::Account),
    // Public bug reports, 2026-11-28: "not permitted to perform this action".
    ("not permitted", Meaning::Account),
    // No message with these was found by 2026-11-28; they are expected of an account that X has suspended or locked.
    ("suspended", Meaning::Account),
    ("locked", Meaning::Account),
];

/// Whether a status means that the request was not carried out for sure. A timeout (408), a conflict (409),
/// "too early" (425) and everything from 500 on can follow a request that was.
pub(super) fn is_refused(status: StatusCode) -> bool {
    status.is_client_error() && !matches!(status.as_u16(), 408 | 409 | 425)
}

/// The body of the answer to a request that may be repeated. `rejected` makes the error of any other
/// 4xx.
pub(super) async fn read_response<T: DeserializeOwned>(
    request: &str,
    response: reqwest::Result<Response>,
    rejected: impl FnOnce(String) -> Error,
) -> Result<T, Error> {
    let unavailable = |e: reqwest::Error| {
        Error::ServiceUnavailable(format!("X did not {request}: {}", chain(&e)))
    };
    let response = response.map_err(unavailable)?;
    let status = response.status();
    let headers = response.headers().clone();
    let body = response.bytes().await.map_err(unavailable)?;
    if !status.is_success() {
        let message = Problem::parse(&body).message(request, status);
        return Err(error_of(status, &headers, message, rejected));
    }
    // A 204, or an empty body, is an answer if nothing is expected.
    let body: &[u8] = if body.is_empty() { b"null" } else { &body };
    serde_json::from_slice(body).map_err(|e| {
        Error::ServiceUnavailable(format!(
            "X's answer to \"{request}\" ({status}) is not the expected JSON: {e}"
        ))
    })
}

/// The error of a status. `rejected` makes the error of any other 4xx.
pub(super) fn error_of(
    status: StatusCode,
    headers: &HeaderMap,
    message: String,
    rejected: impl FnOnce(String) -> Error,
) -> Error {
    match status.as_u16() {
        401 | 403 => Error::Unauthorized(message),
        402 => Error::OutOfCredit(message),
        429 => Error::RateLimited(match reset_of(headers) {
            Some(at) => format!("{message}; the limit resets at {at}"),
            None => message,
        }),
        408 | 409 | 425 | 500.. | 300..=399 => Error::ServiceUnavailable(message),
        _ => rejected(message),
    }
}

fn reset_of(headers: &HeaderMap) -> Option<Timestamp> {
    let seconds = headers.get("x-rate-limit-reset")?.to_str().ok()?;
    Timestamp::from_second(seconds.parse().ok()?).ok()
}

/// The body beside a status; X has several shapes, and sometimes HTML.
#[derive(Default, Deserialize)]
pub(super) struct Problem {
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    errors: Vec<Value>,
}

impl Problem {
    pub(super) fn parse(body: &[u8]) -> Problem {
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// One line for people. It quotes X's texts for the problem, never a whole body.
    pub(super) fn message(&self, request: &str, status: StatusCode) -> String {
        let mut line = format!("X did not {request}: {status}");
        let of_errors = self
            .errors
            .iter()
            .filter_map(|e| e.get("message").or_else(|| e.get("detail"))?.as_str());
        let own = [self.title.as_str(), self.detail.as_str()].into_iter();
        for part in own.chain(of_errors).filter(|part| !part.is_empty()) {
            line.push_str(", ");
            line.extend(part.chars().filter(|c| !c.is_control()).take(300));
        }
        line
    }

    pub(super) fn is_duplicate(&self) -> bool {
        self.meanings()
            .any(|meaning| matches!(meaning, Meaning::Duplicate))
    }

    /// Whether an operator has to fix the app, the account or its permissions. A 403 without a type is about these.
    pub(super) fn is_about_the_account(&self) -> bool {
        let last = self.kind.rsplit('/').next().unwrap_or_default();
        self.kind.is_empty()
            || ACCOUNT_PROBLEMS.contains(&last)
            || self
                .meanings()
                .any(|meaning| matches!(meaning, Meaning::Account))
    }

    fn meanings(&self) -> impl Iterator<Item = &'static Meaning> {
        let detail = self.detail.to_lowercase();
        PHRASES
            .iter()
            .filter(move |(phrase, _)| detail.contains(phrase))
            .map(|(_, meaning)| meaning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_statuses_of_a_clear_refusal_mean_that_nothing_was_posted() {
        for code in [400, 401, 402, 403, 404, 422, 429] {
            assert!(is_refused(StatusCode::from_u16(code).unwrap()), "{code}");
        }
        for code in [200, 201, 302, 408, 409, 425, 500, 502, 503, 504] {
            assert!(!is_refused(StatusCode::from_u16(code).unwrap()), "{code}");
        }
    }

    #[test]
    fn each_phrase_is_found_in_the_message_of_a_problem() {
        let problem = |detail: &str| Problem {
            detail: detail.to_owned(),
            kind: "about:blank".to_owned(),
            ..Problem::default()
        };
        let duplicate = problem("You are not allowed to create a Tweet with duplicate content.");
        assert!(duplicate.is_duplicate() && !duplicate.is_about_the_account());
        for detail in [
            "Your client app is not configured with the appropriate oauth1 app permissions.",
            "You are not permitted to perform this action.",
            "Your account is suspended.",
            "Your account is LOCKED.",
        ] {
            let problem = problem(detail);
            assert!(
                problem.is_about_the_account() && !problem.is_duplicate(),
                "{detail}"
            );
        }
        let rules = problem("Against the rules.");
        assert!(!rules.is_duplicate() && !rules.is_about_the_account());
    }
}
