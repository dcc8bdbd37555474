//! `spooky local`.

use std::{
    collections::HashSet,
    fs::{File, TryLockError},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, bail};
use aws_sdk_sfn::types::ExecutionStatus;
use bot_files::Bot;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use local_cloud::{Account, MiniStack, Options};
use posts_table::Operator;
use serde::{Deserialize, Serialize};

use crate::{
    Files, Progress, Which,
    cloud::{self, Cloud, Run},
    demo::Servers,
    redrive,
    review::Mails,
    say,
};

/// Start the local cloud and run each slot when it is due, until Ctrl-C.
#[derive(Debug, Args)]
pub struct Local {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    servers: Servers,
}

/// The one account of the local cloud, so that the next start finds everything again.
const ACCOUNT: u64 = 310_000_000_000;

/// The error of an execution that was running when the emulator stopped.
const CUT_OFF: &str = "States.ServiceRestart";

/// Where a running local cloud is.
#[derive(Debug, Serialize, Deserialize)]
struct Place {
    url: String,
    account: String,
}

fn directory() -> PathBuf {
    local_cloud::target_directory().join("local")
}

impl Local {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let files = Files::read(&self.which.bot)?;
        let directory = directory();
        std::fs::create_dir_all(&directory)?;
        // Freed when the process ends, however it does.
        let lock = File::create(directory.join("lock"))?;
        if let Err(TryLockError::WouldBlock) = lock.try_lock() {
            bail!(
                "another `spooky local` is running here: use that one, or stop it with Ctrl-C in its terminal first"
            );
        }
        // On the same port, the links of mails that were sent before stay right.
        let port = std::fs::read(directory.join("local.json"))
            .ok()
            .and_then(|text| serde_json::from_slice::<Place>(&text).ok())
            .and_then(|place| place.url.rsplit(':').next()?.parse().ok());
        let providers = self
            .servers
            .start(&self.which.bot, Some(directory.join("timeline")))
            .await?;
        let progress = Progress::new();
        progress.step("building the functions");
        let zips = cloud::build_functions().await?;
        progress.step("starting the local cloud");
        let ministack = MiniStack::start(Options {
            directory: Some(directory.join("cloud")),
            port,
            ..Options::default()
        })
        .await?;
        let account = ministack.account_named(ACCOUNT);
        let cloud = Cloud::deploy(&account, &providers.settings, &zips).await?;
        let place = Place {
            url: ministack.url().to_owned(),
            account: account.id().to_owned(),
        };
        std::fs::write(directory.join("local.json"), serde_json::to_vec(&place)?)?;
        drop(progress);
        go_on(&cloud).await?;
        say(&format!(
            "The local cloud is up; Ctrl-C stops it, and the next start goes on with its state.\n\
             AWS endpoint:  {} (access key {}, secret test, region {})\n\
             State machine: {}\n\
             Timeline:      {}\n\
             Log:           {}\n\
             In another terminal: cargo run -- run, runs, show, approvals, approve, regenerate, reject, redrive, status, pause",
            ministack.url(),
            account.id(),
            local_cloud::REGION,
            cloud.state_machine_arn,
            providers.settings.x_url,
            ministack.log().display(),
        ))?;
        self.keep_time(&cloud, &account, &files.bot).await
    }

    /// Does what schedules do, for ever: starts each slot, runs the watchdog every minute, and tells the mails.
    /// The clock is looked at every second, so that a laptop that slept through a slot's start still starts it,
    /// unless the slot is too late.
    async fn keep_time(&self, cloud: &Cloud, account: &Account, bot: &Bot) -> anyhow::Result<()> {
        let mut looked = Timestamp::now();
        let mut watched = looked;
        let mut started = HashSet::new();
        let mut mails = Mails::of(account);
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = Timestamp::now();
            for start in bot.starts(looked, now)? {
                if started.insert(start) {
                    let (slot, at) = (start.slot, start.at);
                    let input = cloud::scheduled(&self.which.bot, slot, at);
                    let execution = cloud.start(&input).await?;
                    say(&format!("started slot {slot} of {at}: {execution}"))?;
                }
            }
            looked = now;
            for mail in mails.new_ones().await? {
                say(&format!("mail to {}: {}", mail.to, mail.subject))?;
                match &mail.link {
                    Some(link) => say(&format!("  decide at {link}"))?,
                    // A notice is told as a whole, since its mail is nowhere else to be read.
                    None => {
                        for line in mail.text.lines() {
                            say(format!("  {line}").trim_end())?;
                        }
                    }
                }
            }
            if now.duration_since(watched) >= SignedDuration::from_mins(1) {
                watched = now;
                let answer = cloud.run_watchdog().await?;
                if let Some(error) = answer["errorMessage"].as_str() {
                    say(&format!("the watchdog: {error}"))?;
                }
            }
        }
    }
}

/// Goes on with the runs that the stop of the local cloud has cut off, each from the state that it was in.
async fn go_on(cloud: &Cloud) -> anyhow::Result<()> {
    let operator = Operator {
        by: "spooky local".to_owned(),
        reason: Some("restart of the local cloud".to_owned()),
    };
    for run in cloud.runs().await? {
        // One that cannot go on does not keep the others, or the local cloud, waiting.
        match go_on_with(cloud, &run, &operator).await {
            Ok(None) => {}
            Ok(Some(told)) => say(&told)?,
            Err(error) => say(&format!(
                "{} was cut off and cannot go on: {error:#}; type `spooky show {}`",
                run.first.arn, run.first.arn
            ))?,
        }
    }
    Ok(())
}

/// Goes on with a run if it was cut off, and says so.
async fn go_on_with(
    cloud: &Cloud,
    run: &Run,
    operator: &Operator,
) -> anyhow::Result<Option<String>> {
    let last = run.last();
    if last.status != ExecutionStatus::Failed {
        return Ok(None);
    }
    let described = cloud.described(&last.arn).await?;
    if described.is_none_or(|there| there.error() != Some(CUT_OFF)) {
        return Ok(None);
    }
    let post = redrive::post_of_run(cloud, run).await?;
    let record = match &post {
        Some(post) => cloud.table.read(post).await?,
        None => None,
    };
    // Another run has the slot by now, or this one has its end on record.
    if record
        .as_ref()
        .is_some_and(|record| !run.holds(&record.execution) || record.outcome.is_some())
    {
        return Ok(None);
    }
    let claimed = post.as_ref().filter(|_| record.is_some());
    let execution = cloud.continue_from(claimed, run, operator).await?;
    let name = post.map_or_else(|| run.first.arn.clone(), |post| post.to_string());
    Ok(Some(format!("goes on with {name}: {execution}")))
}

/// The local cloud that another `spooky` has started.
pub(crate) async fn running() -> anyhow::Result<Cloud> {
    let start = "start it with `cargo run -- local` in another terminal";
    let text = std::fs::read(directory().join("local.json"))
        .with_context(|| format!("the local cloud was never started: {start}"))?;
    let place: Place = serde_json::from_slice(&text)?;
    let address = place.url.trim_start_matches("http://");
    std::net::TcpStream::connect(address)
        .with_context(|| format!("the local cloud is not running: {start}"))?;
    Ok(Cloud::of(&Account::at(&place.url, &place.account)).await)
}
