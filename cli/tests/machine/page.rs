//! The approval page in a browser, from the link in the email to the tweet.

use std::path::Path;

use serde_json::json;
use test_kit::browser::{Browser, Options, Page};

use crate::{
    approval::{Waiting, link, outcome},
    fixture::until,
};

fn phone() -> Options {
    Options {
        width: 360,
        height: 740,
        phone: true,
        ..Options::default()
    }
}

async fn open(waiting: &Waiting, options: &Options) -> Page {
    let browser = Browser::shared().await;
    let mails = waiting.fixture.mails(1).await;
    let page = browser.page(options).await.unwrap();
    let url = link(&mails[0].body_text);
    // A busy emulator answers with an error, and a person would reload the page.
    until("the approval page", async || {
        page.open(&url).await.unwrap();
        page.status().filter(|status| *status < 500)
    })
    .await;
    assert_eq!(page.status(), Some(200), "{}", page.html().await.unwrap());
    page
}

/// Keeps a screenshot under the target directory for people to look at.
async fn keep(page: &Page, name: &str) {
    let picture = page.screenshot().await.unwrap();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(path, picture).unwrap();
}

/// Waits for the first picture of the page, which is wider than this.
async fn has_picture(page: &Page, width: u32) {
    // A busy emulator drops a picture, and a browser does not retry, so a failed one is requested again.
    let is_shown = format!(
        "(image => {{
            if (image.complete && !image.naturalWidth) image.src = image.src;
            return image.complete && image.naturalWidth > {width};
        }})(document.images[0])"
    );
    let shown = page.wait_until(&is_shown).await;
    assert!(shown.is_ok(), "{shown:?} {:?}", page.complaints());
}

/// Checks that the page fits its window, shows its picture and has no errors.
async fn is_whole(page: &Page) {
    let fits = "document.documentElement.scrollWidth <= window.innerWidth";
    assert_eq!(page.eval(fits).await.unwrap(), json!(true));
    has_picture(page, 500).await;
    // Chromium reports every error status too, which are expected, and the page's own errors, which are not.
    let mut complaints = page.complaints();
    complaints.retain(|complaint| !complaint.starts_with("Failed to load resource"));
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_phone_the_caption_is_edited_and_approved_and_a_second_tab_is_rejected() {
    let waiting = Waiting::new(&[]).await;
    let page = open(&waiting, &phone()).await;
    let second = open(&waiting, &phone()).await;
    is_whole(&page).await;
    keep(&page, "approval-phone.png").await;

    // The page rejects what X would reject, and keeps what was typed.
    page.fill("#caption", "Mind the ghost of @count_dracula 👻")
        .await
        .unwrap();
    page.follow("button[value=approve]").await.unwrap();
    assert_eq!(page.status(), Some(422));
    let text = page.text().await.unwrap();
    assert!(text.contains("It mentions \"@count_dracula\""), "{text}");
    let invalid = "document.querySelector('#caption').getAttribute('aria-invalid')";
    assert_eq!(page.eval(invalid).await.unwrap(), json!("true"));
    is_whole(&page).await;
    keep(&page, "approval-problem.png").await;

    page.fill("#caption", "Mind the ghost 👻").await.unwrap();
    page.follow("button[value=approve]").await.unwrap();
    assert_eq!(page.status(), Some(200));
    let text = page.text().await.unwrap();
    assert!(text.contains("Approved by owner@example.org"), "{text}");
    assert!(text.contains("Mind the ghost 👻"), "{text}");
    is_whole(&page).await;
    keep(&page, "approval-decided.png").await;

    second.follow("button[value=approve]").await.unwrap();
    assert_eq!(second.status(), Some(409));
    let text = second.text().await.unwrap();
    assert!(
        text.contains("was not recorded") && text.contains("owner@example.org"),
        "{text}"
    );

    assert_eq!(outcome(&waiting.ends().await), "posted");
    assert_eq!(waiting.fixture.x.tweets()[0].text, "Mind the ghost 👻");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_email_shows_the_picture_and_fits_a_phone() {
    let waiting = Waiting::new(&[]).await;
    let mails = waiting.fixture.mails(1).await;
    let browser = Browser::shared().await;
    let page = browser.page(&phone()).await.unwrap();
    // A webmail client shows it as a page.
    let html = axum::response::Html(mails[0].body_html.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().route("/", axum::routing::get(async || html));
    let server = tokio::spawn(async { axum::serve(listener, router).await });
    page.open(&format!("http://{address}/")).await.unwrap();
    has_picture(&page, 100).await;
    let fits = "document.documentElement.scrollWidth <= window.innerWidth";
    assert_eq!(page.eval(fits).await.unwrap(), json!(true));
    let links = "[...document.links].map(link => link.href).join()";
    let links = page.eval(links).await.unwrap();
    assert_eq!(links, json!(link(&mails[0].body_text)));
    keep(&page, "approval-mail.png").await;
    server.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_is_rejected_by_keyboard_alone_in_dark_mode_without_javascript() {
    let waiting = Waiting::new(&[]).await;
    let options = Options {
        javascript: false,
        dark: true,
        ..phone()
    };
    let page = open(&waiting, &options).await;
    let focused = "document.activeElement.id || document.activeElement.value || document.activeElement.textContent.trim()";
    let mut order = Vec::new();
    // Caption, alt text, approve, and the two that unfold.
    for _ in 0..5 {
        page.press("Tab").await.unwrap();
        order.push(page.eval(focused).await.unwrap());
    }
    assert_eq!(
        json!(order),
        json!([
            "caption",
            "altText",
            "approve",
            "Another picture",
            "Do not post"
        ])
    );
    page.press("Enter").await.unwrap();
    page.press("Tab").await.unwrap();
    assert_eq!(page.eval(focused).await.unwrap(), json!("reason"));
    page.type_text("Not this one.").await.unwrap();
    keep(&page, "approval-keyboard-dark.png").await;
    page.press("Tab").await.unwrap();
    assert_eq!(page.eval(focused).await.unwrap(), json!("reject"));
    let arrived = page.navigation();
    page.press("Enter").await.unwrap();
    arrived.await.unwrap();
    let text = page.text().await.unwrap();
    assert!(text.contains("Rejected by owner@example.org"), "{text}");
    let ended = waiting.ends().await;
    assert_eq!(outcome(&ended), "rejected");
    let reason = "rejected by owner@example.org: Not this one.";
    assert_eq!(ended.output["record"]["reason"], reason);
}
