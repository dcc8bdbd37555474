//! The pages, as HTML that needs nothing else.

use std::sync::OnceLock;

use approvals::{MAX_NOTE, Problems, Standing, tidy};
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::{Timestamp, tz::TimeZone};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use post_text::{MAX_ALT_TEXT, MAX_WEIGHTED_LENGTH, weighted_length};
use posts_table::{Approval, Decision, OnTimeout, POLICY, Verdict};
use sha2::{Digest, Sha256};

use crate::Form;

const STYLE: &str = "
:root{color-scheme:light dark;--bg:#faf7fd;--fg:#1d1429;--dim:#5d4e6d;--line:#cfc3dc;--card:#fff;--accent:#5b2a86;--on-accent:#fff;--bad:#a3123f}
@media(prefers-color-scheme:dark){:root{--bg:#140d1c;--fg:#f2ebf8;--dim:#b9a8ca;--line:#4a3a5b;--card:#1f1529;--accent:#d9b8ff;--on-accent:#1d1429;--bad:#ff8fa8}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:17px/1.5 system-ui,sans-serif}
main{max-width:640px;margin:0 auto;padding:16px}
h1{font-size:24px;line-height:1.25;margin:8px 0 4px}
h2{font-size:19px;margin:24px 0 8px}
p{margin:8px 0}
.dim,small{color:var(--dim);font-size:15px}
img{display:block;width:100%;height:auto;border-radius:12px;border:1px solid var(--line);margin:12px 0}
label{display:block;font-weight:600;margin:16px 0 4px}
textarea{width:100%;font:inherit;color:inherit;background:var(--card);border:1px solid var(--dim);border-radius:8px;padding:10px}
textarea[aria-invalid]{border:2px solid var(--bad)}
.problem{color:var(--bad);font-weight:600}
button{font:inherit;font-weight:700;width:100%;min-height:48px;border-radius:10px;border:2px solid var(--accent);background:transparent;color:var(--accent);margin:12px 0;padding:10px;cursor:pointer}
button.main{background:var(--accent);color:var(--on-accent)}
:focus-visible{outline:3px solid var(--accent);outline-offset:3px}
details{border:1px solid var(--line);border-radius:10px;margin:12px 0;padding:0 12px;background:var(--card)}
summary{padding:12px 0;min-height:48px;cursor:pointer;font-weight:600}
.quote{white-space:pre-line;overflow-wrap:anywhere;background:var(--card);border-left:4px solid var(--accent);border-radius:4px;padding:8px 12px;margin:8px 0}
";

/// What the pages may load: our pictures, and the one style sheet that is in them.
pub(crate) fn content_security_policy() -> String {
    static POLICY: OnceLock<String> = OnceLock::new();
    POLICY
        .get_or_init(|| {
            let style = BASE64_STANDARD.encode(Sha256::digest(STYLE));
            format!(
                "default-src 'none'; img-src 'self'; style-src 'sha256-{style}'; form-action 'self'; \
                 frame-ancestors 'none'; base-uri 'none'"
            )
        })
        .clone()
}

/// The page on which somebody decides.
pub(crate) fn open(
    approval: &Approval,
    by: &str,
    form: &Form,
    form_value: &str,
    problems: Option<&Problems>,
    picture: &str,
) -> Markup {
    let none = Problems::default();
    let problems = problems.unwrap_or(&none);
    let left = approval.regenerations_left();
    let silence = match approval.on_timeout {
        OnTimeout::Skip => "nothing is posted",
        OnTimeout::Post => "it is posted as it is",
    };
    let closes = Timestamp::from_second(approval.closes_at).unwrap_or(Timestamp::MAX);
    let body = html! {
        (head(approval))
        @if *problems != none {
            p.problem role="alert" { "Nothing was decided: see below what to change." }
        }
        (picture_of(approval, picture))
        p { "Appears " b { (appears(approval)) } "." }
        p.dim { "Decisions close on " (said(approval, closes)) ". If nobody answers by then, " (silence) "." }
        form method="post" {
            input type="hidden" name="content" value=(approval.presented_hash);
            input type="hidden" name="form" value=(form_value);
            (field("caption", "Caption", &form.caption, 6, problems.caption.as_deref(),
                &format!("Weighted length {} of {MAX_WEIGHTED_LENGTH}; an emoji counts 2.", weighted_length(&tidy(&form.caption)))))
            (field("altText", "Alt text, for those who do not see the picture", &form.alt_text, 4, problems.alt_text.as_deref(),
                &format!("{} of {MAX_ALT_TEXT} characters.", tidy(&form.alt_text).encode_utf16().count())))
            button.main name="answer" value="approve" { "Approve" }
            details open[problems.note.is_some()] {
                summary { "Another picture" }
                @if left == 0 {
                    p { "There have been four pictures, and there will be no more." }
                    @if let Some(problem) = &problems.note { p.problem { (problem) } }
                } @else {
                    p.dim { "It costs about $" (format!("{:.2}", approval.cost_usd.max(0.01))) ", and comes with a mail of its own. " (times(left)) " left." }
                    (field("note", "What should it be like?", &form.note, 3, problems.note.as_deref(),
                        &format!("At most {MAX_NOTE} characters; may be empty.")))
                    button name="answer" value="regenerate" { "Ask for another picture" }
                }
            }
            details open[problems.reason.is_some()] {
                summary { "Do not post" }
                (field("reason", "Why not?", &form.reason, 3, problems.reason.as_deref(),
                    "Kept in the record. Nothing is posted in this slot."))
                button name="answer" value="reject" { "Reject" }
            }
        }
        p.dim { "You answer as " b { (by) } "." }
    };
    page(&approval.day, body)
}

/// The page of an approval that was decided.
pub(crate) fn decided(approval: &Approval, decision: &Decision, picture: &str) -> Markup {
    let body = html! {
        (head(approval))
        (said_by(approval, decision))
        (picture_of(approval, picture))
        @match &decision.verdict {
            Verdict::Approved { caption, alt_text, .. } => {
                h2 { "Caption" } div.quote { (caption) }
                h2 { "Alt text" } div.quote { (alt_text) }
            }
            _ => {}
        }
    };
    page(&approval.day, body)
}

/// The page for whoever answers second.
pub(crate) fn somebody_was_faster(
    approval: &Approval,
    decision: &Decision,
    picture: &str,
) -> Markup {
    let body = html! {
        (head(approval))
        p.problem role="alert" { "Your answer does not count: this was decided before." }
        (said_by(approval, decision))
        (picture_of(approval, picture))
    };
    page("Decided before", body)
}

/// The page while the bot is paused.
pub(crate) fn paused(approval: &Approval, reason: &str, picture: &str) -> Markup {
    let body = html! {
        (head(approval))
        p.problem role="alert" {
            "The bot is paused"
            @if !reason.is_empty() { ": " (reason) }
            ". Nothing can be decided until somebody resumes it; then open this page again."
        }
        (picture_of(approval, picture))
        div.quote { (approval.caption) }
    };
    page("Paused", body)
}

pub(crate) fn other_content() -> Markup {
    plain(
        "There is another picture by now",
        "What you saw is not what would be posted any more. Open the link of the newest mail.",
    )
}

pub(crate) fn closed() -> Markup {
    plain(
        "Decisions are closed",
        "The time to decide is over, and what happens now is what the bot's policy says.",
    )
}

pub(crate) fn execution_ended(status: &str) -> Markup {
    plain(
        "The run has ended",
        &format!(
            "The execution that would post this has ended ({status}), so there is nothing to decide. An operator can redrive it, and then this page is good again."
        ),
    )
}

pub(crate) fn link_is_over() -> Markup {
    plain(
        "This link is over",
        "It was good until a week after its deadline. Nothing was changed.",
    )
}

pub(crate) fn unknown() -> Markup {
    plain(
        "Nothing here",
        "There is no such page. If you followed a link from a mail, see whether it is complete.",
    )
}

pub(crate) fn no_form() -> Markup {
    plain(
        "Nothing was decided",
        "The answer did not come from the form of this page. Open the link from the mail and answer there.",
    )
}

pub(crate) fn wrong_method(allowed: &str) -> Markup {
    plain("Not like this", &format!("This address answers {allowed}."))
}

pub(crate) fn see_other() -> Markup {
    plain("Decided", "Your answer counts.")
}

pub(crate) fn out_of_order() -> Markup {
    plain(
        "Something is out of order",
        "Nothing was decided. Try again in a minute; if it stays like this, the log of the function says why.",
    )
}

/// Why an answer does not count, for the audit trail.
pub(crate) fn why(standing: &Standing) -> &'static str {
    match standing {
        Standing::Open => "it is open",
        Standing::Decided(_) => "it was decided before",
        Standing::Closed => "decisions are closed",
        Standing::Paused(_) => "the bot is paused",
        Standing::ExecutionEnded(_) => "the execution has ended",
    }
}

fn page(title: &str, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { (body) } }
        }
    }
}

fn plain(title: &str, text: &str) -> Markup {
    page(title, html! { h1 { (title) } p { (text) } })
}

fn head(approval: &Approval) -> Markup {
    html! {
        h1 { (approval.day) }
        p.dim {
            (approval.post)
            @if approval.round > 1 { ", picture number " (approval.round) }
        }
    }
}

fn picture_of(approval: &Approval, picture: &str) -> Markup {
    html! { img src=(picture) alt=(approval.alt_text); }
}

fn said_by(approval: &Approval, decision: &Decision) -> Markup {
    let by = match decision.by.as_str() {
        POLICY => "the bot's policy, since nobody answered in time",
        by => by,
    };
    let at = said(approval, decision.at);
    html! {
        @match &decision.verdict {
            Verdict::Approved { .. } => p role="status" {
                b { "Approved" } " by " (by) ", " (at) ". It appears "
                @if approval.slot_time <= decision.at { "at once." } @else { "on " (said(approval, approval.slot_time)) "." }
            },
            Verdict::Rejected { reason } => {
                p role="status" { b { "Rejected" } " by " (by) ", " (at) ". Nothing is posted." }
                div.quote { (reason) }
            }
            Verdict::Regenerate { note } => {
                p role="status" { b { "Another picture" } " was asked for by " (by) ", " (at) ". It comes with a mail of its own." }
                @if !note.is_empty() { div.quote { (note) } }
            }
            Verdict::Expired => p role="status" { b { "Expired." } " Nobody answered in time, and nothing is posted." },
        }
    }
}

fn field(
    name: &str,
    label: &str,
    value: &str,
    rows: u32,
    problem: Option<&str>,
    hint: &str,
) -> Markup {
    let described = format!("{name}-hint");
    html! {
        label for=(name) { (label) }
        // A line break right after the tag is dropped, so that one in the text is kept.
        textarea id=(name) name=(name) rows=(rows) aria-describedby=(described) aria-invalid=[problem.map(|_| "true")] { "\n" (value) }
        div id=(described) {
            @if let Some(problem) = problem { p.problem { (capitalised(problem)) "." } }
            small { (hint) }
        }
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

fn times(left: u32) -> &'static str {
    match left {
        1 => "One more",
        2 => "Two more",
        _ => "Three more",
    }
}

fn appears(approval: &Approval) -> String {
    match approval.slot_time <= approval.opened_at {
        true => "as soon as it is approved".to_owned(),
        false => format!("on {}", said(approval, approval.slot_time)),
    }
}

/// A time as people of the bot's zone say it.
fn said(approval: &Approval, at: Timestamp) -> String {
    let zone = TimeZone::get(&approval.time_zone).unwrap_or(TimeZone::UTC);
    at.to_zoned_datetime(zone)
        .strftime("%A %-d %B %Y, %H:%M %Z")
        .to_string()
}
