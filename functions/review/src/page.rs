//! The pages, as HTML without scripts or other resources.

use std::sync::OnceLock;

use approvals::{ApprovalState, MAX_NOTE, TextProblems, normalize};
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::{Timestamp, tz::TimeZone};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use post_text::{MAX_ALT_TEXT, MAX_WEIGHTED_LENGTH, weighted_length};
use posts_table::{ApprovalItem, Decision, OnExpiry, POLICY, Verdict};
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

/// Allows the pictures of this site, and the one style sheet in the pages.
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

/// The page of an open approval.
pub(crate) fn open(
    approval: &ApprovalItem,
    by: &str,
    form: &Form,
    form_value: &str,
    problems: Option<&TextProblems>,
    picture: &str,
) -> Markup {
    let none = TextProblems::default();
    let problems = problems.unwrap_or(&none);
    let left = approval.regenerations_left();
    let on_timeout = match approval.on_timeout {
        OnExpiry::Skip => "nothing is posted",
        OnExpiry::Post => "it is posted as shown",
    };
    let closes = Timestamp::from_second(approval.closes_at).unwrap_or(Timestamp::MAX);
    let body = html! {
        (head(approval))
        @if *problems != none {
            p.problem role="alert" { "Nothing was decided. Fix the problems below." }
        }
        (picture_of(approval, picture))
        p { "Will be posted " b { (appears(approval)) } "." }
        p.dim { "Decide by " (format_time(approval, closes)) ". Without a decision by then, " (on_timeout) "." }
        form method="post" {
            input type="hidden" name="content" value=(approval.presented_hash);
            input type="hidden" name="form" value=(form_value);
            (field("caption", "Caption", &form.caption, 6, problems.caption.as_deref(),
                &format!("Weighted length: {} of {MAX_WEIGHTED_LENGTH}. An emoji counts as 2.", weighted_length(&normalize(&form.caption)))))
            (field("altText", "Alt text, for people who cannot see the picture", &form.alt_text, 4, problems.alt_text.as_deref(),
                &format!("{} of {MAX_ALT_TEXT} characters.", normalize(&form.alt_text).encode_utf16().count())))
            button.main name="answer" value="approve" { "Approve" }
            details open[problems.note.is_some()] {
                summary { "Another picture" }
                @if left == 0 {
                    p { "All four pictures are used. Approve this one or reject it." }
                    @if let Some(problem) = &problems.note { p.problem { (problem) } }
                } @else {
                    p.dim { "A new picture costs about $" (format!("{:.2}", approval.cost_usd.max(0.01))) ". You will receive a new email. " (times(left)) " left." }
                    (field("note", "What should change?", &form.note, 3, problems.note.as_deref(),
                        &format!("Optional. At most {MAX_NOTE} characters.")))
                    button name="answer" value="regenerate" { "Ask for another picture" }
                }
            }
            details open[problems.reason.is_some()] {
                summary { "Do not post" }
                (field("reason", "Why not?", &form.reason, 3, problems.reason.as_deref(),
                    "The record keeps the reason. Nothing is posted in this slot."))
                button name="answer" value="reject" { "Reject" }
            }
        }
        p.dim { "You decide as " b { (by) } "." }
    };
    page(&approval.day, body)
}

/// The page of a decided approval.
pub(crate) fn decided(approval: &ApprovalItem, decision: &Decision, picture: &str) -> Markup {
    let body = html! {
        (head(approval))
        (decision_summary(approval, decision))
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

/// The page of an approver whose decision came second.
pub(crate) fn decided_before(
    approval: &ApprovalItem,
    decision: &Decision,
    picture: &str,
) -> Markup {
    let body = html! {
        (head(approval))
        p.problem role="alert" { "Your decision was not recorded: this post was decided before." }
        (decision_summary(approval, decision))
        (picture_of(approval, picture))
    };
    page("Already decided", body)
}

/// The page while the bot is paused.
pub(crate) fn paused(approval: &ApprovalItem, reason: &str, picture: &str) -> Markup {
    let body = html! {
        (head(approval))
        p.problem role="alert" {
            "The bot is paused"
            @if !reason.is_empty() { ": " (reason) }
            ". Decisions are possible after an operator resumes it. Then open this page again."
        }
        (picture_of(approval, picture))
        div.quote { (approval.caption) }
    };
    page("Paused", body)
}

pub(crate) fn other_content() -> Markup {
    plain(
        "There is a newer picture",
        "The picture or text that you saw has been replaced. Open the link in the newest email.",
    )
}

pub(crate) fn closed() -> Markup {
    plain(
        "Decisions are closed",
        "The deadline has passed. The bot's policy decides.",
    )
}

pub(crate) fn execution_ended(status: &str) -> Markup {
    plain(
        "The run has ended",
        &format!(
            "The execution of this post has ended ({status}), so there is nothing to decide. If an operator redrives it, this page works again."
        ),
    )
}

pub(crate) fn link_is_over() -> Markup {
    plain(
        "This link has expired",
        "It was valid until a week after the deadline. Nothing was changed.",
    )
}

pub(crate) fn unknown() -> Markup {
    plain(
        "Page not found",
        "If you followed a link in an email, check that the link is complete.",
    )
}

pub(crate) fn no_form() -> Markup {
    plain(
        "Nothing was decided",
        "The request did not come from the form on this page. Open the link in the email and decide there.",
    )
}

pub(crate) fn wrong_method(allowed: &str) -> Markup {
    plain(
        "Method not allowed",
        &format!("This address accepts {allowed}."),
    )
}

pub(crate) fn see_other() -> Markup {
    plain("Decided", "Your decision is recorded.")
}

pub(crate) fn unavailable() -> Markup {
    plain(
        "There is a problem with the service",
        "Nothing was decided. Try again in a minute. If the problem persists, check the log of the function.",
    )
}

/// Why a request was refused, for the audit trail.
pub(crate) fn why(standing: &ApprovalState) -> &'static str {
    match standing {
        ApprovalState::Open => "it is open",
        ApprovalState::Decided(_) => "it was decided before",
        ApprovalState::Closed => "decisions are closed",
        ApprovalState::Paused(_) => "the bot is paused",
        ApprovalState::ExecutionEnded(_) => "the execution has ended",
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

fn head(approval: &ApprovalItem) -> Markup {
    html! {
        h1 { (approval.day) }
        p.dim {
            (approval.post)
            @if approval.round > 1 { ", picture " (approval.round) }
        }
    }
}

fn picture_of(approval: &ApprovalItem, picture: &str) -> Markup {
    html! { img src=(picture) alt=(approval.alt_text); }
}

fn decision_summary(approval: &ApprovalItem, decision: &Decision) -> Markup {
    let by = match decision.by.as_str() {
        POLICY => "the bot's policy, after the deadline",
        by => by,
    };
    let at = format_time(approval, decision.at);
    html! {
        @match &decision.verdict {
            Verdict::Approved { .. } => p role="status" {
                b { "Approved" } " by " (by) ", " (at) ". It will be posted "
                @if approval.slot_time <= decision.at { "immediately." } @else { "on " (format_time(approval, approval.slot_time)) "." }
            },
            Verdict::Rejected { reason } => {
                p role="status" { b { "Rejected" } " by " (by) ", " (at) ". Nothing is posted." }
                div.quote { (reason) }
            }
            Verdict::Regenerate { note } => {
                p role="status" { b { "Another picture" } " was requested by " (by) ", " (at) ". You will receive a new email." }
                @if !note.is_empty() { div.quote { (note) } }
            }
            Verdict::Expired => p role="status" { b { "Expired." } " There was no decision before the deadline. Nothing is posted." },
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
        // Browsers drop a line break right after the tag; with this one, a leading line break of the text stays.
        textarea id=(name) name=(name) rows=(rows) aria-describedby=(described) aria-invalid=[problem.map(|_| "true")] { "\n" (value) }
        div id=(described) {
            @if let Some(problem) = problem { p.problem { (capitalized(problem)) "." } }
            small { (hint) }
        }
    }
}

fn capitalized(text: &str) -> String {
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

fn appears(approval: &ApprovalItem) -> String {
    match approval.slot_time <= approval.opened_at {
        true => "as soon as it is approved".to_owned(),
        false => format!("on {}", format_time(approval, approval.slot_time)),
    }
}

/// A time in the bot's zone, for people.
fn format_time(approval: &ApprovalItem, at: Timestamp) -> String {
    let zone = TimeZone::get(&approval.time_zone).unwrap_or(TimeZone::UTC);
    at.to_zoned_datetime(zone)
        .strftime("%A %-d %B %Y, %H:%M %Z")
        .to_string()
}
