//! Slots without a run, and failed runs whose event was lost, including armed posts.

use anyhow::{Context, anyhow};
use aws_sdk_sfn::{error::SdkError, types::ExecutionStatus};
use bot_files::{Bot, Start};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use lambda_function::aws_error;
use notifications::Failed;
use post::{AuditEvent, PostId};
use posts_table::{Failure, Record};

use crate::{Error, Folder, Sweep};

/// How far back slots are checked, so that a watchdog that was down for some days misses none.
pub(crate) const LOOK_BACK: SignedDuration = SignedDuration::from_hours(4 * 24);

/// How long after its start a run has claimed its slot, retries included.
const CLAIMED_WITHIN: SignedDuration = SignedDuration::from_mins(30);

/// How long the event of a failure, or the start of an operator's run, can take to arrive.
const ARRIVES_WITHIN: SignedDuration = SignedDuration::from_mins(15);

/// The state of a slot.
pub(crate) enum SlotState {
    /// It has an outcome, or a run that is running or about to start.
    Fine,
    /// No run was ever started.
    NotStarted,
    /// It failed, and no run resumes it: the failure, the execution and the record.
    Failed(Box<Failure>, String, Option<Box<Record>>),
}

impl Sweep<'_> {
    /// Notifies of slots without a run, and of failures whose event was lost.
    pub(crate) async fn runs(&mut self, bot: &Folder) -> Result<(), Error> {
        let since = self.now.checked_sub(LOOK_BACK).unwrap_or(Timestamp::MIN);
        let until = self.now.checked_sub(CLAIMED_WITHIN).unwrap_or(self.now);
        for start in self.expected(bot, since, until).await {
            let post = post(bot, &start);
            if let Err(error) = self.slot(bot, &post, Some(start.at)).await {
                self.failed(format!("the slot {post}"), &error);
            }
        }
        for armed in self.table().armed(&bot.name).await? {
            let record = match armed {
                Ok(record) => record,
                Err(error) => {
                    self.failed(format!("an armed post of {}", bot.name), &error.into());
                    continue;
                }
            };
            let checked = async {
                let post: PostId = record.post.parse()?;
                self.slot(bot, &post, None).await
            };
            if let Err(error) = checked.await {
                self.failed(format!("the armed post {}", record.post), &error);
            }
        }
        Ok(())
    }

    /// Notifies of a slot that has failed or, where a run was due, has not started.
    async fn slot(
        &mut self,
        bot: &Folder,
        post: &PostId,
        due: Option<Timestamp>,
    ) -> anyhow::Result<()> {
        match (self.slot_state(post).await?, due) {
            (SlotState::Fine, _) | (SlotState::NotStarted, None) => Ok(()),
            (SlotState::NotStarted, Some(due)) => {
                let event = notifications::not_started_event(post);
                let zone = bot.bot.as_ref().map(|bot| bot.time_zone().clone());
                let due = due.to_zoned_datetime(zone.unwrap_or(TimeZone::UTC));
                let notification = notifications::not_started(post, &due);
                self.notify(bot, &event, &notification).await
            }
            (SlotState::Failed(failure, execution, record), _) => {
                let failed = Failed {
                    post: Some(post),
                    execution: &execution,
                    failure: &failure,
                    record: record.as_deref(),
                    on_aws: self.clients.on_aws,
                };
                self.notify(bot, &failed.event(), &failed.notification())
                    .await
            }
        }
    }

    /// The state of a slot. Records a failure whose event was lost.
    pub(crate) async fn slot_state(&self, post: &PostId) -> anyhow::Result<SlotState> {
        let table = self.table();
        let record = table.read(post).await?;
        let (execution, recorded) = match &record {
            Some(record) if record.outcome.is_some() => return Ok(SlotState::Fine),
            Some(record) => (record.execution.clone(), record.failure.clone()),
            None => match self.failed_before_its_claim(post).await? {
                Some((execution, failure)) => (execution, Some(failure)),
                None => return Ok(SlotState::NotStarted),
            },
        };
        let described = match self.end_of(&execution).await? {
            End::Running => return Ok(SlotState::Fine),
            End::Ended(failure) => Some(failure),
            End::Gone => None,
        };
        let failure = match (recorded, described) {
            // Only the recorded failure names the state that failed.
            (Some(recorded), Some(described))
                if recorded.redrive_count >= described.redrive_count =>
            {
                recorded
            }
            (_, Some(described)) => {
                if self.now.duration_since(described.at) < ARRIVES_WITHIN {
                    return Ok(SlotState::Fine);
                }
                table.fail(post, &execution, &described).await?;
                described
            }
            (recorded, None) => {
                if self.was_reassigned(post, record.as_ref()).await? {
                    return Ok(SlotState::Fine);
                }
                recorded.unwrap_or_else(|| Failure {
                    status: "not found".to_owned(),
                    state: None,
                    error: None,
                    cause: None,
                    redrive_count: 0,
                    at: self.now,
                })
            }
        };
        let record = record.map(Box::new);
        Ok(SlotState::Failed(Box::new(failure), execution, record))
    }

    /// The last execution that failed for a slot before it could claim it.
    async fn failed_before_its_claim(
        &self,
        post: &PostId,
    ) -> anyhow::Result<Option<(String, Failure)>> {
        let trail = self.table().audit_trail(post).await?;
        let last = trail
            .into_iter()
            .rfind(|line| matches!(line.what, AuditEvent::UnrecordedFailure(_)));
        let Some(mut line) = last else {
            return Ok(None);
        };
        let execution = line.details["execution"].as_str();
        let execution = execution.context("an audit line names no execution")?;
        let execution = execution.to_owned();
        let failure = serde_json::from_value(line.details["failure"].take())
            .context("an audit line has no failure")?;
        Ok(Some((execution, failure)))
    }

    /// Whether a slot was claimed or reassigned so recently that its execution may not exist yet.
    async fn was_reassigned(&self, post: &PostId, record: Option<&Record>) -> anyhow::Result<bool> {
        let recently = |at: Timestamp| self.now.duration_since(at) < ARRIVES_WITHIN;
        if record.is_some_and(|record| recently(record.claimed_at)) {
            return Ok(true);
        }
        let trail = self.table().audit_trail(post).await?;
        Ok(trail
            .iter()
            .any(|line| line.what.changes_holder() && recently(line.at)))
    }

    async fn end_of(&self, execution: &str) -> anyhow::Result<End> {
        let sfn = &self.clients.decision.sfn;
        let described = sfn.describe_execution().execution_arn(execution).send();
        let described = match described.await {
            Ok(described) => described,
            Err(SdkError::ServiceError(e)) if e.err().is_execution_does_not_exist() => {
                return Ok(End::Gone);
            }
            Err(error) => {
                let error = aws_error(&error);
                return Err(anyhow!(error).context(format!("describing {execution}")));
            }
        };
        if matches!(
            described.status,
            ExecutionStatus::Running | ExecutionStatus::PendingRedrive
        ) {
            return Ok(End::Running);
        }
        let at = described.stop_date.and_then(|at| at.to_millis().ok());
        Ok(End::Ended(Failure {
            status: described.status.as_str().to_owned(),
            state: None,
            error: described.error,
            cause: described.cause,
            redrive_count: u64::try_from(described.redrive_count.unwrap_or(0)).unwrap_or(0),
            at: at
                .and_then(|ms| Timestamp::from_millisecond(ms).ok())
                .unwrap_or(self.now),
        }))
    }

    /// The starts between two times, by the version of `bot.toml` that was deployed at each time. Nothing is expected
    /// before the first deployment, or while an unreadable file was deployed: those runs fail in PickDay.
    pub(crate) async fn expected(
        &mut self,
        bot: &Folder,
        since: Timestamp,
        until: Timestamp,
    ) -> Vec<Start> {
        match self.read_expected(bot, since, until).await {
            Ok(starts) => starts,
            Err(error) => {
                self.failed(format!("the slots of {}", bot.name), &error);
                Vec::new()
            }
        }
    }

    async fn read_expected(
        &self,
        bot: &Folder,
        since: Timestamp,
        until: Timestamp,
    ) -> anyhow::Result<Vec<Start>> {
        let bucket = &self.config.bot_files_bucket;
        let key = format!("{}/bot.toml", bot.name);
        let mut versions = self.versions(&key).await?;
        versions.sort_by_key(|(at, _)| *at);
        let mut starts = Vec::new();
        for (number, (at, version)) in versions.iter().enumerate() {
            let next = versions.get(number + 1).map(|(at, _)| *at);
            let (from, to) = ((*at).max(since), next.unwrap_or(until).min(until));
            let Some(version) = version.as_ref().filter(|_| from < to) else {
                continue;
            };
            let object = self.clients.s3.get_object().bucket(bucket).key(&key);
            let object = object.version_id(version).send().await;
            let object = object.map_err(|e| {
                anyhow!(
                    "S3 did not return the version {version} of {key}: {}",
                    aws_error(&e)
                )
            })?;
            let text = object.body.collect().await?.to_vec();
            if let Ok(read) = Bot::parse(&key, &String::from_utf8_lossy(&text)) {
                starts.extend(read.starts(from, to));
            }
        }
        Ok(starts)
    }

    /// The versions of a file with their times; a deletion has no version.
    async fn versions(&self, key: &str) -> anyhow::Result<Vec<(Timestamp, Option<String>)>> {
        let bucket = &self.config.bot_files_bucket;
        let (mut key_marker, mut version_marker) = (None, None);
        let mut versions = Vec::new();
        loop {
            let page = self
                .clients
                .s3
                .list_object_versions()
                .bucket(bucket)
                .prefix(key)
                .set_key_marker(key_marker)
                .set_version_id_marker(version_marker)
                .send()
                .await
                .map_err(|e| anyhow!("S3 did not list the versions of {key}: {}", aws_error(&e)))?;
            let time = |at: Option<&aws_sdk_s3::primitives::DateTime>| -> anyhow::Result<_> {
                let at = at.context("a version has no time")?;
                Ok(Timestamp::from_millisecond(at.to_millis()?)?)
            };
            for version in page.versions().iter().filter(|v| v.key() == Some(key)) {
                let id = version.version_id().unwrap_or("null").to_owned();
                versions.push((time(version.last_modified())?, Some(id)));
            }
            for deletion in page
                .delete_markers()
                .iter()
                .filter(|d| d.key() == Some(key))
            {
                versions.push((time(deletion.last_modified())?, None));
            }
            if page.is_truncated() != Some(true) {
                return Ok(versions);
            }
            key_marker = page.next_key_marker;
            version_marker = page.next_version_id_marker;
        }
    }
}

/// The end of an execution.
enum End {
    /// It runs.
    Running,
    /// It ended without an outcome in the record.
    Ended(Failure),
    /// It does not exist: its history was deleted, or it has not started yet.
    Gone,
}

/// The post of a start.
pub(crate) fn post(bot: &Folder, start: &Start) -> PostId {
    PostId {
        bot: bot.name.clone(),
        date: start.date,
        slot: start.slot,
        dry_run: None,
    }
}
