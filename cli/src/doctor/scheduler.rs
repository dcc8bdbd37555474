//! Whether EventBridge Scheduler starts what `bot.toml` says, when it says.

use anyhow::Context;
use aws_sdk_scheduler::{operation::get_schedule::GetScheduleOutput, types::ScheduleState};
use jiff::civil::{Time, Weekday};
use probes::Check;
use serde_json::Value;

use deployment::{BotFiles, Deployment, aws_context};

const DEPLOY: &str = "deploy again";

/// One line a slot, and one for the watchdog.
pub(super) async fn check(
    deployment: &Deployment,
    bot: &str,
    files: &BotFiles,
) -> anyhow::Result<Vec<Check>> {
    let there = schedules(deployment).await?;
    let zone = files.bot.time_zone().iana_name().unwrap_or_default();
    let mut checks = Vec::new();
    for (number, slot) in (1_u32..).zip(&files.bot.slots) {
        let what = format!("schedule of slot {number}");
        let of_slot = there.iter().find(|schedule| {
            started(deployment, schedule).is_some_and(|input| {
                input["bot"].as_str() == Some(bot) && input["slot"].as_u64() == Some(number.into())
            })
        });
        let Some(schedule) = of_slot else {
            checks.push(Check::fail(
                what,
                "it does not exist, so the slot never starts",
                DEPLOY,
            ));
            continue;
        };
        let expression = schedule.schedule_expression().unwrap_or_default();
        let their_zone = schedule.schedule_expression_timezone().unwrap_or("UTC");
        let starts = slot
            .time
            .checked_sub(slot.lead)
            .context("the lead reaches back past midnight")?;
        let mut weekdays = slot.weekdays.clone();
        weekdays.sort_by_key(|day| day.to_monday_zero_offset());
        let wrong = match cron(expression) {
            None => Some(format!("is {expression}, which is not a weekly time")),
            Some(_) if their_zone != zone => {
                Some(format!("is in {their_zone}, and bot.toml is in {zone}"))
            }
            Some(theirs) if theirs != (starts, weekdays) => Some(format!(
                "is {expression}, and according to bot.toml the slot starts at {}",
                starts.strftime("%H:%M")
            )),
            Some(_) => None,
        };
        checks.push(match wrong {
            Some(wrong) => Check::fail(what, &format!("{} {wrong}", name(schedule)), DEPLOY),
            // As an environment that only tries things has it.
            None if schedule.state() != Some(&ScheduleState::Enabled) => Check::warn(
                what,
                &format!(
                    "{} is disabled, so the slot does not start automatically",
                    name(schedule)
                ),
                "to start it, set schedules_enabled and deploy again",
            ),
            None => Check::ok(what, &format!("{expression} in {zone}")),
        });
    }
    let watchdog = format!("function:{}:live", deployment.function_name("watchdog"));
    let what = "schedule of the watchdog";
    let of_watchdog = there.iter().find(|schedule| {
        schedule
            .target()
            .is_some_and(|target| target.arn().ends_with(&watchdog))
    });
    checks.push(match of_watchdog {
        Some(schedule) if schedule.state() == Some(&ScheduleState::Enabled) => {
            Check::ok(what, schedule.schedule_expression().unwrap_or_default())
        }
        Some(schedule) => Check::fail(
            what,
            &format!(
                "{} is disabled: approval deadlines are not enforced",
                name(schedule)
            ),
            DEPLOY,
        ),
        None => Check::fail(
            what,
            "it does not exist: approval deadlines are not enforced",
            DEPLOY,
        ),
    });
    Ok(checks)
}

async fn schedules(deployment: &Deployment) -> anyhow::Result<Vec<GetScheduleOutput>> {
    let mut listed = deployment
        .scheduler
        .list_schedules()
        .name_prefix(&deployment.name)
        .into_paginator()
        .items()
        .send();
    let mut schedules = Vec::new();
    while let Some(summary) = listed.next().await {
        let summary = summary.map_err(|e| aws_context("listing the schedules", e))?;
        let schedule = deployment
            .scheduler
            .get_schedule()
            .set_name(summary.name)
            .set_group_name(summary.group_name)
            .send()
            .await
            .map_err(|e| aws_context("reading a schedule", e))?;
        schedules.push(schedule);
    }
    Ok(schedules)
}

fn name(schedule: &GetScheduleOutput) -> &str {
    schedule.name().unwrap_or_default()
}

/// The input of the execution that a schedule starts, if it starts one of ours: by itself, or through the API.
fn started(deployment: &Deployment, schedule: &GetScheduleOutput) -> Option<Value> {
    let target = schedule.target()?;
    let input: Value = serde_json::from_str(target.input()?).ok()?;
    if target.arn() == deployment.state_machine_arn {
        return Some(input);
    }
    let by_api = target.arn().ends_with(":aws-sdk:sfn:startExecution")
        && input["StateMachineArn"].as_str() == Some(&deployment.state_machine_arn);
    serde_json::from_str(by_api.then(|| input["Input"].as_str())??).ok()
}

/// The time and the weekdays, from Monday on, of a cron expression for one time on certain days of each week.
fn cron(expression: &str) -> Option<(Time, Vec<Weekday>)> {
    let fields = expression.strip_prefix("cron(")?.strip_suffix(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let [minute, hour, day, month, weekdays, year] = fields[..] else {
        return None;
    };
    if !["?", "*"].contains(&day) || month != "*" || year != "*" {
        return None;
    }
    let time = Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()?;
    let mut found = Vec::new();
    for part in weekdays.split(',') {
        match part.split_once('-') {
            _ if ["?", "*"].contains(&part) => {
                found.extend(Weekday::Monday.cycle_forward().take(7))
            }
            Some((first, last)) => {
                let last = weekday(last)?;
                for day in weekday(first)?.cycle_forward().take(7) {
                    found.push(day);
                    if day == last {
                        break;
                    }
                }
            }
            None => found.push(weekday(part)?),
        }
    }
    found.sort_by_key(|day| day.to_monday_zero_offset());
    found.dedup();
    Some((time, found))
}

/// A weekday as AWS writes it: `MON`, or a number from 1 for Sunday.
fn weekday(text: &str) -> Option<Weekday> {
    if let Ok(number) = text.parse::<i8>() {
        return Weekday::from_sunday_one_offset(number).ok();
    }
    let names = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    let place = names
        .iter()
        .position(|name| text.eq_ignore_ascii_case(name))?;
    Weekday::from_sunday_zero_offset(i8::try_from(place).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};

    #[test]
    fn a_cron_expression_is_read_as_scheduler_reads_it() {
        let six = Time::constant(6, 0, 0, 0);
        let week = vec![Monday, Tuesday, Wednesday, Thursday, Friday];
        for expression in [
            "cron(0 6 ? * MON-FRI *)",
            "cron(0 6 ? * 2-6 *)",
            "cron(0 6 * * FRI,MON-THU *)",
        ] {
            assert_eq!(cron(expression), Some((six, week.clone())), "{expression}");
        }
        let days = cron("cron(30 23 ? * SAT-SUN *)");
        assert_eq!(
            days,
            Some((Time::constant(23, 30, 0, 0), vec![Saturday, Sunday]))
        );
        assert_eq!(cron("cron(0 6 * * ? *)").unwrap().1.len(), 7);
        for expression in [
            "rate(1 day)",
            "cron(0/5 6 ? * MON *)",
            "cron(0 6 1 * ? *)",
            "cron(0 6 ? * MON#1 *)",
            "cron(0 6 ? * MON 2027)",
            "cron(0 25 ? * MON *)",
            "",
        ] {
            assert_eq!(cron(expression), None, "{expression}");
        }
    }
}
