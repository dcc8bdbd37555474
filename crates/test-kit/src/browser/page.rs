//! One page and what can be done with it.

use std::{
    collections::{HashMap, HashSet},
    fmt::{self, Display},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    connection::{Connection, text},
    key::Key,
};

/// How often a page is asked whether it is as it should be.
const INTERVAL: Duration = Duration::from_millis(25);

/// A function of a selector: a text tells why the element cannot be used yet.
/// It wants the one element, so that no test clicks on another than it means.
const ELEMENT: &str = r#"const found = document.querySelectorAll(selector);
if (found.length !== 1) return found.length ? `there are ${found.length} of it` : "there is none";
const element = found[0];
if (element.matches(":disabled")) return "it is disabled";
const box = [...element.getClientRects()].find((box) => box.width && box.height);
if (!box || !element.checkVisibility({visibilityProperty: true})) return "it is not visible";
"#;

/// Goes on to where to click. What is clicked is what is on top, as for a person.
const POINT: &str = r#"element.scrollIntoView({block: "center", inline: "center", behavior: "instant"});
const {left, top, width, height} = [...element.getClientRects()].find((box) => box.width && box.height);
const x = left + width / 2, y = top + height / 2;
const hit = document.elementFromPoint(x, y);
if (!hit) return "it is outside of the window";
if (!element.contains(hit) && hit.closest("label")?.control !== element) {
    return `it is covered by ${hit.cloneNode().outerHTML}`;
}
const {offsetLeft, offsetTop} = window.visualViewport;
return [x - offsetLeft, y - offsetTop];"#;

/// Goes on to a field that has the focus and whose content the next input replaces.
/// What has no text to replace is set as its own menu would.
const FIELD: &str = r#"const is = (...names) => names.includes(element.localName);
const set = () => {
    for (const event of ["input", "change"]) element.dispatchEvent(new Event(event, {bubbles: true}));
    return "set";
};
element.focus();
if (is("select")) {
    const option = [...element.options].find((option) => option.value === value || option.label === value);
    if (!option) return `it has no option ${value}`;
    option.selected = true;
    return set();
}
if (is("input") && ["color", "date", "datetime-local", "month", "range", "time", "week"].includes(element.type)) {
    element.value = value;
    return element.value === value ? set() : `it does not take ${value}`;
}
if (element.readOnly) return "it is read-only";
if (is("input", "textarea")) element.select();
else if (element.isContentEditable) getSelection().selectAllChildren(element);
else return "it is no field";
return null;"#;

/// How a page is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The width of the window in CSS pixels.
    pub width: u32,
    /// The height of the window in CSS pixels.
    pub height: u32,
    /// Whether scripts of the page run. Those of a test run always.
    pub javascript: bool,
    /// Whether dark colours are preferred.
    pub dark: bool,
    /// Whether this is a phone, which obeys `<meta name="viewport">` and is 980 pixels wide without.
    pub phone: bool,
    /// How long anything may take.
    pub timeout: Duration,
}

impl Default for Options {
    /// The window of a laptop, with scripts and in light colours.
    fn default() -> Options {
        Options {
            width: 1280,
            height: 800,
            javascript: true,
            dark: false,
            phone: false,
            timeout: Duration::from_secs(20),
        }
    }
}

/// What the events of a page tell.
#[derive(Debug, Default)]
pub(crate) struct State {
    frame: String,
    /// The document that is shown, by Chromium's number of the load that it came with.
    document: String,
    /// All that were shown.
    shown: HashSet<String>,
    url: String,
    /// Whether Chromium shows its own page because it could not load another.
    failed: bool,
    loaded: HashSet<String>,
    statuses: HashMap<String, u16>,
    failures: HashMap<String, String>,
    complaints: Vec<String>,
}

impl State {
    /// Whether the event is one that anybody waits for.
    pub(crate) fn apply(&mut self, method: &str, event: &Value) -> bool {
        let string = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match method {
            "Page.frameNavigated" if event["frame"]["id"] == self.frame => {
                let frame = &event["frame"];
                self.document = string(&frame["loaderId"]);
                self.shown.insert(self.document.clone());
                self.failed = frame["unreachableUrl"].is_string();
                self.url = if self.failed {
                    string(&frame["unreachableUrl"])
                } else {
                    string(&frame["url"]) + frame["urlFragment"].as_str().unwrap_or_default()
                };
            }
            "Page.navigatedWithinDocument" if event["frameId"] == self.frame => {
                self.url = string(&event["url"]);
            }
            "Page.lifecycleEvent" if event["frameId"] == self.frame && event["name"] == "load" => {
                self.loaded.insert(string(&event["loaderId"]));
            }
            // The request of a document has the number of its load.
            "Network.responseReceived" if event["requestId"] == event["loaderId"] => {
                let status = event["response"]["status"].as_u64();
                if let Some(status) = status.and_then(|status| u16::try_from(status).ok()) {
                    self.statuses.insert(string(&event["loaderId"]), status);
                }
            }
            "Network.loadingFailed" if event["type"] == "Document" => {
                let failure = string(&event["errorText"]);
                self.failures.insert(string(&event["requestId"]), failure);
            }
            "Runtime.exceptionThrown" => {
                self.complaints.push(thrown(&event["exceptionDetails"]));
            }
            "Runtime.consoleAPICalled" if event["type"] == "error" => {
                let said = event["args"].as_array().into_iter().flatten();
                let said = said.map(|value| match value.get("value") {
                    Some(Value::String(text)) => text.clone(),
                    Some(value) => value.to_string(),
                    None => string(&value["description"]),
                });
                self.complaints.push(said.collect::<Vec<_>>().join(" "));
            }
            "Log.entryAdded" if event["entry"]["level"] == "error" => {
                let (said, url) = (
                    string(&event["entry"]["text"]),
                    string(&event["entry"]["url"]),
                );
                // Only some kinds of Chromium ask for it, and no page does.
                if !url.ends_with("/favicon.ico") {
                    self.complaints.push(format!("{said} ({url})"));
                }
            }
            _ => return false,
        }
        true
    }

    fn status(&self) -> Option<u16> {
        self.statuses.get(&self.document).copied()
    }

    fn is_loaded(&self) -> bool {
        self.loaded.contains(&self.document)
    }
}

/// A page of a browser. It is closed when this is dropped.
///
/// Dialogs are dismissed, and a new window that a page opens is not followed.
#[derive(Debug)]
pub struct Page {
    connection: Arc<Connection>,
    context: String,
    session: String,
    state: watch::Receiver<State>,
    timeout: Duration,
}

/// What an attempt came to.
enum Attempt<T> {
    Done(T),
    NotYet(String),
    Never(anyhow::Error),
}

impl Page {
    pub(crate) async fn new(
        connection: Arc<Connection>,
        options: &Options,
    ) -> anyhow::Result<Page> {
        let call = async |method, parameters| {
            connection
                .call(None, method, parameters, options.timeout)
                .await
        };
        let context = call("Target.createBrowserContext", json!({})).await?;
        let context = text(&context, "browserContextId")?;
        let (sender, state) = watch::channel(State::default());
        // From here on the context is closed whatever happens.
        let mut page = Page {
            connection: connection.clone(),
            context,
            session: String::new(),
            state,
            timeout: options.timeout,
        };
        let target = call(
            "Target.createTarget",
            json!({"url": "about:blank", "browserContextId": page.context}),
        )
        .await?;
        let target = text(&target, "targetId")?;
        let session = call(
            "Target.attachToTarget",
            json!({"targetId": target, "flatten": true}),
        )
        .await?;
        page.session = text(&session, "sessionId")?;
        // The main frame of a page has the same number.
        sender.send_modify(|state| state.frame = target);
        connection.follow(&page.session, sender);

        for domain in ["Page", "Network", "Runtime", "Log"] {
            page.call(&format!("{domain}.enable"), json!({})).await?;
        }
        page.call("Page.setLifecycleEventsEnabled", json!({"enabled": true}))
            .await?;
        page.call(
            "Emulation.setDeviceMetricsOverride",
            json!({
                "width": options.width,
                "height": options.height,
                "deviceScaleFactor": 1,
                "mobile": options.phone,
            }),
        )
        .await?;
        page.call(
            "Emulation.setScriptExecutionDisabled",
            json!({"value": !options.javascript}),
        )
        .await?;
        let scheme = if options.dark { "dark" } else { "light" };
        page.call(
            "Emulation.setEmulatedMedia",
            json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]}),
        )
        .await?;
        // Pages side by side have the keyboard each.
        page.call(
            "Emulation.setFocusEmulationEnabled",
            json!({"enabled": true}),
        )
        .await?;
        Ok(page)
    }

    /// Opens an address and waits until it is loaded. An answer like 404 is no error, see [`status`](Page::status).
    pub async fn open(&self, url: &str) -> anyhow::Result<()> {
        let doing = || format!("opening {url}");
        let answer = self.call("Page.navigate", json!({"url": url})).await;
        let answer = answer.with_context(doing)?;
        if answer["errorText"] == "net::ERR_ABORTED" {
            bail!(
                "{}: it is no page, or another was opened meanwhile",
                doing()
            );
        }
        let Some(load) = answer["loaderId"].as_str() else {
            // Another place of the same document, which tells of it before it answers anything else.
            self.eval("null").await.with_context(doing)?;
            return Ok(());
        };
        // A script may have led on to yet another.
        self.arrival(|state| state.shown.contains(load))
            .await
            .with_context(doing)
    }

    /// Waits for the next document, which is the one after that of the moment of this call, until it is loaded.
    ///
    /// Called before what leads there and awaited after it, it misses nothing:
    ///
    /// ```no_run
    /// # async fn example(page: test_kit::browser::Page) -> anyhow::Result<()> {
    /// let arrived = page.navigation();
    /// page.press("Enter").await?;
    /// arrived.await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn navigation(&self) -> impl Future<Output = anyhow::Result<()>> {
        let left = self.state.borrow().document.clone();
        self.arrival(move |state| state.document != left)
    }

    /// Waits until what is shown is another document, and loaded.
    async fn arrival(&self, other: impl Fn(&State) -> bool) -> anyhow::Result<()> {
        let mut state = self.state.clone();
        let next = state.wait_for(|state| other(state) && state.is_loaded());
        let Ok(next) = timeout(self.timeout, next).await else {
            let state = self.state.borrow();
            if other(&state) {
                bail!("{} was not loaded {}", state.url, self.late());
            }
            bail!("nothing led away from {} {}", state.url, self.late());
        };
        let state = next.context("Chromium has ended")?;
        // An answer without a body that is an error by its status is shown as a failure too.
        if state.failed && state.status().is_none() {
            let failure = state.failures.get(&state.document);
            let failure = failure.map_or("it cannot be reached", String::as_str);
            bail!("{}: {failure}", state.url);
        }
        Ok(())
    }

    /// The address of the document that is shown.
    pub fn url(&self) -> String {
        self.state.borrow().url.clone()
    }

    /// The HTTP status that the document came with.
    pub fn status(&self) -> Option<u16> {
        self.state.borrow().status()
    }

    /// The errors since the page was opened: exceptions, errors on the console, what was blocked or not found.
    pub fn complaints(&self) -> Vec<String> {
        self.state.borrow().complaints.clone()
    }

    /// The text that can be seen.
    pub async fn text(&self) -> anyhow::Result<String> {
        self.string("document.body?.innerText ?? ''").await
    }

    /// The document as it is now.
    pub async fn html(&self) -> anyhow::Result<String> {
        self.string("document.documentElement.outerHTML").await
    }

    /// The value of an expression, or of the promise that it gives, as JSON; `null` where it led to another document.
    pub async fn eval(&self, expression: &str) -> anyhow::Result<Value> {
        let result = match self.evaluate(expression).await {
            Err(error) if led_away(&error) => Ok(Ok(Value::Null)),
            result => result,
        };
        result
            .and_then(|result| result.map_err(anyhow::Error::msg))
            .with_context(|| expression.to_owned())
    }

    /// Waits until there is an element.
    pub async fn wait_for(&self, selector: &str) -> anyhow::Result<()> {
        let there = format!("document.querySelector({}) !== null", json!(selector));
        self.until(&format_args!("waiting for {selector}"), &there, |value| {
            (value == true)
                .then_some(())
                .ok_or_else(|| "there is none".to_owned())
        })
        .await
    }

    /// Waits until an expression is `true`.
    pub async fn wait_until(&self, expression: &str) -> anyhow::Result<()> {
        self.until(
            &format_args!("waiting for {expression}"),
            expression,
            |value| {
                (value == true)
                    .then_some(())
                    .ok_or_else(|| format!("it is {value}"))
            },
        )
        .await
    }

    /// Replaces what is in a field; of a `<select>`, chooses the option with that value or label.
    pub async fn fill(&self, selector: &str, value: &str) -> anyhow::Result<()> {
        let doing = format_args!("filling {selector}");
        let script = format!(
            "((selector, value) => {{{ELEMENT}{FIELD}}})({}, {})",
            json!(selector),
            json!(value)
        );
        let set = self
            .until(&doing, &script, |answer| match answer {
                Value::Null => Ok(false),
                answer if answer == "set" => Ok(true),
                answer => Err(reason(&answer)),
            })
            .await?;
        if set {
            return Ok(());
        }
        if value.is_empty() {
            return self.press("Delete").await;
        }
        let inserted = self.insert(value).await;
        inserted.with_context(|| doing.to_string())
    }

    /// Clicks on an element with the mouse, as soon as it is there, enabled, visible and not covered.
    pub async fn click(&self, selector: &str) -> anyhow::Result<()> {
        let doing = format_args!("clicking on {selector}");
        let script = format!("(selector => {{{ELEMENT}{POINT}}})({})", json!(selector));
        let (x, y) = self
            .until(&doing, &script, |answer| {
                match (answer[0].as_f64(), answer[1].as_f64()) {
                    (Some(x), Some(y)) => Ok((x, y)),
                    _ => Err(reason(&answer)),
                }
            })
            .await?;
        for (kind, button, buttons) in [
            ("mouseMoved", "none", 0),
            ("mousePressed", "left", 1),
            ("mouseReleased", "left", 0),
        ] {
            let event = json!({
                "type": kind, "x": x, "y": y,
                "button": button, "buttons": buttons, "clickCount": i32::from(kind != "mouseMoved"),
            });
            self.act("Input.dispatchMouseEvent", event)
                .await
                .with_context(|| doing.to_string())?;
        }
        Ok(())
    }

    /// Clicks on what leads to another document, and waits until that is loaded.
    pub async fn follow(&self, selector: &str) -> anyhow::Result<()> {
        let arrived = self.navigation();
        self.click(selector).await?;
        arrived
            .await
            .with_context(|| format!("following {selector}"))
    }

    /// Presses a key: `Tab`, `Shift+Tab`, `Enter`, `Space`, `Escape`, `ArrowDown`, `a` and so on.
    pub async fn press(&self, key: &str) -> anyhow::Result<()> {
        let strokes = self.strike(&Key::named(key)?).await;
        strokes.with_context(|| format!("pressing {key}"))
    }

    /// Types a text into what has the focus, key by key.
    pub async fn type_text(&self, text: &str) -> anyhow::Result<()> {
        let typing = async {
            for character in text.chars() {
                match Key::of(character) {
                    Some(key) => self.strike(&key).await?,
                    // No key, but what an input method would write.
                    None => self.insert(&character.to_string()).await?,
                }
            }
            anyhow::Ok(())
        };
        typing.await.with_context(|| format!("typing {text}"))
    }

    /// A picture of the whole page as PNG, also of what is below or beside the window.
    pub async fn screenshot(&self) -> anyhow::Result<Vec<u8>> {
        let shot = async {
            let metrics = self.call("Page.getLayoutMetrics", json!({})).await?;
            let size = &metrics["cssContentSize"];
            let parameters = json!({
                "format": "png",
                "captureBeyondViewport": true,
                "clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1},
            });
            let answer = self.call("Page.captureScreenshot", parameters).await?;
            anyhow::Ok(BASE64_STANDARD.decode(text(&answer, "data")?)?)
        };
        shot.await
            .with_context(|| format!("a screenshot of {}", self.url()))
    }

    async fn insert(&self, text: &str) -> anyhow::Result<()> {
        self.act("Input.insertText", json!({"text": text})).await
    }

    async fn strike(&self, key: &Key) -> anyhow::Result<()> {
        for event in key.events() {
            self.act("Input.dispatchKeyEvent", event).await?;
        }
        Ok(())
    }

    /// Calls what may lead to another document, which can be quicker than the answer.
    async fn act(&self, method: &str, parameters: Value) -> anyhow::Result<()> {
        match self.call(method, parameters).await {
            Err(error) if !led_away(&error) => Err(error),
            _ => Ok(()),
        }
    }

    async fn string(&self, expression: &str) -> anyhow::Result<String> {
        match self.eval(expression).await? {
            Value::String(text) => Ok(text),
            value => bail!("{expression} is {value}"),
        }
    }

    /// Evaluates again and again until the answer is accepted, also while documents come and go.
    async fn until<T>(
        &self,
        doing: &impl Display,
        expression: &str,
        accept: impl Fn(Value) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        let attempt = async || match self.evaluate(expression).await {
            Ok(Ok(value)) => match accept(value) {
                Ok(accepted) => Attempt::Done(accepted),
                Err(reason) => Attempt::NotYet(reason),
            },
            Ok(Err(thrown)) => Attempt::Never(anyhow!(thrown)),
            Err(error) if self.connection.is_closed() => Attempt::Never(error),
            Err(error) => Attempt::NotYet(format!("{error:#}")),
        };
        let mut last = "the page did not answer".to_owned();
        let attempts = async {
            loop {
                match attempt().await {
                    Attempt::Done(value) => return Ok(value),
                    Attempt::NotYet(reason) => last = reason,
                    Attempt::Never(error) => return Err(error),
                }
                sleep(INTERVAL).await;
            }
        };
        let result = timeout(self.timeout, attempts).await;
        match result {
            Ok(result) => result.with_context(|| doing.to_string()),
            Err(_) => bail!("{doing} on {}: {last} {}", self.url(), self.late()),
        }
    }

    /// The value, or what was thrown.
    async fn evaluate(&self, expression: &str) -> anyhow::Result<Result<Value, String>> {
        let mut answer = self
            .call(
                "Runtime.evaluate",
                json!({"expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true}),
            )
            .await?;
        Ok(match answer.get("exceptionDetails") {
            Some(details) => Err(thrown(details)),
            None => Ok(answer["result"]["value"].take()),
        })
    }

    async fn call(&self, method: &str, parameters: Value) -> anyhow::Result<Value> {
        self.connection
            .call(Some(&self.session), method, parameters, self.timeout)
            .await
    }

    fn late(&self) -> impl Display {
        let timeout = self.timeout;
        fmt::from_fn(move |to| write!(to, "within {timeout:?}"))
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.connection.forget(&self.session);
        self.connection.tell(
            None,
            "Target.disposeBrowserContext",
            json!({"browserContextId": self.context}),
        );
    }
}

/// Whether a call has no answer because its document is no longer there.
fn led_away(error: &anyhow::Error) -> bool {
    let error = error.to_string();
    error.ends_with("Inspected target navigated or closed")
        || error.ends_with("Execution context was destroyed.")
}

/// Why an element cannot be used, as its script tells.
fn reason(answer: &Value) -> String {
    match answer {
        Value::String(reason) => reason.clone(),
        answer => answer.to_string(),
    }
}

/// What was thrown, in one line.
fn thrown(details: &Value) -> String {
    let exception = &details["exception"];
    let said = exception["description"]
        .as_str()
        .or(exception["value"].as_str())
        .or(details["text"].as_str())
        .unwrap_or_default();
    said.lines().next().unwrap_or_default().to_owned()
}
