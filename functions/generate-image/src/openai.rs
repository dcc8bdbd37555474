//! The request to OpenAI, and what each of its answers means.

use anyhow::anyhow;
use async_openai::{
    Client, config::OpenAIConfig, error::OpenAIError, middleware::HttpRequestFactory,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use provider_secrets::openai_key;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{Clients, Config, Error, Input, Usage};

/// The codes of refusals by the safety system.
const SAFETY_CODES: [&str; 2] = ["moderation_blocked", "content_policy_violation"];

/// What OpenAI writes before a shortened API key in the message of a 401.
const KEY_HINT: &str = "provided:";

/// The most characters of a message of OpenAI that are kept.
const MAX_MESSAGE: usize = 500;

/// The body of the request for a picture, which is also hashed into the key of the draft.
pub(crate) fn request(input: &Input) -> Value {
    json!({
        "model": input.picture.model,
        "prompt": input.prompt,
        "n": 1,
        "size": input.picture.size,
        "quality": input.picture.quality,
        "output_format": input.picture.format,
    })
}

/// A picture, with what OpenAI reports of it.
pub(crate) struct Painting {
    pub(crate) picture: Vec<u8>,
    pub(crate) size: Option<String>,
    pub(crate) quality: Option<String>,
    pub(crate) usage: Option<Usage>,
}

/// Why there is no picture, with OpenAI's count of tokens if it sent one.
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) usage: Option<Usage>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure { error, usage: None }
    }
}

/// OpenAI, with the API key.
pub(crate) struct OpenAi<'a> {
    config: &'a Config,
    http: &'a reqwest::Client,
    api_key: SecretString,
}

impl<'a> OpenAi<'a> {
    /// Reads the key at each invocation, so that a secret that an operator has just fixed counts at once.
    pub(crate) async fn new(clients: &'a Clients, config: &'a Config) -> Result<Self, Error> {
        let http = match clients.http.get() {
            Some(http) => http,
            None => {
                let http = lambda_function::https::client_builder()
                    .build()
                    .map_err(|e| {
                        Error::Unexpected(anyhow!(e).context("building the client of OpenAI"))
                    })?;
                clients.http.get_or_init(|| http)
            }
        };
        Ok(OpenAi {
            config,
            http,
            api_key: openai_key(&clients.secrets, &config.openai_secret_arn).await?,
        })
    }

    /// Sends a request once.
    pub(crate) async fn paint(&self, request: &Value) -> Result<Painting, Failure> {
        let sender = self.http.clone();
        let timeout = self.config.timeout;
        let api_key = self.api_key.clone();
        // In place of the library's own service, which would retry.
        let service = tower::service_fn(move |factory: HttpRequestFactory| {
            let sender = sender.clone();
            let api_key = api_key.clone();
            async move {
                let mut request = factory.build().await?;
                *request.timeout_mut() = Some(timeout);
                let response = sender.execute(request).await?;
                if response.status().is_success() {
                    return Ok(response);
                }
                let refusal = Refusal::read(response, &api_key).await;
                Err(OpenAIError::Boxed(Box::new(refusal)))
            }
        });
        let openai = OpenAIConfig::new()
            .with_api_base(self.config.openai_base_url.trim_end_matches('/'))
            .with_api_key(self.api_key.expose_secret());
        let client = Client::build(self.http.clone(), openai).with_http_service(service);
        let answer: Answer = client
            .images()
            .generate_byot(request)
            .await
            .map_err(|error| self.error_of(error))?;
        answer.painting()
    }

    fn error_of(&self, error: OpenAIError) -> Error {
        match error {
            OpenAIError::Boxed(error) => match error.downcast::<Refusal>() {
                Ok(refusal) => refusal.error(),
                Err(error) => Error::Unexpected(anyhow!(error)),
            },
            OpenAIError::Reqwest(e) if e.is_timeout() && !e.is_connect() => {
                Error::TimedOut(format!(
                    "OpenAI did not answer within {} seconds; the picture may have been paid",
                    self.config.timeout.as_secs()
                ))
            }
            OpenAIError::Reqwest(e) if e.is_connect() || e.is_builder() => {
                Error::ServiceUnavailable(format!("OpenAI is unreachable: {}", chain(&e)))
            }
            // The request was on its way.
            OpenAIError::Reqwest(e) => no_picture(&format!("broke off ({})", chain(&e))),
            // The body is not quoted.
            OpenAIError::JSONDeserialize(e, _) => no_picture(&format!(
                "is not the expected JSON (line {} column {})",
                e.line(),
                e.column()
            )),
            error => Error::Unexpected(anyhow!(error)),
        }
    }
}

/// The fields of OpenAI's answer that are used. The library's own type refuses an answer with a value that is newer
/// than the library, after the picture is paid.
#[derive(Deserialize)]
struct Answer {
    data: Option<Vec<Data>>,
    #[serde(default, deserialize_with = "if_readable")]
    size: Option<String>,
    #[serde(default, deserialize_with = "if_readable")]
    quality: Option<String>,
    #[serde(default, deserialize_with = "if_readable")]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Data {
    b64_json: Option<String>,
}

/// Nothing instead of an error: only the picture itself is worth failing for.
fn if_readable<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).ok())
}

impl Answer {
    fn painting(self) -> Result<Painting, Failure> {
        match decode(self.data) {
            Ok(picture) => Ok(Painting {
                picture,
                size: self.size,
                quality: self.quality,
                usage: self.usage,
            }),
            Err(what) => Err(Failure {
                error: no_picture(what),
                usage: self.usage,
            }),
        }
    }
}

fn decode(data: Option<Vec<Data>>) -> Result<Vec<u8>, &'static str> {
    let base64 = data
        .into_iter()
        .flatten()
        .find_map(|data| data.b64_json)
        .ok_or("has no picture")?;
    let picture = BASE64_STANDARD
        .decode(base64)
        .map_err(|_| "has a picture that is not base64")?;
    match picture.is_empty() {
        true => Err("has an empty picture"),
        false => Ok(picture),
    }
}

fn no_picture(what: &str) -> Error {
    Error::NoPicture(format!(
        "the answer of OpenAI {what}; it may have been paid"
    ))
}

/// An answer that is not a success, read before the library loses its status and headers.
#[derive(Debug, thiserror::Error)]
#[error("OpenAI answered {status}{request}: {message}")]
struct Refusal {
    status: u16,
    request: String,
    message: String,
    kind: String,
    code: String,
}

impl Refusal {
    async fn read(response: reqwest::Response, api_key: &SecretString) -> Refusal {
        let status = response.status().as_u16();
        let request = response
            .headers()
            .get("x-request-id")
            .and_then(|v| v.to_str().ok())
            .map_or_else(String::new, |id| format!(" to request {id}"));
        let body = response.bytes().await.unwrap_or_default();
        // Field by field, so that one of an unknown type does not hide the others.
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let field = |name: &str| body["error"][name].as_str();
        Refusal {
            status,
            request,
            message: without_key(field("message").unwrap_or("no JSON message"), api_key),
            kind: field("type").unwrap_or_default().to_owned(),
            code: field("code").unwrap_or_default().to_owned(),
        }
    }

    /// The error of a refusal, by its code, its type and its status.
    fn error(&self) -> Error {
        let message = self.to_string();
        let code = self.code.as_str();
        match (self.status, self.kind.as_str()) {
            _ if SAFETY_CODES.contains(&code) => Error::PromptRejected(message),
            (429, "insufficient_quota") => Error::OutOfCredit(message),
            (429, _) if is_out_of_credit(code) => Error::OutOfCredit(message),
            (429, _) => Error::RateLimited(message),
            (402, _) => Error::OutOfCredit(message),
            (401 | 403, _) => Error::Unauthorized(message),
            (404, _) => Error::ModelGone(message),
            _ if code == "model_not_found" => Error::ModelGone(message),
            (300..=399 | 409 | 425 | 503 | 529, _) => Error::ServiceUnavailable(message),
            (408 | 500.., _) => Error::ServiceFailed(message),
            _ => Error::RequestRejected(message),
        }
    }
}

/// Whether the code of a 429 is about money: the credit balance, or a spending or usage limit of the organization or
/// project.
fn is_out_of_credit(code: &str) -> bool {
    matches!(code, "insufficient_quota" | "credit_balance_exhausted")
        || code.ends_with("_limit_exceeded") && code != "rate_limit_exceeded"
}

/// A message without the API key, which OpenAI can quote in whole or shortened.
fn without_key(message: &str, api_key: &SecretString) -> String {
    message
        .replace(api_key.expose_secret(), "…")
        .split(KEY_HINT)
        .next()
        .unwrap_or_default()
        .chars()
        .take(MAX_MESSAGE)
        .collect()
}

/// The causes of an error, without its own message, which has the address.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = String::new();
    let mut source = error.source();
    while let Some(cause) = source {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
