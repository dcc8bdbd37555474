//! The DevTools protocol over a pipe: messages of JSON, each ended by a zero byte.
//!
//! Threads read and write, not tasks, so that tests with a runtime each can share a browser.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    process::{ChildStderr, ChildStdin, ChildStdout},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use super::page::State;

type Answer = Result<Value, String>;

/// The connection to a running Chromium.
#[derive(Debug)]
pub(crate) struct Connection {
    next: AtomicU64,
    outgoing: Mutex<Option<mpsc::Sender<Vec<u8>>>>,
    /// The calls that are not answered yet; nothing once Chromium has ended.
    calls: Mutex<Option<HashMap<u64, oneshot::Sender<Answer>>>>,
    /// The pages, by the session of each.
    pages: Mutex<HashMap<String, watch::Sender<State>>>,
    /// The last of what Chromium wrote to standard error.
    said: Arc<Mutex<Vec<String>>>,
}

impl Connection {
    /// Starts to read and write.
    pub(crate) fn new(
        mut stdin: ChildStdin,
        stdout: ChildStdout,
        stderr: ChildStderr,
    ) -> Arc<Connection> {
        let (outgoing, messages) = mpsc::channel::<Vec<u8>>();
        let said = Arc::new(Mutex::new(Vec::new()));
        let connection = Arc::new(Connection {
            next: AtomicU64::new(1),
            outgoing: Mutex::new(Some(outgoing)),
            calls: Mutex::new(Some(HashMap::new())),
            pages: Mutex::default(),
            said: said.clone(),
        });
        // Ends, and closes the pipe, when the sender is gone.
        thread::spawn(move || {
            for message in messages {
                if stdin.write_all(&message).is_err() {
                    break;
                }
            }
        });
        let listening = thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                let mut said = lock(&said);
                if said.len() == 12 {
                    said.remove(0);
                }
                said.push(String::from_utf8_lossy(&line).into_owned());
            }
        });
        let reading = connection.clone();
        thread::spawn(move || {
            for message in BufReader::new(stdout).split(0).map_while(Result::ok) {
                if let Ok(message) = serde_json::from_slice(&message) {
                    reading.receive(message);
                }
            }
            // So that the callers can be told why.
            let _ = listening.join();
            // Dropping the senders is what tells them that it has ended.
            lock(&reading.calls).take();
        });
        connection
    }

    /// Closes the pipe, at which Chromium ends.
    pub(crate) fn close(&self) {
        lock(&self.outgoing).take();
    }

    /// Calls a method of the browser, or of the page of a session; the caller's error says what for.
    pub(crate) async fn call(
        &self,
        session: Option<&str>,
        method: &str,
        parameters: Value,
        timeout: Duration,
    ) -> anyhow::Result<Value> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        match lock(&self.calls).as_mut() {
            Some(calls) => calls.insert(id, sender),
            None => return Err(self.ended()),
        };
        self.send(id, session, method, parameters);
        let answer = tokio::time::timeout(timeout, answer).await;
        if let Some(calls) = lock(&self.calls).as_mut() {
            calls.remove(&id);
        }
        match answer {
            Ok(Ok(Ok(result))) => Ok(result),
            Ok(Ok(Err(error))) => bail!("{method}: {error}"),
            Ok(Err(_)) => Err(self.ended()),
            Err(_) => bail!("no answer within {timeout:?}"),
        }
    }

    /// Calls a method of the browser and does not wait for the answer.
    pub(crate) fn tell(&self, session: Option<&str>, method: &str, parameters: Value) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.send(id, session, method, parameters);
    }

    /// Whether Chromium is gone.
    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.calls).is_none()
    }

    /// From now on the state follows the events of the session.
    pub(crate) fn follow(&self, session: &str, state: watch::Sender<State>) {
        lock(&self.pages).insert(session.to_owned(), state);
    }

    pub(crate) fn forget(&self, session: &str) {
        lock(&self.pages).remove(session);
    }

    fn send(&self, id: u64, session: Option<&str>, method: &str, parameters: Value) {
        let mut message = json!({"id": id, "method": method, "params": parameters});
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut message = message.to_string().into_bytes();
        message.push(0);
        if let Some(outgoing) = lock(&self.outgoing).as_ref() {
            // Where the writer is gone so is Chromium, and the reader tells.
            let _ = outgoing.send(message);
        }
    }

    fn receive(&self, mut message: Value) {
        if let Some(id) = message["id"].as_u64() {
            let call = lock(&self.calls)
                .as_mut()
                .and_then(|calls| calls.remove(&id));
            if let Some(call) = call {
                let answer = match message["error"]["message"].as_str() {
                    Some(error) => Err(error.to_owned()),
                    None => Ok(message["result"].take()),
                };
                // Its caller may have stopped waiting.
                let _ = call.send(answer);
            }
            return;
        }
        let session = message["sessionId"].as_str().unwrap_or_default();
        let method = message["method"].as_str().unwrap_or_default();
        if method == "Page.javascriptDialogOpening" {
            // A dialog stops the page until somebody answers. A page that is left may go.
            let accept = message["params"]["type"] == "beforeunload";
            self.tell(
                Some(session),
                "Page.handleJavaScriptDialog",
                json!({"accept": accept}),
            );
        }
        if let Some(state) = lock(&self.pages).get(session) {
            state.send_if_modified(|state| state.apply(method, &message["params"]));
        }
    }

    fn ended(&self) -> anyhow::Error {
        let said = lock(&self.said).join("\n");
        anyhow!("{said}").context("Chromium has ended")
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is never left half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The text at `key` of an answer.
pub(crate) fn text(answer: &Value, key: &str) -> anyhow::Result<String> {
    let text = answer[key].as_str();
    Ok(text
        .with_context(|| format!("Chromium's answer has no {key}: {answer}"))?
        .to_owned())
}
