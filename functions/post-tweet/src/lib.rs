#![doc = include_str!("../README.md")]

mod delete;
mod dry_run;
mod x;

use std::time::{Duration, Instant};

use anyhow::anyhow;
use aws_config::SdkConfig;
use aws_sdk_s3::error::SdkError;
use jiff::{SignedDuration, Timestamp};
use lambda_function::{Invocation, aws_error, env};
use post::{PostId, Rejection, SkipReason};
use post_text::{check_alt_text, check_caption};
use posts_table::{Arm, Armed, Ledger, MAX_RECONCILIATIONS, Record, Table, content_hash, prices};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;
use sha2::{Digest, Sha256};
use x::{Refusal, X};

pub use delete::{Delete, Deleted, delete_tweet};

/// The text for people of [`SkipReason::TooLate`].
const TOO_LATE: &str = "too late: the slot's time is too long ago";

/// What the function is asked for.
#[derive(Clone, Debug)]
pub enum Request {
    /// The state machine posts.
    Post(Input),
    /// An operator takes a tweet down.
    Delete(Delete),
}

impl<'de> Deserialize<'de> for Request {
    /// Reads `{"delete": {"post": …}}` or an [`Input`]. The derived reader would not name what is wrong.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Request, D::Error> {
        let mut payload = Value::deserialize(deserializer)?;
        let request = match payload.get_mut("delete") {
            Some(order) => serde_json::from_value(order.take()).map(Request::Delete),
            None => serde_json::from_value(payload).map(Request::Post),
        };
        request.map_err(D::Error::custom)
    }
}

/// What is posted, and for whom.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The ARN of the execution.
    pub execution: String,
    /// The post, `bot/date/slot`.
    pub post: String,
    /// Which round's approval counts, from 1.
    pub round: Option<u32>,
    /// The text of the tweet.
    pub caption: String,
    /// What the picture shows.
    pub alt_text: String,
    /// The picture.
    pub image: Image,
}

/// The picture as `store-image` left it.
#[derive(Clone, Debug, Deserialize)]
pub struct Image {
    /// Its key in the bucket.
    pub key: String,
    /// Its SHA-256, hex.
    pub sha256: String,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Whether it was posted.
    pub status: Status,
    /// The tweet's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The tweet's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Why it was not posted, as a text for people; in a dry run, why it would not have been.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_reason: Option<SkipReason>,
    /// What a dry run would have sent to X, in order; without what signs it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<Value>,
    /// What X charges for the post and its alt text, in US dollars.
    pub cost_usd: f64,
}

/// Whether it was posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is on X.
    Posted,
    /// It is not, and should not be.
    Skipped,
    /// Nothing was sent, since it is a dry run.
    #[serde(rename = "dry-run")]
    DryRun,
}

/// What the function returns.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Response {
    /// To the state machine.
    Post(Output),
    /// To an operator.
    Delete(Deleted),
}

/// Does what is asked for.
pub async fn post_or_delete(
    clients: &Clients,
    config: &Config,
    invocation: Invocation,
    request: Request,
) -> Result<Response, Error> {
    Ok(match request {
        Request::Post(input) => {
            Response::Post(post_tweet(clients, config, invocation, input).await?)
        }
        Request::Delete(order) => {
            Response::Delete(delete_tweet(clients, config, invocation.now, order).await?)
        }
    })
}

/// Posts a tweet, once. The invocation's id names its lease.
pub async fn post_tweet(
    clients: &Clients,
    config: &Config,
    invocation: Invocation,
    input: Input,
) -> Result<Output, Error> {
    let Invocation { now, id: lease_id } = &invocation;
    let now = *now;
    let started = Instant::now();
    let post: PostId = input.post.parse()?;
    let record = read(clients, &post, &input.execution).await?;
    // By its key in the table, whatever the input says.
    if post.dry_run.is_some() {
        return dry_run::dry_run(clients, config, now, &post, &record, &input).await;
    }
    match record.ledger {
        Ledger::Posted => return posted(&post, record.tweet_id),
        Ledger::Rejected => return Err(rejected(record.rejected_as())),
        Ledger::Armed if record.is_in_flight(now) => return Err(Error::PostInFlight(post)),
        Ledger::Armed => {
            let x = X::new(clients, config, &post.bot).await?;
            return reconcile(clients, &x, &post, &record, now).await;
        }
        Ledger::Claimed => {}
    }

    check_texts(&input)?;
    let picture = picture(clients, config, &input.image).await?;
    let x = X::new(clients, config, &post.bot).await?;
    let media = x.upload(picture, &input.image.key).await?;
    if !clients
        .table
        .add_media_key(&post, &input.execution, &media.media_key)
        .await?
    {
        return Err(moved(clients, &post, &input.execution, now).await);
    }
    x.set_alt_text(&media.id, &input.alt_text).await?;

    let lease = SignedDuration::try_from(config.lease).map_err(|e| Error::Unexpected(e.into()))?;
    let lease_until = now
        .checked_add(lease)
        .map_err(|e| Error::Unexpected(e.into()))?;
    let arm = Arm {
        execution: &input.execution,
        text: &input.caption,
        media_key: &media.media_key,
        round: input.round.unwrap_or(1),
        content_hash: &content_hash(&input.image.sha256, &input.caption, &input.alt_text),
        lease_id,
        lease_until: lease_until.as_millisecond(),
    };
    match clients
        .table
        .arm(&post, record.approval_required, now, &arm)
        .await?
    {
        Armed::Yes => {}
        Armed::LedgerMoved => return Err(moved(clients, &post, &input.execution, now).await),
        Armed::NotApproved => return Err(Error::NotApproved(post)),
        Armed::TooLate => {
            return Ok(skipped(SkipReason::TooLate, TOO_LATE.to_owned()));
        }
        Armed::Paused(reason) => {
            let reason = paused(&reason.unwrap_or_default());
            return Ok(skipped(SkipReason::Paused, reason));
        }
    }

    // An invocation that was held up must not send when another may already be looking for its tweet.
    if started.elapsed() + config.create_timeout > config.lease {
        clients.table.disarm(&post, lease_id).await?;
        return Err(Error::ServiceUnavailable(
            "the upload took so long that the lease is nearly over; nothing was sent".to_owned(),
        ));
    }
    match x.create_tweet(&input.caption, &media.id).await {
        Ok(id) => {
            tracing::info!(post = %post, tweet = id, "posted");
            record_tweet(clients, &post, &id, now).await?;
            posted(&post, Some(id))
        }
        Err(Refusal::Clear(error)) => {
            clients.table.disarm(&post, lease_id).await?;
            Err(error)
        }
        Err(Refusal::Content(message)) => {
            let why = Rejection::Content { message };
            clients.table.reject(&post, lease_id, &why).await?;
            Err(rejected(Some(why)))
        }
        Err(Refusal::Duplicate(message)) => {
            // The text may be there because of this very slot, through a request that was repeated on the way.
            clients.table.end_lease(&post, lease_id, now).await?;
            let record = read(clients, &post, &input.execution).await?;
            match find(&x, &record).await? {
                Some(id) => {
                    record_tweet(clients, &post, &id, now).await?;
                    posted(&post, Some(id))
                }
                None => {
                    let why = Rejection::Duplicate { message };
                    clients.table.reject(&post, lease_id, &why).await?;
                    Err(rejected(Some(why)))
                }
            }
        }
        Err(Refusal::Unknown(why)) => {
            // This invocation sends no more, so looking may begin at once. If this write is lost, the lease runs out.
            if let Err(error) = clients.table.end_lease(&post, lease_id, now).await {
                tracing::warn!(post = %post, %error, "the lease runs out by itself");
            }
            Err(Error::OutcomeUnknown(format!(
                "the tweet of {post} was sent and there is no clear answer: {why}"
            )))
        }
    }
}

/// What the function needs from its environment.
#[derive(Clone, Debug)]
pub struct Config {
    /// The name of the table.
    pub table_name: String,
    /// The bucket of the pictures.
    pub image_bucket: String,
    /// The deployment's name. Each bot's X credentials are the secret `<prefix>/<bot>/x-credentials`.
    pub secrets_prefix: String,
    /// Where X is.
    pub x_api_base_url: String,
    /// How long after its start an invocation may still send.
    pub lease: Duration,
    /// How long the upload may take.
    pub upload_timeout: Duration,
    /// How long creating the tweet may take.
    pub create_timeout: Duration,
    /// How long each other request to X may take.
    pub request_timeout: Duration,
}

impl Config {
    /// Reads the environment; a missing variable is named.
    pub fn from_env() -> Result<Config, env::Error> {
        let lease = env::parsed("LEASE_SECONDS", str::parse::<u64>)?;
        Ok(Config {
            table_name: env::required("TABLE_NAME")?,
            image_bucket: env::required("IMAGE_BUCKET")?,
            secrets_prefix: env::required("SECRETS_PREFIX")?,
            x_api_base_url: env::or("X_API_BASE_URL", "https://api.x.com"),
            lease: Duration::from_secs(lease),
            // Together below the function's timeout of 60 seconds, with room for AWS.
            upload_timeout: Duration::from_secs(20),
            create_timeout: Duration::from_secs(15).min(Duration::from_secs(lease) / 2),
            request_timeout: Duration::from_secs(8),
        })
    }
}

/// What the function talks to.
#[derive(Debug)]
pub struct Clients {
    /// The table.
    pub table: Table,
    /// The pictures.
    pub s3: aws_sdk_s3::Client,
    /// The secret.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// The HTTP client of X, built at the first request.
    http: std::sync::OnceLock<reqwest::Client>,
}

impl Clients {
    /// The clients of an AWS configuration.
    pub fn new(aws: &SdkConfig, config: &Config) -> Clients {
        Clients {
            table: Table::new(aws_sdk_dynamodb::Client::new(aws), &config.table_name),
            s3: aws_sdk_s3::Client::new(aws),
            secrets: aws_sdk_secretsmanager::Client::new(aws),
            http: std::sync::OnceLock::new(),
        }
    }
}

/// Why there is no tweet, or none that is known of.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
pub enum Error {
    /// Another invocation may be sending.
    #[error("{0} is being sent by another invocation")]
    PostInFlight(PostId),
    /// The tweet was sent without a clear answer, or is not on the timeline yet.
    #[error("{0}")]
    OutcomeUnknown(String),
    /// The tweet was sent, and is not to be found.
    #[error(
        "{0} was sent without a clear answer and is not on the timeline after {1} looks; nothing is sent again until a person has looked at the account"
    )]
    Unconfirmed(PostId, u32),
    /// X said 429.
    #[error("{0}")]
    RateLimited(String),
    /// Somebody is unreachable or busy, and nothing was posted.
    #[error("{0}")]
    ServiceUnavailable(String),
    /// X refuses the credentials.
    #[error("{0}")]
    Unauthorized(String),
    /// X wants money first.
    #[error("{0}")]
    OutOfCredit(String),
    /// The secret is missing or malformed.
    #[error("{0}")]
    SecretUnusable(String),
    /// X refuses the picture or its alt text.
    #[error("{0}")]
    PictureRejected(String),
    /// X refuses the content.
    #[error("X refuses this tweet, and would again: {0}")]
    TweetRejected(String),
    /// X has this text already.
    #[error("X says that the account has just posted this text: {0}")]
    DuplicateTweet(String),
    /// Nobody approved this content.
    #[error("{0} needs an approval of this very picture, caption and alt text, and there is none")]
    NotApproved(PostId),
    /// A tweet is to be taken down, and no operator ordered that.
    #[error(
        "nobody ordered in the table that the tweet of {0} be taken down; `spooky delete {0}` does"
    )]
    NotOrdered(PostId),
    /// The slot is held by another execution.
    #[error("{0}")]
    ClaimLost(String),
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

fn check_texts(input: &Input) -> Result<(), Error> {
    check_caption(&input.caption)
        .map_err(|e| Error::InvalidInput(format!("the caption cannot be posted: {e}")))?;
    check_alt_text(&input.alt_text)
        .map_err(|e| Error::InvalidInput(format!("the alt text cannot be posted: {e}")))
}

fn paused(reason: &str) -> String {
    match reason {
        "" => "paused".to_owned(),
        reason => format!("paused: {reason}"),
    }
}

fn rejected(why: Option<Rejection>) -> Error {
    match why {
        Some(Rejection::Duplicate { message }) => Error::DuplicateTweet(message),
        Some(Rejection::Content { message }) => Error::TweetRejected(message),
        None => Error::TweetRejected("its message was not recorded".to_owned()),
    }
}

fn posted(post: &PostId, id: Option<String>) -> Result<Output, Error> {
    let id = id.ok_or_else(|| Error::Unexpected(anyhow!("{post} is posted without a tweet id")))?;
    Ok(Output {
        status: Status::Posted,
        // The form without a handle leads to the tweet of any account.
        url: Some(format!("https://x.com/i/status/{id}")),
        id: Some(id),
        reason: None,
        skip_reason: None,
        requests: Vec::new(),
        cost_usd: prices::POST.usd(),
    })
}

fn skipped(why: SkipReason, reason: String) -> Output {
    Output {
        status: Status::Skipped,
        id: None,
        url: None,
        reason: Some(reason),
        skip_reason: Some(why),
        requests: Vec::new(),
        cost_usd: 0.0,
    }
}

async fn read(clients: &Clients, post: &PostId, execution: &str) -> Result<Record, Error> {
    match clients.table.read(post).await? {
        None => Err(Error::ClaimLost(format!(
            "nobody holds {post}; pick-day claims it first"
        ))),
        Some(record) if record.execution != execution => Err(Error::ClaimLost(format!(
            "{post} is held by {}, not by {execution}",
            record.execution
        ))),
        Some(record) => Ok(record),
    }
}

/// The ledger is not what it was a moment ago: says what it is now.
async fn moved(clients: &Clients, post: &PostId, execution: &str, now: Timestamp) -> Error {
    match read(clients, post, execution).await {
        Err(error) => error,
        Ok(record) if record.ledger == Ledger::Rejected => rejected(record.rejected_as()),
        Ok(record) if record.ledger == Ledger::Armed && !record.is_in_flight(now) => {
            Error::OutcomeUnknown(format!("{post} was sent by another invocation"))
        }
        // Armed, posted in between, or claimed again: the next entry reads it.
        Ok(_) => Error::PostInFlight(post.clone()),
    }
}

/// Looks for the tweet of an armed ledger whose lease is over. Sends nothing.
async fn reconcile(
    clients: &Clients,
    x: &X<'_>,
    post: &PostId,
    record: &Record,
    now: Timestamp,
) -> Result<Output, Error> {
    if let Some(id) = find(x, record).await? {
        tracing::info!(post = %post, tweet = id, "found on the timeline");
        record_tweet(clients, post, &id, now).await?;
        return posted(post, Some(id));
    }
    clients.table.count_reconciliation(post).await?;
    let looks = record.reconciliations + 1;
    if looks >= MAX_RECONCILIATIONS {
        return Err(Error::Unconfirmed(post.clone(), looks));
    }
    Err(Error::OutcomeUnknown(format!(
        "{post} was sent without a clear answer and is not on the timeline yet (look {looks} of {MAX_RECONCILIATIONS})"
    )))
}

/// The tweet on the timeline: by its media key, else by its text.
async fn find(x: &X<'_>, record: &Record) -> Result<Option<String>, Error> {
    // X's clock and ours may differ a little; a caption is not used twice within minutes.
    let since = record
        .armed_at
        .map(|at| at.checked_sub(SignedDuration::from_mins(5)))
        .transpose()
        .map_err(|e| Error::Unexpected(e.into()))?;
    let tweets = x.timeline(since).await?;
    let by_key = tweets.iter().find(|tweet| {
        tweet
            .attachments
            .media_keys
            .iter()
            .any(|key| record.media_keys.contains(key))
    });
    let text = record.text.as_deref().unwrap_or_default();
    let found = by_key.or_else(|| {
        tweets
            .iter()
            .find(|tweet| !text.is_empty() && x::same_text(&tweet.text, text))
    });
    Ok(found.map(|tweet| tweet.id.clone()))
}

async fn record_tweet(
    clients: &Clients,
    post: &PostId,
    id: &str,
    now: Timestamp,
) -> Result<(), Error> {
    match clients.table.posted(post, id, now).await {
        Ok(true) => Ok(()),
        // Another invocation found the same tweet first.
        Ok(false) => match clients.table.read(post).await? {
            Some(record) if record.tweet_id.as_deref() == Some(id) => Ok(()),
            _ => Err(Error::OutcomeUnknown(format!(
                "tweet {id} of {post} is on X, but the ledger was changed by somebody else"
            ))),
        },
        Err(error) => Err(Error::OutcomeUnknown(format!(
            "tweet {id} of {post} is on X, but could not be recorded: {error}"
        ))),
    }
}

async fn picture(clients: &Clients, config: &Config, image: &Image) -> Result<Vec<u8>, Error> {
    let at = format!("s3://{}/{}", config.image_bucket, image.key);
    let object = clients
        .s3
        .get_object()
        .bucket(&config.image_bucket)
        .key(&image.key)
        .send()
        .await
        .map_err(|error| match &error {
            SdkError::ServiceError(e) if e.err().is_no_such_key() => {
                Error::InvalidInput(format!("there is no picture {at}"))
            }
            SdkError::ServiceError(e) if e.raw().status().as_u16() < 500 => {
                Error::Unexpected(anyhow!("reading {at}: {}", aws_error(&error)))
            }
            _ => Error::ServiceUnavailable(format!("S3 did not give {at}: {}", aws_error(&error))),
        })?;
    let bytes = object
        .body
        .collect()
        .await
        .map_err(|e| Error::ServiceUnavailable(format!("reading {at} broke off: {e}")))?
        .to_vec();
    let hash: String = Sha256::digest(&bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    if hash != image.sha256 {
        return Err(Error::InvalidInput(format!(
            "{at} has the SHA-256 {hash}, not {}: it is not the picture that was stored",
            image.sha256
        )));
    }
    Ok(bytes)
}
