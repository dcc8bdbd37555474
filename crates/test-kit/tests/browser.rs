//! What the tests of the approval page rely on, with pages of a server in the test.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Form, Router,
    extract::State,
    http::StatusCode,
    response::{Html, Redirect},
    routing::{get, post},
};
use test_kit::browser::{Browser, Options, Page};

const FORM: &str = r#"<!doctype html>
<html lang="en"><meta name="viewport" content="width=device-width">
<style>
  :root { background: #fff } @media (prefers-color-scheme: dark) { :root { background: #201028 } }
</style>
<h1>Spooky 🎃 approval</h1>
<noscript><p>No scripts here.</p></noscript>
<p id="script"></p>
<form method="post" action="/decide">
  <p><label>Name <input name="name" value="old"></label></p>
  <p><label>Note <textarea name="note"></textarea></label></p>
  <button name="decision" value="approve">Approve</button>
  <button name="decision" value="reject">Reject</button>
</form>
<div style="height: 1500px"></div>
<p><a id="end" href="/end">To the end</a></p>
<script>document.getElementById("script").textContent = "Scripts run.";</script>"#;

const LATER: &str = r#"<form action="/end"><button disabled>Go</button></form>
<p id="over" style="position: fixed; inset: 0">Over</p>
<script>setTimeout(() => {
    document.body.append("Now.");
    document.querySelector("button").disabled = false;
    setTimeout(() => document.querySelector('#over').remove(), 100);
}, 100)</script>"#;

const BROKEN: &str = "<img src=/nowhere.png><script>nothing()</script>";

type Forms = Arc<Mutex<Vec<Vec<(String, String)>>>>;

/// A server that shows the form and keeps what is posted.
async fn server() -> (String, Forms) {
    let forms = Forms::default();
    let decide = async |State(forms): State<Forms>, Form(form): Form<Vec<(String, String)>>| {
        let is_rejected = form.iter().any(|(_, value)| value == "reject");
        forms.lock().unwrap().push(form);
        if is_rejected {
            return Err((StatusCode::UNPROCESSABLE_ENTITY, Html("<p>Give a reason.")));
        }
        Ok(Redirect::to("/end"))
    };
    let router = Router::new()
        .route("/", get(async || Html(FORM)))
        .route("/decide", post(decide))
        .route("/end", get(async || Html("<p>This is the end.")))
        .route("/later", get(async || Html(LATER)))
        .route("/broken", get(async || Html(BROKEN)))
        .with_state(forms.clone());
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, forms)
}

async fn page(options: Options) -> Page {
    Browser::shared().await.page(&options).await.unwrap()
}

fn posted(forms: &Forms) -> String {
    let form = &forms.lock().unwrap()[0];
    let fields: Vec<String> = form
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    fields.join("&")
}

#[tokio::test]
async fn a_form_is_filled_and_sent() {
    let (url, forms) = server().await;
    let page = page(Options::default()).await;
    page.open(&url).await.unwrap();
    assert_eq!(page.status(), Some(200));
    let text = page.text().await.unwrap();
    assert!(text.contains("Scripts run."), "{text}");
    assert!(!text.contains("No scripts here."), "{text}");
    page.fill("input[name=name]", "Zoë 🦇").await.unwrap();
    page.fill("textarea", "two\nlines").await.unwrap();
    page.follow("button[value=reject]").await.unwrap();
    assert_eq!(page.status(), Some(422));
    let html = page.html().await.unwrap();
    assert!(html.contains("<p>Give a reason."), "{html}");
    assert_eq!(
        posted(&forms),
        "name=Zoë 🦇&note=two\r\nlines&decision=reject"
    );
    assert_eq!(page.complaints().len(), 1, "{:?}", page.complaints());
}

#[tokio::test]
async fn without_scripts_a_form_is_sent_by_keyboard_alone() {
    let (url, forms) = server().await;
    let page = page(Options {
        javascript: false,
        ..Options::default()
    })
    .await;
    page.open(&url).await.unwrap();
    let text = page.text().await.unwrap();
    assert!(text.contains("No scripts here."), "{text}");
    assert!(!text.contains("Scripts run."), "{text}");
    // Tab selects what is in the field.
    page.press("Tab").await.unwrap();
    page.type_text("Bat Man, 2").await.unwrap();
    page.press("Tab").await.unwrap();
    page.type_text("a\nb 🎃").await.unwrap();
    page.press("Tab").await.unwrap();
    let focus = page.eval("document.activeElement.value").await.unwrap();
    assert_eq!(focus, "approve");
    let arrived = page.navigation();
    page.press("Enter").await.unwrap();
    arrived.await.unwrap();
    assert_eq!(page.text().await.unwrap(), "This is the end.");
    assert_eq!(
        posted(&forms),
        "name=Bat Man, 2&note=a\r\nb 🎃&decision=approve"
    );
}

#[tokio::test]
async fn a_screenshot_shows_the_whole_page_of_a_phone_in_light_and_dark() {
    let (url, _) = server().await;
    for (dark, background) in [(false, [255, 255, 255]), (true, [0x20, 0x10, 0x28])] {
        let page = page(Options {
            width: 360,
            height: 640,
            dark,
            phone: true,
            ..Options::default()
        })
        .await;
        page.open(&url).await.unwrap();
        assert_eq!(page.eval("innerWidth").await.unwrap(), 360);
        let png = page.screenshot().await.unwrap();
        let shot = image::load_from_memory(&png).unwrap().into_rgb8();
        assert_eq!(shot.width(), 360);
        assert!(shot.height() > 1500, "{}", shot.height());
        assert_eq!(shot.get_pixel(0, 0).0, background);
        // The link is below the window.
        page.follow("#end").await.unwrap();
        assert_eq!(page.text().await.unwrap(), "This is the end.");
    }
}

/// The next document can be there before the click is answered.
#[tokio::test]
async fn following_a_link_never_shows_the_document_that_was_left() {
    let (url, _) = server().await;
    let page = page(Options::default()).await;
    for _ in 0..20 {
        page.open(&url).await.unwrap();
        page.follow("#end").await.unwrap();
        assert_eq!(page.text().await.unwrap(), "This is the end.");
    }
}

#[tokio::test]
async fn an_element_is_clicked_once_it_is_enabled_and_not_covered() {
    let (url, _) = server().await;
    let page = page(Options::default()).await;
    page.open(&format!("{url}/later")).await.unwrap();
    page.wait_until("document.body.innerText.includes('Now.')")
        .await
        .unwrap();
    page.follow("button").await.unwrap();
    assert_eq!(page.text().await.unwrap(), "This is the end.");
}

#[tokio::test]
async fn a_page_reports_exceptions_and_missing_files_and_shares_no_cookies() {
    let (url, _) = server().await;
    let pages = [
        page(Options::default()).await,
        page(Options::default()).await,
    ];
    for page in &pages {
        page.open(&format!("{url}/broken")).await.unwrap();
        assert_eq!(page.eval("document.cookie").await.unwrap(), "");
        page.eval("document.cookie = 'a=b'").await.unwrap();
        let mut complaints = page.complaints();
        complaints.sort();
        let missing =
            "Failed to load resource: the server responded with a status of 404 (Not Found)";
        assert_eq!(
            complaints,
            [
                format!("{missing} ({url}/nowhere.png)"),
                "ReferenceError: nothing is not defined".to_owned(),
            ]
        );
    }
    let error = pages[0].wait_until("null.a").await.unwrap_err();
    assert_eq!(
        format!("{error:#}"),
        "waiting for null.a: TypeError: Cannot read properties of null (reading 'a')"
    );
}

#[tokio::test]
async fn no_connection_leaves_the_machine() {
    let page = page(Options::default()).await;
    for url in ["http://example.com/", "http://192.0.2.1/"] {
        let error = format!("{:#}", page.open(url).await.unwrap_err());
        let expected = format!("opening {url}: {url}: net::ERR_NAME_NOT_RESOLVED");
        assert_eq!(error, expected);
    }
}

#[tokio::test]
async fn a_browser_ends_with_a_killed_test() {
    // The test starts itself as the process to kill.
    if std::env::var_os(KILLED).is_some() {
        return stay_up().await;
    }
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            "a_browser_ends_with_a_killed_test",
        ])
        .env(KILLED, "yes")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(test.stdout.take().unwrap());
    let files = output
        .lines()
        .map(Result::unwrap)
        .find_map(|line| Some(PathBuf::from(line.split_once("running in ")?.1)))
        .unwrap();
    assert!(files.is_dir());
    assert!(processes(&files) > 1);
    test.kill().unwrap();
    test.wait().unwrap();
    let ended = async {
        while files.exists() || processes(&files) > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_mins(5), ended).await;
    assert!(ended.is_ok(), "{} is still there", files.display());
}

/// Set in the process that is killed.
const KILLED: &str = "BROWSER_TEST_KILLED";

/// Keeps a page busy until the process is killed.
#[expect(clippy::print_stdout, reason = "the test reads it")]
async fn stay_up() {
    let browser = Browser::shared().await;
    let page = browser.page(&Options::default()).await.unwrap();
    println!("running in {}", browser.files().display());
    page.eval("while (true) {}").await.unwrap();
}

/// How many processes have this folder in their command line or environment.
fn processes(folder: &Path) -> usize {
    let folder = folder.to_str().unwrap();
    let names_folder = |entry: std::io::Result<std::fs::DirEntry>| {
        let process = entry.ok()?.path();
        let line = std::fs::read(process.join("cmdline")).ok()?;
        let environment = std::fs::read(process.join("environ")).unwrap_or_default();
        let text = String::from_utf8_lossy(&[line, environment].concat()).into_owned();
        text.contains(folder).then_some(())
    };
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(names_folder)
        .count()
}
