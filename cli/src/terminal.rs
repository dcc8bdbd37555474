//! What a command writes to the terminal and reads from it.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use anyhow::{Context, ensure};
use indicatif::{ProgressBar, ProgressDrawTarget};
use post::PostId;

/// Prints the output of a command.
pub(crate) fn print(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("writing to standard output")
}

/// Prints a warning, and asks for the name of the post on standard input.
pub(crate) async fn confirm(post: &PostId, warning: &str, refusal: &str) -> anyhow::Result<()> {
    write!(std::io::stderr(), "{warning}\nType {post} to continue: ")?;
    // On a separate thread, so that a blocked read does not keep the command from ending at Ctrl-C.
    let (answer, typed) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line);
        // After Ctrl-C the receiver is gone.
        let _ = answer.send(read.map(|_| line));
    });
    let line = typed.await.context("reading the confirmation")??;
    ensure!(
        line.trim() == post.to_string(),
        "{refusal}: not confirmed; type {post}, or use --yes in a script"
    );
    Ok(())
}

/// Progress on standard error: one line that changes on a terminal, plain lines elsewhere.
pub(crate) struct Progress(Option<ProgressBar>);

impl Progress {
    pub(crate) fn new() -> Progress {
        Progress(std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        }))
    }

    pub(crate) fn step(&self, what: &str) {
        match &self.0 {
            Some(bar) => bar.set_message(what.to_owned()),
            // A closed standard error is no reason to fail.
            None => drop(writeln!(std::io::stderr(), "{what}")),
        }
    }

    /// Waits for something that writes to the terminal itself.
    pub(crate) async fn suspended<T>(&self, work: impl Future<Output = T>) -> T {
        if let Some(bar) = &self.0 {
            bar.disable_steady_tick();
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let result = work.await;
        if let Some(bar) = &self.0 {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        result
    }

    /// A line that stays.
    pub(crate) fn note(&self, what: &str) {
        match &self.0 {
            Some(bar) => bar.println(what),
            None => drop(writeln!(std::io::stderr(), "{what}")),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

#[cfg(unix)]
pub(crate) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => drop(terminate.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

#[cfg(not(unix))]
pub(crate) async fn interrupted() {
    let _ = tokio::signal::ctrl_c().await;
}
