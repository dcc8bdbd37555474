//! A run that reached the last state.

use jiff::{Timestamp, tz::TimeZone};
use post::{AuditEvent, Outcome, PostId};
use posts_table::{Micros, Provider, Record, RunEnd};
use serde_json::{Value, json};

use crate::{Context, Error, FinalState, Output, metrics, outcome::End};

impl Context<'_> {
    pub(crate) async fn record_end(&self, run: FinalState) -> Result<Output, Error> {
        let post = run.post()?;
        if run.day.status == "duplicate" {
            return self.record_duplicate(&post, run).await;
        }
        let end = run.end(&post)?;
        let cost_usd = run.cost_usd();
        if end.outcome == Outcome::Posted {
            self.charge_tweet(&post, &run).await?;
        }
        self.finish(&post, &run, &end).await?;
        let outcome = end.outcome.name();
        tracing::info!(outcome, reason = end.reason, cost_usd, "recorded");
        // The operator watches a dry run: no recipient is notified, and no metric counts it.
        if post.dry_run.is_none() {
            self.report(&post, &run.execution, end.outcome, cost_usd)
                .await?;
        }
        Ok(Output {
            outcome,
            reason: end.reason,
            recorded: true,
            cost_usd,
        })
    }

    /// A duplicate leaves a line in the audit trail of the slot that another execution holds.
    async fn record_duplicate(&self, post: &PostId, run: FinalState) -> Result<Output, Error> {
        let event = AuditEvent::duplicate(&run.execution);
        let details = json!({"execution": run.execution, "reason": run.day.reason});
        // Not at the time of the call, so that a second call writes the same line.
        let written = self
            .table()
            .audit(post, Timestamp::UNIX_EPOCH, &event, &details);
        written.await?;
        tracing::info!("duplicate");
        metrics::ended(post, &run.execution, "duplicate").emit(self.now);
        Ok(Output {
            outcome: "duplicate",
            cost_usd: run.cost_usd(),
            reason: run.day.reason,
            recorded: false,
        })
    }

    /// Counts what X charges, on the bot's local date.
    async fn charge_tweet(&self, post: &PostId, run: &FinalState) -> Result<(), Error> {
        let tweet = run.tweet.as_ref();
        let Some((id, fee)) = tweet.and_then(|tweet| Some((tweet.id.as_ref()?, tweet.cost_usd?)))
        else {
            return Ok(());
        };
        let zone = run.day.time_zone.as_deref();
        let zone = zone.and_then(|name| TimeZone::get(name).ok());
        let date = self
            .now
            .to_zoned_datetime(zone.unwrap_or(TimeZone::UTC))
            .date();
        let (id, fee) = (format!("tweet-{id}"), Micros::from_usd(fee));
        let charge = self
            .table()
            .charge(post, Provider::X, &id, fee, date, self.now);
        charge.await?;
        Ok(())
    }

    async fn finish(&self, post: &PostId, run: &FinalState, end: &End) -> Result<(), Error> {
        let end = RunEnd {
            outcome: end.outcome,
            skip_reason: end.skip_reason,
            reason: end.reason.as_deref(),
            result: &result(run),
        };
        let finish = self.table().finish(post, &run.execution, &end, self.now);
        match finish.await? {
            true => Ok(()),
            false => Err(Error::ClaimLost(post.clone())),
        }
    }

    /// Notifies the recipients, and writes the metrics the first time.
    async fn report(
        &self,
        post: &PostId,
        execution: &str,
        outcome: Outcome,
        cost_usd: f64,
    ) -> Result<(), Error> {
        let Some(record) = self.table().read(post).await? else {
            return Ok(());
        };
        let bot = self.bot(&post.bot).await;
        self.notify_end(post, &record, &self.recipients(&bot))
            .await?;
        // A second call finds the time of the first one.
        if record.ended_at == Some(self.now) {
            metrics::finished(post, execution, outcome, &record, cost_usd).emit(self.now);
            self.emit_approval_metrics(post).await?;
        }
        Ok(())
    }

    /// Notifies the recipients of how the run of a slot ended.
    pub(crate) async fn notify_end(
        &self,
        post: &PostId,
        record: &Record,
        recipients: &notifications::Recipients,
    ) -> Result<(), Error> {
        let Some(notification) = notifications::ended(post, record) else {
            return Ok(());
        };
        let event = notifications::ended_event(post, record);
        let notifier = &self.clients.notifier;
        let notify = notifier.notify(recipients, &event, &notification, self.now);
        notify.await?;
        Ok(())
    }

    /// How long each picture of a post waited for a decision.
    async fn emit_approval_metrics(&self, post: &PostId) -> Result<(), Error> {
        for approval in self.table().approvals(post).await? {
            if let Some(decision) = &approval.decision {
                metrics::decided(post, approval.opened_at, decision).emit(self.now);
            }
        }
        Ok(())
    }
}

/// What the record keeps of a run.
fn result(run: &FinalState) -> Value {
    json!({
        "draft": run.draft,
        "image": run.image,
        "prompt": run.prompt,
        "decision": run.decision(),
        "tweet": run.tweet,
        "costUsd": run.cost_usd(),
    })
}
