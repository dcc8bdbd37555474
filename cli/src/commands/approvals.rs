//! `spooky approvals`, `approve`, `regenerate` and `reject`: the approval page from a terminal.

use anyhow::{Context, bail, ensure};
use approvals::{Answer, Clients, Outcome, Problems, Standing, decide};
use clap::Args;
use jiff::Timestamp;
use post::PostId;
use posts_table::{Approval, Decision, POLICY};
use serde_json::json;

use crate::{Which, place::Place, say};

/// List the approvals that wait for a person.
#[derive(Debug, Args)]
pub struct Approvals {
    #[command(flatten)]
    which: Which,
    /// Answer with one JSON array.
    #[arg(long)]
    json: bool,
}

/// Approve a post, perhaps with other texts, under the rules of the approval page.
#[derive(Debug, Args)]
pub struct Approve {
    #[command(flatten)]
    whose: Whose,
    /// Another caption than the one that was presented.
    #[arg(long)]
    caption: Option<String>,
    /// Another alt text than the one that was presented.
    #[arg(long)]
    alt_text: Option<String>,
}

/// Ask for another picture of a post.
#[derive(Debug, Args)]
pub struct Regenerate {
    #[command(flatten)]
    whose: Whose,
    /// What it should be like.
    #[arg(long, default_value = "")]
    note: String,
}

/// Refuse a post.
#[derive(Debug, Args)]
pub struct Reject {
    #[command(flatten)]
    whose: Whose,
    /// Why; it is kept in the record.
    #[arg(long)]
    reason: String,
}

/// Which post, and who decides.
#[derive(Debug, Args)]
struct Whose {
    /// The post, bot/date/slot.
    post: PostId,
    /// Your name, for the record.
    #[arg(long, env = "USER")]
    by: String,
    /// Answer with one JSON object.
    #[arg(long)]
    json: bool,
}

impl Approvals {
    pub(crate) async fn run(self, place: &Place) -> anyhow::Result<()> {
        let cloud = place.cloud().await?;
        cloud.ensure_bot(&self.which.bot).await?;
        let now = Timestamp::now();
        let mut lines = Vec::new();
        let mut listed = Vec::new();
        for waiting in cloud.table.waiting_approvals(&self.which.bot).await? {
            let (post, round) = waiting?;
            let Some(approval) = cloud.table.approval(&post, round).await? else {
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
            return say(&json!(listed).to_string());
        }
        if lines.is_empty() {
            return say("no approval waits");
        }
        say(&lines.join("\n"))
    }
}

impl Approve {
    pub(crate) async fn run(self, place: &Place) -> anyhow::Result<()> {
        let (caption, alt_text) = (self.caption, self.alt_text);
        self.whose
            .decide(place, |approval| Answer::Approve {
                caption: caption.unwrap_or_else(|| approval.caption.clone()),
                alt_text: alt_text.unwrap_or_else(|| approval.alt_text.clone()),
            })
            .await
    }
}

impl Regenerate {
    pub(crate) async fn run(self, place: &Place) -> anyhow::Result<()> {
        let note = self.note;
        self.whose
            .decide(place, |_| Answer::Regenerate { note })
            .await
    }
}

impl Reject {
    pub(crate) async fn run(self, place: &Place) -> anyhow::Result<()> {
        let reason = self.reason;
        self.whose
            .decide(place, |_| Answer::Reject { reason })
            .await
    }
}

impl Whose {
    async fn decide(
        self,
        place: &Place,
        answer: impl FnOnce(&Approval) -> Answer,
    ) -> anyhow::Result<()> {
        let by = self.by.trim();
        ensure!(
            !by.is_empty() && by != POLICY,
            "--by has to be your name: a decision carries it"
        );
        let cloud = place.cloud().await?;
        let clients = Clients {
            table: cloud.table.clone(),
            sfn: cloud.sfn.clone(),
        };
        let approvals = cloud.table.approvals(&self.post).await?;
        let approval = approvals.last().with_context(|| {
            format!(
                "nobody was asked about {}; see `spooky approvals`",
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
            Outcome::Counts(decision) if self.json => say(&json!(decision).to_string()),
            Outcome::Counts(decision) => say(&format!(
                "{}: {} by {}",
                self.post,
                decision.verdict.name(),
                decision.by
            )),
            Outcome::Refused(standing) => {
                bail!("{} was not decided: {}", self.post, why(&standing))
            }
            Outcome::OtherContent => bail!(
                "{} was not decided: other content is presented by now; look at it with `spooky show {}`",
                self.post,
                self.post
            ),
            Outcome::Problems(problems) => {
                bail!("{} was not decided: {}", self.post, said(&problems))
            }
        }
    }
}

fn why(standing: &Standing) -> String {
    match standing {
        Standing::Decided(Decision { by, at, verdict }) => {
            format!("{by} decided at {at}: {}", verdict.name())
        }
        Standing::Closed | Standing::Open => "decisions are closed".to_owned(),
        Standing::Paused(reason) if reason.is_empty() => "the bot is paused".to_owned(),
        Standing::Paused(reason) => format!("the bot is paused: {reason}"),
        Standing::ExecutionEnded(status) => {
            format!("its execution has ended ({status}); redrive it first")
        }
    }
}

fn said(problems: &Problems) -> String {
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
