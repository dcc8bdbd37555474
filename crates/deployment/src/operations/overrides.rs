//! Overrides an upcoming slot without a deployment.

use anyhow::{Context, bail, ensure};
use bot_files::{Pick, SlotOverride, check_texts};
use jiff::Timestamp;
use post::{Outcome, PostId};
use posts_table::{Ledger, Operator, OverrideItem, Record, SlotChange};

use super::{run_again::is_running, slot_summary};
use crate::{BotFiles, Deployment};

/// An override that was set.
#[derive(Debug)]
pub struct OverrideSet {
    /// The override.
    pub stored: OverrideItem,
    /// What the slot will post: an observance, or why nothing.
    pub gets: String,
    /// Whether the slot had a run before, so that only `run --again` uses the override.
    pub had_run: bool,
    /// Whether a schedule starts the slot.
    pub is_scheduled: bool,
}

/// Sets what an upcoming slot posts instead of the calendar's observance.
pub async fn apply_override(
    deployment: &Deployment,
    post: &PostId,
    wish: SlotOverride,
    operator: &Operator,
) -> anyhow::Result<OverrideSet> {
    let mut files = files_with_overrides(deployment, post).await?;
    let record = deployment.table.read(post).await?;
    check_slot(&files, post, &wish, record.as_ref())?;
    check_texts_of(deployment, &files, post, &wish).await?;
    if let Some(record) = &record {
        check_record(deployment, post, &wish, record).await?;
    }
    let stored = stored_override(post, &wish, operator);
    let set = deployment
        .table
        .override_slot(post, &stored, operator, stored.at);
    if let SlotChange::Refused(current) = set.await? {
        bail!(
            "nothing was set: {}",
            why_not(deployment, post, current.as_deref()).await?
        );
    }
    files.calendar.apply_override(post.date, post.slot, wish);
    let slot = files.bot.slot(post.slot);
    Ok(OverrideSet {
        stored,
        gets: gets(&files, post),
        had_run: record.is_some(),
        is_scheduled: slot.is_some_and(|slot| slot.weekdays.contains(&post.date.weekday())),
    })
}

/// Removes a slot's override. Returns what the slot will post: an observance, or why nothing.
pub async fn undo_override(
    deployment: &Deployment,
    post: &PostId,
    operator: &Operator,
) -> anyhow::Result<String> {
    let files = files_with_overrides(deployment, post).await?;
    ensure!(
        deployment.table.overriding(post).await?.is_some(),
        "{post} has no override; `spooky status` lists all overrides"
    );
    let undone = deployment
        .table
        .undo_override(post, operator, Timestamp::now());
    if let SlotChange::Refused(current) = undone.await? {
        bail!(
            "nothing was removed: {}",
            why_not(deployment, post, current.as_deref()).await?
        );
    }
    Ok(gets(&files, post))
}

/// The deployed files, with the overrides of the date's other slots.
async fn files_with_overrides(deployment: &Deployment, post: &PostId) -> anyhow::Result<BotFiles> {
    let mut files = BotFiles::deployed(deployment, &post.bot).await?;
    for over in deployment.table.overrides_on(&post.bot, post.date).await? {
        if over.post != post.to_string() {
            let slot = over.slot()?;
            files
                .calendar
                .apply_override(post.date, slot, wish_of(over));
        }
    }
    Ok(files)
}

fn check_slot(
    files: &BotFiles,
    post: &PostId,
    wish: &SlotOverride,
    record: Option<&Record>,
) -> anyhow::Result<()> {
    let today = files.today();
    // Only `run --again` starts a slot of an earlier date.
    ensure!(
        post.date >= today || record.is_some(),
        "{} is over: today is {today} in the time zone of {}; name an upcoming slot",
        post.date,
        post.bot
    );
    if let Some(why) = files.calendar.check_override(post.date, post.slot, wish) {
        bail!("nothing was set: {why}");
    }
    Ok(())
}

async fn check_texts_of(
    deployment: &Deployment,
    files: &BotFiles,
    post: &PostId,
    wish: &SlotOverride,
) -> anyhow::Result<()> {
    let SlotOverride::Texts { name, caption, .. } = wish else {
        return Ok(());
    };
    if let Some(name) = name {
        for record in deployment.table.read_date(&post.bot, post.date).await? {
            let taken = record.day["name"].as_str();
            if record.post != post.to_string()
                && taken.is_some_and(|taken| taken.eq_ignore_ascii_case(name))
            {
                bail!("nothing was set: {} posts that observance", record.post);
            }
        }
    }
    if let Some(why) = check_texts(&files.bot, name.as_deref(), caption.as_deref()) {
        bail!("nothing was set: {why}");
    }
    Ok(())
}

async fn check_record(
    deployment: &Deployment,
    post: &PostId,
    wish: &SlotOverride,
    record: &Record,
) -> anyhow::Result<()> {
    let is_skip = matches!(wish, SlotOverride::Skip(_));
    if is_skip && (record.outcome.is_some() || record.failure.is_some()) {
        bail!("nothing was set: {post} {}", slot_summary(Some(record)));
    }
    // A redriven run keeps its pick.
    if record.failure.is_some() && is_running(deployment, record).await? {
        bail!(
            "nothing was set: {}",
            why_not(deployment, post, Some(record)).await?
        );
    }
    Ok(())
}

fn stored_override(post: &PostId, wish: &SlotOverride, operator: &Operator) -> OverrideItem {
    let mut over = OverrideItem {
        post: post.to_string(),
        by: operator.by.clone(),
        at: Timestamp::now(),
        ..OverrideItem::default()
    };
    match wish {
        SlotOverride::Skip(reason) => over.skip = Some(reason.clone()),
        SlotOverride::Texts {
            name,
            scene,
            caption,
        } => {
            over.name.clone_from(name);
            over.scene.clone_from(scene);
            over.caption.clone_from(caption);
        }
    }
    over
}

fn wish_of(over: OverrideItem) -> SlotOverride {
    match over.skip {
        Some(reason) => SlotOverride::Skip(reason),
        None => SlotOverride::Texts {
            name: over.name,
            scene: over.scene,
            caption: over.caption,
        },
    }
}

/// What a slot posts according to these files.
fn gets(files: &BotFiles, post: &PostId) -> String {
    match files.calendar.pick(post.date, post.slot) {
        Pick::Observance(day) => day.name,
        Pick::Nothing { reason, .. } => reason,
    }
}

/// Why the slot cannot be overridden any more, and what to do instead.
async fn why_not(
    deployment: &Deployment,
    post: &PostId,
    record: Option<&Record>,
) -> anyhow::Result<String> {
    let record = record.with_context(|| {
        format!("{post} changed at the same time; check it with `spooky status`, and try again")
    })?;
    let summary = slot_summary(Some(record));
    if record.outcome == Some(Outcome::Posted) || record.ledger == Ledger::Posted {
        return Ok(format!(
            "{post} {summary}; to delete it, type `spooky delete {post} --reason …`"
        ));
    }
    if record.ledger == Ledger::Armed {
        return Ok(format!("{post} {summary}"));
    }
    let approvals = deployment.table.approvals(post).await?;
    let instead = match approvals
        .last()
        .is_some_and(|approval| approval.decision.is_none())
    {
        true => format!(
            "change its texts with `spooky approve {post} --caption …`, or reject it with \
             `spooky reject {post} --reason …`"
        ),
        false => "`spooky pause --reason …` stops every post of the bot".to_owned(),
    };
    Ok(format!(
        "{post} has started, in {}: {instead}; once it has ended without a post, `spooky override` and \
         `spooky run --again` change its observance",
        record.execution
    ))
}
