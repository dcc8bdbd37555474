//! The deployed files of a bot, and an observance for each of the next slots.

use bot_files::{Bot, Calendar, Pick};
use jiff::{SignedDuration, Timestamp};
use lambda_function::aws_error;

use crate::{Check, ProbedBot, Probes};

/// How far ahead the calendar is checked.
const AHEAD: SignedDuration = SignedDuration::from_hours(14 * 24);

pub(crate) async fn check(probes: &Probes<'_>, bot: &ProbedBot<'_>) -> Vec<Check> {
    let what = format!("files of {}", bot.name);
    let fix = "fix the file, run `spooky calendar check`, and deploy";
    let read = match bot.bot {
        Ok(read) => read,
        Err(why) => return vec![Check::fail(what, why, fix)],
    };
    let calendar = match read_calendar(probes, bot.name).await {
        Ok(calendar) => calendar,
        Err(why) => return vec![Check::fail(what, why, fix)],
    };
    let message = match read.enabled {
        true => "bot.toml and calendar.toml are valid",
        false => "the bot is disabled in bot.toml",
    };
    vec![
        Check::ok(what, message),
        days_ahead(bot.name, read, &calendar, probes.now),
    ]
}

async fn read_calendar(probes: &Probes<'_>, bot: &str) -> Result<Calendar, String> {
    let key = format!("{bot}/calendar.toml");
    let object = probes
        .s3
        .get_object()
        .bucket(probes.bot_files_bucket)
        .key(&key)
        .send()
        .await
        .map_err(|error| format!("S3 did not return {key}: {}", aws_error(&error)))?;
    let text = object.body.collect().await.map_err(|e| e.to_string())?;
    let text = String::from_utf8(text.to_vec()).map_err(|e| format!("{key}: {e}"))?;
    Calendar::parse(&key, &text).map_err(|problems| {
        let first = problems.0.first().map(ToString::to_string);
        first.unwrap_or_default()
    })
}

fn days_ahead(bot: &str, read: &Bot, calendar: &Calendar, now: Timestamp) -> Check {
    let what = format!("days ahead of {bot}");
    let days = AHEAD.as_hours() / 24;
    let fix = "add days for these dates to calendar.toml, and deploy";
    let until = now.checked_add(AHEAD).unwrap_or(now);
    let starts = read.starts(now, until);
    let gaps: Vec<String> = starts
        .iter()
        .filter(|start| {
            let usable = calendar.usable(start.date);
            let slot = usize::try_from(start.slot).unwrap_or(usize::MAX);
            // A silent date is intended.
            usable.is_some_and(|usable| usable < slot)
        })
        .filter_map(|start| match calendar.pick(start.date, start.slot) {
            Pick::Nothing { reason, .. } => {
                Some(format!("{} slot {}: {reason}", start.date, start.slot))
            }
            Pick::Observance(_) => None,
        })
        .collect();
    match gaps.is_empty() {
        true => Check::ok(
            what,
            format!(
                "each of the {} slots of the next {days} days has an observance",
                starts.len()
            ),
        ),
        false => Check::warn(what, gaps.join(", "), fix),
    }
}
