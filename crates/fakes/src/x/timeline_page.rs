//! The timeline as a page for people.

use base64::{Engine, prelude::BASE64_STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Profile, Tweet};

const STYLE: &str = "
:root{color-scheme:light dark;--bg:#fff;--fg:#0f1419;--dim:#536471;--line:#eff3f4;--chip:#f1e8fb;--chipfg:#5b2a86}
@media(prefers-color-scheme:dark){:root{--bg:#000;--fg:#e7e9ea;--dim:#8b98a5;--line:#2f3336;--chip:#2b1a3d;--chipfg:#d9b8ff}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.4 system-ui,sans-serif}
main{max-width:600px;margin:0 auto;border:solid var(--line);border-width:0 1px;min-height:100vh}
header{padding:16px;border-bottom:1px solid var(--line)}h1{font-size:20px;margin:0}
article{display:grid;grid-template-columns:48px 1fr;gap:12px;padding:16px;border-bottom:1px solid var(--line)}
.face{width:48px;height:48px;border-radius:50%;background:#2b1240;display:grid;place-items:center;font-size:26px}
.who b{margin-right:4px}.dim{color:var(--dim)}.text{margin:4px 0 12px;white-space:pre-wrap;overflow-wrap:anywhere}
img{width:100%;border-radius:16px;border:1px solid var(--line);display:block}
.chip{display:inline-block;background:var(--chip);color:var(--chipfg);border-radius:99px;padding:2px 10px;font-size:13px;margin:0 6px 6px 0}
details{margin-top:8px;font-size:14px}summary{cursor:pointer;font-weight:700}
";

/// The timeline of an account as a page that needs no other file.
pub(super) fn page(profile: &Profile, tweets: &[Tweet]) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (profile.name) " (@" (profile.handle) ")" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    header {
                        h1 { (profile.name) }
                        div.dim { "@" (profile.handle) " · " (tweets.len()) " posts · a fake X" }
                    }
                    @if tweets.is_empty() { article { div {} p.dim { "Nothing was posted yet." } } }
                    @for tweet in tweets.iter().rev() {
                        article id=(tweet.id) {
                            div.face aria-hidden="true" { "🎃" }
                            div {
                                div.who { b { (profile.name) } span.dim { "@" (profile.handle) " · " (tweet.created_at.strftime("%-d %b %Y %H:%M UTC")) } }
                                div.dim { "🤖 Automated" }
                                @if let Some(at) = tweet.deleted_at {
                                    p.dim { "Deleted " (at.strftime("%-d %b %Y %H:%M UTC")) ". What was here:" }
                                }
                                div.text { (tweet.text) }
                                @for (picture, alt) in tweet.pictures.iter().zip(&tweet.alt_texts) {
                                    img src={ "data:image/jpeg;base64," (BASE64_STANDARD.encode(picture)) } alt=(alt);
                                    details { summary { "ALT" } (alt) }
                                }
                                p { @if tweet.made_with_ai { span.chip { "Made with AI" } } }
                            }
                        }
                    }
                }
            }
        }
    }
}
