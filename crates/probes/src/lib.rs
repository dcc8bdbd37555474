#![doc = include_str!("../README.md")]

mod bot_files;
mod check;
mod openai;
mod x;

use std::time::Duration;

use ::bot_files::Bot;
use approvals::link::Keys;
use jiff::Timestamp;

pub use check::{Check, Status};

/// How long a provider has to answer.
pub const TIMEOUT: Duration = Duration::from_secs(8);

const RETRY_LATER: &str = "wait, and check again";

/// What the probes use.
#[derive(Debug)]
pub struct Probes<'a> {
    /// Reads the bots' files.
    pub s3: &'a aws_sdk_s3::Client,
    /// Reads the secrets.
    pub secrets: &'a aws_sdk_secretsmanager::Client,
    /// Asks OpenAI and X, with [`TIMEOUT`].
    pub http: &'a reqwest::Client,
    /// The bucket of the bots' files.
    pub bot_files_bucket: &'a str,
    /// The secret with the signing keys of the approval page.
    pub review_secret_arn: &'a str,
    /// The secret with the OpenAI key.
    pub openai_secret_arn: &'a str,
    /// The base URL of OpenAI, with `/v1`.
    pub openai_base_url: &'a str,
    /// The deployment's name. Each bot's X credentials are in the secret `<prefix>/<bot>/x-credentials`.
    pub secrets_prefix: &'a str,
    /// The base URL of X.
    pub x_api_base_url: &'a str,
    /// The current time.
    pub now: Timestamp,
}

/// A bot whose needs are checked.
#[derive(Clone, Copy, Debug)]
pub struct ProbedBot<'a> {
    /// Its folder name.
    pub name: &'a str,
    /// Its `bot.toml`, or why that cannot be read.
    pub bot: Result<&'a Bot, &'a str>,
}

impl Probes<'_> {
    /// Runs all probes for these bots.
    pub async fn run(&self, bots: &[ProbedBot<'_>]) -> Vec<Check> {
        let mut checks = Vec::new();
        for bot in bots {
            checks.extend(bot_files::check(self, bot).await);
        }
        checks.push(self.signing_keys().await);
        checks.extend(openai::check(self, self.http, bots).await);
        let mut clock = None;
        for bot in bots {
            let (credentials, of_x) = x::check(self, self.http, bot.name).await;
            checks.push(credentials);
            // X has one clock, whichever account asks.
            clock = clock.or(of_x);
        }
        checks.extend(clock);
        checks
    }

    async fn signing_keys(&self) -> Check {
        let what = "signing keys";
        match Keys::read(self.secrets, self.review_secret_arn).await {
            Ok(_) => Check::ok(what, "the approval page's links can be signed"),
            Err(error) => Check::fail(
                what,
                error.to_string(),
                "store {\"current\": \"…\"} with 32 random bytes in base64 in the secret",
            ),
        }
    }
}

fn no_answer(provider: &str, error: &reqwest::Error) -> String {
    match error.is_timeout() {
        true => format!(
            "{provider} did not answer within {} seconds",
            TIMEOUT.as_secs()
        ),
        false => format!("{provider} is unreachable"),
    }
}
