//! A headless Chromium, driven over DevTools.

mod connection;
mod install;
mod key;
mod page;
mod state;

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use connection::Connection;
use install::Chromium;
pub use page::{Options, Page};

/// How long anything may take. It only ends what would hang forever, so it allows for a machine that is very busy.
const LIMIT: Duration = Duration::from_mins(5);

/// Runs Chromium with the pipes at the file descriptors where it looks for them, and deletes its files after it has
/// ended, also when the test process was killed.
///
/// All processes of Chromium can write to the pipe that `cat` reads, so `cat` ends when the last of them has.
/// The second `cat` continues where the first fails because the test process is gone.
const SUPERVISOR: &str = r#"files=$1
shift
{ "$@" 3<&0 4>&5 5>&- </dev/null 2>&1 | { cat >&2; cat >/dev/null; } 5>&-; } 5>&1
rm -rf "$files""#;

const FLAGS: &[&str] = &[
    "--headless",
    // Chromium ends when this pipe is closed. There is no port that another program could open or take.
    "--remote-debugging-pipe",
    // The sandbox contains hostile pages, and the tests open only their own. It works neither as root, nor in most
    // containers, nor outside of Chromium's package on systems that restrict user namespaces, such as Ubuntu.
    "--no-sandbox",
    "--no-zygote",
    // Chromium connects to this machine and to nothing else.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1, EXCLUDE [::1]",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-features=DialMediaRouteProvider,MediaRouter,OptimizationHints,Translate",
    "--disable-quic",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    "--password-store=basic",
    "--use-mock-keychain",
    // Pages look the same and run at the same speed, whatever else the machine does.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    // There may be no graphics card, and in a container little shared memory.
    "--disable-dev-shm-usage",
    "--disable-gpu",
];

/// A running Chromium. It ends with the process that started it, and leaves no file behind.
#[derive(Debug)]
pub struct Browser {
    connection: Arc<Connection>,
    files: PathBuf,
}

impl Browser {
    /// The browser that all tests of a process share. The first call finds or installs Chromium and starts it.
    ///
    /// # Panics
    ///
    /// If Chromium cannot be installed or started.
    pub async fn shared() -> &'static Browser {
        static SHARED: OnceCell<Browser> = OnceCell::const_new();
        let start = async || match Browser::start().await {
            Ok(browser) => browser,
            Err(error) => panic!("{error:#}"),
        };
        SHARED.get_or_init(start).await
    }

    async fn start() -> anyhow::Result<Browser> {
        let chromium = tokio::task::spawn_blocking(install::chromium).await??;
        let files = TempDir::with_prefix("spooky-browser-")?;
        let supervisor = command(&chromium, files.path()).spawn();
        let supervisor = supervisor.context("starting Chromium")?;
        // From here on the supervisor deletes them.
        let files = files.keep();
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (supervisor.stdin, supervisor.stdout, supervisor.stderr)
        else {
            anyhow::bail!("starting Chromium: it has no pipes");
        };
        let connection = Connection::new(stdin, stdout, stderr);
        let answer = connection.call(None, "Browser.getVersion", json!({})).await;
        answer.with_context(|| format!("starting {}", program(&chromium).display()))?;
        Ok(Browser { connection, files })
    }

    /// Opens an empty page with a profile for itself: pages do not share cookies.
    pub async fn page(&self, options: &Options) -> anyhow::Result<Page> {
        let page = Page::new(self.connection.clone(), options).await;
        page.context("opening a page")
    }

    /// The folder of its profile, which exists as long as Chromium runs.
    pub fn files(&self) -> &Path {
        &self.files
    }
}

fn program(chromium: &Chromium) -> PathBuf {
    match chromium {
        Chromium::Present(program) => program.clone(),
        Chromium::Installed(folder) => folder.join("chromium"),
    }
}

fn command(chromium: &Chromium, files: &Path) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", SUPERVISOR, "sh"])
        .arg(files)
        .arg(program(chromium))
        .args(FLAGS)
        .arg(format!(
            "--user-data-dir={}",
            files.join("profile").display()
        ))
        .arg("about:blank")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Chromium::Installed(folder) = chromium {
        // No settings or libraries of the machine or the user, and no file in the user's home.
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", files)
            .env("TMPDIR", files)
            .env("LD_LIBRARY_PATH", folder.join("al2023").join("lib"))
            .env("FONTCONFIG_FILE", folder.join("fonts.conf"))
            // Reading the fonts is the slowest part of a start, so the result is kept.
            .env("XDG_CACHE_HOME", folder.join("cache"));
    }
    // Times look the same on every machine.
    command
        .env("TZ", "UTC")
        .env("LANG", "en_US.UTF-8")
        .env("LANGUAGE", "en_US")
        .env_remove("LC_ALL");
    // Ctrl-C in a terminal reaches every process of a group, and only the closed pipe is to end Chromium.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
}
