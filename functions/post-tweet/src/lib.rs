#![doc = include_str!("../README.md")]

mod delete;
mod dry_run;
mod ledger;
mod picture;
mod reconcile;
mod x;

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use aws_config::SdkConfig;
use jiff::Timestamp;
use lambda_function::{Invocation, env};
use post::{PostId, SkipReason};
use post_text::{check_alt_text, check_caption};
use posts_table::{Ledger, Table};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;
use x::X;

pub use delete::{Delete, Deleted, delete_tweet};

/// The payload of an invocation.
#[derive(Clone, Debug)]
pub enum Request {
    /// The state machine posts.
    Post(Input),
    /// An operator deletes a tweet.
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

/// The post and its content.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The ARN of the execution.
    pub execution: String,
    /// The post, `bot/date/slot`.
    pub post: String,
    /// The round whose approval counts, from 1.
    pub round: Option<u32>,
    /// The text of the tweet.
    pub caption: String,
    /// The description of the picture.
    pub alt_text: String,
    /// The picture.
    pub image: Image,
}

/// The picture that `store-image` stored.
#[derive(Clone, Debug, Deserialize)]
pub struct Image {
    /// The key in the bucket.
    pub key: String,
    /// The SHA-256 of the bytes, hex.
    pub sha256: String,
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

/// How the post ended.
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
    /// The requests that a dry run would have sent to X, in order, without their signatures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<Value>,
    /// What X charges for the post and its alt text, in US dollars.
    pub cost_usd: f64,
}

/// Whether a tweet was posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The tweet is on X.
    Posted,
    /// Nothing was sent, and nothing should be.
    Skipped,
    /// Nothing was sent, since it is a dry run.
    #[serde(rename = "dry-run")]
    DryRun,
}

/// Posts or deletes a tweet.
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
    let started = Instant::now();
    let posting = Posting::new(clients, config, &invocation, &input)?;
    let record = posting.record().await?;
    // The id of the post decides: a dry run has a separate key in the table.
    if posting.post.dry_run.is_some() {
        return posting.dry_run(&record).await;
    }
    match record.ledger {
        Ledger::Claimed => {}
        Ledger::Posted => return posting.posted(record.tweet_id),
        Ledger::Rejected => return Err(ledger::rejected(record.rejected_as())),
        Ledger::Armed if record.is_in_flight(posting.now) => {
            return Err(Error::PostInFlight(posting.post));
        }
        Ledger::Armed => return posting.reconcile(&record).await,
    }

    posting.check_texts()?;
    let picture = posting.picture().await?;
    let x = posting.x().await?;
    let media = posting.upload(&x, picture).await?;
    if let Some(skipped) = posting.arm(&media, record.approval_required).await? {
        return Ok(skipped);
    }
    // An invocation that was delayed must not send when another one can already be searching for its tweet.
    if started.elapsed() + config.create_timeout > config.lease {
        posting.disarm().await?;
        return Err(Error::ServiceUnavailable(
            "the upload took so long that the lease is nearly over; nothing was sent".to_owned(),
        ));
    }
    let created = x.create_tweet(&input.caption, &media.id).await;
    posting.conclude(&x, created).await
}

/// An invocation that posts. The steps are methods, in the file of their subject.
struct Posting<'a> {
    clients: &'a Clients,
    config: &'a Config,
    post: PostId,
    input: &'a Input,
    now: Timestamp,
    lease_id: &'a str,
}

impl<'a> Posting<'a> {
    fn new(
        clients: &'a Clients,
        config: &'a Config,
        invocation: &'a Invocation,
        input: &'a Input,
    ) -> Result<Posting<'a>, Error> {
        Ok(Posting {
            clients,
            config,
            post: input.post.parse()?,
            input,
            now: invocation.now,
            lease_id: &invocation.id,
        })
    }

    fn check_texts(&self) -> Result<(), Error> {
        check_caption(&self.input.caption)
            .map_err(|e| Error::InvalidInput(format!("the caption cannot be posted: {e}")))?;
        check_alt_text(&self.input.alt_text)
            .map_err(|e| Error::InvalidInput(format!("the alt text cannot be posted: {e}")))
    }

    async fn x(&self) -> Result<X<'a>, Error> {
        X::new(self.clients, self.config, &self.post.bot).await
    }
}

/// The configuration, from the environment.
#[derive(Clone, Debug)]
pub struct Config {
    /// The name of the table.
    pub table_name: String,
    /// The bucket of the pictures.
    pub image_bucket: String,
    /// The deployment's name. Each bot's X credentials are the secret `<prefix>/<bot>/x-credentials`.
    pub secrets_prefix: String,
    /// The address of X's API.
    pub x_api_base_url: String,
    /// How long after its start an invocation may still send.
    pub lease: Duration,
    /// The longest time that the upload may take.
    pub upload_timeout: Duration,
    /// The longest time that creating the tweet may take.
    pub create_timeout: Duration,
    /// The longest time that each other request to X may take.
    pub request_timeout: Duration,
}

impl Config {
    /// Reads the environment.
    pub fn from_env() -> Result<Config, env::Error> {
        let lease = env::parsed("LEASE_SECONDS", str::parse::<u64>)?;
        Ok(Config {
            table_name: env::required("TABLE_NAME")?,
            image_bucket: env::required("IMAGE_BUCKET")?,
            secrets_prefix: env::required("SECRETS_PREFIX")?,
            x_api_base_url: env::or("X_API_BASE_URL", "https://api.x.com"),
            lease: Duration::from_secs(lease),
            // Together below the function's timeout of 60 seconds, with time left for AWS.
            upload_timeout: Duration::from_secs(20),
            create_timeout: Duration::from_secs(15).min(Duration::from_secs(lease) / 2),
            request_timeout: Duration::from_secs(8),
        })
    }
}

/// The clients of the services.
#[derive(Debug)]
pub struct Clients {
    /// The table.
    pub table: Table,
    /// The pictures.
    pub s3: aws_sdk_s3::Client,
    /// The X credentials.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// The HTTP client of X, built at the first request.
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
}

/// Why there is no tweet, or none that is known.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
pub enum Error {
    /// Another invocation can be sending.
    #[error("{0} is being sent by another invocation")]
    PostInFlight(PostId),
    /// The tweet was sent without a clear answer, or is not on the timeline yet.
    #[error("{0}")]
    OutcomeUnknown(String),
    /// The tweet was sent, and no reconciliation attempt found it.
    #[error(
        "{0} was sent without a clear answer and is not on the timeline after {1} reconciliation attempts; it needs an operator's decision, and nothing is sent until then"
    )]
    Unconfirmed(PostId, u32),
    /// X throttled the request.
    #[error("{0}")]
    RateLimited(String),
    /// A service is unreachable or busy, and nothing was posted.
    #[error("{0}")]
    ServiceUnavailable(String),
    /// X refused the credentials, the app's permission or the account.
    #[error("{0}")]
    Unauthorized(String),
    /// The X account has no credit.
    #[error("{0}")]
    OutOfCredit(String),
    /// The secret is missing or malformed.
    #[error("{0}")]
    SecretUnusable(String),
    /// X refused the picture or its alt text.
    #[error("{0}")]
    PictureRejected(String),
    /// X refused the content for good.
    #[error("X refuses the content of this tweet: {0}")]
    TweetRejected(String),
    /// The account has a tweet with this text already.
    #[error("X reports that the account has already posted this text: {0}")]
    DuplicateTweet(String),
    /// The bot requires an approval, and this content has none.
    #[error("{0} needs an approval of exactly this picture, caption and alt text, and has none")]
    NotApproved(PostId),
    /// The table has no operator's order to delete the tweet.
    #[error("the table has no order to delete the tweet of {0}; run `spooky delete {0}`")]
    NotOrdered(PostId),
    /// Another execution holds the slot.
    #[error("{0}")]
    ClaimLost(String),
    /// A field of the input is missing or invalid.
    #[error("{0}")]
    InvalidInput(String),
    /// Anything else.
    #[error("{0:#}")]
    Unexpected(anyhow::Error),
}

lambda_function::function_error!(Error {
    lambda_function::UnreadableInput => InvalidInput,
    lambda_function::AwsError => ServiceUnavailable or Unexpected,
    post::InvalidPostId => InvalidInput,
    posts_table::Error => ServiceUnavailable or Unexpected,
    provider_secrets::Error => ServiceUnavailable or SecretUnusable,
});
