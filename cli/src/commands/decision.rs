//! What `approve`, `regenerate` and `reject` share: the approval page in a terminal.

use anyhow::{Context, bail, ensure};
use approvals::{ApprovalState, Clients, DecisionOutcome, DecisionRequest, TextProblems, decide};
use clap::Args;
use jiff::Timestamp;
use post::PostId;
use posts_table::{ApprovalItem, Decision, POLICY};
use serde_json::json;

use crate::{target::Target, terminal::print};

/// The post to decide on, and the operator.
#[derive(Debug, Args)]
pub(crate) struct DecisionArgs {
    /// The post, bot/date/slot.
    post: PostId,
    /// Your name, for the record.
    #[arg(long, env = "USER")]
    by: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl DecisionArgs {
    /// Decides under the rules of the approval page.
    pub(crate) async fn decide(
        self,
        target: &Target,
        answer: impl FnOnce(&ApprovalItem) -> DecisionRequest,
    ) -> anyhow::Result<()> {
        let by = self.by.trim();
        ensure!(
            !by.is_empty() && by != POLICY,
            "--by must be your name, which is stored with the decision"
        );
        let deployment = target.deployment().await?;
        let clients = Clients {
            table: deployment.table.clone(),
            sfn: deployment.sfn.clone(),
        };
        let approvals = deployment.table.approvals(&self.post).await?;
        let approval = approvals.last().with_context(|| {
            format!(
                "{} has no approval; `spooky approvals` lists all approvals",
                self.post
            )
        })?;
        let answer = answer(approval);
        let outcome = decide(
            &clients,
            Timestamp::now(),
            &self.post,
            approval,
            &approval.presented_hash,
            by,
            &answer,
        )
        .await?;
        match outcome {
            DecisionOutcome::Recorded(decision) if self.json => print(&json!(decision).to_string()),
            DecisionOutcome::Recorded(decision) => print(&format!(
                "{}: {} by {}",
                self.post,
                decision.verdict.name(),
                decision.by
            )),
            DecisionOutcome::Refused(standing) => {
                bail!("{} was not decided: {}", self.post, why(&standing))
            }
            DecisionOutcome::ContentChanged => bail!(
                "{} was not decided: its content has changed; type `spooky show {}`",
                self.post,
                self.post
            ),
            DecisionOutcome::Invalid(problems) => {
                bail!(
                    "{} was not decided: {}",
                    self.post,
                    problem_summary(&problems)
                )
            }
        }
    }
}

fn why(standing: &ApprovalState) -> String {
    match standing {
        ApprovalState::Decided(Decision { by, at, verdict }) => {
            format!("{by} decided at {at}: {}", verdict.name())
        }
        ApprovalState::Closed | ApprovalState::Open => "decisions are closed".to_owned(),
        ApprovalState::Paused(reason) if reason.is_empty() => "the bot is paused".to_owned(),
        ApprovalState::Paused(reason) => format!("the bot is paused: {reason}"),
        ApprovalState::ExecutionEnded(status) => {
            format!("its execution has ended ({status}); redrive it first")
        }
    }
}

fn problem_summary(problems: &TextProblems) -> String {
    [
        ("--caption", &problems.caption),
        ("--alt-text", &problems.alt_text),
        ("--note", &problems.note),
        ("--reason", &problems.reason),
    ]
    .into_iter()
    .filter_map(|(name, problem)| Some(format!("{name}: {}", problem.as_ref()?)))
    .collect::<Vec<_>>()
    .join("; ")
}
