//! The local cloud: the real functions and the real state machine on the emulator.

use std::{
    collections::{BTreeMap, HashMap},
    io::{Cursor, Write},
    path::Path,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use aws_config::SdkConfig;
use aws_sdk_eventbridge::types::Target;
use aws_sdk_lambda::{
    primitives::Blob,
    types::{Environment, FunctionCode, FunctionUrlAuthType, Runtime},
};
use aws_sdk_s3::{
    primitives::ByteStream,
    types::{BucketVersioningStatus, VersioningConfiguration},
};
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent, HistoryEventType};
use jiff::Timestamp;
use ministack::Account;
use post_record::{Change, Operator, PostId, Record, Table};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stand_ins::x::Credentials;

/// The state machine's definition, with placeholders for the functions.
const DEFINITION: &str = include_str!("../../statemachine/daily-post.asl.json");
/// The one description of the functions.
const FUNCTIONS: &str = include_str!("../../functions/functions.json");
/// What everything in the local cloud is called.
const NAME: &str = "daily-post-local";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Function {
    timeout_seconds: i32,
    memory_mb: i32,
    environment: Vec<String>,
}

/// What the functions talk to.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where OpenAI is, with `/v1`.
    pub openai_url: String,
    /// The key of OpenAI.
    pub openai_key: String,
    /// Where X is.
    pub x_url: String,
    /// The keys of X.
    pub x_credentials: Credentials,
    /// The signing key of the approval page's links, base64.
    pub review_key: String,
    /// How long an invocation of `post-tweet` may still send.
    pub lease_seconds: u32,
    /// Replaces functions' timeouts, in seconds; they are whole numbers.
    pub timeouts: HashMap<String, i32>,
}

/// The functions as zip files, by name.
pub type Zips = BTreeMap<String, Vec<u8>>;

/// Builds the functions as cargo built this very program, and packs them as Lambda takes them.
pub async fn build_functions() -> anyhow::Result<Zips> {
    let mut cargo =
        tokio::process::Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    // The same packages as `cargo run` builds, so that nothing is built twice.
    cargo
        .args(["build", "--quiet"])
        .current_dir(crate::workspace());
    // `cargo run` and `cargo test` describe this package in the environment. A build script that looks there, as
    // ring's does, would run again for each of the two builds, and all that stands on it would be built anew.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(describes_a_package) {
            cargo.env_remove(name);
        }
    }
    let profile = if cfg!(debug_assertions) {
        "debug"
    } else {
        cargo.arg("--release");
        "release"
    };
    let output = cargo
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("running cargo to build the functions")?;
    ensure!(
        output.status.success(),
        "the functions do not build:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let directory = ministack::target_directory().join(profile);
    tokio::task::spawn_blocking(move || {
        functions()?
            .into_keys()
            .map(|name| {
                let zip = zipped(&directory.join(&name))?;
                Ok((name, zip))
            })
            .collect()
    })
    .await?
}

fn describes_a_package(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
}

fn functions() -> anyhow::Result<BTreeMap<String, Function>> {
    serde_json::from_str(FUNCTIONS).context("functions/functions.json")
}

fn zipped(binary: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = std::fs::read(binary).with_context(|| format!("reading {}", binary.display()))?;
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .compression_level(Some(1))
        .unix_permissions(0o755);
    zip.start_file("bootstrap", options)?;
    zip.write_all(&bytes)?;
    Ok(zip.finish()?.into_inner())
}

/// A deployment of the state machine and its functions in one account.
#[derive(Clone, Debug)]
pub struct Cloud {
    /// Step Functions.
    pub sfn: aws_sdk_sfn::Client,
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Secrets Manager.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// The posts.
    pub table: Table,
    /// The bucket of the pictures.
    pub image_bucket: String,
    /// The bucket of the bots' files.
    pub bot_files_bucket: String,
    /// The state machine.
    pub state_machine_arn: String,
    /// Lambda.
    pub lambda: aws_sdk_lambda::Client,
    /// Where it is deployed.
    pub account: Account,
}

/// The name of the table.
pub const TABLE: &str = NAME;

/// The sender of the mails.
const MAIL_FROM: &str = "spooky-days@example.org";

/// Who is told where `bot.toml` cannot say it.
const ALERT_TO: &str = "alerts@example.org";

impl Cloud {
    /// What was deployed in an account.
    pub async fn of(account: &Account) -> Cloud {
        let aws = account.sdk_config().await;
        let dynamodb = aws_sdk_dynamodb::Client::new(&aws);
        Cloud {
            sfn: aws_sdk_sfn::Client::new(&aws),
            s3: aws_sdk_s3::Client::new(&aws),
            secrets: aws_sdk_secretsmanager::Client::new(&aws),
            lambda: aws_sdk_lambda::Client::new(&aws),
            account: account.clone(),
            table: Table::new(dynamodb.clone(), TABLE),
            dynamodb,
            image_bucket: format!("{NAME}-{}-images", account.id()),
            bot_files_bucket: format!("{NAME}-{}-bot-files", account.id()),
            state_machine_arn: format!(
                "arn:aws:states:{}:{}:stateMachine:{NAME}",
                ministack::REGION,
                account.id()
            ),
        }
    }

    /// Deploys everything. What is there from an earlier start stays, with today's code.
    pub async fn deploy(
        account: &Account,
        settings: &Settings,
        zips: &Zips,
    ) -> anyhow::Result<Cloud> {
        let cloud = Cloud::of(account).await;
        let aws = account.sdk_config().await;
        account
            .make_table(TABLE)
            .await
            .context("making the table")?;
        cloud.make_buckets().await.context("making the buckets")?;
        let openai_secret = cloud
            .make_secret("openai", &json!({"apiKey": settings.openai_key}))
            .await
            .context("making the secret of OpenAI")?;
        let x_secret = cloud
            .make_secret("x-credentials", &json!(settings.x_credentials))
            .await
            .context("making the secret of X")?;
        let review_secret = cloud
            .make_secret("review", &json!({"current": settings.review_key}))
            .await
            .context("making the secret of the approval page")?;
        cloud
            .verify_sender(&aws)
            .await
            .context("verifying the sender of the mails")?;
        let described = functions()?;
        for (name, function) in &described {
            let zip = zips
                .get(name)
                .with_context(|| format!("{name} was not built"))?;
            cloud
                .make_function(settings, name, function, zip)
                .await
                .with_context(|| format!("making the function {name}"))?;
        }
        // Known only once its function is there, and the functions are to know it.
        let review_url = cloud
            .make_review_url()
            .await
            .context("making the address of the approval page")?;
        let lease = settings.lease_seconds.to_string();
        let environment: HashMap<&str, &str> = HashMap::from([
            ("TABLE_NAME", TABLE),
            ("BOT_FILES_BUCKET", cloud.bot_files_bucket.as_str()),
            ("IMAGE_BUCKET", cloud.image_bucket.as_str()),
            ("OPENAI_SECRET_ARN", openai_secret.as_str()),
            ("OPENAI_BASE_URL", settings.openai_url.as_str()),
            ("X_CREDENTIALS_SECRET_ARN", x_secret.as_str()),
            ("X_API_BASE_URL", settings.x_url.as_str()),
            ("LEASE_SECONDS", lease.as_str()),
            ("REVIEW_SECRET_ARN", review_secret.as_str()),
            ("REVIEW_BASE_URL", review_url.as_str()),
            ("MAIL_FROM", MAIL_FROM),
            ("ALERT_TO", ALERT_TO),
        ]);
        let mut definition = DEFINITION.replace("${table_name}", TABLE);
        let mut aliases = BTreeMap::new();
        for (name, function) in &described {
            let arn = cloud
                .publish_function(&environment, name, function)
                .await
                .with_context(|| format!("publishing the function {name}"))?;
            definition = definition.replace(
                &format!("${{{}_function_arn}}", name.replace('-', "_")),
                &arn,
            );
            aliases.insert(name.as_str(), arn);
        }
        let alias = |name: &str| {
            aliases
                .get(name)
                .with_context(|| format!("functions.json has no {name}"))
        };
        cloud
            .make_state_machine(account, &definition)
            .await
            .context("making the state machine")?;
        cloud
            .make_rule(&aws, alias("record-result")?)
            .await
            .context("making the rule on failed executions")?;
        cloud
            .upload_bot_files(&crate::bots_directory())
            .await
            .context("uploading the bot's files")?;
        Ok(cloud)
    }

    async fn make_buckets(&self) -> anyhow::Result<()> {
        let there = self.s3.list_buckets().send().await?;
        let there: Vec<&str> = there
            .buckets()
            .iter()
            .filter_map(|bucket| bucket.name())
            .collect();
        for bucket in [&self.image_bucket, &self.bot_files_bucket] {
            if !there.contains(&bucket.as_str()) {
                self.s3.create_bucket().bucket(bucket).send().await?;
            }
            self.s3
                .put_bucket_versioning()
                .bucket(bucket)
                .versioning_configuration(
                    VersioningConfiguration::builder()
                        .status(BucketVersioningStatus::Enabled)
                        .build(),
                )
                .send()
                .await?;
        }
        Ok(())
    }

    async fn make_secret(&self, name: &str, value: &Value) -> anyhow::Result<String> {
        let name = format!("{NAME}/{name}");
        let made = self
            .secrets
            .create_secret()
            .name(&name)
            .secret_string(value.to_string())
            .send()
            .await;
        let arn = match made {
            Ok(made) => made.arn,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_resource_exists_exception()) =>
            {
                self.secrets
                    .put_secret_value()
                    .secret_id(&name)
                    .secret_string(value.to_string())
                    .send()
                    .await?
                    .arn
            }
            Err(error) => return Err(error.into()),
        };
        arn.context("the secret has no ARN")
    }

    async fn verify_sender(&self, aws: &SdkConfig) -> anyhow::Result<()> {
        let ses = aws_sdk_sesv2::Client::new(aws);
        let made = ses
            .create_email_identity()
            .email_identity(MAIL_FROM)
            .send()
            .await;
        match made {
            Err(error)
                if !error
                    .as_service_error()
                    .is_some_and(|e| e.is_already_exists_exception()) =>
            {
                Err(error.into())
            }
            _ => Ok(()),
        }
    }

    async fn make_function(
        &self,
        settings: &Settings,
        name: &str,
        function: &Function,
        zip: &[u8],
    ) -> anyhow::Result<()> {
        let full_name = format!("{NAME}-{name}");
        // From an earlier start: with today's code and ports it is another function.
        let gone = self
            .lambda
            .delete_function()
            .function_name(&full_name)
            .send()
            .await;
        if let Err(error) = gone
            && !error
                .as_service_error()
                .is_some_and(|e| e.is_resource_not_found_exception())
        {
            return Err(error.into());
        }
        let timeout = settings
            .timeouts
            .get(name)
            .copied()
            .unwrap_or(function.timeout_seconds);
        self.lambda
            .create_function()
            .function_name(&full_name)
            .runtime(Runtime::from("provided.al2023"))
            .handler("bootstrap")
            .role(role(&self.account))
            .timeout(timeout)
            .memory_size(function.memory_mb)
            .code(FunctionCode::builder().zip_file(Blob::new(zip)).build())
            .send()
            .await?;
        Ok(())
    }

    /// The address of the approval page, as browsers know it: they take `*.localhost` for this machine.
    /// It is a function URL, whose events are those of an HTTP API, since the emulator finds HTTP APIs in one
    /// account only.
    async fn make_review_url(&self) -> anyhow::Result<String> {
        let name = format!("{NAME}-review");
        let made = self
            .lambda
            .create_function_url_config()
            .function_name(&name)
            .auth_type(FunctionUrlAuthType::None)
            .send()
            .await;
        let url = match made {
            Ok(made) => made.function_url,
            // The emulator keeps the URL of a function that was deleted.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_resource_conflict_exception()) =>
            {
                let there = self
                    .lambda
                    .get_function_url_config()
                    .function_name(&name)
                    .send()
                    .await?;
                there.function_url
            }
            Err(error) => return Err(error.into()),
        };
        let (id, _) = url
            .trim_start_matches("https://")
            .split_once('.')
            .with_context(|| format!("the function URL {url} has no id"))?;
        let port = self.account.url().rsplit(':').next().unwrap_or_default();
        Ok(format!(
            "http://{id}.lambda-url.{}.localhost:{port}",
            ministack::REGION
        ))
    }

    /// Gives a function its environment, and the alias that everything calls it by.
    async fn publish_function(
        &self,
        environment: &HashMap<&str, &str>,
        name: &str,
        function: &Function,
    ) -> anyhow::Result<String> {
        let full_name = format!("{NAME}-{name}");
        let mut variables = HashMap::new();
        for variable in &function.environment {
            let Some(value) = environment.get(variable.as_str()) else {
                bail!(
                    "functions.json names the variable {variable}, which the local cloud does not have"
                );
            };
            variables.insert(variable.clone(), (*value).to_owned());
        }
        self.lambda
            .update_function_configuration()
            .function_name(&full_name)
            .environment(
                Environment::builder()
                    .set_variables(Some(variables))
                    .build(),
            )
            .send()
            .await?;
        let published = self
            .lambda
            .publish_version()
            .function_name(&full_name)
            .send()
            .await?;
        let version = published.version.context("the function has no version")?;
        let alias = self
            .lambda
            .create_alias()
            .function_name(&full_name)
            .name("live")
            .function_version(version)
            .send()
            .await?;
        alias.alias_arn.context("the alias has no ARN")
    }

    /// Runs the watchdog once, as its schedule would. What it could not do is in the answer.
    pub async fn run_watchdog(&self) -> anyhow::Result<Value> {
        let answer = self
            .lambda
            .invoke()
            .function_name(format!("{NAME}-watchdog"))
            .qualifier("live")
            .payload(Blob::new("{}"))
            .send()
            .await
            .context("invoking the watchdog")?;
        let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
        Ok(serde_json::from_slice(&payload).unwrap_or(Value::Null))
    }

    async fn make_state_machine(&self, account: &Account, definition: &str) -> anyhow::Result<()> {
        let made = self
            .sfn
            .create_state_machine()
            .name(NAME)
            .definition(definition)
            .role_arn(role(account))
            .send()
            .await;
        match made {
            Ok(_) => {}
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_state_machine_already_exists()) => {}
            Err(error) => return Err(error.into()),
        }
        // The functions' ARNs or the definition may be newer than what is there.
        self.sfn
            .update_state_machine()
            .state_machine_arn(&self.state_machine_arn)
            .definition(definition)
            .send()
            .await?;
        Ok(())
    }

    async fn make_rule(&self, aws: &SdkConfig, record_result: &str) -> anyhow::Result<()> {
        let events = aws_sdk_eventbridge::Client::new(aws);
        let pattern = json!({
            "source": ["aws.states"],
            "detail-type": ["Step Functions Execution Status Change"],
            "detail": {
                // The machines of continuations are named after it.
                "stateMachineArn": [{"prefix": self.state_machine_arn}],
                "status": ["FAILED", "TIMED_OUT", "ABORTED"],
            },
        });
        let rule = format!("{NAME}-failed");
        events
            .put_rule()
            .name(&rule)
            .event_pattern(pattern.to_string())
            .send()
            .await?;
        let target = Target::builder()
            .id("record-result")
            .arn(record_result)
            .build()?;
        events
            .put_targets()
            .rule(&rule)
            .targets(target)
            .send()
            .await?;
        Ok(())
    }

    /// Uploads the files of all bots, after checking them.
    pub async fn upload_bot_files(&self, directory: &Path) -> anyhow::Result<()> {
        for entry in std::fs::read_dir(directory)? {
            let folder = entry?.path();
            let Some(bot) = folder.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            crate::Files::read(bot)?;
            for file in ["bot.toml", "calendar.toml"] {
                let text = std::fs::read(folder.join(file))?;
                self.put_bot_file(bot, file, text).await?;
            }
        }
        Ok(())
    }

    /// Uploads one file of a bot, as it is, unless it is there already.
    pub async fn put_bot_file(&self, bot: &str, file: &str, text: Vec<u8>) -> anyhow::Result<()> {
        let key = format!("{bot}/{file}");
        let there = self
            .s3
            .get_object()
            .bucket(&self.bot_files_bucket)
            .key(&key)
            .send()
            .await;
        if let Ok(there) = there
            && there.body.collect().await?.to_vec() == text
        {
            return Ok(());
        }
        self.s3
            .put_object()
            .bucket(&self.bot_files_bucket)
            .key(&key)
            .body(ByteStream::from(text))
            .send()
            .await?;
        Ok(())
    }

    /// Starts an execution and gives its ARN.
    pub async fn start(&self, input: &Value) -> anyhow::Result<String> {
        let started = self
            .sfn
            .start_execution()
            .state_machine_arn(&self.state_machine_arn)
            .input(input.to_string())
            .send()
            .await
            .context("starting the execution")?;
        Ok(started.execution_arn)
    }

    /// Waits until an execution has ended. `entered` is told each state as it is entered.
    pub async fn wait(
        &self,
        execution: &str,
        mut entered: impl FnMut(&str),
    ) -> anyhow::Result<Ended> {
        let mut told = 0;
        loop {
            let now = self
                .sfn
                .describe_execution()
                .execution_arn(execution)
                .send()
                .await?;
            let states = self.states(execution).await?;
            for state in states.iter().skip(told) {
                entered(&state.name);
            }
            told = states.len();
            if now.status != ExecutionStatus::Running {
                let output = now
                    .output
                    .as_deref()
                    .map(serde_json::from_str)
                    .transpose()?;
                return Ok(Ended {
                    execution: execution.to_owned(),
                    status: now.status.as_str().to_owned(),
                    error: now.error,
                    cause: now.cause,
                    output: output.unwrap_or(Value::Null),
                    states,
                });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The states of an execution in the order they were entered.
    pub async fn states(&self, execution: &str) -> anyhow::Result<Vec<State>> {
        let mut events = Vec::new();
        let mut token = None;
        loop {
            let page = self
                .sfn
                .get_execution_history()
                .execution_arn(execution)
                .max_results(1000)
                .set_next_token(token)
                .send()
                .await
                .context("reading the execution's history")?;
            events.extend(page.events);
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        Ok(states_of(&events))
    }

    /// The runs, newest first: each execution with those that went on from it.
    pub async fn runs(&self) -> anyhow::Result<Vec<Run>> {
        let mut machines = self
            .sfn
            .list_state_machines()
            .into_paginator()
            .items()
            .send();
        let mut executions = Vec::new();
        while let Some(machine) = machines.next().await {
            let machine = machine.context("listing the state machines")?;
            let name = machine.name();
            if name != NAME && !name.starts_with(&format!("{NAME}-from-")) {
                continue;
            }
            let mut listed = self
                .sfn
                .list_executions()
                .state_machine_arn(machine.state_machine_arn())
                .into_paginator()
                .items()
                .send();
            while let Some(execution) = listed.next().await {
                let execution = execution.context("listing the executions")?;
                executions.push(Execution {
                    arn: execution.execution_arn().to_owned(),
                    status: execution.status().clone(),
                    started: time(execution.start_date())?,
                    stopped: execution.stop_date().map(time).transpose()?,
                });
            }
        }
        executions.sort_by_key(|execution| execution.started);
        let mut runs: Vec<Run> = Vec::new();
        for execution in executions {
            let run = runs
                .iter_mut()
                .find(|run| run.holds(&execution.arn) && redrives(&execution.arn) > 0);
            match run {
                Some(run) => run.later.push(execution),
                None => runs.push(Run {
                    first: execution,
                    later: Vec::new(),
                }),
            }
        }
        runs.reverse();
        Ok(runs)
    }

    /// The run that an execution is part of, or would be; `None` if nothing of it was ever started.
    pub async fn run_of(&self, execution: &str) -> anyhow::Result<Option<Run>> {
        let runs = self.runs().await?;
        Ok(runs.into_iter().find(|run| run.holds(execution)))
    }

    /// The state that an execution was in when it ended without success, with that state's recorded input;
    /// `None` if it was in none.
    pub async fn failed_state(&self, execution: &str) -> anyhow::Result<Option<(String, String)>> {
        let mut pages = self
            .sfn
            .get_execution_history()
            .execution_arn(execution)
            .reverse_order(true)
            .into_paginator()
            .items()
            .send();
        while let Some(event) = pages.next().await {
            let event = event.context("reading the execution's history")?;
            if event.state_exited_event_details().is_some() {
                return Ok(None);
            }
            if let Some(entered) = event.state_entered_event_details() {
                let input = entered.input().context("the state has no recorded input")?;
                return Ok(Some((entered.name().to_owned(), input.to_owned())));
            }
        }
        Ok(None)
    }

    /// Goes on with a run that has ended without success, from the state that it was in and with that state's
    /// recorded input, in an execution of its own that gets the claim; the emulator cannot redrive.
    /// Gives the new execution. A post that was claimed is to be named.
    pub async fn continue_from(
        &self,
        post: Option<&PostId>,
        run: &Run,
        operator: &Operator,
    ) -> anyhow::Result<String> {
        let execution = &run.last().arn;
        let (state, input) = self
            .failed_state(execution)
            .await?
            .with_context(|| format!("{execution} failed in no state: nothing can go on"))?;
        let machine = self
            .sfn
            .describe_state_machine_for_execution()
            .execution_arn(execution)
            .send()
            .await
            .context("reading the execution's definition")?;
        let mut definition: Value = serde_json::from_str(&machine.definition)?;
        definition["StartAt"] = json!(state);
        let there = self
            .sfn
            .create_state_machine()
            .name(format!("{NAME}-from-{state}"))
            .definition(definition.to_string())
            .role_arn(role(&self.account))
            .send()
            .await;
        let machine = match there {
            Ok(made) => made.state_machine_arn,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_state_machine_already_exists()) =>
            {
                let arn = format!("{}-from-{state}", self.state_machine_arn);
                self.sfn
                    .update_state_machine()
                    .state_machine_arn(&arn)
                    .definition(definition.to_string())
                    .send()
                    .await?;
                arn
            }
            Err(error) => return Err(error.into()),
        };
        // Under a name of our own the claim is handed over before the first state can ask for it. Two who go on with
        // the same run choose the same name, of which there can be one; and so does who comes after one that was
        // killed before it could start.
        let name = format!(
            "{}-redrive-{}",
            first_name(execution),
            redrives(execution) + 1
        );
        let continued = execution_arn(&machine, &name);
        if let Some(post) = post {
            self.hand_over(post, run, &continued, operator).await?;
        }
        self.start_named(&machine, &name, &input).await?;
        Ok(continued)
    }

    async fn hand_over(
        &self,
        post: &PostId,
        run: &Run,
        to: &str,
        operator: &Operator,
    ) -> anyhow::Result<()> {
        let Some(held) = self.table.read(post).await? else {
            bail!("nobody holds {post}");
        };
        ensure!(
            run.holds(&held.execution),
            "{post} is held by {} by now",
            held.execution
        );
        let now = Timestamp::now();
        let handed = self
            .table
            .hand_over(post, &held.execution, to, operator, now)
            .await?;
        match handed {
            Change::Made => Ok(()),
            Change::Refused(_) => bail!("somebody else goes on with {post} at this very moment"),
        }
    }

    /// Gives a slot that was not posted to a new execution, and starts it. A slot whose time is not over keeps it;
    /// otherwise the run is an ad-hoc one. Gives the new execution.
    pub async fn run_again(
        &self,
        post: &PostId,
        old: &Record,
        holder: Option<&Run>,
        operator: &Operator,
    ) -> anyhow::Result<String> {
        let now = Timestamp::now();
        let name = format!("again-{}-{}-{}", post.date, post.slot, now.as_millisecond());
        let execution = execution_arn(&self.state_machine_arn, &name);
        let mut input = ad_hoc(&post.bot, post.date, post.slot);
        if old.not_after.is_some_and(|last| last > now.as_second())
            && let Some(run) = holder
        {
            let first = self
                .sfn
                .describe_execution()
                .execution_arn(&run.first.arn)
                .send()
                .await?;
            input = serde_json::from_str(first.input().unwrap_or_default())?;
        }
        let approvals = self.table.approvals(post).await?;
        let taken = self
            .table
            .take_over(post, old, &approvals, &execution, operator, now)
            .await?;
        if let Change::Refused(_) = taken {
            bail!("{post} has changed at this very moment: look at it with `spooky show {post}`");
        }
        self.start_named(&self.state_machine_arn, &name, &input.to_string())
            .await?;
        Ok(execution)
    }

    async fn start_named(&self, machine: &str, name: &str, input: &str) -> anyhow::Result<()> {
        self.sfn
            .start_execution()
            .state_machine_arn(machine)
            .name(name)
            .input(input)
            .send()
            .await
            .with_context(|| format!("starting the execution {name}"))?;
        Ok(())
    }

    /// The bytes of a picture.
    pub async fn picture(&self, key: &str) -> anyhow::Result<Vec<u8>> {
        let object = self
            .s3
            .get_object()
            .bucket(&self.image_bucket)
            .key(key)
            .send()
            .await?;
        Ok(object.body.collect().await?.to_vec())
    }
}

/// An execution.
#[derive(Clone, Debug)]
pub struct Execution {
    /// Its ARN.
    pub arn: String,
    /// Its status.
    pub status: ExecutionStatus,
    /// When it was started.
    pub started: Timestamp,
    /// When it ended.
    pub stopped: Option<Timestamp>,
}

/// A run: an execution, and those that went on with it after a failure.
#[derive(Clone, Debug)]
pub struct Run {
    /// What was started by the schedule or a person.
    pub first: Execution,
    /// The continuations, oldest first.
    pub later: Vec<Execution>,
}

impl Run {
    /// The execution that tells how the run stands.
    pub fn last(&self) -> &Execution {
        self.later.last().unwrap_or(&self.first)
    }

    /// All of them, oldest first.
    pub fn executions(&self) -> impl Iterator<Item = &Execution> {
        std::iter::once(&self.first).chain(&self.later)
    }

    /// Whether an execution is part of the run, or would be if it had been started.
    pub fn holds(&self, execution: &str) -> bool {
        first_name(&self.first.arn) == first_name(execution)
    }
}

fn split_name(execution: &str) -> (&str, u32) {
    let name = execution.rsplit(':').next().unwrap_or_default();
    name.rsplit_once("-redrive-")
        .and_then(|(first, number)| Some((first, number.parse().ok()?)))
        .unwrap_or((name, 0))
}

/// The name of the execution that a run began with.
fn first_name(execution: &str) -> &str {
    split_name(execution).0
}

/// How often the run had been redriven when this execution of it was started.
fn redrives(execution: &str) -> u32 {
    split_name(execution).1
}

fn execution_arn(machine: &str, name: &str) -> String {
    format!(
        "{}:{name}",
        machine.replace(":stateMachine:", ":execution:")
    )
}

fn time(at: &aws_sdk_sfn::primitives::DateTime) -> anyhow::Result<Timestamp> {
    Ok(Timestamp::from_millisecond(at.to_millis()?)?)
}

/// An execution that has ended.
#[derive(Clone, Debug, Serialize)]
pub struct Ended {
    /// Its ARN.
    pub execution: String,
    /// `SUCCEEDED`, `FAILED`, `TIMED_OUT` or `ABORTED`.
    pub status: String,
    /// The error name of a failed one.
    pub error: Option<String>,
    /// What the failed state said.
    pub cause: Option<String>,
    /// The state document at the end.
    pub output: Value,
    /// Its states.
    pub states: Vec<State>,
}

impl Ended {
    /// How it ended, in a line.
    pub fn says(&self) -> String {
        let record = &self.output["record"];
        let outcome = record["outcome"].as_str().unwrap_or(&self.status);
        let why = record["reason"].as_str().or(self.cause.as_deref());
        match why {
            Some(why) => format!("{outcome} {why}"),
            None => outcome.to_owned(),
        }
    }
}

/// A state of an execution.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// Its name.
    pub name: String,
    /// How often its task was tried; 1 for a state without a task.
    pub attempts: u32,
    /// How long it took, in milliseconds; absent while it runs, or if it failed.
    pub milliseconds: Option<i64>,
    #[serde(skip)]
    entered: i64,
}

fn states_of(events: &[HistoryEvent]) -> Vec<State> {
    let at = |event: &HistoryEvent| event.timestamp.to_millis().unwrap_or(0);
    let mut states: Vec<State> = Vec::new();
    for event in events {
        if let Some(details) = event.state_entered_event_details() {
            states.push(State {
                name: details.name().to_owned(),
                attempts: 0,
                milliseconds: None,
                entered: at(event),
            });
        } else if let Some(state) = states.last_mut() {
            if matches!(
                event.r#type,
                HistoryEventType::TaskScheduled | HistoryEventType::LambdaFunctionScheduled
            ) {
                state.attempts += 1;
            } else if event.state_exited_event_details().is_some() {
                state.milliseconds = Some(at(event) - state.entered);
            }
        }
    }
    for state in &mut states {
        state.attempts = state.attempts.max(1);
    }
    states
}

fn role(account: &Account) -> String {
    format!("arn:aws:iam::{}:role/{NAME}", account.id())
}

/// The input of an ad-hoc run.
pub fn ad_hoc(bot: &str, date: jiff::civil::Date, slot: u32) -> Value {
    json!({"bot": bot, "slot": slot, "date": date.to_string()})
}

/// The input that a schedule gives.
pub fn scheduled(bot: &str, slot: u32, at: Timestamp) -> Value {
    json!({"bot": bot, "slot": slot, "scheduledTime": at.to_string()})
}
