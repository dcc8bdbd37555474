//! OAuth 1.0a signatures, as X checks them.

use std::{collections::BTreeMap, num::NonZeroU64, sync::Arc};

use axum::{
    Json,
    extract::{FromRequest, Request},
    http::{HeaderMap, HeaderValue, header::AUTHORIZATION},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use oauth::{HMAC_SHA1, ParameterList, Token};
use serde_json::json;

use super::{Account, Credentials, Site, problem::problem};
use crate::server::{Connection, code};

/// How far the time of a signature may be from now, in seconds.
const CLOCK_TOLERANCE: u64 = 300;

/// A request that an account has signed.
pub(super) struct Signed<T> {
    pub(super) account: Account,
    pub(super) connection: Connection,
    /// The query, decoded.
    pub(super) parameters: Vec<(String, String)>,
    pub(super) body: T,
}

impl<T: FromRequest<Arc<Site>>> FromRequest<Arc<Site>> for Signed<T> {
    type Rejection = Response;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Self, Response> {
        let connection = Connection::of(&request);
        let query = request.uri().query().unwrap_or_default();
        let parameters: Vec<(String, String)> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (decoded(name), decoded(value)))
            .collect();
        let method = request.method().as_str();
        // Forms of an upload are not part of what is signed, and nothing else is sent as a form.
        let account = site.signer(method, request.headers(), request.uri().path(), &parameters)?;
        let body = T::from_request(request, site)
            .await
            .map_err(IntoResponse::into_response)?;
        Ok(Signed {
            account,
            connection,
            parameters,
            body,
        })
    }
}

impl Site {
    /// The account whose key, token and signature a request has.
    #[expect(clippy::result_large_err, reason = "the refusal is the answer")]
    fn signer(
        &self,
        method: &str,
        headers: &HeaderMap,
        path: &str,
        query: &[(String, String)],
    ) -> Result<Account, Response> {
        let unauthorized = |detail: &str| problem(401, "Unauthorized", detail, "about:blank");
        let fields = fields(headers).ok_or_else(|| unauthorized("no OAuth 1.0a header"))?;
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let account = self
            .account(|profile| {
                profile.credentials.api_key == field("oauth_consumer_key")
                    && profile.credentials.access_token == field("oauth_token")
            })
            .ok_or_else(|| unauthorized("unknown key or token"))?;
        let timestamp: u64 = field("oauth_timestamp").parse().unwrap_or(0);
        let now = Timestamp::now().as_second().max(0) as u64;
        if timestamp.abs_diff(now) > CLOCK_TOLERANCE {
            let body = json!({"errors": [{"code": 135, "message": "Timestamp out of bounds."}]});
            return Err((code(401), Json(body)).into_response());
        }
        let host = text(headers, "host").unwrap_or_default();
        let url = format!("http://{host}{path}");
        let keys = &account.profile().credentials;
        let expected = signature(keys, method, url, query, &fields, timestamp);
        if expected.as_deref() != Some(field("oauth_signature")) {
            return Err(unauthorized("wrong signature"));
        }
        if !account
            .data()
            .nonces
            .insert(field("oauth_nonce").to_owned())
        {
            return Err(unauthorized("this nonce was used before"));
        }
        Ok(account)
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get(name)
        .and_then(|v: &HeaderValue| v.to_str().ok())
}

/// The fields of the authorization header.
fn fields(headers: &HeaderMap) -> Option<BTreeMap<String, String>> {
    let header = text(headers, AUTHORIZATION.as_str())?.strip_prefix("OAuth ")?;
    let fields = header
        .split(',')
        .filter_map(|field| field.trim().split_once('='))
        .map(|(name, value)| (name.to_owned(), decoded(value.trim_matches('"'))));
    Some(fields.collect())
}

/// The signature that these keys give the request.
fn signature(
    keys: &Credentials,
    method: &str,
    url: String,
    query: &[(String, String)],
    fields: &BTreeMap<String, String>,
    timestamp: u64,
) -> Option<String> {
    let token = Token::from_parts(
        keys.api_key.as_str(),
        keys.api_key_secret.as_str(),
        keys.access_token.as_str(),
        keys.access_token_secret.as_str(),
    );
    let mut builder = oauth::Builder::<_, _>::with_token(token, HMAC_SHA1);
    builder
        .nonce(fields.get("oauth_nonce").map_or("", String::as_str))
        .timestamp(NonZeroU64::new(timestamp))
        .version(fields.contains_key("oauth_version"));
    let mut query: Vec<(&str, &str)> = query
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    query.sort_unstable();
    let parameters = ParameterList::new(query);
    let header = match method {
        "GET" => builder.get(url, &parameters),
        "DELETE" => builder.delete(url, &parameters),
        _ => builder.post(url, &parameters),
    };
    let (_, rest) = header.split_once("oauth_signature=\"")?;
    rest.split('"').next().map(decoded)
}

/// Percent-decoding as OAuth encodes, in which a plus sign is itself.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = (first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match hex {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
