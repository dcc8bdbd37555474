//! `spooky local`.

use std::{
    collections::HashSet,
    fs::{File, TryLockError},
    time::Duration,
};

use anyhow::bail;
use aws_sdk_sfn::types::ExecutionStatus;
use bot_files::Bot;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use local_cloud::{
    Account, Emulator, Mails, Options, RunningAddress, build_functions, deploy, local_directory,
};
use posts_table::Operator;

use deployment::{BotFiles, Deployment, Run, operations::post_of_run};

use crate::{
    args::BotArg,
    files::bots_directory,
    servers::Servers,
    terminal::{Progress, print},
};

/// Start the local cloud and run each slot when it is due, until Ctrl-C.
#[derive(Debug, Args)]
pub struct Local {
    #[command(flatten)]
    bot: BotArg,
    #[command(flatten)]
    servers: Servers,
}

/// The account of the local cloud, always the same, so that the next start finds its state.
const ACCOUNT: u64 = 310_000_000_000;

/// The error of an execution that was running when the emulator stopped.
const INTERRUPTED: &str = "States.ServiceRestart";

impl Local {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let files = BotFiles::from_folder(&bots_directory(), &self.bot.bot)?;
        let directory = local_directory();
        std::fs::create_dir_all(&directory)?;
        // The operating system releases the lock when the process ends.
        let lock = File::create(directory.join("lock"))?;
        if let Err(TryLockError::WouldBlock) = lock.try_lock() {
            bail!("another `spooky local` runs here: use that one, or stop it with Ctrl-C first");
        }
        // On the same port, the links of earlier emails keep working.
        let port = RunningAddress::read()
            .ok()
            .and_then(|address| address.url.rsplit(':').next()?.parse().ok());
        let providers = self
            .servers
            .start(&self.bot.bot, Some(directory.join("timeline")))
            .await?;
        let progress = Progress::new();
        let zips = progress.suspended(build_functions()).await?.launchers("")?;
        progress.step("starting the local cloud");
        let emulator = Emulator::start(Options {
            directory: Some(directory.join("cloud")),
            port,
            ..Options::default()
        })
        .await?;
        let account = emulator.account_named(ACCOUNT);
        let deployment = deploy(&account, &providers.settings, &zips).await?;
        let address = RunningAddress {
            url: emulator.url().to_owned(),
            account: account.id().to_owned(),
        };
        address.write()?;
        drop(progress);
        resume_interrupted(&deployment).await?;
        print(&format!(
            "The local cloud is running. Ctrl-C stops it; the next start resumes from its state.\n\
             AWS endpoint:  {} (access key {}, secret test, region {})\n\
             State machine: {}\n\
             Timeline:      {}\n\
             Log:           {}\n\
             In another terminal: cargo run -- run, runs, show, approvals, approve, regenerate, reject, redrive, status, pause",
            emulator.url(),
            account.id(),
            local_cloud::REGION,
            deployment.state_machine_arn,
            providers.settings.x_url,
            emulator.log().display(),
        ))?;
        self.keep_time(&deployment, &account, &files.bot).await
    }

    /// Does what schedules do, forever: starts each slot, runs the watchdog every minute, and prints the emails.
    /// It reads the clock every second, so that a laptop that slept through a slot's start still starts the slot,
    /// unless it is too late.
    async fn keep_time(
        &self,
        deployment: &Deployment,
        account: &Account,
        bot: &Bot,
    ) -> anyhow::Result<()> {
        let mut checked = Timestamp::now();
        let mut watched = checked;
        let mut started = HashSet::new();
        let mut mails = Mails::of(account);
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = Timestamp::now();
            for start in bot.starts(checked, now) {
                if started.insert(start) {
                    let (slot, at) = (start.slot, start.at);
                    let input = start.input(&self.bot.bot).to_json();
                    let execution = deployment.start(&input).await?;
                    print(&format!("started slot {slot} of {at}: {execution}"))?;
                }
            }
            checked = now;
            for mail in mails.new_ones().await? {
                print(&format!("email to {}: {}", mail.to, mail.subject))?;
                match &mail.link {
                    Some(link) => print(&format!("  decide at {link}"))?,
                    // A notification is printed in full, since its email is stored nowhere else.
                    None => {
                        for line in mail.text.lines() {
                            print(format!("  {line}").trim_end())?;
                        }
                    }
                }
            }
            if now.duration_since(watched) >= SignedDuration::from_mins(1) {
                watched = now;
                let answer = deployment.run_watchdog().await?;
                if let Some(error) = answer["errorMessage"].as_str() {
                    print(&format!("the watchdog: {error}"))?;
                }
            }
        }
    }
}

/// Resumes the runs that the stop of the local cloud interrupted, each from the state that it was in.
async fn resume_interrupted(deployment: &Deployment) -> anyhow::Result<()> {
    let operator = Operator {
        by: "spooky local".to_owned(),
        reason: Some("restart of the local cloud".to_owned()),
    };
    for run in deployment.runs().await? {
        // A run that cannot be resumed does not affect the others.
        match resume(deployment, &run, &operator).await {
            Ok(None) => {}
            Ok(Some(line)) => print(&line)?,
            Err(error) => print(&format!(
                "{} was interrupted and cannot be resumed: {error:#}; type `spooky show {}`",
                run.first.arn, run.first.arn
            ))?,
        }
    }
    Ok(())
}

/// Resumes a run if it was interrupted, and returns a line about it.
async fn resume(
    deployment: &Deployment,
    run: &Run,
    operator: &Operator,
) -> anyhow::Result<Option<String>> {
    let last = run.last();
    if last.status != ExecutionStatus::Failed {
        return Ok(None);
    }
    let described = deployment.described(&last.arn).await?;
    if described.is_none_or(|there| there.error() != Some(INTERRUPTED)) {
        return Ok(None);
    }
    let post = post_of_run(deployment, run).await?;
    let record = match &post {
        Some(post) => deployment.table.read(post).await?,
        None => None,
    };
    // Another run holds the slot, or the outcome of this one is recorded.
    if record
        .as_ref()
        .is_some_and(|record| !run.holds(&record.execution) || record.outcome.is_some())
    {
        return Ok(None);
    }
    let claimed = post.as_ref().filter(|_| record.is_some());
    let execution = deployment.continue_from(claimed, run, operator).await?;
    let name = post.map_or_else(|| run.first.arn.clone(), |post| post.to_string());
    Ok(Some(format!("resumed {name}: {execution}")))
}
