//! `spooky doctor`: checks a deployment or the local cloud from end to end, and posts nothing.

mod schedules;

use std::{collections::HashMap, net::Ipv4Addr, time::Duration};

use anyhow::{Context, ensure};
use aws_sdk_eventbridge::types::RuleState;
use bot_files::{Pick, Policy};
use clap::Args;
use jiff::Timestamp;
use posts_table::{Micros, Record};
use provider_secrets::x_credentials_id;
use serde::Serialize;
use serde_json::{Value, json};

use deployment::{BotFiles, DEFINITION, Deployment, aws_context, functions};

use crate::{
    args::BotArg,
    commands::{calendar, status::pause_summary},
    files::bots_directory,
    target::Target,
    terminal::print,
};

/// Check a deployment or the local cloud from end to end; nothing is posted, painted, mailed or changed.
#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    bot: BotArg,
    /// Answer with one JSON object.
    #[arg(long)]
    json: bool,
}

/// What was looked at, how it is, and what to do about it.
#[derive(Debug, Serialize)]
struct Check {
    what: String,
    verdict: Verdict,
    said: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// It is as it should be.
    Ok,
    /// It works, or nobody knows; somebody should look.
    Warn,
    /// Posts will fail, or not happen.
    Fail,
}

fn ok(what: impl Into<String>, said: &str) -> Check {
    Check {
        what: what.into(),
        verdict: Verdict::Ok,
        said: said.to_owned(),
        fix: None,
    }
}

fn warn(what: impl Into<String>, said: &str, fix: &str) -> Check {
    Check {
        verdict: Verdict::Warn,
        fix: Some(fix.to_owned()),
        ..ok(what, said)
    }
}

fn fail(what: impl Into<String>, said: &str, fix: &str) -> Check {
    Check {
        verdict: Verdict::Fail,
        fix: Some(fix.to_owned()),
        ..ok(what, said)
    }
}

/// The checks of one kind, or the one that says why they could not be made.
fn made(what: &str, checks: anyhow::Result<Vec<Check>>) -> Vec<Check> {
    let error = match checks {
        Ok(checks) => return checks,
        Err(error) => format!("{error:#}"),
    };
    // Whoever asks may have fewer rights than the functions, whose own are tried by the canaries.
    vec![
        match error.contains("AccessDenied") || error.contains("is not authorized") {
            true => warn(
                what,
                &error,
                "allow your AWS identity to look at it; docs/cli.md lists what doctor needs",
            ),
            false => fail(what, &error, "mend what it says, or deploy again"),
        },
    ]
}

impl Doctor {
    pub(crate) async fn run(self, target: &Target) -> anyhow::Result<()> {
        let deployment = target.deployment().await?;
        let now = Timestamp::now();
        let bot = &self.bot.bot;
        let mut checks = vec![ok(
            "deployment",
            &match &deployment.emulator_url {
                Some(url) => format!("{} at {url}", deployment.name),
                None => format!(
                    "{} in the account {}, region {}",
                    deployment.name, deployment.account_id, deployment.region
                ),
            },
        )];
        checks.extend(made("clock of this machine", clock(&deployment, now).await));
        checks.extend(made("state machine", state_machine(&deployment).await));
        let (environments, found) = functions_of(&deployment).await?;
        checks.extend(found);
        checks.extend(made("table", table(&deployment).await));
        checks.extend(made("secrets", secrets(&deployment, bot).await));
        checks.extend(made("rule on failed executions", rule(&deployment).await));
        checks.extend(made("approval page", approval_page(&environments).await));
        let files = BotFiles::deployed(&deployment, bot).await;
        match &files {
            Ok(files) => {
                checks.extend(made("bot's files", same_files(&deployment, bot).await));
                checks.extend(made("calendar", days_ahead(files)));
                checks.extend(made("budget", budget(&deployment, bot, files).await));
                checks.extend(made("mail", mail(&deployment, files, &environments).await));
                match deployment.is_local() {
                    true => checks.push(ok("schedules", "`spooky local` starts each slot")),
                    false => checks.extend(made(
                        "schedules",
                        schedules::check(&deployment, bot, files).await,
                    )),
                }
            }
            Err(error) => checks.push(fail(
                "bot's files",
                &format!("{error:#}"),
                "mend the file and deploy it; `spooky calendar check` tells whether it is good",
            )),
        }
        checks.extend(made("switch", switch(&deployment, bot, now).await));
        checks.extend(made("canaries", canaries(&deployment, bot).await));
        let count = |verdict| {
            let of = checks.iter().filter(|check| check.verdict == verdict);
            of.count()
        };
        let (failed, warned) = (count(Verdict::Fail), count(Verdict::Warn));
        if self.json {
            let answer = json!({
                "deployment": deployment.name, "bot": bot, "failed": failed, "warned": warned, "checks": checks,
            });
            print(&answer.to_string())?;
        } else {
            for check in &checks {
                let verdict = match check.verdict {
                    Verdict::Ok => "ok",
                    Verdict::Warn => "warn",
                    Verdict::Fail => "fail",
                };
                print(&format!("{verdict:<5} {}: {}", check.what, check.said))?;
                if let Some(fix) = &check.fix {
                    print(&format!("      {fix}"))?;
                }
            }
        }
        ensure!(
            failed == 0,
            "{failed} of {} checks fail; each says what to do",
            checks.len()
        );
        Ok(())
    }
}

/// How far this machine's clock is from AWS's: requests are signed with the time, and refused when it is wrong.
async fn clock(deployment: &Deployment, now: Timestamp) -> anyhow::Result<Vec<Check>> {
    let url = match (&deployment.emulator_url, std::env::var("AWS_ENDPOINT_URL")) {
        (Some(url), _) => url.clone(),
        (None, Ok(url)) if !url.is_empty() => url,
        _ => format!("https://sts.{}.amazonaws.com/", deployment.region),
    };
    let client = lambda_function::https::client_builder()
        .timeout(Duration::from_secs(10))
        .build()?;
    let answer = client.get(&url).send().await;
    let answer = answer.with_context(|| format!("asking {url} for the time"))?;
    let date = answer
        .headers()
        .get("date")
        .and_then(|date| date.to_str().ok());
    let date = date.with_context(|| format!("{url} tells no time"))?;
    let theirs = jiff::fmt::rfc2822::parse(date)
        .with_context(|| format!("{url} tells the time {date:?}"))?
        .timestamp();
    let apart = now.duration_since(theirs).as_secs().abs();
    let what = "clock of this machine";
    let said = format!("this machine and AWS are {apart} s apart");
    let fix = "set the clock of this machine, or let it be kept by NTP";
    Ok(vec![match apart {
        0..=30 => ok(what, &said),
        31..=240 => warn(what, &said, fix),
        _ => fail(what, &said, fix),
    }])
}

/// Whether the definition is that of this checkout, apart from the names of what it calls.
async fn state_machine(deployment: &Deployment) -> anyhow::Result<Vec<Check>> {
    let what = "state machine";
    let there = deployment
        .sfn
        .describe_state_machine()
        .state_machine_arn(&deployment.state_machine_arn)
        .send()
        .await
        .map_err(|e| aws_context("describing the state machine", e))?;
    let mut ours = DEFINITION.replace("${table_name}", &deployment.name);
    for name in functions()?.keys() {
        let placeholder = format!("${{{}_function_arn}}", name.replace('-', "_"));
        ours = ours.replace(&placeholder, &deployment.function_arn(name));
    }
    let ours: Value = serde_json::from_str(&ours)?;
    let theirs: Value =
        serde_json::from_str(&there.definition).context("the deployed definition is no JSON")?;
    if ours == theirs {
        return Ok(vec![ok(what, "its definition is that of this checkout")]);
    }
    let (mut other, none) = (Vec::new(), serde_json::Map::new());
    let states = |of: &Value| of["States"].as_object().unwrap_or(&none).clone();
    let (ours_states, theirs_states) = (states(&ours), states(&theirs));
    for name in ours_states.keys().chain(theirs_states.keys()) {
        if ours_states.get(name) != theirs_states.get(name) && !other.contains(name) {
            other.push(name.clone());
        }
    }
    let where_ = match other.is_empty() {
        true => "outside its states".to_owned(),
        false => format!("in {}", other.join(", ")),
    };
    Ok(vec![warn(
        what,
        &format!("its definition is not that of this checkout: it differs {where_}"),
        "deploy this checkout, or run doctor from the commit that is deployed",
    )])
}

/// The environments of the functions that are there, and a check of each.
async fn functions_of(
    deployment: &Deployment,
) -> anyhow::Result<(HashMap<String, HashMap<String, String>>, Vec<Check>)> {
    let fix = "deploy again";
    let (mut environments, mut checks) = (HashMap::new(), Vec::new());
    for (name, described) in functions()? {
        let what = format!("function {name}");
        let there = deployment
            .lambda
            .get_function_configuration()
            .function_name(deployment.function_name(&name))
            .qualifier("live")
            .send()
            .await;
        let there = match there {
            Ok(there) => there,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_resource_not_found_exception()) =>
            {
                let said = "it, or its alias live, is not there";
                checks.push(fail(what, said, fix));
                continue;
            }
            Err(error) => {
                let error = aws_context(&format!("reading the configuration of {name}"), error);
                checks.extend(made(&what, Err(error)));
                continue;
            }
        };
        let variables = there
            .environment
            .and_then(|environment| environment.variables)
            .unwrap_or_default();
        let mut wrong = Vec::new();
        for variable in &described.environment {
            let value = variables
                .get(variable)
                .map(String::as_str)
                .unwrap_or_default();
            let right = match variable.as_str() {
                "TABLE_NAME" | "SECRETS_PREFIX" => value == deployment.name,
                "IMAGE_BUCKET" => value == deployment.image_bucket,
                "BOT_FILES_BUCKET" => value == deployment.bot_files_bucket,
                // Longer than an invocation can last, or two could send.
                "LEASE_SECONDS" => value
                    .parse()
                    .is_ok_and(|lease: i32| lease > described.timeout_seconds),
                // Only the local cloud says where these are.
                "OPENAI_BASE_URL" | "X_API_BASE_URL" => true,
                _ => !value.is_empty(),
            };
            if !right {
                wrong.push(match value.is_empty() {
                    true => format!("the variable {variable} is missing"),
                    false => format!("the variable {variable} is {value:?}"),
                });
            }
        }
        if there.timeout != Some(described.timeout_seconds) {
            wrong.push(format!(
                "its timeout is {} s instead of {}",
                there.timeout.unwrap_or_default(),
                described.timeout_seconds
            ));
        }
        if there.memory_size != Some(described.memory_mb) {
            wrong.push(format!(
                "its memory is {} MB instead of {}",
                there.memory_size.unwrap_or_default(),
                described.memory_mb
            ));
        }
        environments.insert(name, variables);
        checks.push(match wrong.is_empty() {
            true => ok(
                what,
                &format!("version {}", there.version.unwrap_or_default()),
            ),
            false => fail(what, &wrong.join("; "), fix),
        });
    }
    Ok((environments, checks))
}

async fn table(deployment: &Deployment) -> anyhow::Result<Vec<Check>> {
    let there = deployment
        .dynamodb
        .describe_time_to_live()
        .table_name(&deployment.name)
        .send()
        .await
        .map_err(|e| aws_context("looking at the table", e))?;
    let forgets = there
        .time_to_live_description
        .and_then(|d| d.attribute_name);
    Ok(vec![match forgets.as_deref() {
        Some("expiresAt") => ok("table", "it is there, and forgets what is over"),
        _ => warn(
            "table",
            "it does not forget what is over: expiresAt is not its time to live",
            "deploy again",
        ),
    }])
}

/// Whether each secret has a value. What is in it is tried by the canaries, since only functions may read it.
async fn secrets(deployment: &Deployment, bot: &str) -> anyhow::Result<Vec<Check>> {
    let mut checks = Vec::new();
    for name in [
        format!("{}/openai", deployment.name),
        x_credentials_id(&deployment.name, bot),
        format!("{}/review", deployment.name),
    ] {
        let what = format!("secret {name}");
        let fix = format!(
            "put its value: `aws secretsmanager put-secret-value --secret-id {name} --secret-string file://…`"
        );
        let there = deployment
            .secrets
            .describe_secret()
            .secret_id(&name)
            .send()
            .await;
        checks.extend(match there {
            Ok(there) if there.deleted_date.is_some() => {
                let restore = format!("`aws secretsmanager restore-secret --secret-id {name}`");
                vec![fail(what, "it is marked for deletion", &restore)]
            }
            Ok(there) => {
                let stages = there.version_ids_to_stages.unwrap_or_default();
                let current = stages.values().flatten().any(|stage| stage == "AWSCURRENT");
                vec![match current {
                    true => ok(what, "it has a value"),
                    false => fail(what, "it has no value", &fix),
                }]
            }
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_resource_not_found_exception()) =>
            {
                vec![fail(
                    what,
                    "it is not there",
                    "deploy again, and put its value",
                )]
            }
            Err(error) => made(&what, Err(aws_context("describing the secret", error))),
        });
    }
    Ok(checks)
}

/// Whether record-result hears of executions that fail.
async fn rule(deployment: &Deployment) -> anyhow::Result<Vec<Check>> {
    let what = "rule on failed executions";
    let name = format!("{}-failed", deployment.name);
    let silent = "failures are neither recorded nor told";
    let there = deployment.events.describe_rule().name(&name).send().await;
    let there = match there {
        Ok(there) => there,
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|e| e.is_resource_not_found_exception()) =>
        {
            let said = format!("{name} is not there: {silent}");
            return Ok(vec![fail(what, &said, "deploy again")]);
        }
        Err(error) => return Err(aws_context("describing the rule", error)),
    };
    if there.state != Some(RuleState::Enabled) {
        let said = format!("{name} is disabled: {silent}");
        let fix = format!("`aws events enable-rule --name {name}`");
        return Ok(vec![fail(what, &said, &fix)]);
    }
    let targets = deployment
        .events
        .list_targets_by_rule()
        .rule(&name)
        .send()
        .await
        .map_err(|e| aws_context("listing the targets of the rule", e))?;
    let wanted = deployment.function_arn("record-result");
    let found = targets
        .targets()
        .iter()
        .any(|target| target.arn() == wanted);
    Ok(vec![match found {
        true => ok(what, "record-result hears of them"),
        false => fail(
            what,
            &format!("{name} does not lead to {wanted}: {silent}"),
            "deploy again",
        ),
    }])
}

/// Whether the page that the links lead to answers.
async fn approval_page(
    environments: &HashMap<String, HashMap<String, String>>,
) -> anyhow::Result<Vec<Check>> {
    let what = "approval page";
    let base = environments
        .get("review")
        .and_then(|e| e.get("REVIEW_BASE_URL"));
    let base = base.context("the function review does not say where it is")?;
    let url: reqwest::Url = base
        .parse()
        .with_context(|| format!("{base:?} is no address"))?;
    let mut client = lambda_function::https::client_builder().timeout(Duration::from_secs(20));
    // Not every system knows that a name under localhost is this machine.
    if let Some(host) = url.host_str()
        && host.ends_with(".localhost")
    {
        let port = url.port_or_known_default().unwrap_or(80);
        client = client.resolve(host, (Ipv4Addr::LOCALHOST, port).into());
    }
    let address = format!("{}/review/doctor", base.trim_end_matches('/'));
    let fix = "look at the log of the function review, and at its HTTP API";
    let answer = client.build()?.get(&address).send().await;
    Ok(vec![match answer {
        // A link that nobody signed is refused by the function itself.
        Ok(answer) if answer.status().is_client_error() => ok(what, &format!("{base} answers")),
        Ok(answer) => fail(what, &format!("{base} answers {}", answer.status()), fix),
        Err(error) => fail(what, &format!("{base} does not answer: {error}"), fix),
    }])
}

/// Whether the deployed files are those of this checkout.
async fn same_files(deployment: &Deployment, bot: &str) -> anyhow::Result<Vec<Check>> {
    let mut checks = Vec::new();
    for file in ["bot.toml", "calendar.toml"] {
        let deployed = deployment.bot_file(bot, file).await?;
        let ours = std::fs::read_to_string(bots_directory().join(bot).join(file)).ok();
        checks.push(match ours {
            Some(ours) if ours == deployed => ok(file, "it is good, and that of this checkout"),
            Some(_) => warn(
                file,
                "it is good, and not that of this checkout",
                "deploy the bot's files, or run doctor from the commit that is deployed",
            ),
            None => warn(
                file,
                "it is good, and this checkout has none",
                "look at --bot, or check out what is deployed",
            ),
        });
    }
    Ok(checks)
}

/// Whether the coming slots have something to post.
fn days_ahead(files: &BotFiles) -> anyhow::Result<Vec<Check>> {
    let (mut posts, mut gaps) = (0, Vec::new());
    let mut first = None;
    for (date, slot) in calendar::slots(files, files.today(), 60) {
        match files.calendar.pick(date, slot) {
            Pick::Day(day) => {
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
    let fix = "add days to calendar.toml; `spooky calendar gaps` lists what is missing";
    Ok(vec![match (first, gaps.is_empty()) {
        (None, _) => fail(what, "there is nothing to post in the next 60 days", fix),
        (Some(first), true) => ok(
            what,
            &format!("{posts} posts in the next 60 days, the first is {first}"),
        ),
        (Some(_), false) => warn(
            what,
            &format!("nothing to post for {}", gaps.join(", ")),
            fix,
        ),
    }])
}

/// Whether the caps leave enough for another picture.
async fn budget(
    deployment: &Deployment,
    bot: &str,
    files: &BotFiles,
) -> anyhow::Result<Vec<Check>> {
    let today = files.today();
    let spending = deployment.table.spending(bot, today).await?;
    let of_today = spending.days.iter().find(|(date, _)| *date == today);
    let of_today = of_today.map_or(Micros(0), |(_, spending)| spending.committed);
    let caps = files.bot.money;
    let left_today = caps.per_day_micros - of_today.0;
    let left = Micros(
        left_today
            .min(caps.per_month_micros - spending.total.committed.0)
            .max(0),
    );
    let picture = serde_json::from_value(json!(files.bot.picture))?;
    let picture = Micros::from_usd(generate_image::most_usd(&picture, ""));
    let said = format!("{left} are left today, and a picture may cost {picture}");
    Ok(vec![match left >= picture {
        true => ok("budget", &said),
        false => warn(
            "budget",
            &said,
            "nothing is painted until tomorrow, or next month: raise [money] in bot.toml and deploy, if that is too low; \
             `spooky costs` says what was spent",
        ),
    }])
}

/// Whether SES sends to those who are asked and told.
async fn mail(
    deployment: &Deployment,
    files: &BotFiles,
    environments: &HashMap<String, HashMap<String, String>>,
) -> anyhow::Result<Vec<Check>> {
    let sender = environments
        .get("request-approval")
        .and_then(|variables| variables.get("MAIL_FROM"))
        .context("the function request-approval does not say who sends its mails")?;
    let mut checks = vec![match verified(deployment, sender).await? {
        true => ok("mail sender", &format!("{sender} is verified")),
        false => fail(
            "mail sender",
            &format!("{sender} is not verified in SES: no mail goes out"),
            &format!(
                "`aws sesv2 create-email-identity --email-identity {sender}`, and follow the mail that comes"
            ),
        ),
    }];
    let account = deployment
        .ses
        .get_account()
        .send()
        .await
        .map_err(|e| aws_context("asking SES whether it sends to everybody", e))?;
    let mut people: Vec<&String> = files.bot.notices.to.iter().collect();
    if files.bot.approval.policy == Policy::Required {
        people.extend(&files.bot.approval.approvers);
    }
    people.sort();
    people.dedup();
    let mut unverified = Vec::new();
    if !account.production_access_enabled {
        for person in &people {
            if !verified(deployment, person).await? {
                unverified.push(person.as_str());
            }
        }
    }
    checks.push(match unverified.is_empty() {
        true => ok(
            "mail receivers",
            &format!("SES sends to all {} of bot.toml", people.len()),
        ),
        false => fail(
            "mail receivers",
            &format!(
                "SES is in its sandbox, and these addresses are not verified: {}",
                unverified.join(", ")
            ),
            "verify them with `aws sesv2 create-email-identity`, or ask AWS for production access",
        ),
    });
    Ok(checks)
}

/// Whether an address, or its domain, is verified.
async fn verified(deployment: &Deployment, address: &str) -> anyhow::Result<bool> {
    let domain = address.rsplit('@').next().unwrap_or_default();
    for identity in [address, domain] {
        let there = deployment
            .ses
            .get_email_identity()
            .email_identity(identity)
            .send()
            .await;
        match there {
            Ok(there) if there.verified_for_sending_status => return Ok(true),
            Ok(_) => {}
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_not_found_exception()) => {}
            Err(error) => return Err(aws_context(&format!("asking SES about {identity}"), error)),
        }
    }
    Ok(false)
}

/// Whether the bot is paused, and what nobody knows to be posted.
async fn switch(deployment: &Deployment, bot: &str, now: Timestamp) -> anyhow::Result<Vec<Check>> {
    let mut checks = Vec::new();
    let paused = deployment.table.switch(bot).await?;
    checks.push(match paused.filter(|switch| !switch.is_over(now)) {
        Some(switch) => warn("switch", &pause_summary(bot, &switch)?, "`spooky resume`"),
        None => ok("switch", &format!("{bot} is not paused")),
    });
    let armed = deployment.table.armed(bot).await?;
    let armed: Vec<Record> = armed.into_iter().collect::<Result<_, _>>()?;
    let in_doubt: Vec<&str> = armed
        .iter()
        .filter(|record| !record.is_in_flight(now))
        .map(|record| record.post.as_str())
        .collect();
    checks.push(match in_doubt.is_empty() {
        true => ok("posts in doubt", "none"),
        false => warn(
            "posts in doubt",
            &format!(
                "nobody knows whether these are on X: {}",
                in_doubt.join(", ")
            ),
            "`spooky redrive` each: it says what to do",
        ),
    });
    Ok(checks)
}

/// What the watchdog finds out with the functions' own rights: whether X and OpenAI take the credentials.
async fn canaries(deployment: &Deployment, bot: &str) -> anyhow::Result<Vec<Check>> {
    let what = "canaries";
    let payload = json!({"canaries": true, "bot": bot});
    let answer = deployment.invoke("watchdog", &payload).await?;
    let Some(found) = answer["checks"].as_array() else {
        let said = match answer["errorMessage"].as_str() {
            Some(error) => format!("the watchdog failed: {error}"),
            None => "the watchdog does not know them: whether X and OpenAI take the credentials was not tried".to_owned(),
        };
        return Ok(vec![warn(
            what,
            &said,
            "look at the log of the watchdog, or deploy again",
        )]);
    };
    let text = |check: &Value, name: &str| check[name].as_str().unwrap_or_default().to_owned();
    let checks = found.iter().map(|check| Check {
        what: text(check, "what"),
        verdict: match check["verdict"].as_str() {
            Some("ok") => Verdict::Ok,
            Some("warn") => Verdict::Warn,
            _ => Verdict::Fail,
        },
        said: text(check, "said"),
        fix: check["fix"].as_str().map(str::to_owned),
    });
    Ok(checks.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_may_not_be_made_warns_and_one_that_cannot_be_made_fails() {
        let of = |error: &str| {
            made("table", Err(anyhow::anyhow!("{error}")))
                .remove(0)
                .verdict
        };
        let denied = "looking: AccessDeniedException: User: x is not authorized to perform: y";
        assert_eq!(of(denied), Verdict::Warn);
        assert_eq!(
            of("looking: ResourceNotFoundException: gone"),
            Verdict::Fail
        );
    }
}
