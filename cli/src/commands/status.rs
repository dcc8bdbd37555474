//! `spooky status`.

use clap::Args;
use deployment::{Deployment, operations::ledger_summary};
use jiff::{Timestamp, tz::TimeZone};
use post::PostId;
use posts_table::{OverrideItem, Pause, Record};
use serde_json::{Value, json};

use crate::{args::BotArg, target::Target, terminal::print};

/// Show whether a bot is paused, its overrides, and the posts that may or may not be on X.
#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    bot: BotArg,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(crate) async fn run(self, target: &Target) -> anyhow::Result<()> {
        let deployment = target.deployment().await?;
        deployment.ensure_bot(&self.bot.bot).await?;
        print_status(&deployment, &self.bot.bot, self.json, Timestamp::now()).await
    }
}

/// Prints the pause flag, the overrides and the armed posts of a bot.
pub(super) async fn print_status(
    deployment: &Deployment,
    bot: &str,
    json: bool,
    now: Timestamp,
) -> anyhow::Result<()> {
    let pause = deployment.table.pause(bot).await?;
    let paused = pause.filter(|pause| !pause.is_over(now));
    let armed = deployment.table.armed(bot).await?;
    let armed: Vec<Record> = armed.into_iter().collect::<Result<_, _>>()?;
    // An override is stored for a month, and listed until its date, or the date on which it was set, is over everywhere.
    let yesterday = now.to_zoned_datetime(TimeZone::UTC).date().yesterday()?;
    let mut overrides = deployment.table.overrides(bot).await?;
    overrides.retain(|over| {
        let post: Result<PostId, _> = over.post.parse();
        let set = over.at.to_zoned_datetime(TimeZone::UTC).date();
        post.is_ok_and(|post| post.date.max(set) >= yesterday)
    });
    if json {
        let listed: Vec<Value> = armed
            .iter()
            .map(|record| {
                json!({
                    "post": record.post,
                    "armedAt": record.armed_at,
                    "inFlight": record.is_in_flight(now),
                    "looks": record.reconciliations,
                })
            })
            .collect();
        return print(
            &json!({"bot": bot, "paused": paused, "overrides": overrides, "armed": listed})
                .to_string(),
        );
    }
    let mut lines = vec![match &paused {
        Some(pause) => pause_summary(bot, pause)?,
        None => format!("{bot} is not paused"),
    }];
    for over in &overrides {
        lines.push(format!(
            "{} {} (set by {})",
            over.post,
            override_summary(over),
            over.by
        ));
    }
    for record in &armed {
        lines.push(format!("{} {}", record.post, ledger_summary(record, now)));
    }
    print(&lines.join("\n"))
}

/// An override, after the name of the post.
fn override_summary(over: &OverrideItem) -> String {
    if let Some(reason) = &over.skip {
        return format!("is skipped: {reason}");
    }
    let texts = [
        ("day", &over.name),
        ("scene", &over.scene),
        ("caption", &over.caption),
    ];
    let texts: Vec<String> = texts
        .into_iter()
        .filter_map(|(what, text)| Some(format!("{what} \"{}\"", text.as_ref()?)))
        .collect();
    format!("has another {}", texts.join(", another "))
}

/// The pause of a bot: until when, by whom, and why.
pub(crate) fn pause_summary(bot: &str, pause: &Pause) -> anyhow::Result<String> {
    let mut line = format!("{bot} is paused");
    if let Some(until) = pause.paused_until {
        line.push_str(&format!(" until {}", Timestamp::from_second(until)?));
    }
    if let Some(by) = &pause.by {
        line.push_str(&format!(" by {by}"));
    }
    if !pause.reason.is_empty() {
        line.push_str(&format!(": {}", pause.reason));
    }
    Ok(line)
}
