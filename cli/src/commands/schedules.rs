//! `spooky calendar schedules`: what a deployment reads of a bot, since Terraform reads no TOML.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, ensure};
use bot_files::Bot;
use jiff::{SignedDuration, civil::Weekday};
use serde::Serialize;
use sha2::{Digest, Sha256};

use deployment::BotFiles;

use super::calendar;
use crate::{args::BotArg, files::bots_directory, terminal::print};

/// The file beside bot.toml.
const FILE: &str = "schedules.json";

/// Whether a bot's files may be deployed, and what is made of them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Schedules {
    enabled: bool,
    time_zone: String,
    slots: Vec<Schedule>,
    /// Everybody who gets mails.
    recipients: BTreeSet<String>,
    /// Of the files that were checked: others are not deployed.
    sha256: BTreeMap<&'static str, String>,
}

/// When EventBridge Scheduler starts the run of a slot.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Schedule {
    slot: usize,
    expression: String,
    /// A run that starts later after this is too late to post, in seconds.
    maximum_age_seconds: i64,
}

/// Checks a bot's files for every date, and writes the file.
pub(crate) fn run(which: &BotArg) -> anyhow::Result<()> {
    calendar::check(which)?;
    let path = bots_directory().join(&which.bot).join(FILE);
    std::fs::write(&path, text(&which.bot)?)
        .with_context(|| format!("writing {}", path.display()))?;
    print(&format!(
        "wrote bots/{}/{FILE}, which a deployment reads: commit it with the files",
        which.bot
    ))
}

/// What is in the file.
fn text(bot: &str) -> anyhow::Result<String> {
    let files = BotFiles::from_folder(&bots_directory(), bot)?;
    let mut sha256 = BTreeMap::new();
    for file in ["bot.toml", "calendar.toml"] {
        let bytes = std::fs::read(bots_directory().join(bot).join(file))?;
        let hash = Sha256::digest(bytes);
        sha256.insert(
            file,
            hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        );
    }
    let schedules = Schedules {
        enabled: files.bot.enabled,
        time_zone: files
            .bot
            .time_zone()
            .iana_name()
            .context("the time zone has no name")?
            .to_owned(),
        slots: slots(&files.bot)?,
        recipients: files
            .bot
            .approval
            .approvers
            .iter()
            .chain(&files.bot.notices.to)
            .cloned()
            .collect(),
        sha256,
    };
    Ok(serde_json::to_string_pretty(&schedules)? + "\n")
}

fn slots(bot: &Bot) -> anyhow::Result<Vec<Schedule>> {
    let schedule = |(number, slot): (usize, &bot_files::Slot)| {
        let since_midnight = slot
            .time
            .duration_since(jiff::civil::Time::midnight())
            .checked_sub(slot.lead)
            .filter(|start| *start >= SignedDuration::ZERO)
            .with_context(|| format!("slot {number} would start on the day before"))?;
        let minutes = since_midnight.as_mins();
        let weekdays: Vec<&str> = slot.weekdays.iter().map(|day| short(*day)).collect();
        ensure!(!weekdays.is_empty(), "slot {number} has no weekdays");
        let age = bot.posting.late_after.as_secs() + slot.lead.as_secs();
        Ok(Schedule {
            slot: number,
            expression: format!(
                "cron({} {} ? * {} *)",
                minutes % 60,
                minutes / 60,
                weekdays.join(",")
            ),
            // What Scheduler takes.
            maximum_age_seconds: age.clamp(60, 86_400),
        })
    };
    (1..).zip(&bot.slots).map(schedule).collect()
}

fn short(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "MON",
        Weekday::Tuesday => "TUE",
        Weekday::Wednesday => "WED",
        Weekday::Thursday => "THU",
        Weekday::Friday => "FRI",
        Weekday::Saturday => "SAT",
        Weekday::Sunday => "SUN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_deployed_of_each_bot_is_made_of_its_files_as_they_are() {
        for bot in std::fs::read_dir(bots_directory()).unwrap() {
            let folder = bot.unwrap();
            let name = folder.file_name().into_string().unwrap();
            let there = std::fs::read_to_string(folder.path().join(FILE)).unwrap_or_default();
            assert!(
                there == text(&name).unwrap(),
                "bots/{name}/{FILE} is not made of the files beside it: type `spooky calendar schedules --bot {name}`"
            );
        }
    }

    #[test]
    fn a_run_starts_its_lead_before_the_slot_in_local_time() {
        let files = BotFiles::from_folder(&bots_directory(), "spooky-days").unwrap();
        let slots = slots(&files.bot).unwrap();
        assert_eq!(slots[0].expression, "cron(0 6 ? * MON,TUE,WED,THU,FRI *)");
        // Six hours late at most, after a lead of two.
        assert_eq!(slots[0].maximum_age_seconds, 8 * 3600);
    }
}
