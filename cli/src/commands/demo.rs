//! `spooky demo`.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use bot_files::Pick;
use clap::Args;
use fakes::{openai, x};
use jiff::civil::Date;
use local_cloud::{Account, Emulator, Mails, Options, Settings, approve, build_functions, deploy};
use serde_json::{Value, json};

use deployment::{BotFiles, Deployment, EndedExecution, ad_hoc};

use crate::{
    args::BotArg,
    files::bots_directory,
    terminal::{Progress, print},
};

/// Run one slot from end to end on a fresh local cloud, show the post, and exit.
#[derive(Debug, Args)]
pub struct Demo {
    #[command(flatten)]
    bot: BotArg,
    /// The date [default: today in the bot's time zone].
    #[arg(long, value_parser = crate::args::date)]
    date: Option<Date>,
    /// BotArg of the date's posts.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    slot: u32,
    /// Wait for your decision on the approval page, instead of approving automatically.
    #[arg(long)]
    approve: bool,
    /// Print one JSON object at the end.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    servers: Servers,
}

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
        let mut missing = Vec::new();
        let mut variable = |live: bool, name: &'static str, other: &str| match std::env::var(name) {
            Ok(value) if !value.is_empty() => value,
            _ if live => {
                missing.push(name);
                String::new()
            }
            _ => other.to_owned(),
        };
        let openai_key = match self.live_image || self.openai_url.is_some() {
            true => variable(self.live_image, "OPENAI_API_KEY", "fake-key"),
            false => "fake-key".to_owned(),
        };
        let x_live = self.live_post;
        let x_credentials = match x_live || self.x_url.is_some() {
            true => x::Credentials {
                api_key: variable(x_live, "X_API_KEY", "fake-key"),
                api_key_secret: variable(x_live, "X_API_KEY_SECRET", "fake-key-secret"),
                access_token: variable(x_live, "X_ACCESS_TOKEN", "1031-fake-token"),
                access_token_secret: variable(x_live, "X_ACCESS_TOKEN_SECRET", "fake-token-secret"),
            },
            false => fake_credentials(0),
        };
        if !missing.is_empty() {
            bail!(
                "set the environment variable{} {} first; nothing was started, and nothing was spent",
                if missing.len() == 1 { "" } else { "s" },
                missing.join(", ")
            );
        }
        let mut fake_openai = None;
        let openai_url = match (&self.openai_url, self.live_image) {
            (Some(url), _) => url.clone(),
            (None, true) => "https://api.openai.com/v1".to_owned(),
            (None, false) => {
                let options = openai::Options {
                    port: 0,
                    api_key: openai_key.clone(),
                };
                let server = openai::start(options)
                    .await
                    .context("starting the fake for OpenAI")?;
                fake_openai.insert(server).base_url()
            }
        };
        let mut accounts = BTreeMap::from([(bot.to_owned(), x_credentials.clone())]);
        let mut fake_x = None;
        let x_url = match (&self.x_url, self.live_post) {
            (Some(url), _) => url.clone(),
            (None, true) => "https://api.x.com".to_owned(),
            (None, false) => {
                let options = x::Options {
                    port: 0,
                    credentials: x_credentials.clone(),
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
                fake_x.insert(server).base_url()
            }
        };
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
            x: fake_x,
            _openai: fake_openai,
        })
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

impl Demo {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let files = BotFiles::from_folder(&bots_directory(), &self.bot.bot)?;
        let progress = Progress::new();
        let date = self.next_date(&files, &progress)?;
        let providers = self.servers.start(&self.bot.bot, None).await?;
        let zips = progress.suspended(build_functions()).await?.launchers("")?;
        progress.step("starting the local cloud");
        let emulator = Emulator::start(Options::default()).await?;
        let account = emulator.account();
        progress.step("deploying the state machine and its functions");
        let deployment = deploy(&account, &providers.settings, &zips).await?;
        let execution = deployment
            .start(&ad_hoc(&self.bot.bot, date, self.slot))
            .await?;
        let ended = tokio::select! {
            ended = deployment.wait(&execution, |state| progress.step(state)) => ended?,
            error = self.answer_approvals(&account, &progress) => return Err(error),
        };
        let result = self.result(&deployment, &providers, date, &ended).await;
        progress.step("stopping the local cloud");
        emulator.stop().await?;
        drop(progress);
        let result = result?;
        match self.json {
            true => print(&result.to_string()),
            false => print(&summary(&result)),
        }
    }

    /// Answers the approvals until the run has ended; returns only on an error.
    async fn answer_approvals(&self, account: &Account, progress: &Progress) -> anyhow::Error {
        let mut mails = Mails::of(account);
        loop {
            let new = match mails.new_ones().await {
                Ok(new) => new,
                Err(error) => return error,
            };
            for mail in new {
                let Some(link) = &mail.link else { continue };
                if self.approve {
                    progress.note(&format!("email to {}: {}", mail.to, mail.subject));
                    progress.note(&format!("decide at {link}"));
                } else if let Err(error) = approve(link).await {
                    return error.context("approving on the page");
                } else {
                    progress.step(&format!("approved on the page as {}", mail.to));
                }
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The date, or the next one with something to post.
    fn next_date(&self, files: &BotFiles, progress: &Progress) -> anyhow::Result<Date> {
        let mut date = self.date.unwrap_or_else(|| files.today());
        for _ in 0..366 {
            match files.calendar.pick(date, self.slot) {
                Pick::Observance(_) => return Ok(date),
                Pick::Nothing { reason, .. } => {
                    progress.note(&format!(
                        "nothing to post on {date}: {reason}; trying the next date"
                    ));
                    date = date.tomorrow()?;
                }
            }
        }
        bail!(
            "bots/{}/calendar.toml has nothing to post in slot {} for a year; add days to it",
            self.bot.bot,
            self.slot
        )
    }

    /// Saves the picture and the timeline page, and returns what happened.
    async fn result(
        &self,
        deployment: &Deployment,
        providers: &Providers,
        date: Date,
        ended: &EndedExecution,
    ) -> anyhow::Result<Value> {
        ensure!(
            ended.status == "SUCCEEDED",
            "the execution failed {}",
            ended.failure_summary()
        );
        let out = local_cloud::target_directory().join("demo");
        std::fs::create_dir_all(&out)?;
        let out = out.canonicalize()?;
        let document = &ended.output;
        let mut image = Value::Null;
        if let Some(key) = document["image"]["key"].as_str() {
            let path = out.join(format!("{}-{date}-{}.jpg", self.bot.bot, self.slot));
            std::fs::write(&path, deployment.picture(key).await?)?;
            image = json!(path);
        }
        let mut timeline = Value::Null;
        if let Some(x) = &providers.x {
            let path = out.join("timeline.html");
            std::fs::write(&path, x.timeline_html())?;
            timeline = json!(path);
        }
        Ok(json!({
            "postId": document["day"]["post"],
            "date": date,
            "slot": self.slot,
            "day": document["day"]["name"],
            "prompt": document["prompt"]["prompt"],
            "caption": document["prompt"]["caption"],
            "altText": document["prompt"]["altText"],
            "image": image,
            "tweetId": document["tweet"]["id"],
            "timeline": timeline,
            "approvedBy": document["approval"]["decision"]["by"],
            "outcome": document["record"]["outcome"],
            "costUsd": document["record"]["costUsd"],
            "execution": ended.execution,
            "states": ended.states,
        }))
    }
}

fn summary(result: &Value) -> String {
    let text = |name: &str| result[name].as_str().unwrap_or("none").to_owned();
    let states: Vec<String> = result["states"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|state| {
            format!(
                "  {:<16}{:>7} ms{}",
                state["name"].as_str().unwrap_or_default(),
                state["milliseconds"],
                match state["attempts"].as_u64() {
                    Some(2..) => format!("  {} attempts", state["attempts"]),
                    _ => String::new(),
                }
            )
        })
        .collect();
    format!(
        "{} is {}.\n\n{}\n\nAlt text: {}\nPicture:  {}\nTimeline: {}\nTweet:    {}\nApproved by: {}\nCost:     ${:.3} (simulated)\n\n{}",
        text("postId"),
        text("outcome"),
        text("caption"),
        text("altText"),
        text("image"),
        text("timeline"),
        text("tweetId"),
        text("approvedBy"),
        result["costUsd"].as_f64().unwrap_or_default(),
        states.join("\n")
    )
}
