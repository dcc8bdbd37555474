//! How the run of a slot ended, if not by a failure.

use post::{Outcome, PostId, SkipReason, commands};
use posts_table::{Micros, Record};

use crate::{Notification, NotificationKind, Step, text::line};

/// The event that the run of a slot has ended. A slot that is run again ends at another time.
pub fn ended_event(post: &PostId, record: &Record) -> String {
    let at = record.ended_at.unwrap_or_default();
    format!("ended/{post}/{at}")
}

/// The notification of an outcome; `None` if the record has none, or the operator is watching, as in a dry run.
pub fn ended(post: &PostId, record: &Record) -> Option<Notification> {
    let kind = kind(record)?;
    let (summary, what) = texts(kind);
    Some(Notification {
        kind,
        post: Some(post.to_string()),
        subject: format!("{post} {summary}"),
        what: format!("{post} {summary}. {what}"),
        facts: facts(kind, post, record),
        todo: steps(kind, post),
    })
}

fn kind(record: &Record) -> Option<NotificationKind> {
    Some(match record.outcome? {
        Outcome::Posted => NotificationKind::Posted,
        Outcome::Skipped => match record.skip_reason() {
            Some(SkipReason::OverBudget) => NotificationKind::OverBudget,
            Some(SkipReason::TooLate) => NotificationKind::TooLate,
            _ => NotificationKind::Skipped,
        },
        Outcome::Rejected => NotificationKind::Rejected,
        Outcome::Refused => NotificationKind::Refused,
        Outcome::Expired => NotificationKind::Expired,
        Outcome::DryRun => return None,
    })
}

/// What happened, as it follows the name of the post in the subject, and what that means.
fn texts(kind: NotificationKind) -> (&'static str, &'static str) {
    match kind {
        NotificationKind::Posted => ("was posted", "No action is needed."),
        NotificationKind::Skipped => ("was skipped", "No action is needed."),
        NotificationKind::Rejected => ("was rejected", "Nothing was posted. No action is needed."),
        NotificationKind::OverBudget => (
            "was not posted: the budget is used up",
            "The next picture would have exceeded a cap, so it was not bought.",
        ),
        NotificationKind::TooLate => (
            "was not posted: it was ready too late",
            "The post was ready after the latest time that the bot allows.",
        ),
        NotificationKind::Refused => (
            "was not posted: OpenAI refused the picture",
            "OpenAI refused the prompt at every level of softness.",
        ),
        _ => (
            "was not posted: the approval expired",
            "No approver decided before the deadline.",
        ),
    }
}

fn facts(kind: NotificationKind, post: &PostId, record: &Record) -> Vec<(String, String)> {
    let mut facts = vec![("Post".to_owned(), post.to_string())];
    if let Some(name) = record.day["name"].as_str() {
        facts.push(("Observance".to_owned(), line(name)));
    }
    if let Some(tweet) = &record.tweet_id
        && kind == NotificationKind::Posted
    {
        let address = format!("https://x.com/i/status/{tweet}");
        facts.push(("Tweet".to_owned(), address));
    }
    if let Some(reason) = record.reason.as_deref().filter(|reason| !reason.is_empty()) {
        facts.push(("Reason".to_owned(), line(reason)));
    }
    if let Some(cost) = record.result.as_ref().and_then(|r| r["costUsd"].as_f64()) {
        facts.push(("Cost".to_owned(), Micros::from_usd(cost).to_string()));
    }
    facts
}

fn steps(kind: NotificationKind, post: &PostId) -> Vec<Step> {
    let run_again = |what: &str| Step::with(what, commands::run_again(post));
    match kind {
        NotificationKind::OverBudget => vec![
            Step::by_hand("If the cap is too low, raise it in `[money]` of `bot.toml` and deploy"),
            run_again("Then run the slot again, if the post still makes sense"),
        ],
        NotificationKind::TooLate => vec![run_again(
            "To post it anyway, run the slot again, with a new picture and a new approval",
        )],
        NotificationKind::Refused => vec![
            Step::with(
                "Give the slot a milder scene; for future years, change the scene in `calendar.toml` and deploy",
                commands::override_scene(post),
            ),
            run_again("Then run the slot again, if the post still makes sense"),
        ],
        NotificationKind::Expired => vec![run_again(
            "To ask again, with a new deadline, run the slot again",
        )],
        _ => Vec::new(),
    }
}
