//! The pages of `spooky preview`: each one file, pictures included.

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::civil::{Date, Weekday};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use post_text::{MAX_ALT_TEXT, MAX_WEIGHTED_LENGTH, weighted_length};

/// What a slot of a date comes to.
pub(crate) enum Cell {
    Post(Box<Post>),
    /// Nothing, for this reason.
    Nothing(String),
}

/// A post as it will be.
pub(crate) struct Post {
    /// `bot/date/slot`.
    pub(crate) id: String,
    pub(crate) name: String,
    /// Where in the calendar the day comes from.
    pub(crate) origin: String,
    pub(crate) texts: build_prompt::Output,
    /// A JPEG.
    pub(crate) picture: Vec<u8>,
}

impl Post {
    pub(crate) fn length(&self) -> usize {
        weighted_length(&self.texts.caption)
    }

    fn picture(&self) -> Markup {
        let source = format!(
            "data:image/jpeg;base64,{}",
            BASE64_STANDARD.encode(&self.picture)
        );
        html! { img src=(source) alt=(self.texts.alt_text); }
    }

    /// What does not show on X at first sight.
    fn details(&self, open: bool) -> Markup {
        html! {
            details open[open] {
                summary { "Alt text" span.dim { " " (self.texts.alt_text.chars().count()) " of " (MAX_ALT_TEXT) } }
                p { (self.texts.alt_text) }
            }
            details open[open] {
                summary { "Prompt" }
                p.prompt { (self.texts.prompt) }
            }
        }
    }
}

const STYLE: &str = "
:root{color-scheme:light dark;--bg:#f6f3ee;--card:#fff;--fg:#1c1622;--dim:#6c6375;--line:#e2dbe8;--accent:#a8480f}
@media(prefers-color-scheme:dark){:root{--bg:#120d18;--card:#1d1626;--fg:#efe9f4;--dim:#a79bb3;--line:#372c44;--accent:#ff9d4d}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.45 system-ui,sans-serif}
header{padding:20px 24px 12px}h1{font-size:22px;margin:0}p{margin:6px 0}.dim{color:var(--dim)}
article{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:12px;min-width:0;overflow-wrap:anywhere}
img{display:block;width:100%;border-radius:8px}h2{font-size:15px;line-height:1.25;margin:8px 0 4px}
.caption{white-space:pre-wrap}.prompt{white-space:pre-wrap}.length{color:var(--accent);font-variant-numeric:tabular-nums}
details{margin-top:6px;font-size:13px}summary{cursor:pointer}
.one{max-width:640px;margin:0 auto 32px;padding:0 16px}
.month{display:grid;grid-template-columns:var(--columns);gap:8px;padding:0 24px 32px}
.month article{font-size:13px;padding:8px}.month article>header{display:flex;justify-content:space-between;padding:0 0 6px;font-weight:600}
.month .quiet{background:none;border-style:dashed;color:var(--dim)}.weekday{color:var(--dim);font-size:13px;padding:0 8px}
section+section{border-top:1px solid var(--line);margin-top:8px;padding-top:8px}
@media(max-width:900px){.month{grid-template-columns:minmax(0,1fr);padding:0 12px 24px}.weekday,.blank{display:none}}
";

fn page(title: &str, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (title) }
                    p.dim { "A preview: the texts are those of the post, the pictures are those of the fake for OpenAI." }
                }
                (body)
            }
        }
    }
    .into_string()
}

/// The page of one post.
pub(crate) fn post(bot: &str, post: &Post) -> String {
    let body = html! {
        main.one {
            article {
                p { b { (bot) } span.dim { " · 🤖 Automated" } }
                p.caption { (post.texts.caption) }
                (post.picture())
                p { span.length { (post.length()) " of " (MAX_WEIGHTED_LENGTH) } span.dim { " · " (post.name) ", " (post.origin) } }
                (post.details(true))
            }
        }
    };
    page(&post.id, &body)
}

/// The page of a month: its dates in order, each with the slots that are due.
pub(crate) fn month(bot: &str, dates: &[(Date, Vec<Cell>)]) -> String {
    let first = dates.first().map(|(date, _)| *date);
    let before = first.map_or(0, |date| date.weekday().to_monday_zero_offset());
    let title = first.map_or_else(String::new, |date| date.strftime("%B %Y").to_string());
    // Weekdays without a slot need no room for pictures.
    let columns: Vec<&str> = Weekday::Monday
        .cycle_forward()
        .take(7)
        .map(|weekday| {
            let mut on = dates.iter().filter(|(date, _)| date.weekday() == weekday);
            match on.any(|(_, cells)| !cells.is_empty()) {
                true => "minmax(0,1fr)",
                false => "4.5rem",
            }
        })
        .collect();
    let columns = format!("--columns:{}", columns.join(" "));
    let body = html! {
        main.month style=(columns) {
            @for weekday in ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"] {
                div.weekday { (weekday) }
            }
            @for _ in 0..before { div.blank {} }
            @for (date, cells) in dates {
                @let quiet = cells.iter().all(|cell| matches!(cell, Cell::Nothing(_)));
                article.quiet[quiet] {
                    header { span { (date.strftime("%a %-d")) } }
                    @for cell in cells {
                        section {
                            @match cell {
                                Cell::Post(post) => {
                                    (post.picture())
                                    h2 { (post.name) }
                                    p.caption { (post.texts.caption) }
                                    p { span.length { (post.length()) " of " (MAX_WEIGHTED_LENGTH) } span.dim { " · " (post.origin) } }
                                    (post.details(false))
                                }
                                Cell::Nothing(reason) => { p { (reason) } }
                            }
                        }
                    }
                    @if cells.is_empty() { p { "No slot" } }
                }
            }
        }
    };
    page(&format!("{bot}, {title}"), &body)
}
