//! `spooky redrive`.

use anyhow::ensure;
use clap::Args;
use deployment::operations::{Redrive as PreparedRedrive, RedriveRequest, prepare_redrive};
use posts_table::Ledger;
use serde_json::json;

use crate::{
    args::{OperatorArgs, operator},
    target::Target,
    terminal::{Progress, confirm, print},
};

/// Resume a failed run from the state that failed, after showing a plan.
#[derive(Debug, Args)]
pub struct Redrive {
    /// A post, such as spooky-days/2026-10-30/1, or the ARN of an execution.
    what: String,
    /// Send the tweet again that was sent without a clear answer and was not found; there may be two tweets then.
    #[arg(long, requires = "reason")]
    post_again: bool,
    /// Do not ask for a confirmation.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    operator: OperatorArgs,
    /// The reason, for the audit trail.
    #[arg(long)]
    reason: Option<String>,
}

impl Redrive {
    pub(crate) async fn run(self, target: &Target) -> anyhow::Result<()> {
        let operator = operator(&self.operator.by, self.reason)?;
        let deployment = target.deployment().await?;
        let request = RedriveRequest {
            target: self.what,
            post_again: self.post_again,
        };
        let redrive = prepare_redrive(&deployment, &request).await?;
        let (post, plan) = (&redrive.post, &redrive.plan);
        Progress::new().note(&plan_summary(&redrive));
        if plan.post_again && !self.yes {
            let warning = format!(
                "If the first tweet of {post} exists after all, there will be two. Check the account first."
            );
            confirm(post, &warning, "nothing was redriven").await?;
        }
        let redriven = redrive.start(&deployment, &operator).await?;
        let progress = Progress::new();
        let execution = &redriven.execution;
        if *execution == plan.failed {
            progress.note(&format!("redriven: {execution}"));
            // AWS does not enter the failed state again.
            progress.step(&plan.state);
        } else {
            progress.note(&format!("continued as {execution}"));
        }
        let ended = deployment
            .wait_for(execution, redriven.redrives, redriven.states, |state| {
                progress.step(state)
            })
            .await?;
        drop(progress);
        if self.operator.json {
            print(&json!({"plan": plan, "run": ended}).to_string())?;
        } else if ended.status == "SUCCEEDED" {
            print(&format!("{post}: {}", ended.summary()))?;
        }
        ensure!(
            ended.status == "SUCCEEDED",
            "{post} failed again, {}",
            ended.failure_summary()
        );
        Ok(())
    }
}

fn plan_summary(redrive: &PreparedRedrive) -> String {
    let plan = &redrive.plan;
    let tweet = match redrive.record.as_ref().map(|record| record.ledger) {
        Some(Ledger::Posted) => "is on X already",
        Some(Ledger::Armed) if plan.post_again => "is sent again",
        Some(Ledger::Armed) => "was sent; only the timeline is read, nothing is sent again",
        _ => "was not sent",
    };
    let cause = plan.cause.as_ref().map(|cause| format!(" {cause}"));
    // An execution that was stopped or timed out has a status and no error.
    let error = plan.error.as_deref().unwrap_or(redrive.status());
    format!(
        "{} failed in {}: {error}{}\n\
         Runs again:   {}, and the states after it\n\
         Tweet:        {tweet}\n\
         Already paid: ${:.2}\n\
         May cost:     ${:.2}\n\
         Slot:         {}",
        plan.post,
        plan.state,
        cause.unwrap_or_default(),
        plan.state,
        plan.paid_usd,
        plan.may_cost_usd,
        match plan.late {
            true => "is too late",
            false => "is not too late",
        }
    )
}
