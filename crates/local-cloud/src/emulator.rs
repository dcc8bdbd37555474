//! Installs, starts and stops MiniStack, the local AWS emulator.

use std::{
    collections::HashMap,
    fs::{self, File, TryLockError},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::{
    Client,
    types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
        TimeToLiveSpecification,
    },
};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::sync::OnceCell;

const REQUIREMENTS: &str = include_str!("../requirements.txt");
const SUPERVISOR: &str = include_str!("../supervisor.py");

/// The region of everything in the emulator.
pub const REGION: &str = "us-east-1";

/// Options of the emulator.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The folder of its state, which the next start finds again; without a folder the state is in memory.
    pub directory: Option<PathBuf>,
    /// The preferred port, so that addresses of an earlier start stay valid.
    pub port: Option<u16>,
    /// Additional environment variables, which it passes to the functions.
    pub environment: Vec<(String, String)>,
    /// The factor of waits and retry intervals of Step Functions; 0 skips them.
    pub wait_scale: Option<f64>,
}

/// A running emulator. It stops when this is dropped, or the process ends.
#[derive(Debug)]
pub struct Emulator {
    url: String,
    supervisor: Option<Child>,
    log: PathBuf,
    accounts: AtomicU64,
    // Deleted after the process has ended.
    _temporary: TempDir,
}

impl Emulator {
    /// Installs the emulator if necessary, starts it, and waits until it answers.
    /// Stops an emulator of an earlier start that still uses the directory, so that its state is saved.
    pub async fn start(options: Options) -> anyhow::Result<Emulator> {
        let venv = tokio::task::spawn_blocking(install).await??;
        let temporary = TempDir::with_prefix("spooky-ministack-")?;
        // Another process can take the port between finding it and listening on it.
        let mut last = None;
        for port in [options.port, None, None, None, None] {
            match launch(&venv, &options, port, temporary.path()).await {
                Ok((url, supervisor, log)) => {
                    return Ok(Emulator {
                        url,
                        supervisor: Some(supervisor),
                        log,
                        accounts: AtomicU64::new(100_000_000_000),
                        _temporary: temporary,
                    });
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("the emulator was never started")))
    }

    /// The emulator that all tests of a process share; waits and retry intervals are skipped.
    pub async fn shared() -> &'static Emulator {
        static SHARED: OnceCell<Emulator> = OnceCell::const_new();
        SHARED
            .get_or_init(async || {
                let options = Options {
                    wait_scale: Some(0.0),
                    ..Options::default()
                };
                match Emulator::start(options).await {
                    Ok(emulator) => emulator,
                    Err(error) => panic!("{error:#}"),
                }
            })
            .await
    }

    /// Its address, `http://127.0.0.1:<port>`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The file that it writes its log to.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// An account that was not used since the emulator was started.
    pub fn account(&self) -> Account {
        self.account_named(self.accounts.fetch_add(1, Ordering::Relaxed))
    }

    /// An account by its number, of at most 12 digits.
    pub fn account_named(&self, number: u64) -> Account {
        Account {
            id: format!("{number:012}"),
            url: self.url.clone(),
        }
    }

    /// Stops it, and waits until its process has ended.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(supervisor) = self.supervisor.take() {
            tokio::task::spawn_blocking(move || end(supervisor)).await?;
        }
        Ok(())
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if let Some(supervisor) = self.supervisor.take() {
            end(supervisor);
        }
    }
}

/// An account of the emulator.
#[derive(Clone, Debug)]
pub struct Account {
    id: String,
    url: String,
}

impl Account {
    /// An account of an emulator that another process runs.
    pub fn at(url: &str, id: &str) -> Account {
        Account {
            id: id.to_owned(),
            url: url.to_owned(),
        }
    }

    /// Its 12 digits, which are its access key as well.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The address of its emulator.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The emails that SES has sent since the emulator was started, oldest first.
    pub async fn mails(&self) -> anyhow::Result<Vec<Mail>> {
        #[derive(Deserialize)]
        struct Mails {
            messages: HashMap<String, Vec<Mail>>,
        }
        let mut mails: Mails = mail_client()?
            .get(format!("{}/_ministack/ses/messages", self.url))
            .query(&[("account", &self.id)])
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        Ok(mails.messages.remove(&self.id).unwrap_or_default())
    }

    /// The SDK configuration of this account.
    pub async fn sdk_config(&self) -> SdkConfig {
        aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(lambda_function::https::aws_http_client())
            .endpoint_url(&self.url)
            .region(Region::from_static(REGION))
            .credentials_provider(Credentials::new(&self.id, "test", None, None, "ministack"))
            .load()
            .await
    }

    /// Makes a table as the functions expect it: keys `pk` and `sk`, items that end at `expiresAt`.
    /// An existing table stays.
    pub async fn create_table(&self, name: &str) -> anyhow::Result<()> {
        let dynamodb = Client::new(&self.sdk_config().await);
        let tables = dynamodb.list_tables().send().await?;
        if tables.table_names().iter().any(|there| there == name) {
            return Ok(());
        }
        let mut table = dynamodb
            .create_table()
            .table_name(name)
            .billing_mode(BillingMode::PayPerRequest);
        for (key, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
            table = table
                .attribute_definitions(
                    AttributeDefinition::builder()
                        .attribute_name(key)
                        .attribute_type(ScalarAttributeType::S)
                        .build()?,
                )
                .key_schema(
                    KeySchemaElement::builder()
                        .attribute_name(key)
                        .key_type(kind)
                        .build()?,
                );
        }
        table.send().await?;
        dynamodb
            .update_time_to_live()
            .table_name(name)
            .time_to_live_specification(
                TimeToLiveSpecification::builder()
                    .enabled(true)
                    .attribute_name("expiresAt")
                    .build()?,
            )
            .send()
            .await?;
        Ok(())
    }
}

/// A sent email.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Mail {
    /// The sender.
    pub source: String,
    /// The recipients.
    pub to: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The plain text.
    pub body_text: String,
    /// The HTML.
    pub body_html: String,
}

/// The HTTP client for the emulator's emails. Building one reads all root certificates, and emails are read often.
/// No connection is kept, since each test has its own runtime.
fn mail_client() -> anyhow::Result<&'static reqwest::Client> {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    if let Some(client) = CLIENT.get() {
        return Ok(client);
    }
    let client = lambda_function::https::client_builder()
        .pool_max_idle_per_host(0)
        .build()?;
    Ok(CLIENT.get_or_init(|| client))
}

/// The supervisor stops when its standard input is closed.
fn end(mut supervisor: Child) {
    drop(supervisor.stdin.take());
    // This only fails if the process has ended already.
    let _ = supervisor.wait();
}

async fn launch(
    venv: &Path,
    options: &Options,
    port: Option<u16>,
    temporary: &Path,
) -> anyhow::Result<(String, Child, PathBuf)> {
    let free = TcpListener::bind(("127.0.0.1", port.unwrap_or(0)))
        .or_else(|_| TcpListener::bind(("127.0.0.1", 0)))?;
    let port = free.local_addr()?.port();
    drop(free);
    let url = format!("http://127.0.0.1:{port}");
    let state = options.directory.as_deref().unwrap_or(temporary);
    fs::create_dir_all(state).with_context(|| format!("making {}", state.display()))?;
    let log = state.join("ministack.log");
    // An unread pipe would stop the emulator once it is full, so it writes to a file.
    // The processes that have it open as their output hold its lock until the last of them has ended.
    let output = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(&log)
        .with_context(|| format!("writing {}", log.display()))?;
    let pid = state.join("ministack.pid");
    take(&output, &pid).await?;
    output.set_len(0)?;

    let mut command = Command::new(venv.join("bin").join("python"));
    command
        .args(["-c", SUPERVISOR])
        .arg(&pid)
        .arg(venv.join("bin").join("ministack"))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("BIND_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", port.to_string())
        .env("MINISTACK_REGION", REGION)
        .env("IOT_MTLS_ENABLED", "0")
        .env("AWS_ENDPOINT_URL", &url)
        .env("STATE_DIR", state.join("state"))
        .env("S3_DATA_DIR", state.join("s3"))
        .env("TMPDIR", temporary)
        .stdin(Stdio::piped())
        .stdout(output.try_clone()?)
        .stderr(output);
    if options.directory.is_some() {
        command.env("PERSIST_STATE", "1").env("S3_PERSIST", "1");
    }
    command.envs(options.environment.iter().cloned());
    if let Some(scale) = options.wait_scale {
        command.env("SFN_WAIT_SCALE", scale.to_string());
    }
    let mut supervisor = command.spawn().context("starting the emulator")?;

    let client = lambda_function::https::client_builder()
        .timeout(Duration::from_secs(2))
        .build()?;
    let health = format!("{url}/_ministack/health");
    for _ in 0..300 {
        if let Some(status) = supervisor.try_wait()? {
            let log_text = fs::read_to_string(&log).unwrap_or_default();
            bail!(
                "the emulator ended after its start ({status}): {}",
                last_lines(&log_text)
            );
        }
        match client.get(&health).send().await {
            Ok(answer) if answer.status().is_success() => return Ok((url, supervisor, log)),
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    end(supervisor);
    bail!(
        "the emulator does not answer at {health}; its log is {}",
        log.display()
    )
}

/// Locks the log, after the emulator of an earlier start has ended. If its parent was killed, it ends automatically
/// after saving its state; if its supervisor was killed too, this sends it SIGTERM.
async fn take(log: &File, pid: &Path) -> anyhow::Result<()> {
    // A little longer than the supervisor waits for an orderly end.
    const TRIES: u32 = 400;
    for tried in 0..=2 * TRIES {
        match log.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => {
                return Err(error).context("locking the log of the emulator");
            }
        }
        if tried == TRIES
            && let Ok(pid) = fs::read_to_string(pid)
        {
            // While the log is locked that process exists, and no other has its id.
            let killed = Command::new("kill").arg(pid.trim()).status();
            killed.context("stopping the emulator of an earlier start")?;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!(
        "the emulator of an earlier start does not end; stop the process whose id is in {}",
        pid.display()
    )
}

/// Creates the virtual environment with the emulator, unless it exists.
fn install() -> anyhow::Result<PathBuf> {
    let hash: String = Sha256::digest(REQUIREMENTS)[..6]
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let home = target_directory().join("ministack");
    fs::create_dir_all(&home).with_context(|| format!("making {}", home.display()))?;
    let venv = home.join(hash);
    let ready = venv.join("ready");
    // Test binaries that run in parallel install it once.
    let lock = File::create(home.join("lock"))?;
    lock.lock().context("waiting for another installation")?;
    if ready.exists() {
        return Ok(venv);
    }
    let python = python()?;
    let requirements = home.join("requirements.txt");
    fs::write(&requirements, REQUIREMENTS)?;
    run(
        Command::new(python)
            .args(["-m", "venv", "--clear"])
            .arg(&venv),
        "creating a virtual environment; on Debian and Ubuntu it needs the package python3-venv",
    )?;
    run(
        Command::new(venv.join("bin").join("python"))
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .args([
                "--require-hashes",
                "--only-binary",
                ":all:",
                "--requirement",
            ])
            .arg(&requirements),
        "installing the emulator MiniStack, which needs the Python package index once",
    )?;
    fs::write(&ready, "")?;
    Ok(venv)
}

/// Where cargo builds.
pub fn target_directory() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => PathBuf::from(directory),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
    }
}

fn python() -> anyhow::Result<&'static str> {
    let check = "import sys; sys.exit(sys.version_info < (3, 10))";
    [
        "python3",
        "python3.14",
        "python3.13",
        "python3.12",
        "python3.11",
        "python3.10",
        "python",
    ]
    .into_iter()
    .find(|name| {
        Command::new(name)
            .args(["-c", check])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    })
    .context(
        "the local cloud needs Python 3.10 or later: install it so that python3 is on the PATH",
    )
}

fn run(command: &mut Command, doing: &str) -> anyhow::Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| doing.to_owned())?;
    ensure!(
        output.status.success(),
        "{doing}: {}{}",
        last_lines(&String::from_utf8_lossy(&output.stdout)),
        last_lines(&String::from_utf8_lossy(&output.stderr))
    );
    Ok(())
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
