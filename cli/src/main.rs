//! The `spooky` command.

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    spooky::run(spooky::Cli::parse()).await
}
