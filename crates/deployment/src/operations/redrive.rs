//! Redrives a failed run, after a plan of what that does.

use anyhow::{Context, bail, ensure};
use aws_sdk_sfn::{
    operation::describe_execution::DescribeExecutionOutput,
    types::{ExecutionRedriveStatus, ExecutionStatus},
};
use bot_files::Bot;
use jiff::{SignedDuration, Timestamp};
use post::{ExecutionInput, Outcome, PostId, When};
use posts_table::{Ledger, Operator, Record, SlotChange, prices};
use serde::Serialize;
use serde_json::Value;

use super::{PICTURE_UNUSABLE, is_duplicate, ledger_summary, slot_summary, tweet_url};
use crate::{BotFiles, Deployment, Redriven, Run};

/// How long a failed execution can be redriven: AWS deletes its definition after that.
const REDRIVABLE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// What an operator asks for.
#[derive(Debug)]
pub struct RedriveRequest {
    /// A post, or the ARN of an execution.
    pub target: String,
    /// Whether to send the tweet again that was sent without a clear answer and was not found.
    pub post_again: bool,
}

/// What a redrive would do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RedrivePlan {
    /// The post.
    pub post: String,
    /// The execution that failed.
    pub failed: String,
    /// The state that runs again.
    pub state: String,
    /// The error name; an aborted execution has none.
    pub error: Option<String>,
    /// The message of the error.
    pub cause: Option<String>,
    /// What the run has paid, in US dollars.
    pub paid_usd: f64,
    /// What the redrive costs at most if it succeeds, in US dollars.
    pub may_cost_usd: f64,
    /// Whether the slot's time is too long ago.
    pub late: bool,
    /// Whether the tweet is sent again.
    pub post_again: bool,
}

/// A redrive that nothing prevents.
#[derive(Debug)]
pub struct Redrive {
    /// The post.
    pub post: PostId,
    /// Its record, if it was claimed.
    pub record: Option<Record>,
    /// What it does.
    pub plan: RedrivePlan,
    run: Run,
}

/// Finds a failed run, checks that it can be redriven, and plans it. Changes nothing.
pub async fn prepare_redrive(
    deployment: &Deployment,
    request: &RedriveRequest,
) -> anyhow::Result<Redrive> {
    let (post, run) = find(deployment, &request.target).await?;
    let record = deployment.table.read(&post).await?;
    let last = &run.last().arn;
    let failed = deployment.failed_state(last).await?;
    let described = deployment.described(last).await?;
    let described = described.with_context(|| format!("{last} does not exist any more"))?;
    let now = Timestamp::now();
    let paused = deployment.table.paused(&post.bot, now).await?;
    let situation = Situation {
        post: &post,
        run: &run,
        state: failed.as_ref().map(|(state, _)| state.as_str()),
        error: described.error(),
        not_redrivable: not_redrivable(&described),
        record: record.as_ref(),
        paused: paused.as_deref(),
        post_again: request.post_again,
        now,
    };
    if let Some(obstacle) = situation.obstacle() {
        bail!("nothing was redriven: {obstacle}");
    }
    let late = situation.is_late();
    let (state, input) = failed.context("the execution failed before its first state")?;
    let input: Value = serde_json::from_str(&input)?;
    let may_cost_usd = may_cost(
        deployment,
        &post,
        &state,
        &input,
        record.as_ref(),
        request.post_again,
    )
    .await?;
    let plan = RedrivePlan {
        post: post.to_string(),
        failed: last.clone(),
        paid_usd: paid(&input),
        may_cost_usd,
        late,
        post_again: request.post_again,
        error: described.error.clone(),
        cause: described.cause.clone(),
        state,
    };
    Ok(Redrive {
        post,
        record,
        plan,
        run,
    })
}

impl Redrive {
    /// The status of the execution that failed.
    pub fn status(&self) -> &str {
        self.run.last().status.as_str()
    }

    /// Redrives the run.
    pub async fn start(
        &self,
        deployment: &Deployment,
        operator: &Operator,
    ) -> anyhow::Result<Redriven> {
        if self.plan.post_again {
            let change = deployment
                .table
                .post_again(&self.post, operator, Timestamp::now());
            if let SlotChange::Refused(current) = change.await? {
                bail!(
                    "nothing was redriven: {} {}",
                    self.post,
                    slot_summary(current.as_deref())
                );
            }
        }
        let claimed = self.record.is_some().then_some(&self.post);
        deployment.redrive(claimed, &self.run, operator).await
    }
}

/// Everything that decides whether a run can be redriven.
struct Situation<'a> {
    post: &'a PostId,
    run: &'a Run,
    /// The state that failed.
    state: Option<&'a str>,
    error: Option<&'a str>,
    /// Why AWS does not redrive it.
    not_redrivable: Option<&'a str>,
    record: Option<&'a Record>,
    paused: Option<&'a str>,
    post_again: bool,
    now: Timestamp,
}

impl Situation<'_> {
    fn is_late(&self) -> bool {
        self.record.is_some_and(|record| {
            record.allow_late.is_none()
                && record
                    .not_after
                    .is_some_and(|last| last < self.now.as_second())
        })
    }

    fn again(&self) -> String {
        format!("`spooky run --again {} --reason …`", self.post)
    }

    /// Why the run cannot be redriven, and what to do instead.
    fn obstacle(&self) -> Option<String> {
        self.obstacle_of_claim()
            .or_else(|| self.obstacle_of_post_again())
            .or_else(|| self.obstacle_of_execution())
            .or_else(|| self.obstacle_of_error())
            .or_else(|| self.obstacle_of_ledger())
    }

    fn obstacle_of_claim(&self) -> Option<String> {
        let post = self.post;
        if let Some(record) = self.record {
            if record.outcome == Some(Outcome::Posted) {
                return Some(format!("{post} is posted: {}", tweet_url(record)));
            }
            if !self.run.holds(&record.execution) {
                return Some(format!(
                    "{post} is held by {}; name the post instead of the execution",
                    record.execution
                ));
            }
        }
        let last = self.run.last();
        (last.status == ExecutionStatus::Running)
            .then(|| format!("{post} is running; type `spooky show {}`", last.arn))
    }

    fn obstacle_of_post_again(&self) -> Option<String> {
        let may_be_sent = self
            .record
            .is_some_and(|record| record.ledger == Ledger::Armed && !record.is_in_flight(self.now));
        (self.post_again && !may_be_sent).then(|| {
            format!(
                "--post-again is for a tweet that was sent without a clear answer, and {} {}",
                self.post,
                self.record.map_or_else(
                    || "was never claimed".to_owned(),
                    |record| ledger_summary(record, self.now)
                )
            )
        })
    }

    fn obstacle_of_execution(&self) -> Option<String> {
        let (post, again, last) = (self.post, self.again(), self.run.last());
        if let Some(outcome) = self.record.and_then(|record| record.outcome) {
            return Some(format!(
                "{post} did not fail, it has ended: {}; to run it again, type {again}",
                outcome
            ));
        }
        if last.status == ExecutionStatus::Succeeded {
            return Some(format!("{} did not fail", last.arn));
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
        let reason = self.not_redrivable?;
        Some(format!(
            "AWS cannot redrive {}: {}; type {again}",
            last.arn,
            reason.trim_end_matches('.')
        ))
    }

    fn obstacle_of_error(&self) -> Option<String> {
        let (post, again) = (self.post, self.again());
        if self.state.is_none() {
            return Some(format!(
                "{} failed before its first state; type {again}",
                self.run.last().arn
            ));
        }
        (self.error == Some(PICTURE_UNUSABLE)).then(|| {
            format!(
                "the picture of {post} is unusable, and a redrive would find the same picture; \
                 for another picture, which is paid again, type {again}"
            )
        })
    }

    fn obstacle_of_ledger(&self) -> Option<String> {
        let (post, again, record) = (self.post, self.again(), self.record?);
        match record.ledger {
            Ledger::Posted => None,
            Ledger::Rejected if is_duplicate(record) => Some(format!(
                "X reports that the text of {post} is already posted; check the account, and type \
                 `spooky attach {post} <address of the tweet>`, or `spooky override {post} --caption …` and {again}"
            )),
            Ledger::Rejected => Some(format!(
                "X rejected {post} for good ({}), and would reject it again; for another caption type \
                 `spooky override {post} --caption …`, and then {again}",
                record.rejection.as_deref().unwrap_or_default()
            )),
            Ledger::Armed
                if !self.post_again
                    && record.reconciliations >= posts_table::MAX_RECONCILIATIONS =>
            {
                Some(format!(
                    "{post} may or may not be on X: it was sent and not found in {} reconciliation attempts. \
                     Check the account. If the tweet exists, type `spooky attach {post} <address of the tweet>` and \
                     redrive it; if not, type `spooky redrive {post} --post-again --reason …`",
                    record.reconciliations
                ))
            }
            Ledger::Claimed | Ledger::Armed if self.state == Some("RecordResult") => None,
            Ledger::Armed if !self.post_again => None,
            Ledger::Claimed | Ledger::Armed => self.obstacle_of_sending(),
        }
    }

    /// What would skip the post when it is sent.
    fn obstacle_of_sending(&self) -> Option<String> {
        let post = self.post;
        if let Some(reason) = self.paused {
            return Some(format!(
                "the bot is paused ({reason}), and {post} would end as skipped; type `spooky resume` first"
            ));
        }
        self.is_late().then(|| {
            format!(
                "{post} is too late and would end as skipped; type `spooky allow-late {post} --reason …` first"
            )
        })
    }
}

fn not_redrivable(described: &DescribeExecutionOutput) -> Option<&str> {
    (described.redrive_status() == Some(&ExecutionRedriveStatus::NotRedrivable)).then(|| {
        described
            .redrive_status_reason()
            .unwrap_or("it gives no reason")
    })
}

/// The post and its run.
async fn find(deployment: &Deployment, target: &str) -> anyhow::Result<(PostId, Run)> {
    if !target.starts_with("arn:") {
        let post: PostId = target.parse()?;
        let record = deployment.table.read(&post).await?.with_context(|| {
            format!(
                "{post} was never claimed; if it failed in PickDay, name its execution, which `spooky runs` lists"
            )
        })?;
        let run = deployment.run_of(&record.execution).await?.with_context(|| {
            format!(
                "{} holds {post} and was never started; type `spooky run --again {post} --reason …`",
                record.execution
            )
        })?;
        return Ok((post, run));
    }
    let run = deployment.run_of(target).await?.with_context(|| {
        format!("there is no execution {target}; `spooky runs` lists all executions")
    })?;
    let post = post_of_run(deployment, &run).await?.with_context(|| {
        format!(
            "the input of {} names no slot, and a redrive would have the same input; type `spooky run`",
            run.first.arn
        )
    })?;
    Ok((post, run))
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

/// What a redrive costs at most, in US dollars, if it succeeds.
async fn may_cost(
    deployment: &Deployment,
    post: &PostId,
    state: &str,
    input: &Value,
    record: Option<&Record>,
    post_again: bool,
) -> anyhow::Result<f64> {
    let mut cost = 0.0;
    if ["PickDay", "BuildPrompt", "GenerateImage"].contains(&state) {
        let picture: bot_files::Picture =
            match serde_json::from_value(input["day"]["picture"].clone()) {
                Ok(picture) => picture,
                // With invalid files PickDay would fail again.
                Err(_) => {
                    let files = BotFiles::deployed(deployment, &post.bot).await.context(
                        "nothing was redriven: the deployed files would be refused again",
                    )?;
                    files.bot.picture
                }
            };
        let prompt = input["prompt"]["prompt"].as_str().unwrap_or_default();
        cost += prices::max_picture_usd(&picture.size, &picture.quality, prompt);
    }
    let ledger = record.map_or(Ledger::Claimed, |record| record.ledger);
    if state != "RecordResult" && (ledger == Ledger::Claimed || post_again) {
        cost += prices::POST.usd();
    }
    Ok(cost)
}

/// The post of a run, if the input of its execution names one.
pub async fn post_of_run(deployment: &Deployment, run: &Run) -> anyhow::Result<Option<PostId>> {
    let described = deployment.described(&run.first.arn).await?;
    let described =
        described.with_context(|| format!("{} does not exist any more", run.first.arn))?;
    let input: Value = serde_json::from_str(described.input().unwrap_or_default())?;
    post_of(deployment, &input).await
}

/// The post that an execution's input names.
async fn post_of(deployment: &Deployment, input: &Value) -> anyhow::Result<Option<PostId>> {
    let Ok(input) = ExecutionInput::read_failed(input) else {
        return Ok(None);
    };
    ensure!(
        !input.dry_run,
        "a dry run claims no slot and cannot be redriven; type `spooky run --dry-run` for another dry run"
    );
    let date = match input.when {
        When::Date { date, .. } => date,
        When::Scheduled { .. } => {
            // Only parsed and not checked: an invalid file can be why the run failed.
            let text = deployment.bot_file(&input.bot, "bot.toml").await?;
            let bot = Bot::parse(&format!("{}/bot.toml", input.bot), &text)?;
            input.date(bot.time_zone())
        }
    };
    Ok(Some(PostId {
        bot: input.bot,
        date,
        slot: input.slot,
        dry_run: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Execution;
    use serde_json::json;

    #[test]
    fn a_run_that_cannot_be_redriven_names_what_to_do_instead() {
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
        let obstacle = |run: &Run, record: &Record, change: &dyn Fn(&mut Situation)| {
            let mut situation = Situation {
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
            change(&mut situation);
            situation.obstacle()
        };
        let as_is = |_: &mut Situation| {};
        assert_eq!(obstacle(&failed, &record(json!({})), &as_is), None);
        assert_eq!(
            obstacle(&failed, &record(json!({"ledger": "posted"})), &as_is),
            None
        );
        let looked_twice = json!({"ledger": "armed", "looks": 2, "leaseUntil": 0});
        assert_eq!(obstacle(&failed, &record(looked_twice), &as_is), None);
        assert_eq!(
            obstacle(&failed, &record(armed.clone()), &|s| s.post_again = true),
            None
        );
        let late = json!({"notAfter": now.as_second() - 1});
        let allowed = json!({"notAfter": now.as_second() - 1, "allowLate": "ada"});
        assert_eq!(obstacle(&failed, &record(allowed), &as_is), None);
        // The end of a run is recorded, however late it is.
        assert_eq!(
            obstacle(&failed, &record(late.clone()), &|s| s.state =
                Some("RecordResult")),
            None
        );
        let cases: Vec<(Option<String>, &str)> = vec![
            (
                obstacle(
                    &run(ExecutionStatus::Running, 0),
                    &record(json!({})),
                    &as_is,
                ),
                "spooky show",
            ),
            (
                obstacle(
                    &run(ExecutionStatus::Failed, 14 * 24 + 1),
                    &record(json!({})),
                    &as_is,
                ),
                "14 days",
            ),
            (
                obstacle(
                    &failed,
                    &record(json!({"outcome": "posted", "tweetId": "7"})),
                    &as_is,
                ),
                "status/7",
            ),
            (
                obstacle(&failed, &record(json!({"outcome": "expired"})), &as_is),
                "expired; to run it again, type `spooky run --again",
            ),
            (
                obstacle(&failed, &record(json!({"execution": "arn:other"})), &as_is),
                "held by arn:other",
            ),
            (
                obstacle(&failed, &record(json!({})), &|s| {
                    s.not_redrivable = Some("Execution history event limit exceeded.")
                }),
                "event limit exceeded; type `spooky run --again",
            ),
            (
                obstacle(&failed, &record(json!({})), &|s| s.state = None),
                "before its first state",
            ),
            (
                obstacle(&failed, &record(json!({})), &|s| {
                    s.error = Some("PictureUnusable")
                }),
                "run --again",
            ),
            (
                obstacle(
                    &failed,
                    &record(json!({"ledger": "rejected", "rejection": "no"})),
                    &as_is,
                ),
                "for good (no)",
            ),
            (
                obstacle(
                    &failed,
                    &record(json!({"ledger": "rejected", "rejection": "duplicate: no"})),
                    &as_is,
                ),
                "spooky attach",
            ),
            (obstacle(&failed, &record(armed), &as_is), "--post-again"),
            (
                obstacle(&failed, &record(json!({})), &|s| s.paused = Some("a storm")),
                "spooky resume",
            ),
            (
                obstacle(&failed, &record(late), &as_is),
                "spooky allow-late",
            ),
        ];
        for (obstacle, expected) in cases {
            let obstacle = obstacle.unwrap_or_default();
            assert!(
                obstacle.contains(expected),
                "{obstacle:?} lacks {expected:?}"
            );
        }
        for ledger in [
            json!({"ledger": "claimed"}),
            json!({"ledger": "posted"}),
            json!({"ledger": "rejected"}),
            json!({"ledger": "armed", "leaseUntil": now.as_millisecond() + 1}),
        ] {
            let refusal = obstacle(&failed, &record(ledger), &|s| s.post_again = true);
            assert!(refusal.unwrap().contains("--post-again is for"));
        }
    }
}
