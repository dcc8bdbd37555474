//! The X credentials of a bot, and the clock, which X's signatures need.

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use oauth::{HMAC_SHA1, ParameterList, Token};
use provider_secrets::{XCredentials, x_credentials};
use reqwest::{
    Response, StatusCode,
    header::{AUTHORIZATION, DATE},
};
use secrecy::ExposeSecret;

use crate::{Check, Probes, RETRY_LATER, no_answer};

/// The largest difference between the clocks: X rejects a signature that is minutes old.
const MAX_CLOCK_DIFFERENCE: SignedDuration = SignedDuration::from_secs(60);

const FIX: &str = "store valid keys in the secret; create them after the app has the permission to read and write";

/// The check of the credentials, and that of the clock if X answered.
pub(crate) async fn check(
    probes: &Probes<'_>,
    http: &reqwest::Client,
    bot: &str,
) -> (Check, Option<Check>) {
    let what = format!("X credentials of {bot}");
    let keys = match x_credentials(probes.secrets, probes.secrets_prefix, bot).await {
        Ok(keys) => keys,
        Err(error) => return (Check::fail(what, error.to_string(), FIX), None),
    };
    match read_timeline(probes, http, &keys).await {
        Ok(answer) => (
            credentials_check(what, answer.status()),
            clock_check(probes.now, &answer),
        ),
        Err(error) => (Check::warn(what, no_answer("X", &error), RETRY_LATER), None),
    }
}

/// Reads the last minute of the account's timeline. X charges for each post that it returns, and the last minute
/// hardly ever has one ([pricing](https://docs.x.com/x-api/getting-started/pricing), 2026-08-13).
async fn read_timeline(
    probes: &Probes<'_>,
    http: &reqwest::Client,
    keys: &XCredentials,
) -> Result<Response, reqwest::Error> {
    let since = probes.now.checked_sub(SignedDuration::from_mins(1));
    let since = since.unwrap_or(probes.now);
    let since = since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let parameters = ParameterList::new([("max_results", "5"), ("start_time", since.as_str())]);
    let base = probes.x_api_base_url.trim_end_matches('/');
    let url = format!("{base}/2/users/{}/tweets", keys.user_id);
    let token = Token::from_parts(
        keys.api_key.expose_secret(),
        keys.api_key_secret.expose_secret(),
        keys.access_token.expose_secret(),
        keys.access_token_secret.expose_secret(),
    );
    http.get(oauth::to_query(url.clone(), &parameters))
        .header(
            AUTHORIZATION,
            oauth::get(&url, &parameters, &token, HMAC_SHA1),
        )
        .send()
        .await
}

fn credentials_check(what: String, status: StatusCode) -> Check {
    let message = format!("X returned {status}");
    match status.as_u16() {
        200..=299 => Check::ok(what, "X accepts them for reading"),
        401 | 403 => Check::fail(what, message, FIX),
        402 => Check::fail(what, message, "buy credit at X"),
        _ => Check::warn(what, message, RETRY_LATER),
    }
}

fn clock_check(now: Timestamp, answer: &Response) -> Option<Check> {
    let theirs = answer.headers().get(DATE)?.to_str().ok()?;
    let theirs = rfc2822::parse(theirs).ok()?.timestamp();
    let difference = now.duration_since(theirs).abs();
    Some(match difference > MAX_CLOCK_DIFFERENCE {
        true => Check::fail(
            "clock",
            format!("it differs from X's by {} seconds", difference.as_secs()),
            "set the clock: X rejects signatures with a wrong time",
        ),
        false => Check::ok("clock", "it agrees with X's"),
    })
}
