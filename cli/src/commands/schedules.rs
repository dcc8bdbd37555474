//! The file that a deployment reads of a bot, since Terraform cannot read TOML.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use bot_files::{Bot, Slot};
use post::lead_text;
use serde::Serialize;
use sha2::{Digest, Sha256};

use deployment::BotFiles;

use crate::{files::bots_directory, terminal::print};

/// The file in the bot's folder.
const FILE: &str = "generated/schedules.json";

/// What a deployment needs of a bot's files.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Schedules {
    /// Where the file comes from.
    generated: String,
    enabled: bool,
    time_zone: String,
    slots: Vec<Schedule>,
    /// All addresses that get mails.
    recipients: BTreeSet<String>,
    /// Hashes of the files that were checked; Terraform deploys no others.
    sha256: BTreeMap<&'static str, String>,
}

/// When EventBridge Scheduler starts the run of a slot.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Schedule {
    slot: u32,
    expression: String,
    /// How long before the slot a run starts; part of the execution's input.
    lead: String,
    /// A run that would start later than this is too late to post, in seconds.
    maximum_age_seconds: i64,
}

/// Writes the file.
pub(crate) fn write(bot: &str) -> anyhow::Result<()> {
    let path = bots_directory().join(bot).join(FILE);
    let directory = path.parent().context("the file has no folder")?;
    std::fs::create_dir_all(directory)
        .with_context(|| format!("creating {}", directory.display()))?;
    std::fs::write(&path, text(bot)?).with_context(|| format!("writing {}", path.display()))?;
    print(&format!(
        "Wrote bots/{bot}/{FILE}, which a deployment reads. Commit it with the bot's files."
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
        generated: format!(
            "by `spooky calendar schedules --bot {bot}` from bot.toml and calendar.toml; do not edit"
        ),
        enabled: files.bot.enabled,
        time_zone: files
            .bot
            .time_zone()
            .iana_name()
            .context("the time zone has no name")?
            .to_owned(),
        slots: slots(&files.bot),
        recipients: files
            .bot
            .approval
            .approvers
            .iter()
            .chain(&files.bot.notifications.to)
            .cloned()
            .collect(),
        sha256,
    };
    Ok(serde_json::to_string_pretty(&schedules)? + "\n")
}

fn slots(bot: &Bot) -> Vec<Schedule> {
    let late_after = bot.posting.late_after;
    let schedule = |(number, slot): (u32, &Slot)| Schedule {
        slot: number,
        expression: slot.cron().to_string(),
        lead: lead_text(slot.lead),
        // What Scheduler takes.
        maximum_age_seconds: (late_after + slot.lead).as_secs().clamp(60, 86_400),
    };
    (1..).zip(&bot.slots).map(schedule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generated_file_of_each_bot_matches_its_files() {
        for bot in std::fs::read_dir(bots_directory()).unwrap() {
            let folder = bot.unwrap();
            let name = folder.file_name().into_string().unwrap();
            let there = std::fs::read_to_string(folder.path().join(FILE)).unwrap_or_default();
            assert!(
                there == text(&name).unwrap(),
                "bots/{name}/{FILE} does not match bot.toml and calendar.toml; run `spooky calendar schedules --bot {name}`"
            );
        }
    }

    #[test]
    fn a_run_starts_its_lead_before_the_slot_in_local_time() {
        let files = BotFiles::from_folder(&bots_directory(), "spooky-days").unwrap();
        let slots = slots(&files.bot);
        assert_eq!(slots[0].expression, "cron(0 6 ? * MON,TUE,WED,THU,FRI *)");
        assert_eq!(slots[0].lead, "2h");
        // Six hours late at most, after a lead of two.
        assert_eq!(slots[0].maximum_age_seconds, 8 * 3600);
    }
}
