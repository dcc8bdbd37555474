//! Pages of a real server, driven as a person would.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
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
<html lang="en-GB"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Approve a post</title>
<style>
  :root { color-scheme: light dark; font: 20px sans-serif; background: #fff; color: #111 }
  @media (prefers-color-scheme: dark) { :root { background: #201028; color: #fc8 } }
  .wide { display: none } @media (min-width: 700px) { .wide { display: block } }
  :focus-visible { outline: 4px solid #f60 }
  textarea, input, button, select { font: inherit; max-width: 100%; box-sizing: border-box }
</style>
<h1>Spooky 🎃 approval</h1>
<p class="wide">Only on a wide window.</p>
<p>“Bats” cost £3 – or 4 € ✓ → 👻 🧙‍♀️ 🏴‍☠️ 🇬🇧</p>
<p style="font-family: serif">In serif.</p><p style="font-family: monospace">In monospace: 0O 1l.</p>
<noscript><p>No scripts here.</p></noscript>
<p id="script"></p>
<form method="post" action="/decide">
  <p><label>Name <input name="name" value="nobody"></label></p>
  <p><label>Note <textarea name="note"></textarea></label></p>
  <p><label>Day <input type="date" name="day"></label></p>
  <p><label>Slot <select name="slot"><option value="1">first</option><option value="2">second</option></select></label></p>
  <p><label><input type="checkbox" name="sure" value="yes"> I am sure</label></p>
  <button name="decision" value="approve">Approve</button>
  <button name="decision" value="reject">Reject</button>
</form>
<div style="height: 1500px"></div>
<p><a id="end" href="/end">To the end</a></p>
<script>document.getElementById("script").textContent = "Scripts run.";</script>"#;

type Forms = Arc<Mutex<Vec<Vec<(String, String)>>>>;

/// A server that shows the form and keeps what is posted.
async fn server() -> (String, Forms) {
    let forms = Forms::default();
    let decide = async |State(forms): State<Forms>, Form(form): Form<Vec<(String, String)>>| {
        let rejected = form.iter().any(|(_, value)| value == "reject");
        forms.lock().unwrap().push(form);
        if rejected {
            return Err((
                StatusCode::UNPROCESSABLE_ENTITY,
                Html("<p>Say why you reject it."),
            ));
        }
        Ok(Redirect::to("/end"))
    };
    let router = Router::new()
        .route("/", get(async || Html(FORM)))
        .route("/decide", post(decide))
        .route("/end", get(async || Html("<title>End</title><p>This is the end.")))
        .route("/empty", get(async || StatusCode::FORBIDDEN))
        .route("/slow", get(async || {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Html("<p>Slow.")
        }))
        .route("/never", get(async || {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }))
        .route("/old", get(async || Html(
            "<p>Made for no phone.<div style='width:2000px;height:5000px'></div><a href=/end style='margin-left:1900px'>end</a>",
        )))
        .route("/dialogs", get(async || Html(
            "<button onclick='this.textContent = confirm(\"Sure?\")'>ask</button><script>onbeforeunload = () => 'stay'</script>",
        )))
        .route("/broken", get(async || Html(
            "<img src=/nowhere.png><script>console.error('oh', {a: 1}, 2); nothing()</script>",
        )))
        .route("/later", get(async || Html(
            "<button disabled>Go</button><script>setTimeout(() => { document.body.append('Now.'); \
             document.querySelector('button').disabled = false }, 300)</script><div hidden>Never</div>\
             <p id=under>Under<p id=over style='position:fixed;inset:0;background:#fff8'>Over",
        )))
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

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[tokio::test]
async fn a_page_is_opened_and_a_form_is_filled_and_sent() {
    let (url, forms) = server().await;
    let page = page(Options::default()).await;
    page.open(&url).await.unwrap();
    assert_eq!(page.url(), format!("{url}/"));
    assert_eq!(page.status(), Some(200));
    let text = page.text().await.unwrap();
    assert!(text.contains("Scripts run."), "{text}");
    assert!(text.contains("Only on a wide window."), "{text}");
    assert!(!text.contains("No scripts here."), "{text}");
    assert!(page.html().await.unwrap().contains("<noscript>"));
    assert_eq!(
        page.eval("({title: document.title})").await.unwrap()["title"],
        "Approve a post"
    );
    assert_eq!(page.eval("new Date(0).getHours()").await.unwrap(), 0);

    page.fill("input[name=name]", "Zoë 🦇").await.unwrap();
    page.fill("textarea", "two\nlines").await.unwrap();
    page.fill("input[type=date]", "2026-10-31").await.unwrap();
    page.fill("select", "second").await.unwrap();
    page.click("input[type=checkbox]").await.unwrap();
    page.follow("button[value=approve]").await.unwrap();
    assert_eq!(page.url(), format!("{url}/end"));
    assert_eq!(page.status(), Some(200));
    assert_eq!(page.text().await.unwrap(), "This is the end.");
    assert_eq!(
        *forms.lock().unwrap(),
        [[
            pair("name", "Zoë 🦇"),
            pair("note", "two\r\nlines"),
            pair("day", "2026-10-31"),
            pair("slot", "2"),
            pair("sure", "yes"),
            pair("decision", "approve"),
        ]]
    );
    assert_eq!(page.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn a_form_is_sent_by_keyboard_alone() {
    let (url, forms) = server().await;
    let page = page(Options::default()).await;
    page.open(&url).await.unwrap();
    let focused = async || {
        page.eval(
            "document.activeElement.name + ' ' + document.activeElement.matches(':focus-visible')",
        )
        .await
        .unwrap()
    };
    page.press("Tab").await.unwrap();
    assert_eq!(focused().await, "name true");
    // Tab selects what is there.
    page.type_text("Bat Man, 2").await.unwrap();
    page.press("Tab").await.unwrap();
    page.type_text("a\nb 🎃").await.unwrap();
    page.press("Shift+Tab").await.unwrap();
    assert_eq!(focused().await, "name true");
    // The textarea, day, month, year and its button, the slot.
    for _ in 0..6 {
        page.press("Tab").await.unwrap();
    }
    assert_eq!(focused().await, "slot true");
    page.press("ArrowDown").await.unwrap();
    page.press("Tab").await.unwrap();
    assert_eq!(focused().await, "sure true");
    page.press("Space").await.unwrap();
    page.press("Tab").await.unwrap();
    let arrived = page.navigation();
    page.press("Enter").await.unwrap();
    arrived.await.unwrap();
    assert_eq!(page.url(), format!("{url}/end"));
    assert_eq!(
        *forms.lock().unwrap(),
        [[
            pair("name", "Bat Man, 2"),
            pair("note", "a\r\nb 🎃"),
            pair("day", ""),
            pair("slot", "2"),
            pair("sure", "yes"),
            pair("decision", "approve"),
        ]]
    );
}

#[tokio::test]
async fn without_scripts_a_form_is_still_sent() {
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
    page.fill("input[name=name]", "").await.unwrap();
    page.fill("textarea", "because").await.unwrap();
    page.follow("button[value=reject]").await.unwrap();
    assert_eq!(page.url(), format!("{url}/decide"));
    assert_eq!(page.status(), Some(422));
    assert_eq!(page.text().await.unwrap(), "Say why you reject it.");
    assert!(forms.lock().unwrap()[0].contains(&pair("note", "because")));
    assert!(forms.lock().unwrap()[0].contains(&pair("name", "")));
}

#[tokio::test]
async fn a_window_is_as_wide_as_asked_and_a_screenshot_shows_the_whole_page() {
    let (url, _) = server().await;
    let mut shots = Vec::new();
    for dark in [false, true] {
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
        assert_eq!(
            page.eval("document.documentElement.scrollWidth")
                .await
                .unwrap(),
            360
        );
        assert!(!page.text().await.unwrap().contains("wide window"));
        let png = page.screenshot().await.unwrap();
        keep(if dark { "phone-dark" } else { "phone" }, &png);
        shots.push(image::load_from_memory(&png).unwrap().into_rgb8());
        // What is below the window is clicked on all the same.
        page.follow("#end").await.unwrap();
        assert_eq!(page.url(), format!("{url}/end"));
    }
    for shot in &shots {
        assert_eq!(shot.width(), 360);
        assert!(shot.height() > 2000, "{}", shot.height());
    }
    assert_eq!(shots[0].get_pixel(0, 0).0, [255, 255, 255]);
    assert_eq!(shots[1].get_pixel(0, 0).0, [0x20, 0x10, 0x28]);
    // Emoji are there and in colour: the pumpkin of the heading.
    let orange = shots[0]
        .pixels()
        .filter(|pixel| pixel.0[0] > 200 && pixel.0[1].abs_diff(140) < 40 && pixel.0[2] < 60);
    assert!(orange.count() > 50 || !Browser::shared().await.brings_fonts());
}

#[tokio::test]
async fn a_phone_shows_a_page_that_is_made_for_none_as_phones_do() {
    let (url, _) = server().await;
    let page = page(Options {
        width: 360,
        height: 640,
        phone: true,
        ..Options::default()
    })
    .await;
    page.open(&format!("{url}/old")).await.unwrap();
    assert_eq!(
        page.eval("document.documentElement.clientWidth")
            .await
            .unwrap(),
        980
    );
    page.follow("a").await.unwrap();
    assert_eq!(page.url(), format!("{url}/end"));
}

#[tokio::test]
async fn pages_do_not_share_cookies() {
    let (url, _) = server().await;
    let (one, other) = (
        page(Options::default()).await,
        page(Options::default()).await,
    );
    one.open(&url).await.unwrap();
    one.eval("document.cookie = 'a=b'").await.unwrap();
    assert_eq!(one.eval("document.cookie").await.unwrap(), "a=b");
    other.open(&url).await.unwrap();
    assert_eq!(other.eval("document.cookie").await.unwrap(), "");
}

#[tokio::test]
async fn statuses_places_and_slow_answers_are_told_apart() {
    let (url, _) = server().await;
    let page = page(Options::default()).await;
    page.open(&format!("{url}/empty")).await.unwrap();
    assert_eq!(page.status(), Some(403));
    assert_eq!(page.url(), format!("{url}/empty"));
    page.open(&format!("{url}/missing")).await.unwrap();
    assert_eq!(page.status(), Some(404));
    page.open(&url).await.unwrap();
    page.open(&format!("{url}/#script")).await.unwrap();
    assert_eq!(page.url(), format!("{url}/#script"));
    let arrived = page.navigation();
    page.eval("document.querySelector('#end').href = '/slow'")
        .await
        .unwrap();
    page.click("#end").await.unwrap();
    arrived.await.unwrap();
    assert_eq!(page.text().await.unwrap(), "Slow.");
    let arrived = page.navigation();
    page.eval("history.back()").await.unwrap();
    arrived.await.unwrap();
    assert_eq!(page.url(), format!("{url}/#script"));
}

#[tokio::test]
async fn what_is_not_there_yet_is_waited_for() {
    let (url, _) = server().await;
    let page = page(Options::default()).await;
    page.open(&format!("{url}/later")).await.unwrap();
    page.eval("document.querySelector('#over').style.display = 'none'")
        .await
        .unwrap();
    page.click("button").await.unwrap();
    page.open(&format!("{url}/later")).await.unwrap();
    page.wait_for("button:enabled").await.unwrap();
    page.wait_until("document.body.innerText.includes('Now.')")
        .await
        .unwrap();
}

#[tokio::test]
async fn every_wait_ends_and_says_what_was_waited_for() {
    let (url, _) = server().await;
    let page = page(Options {
        timeout: Duration::from_secs(2),
        ..Options::default()
    })
    .await;
    let later = format!("{url}/later");
    page.open(&later).await.unwrap();
    let error = |result: anyhow::Result<()>| format!("{:#}", result.unwrap_err());
    let (waiting, many, hidden, covered, no_field, no_link, promise) = tokio::join!(
        page.wait_for("#nothing"),
        page.click("p"),
        page.click("div"),
        page.click("#under"),
        page.fill("#over", "a"),
        page.follow("#over"),
        page.eval("new Promise(() => {})"),
    );
    assert_eq!(
        error(waiting),
        format!("waiting for #nothing on {later}: there is none within 2s")
    );
    assert_eq!(
        error(many),
        format!("clicking on p on {later}: there are 2 of it within 2s")
    );
    assert_eq!(
        error(hidden),
        format!("clicking on div on {later}: it is not visible within 2s")
    );
    assert_eq!(
        error(covered),
        format!(
            "clicking on #under on {later}: it is covered by \
             <p id=\"over\" style=\"position:fixed;inset:0;background:#fff8\"></p> within 2s"
        )
    );
    assert_eq!(
        error(no_field),
        format!("filling #over on {later}: it is no field within 2s")
    );
    assert_eq!(
        error(no_link),
        format!("following #over: nothing led away from {later} within 2s")
    );
    assert_eq!(
        error(promise.map(drop)),
        "new Promise(() => {}): no answer within 2s"
    );

    let wrong = error(page.click("p[").await);
    assert!(wrong.starts_with("clicking on p[: SyntaxError"), "{wrong}");
    assert_eq!(
        error(page.eval("null.a").await.map(drop)),
        "null.a: TypeError: Cannot read properties of null (reading 'a')"
    );
    assert_eq!(error(page.press("Any").await), "no key is called Any");
    assert_eq!(
        error(page.open(&format!("{url}/never")).await),
        format!("opening {url}/never: no answer within 2s")
    );
}

#[tokio::test]
async fn no_connection_leaves_the_machine() {
    let page = page(Options::default()).await;
    for url in [
        "http://example.com/",
        "http://192.0.2.1/",
        "http://[2001:db8::1]/",
    ] {
        let error = format!("{:#}", page.open(url).await.unwrap_err());
        let expected = format!("opening {url}: {url}: net::ERR_NAME_NOT_RESOLVED");
        assert_eq!(error, expected);
    }
    let (url, _) = server().await;
    page.open(&url).await.unwrap();
    page.eval("document.querySelector('#end').href = 'http://example.com/'")
        .await
        .unwrap();
    let error = format!("{:#}", page.follow("#end").await.unwrap_err());
    assert_eq!(
        error,
        "following #end: http://example.com/: net::ERR_NAME_NOT_RESOLVED"
    );
}

#[tokio::test]
async fn dialogs_do_not_stop_a_page() {
    let (url, _) = server().await;
    let page = page(Options::default()).await;
    page.open(&format!("{url}/dialogs")).await.unwrap();
    page.click("button").await.unwrap();
    assert_eq!(page.text().await.unwrap(), "false");
    page.open(&url).await.unwrap();
}

#[tokio::test]
async fn a_page_complains() {
    let (url, _) = server().await;
    let page = page(Options::default()).await;
    page.open(&format!("{url}/broken")).await.unwrap();
    let mut complaints = page.complaints();
    complaints.sort();
    assert_eq!(
        complaints,
        [
            format!(
                "Failed to load resource: the server responded with a status of 404 (Not Found) ({url}/nowhere.png)"
            ),
            "ReferenceError: nothing is not defined".to_owned(),
            "oh Object 2".to_owned(),
        ]
    );
}

/// A click is waited for even where the next document is there at once.
#[tokio::test]
async fn following_is_reliable() {
    let (url, _) = server().await;
    let page = page(Options::default()).await;
    for _ in 0..20 {
        page.open(&url).await.unwrap();
        page.follow("#end").await.unwrap();
        assert_eq!(page.text().await.unwrap(), "This is the end.");
    }
}

#[tokio::test]
async fn a_dropped_browser_leaves_nothing_behind() {
    let browser = Browser::start().await.unwrap();
    assert!(
        browser.version().contains("Chrome"),
        "{}",
        browser.version()
    );
    let directory = browser.directory().to_owned();
    let page = browser.page(&Options::default()).await.unwrap();
    page.open("data:text/html,<p>hello").await.unwrap();
    assert!(directory.is_dir());
    assert!(processes(&directory) > 1);
    drop(browser);
    assert!(!directory.exists());
    assert_eq!(processes(&directory), 0);
    let error = format!("{:#}", page.text().await.unwrap_err());
    assert!(error.contains(": Chromium has ended"), "{error}");
}

#[tokio::test]
async fn a_browser_ends_with_a_killed_test() {
    // This test again, as the one that is killed.
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
    let said = BufReader::new(test.stdout.take().unwrap());
    let directory = said
        .lines()
        .map(Result::unwrap)
        .find_map(|line| Some(PathBuf::from(line.split_once("running in ")?.1)))
        .unwrap();
    assert!(directory.is_dir());
    assert!(processes(&directory) > 1);
    test.kill().unwrap();
    test.wait().unwrap();
    let killed = Instant::now();
    while directory.exists() || processes(&directory) > 0 {
        assert!(
            killed.elapsed() < Duration::from_secs(10),
            "{} is still there",
            directory.display()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Set in the process that is killed.
const KILLED: &str = "BROWSER_TEST_KILLED";

/// What is killed, while its page is busy.
#[expect(clippy::print_stdout, reason = "the test reads it")]
async fn stay_up() {
    let browser = Browser::start().await.unwrap();
    let page = browser.page(&Options::default()).await.unwrap();
    println!("running in {}", browser.directory().display());
    page.eval("while (true) {}").await.unwrap();
}

/// How many processes were started with this folder.
fn processes(directory: &Path) -> usize {
    let directory = directory.to_str().unwrap();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let entry = entry.ok()?.path();
            let line = fs::read(entry.join("cmdline")).ok()?;
            let environment = fs::read(entry.join("environ")).unwrap_or_default();
            let told = [line, environment].concat();
            String::from_utf8_lossy(&told)
                .contains(directory)
                .then_some(())
        })
        .count()
}

/// For whoever wants to look at it.
fn keep(name: &str, png: &[u8]) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(format!("{name}.png")), png).unwrap();
}
