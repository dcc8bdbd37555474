//! `spooky local`.

use std::{collections::HashSet, path::PathBuf, time::Duration};

use anyhow::Context;
use bot_files::Bot;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use ministack::{Account, MiniStack, Options};
use serde::{Deserialize, Serialize};

use crate::{
    Files, Progress, Which,
    cloud::{self, Cloud},
    demo::Servers,
    review::Mails,
    say,
};

/// Start the local cloud and run each slot when it is due, until Ctrl-C.
#[derive(Debug, Args)]
pub struct Local {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    servers: Servers,
}

/// The one account of the local cloud, so that the next start finds everything again.
const ACCOUNT: u64 = 310_000_000_000;

/// Where a running local cloud is.
#[derive(Debug, Serialize, Deserialize)]
struct Place {
    url: String,
    account: String,
}

fn directory() -> PathBuf {
    ministack::target_directory().join("local")
}

impl Local {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let files = Files::read(&self.which.bot)?;
        let directory = directory();
        std::fs::create_dir_all(&directory)?;
        let providers = self.servers.start(Some(directory.join("timeline"))).await?;
        let progress = Progress::new();
        progress.step("building the functions");
        let zips = cloud::build_functions().await?;
        progress.step("starting the local cloud");
        let ministack = MiniStack::start(Options {
            directory: Some(directory.join("cloud")),
            wait_scale: None,
        })
        .await?;
        let account = ministack.account_named(ACCOUNT);
        let cloud = Cloud::deploy(&account, &providers.settings, &zips).await?;
        let place = Place {
            url: ministack.url().to_owned(),
            account: account.id().to_owned(),
        };
        std::fs::write(directory.join("local.json"), serde_json::to_vec(&place)?)?;
        drop(progress);
        say(&format!(
            "The local cloud is up; Ctrl-C stops it, and the next start goes on with its state.\n\
             AWS endpoint:  {} (access key {}, secret test, region {})\n\
             State machine: {}\n\
             Timeline:      {}\n\
             Log:           {}\n\
             In another terminal: cargo run -- run, runs, show, approvals, approve, regenerate, reject, redrive, status, pause",
            ministack.url(),
            account.id(),
            ministack::REGION,
            cloud.state_machine_arn,
            providers.settings.x_url,
            ministack.log().display(),
        ))?;
        self.keep_time(&cloud, &account, &files.bot).await
    }

    /// Does what schedules do, for ever: starts each slot, runs the watchdog every minute, and tells the mails.
    /// The clock is looked at every second, so that a laptop that slept through a slot's start still starts it,
    /// unless the slot is too late.
    async fn keep_time(&self, cloud: &Cloud, account: &Account, bot: &Bot) -> anyhow::Result<()> {
        let mut looked = Timestamp::now();
        let mut watched = looked;
        let mut started = HashSet::new();
        let mut mails = Mails::of(account);
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = Timestamp::now();
            for (number, at) in due(bot, looked, now)? {
                if started.insert((number, at)) {
                    let execution = cloud
                        .start(&cloud::scheduled(&self.which.bot, number, at))
                        .await?;
                    say(&format!("started slot {number} of {at}: {execution}"))?;
                }
            }
            looked = now;
            for mail in mails.new_ones().await? {
                say(&format!("mail to {}: {}", mail.to, mail.subject))?;
                match &mail.link {
                    Some(link) => say(&format!("  decide at {link}"))?,
                    // A notice is told as a whole, since its mail is nowhere else to be read.
                    None => {
                        for line in mail.text.lines() {
                            say(format!("  {line}").trim_end())?;
                        }
                    }
                }
            }
            if now.duration_since(watched) >= SignedDuration::from_mins(1) {
                watched = now;
                let answer = cloud.run_watchdog().await?;
                if let Some(error) = answer["errorMessage"].as_str() {
                    say(&format!("the watchdog: {error}"))?;
                }
            }
        }
    }
}

/// The slots whose schedule fires after one time and not after another: number and time of firing.
fn due(bot: &Bot, after: Timestamp, until: Timestamp) -> anyhow::Result<Vec<(u32, Timestamp)>> {
    let zone = bot.time_zone();
    let mut due = Vec::new();
    let mut date = after.to_zoned_datetime(zone.clone()).date();
    // A lead never reaches back past midnight, so the date of firing is the date of the slot.
    let last = until
        .checked_add(SignedDuration::from_hours(24))?
        .to_zoned_datetime(zone.clone())
        .date();
    while date <= last {
        for (number, slot) in (1..).zip(&bot.slots) {
            if !slot.weekdays.contains(&date.weekday()) {
                continue;
            }
            let at = date
                .to_datetime(slot.time)
                .to_zoned_datetime(zone.clone())?
                .timestamp();
            let fires = at.checked_sub(slot.lead)?;
            if after < fires && fires <= until {
                due.push((number, fires));
            }
        }
        date = date.tomorrow()?;
    }
    Ok(due)
}

/// The local cloud that another `spooky` has started.
pub(crate) async fn running() -> anyhow::Result<Cloud> {
    let start = "start it with `cargo run -- local` in another terminal";
    let text = std::fs::read(directory().join("local.json"))
        .with_context(|| format!("the local cloud was never started: {start}"))?;
    let place: Place = serde_json::from_slice(&text)?;
    let address = place.url.trim_start_matches("http://");
    std::net::TcpStream::connect(address)
        .with_context(|| format!("the local cloud is not running: {start}"))?;
    Ok(Cloud::of(&Account::at(&place.url, &place.account)).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_due_at_its_local_time_in_winter_and_in_summer() {
        let files = Files::read("spooky-days").unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let fires = |from: &str, to: &str| due(&files.bot, at(from), at(to)).unwrap();
        // 8:00 in New York less the lead of two hours.
        assert_eq!(
            fires("2026-11-24T00:00:00Z", "2026-11-24T23:00:00Z"),
            [(1, at("2026-11-24T11:00:00Z"))]
        );
        assert_eq!(
            fires("2026-10-30T00:00:00Z", "2026-10-30T23:00:00Z"),
            [(1, at("2026-10-30T10:00:00Z"))]
        );
        // A Saturday.
        assert_eq!(fires("2026-11-28T06:00:00Z", "2026-11-28T23:00:00Z"), []);
    }
}
