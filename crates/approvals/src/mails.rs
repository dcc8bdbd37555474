//! The email that asks an approver, and the reminder.

use crate::link::{Keys, Link, Purpose};
use jiff::{Timestamp, tz::TimeZone};
use maud::{DOCTYPE, html};
use notifications::mail::Mail;
use post::PostId;
use posts_table::{ApprovalItem, OnExpiry};

/// How long after the deadline a link still shows the outcome, in seconds.
const SHOWS_OUTCOME_FOR: i64 = 7 * 24 * 60 * 60;

/// The address of the approval page for one approver, by the index in the approval's list.
pub fn review_url(
    keys: &Keys,
    base_url: &str,
    post: &PostId,
    approval: &ApprovalItem,
    approver: usize,
) -> String {
    address(
        keys,
        base_url,
        Purpose::Decide,
        "review",
        post,
        approval,
        approver,
    )
}

/// The email to one approver, by the index in the approval's list.
pub fn mail(
    keys: &Keys,
    base_url: &str,
    post: &PostId,
    approval: &ApprovalItem,
    approver: usize,
    is_reminder: bool,
) -> Mail {
    let review = review_url(keys, base_url, post, approval, approver);
    let thumbnail = address(
        keys,
        base_url,
        Purpose::Show,
        "thumbnail",
        post,
        approval,
        approver,
    );
    let texts = Texts::of(post, approval, is_reminder);
    Mail {
        html: texts.html(approval, &review, &thumbnail),
        text: texts.plain(approval, &review),
        subject: texts.subject,
    }
}

const PERSONAL: &str = "This link is for you only: decisions made with it are recorded under your name. Opening it decides nothing.";

/// What the HTML and the plain text have in common.
struct Texts {
    subject: String,
    intro: String,
    /// When the post will appear.
    appears: String,
    closes: String,
    on_timeout: &'static str,
}

impl Texts {
    fn of(post: &PostId, approval: &ApprovalItem, is_reminder: bool) -> Texts {
        let zone = TimeZone::get(&approval.time_zone).unwrap_or(TimeZone::UTC);
        let appears = match approval.slot_time <= approval.opened_at {
            true => "as soon as it is approved".to_owned(),
            false => format_time(approval.slot_time, &zone),
        };
        let closes = Timestamp::from_second(approval.closes_at)
            .map_or_else(|_| "never".to_owned(), |at| format_time(at, &zone));
        let on_timeout = match approval.on_timeout {
            OnExpiry::Skip => "Without a decision by then, nothing is posted.",
            OnExpiry::Post => "Without a decision by then, it is posted as shown.",
        };
        let round = match approval.round {
            1 => String::new(),
            round => format!(" This is picture {round}."),
        };
        let printable = approval.day.chars().filter(|c| !c.is_control());
        let day: String = printable.take(100).collect();
        Texts {
            subject: match is_reminder {
                false => format!("Approve {day} ({post})"),
                true => format!("Reminder: approve {day} ({post})"),
            },
            intro: format!("{post} needs your decision.{round}"),
            appears,
            closes,
            on_timeout,
        }
    }

    fn plain(&self, approval: &ApprovalItem, review: &str) -> String {
        format!(
            "{}\n\n{}\n\nCaption:\n{}\n\nAlt text:\n{}\n\nWill be posted: {}\nDecide by: {}\n{}\n\n\
             View the picture and decide:\n{review}\n\n{PERSONAL}\n",
            approval.day,
            self.intro,
            approval.caption,
            approval.alt_text,
            self.appears,
            self.closes,
            self.on_timeout
        )
    }

    /// Inline styles and one column, since mail programs drop style sheets.
    fn html(&self, approval: &ApprovalItem, review: &str, thumbnail: &str) -> String {
        let cell = "padding:4px 12px 4px 0;vertical-align:top;color:#6b5b7b";
        let html = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.subject) }
                }
                body style="margin:0;padding:16px;font-family:Helvetica,Arial,sans-serif;font-size:16px;line-height:1.5" {
                    div style="max-width:560px;margin:0 auto" {
                        h1 style="font-size:20px;margin:0 0 12px" { (approval.day) }
                        p style="margin:0 0 16px" { (self.intro) }
                        img src=(thumbnail) alt=(approval.alt_text) width="512" style="display:block;width:100%;max-width:512px;height:auto;border-radius:8px";
                        p style="margin:16px 0;white-space:pre-line;font-size:18px" { (approval.caption) }
                        table role="presentation" style="border-collapse:collapse;margin:0 0 20px" {
                            tr { td style=(cell) { "Alt text" } td { (approval.alt_text) } }
                            tr { td style=(cell) { "Will be posted" } td { (self.appears) } }
                            tr { td style=(cell) { "Decide by" } td { (self.closes) ". " (self.on_timeout) } }
                        }
                        p style="margin:0 0 20px" {
                            a href=(review) style="display:inline-block;background:#5b2a86;color:#ffffff;padding:12px 24px;border-radius:8px;text-decoration:none;font-weight:bold" { "View and decide" }
                        }
                        p style="margin:0;font-size:13px;color:#6b5b7b" { (PERSONAL) }
                    }
                }
            }
        };
        html.into_string()
    }
}

fn address(
    keys: &Keys,
    base_url: &str,
    purpose: Purpose,
    page: &str,
    post: &PostId,
    approval: &ApprovalItem,
    approver: usize,
) -> String {
    let link = Link {
        post: post.clone(),
        round: approval.round,
        approver,
        ends_at: approval.closes_at.saturating_add(SHOWS_OUTCOME_FOR),
    };
    let link = keys.sign(purpose, &link);
    format!("{}/{page}/{link}", base_url.trim_end_matches('/'))
}

/// A time in the bot's zone, for people.
fn format_time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned_datetime(zone.clone())
        .strftime("%A %-d %B %Y, %H:%M %Z")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approval(round: u32, on_timeout: OnExpiry) -> ApprovalItem {
        let approval = serde_json::json!({
            "post": "spooky-days/2026-10-30/1",
            "round": round,
            "day": "National Candy Corn Day",
            "caption": "Happy National Candy Corn Day! 👻\n\n#SpookyDays",
            "altText": "A ghost & a <cat> read the paper.",
            "image": {"key": "pictures/a.jpg", "thumbnailKey": "thumbnails/a.jpg", "sha256": "a", "bytes": 1},
            "presentedHash": "v1-a",
            "costUsd": 0.05,
            "slotTime": "2026-10-30T12:00:00Z",
            "timeZone": "America/New_York",
            "openedAt": "2026-10-30T10:00:00Z",
            "closesAt": 1_793_370_600,
            "onTimeout": on_timeout,
            "approvers": ["owner@example.org"],
        });
        serde_json::from_value(approval).unwrap()
    }

    #[test]
    fn the_email_shows_the_post_and_when_it_appears_and_what_happens_without_a_decision() {
        let post: PostId = "spooky-days/2026-10-30/1".parse().unwrap();
        let texts = |approval: &ApprovalItem, is_reminder: bool| {
            let texts = Texts::of(&post, approval, is_reminder);
            let plain = texts.plain(approval, "https://review.example/review/link");
            format!("{}\n\n{plain}", texts.subject)
        };
        insta::assert_snapshot!("request", texts(&approval(1, OnExpiry::Skip), false));
        insta::assert_snapshot!("reminder", texts(&approval(2, OnExpiry::Post), true));
    }

    #[test]
    fn the_html_escapes_the_texts_of_the_post() {
        let post: PostId = "spooky-days/2026-10-30/1".parse().unwrap();
        let approval = approval(1, OnExpiry::Skip);
        let html = Texts::of(&post, &approval, false).html(&approval, "https://r", "https://t");
        assert!(html.contains("A ghost &amp; a &lt;cat&gt; read the paper."));
        assert!(!html.contains("<cat>") && !html.contains("<script"));
    }
}
