#![doc = include_str!("../README.md")]

use std::{collections::HashMap, sync::OnceLock, time::Duration};

use anyhow::anyhow;
use async_openai::{
    Client, config::OpenAIConfig, error::OpenAIError, middleware::HttpRequestFactory,
};
use aws_config::SdkConfig;
use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::{Timestamp, tz::TimeZone};
use lambda_function::{Invocation, aws_error, env};
use post::PostId;
use posts_table::prices::{max_picture_usd, picture_usd};
use posts_table::{Caps, Micros, Reservation, Reserved, Settlement, Table};
use provider_secrets::openai_key;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The picture of every dry run, painted by `cargo run -p stand-ins --example test-card`.
const TEST_CARD: &[u8] = include_bytes!("../test-card.png");

/// What is painted.
#[derive(Clone, Debug, Deserialize)]
pub struct Input {
    /// The post, `bot/date/slot`.
    pub post: String,
    /// Which variation this is, from 1.
    pub round: Option<u32>,
    /// What to paint.
    pub prompt: String,
    /// How to paint it.
    pub picture: Picture,
    /// The most that the bot may spend. An execution that is older than this field has the caps of a bot that says
    /// nothing.
    pub money: Option<Caps>,
    /// The bot's time zone, by its IANA name: whose days and months the caps are for. UTC without it.
    #[serde(rename = "timeZone")]
    pub time_zone: Option<String>,
}

/// How it is painted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Picture {
    /// The image model.
    pub model: String,
    /// Such as `1024x1024`.
    pub size: String,
    /// Such as `medium`.
    pub quality: String,
    /// `jpeg`, `png` or `webp`.
    pub format: String,
}

/// The draft.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Its key in the bucket.
    pub key: String,
    /// What OpenAI was asked for; whether it is that, `store-image` finds out.
    pub content_type: String,
    /// The model that painted it.
    pub model: String,
    /// Its size in pixels.
    pub size: String,
    /// Its quality.
    pub quality: String,
    /// OpenAI's count of tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What it cost, in US dollars.
    pub cost_usd: f64,
    /// Whether the cost is a guess, for want of a count.
    pub cost_is_estimated: bool,
    /// Whether it was there already, and nothing was paid by this invocation.
    #[serde(default)]
    pub found: bool,
}

/// OpenAI's count of tokens. The split of the input is not always given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Text and images that went in.
    pub input_tokens: u64,
    /// The picture.
    pub output_tokens: u64,
}

impl Usage {
    fn cost_usd(&self) -> f64 {
        picture_usd(self.input_tokens, self.output_tokens)
    }
}

/// Has a picture painted, or finds the one that was. The invocation's id names the reservation of the money.
pub async fn generate_image(
    clients: &Clients,
    config: &Config,
    invocation: Invocation,
    input: Input,
) -> Result<Output, Error> {
    let now = invocation.now;
    let post: PostId = input.post.parse()?;
    let zone = match &input.time_zone {
        None => TimeZone::UTC,
        Some(name) => TimeZone::get(name)
            .map_err(|_| Error::InvalidInput(format!("timeZone {name:?} is not known")))?,
    };
    let content_type = match input.picture.format.as_str() {
        format @ ("jpeg" | "png" | "webp") => format!("image/{format}"),
        other => {
            return Err(Error::InvalidInput(format!(
                "picture.format is {other:?}; it has to be jpeg, png or webp"
            )));
        }
    };
    if input.prompt.trim().is_empty() {
        return Err(Error::InvalidInput("prompt is empty".to_owned()));
    }
    if post.dry_run.is_some() {
        return test_card(clients, config, &input).await;
    }
    let request = json!({
        "model": input.picture.model,
        "prompt": input.prompt,
        "n": 1,
        "size": input.picture.size,
        "quality": input.picture.quality,
        "output_format": input.picture.format,
    });
    let key = key(&input, &request);
    if let Some((draft, paid_by)) = find(clients, config, &key).await? {
        tracing::info!(post = input.post, key, "the draft is there already");
        // Whoever painted it may have died before it could settle.
        if let Some(id) = paid_by
            && let Some(reservation) = clients.table.reservation(&post.bot, &id).await?
        {
            let cost = Micros::from_usd(draft.cost_usd);
            settle(clients, &reservation, Settlement::Spent, cost, now).await;
        }
        return Ok(draft);
    }

    let http = clients.http()?;
    let api_key = openai_key(&clients.secrets, &config.openai_secret_arn).await?;
    let most = Micros::from_usd(max_picture_usd(
        &input.picture.size,
        &input.picture.quality,
        &input.prompt,
    ));
    let round = input.round.unwrap_or(1);
    let caps = input.money.unwrap_or_default();
    let reserved = clients
        .table
        .reserve(&post, round, &invocation.id, most, caps, &zone, now)
        .await?;
    let reservation = match reserved {
        Reserved::Yes(reservation) => reservation,
        Reserved::OverBudget(why) => return Err(Error::OverBudget(why)),
    };
    let painted = match paint(http, config, &api_key, &request).await {
        Ok(answer) => {
            let usage = answer.usage.clone();
            picture_of(answer).map_err(|error| (error, usage))
        }
        Err(error) => Err((error, None)),
    };
    let (picture, answer) = match painted {
        Ok(painted) => painted,
        Err((error, usage)) => {
            let (settlement, cost) = match usage {
                Some(usage) => (Settlement::Spent, Micros::from_usd(usage.cost_usd())),
                None if error.costs_nothing() => (Settlement::Released, Micros(0)),
                None => (Settlement::Unknown, Micros(0)),
            };
            settle(clients, &reservation, settlement, cost, now).await;
            return Err(error);
        }
    };
    let draft = Output {
        key,
        content_type,
        model: input.picture.model,
        size: answer.size.unwrap_or(input.picture.size),
        quality: answer.quality.unwrap_or(input.picture.quality),
        cost_usd: answer.usage.as_ref().map_or(most.usd(), Usage::cost_usd),
        cost_is_estimated: answer.usage.is_none(),
        usage: answer.usage,
        found: false,
    };
    tracing::info!(
        post = input.post,
        key = draft.key,
        cost_usd = draft.cost_usd,
        "painted"
    );
    let cost = Micros::from_usd(draft.cost_usd);
    if cost > most {
        tracing::warn!(post = input.post, %cost, %most, "it cost more than the estimate, which is to be raised");
    }
    let kept = keep(clients, config, draft, Some(&reservation), picture).await;
    settle(clients, &reservation, Settlement::Spent, cost, now).await;
    kept
}

/// The draft of a dry run, which costs nothing.
async fn test_card(clients: &Clients, config: &Config, input: &Input) -> Result<Output, Error> {
    let draft = Output {
        key: format!(
            "drafts/{}/{}-test-card.png",
            input.post,
            input.round.unwrap_or(1)
        ),
        content_type: "image/png".to_owned(),
        model: "test-card".to_owned(),
        size: "1024x1024".to_owned(),
        quality: input.picture.quality.clone(),
        usage: None,
        cost_usd: 0.0,
        cost_is_estimated: false,
        found: false,
    };
    tracing::info!(post = input.post, key = draft.key, "a dry run: a test card");
    keep(clients, config, draft, None, TEST_CARD.to_vec()).await
}

/// Settles a reservation. Where that does not work the picture is not lost for it: the watchdog counts all that was
/// reserved.
async fn settle(
    clients: &Clients,
    reservation: &Reservation,
    settlement: Settlement,
    cost: Micros,
    now: Timestamp,
) {
    let settled = clients
        .table
        .settle(reservation, settlement, cost, now)
        .await;
    if let Err(error) = settled {
        tracing::warn!(post = reservation.post, %error, "not settled; the watchdog will");
    }
}

/// The bytes of the picture, and the rest of the answer.
fn picture_of(mut answer: Answer) -> Result<(Vec<u8>, Answer), Error> {
    let picture = answer
        .data
        .take()
        .into_iter()
        .flatten()
        .find_map(|picture| picture.b64_json)
        .ok_or_else(|| no_picture("has no picture"))?;
    let picture = BASE64_STANDARD
        .decode(picture)
        .map_err(|_| no_picture("holds a picture that is not base64"))?;
    if picture.is_empty() {
        return Err(no_picture("holds an empty picture"));
    }
    Ok((picture, answer))
}

/// What the function needs from its environment.
#[derive(Clone, Debug)]
pub struct Config {
    /// The name of the table, in which the money is counted.
    pub table_name: String,
    /// The bucket of the drafts.
    pub image_bucket: String,
    /// The secret with the key of OpenAI.
    pub openai_secret_arn: String,
    /// Where OpenAI is, with `/v1`.
    pub openai_base_url: String,
    /// How long a picture may take. High quality has been seen to take two minutes.
    pub timeout: Duration,
}

impl Config {
    /// Reads the environment; a missing variable is named.
    pub fn from_env() -> Result<Config, env::Error> {
        Ok(Config {
            table_name: env::required("TABLE_NAME")?,
            image_bucket: env::required("IMAGE_BUCKET")?,
            openai_secret_arn: env::required("OPENAI_SECRET_ARN")?,
            openai_base_url: env::or("OPENAI_BASE_URL", "https://api.openai.com/v1"),
            // Below the function's timeout of 270 seconds.
            timeout: Duration::from_secs(240),
        })
    }
}

/// What the function talks to.
#[derive(Debug)]
pub struct Clients {
    /// The money.
    pub table: Table,
    /// The drafts.
    pub s3: aws_sdk_s3::Client,
    /// The secret.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// The HTTP client of OpenAI, built at the first request.
    http: OnceLock<reqwest::Client>,
}

impl Clients {
    /// The clients of an AWS configuration.
    pub fn new(aws: &SdkConfig, config: &Config) -> Clients {
        Clients {
            table: Table::new(aws_sdk_dynamodb::Client::new(aws), &config.table_name),
            s3: aws_sdk_s3::Client::new(aws),
            secrets: aws_sdk_secretsmanager::Client::new(aws),
            http: OnceLock::new(),
        }
    }

    fn http(&self) -> Result<&reqwest::Client, Error> {
        if let Some(http) = self.http.get() {
            return Ok(http);
        }
        let http = lambda_function::https::client_builder()
            .build()
            .map_err(|e| Error::Unexpected(anyhow!(e).context("building the client of OpenAI")))?;
        Ok(self.http.get_or_init(|| http))
    }
}

/// Why there is no draft.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
pub enum Error {
    /// It could go over a cap, so nothing was bought.
    #[error("{0}")]
    OverBudget(String),
    /// The safety system refuses.
    #[error("{0}")]
    PromptRejected(String),
    /// A limit that passes by itself.
    #[error("{0}")]
    RateLimited(String),
    /// Somebody is unreachable or busy, and did nothing.
    #[error("{0}")]
    ServiceUnavailable(String),
    /// OpenAI failed, and may have painted by then.
    #[error("{0}")]
    ServiceFailed(String),
    /// No answer in time.
    #[error("{0}")]
    TimedOut(String),
    /// An answer without a picture.
    #[error("{0}")]
    NoPicture(String),
    /// OpenAI wants money first.
    #[error("{0}")]
    OutOfCredit(String),
    /// The model is not served.
    #[error("{0}; set another picture.model in bot.toml")]
    ModelGone(String),
    /// The key is refused.
    #[error("{0}")]
    Unauthorized(String),
    /// The secret is missing or malformed.
    #[error("{0}")]
    SecretUnusable(String),
    /// The request is refused for another reason.
    #[error("{0}")]
    RequestRejected(String),
    /// The input is not one that can be worked on.
    #[error("{0}")]
    InvalidInput(String),
    /// Anything else.
    #[error("{0:#}")]
    Unexpected(anyhow::Error),
}

lambda_function::function_error!(Error {
    lambda_function::UnreadableInput => InvalidInput,
    post::InvalidPostId => InvalidInput,
    posts_table::Error => ServiceUnavailable or Unexpected,
    provider_secrets::Error => ServiceUnavailable or SecretUnusable,
});

impl Error {
    /// Whether OpenAI surely was not paid. Whether it takes money for what its safety system refuses, it does not say.
    fn costs_nothing(&self) -> bool {
        match self {
            Error::OverBudget(_)
            | Error::RateLimited(_)
            | Error::ServiceUnavailable(_)
            | Error::OutOfCredit(_)
            | Error::ModelGone(_)
            | Error::Unauthorized(_)
            | Error::SecretUnusable(_)
            | Error::RequestRejected(_)
            | Error::InvalidInput(_) => true,
            Error::PromptRejected(_)
            | Error::ServiceFailed(_)
            | Error::TimedOut(_)
            | Error::NoPicture(_)
            | Error::Unexpected(_) => false,
        }
    }
}

/// OpenAI's answer, as far as it is needed. The library's own type refuses an answer with a value that is newer
/// than the library, after it was paid.
#[derive(Deserialize)]
struct Answer {
    data: Option<Vec<Painted>>,
    #[serde(default, deserialize_with = "if_readable")]
    size: Option<String>,
    #[serde(default, deserialize_with = "if_readable")]
    quality: Option<String>,
    #[serde(default, deserialize_with = "if_readable")]
    usage: Option<Usage>,
}

/// Nothing instead of an error: only the picture itself is worth failing for.
fn if_readable<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).ok())
}

#[derive(Deserialize)]
struct Painted {
    b64_json: Option<String>,
}

/// An answer that is no success, read before the library loses its status or its headers.
#[derive(Debug, thiserror::Error)]
#[error("OpenAI answered {status}{request}: {said}")]
struct Refusal {
    status: u16,
    request: String,
    said: String,
    kind: String,
    code: String,
}

async fn paint(
    http: &reqwest::Client,
    config: &Config,
    api_key: &SecretString,
    request: &Value,
) -> Result<Answer, Error> {
    let sender = http.clone();
    let timeout = config.timeout;
    let sent_key = api_key.clone();
    // A service of our own instead of the library's, which would retry by itself.
    let service = tower::service_fn(move |factory: HttpRequestFactory| {
        let sender = sender.clone();
        let sent_key = sent_key.clone();
        async move {
            let mut request = factory.build().await?;
            *request.timeout_mut() = Some(timeout);
            let answer = sender.execute(request).await?;
            if answer.status().is_success() {
                return Ok(answer);
            }
            Err(OpenAIError::Boxed(Box::new(
                Refusal::read(answer, &sent_key).await,
            )))
        }
    });
    let openai = OpenAIConfig::new()
        .with_api_base(config.openai_base_url.trim_end_matches('/'))
        .with_api_key(api_key.expose_secret());
    let client = Client::build(http.clone(), openai).with_http_service(service);
    client
        .images()
        .generate_byot(request)
        .await
        .map_err(|error| match error {
            OpenAIError::Boxed(error) => match error.downcast::<Refusal>() {
                Ok(refusal) => refusal.into(),
                Err(error) => Error::Unexpected(anyhow!(error)),
            },
            OpenAIError::Reqwest(e) if e.is_timeout() && !e.is_connect() => {
                Error::TimedOut(format!(
                    "OpenAI did not answer within {} seconds; the picture may have been paid",
                    timeout.as_secs()
                ))
            }
            OpenAIError::Reqwest(e) if e.is_connect() || e.is_builder() => {
                Error::ServiceUnavailable(format!("OpenAI is unreachable: {}", chain(&e)))
            }
            // The request was on its way.
            OpenAIError::Reqwest(e) => no_picture(&format!("did not arrive whole ({})", chain(&e))),
            // The body is not quoted.
            OpenAIError::JSONDeserialize(e, _) => no_picture(&format!(
                "is not the expected JSON (line {} column {})",
                e.line(),
                e.column()
            )),
            error => Error::Unexpected(anyhow!(error)),
        })
}

impl Refusal {
    async fn read(answer: reqwest::Response, sent_key: &SecretString) -> Refusal {
        let status = answer.status().as_u16();
        let request = answer
            .headers()
            .get("x-request-id")
            .and_then(|v| v.to_str().ok())
            .map_or_else(String::new, |id| format!(" to request {id}"));
        let body = answer.bytes().await.unwrap_or_default();
        // Field by field, so that one of an unknown kind does not hide the others.
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let field = |name: &str| body["error"][name].as_str();
        let said = field("message").unwrap_or("no JSON that explains it");
        Refusal {
            status,
            request,
            // A message can quote the key it was given, shortened; nothing after such a hint is needed.
            said: said
                .replace(sent_key.expose_secret(), "…")
                .split("provided:")
                .next()
                .unwrap_or_default()
                .chars()
                .take(500)
                .collect(),
            kind: field("type").unwrap_or_default().to_owned(),
            code: field("code").unwrap_or_default().to_owned(),
        }
    }
}

impl From<Box<Refusal>> for Error {
    fn from(refusal: Box<Refusal>) -> Error {
        let said = refusal.to_string();
        let code = refusal.code.as_str();
        match (refusal.status, refusal.kind.as_str()) {
            _ if matches!(code, "moderation_blocked" | "content_policy_violation") => {
                Error::PromptRejected(said)
            }
            (429, "insufficient_quota") => Error::OutOfCredit(said),
            (429, _)
                if code == "insufficient_quota"
                    || code == "credit_balance_exhausted"
                    || code.ends_with("_limit_exceeded") && code != "rate_limit_exceeded" =>
            {
                Error::OutOfCredit(said)
            }
            (429, _) => Error::RateLimited(said),
            (402, _) => Error::OutOfCredit(said),
            (401 | 403, _) => Error::Unauthorized(said),
            (404, _) => Error::ModelGone(said),
            _ if code == "model_not_found" => Error::ModelGone(said),
            (300..=399 | 409 | 425 | 503 | 529, _) => Error::ServiceUnavailable(said),
            (408 | 500.., _) => Error::ServiceFailed(said),
            _ => Error::RequestRejected(said),
        }
    }
}

fn no_picture(what: &str) -> Error {
    Error::NoPicture(format!("OpenAI's answer {what}; it may have been paid"))
}

/// The key of a request's draft. The version stands for how the request is hashed.
fn key(input: &Input, request: &Value) -> String {
    let mut hash = Sha256::new();
    hash.update("v1\n");
    hash.update(request.to_string());
    let hash: String = hash.finalize()[..8]
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    format!(
        "drafts/{}/{}-{hash}.{}",
        input.post,
        input.round.unwrap_or(1),
        input.picture.format
    )
}

/// The draft of an earlier entry, and the name of the reservation that paid for it.
async fn find(
    clients: &Clients,
    config: &Config,
    key: &str,
) -> Result<Option<(Output, Option<String>)>, Error> {
    // Not HEAD, whose 404 does not tell a missing draft from a missing bucket, and the picture would be paid in vain.
    let object = clients
        .s3
        .get_object()
        .bucket(&config.image_bucket)
        .key(key)
        .send()
        .await;
    let object = match object {
        Ok(object) => object,
        Err(SdkError::ServiceError(e)) if e.err().is_no_such_key() => return Ok(None),
        Err(error) => return Err(s3_error("look for the draft", error)),
    };
    let metadata = |name: &str| object.metadata.as_ref().and_then(|m| m.get(name));
    let draft = metadata("draft").ok_or_else(|| {
        Error::Unexpected(anyhow!("{key} is there, but nothing says what it cost"))
    })?;
    let draft: Output = serde_json::from_str(draft)
        .map_err(|e| Error::Unexpected(anyhow!(e).context(format!("the metadata of {key}"))))?;
    let draft = Output {
        found: true,
        ..draft
    };
    Ok(Some((draft, metadata("reservation").cloned())))
}

/// Keeps a draft, unless another entry was first: then that one counts.
async fn keep(
    clients: &Clients,
    config: &Config,
    draft: Output,
    reservation: Option<&Reservation>,
    picture: Vec<u8>,
) -> Result<Output, Error> {
    let said = serde_json::to_string(&draft).map_err(|e| Error::Unexpected(e.into()))?;
    let mut metadata = HashMap::from([("draft".to_owned(), said)]);
    if let Some(reservation) = reservation {
        metadata.insert("reservation".to_owned(), reservation.id.clone());
    }
    let put = || {
        clients
            .s3
            .put_object()
            .bucket(&config.image_bucket)
            .key(&draft.key)
            .content_type(&draft.content_type)
            .set_metadata(Some(metadata.clone()))
            .if_none_match("*")
            .body(ByteStream::from(picture.clone()))
            .send()
    };
    let mut written = put().await;
    // 409: another write of the key was under way, and who of the two is first is not decided.
    for _ in 0..2 {
        if matches!(&written, Err(SdkError::ServiceError(e)) if e.raw().status().as_u16() == 409) {
            written = put().await;
        }
    }
    match written {
        Ok(_) => Ok(draft),
        Err(SdkError::ServiceError(e)) if e.raw().status().as_u16() == 412 => {
            let found = find(clients, config, &draft.key).await?;
            found.map(|(draft, _)| draft).ok_or_else(|| {
                Error::ServiceUnavailable(format!("{} was there, and is gone", draft.key))
            })
        }
        Err(error) if reservation.is_none() => Err(s3_error("keep the test card", error)),
        Err(error) => Err(s3_error("keep the draft, which was paid", error)),
    }
}

fn s3_error<E>(doing: &str, error: SdkError<E>) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let message = format!("S3 did not {doing}: {}", aws_error(&error));
    match error {
        SdkError::ServiceError(e) if !matches!(e.raw().status().as_u16(), 409 | 500..) => {
            Error::Unexpected(anyhow!(message))
        }
        _ => Error::ServiceUnavailable(message),
    }
}

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
