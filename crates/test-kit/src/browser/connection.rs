//! The DevTools protocol over a pipe: messages of JSON, each ended by a zero byte.
//!
//! Threads read and write, not tasks, because tests with a runtime each share one browser.

use std::{
    collections::{HashMap, VecDeque},
    io::{BufRead, BufReader, Write},
    process::{ChildStderr, ChildStdin, ChildStdout},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use anyhow::{Context, anyhow, bail};
use serde_json::{Value, json};
use tokio::{
    sync::{oneshot, watch},
    time::timeout,
};

use super::{LIMIT, state::State};

/// How many lines of Chromium's standard error an error shows.
const STDERR_LINES: usize = 12;

type Answer = Result<Value, String>;

#[derive(Debug)]
pub(super) struct Connection {
    next: AtomicU64,
    stdin: Mutex<ChildStdin>,
    /// The calls without an answer yet; `None` once Chromium has ended.
    calls: Mutex<Option<HashMap<u64, oneshot::Sender<Answer>>>>,
    /// The pages by their sessions.
    pages: Mutex<HashMap<String, watch::Sender<State>>>,
    stderr: Mutex<VecDeque<String>>,
}

impl Connection {
    pub(super) fn new(stdin: ChildStdin, stdout: ChildStdout, stderr: ChildStderr) -> Arc<Self> {
        let connection = Arc::new(Connection {
            next: AtomicU64::new(1),
            stdin: Mutex::new(stdin),
            calls: Mutex::new(Some(HashMap::new())),
            pages: Mutex::default(),
            stderr: Mutex::default(),
        });
        let errors = thread::spawn({
            let connection = connection.clone();
            move || connection.read_errors(stderr)
        });
        thread::spawn({
            let connection = connection.clone();
            move || {
                connection.read(stdout);
                // The error of a call that gets no answer shows all of standard error.
                let _ = errors.join();
                lock(&connection.calls).take();
            }
        });
        connection
    }

    /// Calls a method of the browser, or of the page of a session.
    pub(super) async fn call(
        &self,
        session: Option<&str>,
        method: &str,
        parameters: Value,
    ) -> anyhow::Result<Value> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        match lock(&self.calls).as_mut() {
            Some(calls) => calls.insert(id, sender),
            None => return Err(self.ended()),
        };
        self.send(id, session, method, parameters);
        match timeout(LIMIT, answer).await {
            Ok(Ok(Ok(result))) => Ok(result),
            Ok(Ok(Err(error))) => bail!("{method}: {error}"),
            Ok(Err(_)) => Err(self.ended()),
            Err(_) => bail!("{method}: no answer within {LIMIT:?}"),
        }
    }

    /// Calls a method of the browser without waiting for the answer.
    pub(super) fn notify(&self, method: &str, parameters: Value) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.send(id, None, method, parameters);
    }

    pub(super) fn is_closed(&self) -> bool {
        lock(&self.calls).is_none()
    }

    /// From now on the state follows the events of the session.
    pub(super) fn follow(&self, session: &str, state: watch::Sender<State>) {
        lock(&self.pages).insert(session.to_owned(), state);
    }

    pub(super) fn forget(&self, session: &str) {
        lock(&self.pages).remove(session);
    }

    fn send(&self, id: u64, session: Option<&str>, method: &str, parameters: Value) {
        let mut message = json!({"id": id, "method": method, "params": parameters});
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        // If it cannot be written, Chromium has ended, and the reader ends all calls.
        let _ = lock(&self.stdin).write_all(format!("{message}\0").as_bytes());
    }

    fn read(&self, stdout: ChildStdout) {
        for message in BufReader::new(stdout).split(0).map_while(Result::ok) {
            if let Ok(message) = serde_json::from_slice(&message) {
                self.receive(message);
            }
        }
    }

    fn read_errors(&self, stderr: ChildStderr) {
        for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
            let mut lines = lock(&self.stderr);
            lines.push_back(String::from_utf8_lossy(&line).into_owned());
            if lines.len() > STDERR_LINES {
                lines.pop_front();
            }
        }
    }

    fn receive(&self, mut message: Value) {
        if let Some(id) = message["id"].as_u64() {
            let mut calls = lock(&self.calls);
            if let Some(call) = calls.as_mut().and_then(|calls| calls.remove(&id)) {
                let answer = match message["error"]["message"].as_str() {
                    Some(error) => Err(error.to_owned()),
                    None => Ok(message["result"].take()),
                };
                // The caller may have stopped waiting.
                let _ = call.send(answer);
            }
            return;
        }
        let session = message["sessionId"].as_str().unwrap_or_default();
        let method = message["method"].as_str().unwrap_or_default();
        if let Some(state) = lock(&self.pages).get(session) {
            state.send_if_modified(|state| state.apply(method, &message["params"]));
        }
    }

    fn ended(&self) -> anyhow::Error {
        let lines: Vec<String> = lock(&self.stderr).iter().cloned().collect();
        anyhow!("{}", lines.join("\n")).context("Chromium has ended")
    }
}

/// The text at `key` of an answer.
pub(super) fn text(answer: &Value, key: &str) -> anyhow::Result<String> {
    let text = answer[key].as_str();
    Ok(text
        .with_context(|| format!("Chromium's answer has no {key}: {answer}"))?
        .to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic cannot leave what these locks guard half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
