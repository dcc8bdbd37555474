//! The servers that the functions of the local cloud call as OpenAI and X.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
};

use anyhow::{Context, bail};
use base64::{Engine, prelude::BASE64_STANDARD};
use clap::Args;
use fakes::{openai, x};
use local_cloud::Settings;

use crate::files::bots_directory;

/// The servers that the functions call as OpenAI and X.
#[derive(Clone, Debug, Args)]
pub struct Servers {
    /// Call OpenAI, with the key in OPENAI_API_KEY; this costs money.
    #[arg(long, conflicts_with = "openai_url")]
    live_image: bool,
    /// Post to X, with the keys in X_API_KEY, X_API_KEY_SECRET, X_ACCESS_TOKEN and X_ACCESS_TOKEN_SECRET.
    #[arg(long, conflicts_with = "x_url")]
    live_post: bool,
    /// Another server instead of the fake for OpenAI, with /v1.
    #[arg(long)]
    openai_url: Option<String>,
    /// Another server instead of the fake for X.
    #[arg(long)]
    x_url: Option<String>,
}

/// The settings of the functions, and the fakes, which stop when they are dropped.
pub(crate) struct Providers {
    pub(crate) settings: Settings,
    pub(crate) x: Option<x::X>,
    _openai: Option<openai::OpenAi>,
}

impl Servers {
    /// Starts the fakes that are needed. Missing keys are reported before anything starts.
    pub(crate) async fn start(
        &self,
        bot: &str,
        directory: Option<PathBuf>,
    ) -> anyhow::Result<Providers> {
        let (openai_key, x_credentials) = self.keys()?;
        let (openai_url, openai) = self.openai(&openai_key).await?;
        let mut accounts = BTreeMap::from([(bot.to_owned(), x_credentials)]);
        let (x_url, x) = self.x(bot, &mut accounts, directory).await?;
        Ok(Providers {
            settings: Settings {
                openai_url,
                openai_key,
                x_url,
                x_credentials: accounts,
                review_key: fake_review_key(),
                lease_seconds: 90,
                timeouts: HashMap::new(),
            },
            x,
            _openai: openai,
        })
    }

    /// The keys from the environment where a real server needs them, otherwise those of the fakes.
    fn keys(&self) -> anyhow::Result<(String, x::Credentials)> {
        let mut missing = Vec::new();
        let mut variable = |live: bool, name: &'static str, other: &str| match std::env::var(name) {
            Ok(value) if !value.is_empty() => value,
            _ if live => {
                missing.push(name);
                String::new()
            }
            _ => other.to_owned(),
        };
        let fake = fake_credentials(0);
        let openai_key = match self.live_image || self.openai_url.is_some() {
            true => variable(self.live_image, "OPENAI_API_KEY", "fake-key"),
            false => "fake-key".to_owned(),
        };
        let live = self.live_post;
        let x_credentials = match live || self.x_url.is_some() {
            true => x::Credentials {
                api_key: variable(live, "X_API_KEY", &fake.api_key),
                api_key_secret: variable(live, "X_API_KEY_SECRET", &fake.api_key_secret),
                access_token: variable(live, "X_ACCESS_TOKEN", &fake.access_token),
                access_token_secret: variable(
                    live,
                    "X_ACCESS_TOKEN_SECRET",
                    &fake.access_token_secret,
                ),
            },
            false => fake,
        };
        if !missing.is_empty() {
            bail!(
                "set the environment variable{} {} first; nothing was started, and nothing was spent",
                if missing.len() == 1 { "" } else { "s" },
                missing.join(", ")
            );
        }
        Ok((openai_key, x_credentials))
    }

    async fn openai(&self, api_key: &str) -> anyhow::Result<(String, Option<openai::OpenAi>)> {
        match (&self.openai_url, self.live_image) {
            (Some(url), _) => Ok((url.clone(), None)),
            (None, true) => Ok(("https://api.openai.com/v1".to_owned(), None)),
            (None, false) => {
                let options = openai::Options {
                    port: 0,
                    api_key: api_key.to_owned(),
                };
                let server = openai::start(options)
                    .await
                    .context("starting the fake for OpenAI")?;
                Ok((server.base_url(), Some(server)))
            }
        }
    }

    /// The address of X. The fake gets an account for every other bot as well, which is added to `accounts`.
    async fn x(
        &self,
        bot: &str,
        accounts: &mut BTreeMap<String, x::Credentials>,
        directory: Option<PathBuf>,
    ) -> anyhow::Result<(String, Option<x::X>)> {
        match (&self.x_url, self.live_post) {
            (Some(url), _) => return Ok((url.clone(), None)),
            (None, true) => return Ok(("https://api.x.com".to_owned(), None)),
            (None, false) => {}
        }
        let options = x::Options {
            port: 0,
            credentials: accounts[bot].clone(),
            name: display_name(bot),
            handle: handle(bot),
            directory,
        };
        let server = x::start(options).await.context("starting the fake for X")?;
        for (number, other) in (1..).zip(other_bots(bot)?) {
            let credentials = fake_credentials(number);
            server.add_account(x::Profile {
                credentials: credentials.clone(),
                name: display_name(&other),
                handle: handle(&other),
            })?;
            accounts.insert(other, credentials);
        }
        Ok((server.base_url(), Some(server)))
    }
}

/// The folders of the other bots, each of which has its own account on X.
fn other_bots(bot: &str) -> anyhow::Result<Vec<String>> {
    let mut others = Vec::new();
    for entry in std::fs::read_dir(bots_directory())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != bot && entry.path().join("bot.toml").exists() {
            others.push(name);
        }
    }
    others.sort();
    Ok(others)
}

/// The handle of a bot on the fake X.
fn handle(bot: &str) -> String {
    bot.replace('-', "_")
}

/// The name of a bot on the fake X, such as `Spooky Days`.
fn display_name(bot: &str) -> String {
    let capitalized = bot.split('-').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters).collect()
    });
    capitalized.collect::<Vec<String>>().join(" ")
}

/// The keys of an account that the fake for X accepts.
fn fake_credentials(number: u32) -> x::Credentials {
    x::Credentials {
        api_key: "fake-key".to_owned(),
        api_key_secret: "fake-key-secret".to_owned(),
        access_token: format!("{}-fake-token", 1031 + number),
        access_token_secret: "fake-token-secret".to_owned(),
    }
}

/// The key that signs the links of the local cloud, which only this machine can reach.
fn fake_review_key() -> String {
    BASE64_STANDARD.encode("fake signing key of the approval page")
}
