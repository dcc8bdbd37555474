//! `spooky approvals`.

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use crate::{args::BotArg, target::Target, terminal::print};

/// List the approvals that wait for a decision.
#[derive(Debug, Args)]
pub struct Approvals {
    #[command(flatten)]
    bot: BotArg,
    /// Print one JSON array.
    #[arg(long)]
    json: bool,
}

impl Approvals {
    pub(crate) async fn run(self, target: &Target) -> anyhow::Result<()> {
        let deployment = target.deployment().await?;
        deployment.ensure_bot(&self.bot.bot).await?;
        let now = Timestamp::now();
        let mut lines = Vec::new();
        let mut listed = Vec::new();
        for waiting in deployment.table.waiting_approvals(&self.bot.bot).await? {
            let (post, round) = waiting?;
            let Some(approval) = deployment.table.approval(&post, round).await? else {
                continue;
            };
            let closes = Timestamp::from_second(approval.closes_at)?;
            let state = match &approval.decision {
                Some(decision) => format!("{}, not delivered yet", decision.verdict.name()),
                None if approval.is_closed(now) => "closed, not settled yet".to_owned(),
                None => format!("open until {closes}"),
            };
            lines.push(format!("{post}  round {round}  {}  {state}", approval.day));
            listed.push(json!({
                "post": post.to_string(),
                "round": round,
                "day": approval.day,
                "caption": approval.caption,
                "altText": approval.alt_text,
                "approvers": approval.approvers,
                "closesAt": closes,
                "decision": approval.decision,
            }));
        }
        if self.json {
            return print(&json!(listed).to_string());
        }
        if lines.is_empty() {
            return print("no approval waits for a decision");
        }
        print(&lines.join("\n"))
    }
}
