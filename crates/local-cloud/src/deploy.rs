//! The local cloud: what Terraform deploys to AWS, deployed to the emulator.

use std::{
    collections::{BTreeMap, HashMap},
    io::{Cursor, Write},
    path::Path,
    process::Stdio,
};

use anyhow::{Context, bail, ensure};
use aws_sdk_eventbridge::types::Target;
use aws_sdk_lambda::{
    primitives::Blob,
    types::{Environment, FunctionCode, FunctionUrlAuthType, Runtime},
};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use fakes::x::Credentials;
use local_cloud::Account;
use provider_secrets::x_credentials_id;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Cloud, DEFINITION};

/// The one description of the functions.
const FUNCTIONS: &str = include_str!("../../../functions/functions.json");
/// What the local cloud is called.
const ENV: &str = "local";
/// The name of its table.
pub const TABLE: &str = "daily-post-local";

/// The sender of the mails.
const MAIL_FROM: &str = "spooky-days@example.org";

/// Who is told where `bot.toml` cannot say it.
const ALERT_TO: &str = "alerts@example.org";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Function {
    pub(crate) timeout_seconds: i32,
    pub(crate) memory_mb: i32,
    pub(crate) environment: Vec<String>,
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
    /// The X credentials of each bot, by the bot's name.
    pub x_credentials: BTreeMap<String, Credentials>,
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
    let directory = local_cloud::target_directory().join(profile);
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

/// The functions, as they are to be deployed.
pub(crate) fn functions() -> anyhow::Result<BTreeMap<String, Function>> {
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

impl Cloud {
    /// The local cloud that was deployed in an account of the emulator.
    pub async fn of(account: &Account) -> Cloud {
        let aws = account.sdk_config().await;
        Cloud::named(ENV, account.id(), &aws, Some(account.clone()))
    }

    /// Deploys everything. What is there from an earlier start stays, with today's code.
    pub async fn deploy(
        account: &Account,
        settings: &Settings,
        zips: &Zips,
    ) -> anyhow::Result<Cloud> {
        let cloud = Cloud::of(account).await;
        account
            .make_table(TABLE)
            .await
            .context("making the table")?;
        cloud.make_buckets().await.context("making the buckets")?;
        let openai_secret = cloud
            .make_secret(
                &format!("{}/openai", cloud.name),
                &json!({"apiKey": settings.openai_key}),
            )
            .await
            .context("making the secret of OpenAI")?;
        for (bot, credentials) in &settings.x_credentials {
            let id = x_credentials_id(&cloud.name, bot);
            cloud
                .make_secret(&id, &json!(credentials))
                .await
                .with_context(|| format!("creating the secret {id}"))?;
        }
        let review_secret = cloud
            .make_secret(
                &format!("{}/review", cloud.name),
                &json!({"current": settings.review_key}),
            )
            .await
            .context("making the secret of the approval page")?;
        cloud
            .verify_sender()
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
            .make_review_url(account)
            .await
            .context("making the address of the approval page")?;
        let lease = settings.lease_seconds.to_string();
        let environment: HashMap<&str, &str> = HashMap::from([
            ("TABLE_NAME", TABLE),
            ("BOT_FILES_BUCKET", cloud.bot_files_bucket.as_str()),
            ("IMAGE_BUCKET", cloud.image_bucket.as_str()),
            ("OPENAI_SECRET_ARN", openai_secret.as_str()),
            ("OPENAI_BASE_URL", settings.openai_url.as_str()),
            ("SECRETS_PREFIX", cloud.name.as_str()),
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
            .make_state_machine(&definition)
            .await
            .context("making the state machine")?;
        cloud
            .make_rule(alias("record-result")?)
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
        let made = self
            .secrets
            .create_secret()
            .name(name)
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
                    .secret_id(name)
                    .secret_string(value.to_string())
                    .send()
                    .await?
                    .arn
            }
            Err(error) => return Err(error.into()),
        };
        arn.context("the secret has no ARN")
    }

    async fn verify_sender(&self) -> anyhow::Result<()> {
        let made = self
            .ses
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
        let full_name = self.function_name(name);
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
            .role(self.role())
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
    async fn make_review_url(&self, account: &Account) -> anyhow::Result<String> {
        let name = self.function_name("review");
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
        let port = account.url().rsplit(':').next().unwrap_or_default();
        Ok(format!(
            "http://{id}.lambda-url.{}.localhost:{port}",
            local_cloud::REGION
        ))
    }

    /// Gives a function its environment, and the alias that everything calls it by.
    async fn publish_function(
        &self,
        environment: &HashMap<&str, &str>,
        name: &str,
        function: &Function,
    ) -> anyhow::Result<String> {
        let full_name = self.function_name(name);
        let mut variables = HashMap::new();
        for variable in &function.environment {
            let Some(value) = environment.get(variable.as_str()) else {
                bail!(
                    "functions.json names the variable {variable}, which the local cloud does not have"
                );
            };
            variables.insert(variable.clone(), (*value).to_owned());
        }
        // What a deployment sets with the function's log format, and the emulator does not.
        variables.insert("AWS_LAMBDA_LOG_FORMAT".to_owned(), "JSON".to_owned());
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

    async fn make_state_machine(&self, definition: &str) -> anyhow::Result<()> {
        let made = self
            .sfn
            .create_state_machine()
            .name(&self.name)
            .definition(definition)
            .role_arn(self.role())
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

    async fn make_rule(&self, record_result: &str) -> anyhow::Result<()> {
        let pattern = json!({
            "source": ["aws.states"],
            "detail-type": ["Step Functions Execution Status Change"],
            "detail": {
                // The machines of continuations are named after it.
                "stateMachineArn": [{"prefix": self.state_machine_arn}],
                "status": ["FAILED", "TIMED_OUT", "ABORTED"],
            },
        });
        let rule = format!("{}-failed", self.name);
        self.events
            .put_rule()
            .name(&rule)
            .event_pattern(pattern.to_string())
            .send()
            .await?;
        let target = Target::builder()
            .id("record-result")
            .arn(record_result)
            .build()?;
        self.events
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
}
