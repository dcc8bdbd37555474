//! The `spooky` command.

mod args;
mod commands;
mod doctor;
mod files;
mod servers;
mod target;
mod terminal;

use std::{io::Write, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{commands::*, target::Target, terminal::interrupted};

/// Turns today's National Day into a spooky picture and posts it once.
#[derive(Debug, Parser)]
#[command(name = "spooky", version)]
pub struct Cli {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one slot from end to end on a fresh local cloud, show the post, and exit.
    Demo(demo::Demo),
    /// Start the local cloud and run each slot when it is due, until Ctrl-C.
    Local(local::Local),
    /// Show what a post, or a month of posts, will look like; works offline and starts nothing.
    Preview(preview::Preview),
    /// Look ahead, check the bot's files, import an old calendar.
    #[command(subcommand)]
    Calendar(calendar::Calendar),
    /// Compute the monthly cost of a deployment.
    Estimate(estimate::Estimate),
    /// Run a slot now.
    Run(run::Run),
    /// List the runs.
    Runs(runs::Runs),
    /// Show a post (bot/date/slot) with its audit trail, or an execution.
    Show(show::Show),
    /// List the approvals that wait for a decision.
    Approvals(approvals::Approvals),
    /// Approve a post, optionally with an edited caption or alt text.
    Approve(approve::Approve),
    /// Ask for another picture of a post.
    Regenerate(regenerate::Regenerate),
    /// Reject a post.
    Reject(reject::Reject),
    /// Resume a failed run from the state that failed, after showing a plan.
    Redrive(redrive::Redrive),
    /// Record the tweet of a post that was sent without a clear answer.
    Attach(attach::Attach),
    /// Allow a post after its slot has become too late.
    AllowLate(allow_late::AllowLate),
    /// Post nothing in an upcoming slot.
    Skip(skip::Skip),
    /// Override an upcoming slot's observance, scene or caption.
    Override(override_::Override),
    /// Delete the tweet of a post; the slot stays taken.
    Delete(delete::Delete),
    /// Pause a bot: it posts nothing until the given time, or until it is resumed.
    Pause(pause::Pause),
    /// End the pause of a bot.
    Resume(resume::Resume),
    /// Show whether a bot is paused, its overrides, and the posts that may or may not be on X.
    Status(status::Status),
    /// Check a deployment from end to end, without posting, generating, mailing or changing anything.
    Doctor(commands::doctor::Doctor),
    /// Show what a month has cost and reserved, and what the caps leave.
    Costs(costs::Costs),
}

/// Runs a command. Ctrl-C and SIGTERM end it, and everything that it started.
pub async fn run(cli: Cli) -> ExitCode {
    tokio::select! {
        result = run_command(cli.command, &cli.target) => match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                // If standard error is closed, the exit code is all that remains.
                let _ = writeln!(std::io::stderr(), "error: {error:#}");
                if let Some(advice) = target::advice(&error) {
                    let _ = writeln!(std::io::stderr(), "{advice}");
                }
                ExitCode::FAILURE
            }
        },
        () = interrupted() => ExitCode::from(130),
    }
}

async fn run_command(command: Command, target: &Target) -> anyhow::Result<()> {
    match command {
        Command::Demo(demo) => {
            target.ensure_none("demo")?;
            demo.run().await
        }
        Command::Local(local) => {
            target.ensure_none("local")?;
            local.run().await
        }
        Command::Preview(preview) => {
            target.ensure_none("preview")?;
            preview.run()
        }
        Command::Calendar(calendar) => {
            target.ensure_none("calendar")?;
            calendar.run()
        }
        Command::Estimate(estimate) => {
            target.ensure_none("estimate")?;
            estimate.run()
        }
        Command::Run(run) => run.run(target).await,
        Command::Runs(runs) => runs.run(target).await,
        Command::Show(show) => show.run(target).await,
        Command::Approvals(approvals) => approvals.run(target).await,
        Command::Approve(approve) => approve.run(target).await,
        Command::Regenerate(regenerate) => regenerate.run(target).await,
        Command::Reject(reject) => reject.run(target).await,
        Command::Redrive(redrive) => redrive.run(target).await,
        Command::Attach(attach) => attach.run(target).await,
        Command::AllowLate(allow) => allow.run(target).await,
        Command::Skip(skip) => skip.run(target).await,
        Command::Override(change) => change.run(target).await,
        Command::Delete(delete) => delete.run(target).await,
        Command::Pause(pause) => pause.run(target).await,
        Command::Resume(resume) => resume.run(target).await,
        Command::Costs(costs) => costs.run(target).await,
        Command::Status(status) => status.run(target).await,
        Command::Doctor(doctor) => doctor.run(target).await,
    }
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
    fn docs_cli_md_lists_every_command_and_option() {
        let text = std::fs::read_to_string(files::workspace().join("docs/cli.md")).unwrap();
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
                    "docs/cli.md does not mention --{option} under `{path}`"
                );
            }
            for argument in command.get_positionals() {
                let name = argument.get_id().as_str().to_uppercase();
                assert!(
                    section.contains(&name),
                    "docs/cli.md does not mention {name} under `{path}`"
                );
            }
        }
    }

    #[test]
    fn the_command_line_definition_is_valid() {
        Cli::command().debug_assert();
    }
}
