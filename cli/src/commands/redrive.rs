//! `spooky redrive`: goes on with a failed run, after saying what that means.

use anyhow::{Context, bail, ensure};
use aws_sdk_sfn::types::{ExecutionRedriveStatus, ExecutionStatus};
use bot_files::Bot;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use post::{Outcome, PostId};
use posts_table::{Change, Ledger, Record};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Files, Progress,
    cloud::{Cloud, Run},
    confirm,
    operate::{PICTURE_UNUSABLE, Whose, address, is_duplicate, is_now, ledger, operator},
    place::Place,
    say,
};

/// How long a failed execution can be redriven: AWS forgets the definition after that.
const REDRIVABLE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Go on with a failed run from the state that failed, after saying what that means.
#[derive(Debug, Args)]
pub struct Redrive {
    /// A post, such as spooky-days/2026-10-30/1, or the ARN of an execution.
    what: String,
    /// Send a tweet again that was sent without a clear answer and is not to be found: it may be there twice then.
    #[arg(long, requires = "reason")]
    post_again: bool,
    /// Do not ask for a confirmation.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    whose: Whose,
    /// Why; it is kept in the audit trail.
    #[arg(long)]
    reason: Option<String>,
}

/// What a redrive would do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Plan {
    post: String,
    /// The execution that failed.
    failed: String,
    /// The state that runs again.
    state: String,
    error: Option<String>,
    cause: Option<String>,
    paid_usd: f64,
    may_cost_usd: f64,
    late: bool,
    post_again: bool,
}

/// Where a run stands, as far as it says whether it can be redriven.
struct Standing<'a> {
    post: &'a PostId,
    run: &'a Run,
    /// The state that failed.
    state: Option<&'a str>,
    error: Option<&'a str>,
    /// Why AWS will not redrive it.
    not_redrivable: Option<&'a str>,
    record: Option<&'a Record>,
    paused: Option<&'a str>,
    post_again: bool,
    now: Timestamp,
}

impl Standing<'_> {
    fn is_late(&self) -> bool {
        self.record.is_some_and(|record| {
            record.allow_late.is_none()
                && record
                    .not_after
                    .is_some_and(|last| last < self.now.as_second())
        })
    }

    /// Why the run cannot be redriven, and what to do instead.
    fn obstacle(&self) -> Option<String> {
        let post = self.post;
        let again = format!("`spooky run --again {post} --reason …`");
        let last = self.run.last();
        if let Some(record) = self.record {
            if record.outcome == Some(Outcome::Posted) {
                return Some(format!("{post} is posted: {}", address(record)));
            }
            if !self.run.holds(&record.execution) {
                return Some(format!(
                    "{post} is held by {} by now; name the post and not the execution",
                    record.execution
                ));
            }
        }
        if last.status == ExecutionStatus::Running {
            return Some(format!(
                "{post} is running; look at it with `spooky show {}`",
                last.arn
            ));
        }
        if self.post_again
            && !self.record.is_some_and(|record| {
                record.ledger == Ledger::Armed && !record.is_in_flight(self.now)
            })
        {
            return Some(format!(
                "--post-again is for a tweet that was sent without a clear answer, and {post} {}",
                self.record.map_or_else(
                    || "was never claimed".to_owned(),
                    |record| ledger(record, self.now)
                )
            ));
        }
        if let Some(outcome) = self.record.and_then(|record| record.outcome) {
            return Some(format!(
                "{post} did not fail, it has ended: {}; to run it again, type {again}",
                outcome
            ));
        }
        if last.status == ExecutionStatus::Succeeded {
            return Some(format!(
                "{} did not fail: nothing is to be redriven",
                last.arn
            ));
        }
        let too_old = last
            .stopped
            .is_some_and(|at| self.now.duration_since(at) > REDRIVABLE);
        if too_old {
            return Some(format!(
                "{} ended more than 14 days ago and cannot be redriven; type {again}",
                last.arn
            ));
        }
        if let Some(reason) = self.not_redrivable {
            return Some(format!(
                "AWS cannot redrive {}: {}; type {again}",
                last.arn,
                reason.trim_end_matches('.')
            ));
        }
        let Some(state) = self.state else {
            return Some(format!("{} failed in no state; type {again}", last.arn));
        };
        if self.error == Some(PICTURE_UNUSABLE) {
            return Some(format!(
                "the picture of {post} cannot be used, and a redrive would find the same; \
                 for another, which is paid again, type {again}"
            ));
        }
        let record = self.record?;
        match record.ledger {
            Ledger::Rejected if is_duplicate(record) => Some(format!(
                "X says that the text of {post} is there already; look at the account, and type \
                 `spooky attach {post} <address of the tweet>`, or `spooky override {post} --caption …` and {again}"
            )),
            Ledger::Rejected => Some(format!(
                "X refuses {post} for good ({}); a redrive would be told the same; for another caption type \
                 `spooky override {post} --caption …`, and then {again}",
                record.rejection.as_deref().unwrap_or_default()
            )),
            Ledger::Armed if !self.post_again && record.looks >= post_tweet::MAX_LOOKS => {
                Some(format!(
                    "nobody knows whether {post} is on X: it was sent and not found in {} looks. \
                     Look at the account. If it is there, type `spooky attach {post} <address of the tweet>` and \
                     redrive it; if not, type `spooky redrive {post} --post-again --reason …`",
                    record.looks
                ))
            }
            Ledger::Claimed | Ledger::Armed if state == "RecordResult" => None,
            Ledger::Armed if !self.post_again => None,
            Ledger::Claimed | Ledger::Armed => {
                if let Some(reason) = self.paused {
                    return Some(format!(
                        "the bot is paused ({reason}), and {post} would end as skipped; type `spooky resume` first"
                    ));
                }
                self.is_late().then(|| {
                    format!(
                        "{post} is too late by now and would end as skipped; \
                         type `spooky allow-late {post} --reason …` first"
                    )
                })
            }
            Ledger::Posted => None,
        }
    }
}

impl Redrive {
    pub(crate) async fn run(self, place: &Place) -> anyhow::Result<()> {
        let operator = operator(&self.whose.by, self.reason.clone())?;
        let cloud = place.cloud().await?;
        let (post, run) = self.find(&cloud).await?;
        let record = cloud.table.read(&post).await?;
        let last = &run.last().arn;
        let failed = cloud.failed_state(last).await?;
        let described = cloud.described(last).await?;
        let described = described.with_context(|| format!("{last} is gone"))?;
        let not_redrivable = (described.redrive_status()
            == Some(&ExecutionRedriveStatus::NotRedrivable))
        .then(|| {
            described
                .redrive_status_reason()
                .unwrap_or("it cannot be redriven")
        });
        let now = Timestamp::now();
        let paused = cloud.table.paused(&post.bot, now).await?;
        let standing = Standing {
            post: &post,
            run: &run,
            state: failed.as_ref().map(|(state, _)| state.as_str()),
            error: described.error(),
            not_redrivable,
            record: record.as_ref(),
            paused: paused.as_deref(),
            post_again: self.post_again,
            now,
        };
        if let Some(obstacle) = standing.obstacle() {
            bail!("nothing was redriven: {obstacle}");
        }
        let late = standing.is_late();
        let (state, input) = failed.context("the execution failed in no state")?;
        let input: Value = serde_json::from_str(&input)?;
        let plan = Plan {
            post: post.to_string(),
            failed: last.clone(),
            paid_usd: paid(&input),
            may_cost_usd: may_cost(
                &cloud,
                &post,
                &state,
                &input,
                record.as_ref(),
                self.post_again,
            )
            .await?,
            late,
            post_again: self.post_again,
            error: described.error.clone(),
            cause: described.cause.clone(),
            state,
        };
        let progress = Progress::new();
        progress.note(&plan.says(record.as_ref(), run.last().status.as_str()));
        drop(progress);
        if self.post_again {
            if !self.yes {
                let warning = format!(
                    "If the first tweet of {post} is there after all, it will be there twice. \
                     Look at the account first."
                );
                confirm(&post, &warning, "nothing was redriven").await?;
            }
            let change = cloud.table.post_again(&post, &operator, Timestamp::now());
            if let Change::Refused(there) = change.await? {
                bail!("nothing was redriven: {post} {}", is_now(there));
            }
        }
        let claimed = record.is_some().then_some(&post);
        let redriven = cloud.redrive(claimed, &run, &operator).await?;
        let progress = Progress::new();
        let execution = &redriven.execution;
        if execution == last {
            progress.note(&format!("redriven: {execution}"));
            // Its state is entered already, and is not entered anew.
            progress.step(&plan.state);
        } else {
            progress.note(&format!("continued as {execution}"));
        }
        let ended = cloud
            .wait_for(execution, redriven.redrives, redriven.states, |state| {
                progress.step(state)
            })
            .await?;
        drop(progress);
        if self.whose.json {
            say(&json!({"plan": plan, "run": ended}).to_string())?;
        } else if ended.status == "SUCCEEDED" {
            say(&format!("{post}: {}", ended.says()))?;
        }
        ensure!(
            ended.status == "SUCCEEDED",
            "{post} failed again, {}",
            ended.fails()
        );
        Ok(())
    }

    /// The post and its run.
    async fn find(&self, cloud: &Cloud) -> anyhow::Result<(PostId, Run)> {
        if !self.what.starts_with("arn:") {
            let post: PostId = self.what.parse()?;
            let record = cloud.table.read(&post).await?.with_context(|| {
                format!(
                    "nobody ever claimed {post}; if it failed in PickDay, name its execution, which `spooky runs` lists"
                )
            })?;
            let run = cloud.run_of(&record.execution).await?.with_context(|| {
                format!(
                    "{} holds {post} and was never started; type `spooky run --again {post} --reason …`",
                    record.execution
                )
            })?;
            return Ok((post, run));
        }
        let run = cloud.run_of(&self.what).await?.with_context(|| {
            format!(
                "there is no execution {}; `spooky runs` lists them",
                self.what
            )
        })?;
        let post = post_of_run(cloud, &run).await?.with_context(|| {
            format!(
                "the input of {} names no slot, and a redrive would have the same input; type `spooky run`",
                run.first.arn
            )
        })?;
        Ok((post, run))
    }
}

impl Plan {
    /// In words; one that was stopped or has timed out has a status and no error.
    fn says(&self, record: Option<&Record>, status: &str) -> String {
        let tweet = match record.map(|record| record.ledger) {
            Some(Ledger::Posted) => "it is on X already",
            Some(Ledger::Armed) if self.post_again => "it is sent once more",
            Some(Ledger::Armed) => "it was sent, and is looked for; nothing is sent again",
            _ => "it was not sent",
        };
        format!(
            "{} failed in {}: {}{}\n\
             what runs again: {}, and what follows it\n\
             the tweet:       {tweet}\n\
             paid already:    ${:.2}\n\
             may cost:        ${:.2}\n\
             the slot:        {}",
            self.post,
            self.state,
            self.error.as_deref().unwrap_or(status),
            self.cause
                .as_ref()
                .map_or(String::new(), |cause| format!(" {cause}")),
            self.state,
            self.paid_usd,
            self.may_cost_usd,
            match self.late {
                true => "is late",
                false => "is not late",
            }
        )
    }
}

/// What the run has paid, in US dollars, by the input of the state that failed.
fn paid(input: &Value) -> f64 {
    [
        &input["spentUsd"],
        &input["draft"]["costUsd"],
        &input["tweet"]["costUsd"],
    ]
    .into_iter()
    .filter_map(Value::as_f64)
    .sum()
}

/// What going on may cost at most, in US dollars, if everything goes well.
async fn may_cost(
    cloud: &Cloud,
    post: &PostId,
    state: &str,
    input: &Value,
    record: Option<&Record>,
    post_again: bool,
) -> anyhow::Result<f64> {
    let mut cost = 0.0;
    if ["PickDay", "BuildPrompt", "GenerateImage"].contains(&state) {
        let picture: generate_image::Picture =
            match serde_json::from_value(input["day"]["picture"].clone()) {
                Ok(picture) => picture,
                // With broken files PickDay would fail again.
                Err(_) => {
                    let files = Files::deployed(cloud, &post.bot).await.context(
                        "nothing was redriven: the deployed files would be refused again",
                    )?;
                    serde_json::from_value(json!(files.bot.picture))?
                }
            };
        let prompt = input["prompt"]["prompt"].as_str().unwrap_or_default();
        cost += generate_image::most_usd(&picture, prompt);
    }
    let ledger = record.map_or(Ledger::Claimed, |record| record.ledger);
    if state != "RecordResult" && (ledger == Ledger::Claimed || post_again) {
        cost += post_tweet::COST_USD;
    }
    Ok(cost)
}

/// The post that a run is about, if the input of its execution names one.
pub(crate) async fn post_of_run(cloud: &Cloud, run: &Run) -> anyhow::Result<Option<PostId>> {
    let described = cloud.described(&run.first.arn).await?;
    let described = described.with_context(|| format!("{} is gone", run.first.arn))?;
    let input: Value = serde_json::from_str(described.input().unwrap_or_default())?;
    post_of(cloud, &input).await
}

/// The post that an execution's input is about, if it names one.
async fn post_of(cloud: &Cloud, input: &Value) -> anyhow::Result<Option<PostId>> {
    let (Some(bot), Some(slot)) = (input["bot"].as_str(), input["slot"].as_u64()) else {
        return Ok(None);
    };
    ensure!(
        input["dryRun"] != true,
        "a dry run holds no slot and is not gone on with; type `spooky run --dry-run` for another one"
    );
    let date = match (input["date"].as_str(), input["scheduledTime"].as_str()) {
        (Some(date), _) => date.parse().ok(),
        (None, Some(time)) => match time.parse::<Timestamp>() {
            Ok(at) => {
                // Not checked as a whole: a broken file may be why the run failed.
                let text = cloud.bot_file(bot, "bot.toml").await?;
                let bot = Bot::parse(&format!("{bot}/bot.toml"), &text)?;
                Some(at.to_zoned_datetime(bot.time_zone().clone()).date())
            }
            Err(_) => None,
        },
        (None, None) => None,
    };
    Ok(date
        .zip(u32::try_from(slot).ok())
        .map(|(date, slot)| PostId {
            bot: bot.to_owned(),
            date,
            slot,
            dry_run: None,
        }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Execution;

    #[test]
    fn what_cannot_be_redriven_is_said_with_what_to_do_instead() {
        let now: Timestamp = "2026-10-30T20:00:00Z".parse().unwrap();
        let post: PostId = "spooky-days/2026-10-30/1".parse().unwrap();
        let arn = "arn:aws:states:us-east-1:000000000000:execution:daily-post-local:one";
        let run = |status: ExecutionStatus, hours: i64| Run {
            first: Execution {
                arn: arn.to_owned(),
                status,
                started: now,
                stopped: now.checked_sub(SignedDuration::from_hours(hours)).ok(),
                redrives: 0,
            },
            later: Vec::new(),
        };
        let record = |changes: Value| -> Record {
            let mut record = json!({
                "post": post.to_string(), "execution": arn, "claimedAt": now, "ledger": "claimed",
                "approvalRequired": false,
            });
            for (name, value) in changes.as_object().unwrap() {
                record[name] = value.clone();
            }
            serde_json::from_value(record).unwrap()
        };
        let armed = json!({"ledger": "armed", "looks": 6, "leaseUntil": now.as_millisecond() - 1});
        let failed = run(ExecutionStatus::Failed, 1);
        let tell = |run: &Run, record: &Record, change: &dyn Fn(&mut Standing)| {
            let mut standing = Standing {
                post: &post,
                run,
                state: Some("PostTweet"),
                error: None,
                not_redrivable: None,
                record: Some(record),
                paused: None,
                post_again: false,
                now,
            };
            change(&mut standing);
            standing.obstacle()
        };
        let as_is = |_: &mut Standing| {};
        assert_eq!(tell(&failed, &record(json!({})), &as_is), None);
        assert_eq!(
            tell(&failed, &record(json!({"ledger": "posted"})), &as_is),
            None
        );
        let looked_twice = json!({"ledger": "armed", "looks": 2, "leaseUntil": 0});
        assert_eq!(tell(&failed, &record(looked_twice), &as_is), None);
        assert_eq!(
            tell(&failed, &record(armed.clone()), &|s| s.post_again = true),
            None
        );
        let late = json!({"notAfter": now.as_second() - 1});
        let allowed = json!({"notAfter": now.as_second() - 1, "allowLate": "somebody"});
        assert_eq!(tell(&failed, &record(allowed), &as_is), None);
        // The end of a run is recorded, however late it is.
        assert_eq!(
            tell(&failed, &record(late.clone()), &|s| s.state =
                Some("RecordResult")),
            None
        );
        let cases: Vec<(Option<String>, &str)> = vec![
            (
                tell(
                    &run(ExecutionStatus::Running, 0),
                    &record(json!({})),
                    &as_is,
                ),
                "spooky show",
            ),
            (
                tell(
                    &run(ExecutionStatus::Failed, 14 * 24 + 1),
                    &record(json!({})),
                    &as_is,
                ),
                "14 days",
            ),
            (
                tell(
                    &failed,
                    &record(json!({"outcome": "posted", "tweetId": "7"})),
                    &as_is,
                ),
                "status/7",
            ),
            (
                tell(&failed, &record(json!({"outcome": "expired"})), &as_is),
                "expired; to run it again, type `spooky run --again",
            ),
            (
                tell(&failed, &record(json!({"execution": "arn:other"})), &as_is),
                "held by arn:other",
            ),
            (
                tell(&failed, &record(json!({})), &|s| {
                    s.not_redrivable = Some("Execution history event limit exceeded.")
                }),
                "event limit exceeded; type `spooky run --again",
            ),
            (
                tell(&failed, &record(json!({})), &|s| s.state = None),
                "no state",
            ),
            (
                tell(&failed, &record(json!({})), &|s| {
                    s.error = Some("PictureUnusable")
                }),
                "run --again",
            ),
            (
                tell(
                    &failed,
                    &record(json!({"ledger": "rejected", "rejection": "no"})),
                    &as_is,
                ),
                "for good (no)",
            ),
            (
                tell(
                    &failed,
                    &record(json!({"ledger": "rejected", "rejection": "duplicate: no"})),
                    &as_is,
                ),
                "spooky attach",
            ),
            (tell(&failed, &record(armed), &as_is), "--post-again"),
            (
                tell(&failed, &record(json!({})), &|s| s.paused = Some("a storm")),
                "spooky resume",
            ),
            (tell(&failed, &record(late), &as_is), "spooky allow-late"),
        ];
        for (said, expected) in cases {
            let said = said.unwrap_or_default();
            assert!(said.contains(expected), "{said:?} lacks {expected:?}");
        }
        for ledger in [
            json!({"ledger": "claimed"}),
            json!({"ledger": "posted"}),
            json!({"ledger": "rejected"}),
            json!({"ledger": "armed", "leaseUntil": now.as_millisecond() + 1}),
        ] {
            let said = tell(&failed, &record(ledger), &|s| s.post_again = true);
            assert!(said.unwrap().contains("--post-again is for"));
        }
    }
}
