//! The deployed files of a bot, against this checkout, and the coming slots.

use bot_files::Pick;
use deployment::{BotFiles, Deployment};
use probes::Check;

use crate::{commands::calendar, files::bots_directory};

/// Whether the deployed files are those of this checkout.
pub(super) async fn same_files(deployment: &Deployment, bot: &str) -> anyhow::Result<Vec<Check>> {
    let mut checks = Vec::new();
    for file in ["bot.toml", "calendar.toml"] {
        let deployed = deployment.bot_file(bot, file).await?;
        let ours = std::fs::read_to_string(bots_directory().join(bot).join(file)).ok();
        checks.push(match ours {
            Some(ours) if ours == deployed => {
                Check::ok(file, "valid, and the same as in this checkout")
            }
            Some(_) => Check::warn(
                file,
                "valid, and not the same as in this checkout",
                "deploy the bot's files, or run doctor from the deployed commit",
            ),
            None => Check::warn(
                file,
                "valid, and missing in this checkout",
                "check --bot, or check out the deployed commit",
            ),
        });
    }
    Ok(checks)
}

/// Whether the slots of the next 60 days have an observance.
pub(super) fn days_ahead(files: &BotFiles) -> Check {
    let (mut posts, mut gaps) = (0, Vec::new());
    let mut first = None;
    for (date, slot) in calendar::slots(files, files.today(), 60) {
        match files.calendar.pick(date, slot) {
            Pick::Observance(day) => {
                posts += 1;
                first.get_or_insert_with(|| format!("{} on {date}", day.name));
            }
            Pick::Nothing { .. } => {
                let usable = files.calendar.usable(date);
                if usable.is_some_and(|usable| usable < slot as usize) {
                    gaps.push(format!("{date} slot {slot}"));
                }
            }
        }
    }
    let what = "calendar";
    let fix = "add days to calendar.toml; `spooky calendar gaps` lists the slots without one";
    match (first, gaps.is_empty()) {
        (None, _) => Check::fail(what, "it has nothing to post in the next 60 days", fix),
        (Some(first), true) => Check::ok(
            what,
            format!("{posts} posts in the next 60 days; the first is {first}"),
        ),
        (Some(_), false) => Check::warn(
            what,
            format!("it has nothing to post for {}", gaps.join(", ")),
            fix,
        ),
    }
}
