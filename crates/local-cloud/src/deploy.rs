//! Deploys to the emulator what Terraform deploys to AWS.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use anyhow::{Context, bail};
use aws_sdk_eventbridge::types::Target;
use aws_sdk_lambda::{
    primitives::Blob,
    types::{Environment, FunctionCode, FunctionUrlAuthType, Runtime},
};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use deployment::{BotFiles, DEFINITION, Deployment, FunctionDescription, functions};
use fakes::x::Credentials;
use provider_secrets::x_credentials_id;
use serde_json::{Value, json};

use crate::{Account, REGION, Zips};

/// What the local cloud is called.
const ENV: &str = "local";
/// The name of its table.
pub const TABLE: &str = "daily-post-local";

/// The sender of all emails.
const MAIL_FROM: &str = "spooky-days@example.org";

/// Receives the notifications of a bot whose `bot.toml` cannot be read.
const ALERT_TO: &str = "alerts@example.org";

/// The settings of the functions.
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
    /// How long an invocation of `post-tweet` may send, in seconds.
    pub lease_seconds: u32,
    /// Overrides the timeouts of functions, in seconds, by the function's name.
    pub timeouts: HashMap<String, i32>,
}

/// The local deployment that was deployed in an account of the emulator.
pub async fn connect(account: &Account) -> Deployment {
    let aws = account.sdk_config().await;
    Deployment::named(ENV, account.id(), &aws, Some(account.url().to_owned()))
}

/// Deploys everything. Resources of an earlier start stay; functions get the current code.
pub async fn deploy(
    account: &Account,
    settings: &Settings,
    zips: &Zips,
) -> anyhow::Result<Deployment> {
    let deployment = connect(account).await;
    account
        .create_table(TABLE)
        .await
        .context("creating the table")?;
    create_buckets(&deployment)
        .await
        .context("creating the buckets")?;
    let openai_secret = put_secret(
        &deployment,
        &format!("{}/openai", deployment.name),
        &json!({"apiKey": settings.openai_key}),
    )
    .await
    .context("creating the secret of OpenAI")?;
    for (bot, credentials) in &settings.x_credentials {
        let id = x_credentials_id(&deployment.name, bot);
        put_secret(&deployment, &id, &json!(credentials))
            .await
            .with_context(|| format!("creating the secret {id}"))?;
    }
    let review_secret = put_secret(
        &deployment,
        &format!("{}/review", deployment.name),
        &json!({"current": settings.review_key}),
    )
    .await
    .context("creating the secret of the approval page")?;
    verify_sender(&deployment)
        .await
        .context("verifying the sender of the emails")?;
    let described = functions()?;
    for (name, function) in &described {
        let zip = zips
            .get(name)
            .with_context(|| format!("{name} was not built"))?;
        create_function(&deployment, settings, name, function, zip)
            .await
            .with_context(|| format!("creating the function {name}"))?;
    }
    // The function URL exists only after its function, and is part of the functions' environment.
    let review_url = review_url(&deployment, account)
        .await
        .context("creating the address of the approval page")?;
    let lease = settings.lease_seconds.to_string();
    let environment: HashMap<&str, &str> = HashMap::from([
        ("TABLE_NAME", TABLE),
        ("BOT_FILES_BUCKET", deployment.bot_files_bucket.as_str()),
        ("IMAGE_BUCKET", deployment.image_bucket.as_str()),
        ("OPENAI_SECRET_ARN", openai_secret.as_str()),
        ("OPENAI_BASE_URL", settings.openai_url.as_str()),
        ("SECRETS_PREFIX", deployment.name.as_str()),
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
        let arn = publish_function(&deployment, &environment, name, function)
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
    create_state_machine(&deployment, &definition)
        .await
        .context("creating the state machine")?;
    create_rule(&deployment, alias("record-result")?)
        .await
        .context("creating the rule on failed executions")?;
    upload_bot_files(
        &deployment,
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bots"),
    )
    .await
    .context("uploading the bot's files")?;
    Ok(deployment)
}

async fn create_buckets(deployment: &Deployment) -> anyhow::Result<()> {
    let there = deployment.s3.list_buckets().send().await?;
    let there: Vec<&str> = there
        .buckets()
        .iter()
        .filter_map(|bucket| bucket.name())
        .collect();
    for bucket in [&deployment.image_bucket, &deployment.bot_files_bucket] {
        if !there.contains(&bucket.as_str()) {
            deployment.s3.create_bucket().bucket(bucket).send().await?;
        }
        deployment
            .s3
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

async fn put_secret(deployment: &Deployment, name: &str, value: &Value) -> anyhow::Result<String> {
    let made = deployment
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
            deployment
                .secrets
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

async fn verify_sender(deployment: &Deployment) -> anyhow::Result<()> {
    let made = deployment
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

async fn create_function(
    deployment: &Deployment,
    settings: &Settings,
    name: &str,
    function: &FunctionDescription,
    zip: &[u8],
) -> anyhow::Result<()> {
    let full_name = deployment.function_name(name);
    // From an earlier start: with today's code and ports it is another function.
    let gone = deployment
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
    deployment
        .lambda
        .create_function()
        .function_name(&full_name)
        .runtime(Runtime::from("provided.al2023"))
        .handler("bootstrap")
        .role(deployment.role())
        .timeout(timeout)
        .memory_size(function.memory_mb)
        .code(FunctionCode::builder().zip_file(Blob::new(zip)).build())
        .send()
        .await?;
    Ok(())
}

/// The address of the approval page; browsers resolve `*.localhost` to this machine.
/// It is a function URL, whose events are those of an HTTP API, since the emulator finds HTTP APIs in one
/// account only.
async fn review_url(deployment: &Deployment, account: &Account) -> anyhow::Result<String> {
    let name = deployment.function_name("review");
    let made = deployment
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
            let there = deployment
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
        REGION
    ))
}

/// Sets a function's environment, publishes a version, and points the alias `live` to it.
async fn publish_function(
    deployment: &Deployment,
    environment: &HashMap<&str, &str>,
    name: &str,
    function: &FunctionDescription,
) -> anyhow::Result<String> {
    let full_name = deployment.function_name(name);
    let mut variables = HashMap::new();
    for variable in &function.environment {
        let Some(value) = environment.get(variable.as_str()) else {
            bail!(
                "functions.json names the variable {variable}, which the local deployment does not have"
            );
        };
        variables.insert(variable.clone(), (*value).to_owned());
    }
    // What a deployment sets with the function's log format, and the emulator does not.
    variables.insert("AWS_LAMBDA_LOG_FORMAT".to_owned(), "JSON".to_owned());
    deployment
        .lambda
        .update_function_configuration()
        .function_name(&full_name)
        .environment(
            Environment::builder()
                .set_variables(Some(variables))
                .build(),
        )
        .send()
        .await?;
    let published = deployment
        .lambda
        .publish_version()
        .function_name(&full_name)
        .send()
        .await?;
    let version = published.version.context("the function has no version")?;
    let alias = deployment
        .lambda
        .create_alias()
        .function_name(&full_name)
        .name("live")
        .function_version(version)
        .send()
        .await?;
    alias.alias_arn.context("the alias has no ARN")
}

async fn create_state_machine(deployment: &Deployment, definition: &str) -> anyhow::Result<()> {
    let made = deployment
        .sfn
        .create_state_machine()
        .name(&deployment.name)
        .definition(definition)
        .role_arn(deployment.role())
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
    // The state machine of an earlier start can have an older definition.
    deployment
        .sfn
        .update_state_machine()
        .state_machine_arn(&deployment.state_machine_arn)
        .definition(definition)
        .send()
        .await?;
    Ok(())
}

async fn create_rule(deployment: &Deployment, record_result: &str) -> anyhow::Result<()> {
    let pattern = json!({
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {
            // The machines of continuations are named after it.
            "stateMachineArn": [{"prefix": deployment.state_machine_arn}],
            "status": ["FAILED", "TIMED_OUT", "ABORTED"],
        },
    });
    let rule = format!("{}-failed", deployment.name);
    deployment
        .events
        .put_rule()
        .name(&rule)
        .event_pattern(pattern.to_string())
        .send()
        .await?;
    let target = Target::builder()
        .id("record-result")
        .arn(record_result)
        .build()?;
    deployment
        .events
        .put_targets()
        .rule(&rule)
        .targets(target)
        .send()
        .await?;
    Ok(())
}

/// Uploads the files of all bots, after checking them.
pub async fn upload_bot_files(deployment: &Deployment, directory: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let folder = entry?.path();
        let Some(bot) = folder.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        BotFiles::from_folder(directory, bot)?;
        for file in ["bot.toml", "calendar.toml"] {
            let text = std::fs::read(folder.join(file))?;
            deployment.put_bot_file(bot, file, text).await?;
        }
    }
    Ok(())
}
