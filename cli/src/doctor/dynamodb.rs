//! The table, the pause flag, and the posts that may or may not be on X.

use deployment::{Deployment, aws_context};
use jiff::Timestamp;
use posts_table::Record;
use probes::Check;

use crate::commands::status::pause_summary;

pub(super) async fn table(deployment: &Deployment) -> anyhow::Result<Vec<Check>> {
    let described = deployment
        .dynamodb
        .describe_time_to_live()
        .table_name(&deployment.name)
        .send()
        .await
        .map_err(|e| aws_context("describing the table", e))?;
    let attribute = described
        .time_to_live_description
        .and_then(|description| description.attribute_name);
    Ok(vec![match attribute.as_deref() {
        Some("expiresAt") => Check::ok("table", "it exists, and its items expire"),
        _ => Check::warn(
            "table",
            "its items do not expire: expiresAt is not its time-to-live attribute",
            "deploy again",
        ),
    }])
}

/// Whether the bot is paused, and which posts may or may not be on X.
pub(super) async fn posts(
    deployment: &Deployment,
    bot: &str,
    now: Timestamp,
) -> anyhow::Result<Vec<Check>> {
    let what = "pause flag";
    let pause = deployment.table.pause(bot).await?;
    let pause_check = match pause.filter(|pause| !pause.is_over(now)) {
        Some(pause) => Check::warn(what, pause_summary(bot, &pause)?, "`spooky resume`"),
        None => Check::ok(what, format!("{bot} is not paused")),
    };
    let armed = deployment.table.armed(bot).await?;
    let armed: Vec<Record> = armed.into_iter().collect::<Result<_, _>>()?;
    let unconfirmed: Vec<&str> = armed
        .iter()
        .filter(|record| !record.is_in_flight(now))
        .map(|record| record.post.as_str())
        .collect();
    let what = "unconfirmed posts";
    Ok(vec![
        pause_check,
        match unconfirmed.is_empty() {
            true => Check::ok(what, "none"),
            false => Check::warn(
                what,
                format!("these may or may not be on X: {}", unconfirmed.join(", ")),
                "type `spooky redrive` for each; it says what to do",
            ),
        },
    ])
}
