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

/// A date as it is typed.
pub(crate) fn date(text: &str) -> Result<Date, String> {
    text.parse()
        .map_err(|_| "write a date that there is, such as 2026-10-30".to_owned())
}

/// The operator of a command, and the format of its output.
#[derive(Debug, Args)]
pub(crate) struct OperatorArgs {
    /// Your name, for the audit trail.
    #[arg(long, env = "USER", default_value = "")]
    pub(crate) by: String,
    /// Answer with one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The operator of a command.
pub(crate) fn operator(by: &str, reason: Option<String>) -> anyhow::Result<Operator> {
    let by = by.trim();
    ensure!(
        !by.is_empty(),
        "--by has to be your name: it is kept in the audit trail"
    );
    if let Some(reason) = &reason {
        ensure!(
            !reason.trim().is_empty(),
            "--reason is empty: say why, for the audit trail"
        );
    }
    Ok(Operator {
        by: by.to_owned(),
        reason,
    })
}

pub(crate) fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| {
        "write a time with its zone, such as 2026-11-01T00:00:00Z or 2026-11-01T08:00:00-04:00"
            .to_owned()
    })
}
