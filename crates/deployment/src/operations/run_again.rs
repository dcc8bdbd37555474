//! Runs a slot again that ended without a post.

use anyhow::{Context, ensure};
use aws_sdk_sfn::types::ExecutionStatus;
use post::PostId;
use posts_table::{Ledger, Operator, Record};
use serde_json::Value;

use super::{PICTURE_REJECTED, PICTURE_UNUSABLE, slot_summary};
use crate::{Deployment, Run, aws_context};

/// Reassigns an unposted slot to a new execution, unless an execution of it is running. Returns the new ARN.
pub async fn run_again(
    deployment: &Deployment,
    post: &PostId,
    operator: &Operator,
) -> anyhow::Result<String> {
    ensure!(
        post.dry_run.is_none(),
        "{post} is a dry run; type `spooky run --dry-run --date {} --slot {}` for another dry run",
        post.date,
        post.slot
    );
    let record = deployment.table.read(post).await?.with_context(|| {
        format!(
            "{post} has no run yet; type `spooky run --date {} --slot {}`",
            post.date, post.slot
        )
    })?;
    let refused = |why: &str| format!("{post} was not run again: it {why}");
    ensure!(
        !matches!(record.ledger, Ledger::Armed | Ledger::Posted),
        refused(&slot_summary(Some(&record)))
    );
    // An execution that does not exist was never started, or AWS has deleted its history.
    let run = deployment.run_of(&record.execution).await?;
    if let Some(run) = &run {
        let last = run.last();
        ensure!(
            last.status != ExecutionStatus::Running,
            refused(&format!("is running; type `spooky show {}`", last.arn))
        );
        delete_unusable_draft(deployment, run).await?;
    }
    deployment
        .run_again(post, &record, run.as_ref(), operator)
        .await
}

/// Deletes the draft of a run whose picture cannot be used, or that X does not accept: the new run would find it
/// again. The bucket keeps its older version.
async fn delete_unusable_draft(deployment: &Deployment, run: &Run) -> anyhow::Result<()> {
    let last = &run.last().arn;
    let ended = deployment.described(last).await?;
    let ended = ended.with_context(|| format!("{last} does not exist any more"))?;
    if !matches!(ended.error(), Some(PICTURE_UNUSABLE | PICTURE_REJECTED)) {
        return Ok(());
    }
    let Some((_, input)) = deployment.failed_state(last).await? else {
        return Ok(());
    };
    let input: Value = serde_json::from_str(&input)?;
    if let Some(key) = input["draft"]["key"].as_str() {
        deployment
            .s3
            .delete_object()
            .bucket(&deployment.image_bucket)
            .key(key)
            .send()
            .await
            .map_err(|e| aws_context("deleting the unusable draft", e))?;
    }
    Ok(())
}

/// Whether a record's run has failed and was redriven, and is running.
pub(super) async fn is_running(deployment: &Deployment, record: &Record) -> anyhow::Result<bool> {
    let run = deployment.run_of(&record.execution).await?;
    Ok(run.is_some_and(|run| run.last().status == ExecutionStatus::Running))
}
