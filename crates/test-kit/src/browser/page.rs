//! One page and what a test does with it.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, anyhow, bail};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    LIMIT,
    connection::{Connection, text},
    key::Key,
    state::{State, thrown},
};

/// How often a page is asked whether a condition holds.
const INTERVAL: Duration = Duration::from_millis(25);

/// Finds the one element of a selector. A text explains why it cannot be used yet.
const ELEMENT: &str = r#"const found = document.querySelectorAll(selector);
if (found.length !== 1) return `there are ${found.length}`;
const element = found[0];
if (element.matches(":disabled")) return "it is disabled";
const box = [...element.getClientRects()].find((box) => box.width && box.height);
if (!box || !element.checkVisibility({visibilityProperty: true})) return "it is not visible";
"#;

/// Follows `ELEMENT` and returns where to click: on what is on top, as a person would.
const POINT: &str = r#"element.scrollIntoView({block: "center", inline: "center", behavior: "instant"});
const {left, top, width, height} = [...element.getClientRects()].find((box) => box.width && box.height);
const x = left + width / 2, y = top + height / 2;
const hit = document.elementFromPoint(x, y);
if (!hit) return "it is outside of the window";
if (!element.contains(hit)) return `it is covered by ${hit.cloneNode().outerHTML}`;
const {offsetLeft, offsetTop} = window.visualViewport;
return [x - offsetLeft, y - offsetTop];"#;

/// Follows `ELEMENT` and selects the content of a field, so that the next input replaces it.
const FIELD: &str = r#"if (!element.matches("input, textarea")) return "it is not a text field";
element.focus();
element.select();
return true;"#;

/// How a page is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The width of the window in CSS pixels.
    pub width: u32,
    /// The height of the window in CSS pixels.
    pub height: u32,
    /// Whether scripts of the page run. Those of a test always run.
    pub javascript: bool,
    /// Whether dark colors are preferred.
    pub dark: bool,
    /// Whether this is a phone, which obeys `<meta name="viewport">` and is 980 pixels wide without it.
    pub phone: bool,
}

impl Default for Options {
    /// The window of a laptop, with scripts and in light colors.
    fn default() -> Options {
        Options {
            width: 1280,
            height: 800,
            javascript: true,
            dark: false,
            phone: false,
        }
    }
}

/// A page of a browser, which is closed on drop.
#[derive(Debug)]
pub struct Page {
    connection: Arc<Connection>,
    context: String,
    session: String,
    state: watch::Receiver<State>,
}

impl Page {
    pub(super) async fn new(
        connection: Arc<Connection>,
        options: &Options,
    ) -> anyhow::Result<Page> {
        let call = async |method, parameters| connection.call(None, method, parameters).await;
        let context = call("Target.createBrowserContext", json!({})).await?;
        let context = text(&context, "browserContextId")?;
        let target = json!({"url": "about:blank", "browserContextId": context});
        let target = text(&call("Target.createTarget", target).await?, "targetId")?;
        let session = json!({"targetId": target, "flatten": true});
        let session = call("Target.attachToTarget", session).await?;
        let session = text(&session, "sessionId")?;
        // The main frame of a page has the id of the page.
        let (sender, state) = watch::channel(State::of(target));
        connection.follow(&session, sender);
        let page = Page {
            connection: connection.clone(),
            context,
            session,
            state,
        };
        page.enable_events().await?;
        page.emulate(options).await?;
        Ok(page)
    }

    async fn enable_events(&self) -> anyhow::Result<()> {
        for domain in ["Page", "Network", "Runtime", "Log"] {
            self.call(&format!("{domain}.enable"), json!({})).await?;
        }
        let enabled = json!({"enabled": true});
        self.call("Page.setLifecycleEventsEnabled", enabled).await?;
        Ok(())
    }

    async fn emulate(&self, options: &Options) -> anyhow::Result<()> {
        let window = json!({
            "width": options.width,
            "height": options.height,
            "deviceScaleFactor": 1,
            "mobile": options.phone,
        });
        let scheme = if options.dark { "dark" } else { "light" };
        let scheme = json!({"name": "prefers-color-scheme", "value": scheme});
        for (setting, parameters) in [
            ("setDeviceMetricsOverride", window),
            (
                "setScriptExecutionDisabled",
                json!({"value": !options.javascript}),
            ),
            ("setEmulatedMedia", json!({"features": [scheme]})),
            // Each of several pages has the keyboard.
            ("setFocusEmulationEnabled", json!({"enabled": true})),
        ] {
            self.call(&format!("Emulation.{setting}"), parameters)
                .await?;
        }
        Ok(())
    }

    /// Opens an address and waits until it is loaded. A status such as 404 is not an error, see
    /// [`status`](Page::status).
    pub async fn open(&self, url: &str) -> anyhow::Result<()> {
        let opening = async {
            let answer = self.call("Page.navigate", json!({"url": url})).await?;
            let load = text(&answer, "loaderId")?;
            // A script may have led to yet another document.
            self.arrival(|state| state.shown.contains(&load)).await
        };
        opening.await.with_context(|| format!("opening {url}"))
    }

    /// Waits until the next document is loaded, the one after that of the moment of this call.
    ///
    /// Called before the action that leads there and awaited after it, it misses no event:
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

    async fn arrival(&self, is_other: impl Fn(&State) -> bool) -> anyhow::Result<()> {
        let mut state = self.state.clone();
        let next = state.wait_for(|state| is_other(state) && state.is_loaded());
        let Ok(next) = timeout(LIMIT, next).await else {
            bail!("{}: no other document loaded within {LIMIT:?}", self.url());
        };
        let state = next.context("Chromium has ended")?;
        match state.failure() {
            Some(failure) => bail!("{}: {failure}", state.url),
            None => Ok(()),
        }
    }

    /// The HTTP status of the document.
    pub fn status(&self) -> Option<u16> {
        self.state.borrow().status()
    }

    /// The errors since the page was opened: exceptions, and what was blocked or not found.
    pub fn complaints(&self) -> Vec<String> {
        self.state.borrow().complaints.clone()
    }

    /// The visible text.
    pub async fn text(&self) -> anyhow::Result<String> {
        self.string("document.body?.innerText ?? ''").await
    }

    /// The document as it is now.
    pub async fn html(&self) -> anyhow::Result<String> {
        self.string("document.documentElement.outerHTML").await
    }

    /// The value of an expression as JSON.
    pub async fn eval(&self, expression: &str) -> anyhow::Result<Value> {
        self.evaluate(expression)
            .await
            .and_then(|result| result.map_err(anyhow::Error::msg))
            .with_context(|| expression.to_owned())
    }

    /// Waits until an expression is `true`.
    pub async fn wait_until(&self, expression: &str) -> anyhow::Result<()> {
        let doing = format!("waiting for {expression}");
        self.until(&doing, expression, |value| (value == true).then_some(()))
            .await
    }

    /// Replaces the content of a text field.
    pub async fn fill(&self, selector: &str, value: &str) -> anyhow::Result<()> {
        let doing = format!("filling {selector}");
        let script = on_element(selector, FIELD);
        self.until(&doing, &script, |value| (value == true).then_some(()))
            .await?;
        self.insert(value).await.context(doing)
    }

    /// Clicks on a link or a button and waits until the document that it leads to is loaded.
    pub async fn follow(&self, selector: &str) -> anyhow::Result<()> {
        let arrived = self.navigation();
        self.click(selector).await?;
        arrived
            .await
            .with_context(|| format!("following {selector}"))
    }

    /// Clicks with the mouse as soon as the element is there, enabled, visible and not covered.
    async fn click(&self, selector: &str) -> anyhow::Result<()> {
        let doing = format!("clicking {selector}");
        let script = on_element(selector, POINT);
        let point = |value: Value| Some((value[0].as_f64()?, value[1].as_f64()?));
        let (x, y) = self.until(&doing, &script, point).await?;
        for (kind, button, count) in [
            ("mouseMoved", "none", 0),
            ("mousePressed", "left", 1),
            ("mouseReleased", "left", 1),
        ] {
            let event =
                json!({"type": kind, "x": x, "y": y, "button": button, "clickCount": count});
            let event = self.act("Input.dispatchMouseEvent", event).await;
            event.with_context(|| doing.clone())?;
        }
        Ok(())
    }

    /// Presses `Tab` or `Enter`.
    pub async fn press(&self, name: &str) -> anyhow::Result<()> {
        let key = Key::named(name).with_context(|| format!("there is no key {name}"))?;
        let strokes = self.strike(&key).await;
        strokes.with_context(|| format!("pressing {name}"))
    }

    /// Types a text key by key into the element that has the focus.
    pub async fn type_text(&self, text: &str) -> anyhow::Result<()> {
        for character in text.chars() {
            let typed = match Key::of(character) {
                Some(key) => self.strike(&key).await,
                // As an input method does.
                None => self.insert(&character.to_string()).await,
            };
            typed.with_context(|| format!("typing {text}"))?;
        }
        Ok(())
    }

    /// A PNG of the whole page, including what is outside of the window.
    pub async fn screenshot(&self) -> anyhow::Result<Vec<u8>> {
        let metrics = self.call("Page.getLayoutMetrics", json!({})).await?;
        let (width, height) = (
            &metrics["cssContentSize"]["width"],
            &metrics["cssContentSize"]["height"],
        );
        let parameters = json!({
            "format": "png",
            "captureBeyondViewport": true,
            "clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1},
        });
        let answer = self.call("Page.captureScreenshot", parameters).await?;
        Ok(BASE64_STANDARD.decode(text(&answer, "data")?)?)
    }

    fn url(&self) -> String {
        self.state.borrow().url.clone()
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

    /// Calls a method that may lead to another document, which may replace this one before it answers.
    async fn act(&self, method: &str, parameters: Value) -> anyhow::Result<()> {
        match self.call(method, parameters).await {
            Err(error) if !is_left(&error) => Err(error),
            _ => Ok(()),
        }
    }

    async fn string(&self, expression: &str) -> anyhow::Result<String> {
        match self.eval(expression).await? {
            Value::String(text) => Ok(text),
            value => bail!("{expression} is {value}"),
        }
    }

    /// Evaluates until the value is accepted, also while documents come and go.
    async fn until<T>(
        &self,
        doing: &str,
        expression: &str,
        accept: impl Fn(Value) -> Option<T>,
    ) -> anyhow::Result<T> {
        let mut last = "no answer".to_owned();
        let attempts = async {
            loop {
                match self.evaluate(expression).await {
                    Ok(Ok(value)) => {
                        last = value.to_string();
                        if let Some(accepted) = accept(value) {
                            return Ok(accepted);
                        }
                    }
                    Ok(Err(thrown)) => return Err(anyhow!(thrown)),
                    Err(error) if self.connection.is_closed() => return Err(error),
                    Err(error) => last = format!("{error:#}"),
                }
                sleep(INTERVAL).await;
            }
        };
        match timeout(LIMIT, attempts).await {
            Ok(result) => result.with_context(|| doing.to_owned()),
            Err(_) => bail!("{doing} on {}: {last} for {LIMIT:?}", self.url()),
        }
    }

    /// The value, or the exception.
    async fn evaluate(&self, expression: &str) -> anyhow::Result<Result<Value, String>> {
        let parameters = json!({"expression": expression, "returnByValue": true});
        let mut answer = self.call("Runtime.evaluate", parameters).await?;
        Ok(match answer.get("exceptionDetails") {
            Some(details) => Err(thrown(details)),
            None => Ok(answer["result"]["value"].take()),
        })
    }

    async fn call(&self, method: &str, parameters: Value) -> anyhow::Result<Value> {
        let session = Some(self.session.as_str());
        self.connection.call(session, method, parameters).await
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.connection.forget(&self.session);
        let context = json!({"browserContextId": self.context});
        self.connection
            .notify("Target.disposeBrowserContext", context);
    }
}

/// A script that runs `then` with the element of a selector.
fn on_element(selector: &str, then: &str) -> String {
    format!("(selector => {{{ELEMENT}{then}}})({})", json!(selector))
}

/// Whether a call has no answer because its document is gone.
fn is_left(error: &anyhow::Error) -> bool {
    let error = error.to_string();
    error.ends_with("Inspected target navigated or closed")
        || error.ends_with("Execution context was destroyed.")
}
