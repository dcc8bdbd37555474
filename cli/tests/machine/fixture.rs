//! A deployment of its own for each test, on the emulator that all of them share.

use std::collections::{BTreeMap, HashMap};

use base64::{Engine, prelude::BASE64_STANDARD};
use deployment::{Deployment, EndedExecution, ad_hoc};
use fakes::{openai, x};
use jiff::{Timestamp, tz::TimeZone};
use local_cloud::{Account, Emulator, Mail};
use local_cloud::{Settings, Zips, build_functions};
use post::PostId;
use posts_table::Record;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

pub const BOT: &str = "spooky-days";

/// What must never be seen anywhere but where it belongs.
pub const SECRETS: [&str; 4] = [
    "planted-openai-key",
    "planted-x-key-secret",
    "planted-x-token-secret",
    "planted key of the approval page",
];

pub struct Fixture {
    pub account: Account,
    pub cloud: Deployment,
    pub openai: openai::OpenAi,
    pub x: x::X,
    settings: Settings,
}

impl Fixture {
    /// One whose bot needs no approval.
    pub async fn new() -> Fixture {
        let fixture = Fixture::asking().await;
        fixture
            .edit_bot(&[("policy = \"required\"", "policy = \"off\"")])
            .await;
        fixture
    }

    /// One with the shipped bot, which asks its owner.
    pub async fn asking() -> Fixture {
        Fixture::of(zips().await).await
    }

    /// The same with these functions.
    pub async fn of(zips: &Zips) -> Fixture {
        let [openai_key, x_key_secret, x_token_secret, review_key] = SECRETS;
        let credentials = x::Credentials {
            api_key: "key".to_owned(),
            api_key_secret: x_key_secret.to_owned(),
            access_token: "42-token".to_owned(),
            access_token_secret: x_token_secret.to_owned(),
        };
        let openai = openai::start(openai::Options {
            port: 0,
            api_key: openai_key.to_owned(),
        })
        .await
        .unwrap();
        let x = x::start(x::Options {
            port: 0,
            credentials: credentials.clone(),
            name: "Spooky Days".to_owned(),
            handle: "spooky_days".to_owned(),
            directory: None,
        })
        .await
        .unwrap();
        let settings = Settings {
            openai_url: openai.base_url(),
            openai_key: openai_key.to_owned(),
            x_url: x.base_url(),
            x_credentials: BTreeMap::from([(BOT.to_owned(), credentials)]),
            review_key: BASE64_STANDARD.encode(review_key),
            lease_seconds: 90,
            timeouts: HashMap::new(),
        };
        let account = Emulator::shared().await.account();
        let cloud = local_cloud::deploy(&account, &settings, zips)
            .await
            .unwrap();
        // From nine o'clock of the bot's day on, the watchdog would ask its probes and perhaps mail a digest.
        let now = Timestamp::now();
        let today = now.to_zoned_datetime(TimeZone::UTC).date();
        for date in [today.yesterday().unwrap(), today, today.tomorrow().unwrap()] {
            let digest = notifications::digest_event(BOT, date);
            cloud.table.mark_event(&digest, now).await.unwrap();
        }
        Fixture {
            account,
            cloud,
            openai,
            x,
            settings,
        }
    }

    /// Deploys again over what is there, as the next start of the local cloud does.
    pub async fn deploy_again(&mut self) {
        let account = &self.account;
        self.cloud = local_cloud::deploy(account, &self.settings, zips().await)
            .await
            .unwrap();
    }

    /// The secret of the shipped bot's account on X.
    pub fn x_credentials(&self) -> Value {
        json!(self.settings.x_credentials[BOT])
    }

    /// Gives the shipped bot other settings.
    pub async fn edit_bot(&self, changes: &[(&str, &str)]) {
        let path = format!("{}/../bots/{BOT}/bot.toml", env!("CARGO_MANIFEST_DIR"));
        let mut text = std::fs::read_to_string(path).unwrap();
        for (from, to) in changes {
            assert!(text.contains(from), "bot.toml has no {from}");
            text = text.replace(from, to);
        }
        self.cloud
            .put_bot_file(BOT, "bot.toml", text.into_bytes())
            .await
            .unwrap();
    }

    pub async fn run(&self, input: Value) -> EndedExecution {
        let execution = self.cloud.start(&input).await.unwrap();
        self.ended(&execution).await
    }

    pub async fn run_date(&self, date: &str) -> EndedExecution {
        self.run(ad_hoc(BOT, date.parse().unwrap(), 1)).await
    }

    pub async fn ended(&self, execution: &str) -> EndedExecution {
        self.cloud.wait(execution, |_| {}).await.unwrap()
    }

    pub async fn record(&self, date: &str) -> Option<Record> {
        self.cloud.table.read(&post(date, 1)).await.unwrap()
    }

    /// The record once the event of the failed execution has arrived.
    pub async fn failed_record(&self, date: &str) -> Record {
        until(&format!("the failure of {date}"), async || {
            let record = self.record(date).await?;
            record.failure.is_some().then_some(record)
        })
        .await
    }

    /// The mails to approvers, once there are so many.
    pub async fn mails(&self, count: usize) -> Vec<Mail> {
        self.mails_that(count, asks).await
    }

    /// The notices, once there are so many.
    pub async fn notices(&self, count: usize) -> Vec<Mail> {
        self.mails_that(count, |mail| !asks(mail)).await
    }

    async fn mails_that(&self, count: usize, which: fn(&Mail) -> bool) -> Vec<Mail> {
        until(&format!("{count} mails"), async || {
            let mut mails = self.account.mails().await.unwrap();
            mails.retain(which);
            (mails.len() >= count).then_some(mails)
        })
        .await
    }
}

impl Fixture {
    /// What the functions have written to their logs, as far as their invocations have ended.
    pub async fn logs(&self) -> String {
        let account = &self.account;
        let client = lambda_function::https::client_builder().build().unwrap();
        let ask = async |operation: &str, body: Value| -> Value {
            client
                .post(account.url())
                .header("x-amz-target", format!("Logs_20140328.{operation}"))
                .header("content-type", "application/x-amz-json-1.1")
                // The emulator takes the account from here, and checks nothing else.
                .header("authorization", format!("AWS4-HMAC-SHA256 Credential={}/20261125/us-east-1/logs/aws4_request, SignedHeaders=host, Signature=0", account.id()))
                .body(body.to_string())
                .send()
                .await
                .unwrap()
                .json()
                .await
                .unwrap()
        };
        let groups = ask("DescribeLogGroups", json!({})).await;
        let mut lines = String::new();
        for group in groups["logGroups"].as_array().unwrap() {
            let name = &group["logGroupName"];
            let events = ask("FilterLogEvents", json!({"logGroupName": name})).await;
            assert!(events["nextToken"].is_null(), "{name} has more lines");
            for event in events["events"].as_array().unwrap() {
                lines.push_str(&format!("{name}: {}\n", event["message"].as_str().unwrap()));
            }
        }
        lines
    }
}

/// Whether a mail asks an approver.
fn asks(mail: &Mail) -> bool {
    mail.subject.starts_with("Approve ") || mail.subject.starts_with("Reminder: approve")
}

/// The functions, built once.
pub async fn zips() -> &'static Zips {
    static ZIPS: OnceCell<Zips> = OnceCell::const_new();
    ZIPS.get_or_init(async || build_functions().await.unwrap().launchers("").unwrap())
        .await
}

/// The real command, beside a local cloud that is the machine's.
pub struct CommandLine {
    target: tempfile::TempDir,
    environment: Vec<(&'static str, String)>,
}

/// What a command did.
#[derive(Debug)]
pub struct Printed {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Printed {
    /// The answer of a command that did what it was told.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.err);
        self.out
    }

    /// The JSON of such a command.
    #[track_caller]
    pub fn json(self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }

    /// What a command said that did not do what it was told.
    #[track_caller]
    pub fn refused(self) -> String {
        assert_ne!(self.code, Some(0), "{}", self.out);
        self.err
    }
}

impl CommandLine {
    pub fn new(fixture: &Fixture) -> CommandLine {
        let target = tempfile::tempdir().unwrap();
        let directory = target.path().join("local");
        std::fs::create_dir(&directory).unwrap();
        let account = &fixture.account;
        let place = json!({"url": account.url(), "account": account.id()});
        std::fs::write(directory.join("local.json"), place.to_string()).unwrap();
        CommandLine {
            target,
            environment: Vec::new(),
        }
    }

    /// One in whose directory `spooky local` itself can be started, with what this build has made.
    pub async fn of_its_own() -> CommandLine {
        zips().await;
        let target = tempfile::tempdir().unwrap();
        let built = local_cloud::target_directory().canonicalize().unwrap();
        for name in ["debug", "release", "ministack"] {
            std::os::unix::fs::symlink(built.join(name), target.path().join(name)).unwrap();
        }
        CommandLine {
            target,
            // The functions are built.
            environment: vec![("CARGO", "true".to_owned())],
        }
    }

    /// A directory of the build, such as `local`.
    pub fn directory(&self, name: &str) -> std::path::PathBuf {
        self.target.path().join(name)
    }

    /// One that knows of no local cloud, only where AWS is, as an owner's does.
    pub fn on_aws(url: &str, account: &str) -> CommandLine {
        let target = tempfile::tempdir().unwrap();
        let nothing = target.path().join("nothing").display().to_string();
        CommandLine {
            environment: vec![
                ("AWS_ENDPOINT_URL", url.to_owned()),
                ("AWS_ACCESS_KEY_ID", account.to_owned()),
                ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
                ("AWS_REGION", "us-east-1".to_owned()),
                ("AWS_CONFIG_FILE", nothing.clone()),
                ("AWS_SHARED_CREDENTIALS_FILE", nothing),
                ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ],
            target,
        }
    }

    /// The same with another variable in its environment.
    pub fn with(mut self, name: &'static str, value: &str) -> CommandLine {
        self.environment.retain(|(there, _)| *there != name);
        self.environment.push((name, value.to_owned()));
        self
    }

    pub async fn spooky(&self, arguments: &[&str]) -> Printed {
        self.typing(arguments, "").await
    }

    /// Types a command that a mail names, with what the mail leaves open filled in.
    pub async fn types(&self, command: &str, open: &[(&str, &str)], more: &[&str]) -> Printed {
        let mut command = command.replace("--reason …", "--reason 'the mail says so'");
        for (blank, filled) in open {
            command = command.replace(blank, filled);
        }
        assert!(!command.contains(['…', '<']), "{command} is left open");
        let words = shlex::split(&command).unwrap();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.spooky(&[&words[..], more].concat()).await
    }

    /// Runs the command with something on its standard input.
    pub async fn typing(&self, arguments: &[&str], input: &str) -> Printed {
        use tokio::io::AsyncWriteExt;
        let mut child = self.start(arguments);
        let mut stdin = child.stdin.take().unwrap();
        // A command that reads nothing may have ended by now.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = child.wait_with_output().await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        let printed = Printed {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        };
        if printed.code == Some(0) && arguments.contains(&"--json") {
            documented(arguments, &printed.out);
        }
        printed
    }

    /// Starts the command.
    pub fn start(&self, arguments: &[&str]) -> tokio::process::Child {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_spooky"));
        for name in ["AWS_PROFILE", "SPOOKY_ENV"] {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("CARGO_TARGET_DIR", self.target.path())
            .env("USER", "operator")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }
}

/// The commands that a notice names, in their order, without their `spooky`.
pub fn commands(mail: &Mail) -> Vec<&str> {
    let lines = mail.body_text.lines();
    lines
        .filter_map(|line| line.trim().strip_prefix("spooky "))
        .flat_map(|line| line.split(" && spooky "))
        .collect()
}

/// Whether docs/cli.md tells of each field of a command's answer.
#[track_caller]
fn documented(arguments: &[&str], answer: &str) {
    let text = include_str!("../../../docs/cli.md");
    let sections = text.split("\n### `spooky ").skip(1);
    let mut sections = sections.filter_map(|section| section.split_once("`\n"));
    let of_command = sections.find(|(command, _)| arguments.contains(command));
    let (command, section) = of_command.unwrap_or_else(|| panic!("{arguments:?}"));
    let answer: Value = serde_json::from_str(answer).unwrap();
    let one = match &answer {
        Value::Array(many) => many.first().cloned().unwrap_or_default(),
        one => one.clone(),
    };
    // A record has the fields of its crate.
    if command == "show" && one["states"].is_null() {
        return;
    }
    // Where the answer is that of another command, its section has the fields.
    let section = match section.split_once("`--json`: the fields of `") {
        Some((_, other)) => {
            let other = format!("\n### `spooky {}`\n", other.split('`').next().unwrap());
            text.split_once(&other).unwrap().1
        }
        None => section,
    };
    let section = section.split("\n### ").next().unwrap();
    for field in one.as_object().into_iter().flat_map(|object| object.keys()) {
        assert!(
            section.contains(&format!("\"{field}\"")),
            "docs/cli.md does not document {field}, which `spooky {command} --json` answers"
        );
    }
}

/// Looks again and again until something is there.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    // So long that only what never comes takes it, on whatever machine.
    for _ in 0..3600 {
        if let Some(there) = look().await {
            return there;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{what} never came");
}

pub fn post(date: &str, slot: u32) -> PostId {
    PostId {
        bot: BOT.to_owned(),
        date: date.parse().unwrap(),
        slot,
        dry_run: None,
    }
}
