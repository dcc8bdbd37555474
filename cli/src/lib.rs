//! The `spooky` command: the local cloud, its stand-ins, and what runs on them.

mod approvals;
mod calendar;
pub mod cloud;
mod costs;
mod delete;
mod demo;
mod doctor;
mod estimate;
mod local;
mod operate;
mod overrides;
mod page;
mod place;
mod preview;
mod redrive;
mod review;
mod schedules;
mod show;

pub use review::form_field;

use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, ensure};
use bot_files::{Bot, Calendar};
use clap::{Args, Parser, Subcommand};
use cloud::Cloud;
use indicatif::ProgressBar;
use jiff::{Timestamp, civil::Date};
use place::Place;
use post::PostId;

/// Turns today's National Day into a spooky picture and posts it once.
#[derive(Debug, Parser)]
#[command(name = "spooky", version)]
pub struct Cli {
    #[command(flatten)]
    place: Place,
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
    /// Compute what a deployment costs a month, from the files of all bots and the description of the functions.
    Estimate(estimate::Estimate),
    /// Run a slot now.
    Run(show::Run),
    /// List the executions.
    Runs(show::Runs),
    /// Show a post (bot/date/slot) with its audit trail, or an execution.
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
    Redrive(redrive::Redrive),
    /// Record the tweet of a post that was sent without a clear answer, after looking at the account.
    Attach(operate::Attach),
    /// Let a post that is too late be posted all the same.
    AllowLate(operate::AllowLate),
    /// Post nothing in a slot to come.
    Skip(overrides::Skip),
    /// Give a slot to come another day, or other words for its day.
    Override(overrides::Instead),
    /// Take the tweet of a post down; the slot stays taken.
    Delete(delete::Delete),
    /// Stop a bot: nothing is posted until the time, or until it is resumed.
    Pause(operate::Pause),
    /// Lift the pause of a bot.
    Resume(operate::Resume),
    /// Show whether a bot is paused, what is set for slots to come, and which posts may or may not be on X.
    Status(operate::Status),
    /// Check a deployment or the local cloud from end to end; nothing is posted, painted, mailed or changed.
    Doctor(doctor::Doctor),
    /// Show what was spent and reserved in a month, and what the caps leave.
    Costs(costs::Costs),
}

/// Which bot.
#[derive(Clone, Debug, Args)]
pub struct Which {
    /// The bot's folder name.
    #[arg(long, default_value = "spooky-days")]
    bot: String,
}

/// A date as it is typed.
fn date(text: &str) -> Result<Date, String> {
    text.parse()
        .map_err(|_| "write a date that there is, such as 2026-10-30".to_owned())
}

/// Runs a command. Ctrl-C and a termination end it, and everything that it started.
pub async fn run(cli: Cli) -> ExitCode {
    let place = &cli.place;
    let command = async {
        match cli.command {
            Command::Demo(demo) => {
                place.ensure_none("demo")?;
                demo.run().await
            }
            Command::Local(local) => {
                place.ensure_none("local")?;
                local.run().await
            }
            Command::Preview(preview) => {
                place.ensure_none("preview")?;
                preview.run()
            }
            Command::Calendar(calendar) => {
                place.ensure_none("calendar")?;
                calendar.run()
            }
            Command::Estimate(estimate) => {
                place.ensure_none("estimate")?;
                estimate.run()
            }
            Command::Run(run) => run.run(place).await,
            Command::Runs(runs) => runs.run(place).await,
            Command::Show(show) => show.run(place).await,
            Command::Approvals(approvals) => approvals.run(place).await,
            Command::Approve(approve) => approve.run(place).await,
            Command::Regenerate(regenerate) => regenerate.run(place).await,
            Command::Reject(reject) => reject.run(place).await,
            Command::Redrive(redrive) => redrive.run(place).await,
            Command::Attach(attach) => attach.run(place).await,
            Command::AllowLate(allow) => allow.run(place).await,
            Command::Skip(skip) => skip.run(place).await,
            Command::Override(instead) => instead.run(place).await,
            Command::Delete(delete) => delete.run(place).await,
            Command::Pause(pause) => pause.run(place).await,
            Command::Resume(resume) => resume.run(place).await,
            Command::Costs(costs) => costs.run(place).await,
            Command::Status(status) => status.run(place).await,
            Command::Doctor(doctor) => doctor.run(place).await,
        }
    };
    tokio::select! {
        result = command => match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                // Where even this cannot be written, the exit code is all there is.
                let _ = writeln!(std::io::stderr(), "error: {error:#}");
                if let Some(advice) = place::advice(&error) {
                    let _ = writeln!(std::io::stderr(), "{advice}");
                }
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
        Files::parse("bots", name, &read("bot.toml")?, &read("calendar.toml")?)
    }

    /// The files that a deployment works with.
    async fn deployed(cloud: &Cloud, name: &str) -> anyhow::Result<Files> {
        let bot = cloud.bot_file(name, "bot.toml").await?;
        let calendar = cloud.bot_file(name, "calendar.toml").await?;
        let place = format!("s3://{}", cloud.bot_files_bucket);
        Files::parse(&place, name, &bot, &calendar)
    }

    fn parse(place: &str, name: &str, bot: &str, calendar: &str) -> anyhow::Result<Files> {
        let bot = Bot::parse(&format!("{place}/{name}/bot.toml"), bot)?;
        let calendar = Calendar::parse(&format!("{place}/{name}/calendar.toml"), calendar)?;
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

/// Says what is dangerous about a command, and asks for the name of the post on standard input.
async fn confirm(post: &PostId, warning: &str, refusal: &str) -> anyhow::Result<()> {
    write!(std::io::stderr(), "{warning}\nType {post} to go on: ")?;
    // A thread of its own, which does not keep the command from ending at Ctrl-C.
    let (answer, typed) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line);
        // Nobody waits for it any more after Ctrl-C.
        let _ = answer.send(read.map(|_| line));
    });
    let line = typed.await.context("reading the confirmation")??;
    ensure!(
        line.trim() == post.to_string(),
        "{refusal}: not confirmed; type {post}, or give --yes in a script"
    );
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// The commands without subcommands, by what is typed after `spooky`.
    fn commands(command: &clap::Command, before: &str) -> Vec<(String, clap::Command)> {
        let mut found = Vec::new();
        for sub in command
            .get_subcommands()
            .filter(|sub| sub.get_name() != "help")
        {
            let path = format!("{before} {}", sub.get_name());
            match sub.has_subcommands() {
                true => found.extend(commands(sub, &path)),
                false => found.push((path, sub.clone())),
            }
        }
        found
    }

    #[test]
    fn every_command_and_every_option_is_in_the_documentation() {
        let text = std::fs::read_to_string(workspace().join("docs/cli.md")).unwrap();
        let everywhere = text.split("\n## ").next().unwrap();
        for (path, command) in commands(&Cli::command(), "spooky") {
            let heading = format!("\n### `{path}`\n");
            let (_, section) = text
                .split_once(&heading)
                .unwrap_or_else(|| panic!("docs/cli.md has no heading `{path}`"));
            let section = section.split("\n#").next().unwrap();
            for option in command.get_arguments().filter_map(|a| a.get_long()) {
                let named = format!("`--{option}");
                assert!(
                    section.contains(&named) || everywhere.contains(&named),
                    "docs/cli.md does not tell of --{option} under `{path}`"
                );
            }
            for argument in command.get_positionals() {
                let name = argument.get_id().as_str().to_uppercase();
                assert!(
                    section.contains(&name),
                    "docs/cli.md does not tell of {name} under `{path}`"
                );
            }
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
