//! Whether EventBridge Scheduler starts what `bot.toml` says, when it says.

use aws_sdk_scheduler::{operation::get_schedule::GetScheduleOutput, types::ScheduleState};
use bot_files::Cron;
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
        let expected = slot.cron();
        let wrong = match Cron::parse(expression) {
            None => Some(format!("is {expression}, which is not a weekly time")),
            Some(_) if their_zone != zone => {
                Some(format!("is in {their_zone}, and bot.toml is in {zone}"))
            }
            Some(theirs) if theirs != expected => {
                Some(format!("is {expression}, but bot.toml needs {expected}"))
            }
            Some(_) => None,
        };
        checks.push(match wrong {
            Some(wrong) => Check::fail(what, format!("{} {wrong}", name(schedule)), DEPLOY),
            // As an environment that only tries things has it.
            None if schedule.state() != Some(&ScheduleState::Enabled) => Check::warn(
                what,
                format!(
                    "{} is disabled, so the slot does not start automatically",
                    name(schedule)
                ),
                "to start it, set schedules_enabled and deploy again",
            ),
            None => Check::ok(what, format!("{expression} in {zone}")),
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
            format!(
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
