//! What the events of a page report.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

#[derive(Debug, Default)]
pub(super) struct State {
    frame: String,
    /// The document that is shown, by Chromium's id of the load that brought it.
    pub(super) document: String,
    /// All documents that were shown.
    pub(super) shown: HashSet<String>,
    pub(super) url: String,
    pub(super) complaints: Vec<String>,
    /// Whether Chromium shows its own page because it could not load another.
    failed: bool,
    loaded: HashSet<String>,
    statuses: HashMap<String, u16>,
    failures: HashMap<String, String>,
}

impl State {
    pub(super) fn of(frame: String) -> State {
        State {
            frame,
            ..State::default()
        }
    }

    /// Whether the event changed anything.
    pub(super) fn apply(&mut self, method: &str, event: &Value) -> bool {
        match method {
            "Page.frameNavigated" if event["frame"]["id"] == self.frame => {
                let frame = &event["frame"];
                self.document = string(&frame["loaderId"]);
                self.shown.insert(self.document.clone());
                self.failed = frame["unreachableUrl"].is_string();
                let url = if self.failed { "unreachableUrl" } else { "url" };
                self.url = string(&frame[url]);
            }
            "Page.lifecycleEvent" if event["frameId"] == self.frame && event["name"] == "load" => {
                self.loaded.insert(string(&event["loaderId"]));
            }
            // The request of a document has the id of its load.
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
            _ => match complaint(method, event) {
                Some(complaint) => self.complaints.push(complaint),
                None => return false,
            },
        }
        true
    }

    pub(super) fn status(&self) -> Option<u16> {
        self.statuses.get(&self.document).copied()
    }

    pub(super) fn is_loaded(&self) -> bool {
        self.loaded.contains(&self.document)
    }

    /// Why the document could not be loaded.
    pub(super) fn failure(&self) -> Option<&str> {
        let failure = self.failures.get(&self.document);
        // Chromium shows a failure too for an error status without a body.
        (self.failed && self.status().is_none())
            .then(|| failure.map_or("it cannot be reached", String::as_str))
    }
}

/// The exception in one line.
pub(super) fn thrown(details: &Value) -> String {
    let exception = &details["exception"];
    let text = exception["description"]
        .as_str()
        .or(exception["value"].as_str())
        .or(details["text"].as_str())
        .unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

fn complaint(method: &str, event: &Value) -> Option<String> {
    match method {
        "Runtime.exceptionThrown" => Some(thrown(&event["exceptionDetails"])),
        "Log.entryAdded" if event["entry"]["level"] == "error" => {
            let (text, url) = (&event["entry"]["text"], string(&event["entry"]["url"]));
            // Only some builds of Chromium request it, and no page does.
            (!url.ends_with("/favicon.ico")).then(|| format!("{} ({url})", string(text)))
        }
        _ => None,
    }
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
