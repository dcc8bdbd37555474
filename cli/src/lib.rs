//! The `spooky` command: the local cloud, its stand-ins, and what runs on them.

mod approvals;
mod calendar;
pub mod cloud;
mod demo;
mod local;
mod operate;
mod page;
mod preview;
mod review;
mod show;

pub use review::form_field;

use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use bot_files::{Bot, Calendar};
use clap::{Args, Parser, Subcommand};
use indicatif::ProgressBar;
use jiff::{Timestamp, civil::Date};

/// Turns today's National Day into a spooky picture and posts it once.
#[derive(Debug, Parser)]
#[command(name = "spooky", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one slot from end to end on a fresh local cloud, show the post, and exit.
    Demo(demo::Demo),
    /// Start the local cloud and run each slot when it is due, until Ctrl-C.
    Local(local::Local),
    /// Show what a post will look like, or a month of them; needs no network and starts nothing.
    Preview(preview::Preview),
    /// Look ahead, check the bot's files, import an old calendar.
    #[command(subcommand)]
    Calendar(calendar::Calendar),
    /// Run a slot now on the local cloud that `spooky local` has started.
    Run(show::Run),
    /// List the executions of the local cloud.
    Runs(show::Runs),
    /// Show a post (bot/date/slot) with its audit trail, or an execution of the local cloud.
    Show(show::Show),
    /// List the approvals that wait for a person.
    Approvals(approvals::Approvals),
    /// Approve a post, perhaps with other texts, under the rules of the approval page.
    Approve(approvals::Approve),
    /// Ask for another picture of a post.
    Regenerate(approvals::Regenerate),
    /// Refuse a post.
    Reject(approvals::Reject),
    /// Go on with a failed run from the state that failed, after saying what that means.
    Redrive(operate::Redrive),
    /// Record the tweet of a post that was sent without a clear answer, after looking at the account.
    Attach(operate::Attach),
    /// Let a post that is too late be posted all the same.
    AllowLate(operate::AllowLate),
    /// Stop a bot: nothing is posted until the time, or until it is resumed.
    Pause(operate::Pause),
    /// Lift the pause of a bot.
    Resume(operate::Resume),
    /// Show whether a bot is paused, and which posts may or may not be on X.
    Status(operate::Status),
}

/// Which bot.
#[derive(Clone, Debug, Args)]
pub struct Which {
    /// The bot's folder name.
    #[arg(long, default_value = "spooky-days")]
    bot: String,
}

/// Runs a command. Ctrl-C and a termination end it, and everything that it started.
pub async fn run(cli: Cli) -> ExitCode {
    let command = async {
        match cli.command {
            Command::Demo(demo) => demo.run().await,
            Command::Local(local) => local.run().await,
            Command::Preview(preview) => preview.run(),
            Command::Calendar(calendar) => calendar.run(),
            Command::Run(run) => run.run().await,
            Command::Runs(runs) => runs.run().await,
            Command::Show(show) => show.run().await,
            Command::Approvals(approvals) => approvals.run().await,
            Command::Approve(approve) => approve.run().await,
            Command::Regenerate(regenerate) => regenerate.run().await,
            Command::Reject(reject) => reject.run().await,
            Command::Redrive(redrive) => redrive.run().await,
            Command::Attach(attach) => attach.run().await,
            Command::AllowLate(allow) => allow.run().await,
            Command::Pause(pause) => pause.run().await,
            Command::Resume(resume) => resume.run().await,
            Command::Status(status) => status.run().await,
        }
    };
    tokio::select! {
        result = command => match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                // Where even this cannot be written, the exit code is all there is.
                let _ = writeln!(std::io::stderr(), "error: {error:#}");
                ExitCode::FAILURE
            }
        },
        () = interrupted() => ExitCode::from(130),
    }
}

/// A bot's files, parsed and checked.
struct Files {
    bot: Bot,
    calendar: Calendar,
}

impl Files {
    fn read(name: &str) -> anyhow::Result<Files> {
        let read = |file: &str| {
            let path = bots_directory().join(name).join(file);
            std::fs::read_to_string(&path).with_context(|| {
                format!(
                    "reading {}; is there a bot {name:?} in bots/?",
                    path.display()
                )
            })
        };
        let bot = Bot::parse(&format!("bots/{name}/bot.toml"), &read("bot.toml")?)?;
        let calendar = Calendar::parse(
            &format!("bots/{name}/calendar.toml"),
            &read("calendar.toml")?,
        )?;
        let year = Timestamp::now()
            .to_zoned_datetime(bot.time_zone().clone())
            .year();
        bot_files::check(&bot, &calendar, year..=year + 1)?;
        Ok(Files { bot, calendar })
    }

    fn today(&self) -> Date {
        Timestamp::now()
            .to_zoned_datetime(self.bot.time_zone().clone())
            .date()
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn bots_directory() -> PathBuf {
    workspace().join("bots")
}

/// What the command answers, on standard output.
fn say(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("writing the answer")
}

/// What is going on, on standard error: a line that changes on a terminal, plain lines elsewhere.
struct Progress(Option<ProgressBar>);

impl Progress {
    fn new() -> Progress {
        Progress(std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        }))
    }

    fn step(&self, what: &str) {
        match &self.0 {
            Some(bar) => bar.set_message(what.to_owned()),
            // Progress that nobody can read is no reason to fail.
            None => drop(writeln!(std::io::stderr(), "{what}")),
        }
    }

    /// A line that stays.
    fn note(&self, what: &str) {
        match &self.0 {
            Some(bar) => bar.println(what),
            None => drop(writeln!(std::io::stderr(), "{what}")),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

#[cfg(unix)]
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => drop(terminate.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

#[cfg(not(unix))]
async fn interrupted() {
    let _ = tokio::signal::ctrl_c().await;
}
