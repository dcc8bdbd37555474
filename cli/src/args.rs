//! Arguments that several commands share.

use anyhow::ensure;
use clap::Args;
use jiff::{Timestamp, civil::Date};
use posts_table::Operator;

/// The bot of a command.
#[derive(Clone, Debug, Args)]
pub(crate) struct BotArg {
    /// The bot's folder name.
    #[arg(long, default_value = "spooky-days")]
    pub(crate) bot: String,
}

/// Parses a date.
pub(crate) fn date(text: &str) -> Result<Date, String> {
    text.parse()
        .map_err(|_| "write a valid date, such as 2026-10-30".to_owned())
}

/// The operator of a command, and the format of its output.
#[derive(Debug, Args)]
pub(crate) struct OperatorArgs {
    /// Your name, for the audit trail.
    #[arg(long, env = "USER", default_value = "")]
    pub(crate) by: String,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Checks the operator's name and reason.
pub(crate) fn operator(by: &str, reason: Option<String>) -> anyhow::Result<Operator> {
    let by = by.trim();
    ensure!(
        !by.is_empty(),
        "--by is empty: give your name, for the audit trail"
    );
    if let Some(reason) = &reason {
        ensure!(
            !reason.trim().is_empty(),
            "--reason is empty: give a reason, for the audit trail"
        );
    }
    Ok(Operator {
        by: by.to_owned(),
        reason,
    })
}

/// Parses a time with a zone.
pub(crate) fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| {
        "write a time with a zone, such as 2026-11-01T00:00:00Z or 2026-11-01T08:00:00-04:00"
            .to_owned()
    })
}
