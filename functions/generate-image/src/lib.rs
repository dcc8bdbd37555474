#![doc = include_str!("../README.md")]

mod drafts;
mod openai;

use std::{sync::OnceLock, time::Duration};

use aws_config::SdkConfig;
use drafts::{Drafts, Found};
use jiff::{Timestamp, tz::TimeZone};
use lambda_function::{Invocation, env};
use openai::{Failure, OpenAi, Painting};
use post::PostId;
use posts_table::{
    Caps, Micros, Reservation, Reserved, Settlement, Table,
    prices::{max_picture_usd, picture_usd},
};
use serde::{Deserialize, Serialize};

/// What the picture is made from.
#[derive(Clone, Debug, Deserialize)]
pub struct Input {
    /// The post, `bot/date/slot`.
    pub post: String,
    /// Which variation of the picture this is, from 1.
    pub round: Option<u32>,
    /// The prompt.
    pub prompt: String,
    /// The parameters of the picture.
    pub picture: Picture,
    /// The most that the bot may spend. An execution that is older than this field has the default caps.
    pub money: Option<Caps>,
    /// The bot's time zone, by its IANA name: its days and months are what the caps are for. The default is UTC.
    #[serde(rename = "timeZone")]
    pub time_zone: Option<String>,
}

/// The parameters of a picture.
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
    /// The key in the bucket.
    pub key: String,
    /// The content type that was requested; `store-image` compares it with the draft.
    pub content_type: String,
    /// The image model.
    pub model: String,
    /// Width and height in pixels.
    pub size: String,
    /// The quality that OpenAI reports.
    pub quality: String,
    /// OpenAI's count of tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The price in US dollars.
    pub cost_usd: f64,
    /// Whether the price is the most that it can be, since OpenAI's count is missing.
    pub cost_is_estimated: bool,
    /// Whether an earlier invocation stored the draft, so that this one paid nothing.
    #[serde(default)]
    pub found: bool,
}

/// OpenAI's count of tokens. It does not always split the input into text and images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// The text and images of the request.
    pub input_tokens: u64,
    /// The picture.
    pub output_tokens: u64,
}

impl Usage {
    fn cost_usd(&self) -> f64 {
        picture_usd(self.input_tokens, self.output_tokens)
    }
}

/// Generates a picture and stores it as a draft, or returns the draft that is stored.
///
/// The invocation's id names the reservation of the money.
pub async fn generate_image(
    clients: &Clients,
    config: &Config,
    invocation: Invocation,
    input: Input,
) -> Result<Output, Error> {
    let order = Order::of(input)?;
    let drafts = Drafts::new(clients, config);
    if order.post.dry_run.is_some() {
        return drafts.test_card(&order).await;
    }
    let request = openai::request(&order.input);
    let key = drafts::key(&order.input, &request);
    if let Some(found) = drafts.find(&key).await? {
        tracing::info!(post = %order.post, key, "the draft is already stored");
        settle_found(clients, &order.post, &found, invocation.now).await?;
        return Ok(found.draft);
    }

    // Before any money is reserved, since a missing key costs nothing.
    let openai = OpenAi::new(clients, config).await?;
    let reservation = reserve(clients, &order, &invocation).await?;
    let painting = match openai.paint(&request).await {
        Ok(painting) => painting,
        Err(failure) => {
            let (settlement, cost) = settlement(&failure);
            settle(clients, &reservation, settlement, cost, invocation.now).await;
            return Err(failure.error);
        }
    };
    let draft = draft(order, key, &painting, &reservation);
    let cost = Micros::from_usd(draft.cost_usd);
    let stored = drafts.store(draft, Some(&reservation), painting.picture);
    let stored = stored.await;
    settle(
        clients,
        &reservation,
        Settlement::Spent,
        cost,
        invocation.now,
    )
    .await;
    stored
}

/// An input that was checked.
struct Order {
    post: PostId,
    zone: TimeZone,
    content_type: String,
    input: Input,
}

impl Order {
    fn of(input: Input) -> Result<Order, Error> {
        let post = input.post.parse()?;
        let zone = match &input.time_zone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).map_err(|_| {
                Error::InvalidInput(format!(
                    "timeZone is {name:?}; it must be an IANA name such as America/New_York"
                ))
            })?,
        };
        let content_type = match input.picture.format.as_str() {
            format @ ("jpeg" | "png" | "webp") => format!("image/{format}"),
            other => {
                return Err(Error::InvalidInput(format!(
                    "picture.format is {other:?}; it must be jpeg, png or webp"
                )));
            }
        };
        if input.prompt.trim().is_empty() {
            return Err(Error::InvalidInput("prompt is empty".to_owned()));
        }
        Ok(Order {
            post,
            zone,
            content_type,
            input,
        })
    }

    fn round(&self) -> u32 {
        self.input.round.unwrap_or(1)
    }
}

/// Reserves the most that the picture can cost.
async fn reserve(
    clients: &Clients,
    order: &Order,
    invocation: &Invocation,
) -> Result<Reservation, Error> {
    let picture = &order.input.picture;
    let most = max_picture_usd(&picture.size, &picture.quality, &order.input.prompt);
    let reserved = clients
        .table
        .reserve(
            &order.post,
            order.round(),
            &invocation.id,
            Micros::from_usd(most),
            order.input.money.unwrap_or_default(),
            &order.zone,
            invocation.now,
        )
        .await?;
    match reserved {
        Reserved::Yes(reservation) => Ok(reservation),
        Reserved::OverBudget(why) => Err(Error::OverBudget(why)),
    }
}

/// What counts of a reservation whose call failed.
fn settlement(failure: &Failure) -> (Settlement, Micros) {
    match &failure.usage {
        Some(usage) => (Settlement::Spent, Micros::from_usd(usage.cost_usd())),
        None if failure.error.costs_nothing() => (Settlement::Released, Micros(0)),
        None => (Settlement::Unknown, Micros(0)),
    }
}

/// Settles the reservation of an invocation that stored the draft and may have died before it could settle.
async fn settle_found(
    clients: &Clients,
    post: &PostId,
    found: &Found,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(id) = &found.reservation else {
        return Ok(());
    };
    if let Some(reservation) = clients.table.reservation(&post.bot, id).await? {
        let cost = Micros::from_usd(found.draft.cost_usd);
        settle(clients, &reservation, Settlement::Spent, cost, now).await;
    }
    Ok(())
}

/// Settles a reservation. A failure does not fail the picture: the watchdog then counts all that was reserved.
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
        tracing::warn!(
            post = reservation.post,
            %error,
            "the reservation was not settled; the watchdog settles it in full"
        );
    }
}

/// The draft of a picture, before it is stored.
fn draft(order: Order, key: String, painting: &Painting, reservation: &Reservation) -> Output {
    let most = reservation.micros;
    let picture = order.input.picture;
    let draft = Output {
        key,
        content_type: order.content_type,
        model: picture.model,
        size: painting.size.clone().unwrap_or(picture.size),
        quality: painting.quality.clone().unwrap_or(picture.quality),
        cost_usd: painting.usage.as_ref().map_or(most.usd(), Usage::cost_usd),
        cost_is_estimated: painting.usage.is_none(),
        usage: painting.usage.clone(),
        found: false,
    };
    let (post, cost_usd) = (&order.post, draft.cost_usd);
    tracing::info!(%post, key = draft.key, cost_usd, "picture generated");
    if Micros::from_usd(cost_usd) > most {
        tracing::warn!(
            %post,
            cost_usd,
            %most,
            "the picture cost more than was reserved; raise max_picture_usd in crates/posts-table/src/prices.rs"
        );
    }
    draft
}

/// The configuration, from the environment.
#[derive(Clone, Debug)]
pub struct Config {
    /// The name of the table, which holds the budget.
    pub table_name: String,
    /// The bucket of the drafts.
    pub image_bucket: String,
    /// The secret with the API key of OpenAI.
    pub openai_secret_arn: String,
    /// The address of OpenAI's API, with `/v1`.
    pub openai_base_url: String,
    /// The longest time that a picture may take. High quality has taken two minutes.
    pub timeout: Duration,
}

impl Config {
    /// Reads the environment.
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

/// The clients of the services.
#[derive(Debug)]
pub struct Clients {
    /// The table, which holds the budget.
    pub table: Table,
    /// The drafts.
    pub s3: aws_sdk_s3::Client,
    /// The API key of OpenAI.
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
}

/// Why there is no draft.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
pub enum Error {
    /// The picture could exceed a cap, so that nothing was bought.
    #[error("{0}")]
    OverBudget(String),
    /// OpenAI's safety system refused the prompt or the picture.
    #[error("{0}")]
    PromptRejected(String),
    /// OpenAI throttled the request.
    #[error("{0}")]
    RateLimited(String),
    /// A service was unreachable or busy, and did nothing.
    #[error("{0}")]
    ServiceUnavailable(String),
    /// OpenAI failed, and may have generated the picture by then.
    #[error("{0}")]
    ServiceFailed(String),
    /// OpenAI did not answer in time.
    #[error("{0}")]
    TimedOut(String),
    /// OpenAI's answer has no picture.
    #[error("{0}")]
    NoPicture(String),
    /// The OpenAI account has no credit.
    #[error("{0}")]
    OutOfCredit(String),
    /// OpenAI does not serve the model.
    #[error("{0}; set another picture.model in bot.toml")]
    ModelGone(String),
    /// OpenAI refused the API key.
    #[error("{0}")]
    Unauthorized(String),
    /// The secret is missing or malformed.
    #[error("{0}")]
    SecretUnusable(String),
    /// OpenAI refused the request for another reason.
    #[error("{0}")]
    RequestRejected(String),
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

impl Error {
    /// Whether OpenAI charges nothing for sure. Whether it charges for a refusal by the safety system is not documented.
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
