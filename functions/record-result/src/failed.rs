//! An execution that failed, timed out or was stopped.

use bot_files::Bot;
use jiff::Timestamp;
use notifications::{Delivery, Failed};
use post::{AuditEvent, ExecutionInput, PostId};
use posts_table::{Failure, Record};
use serde_json::{Value, json};

use crate::{Context, Detail, Error, Output, metrics};

impl Context<'_> {
    pub(crate) async fn record_failure(&self, detail: Detail) -> Result<Output, Error> {
        let execution = &detail.execution_arn;
        let failure = self.failure(&detail).await?;
        let input = input(&detail);
        let bot = match &input {
            Some(input) => self.bot(&input.bot).await,
            None => Err("the input of the execution names no bot".to_owned()),
        };
        let post = match &input {
            Some(input) => Some(self.post(input, &bot, execution).await?),
            None => None,
        };
        if let Some(post) = &post {
            lambda_function::telemetry::record_post(post);
        }
        tracing::error!(
            status = failure.status,
            failed_state = failure.state,
            error = failure.error,
            "execution failed"
        );
        let recorded = match &post {
            None => {
                self.notify_failure(None, execution, &failure, None, &bot)
                    .await?;
                false
            }
            // The operator watches a dry run.
            Some(dry_run) if dry_run.dry_run.is_some() => {
                self.table().fail(dry_run, execution, &failure).await?
            }
            Some(post) => {
                self.record_failure_of(post, execution, &failure, &bot)
                    .await?
            }
        };
        Ok(Output {
            outcome: "failed",
            reason: detail.error,
            recorded,
            cost_usd: 0.0,
        })
    }

    async fn failure(&self, detail: &Detail) -> Result<Failure, Error> {
        let at = detail.stop_date;
        Ok(Failure {
            status: detail.status.clone(),
            state: self.failed_state(&detail.execution_arn).await?,
            error: detail.error.clone(),
            cause: detail.cause.clone(),
            redrive_count: detail.redrive_count.unwrap_or(0),
            at: at
                .and_then(|ms| Timestamp::from_millisecond(ms).ok())
                .unwrap_or(self.now),
        })
    }

    /// Records the failure in its slot, or in the audit trail. Returns whether the slot has it.
    async fn record_failure_of(
        &self,
        post: &PostId,
        execution: &str,
        failure: &Failure,
        bot: &Result<Bot, String>,
    ) -> Result<bool, Error> {
        // An event can arrive when a redrive runs, or has posted.
        let is_over = self.is_over(execution, failure.redrive_count).await?;
        let recorded = !is_over && self.table().fail(post, execution, failure).await?;
        if !recorded {
            self.audit_failure(post, execution, failure).await?;
        }
        let record = self.table().read(post).await?;
        match &record {
            // The function failed after it had written the outcome: only the notification may be missing.
            Some(held) if held.outcome.is_some() && held.execution == execution => {
                self.notify_end(post, held, &self.recipients(bot)).await?;
            }
            _ if is_over => {}
            // A later failure is recorded, and its notification sent.
            Some(held) if held.execution == execution && !recorded => {}
            Some(held)
                if held.execution != execution && self.was_replaced(post, execution).await? => {}
            held => {
                self.notify_failure(Some(post), execution, failure, held.as_ref(), bot)
                    .await?;
            }
        }
        Ok(recorded)
    }

    async fn audit_failure(
        &self,
        post: &PostId,
        execution: &str,
        failure: &Failure,
    ) -> Result<(), Error> {
        let event = AuditEvent::unrecorded_failure(execution);
        let details = json!({"execution": execution, "failure": failure});
        let written = self.table().audit(post, failure.at, &event, &details);
        Ok(written.await?)
    }

    async fn notify_failure(
        &self,
        post: Option<&PostId>,
        execution: &str,
        failure: &Failure,
        record: Option<&Record>,
        bot: &Result<Bot, String>,
    ) -> Result<(), Error> {
        let failed = Failed {
            post,
            execution,
            failure,
            record,
            on_aws: self.clients.on_aws,
        };
        let recipients = self.recipients(bot);
        let (event, notification) = (failed.event(), failed.notification());
        let notifier = &self.clients.notifier;
        let notify = notifier.notify(&recipients, &event, &notification, self.now);
        // The event may be delivered again.
        if notify.await? != Delivery::TakenBefore {
            metrics::failed(post, execution, failure).emit(self.now);
        }
        Ok(())
    }

    /// Whether an operator has given the slot of this execution to another one, and so knows of the failure.
    async fn was_replaced(&self, post: &PostId, execution: &str) -> Result<bool, Error> {
        let trail = self.table().audit_trail(post).await?;
        Ok(trail
            .iter()
            .any(|line| line.what.changes_holder() && line.details["from"] == execution))
    }

    /// The slot of a failed execution: the one that it holds, or else the one that its input names.
    async fn post(
        &self,
        input: &ExecutionInput,
        bot: &Result<Bot, String>,
        execution: &str,
    ) -> Result<PostId, Error> {
        // Without the bot's time zone there are three possible dates, and only the claim tells which one it is.
        let dates = match bot {
            Ok(bot) => vec![input.date(bot.time_zone())],
            Err(_) => input.possible_dates(),
        };
        let mut posts = Vec::new();
        for date in dates {
            let post = post_on(input, date, execution);
            let held = self.table().read(&post).await?;
            if held.is_some_and(|held| held.execution == execution) {
                return Ok(post);
            }
            posts.push(post);
        }
        let named = posts.into_iter().next();
        named.ok_or_else(|| Error::InvalidInput(format!("the input of {execution} has no date")))
    }
}

/// The input of the execution, if it names a slot.
fn input(detail: &Detail) -> Option<ExecutionInput> {
    let input: Value = serde_json::from_str(detail.input.as_deref()?).ok()?;
    ExecutionInput::read_failed(&input).ok()
}

fn post_on(input: &ExecutionInput, date: jiff::civil::Date, execution: &str) -> PostId {
    let post = PostId {
        bot: input.bot.clone(),
        date,
        slot: input.slot,
        dry_run: None,
    };
    match input.dry_run {
        true => post.dry_run_of(execution),
        false => post,
    }
}
