//! `spooky skip` and `spooky override`: what a slot to come gets instead, set in the table without a deployment.

use anyhow::{Context, bail, ensure};
use aws_sdk_sfn::types::ExecutionStatus;
use bot_files::{Change as Wish, Pick, check_texts};
use clap::Args;
use jiff::Timestamp;
use post::{Outcome, PostId};
use posts_table::{Change, Ledger, Override, Record};
use serde_json::json;

use crate::{
    Files,
    cloud::Cloud,
    operate::{Whose, is_now, operator},
    place::Place,
    say,
};

/// Post nothing in a slot to come.
#[derive(Debug, Args)]
pub struct Skip {
    /// The post, bot/date/slot.
    post: PostId,
    /// Why; the record says so.
    #[arg(long, required_unless_present = "undo")]
    reason: Option<String>,
    /// Take back what was set for the slot.
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    whose: Whose,
}

/// Give a slot to come another day, or other words for its day.
#[derive(Debug, Args)]
pub struct Instead {
    /// The post, bot/date/slot.
    post: PostId,
    /// The name of another day, exactly as it is to be written.
    #[arg(long, required_unless_present_any = ["scene", "caption", "undo"], conflicts_with = "undo")]
    day: Option<String>,
    /// What the picture shows.
    #[arg(long, conflicts_with = "undo")]
    scene: Option<String>,
    /// The caption, instead of one of bot.toml's.
    #[arg(long, conflicts_with = "undo")]
    caption: Option<String>,
    /// Why; it is kept in the audit trail.
    #[arg(long)]
    reason: Option<String>,
    /// Take back what was set for the slot.
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    whose: Whose,
}

impl Skip {
    pub(crate) async fn run(self, place: &Place) -> anyhow::Result<()> {
        let change = match (self.undo, &self.reason) {
            (false, Some(reason)) => Some(Wish::Skip(reason.clone())),
            _ => None,
        };
        set(place, &self.post, change, self.reason, &self.whose).await
    }
}

impl Instead {
    pub(crate) async fn run(self, place: &Place) -> anyhow::Result<()> {
        for (option, text) in [
            ("--day", &self.day),
            ("--scene", &self.scene),
            ("--caption", &self.caption),
        ] {
            ensure!(
                text.as_ref().is_none_or(|text| !text.trim().is_empty()),
                "{option} is empty: give a text, or leave it out"
            );
        }
        let change = (!self.undo).then_some(Wish::Texts {
            name: self.day,
            scene: self.scene,
            caption: self.caption,
        });
        set(place, &self.post, change, self.reason, &self.whose).await
    }
}

/// Sets what a slot gets instead, or takes it back.
async fn set(
    place: &Place,
    post: &PostId,
    change: Option<Wish>,
    reason: Option<String>,
    whose: &Whose,
) -> anyhow::Result<()> {
    let operator = operator(&whose.by, reason)?;
    let cloud = place.cloud().await?;
    let mut files = Files::deployed(&cloud, &post.bot).await?;
    let now = Timestamp::now();
    for over in cloud.table.overrides_on(&post.bot, post.date).await? {
        if over.post != post.to_string() {
            files.calendar.put_over(post.date, over.slot()?, wish(over));
        }
    }
    let Some(change) = change else {
        ensure!(
            cloud.table.overriding(post).await?.is_some(),
            "nothing is set for {post}; `spooky status` lists what is"
        );
        if let Change::Refused(there) = cloud.table.undo_override(post, &operator, now).await? {
            bail!(
                "nothing was taken back: {}",
                taken(&cloud, post, there).await?
            );
        }
        let gets = gets(&files, post);
        if whose.json {
            return say(
                &json!({"post": post.to_string(), "override": null, "gets": gets}).to_string(),
            );
        }
        return say(&format!("{post} is as the calendar says again: {gets}"));
    };
    let today = files.today();
    // Nothing starts a slot that is over but `run --again`.
    let held = cloud.table.read(post).await?;
    ensure!(
        post.date >= today || held.is_some(),
        "{} is over: it is {today} for {}; name a slot to come",
        post.date,
        post.bot
    );
    if let Some(why) = files
        .calendar
        .cannot_put_over(post.date, post.slot, &change)
    {
        bail!("nothing was set: {why}");
    }
    let mut over = Override {
        post: post.to_string(),
        by: operator.by.clone(),
        at: now,
        ..Override::default()
    };
    match &change {
        Wish::Skip(why) => over.skip = Some(why.clone()),
        Wish::Texts {
            name,
            scene,
            caption,
        } => {
            for record in cloud.table.read_date(&post.bot, post.date).await? {
                let other = record.post != post.to_string();
                let there = record.day["name"].as_str();
                if other
                    && name
                        .as_deref()
                        .zip(there)
                        .is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
                {
                    bail!("nothing was set: {} is about that day already", record.post);
                }
            }
            if let Some(why) = check_texts(&files.bot, name.as_deref(), caption.as_deref()) {
                bail!("nothing was set: {why}");
            }
            over.name.clone_from(name);
            over.scene.clone_from(scene);
            over.caption.clone_from(caption);
        }
    }
    let has_ended = held.is_some();
    if let Some(record) = held.map(Box::new) {
        if over.skip.is_some() && (record.outcome.is_some() || record.failure.is_some()) {
            bail!("nothing was set: {post} {}", is_now(Some(record)));
        }
        // A run that failed and was redriven keeps its pick.
        if record.failure.is_some()
            && let Some(run) = cloud.run_of(&record.execution).await?
            && run.last().status == ExecutionStatus::Running
        {
            bail!(
                "nothing was set: {}",
                taken(&cloud, post, Some(record)).await?
            );
        }
    }
    let set = cloud.table.override_slot(post, &over, &operator, now);
    if let Change::Refused(there) = set.await? {
        bail!("nothing was set: {}", taken(&cloud, post, there).await?);
    }
    files.calendar.put_over(post.date, post.slot, change);
    let gets = gets(&files, post);
    if whose.json {
        return say(&json!({"post": post.to_string(), "override": over, "gets": gets}).to_string());
    }
    let mut lines = vec![format!("{post}: {gets}, says {}", operator.by)];
    let scheduled = files.bot.slot(post.slot);
    if has_ended {
        lines.push(format!(
            "its run has ended; it counts for `spooky run --again {post} --reason …`"
        ));
    } else if !scheduled.is_some_and(|slot| slot.weekdays.contains(&post.date.weekday())) {
        lines.push(format!(
            "no schedule starts {post}; it counts for `spooky run --date {} --slot {}`",
            post.date, post.slot
        ));
    }
    say(&lines.join("\n"))
}

fn wish(over: Override) -> Wish {
    match over.skip {
        Some(reason) => Wish::Skip(reason),
        None => Wish::Texts {
            name: over.name,
            scene: over.scene,
            caption: over.caption,
        },
    }
}

/// What a slot gets, by these files.
fn gets(files: &Files, post: &PostId) -> String {
    match files.calendar.pick(post.date, post.slot) {
        Pick::Day(day) => day.name,
        Pick::Nothing { reason } => reason,
    }
}

/// Why the slot cannot be changed any more, and what to do instead.
async fn taken(cloud: &Cloud, post: &PostId, there: Option<Box<Record>>) -> anyhow::Result<String> {
    let there =
        there.with_context(|| format!("{post} has changed at this very moment; look again"))?;
    if there.outcome == Some(Outcome::Posted) || there.ledger == Ledger::Posted {
        return Ok(format!(
            "{post} {}; to take it down, type `spooky delete {post} --reason …`",
            is_now(Some(there))
        ));
    }
    if there.ledger == Ledger::Armed {
        return Ok(format!("{post} {}", is_now(Some(there))));
    }
    let approvals = cloud.table.approvals(post).await?;
    let instead = match approvals
        .last()
        .is_some_and(|approval| approval.decision.is_none())
    {
        true => format!(
            "change its texts with `spooky approve {post} --caption …`, or stop it with `spooky reject {post} --reason …`"
        ),
        false => {
            "stop it with `spooky pause --reason …`, which stops every post of the bot".to_owned()
        }
    };
    Ok(format!(
        "{post} has begun, in {}: {instead}; once it has ended without a post, `spooky override` and `spooky run --again` give it another day",
        there.execution
    ))
}
