//! The approval as it is opened, by the bot's policy at the pick.

use anyhow::anyhow;
use bot_files::{BotApproval, OnTimeout, Policy};
use jiff::{SignedDuration, Timestamp};
use post::PostId;
use posts_table::{ApprovalItem, MAX_ROUNDS, Record, content_hash};
use serde::Deserialize;

use crate::{Error, Input};

/// The fields of the pick that an approval needs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Day {
    name: String,
    slot_time: Timestamp,
    time_zone: String,
    approval: BotApproval,
}

/// The approval of a content, before it is stored.
pub(crate) fn approval(
    post: &PostId,
    record: &Record,
    now: Timestamp,
    input: Input,
) -> Result<ApprovalItem, Error> {
    let day: Day = serde_json::from_value(record.day.clone()).map_err(|e| {
        Error::Unexpected(anyhow!(e).context(format!("the pick of {post} is unreadable")))
    })?;
    let policy = day.approval;
    if policy.policy == Policy::Off || policy.approvers.is_empty() {
        return Err(Error::InvalidInput(format!(
            "the bot of {post} needs no approval: its bot.toml had policy \"off\" at the pick"
        )));
    }
    let round = input.round.unwrap_or(1);
    if !(1..=MAX_ROUNDS).contains(&round) {
        return Err(Error::InvalidInput(format!(
            "round is {round}; it must be 1 to {MAX_ROUNDS}"
        )));
    }
    let closes_at = closes_at(now, policy.deadline, record.not_after)?;
    Ok(ApprovalItem {
        post: post.to_string(),
        round,
        day: day.name,
        presented_hash: content_hash(&input.image.sha256, &input.caption, &input.alt_text),
        caption: input.caption,
        alt_text: input.alt_text,
        image: input.image,
        cost_usd: input.cost_usd.unwrap_or_default(),
        slot_time: day.slot_time,
        time_zone: day.time_zone,
        opened_at: now,
        closes_at,
        remind_at: remind_at(now, policy.reminder, closes_at),
        on_timeout: match policy.on_timeout {
            OnTimeout::Skip => posts_table::OnExpiry::Skip,
            OnTimeout::Post => posts_table::OnExpiry::Post,
        },
        approvers: policy.approvers,
        mailed: Vec::new(),
        reminded: Vec::new(),
        decision: None,
        task_token: None,
        delivered_at: None,
    })
}

/// When the approval closes, in seconds of the Unix epoch: at the bot's deadline, or when the post would be too late.
///
/// An operator may have allowed a run that is too late already; such a run has the bot's deadline.
fn closes_at(
    now: Timestamp,
    deadline: SignedDuration,
    not_after: Option<i64>,
) -> Result<i64, Error> {
    let closes_at = now
        .checked_add(deadline)
        .map_err(|e| Error::Unexpected(e.into()))?
        .as_second();
    Ok(match not_after {
        Some(not_after) if not_after > now.as_second() => closes_at.min(not_after),
        _ => closes_at,
    })
}

/// When the approvers are reminded, in seconds of the Unix epoch; never at the same time as the first email.
fn remind_at(now: Timestamp, reminder: Option<SignedDuration>, closes_at: i64) -> Option<i64> {
    let remind_at = closes_at.saturating_sub(reminder?.as_secs());
    (remind_at > now.as_second()).then_some(remind_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 60 * 60;

    #[test]
    fn an_approval_closes_when_the_post_would_be_too_late_and_the_reminder_is_sent_before() {
        let now = Timestamp::from_second(1_793_361_600).unwrap();
        let minutes = |minutes| Some(SignedDuration::from_mins(minutes));
        // Seconds from now: (too late, reminder) and (closes, reminds).
        for ((not_after, reminder), (closes, reminds)) in [
            ((None, None), (4 * HOUR, None)),
            ((Some(3 * HOUR), None), (3 * HOUR, None)),
            ((Some(5 * HOUR), None), (4 * HOUR, None)),
            // Too late already, and allowed by an operator.
            ((Some(0), None), (4 * HOUR, None)),
            ((Some(-HOUR), None), (4 * HOUR, None)),
            ((Some(1), None), (1, None)),
            ((None, minutes(60)), (4 * HOUR, Some(3 * HOUR))),
            ((Some(3 * HOUR), minutes(60)), (3 * HOUR, Some(2 * HOUR))),
            // A reminder at the time of the first email is none.
            ((Some(HOUR), minutes(60)), (HOUR, None)),
            ((Some(HOUR), minutes(90)), (HOUR, None)),
        ] {
            let row = format!("{not_after:?} {reminder:?}");
            let not_after = not_after.map(|seconds| now.as_second() + seconds);
            let closed = closes_at(now, SignedDuration::from_hours(4), not_after).unwrap();
            assert_eq!(closed - now.as_second(), closes, "{row}");
            let reminded = remind_at(now, reminder, closed);
            assert_eq!(reminded.map(|at| at - now.as_second()), reminds, "{row}");
        }
    }
}
