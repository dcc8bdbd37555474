//! A headless Chromium.

mod connection;
mod install;
mod key;
mod page;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use connection::{Connection, text};
use install::Chromium;
pub use page::{Options, Page};

/// How long Chromium may take until it answers.
const START: Duration = Duration::from_secs(60);

/// How long it may take to end by itself.
const END: Duration = Duration::from_secs(10);

/// Runs Chromium with the pipes where it looks for them, and deletes its files after it, however the test went.
///
/// All of its processes can write to the pipe that `cat` reads, so that ends when the last of them has.
/// The second `cat` goes on where the first could not, because the test process is gone.
const SUPERVISOR: &str = r#"files=$1
shift
{ "$@" 3<&0 4>&5 5>&- </dev/null 2>&1 | { cat >&2; cat >/dev/null; } 5>&-; } 5>&1
rm -rf "$files""#;

const FLAGS: &[&str] = &[
    "--headless",
    // Chromium ends by itself when this pipe is closed. There is no port that another program could open or take.
    "--remote-debugging-pipe",
    // The sandbox keeps hostile pages in, and the tests open only their own. It works neither as root nor in most
    // containers, nor for a Chromium outside of its package where the system restricts user namespaces, as Ubuntu does.
    "--no-sandbox",
    "--no-zygote",
    // No connection leaves the machine: no name is looked up, no other address is connected to.
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
    // Pages look the same and run as fast whatever else the machine does.
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

/// A running Chromium. It ends when this is dropped, or the process ends, and leaves no file behind.
#[derive(Debug)]
pub struct Browser {
    connection: Arc<Connection>,
    supervisor: Child,
    version: String,
    brings_fonts: bool,
    // Deleted after the process has ended.
    files: TempDir,
}

impl Browser {
    /// Finds Chromium or installs it, starts it with a fresh profile, and waits until it answers.
    pub async fn start() -> anyhow::Result<Browser> {
        let chromium = tokio::task::spawn_blocking(install::chromium).await??;
        let files = TempDir::with_prefix("spooky-browser-")?;
        let mut supervisor = command(&chromium, files.path())
            .spawn()
            .context("starting Chromium")?;
        let pipes = (
            supervisor.stdin.take(),
            supervisor.stdout.take(),
            supervisor.stderr.take(),
        );
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            anyhow::bail!("starting Chromium: it has no pipes");
        };
        // From here on it is ended whatever happens.
        let mut browser = Browser {
            connection: Connection::new(stdin, stdout, stderr),
            supervisor,
            version: String::new(),
            brings_fonts: matches!(chromium, Chromium::Installed(_)),
            files,
        };
        let version = browser
            .connection
            .call(None, "Browser.getVersion", json!({}), START)
            .await
            .with_context(|| format!("starting {}", program(&chromium).display()))?;
        browser.version = text(&version, "product")?;
        Ok(browser)
    }

    /// The browser that all tests of a process share.
    pub async fn shared() -> &'static Browser {
        static SHARED: OnceCell<Browser> = OnceCell::const_new();
        SHARED
            .get_or_init(async || match Browser::start().await {
                Ok(browser) => browser,
                Err(error) => panic!("{error:#}"),
            })
            .await
    }

    /// Opens an empty page with a profile of its own: no page sees the cookies of another.
    pub async fn page(&self, options: &Options) -> anyhow::Result<Page> {
        Page::new(self.connection.clone(), options)
            .await
            .context("opening a page")
    }

    /// Its name and version, such as `HeadlessChrome/153.0.8010.0`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether it is the one that is installed by itself, which has fonts of its own. The fonts of others may lack emoji.
    pub fn brings_fonts(&self) -> bool {
        self.brings_fonts
    }

    /// The folder of its profile, which is there as long as it runs.
    pub fn directory(&self) -> &Path {
        self.files.path()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.connection.close();
        let started = Instant::now();
        while let Ok(None) = self.supervisor.try_wait() {
            if started.elapsed() > END {
                // Without unsafe code or another crate, only a shell can end a group.
                let group = format!("kill -KILL -{}", self.supervisor.id());
                let _ = Command::new("sh").args(["-c", &group]).status();
                let _ = self.supervisor.wait();
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
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
        // Nothing of the machine's or the user's settings and libraries, and nothing written to the user's home.
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", files)
            .env("TMPDIR", files)
            .env("LD_LIBRARY_PATH", folder.join("al2023").join("lib"))
            .env("FONTCONFIG_FILE", folder.join("fonts.conf"))
            // Reading the fonts takes longer than all else, so what was read is kept.
            .env("XDG_CACHE_HOME", folder.join("cache"));
    }
    // Times and the fields for them look the same everywhere too.
    command
        .env("TZ", "UTC")
        .env("LANG", "en_GB.UTF-8")
        .env("LANGUAGE", "en_GB")
        .env_remove("LC_ALL");
    // Ctrl-C in a terminal reaches every process of a group; the closing of the pipe decides when Chromium ends.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
}
