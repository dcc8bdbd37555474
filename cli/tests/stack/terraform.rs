//! Terraform, on an emulator.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    path::{Path, PathBuf},
    time::Instant,
};

use local_cloud::build_functions;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::{PREFIX, print};

/// Resources that a second plan updates although nothing has changed: the emulator does not return all attributes of a
/// metric alarm, nor the tracing of a state machine.
const INCOMPLETE: [&str; 2] = ["aws_cloudwatch_metric_alarm", "aws_sfn_state_machine"];

pub struct Terraform {
    directory: PathBuf,
    environment: HashMap<OsString, OsString>,
    // The files that Terraform writes.
    _temporary: TempDir,
}

impl Terraform {
    /// Initializes the environment dev. `None` if Terraform or its AWS provider is not installed.
    pub async fn new(url: &str, aws: &aws_config::SdkConfig) -> Option<Terraform> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let temporary = tempfile::tempdir().unwrap();
        let zips = temporary.path().join("lambda");
        for (name, zip) in build_functions().await.unwrap().packages().unwrap() {
            std::fs::create_dir_all(zips.join(&name)).unwrap();
            std::fs::write(zips.join(&name).join("bootstrap.zip"), zip).unwrap();
        }
        let mut environment: HashMap<OsString, OsString> = HashMap::new();
        let mut set = |name: &str, value: &str| drop(environment.insert(name.into(), value.into()));
        // The provider mirror of this machine, if there is one.
        let offline = Command::new(root.join("terraform/offline"))
            .output()
            .await
            .unwrap();
        let configuration = temporary.path().join("terraformrc");
        let has_mirror = !offline.stdout.is_empty();
        if has_mirror {
            std::fs::write(&configuration, offline.stdout).unwrap();
            set("TF_CLI_CONFIG_FILE", configuration.to_str().unwrap());
        }
        set(
            "TF_DATA_DIR",
            temporary.path().join("data").to_str().unwrap(),
        );
        set("TF_IN_AUTOMATION", "1");
        set("AWS_ENDPOINT_URL", url);
        set("AWS_ACCESS_KEY_ID", "test");
        set("AWS_SECRET_ACCESS_KEY", "test");
        set("AWS_REGION", "us-east-1");
        set("AWS_EC2_METADATA_DISABLED", "true");
        set("TF_VAR_mail_from", "spooky-days@example.org");
        set("TF_VAR_alert_to", "[\"alerts@example.org\"]");
        set("TF_VAR_owns_mail_identities", "true");
        set("TF_VAR_architecture", "x86_64");
        set("TF_VAR_zips_directory", zips.to_str().unwrap());
        let terraform = Terraform {
            directory: root.join("terraform/envs/dev"),
            environment,
            _temporary: temporary,
        };
        // The bucket that docs/deploy.md has an administrator create.
        let s3 = aws_sdk_s3::Client::new(aws);
        s3.create_bucket().bucket("state").send().await.unwrap();
        let init = [
            "init",
            "-input=false",
            "-lockfile=readonly",
            "-backend-config=bucket=state",
            "-backend-config=region=us-east-1",
            "-backend-config=use_path_style=true",
        ];
        match terraform.run(&init).await {
            Ok(_) => Some(terraform),
            Err(why) => {
                assert!(!has_mirror, "{why}");
                print(&why);
                None
            }
        }
    }

    async fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let ran = Command::new("terraform")
            .arg(format!("-chdir={}", self.directory.display()))
            .args(arguments)
            .args((arguments[0] != "show").then_some("-no-color"))
            .envs(&self.environment)
            .output()
            .await;
        let output = ran.map_err(|error| {
            format!("cannot run terraform: {error}; install it, or add it to the PATH")
        })?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(format!(
                "{}\n{}",
                text(&output.stdout),
                text(&output.stderr)
            )),
        }
    }

    async fn succeed(&self, arguments: &[&str]) -> String {
        match self.run(arguments).await {
            Ok(output) => output,
            Err(why) => panic!("terraform {}: {why}", arguments.join(" ")),
        }
    }

    /// Applies the environment and returns a summary.
    pub async fn apply(&self) -> String {
        let started = Instant::now();
        let output = self
            .succeed(&["apply", "-input=false", "-auto-approve"])
            .await;
        summary(&output, "Apply complete! ", started)
    }

    pub async fn destroy(&self) -> String {
        let started = Instant::now();
        let output = self
            .succeed(&["destroy", "-input=false", "-auto-approve"])
            .await;
        summary(&output, "Destroy complete! ", started)
    }

    /// The addresses that a second plan would change, without `INCOMPLETE`.
    pub async fn drift(&self) -> Vec<String> {
        let plan = self._temporary.path().join("plan");
        let plan = plan.to_str().unwrap();
        self.succeed(&["plan", "-input=false", &format!("-out={plan}")])
            .await;
        let plan: Value =
            serde_json::from_str(&self.succeed(&["show", "-json", plan]).await).unwrap();
        let changes = plan["resource_changes"].as_array().unwrap().iter();
        changes
            .filter(|change| change["mode"] == "managed")
            .filter(|change| change["change"]["actions"] != serde_json::json!(["no-op"]))
            .filter(|change| {
                let incomplete = INCOMPLETE.contains(&change["type"].as_str().unwrap());
                !incomplete || change["change"]["actions"] != serde_json::json!(["update"])
            })
            .map(|change| format!("{} {}", change["address"], change["change"]["actions"]))
            .collect()
    }

    /// The resources by their addresses within the module.
    pub async fn state(&self) -> BTreeMap<String, Value> {
        let state: Value = serde_json::from_str(&self.succeed(&["show", "-json"]).await).unwrap();
        let mut resources = BTreeMap::new();
        collect(&state["values"]["root_module"], &mut resources);
        resources
    }
}

fn collect(module: &Value, resources: &mut BTreeMap<String, Value>) {
    for resource in module["resources"].as_array().into_iter().flatten() {
        let address = resource["address"].as_str().unwrap();
        let address = address.trim_start_matches("module.daily_post.");
        resources.insert(address.to_owned(), resource["values"].clone());
    }
    for child in module["child_modules"].as_array().into_iter().flatten() {
        collect(child, resources);
    }
}

fn summary(output: &str, begins: &str, started: Instant) -> String {
    let line = output.lines().find_map(|line| line.strip_prefix(begins));
    let seconds = started.elapsed().as_secs();
    format!(
        "{} ({seconds} s)",
        line.unwrap_or(output).trim_end_matches('.').to_lowercase()
    )
}

/// The resources of the deployment that are still in the account, by service.
pub async fn what_is_left(aws: &aws_config::SdkConfig) -> BTreeMap<&'static str, Vec<String>> {
    let ours = |names: Vec<String>| -> Vec<String> {
        names
            .into_iter()
            .filter(|name| name.contains(PREFIX))
            .collect()
    };
    let names = |names: &[String]| ours(names.to_vec());
    let dynamodb = aws_sdk_dynamodb::Client::new(aws)
        .list_tables()
        .send()
        .await
        .unwrap();
    let lambda = aws_sdk_lambda::Client::new(aws)
        .list_functions()
        .send()
        .await
        .unwrap();
    let buckets = aws_sdk_s3::Client::new(aws)
        .list_buckets()
        .send()
        .await
        .unwrap();
    let secrets = aws_sdk_secretsmanager::Client::new(aws)
        .list_secrets()
        .send()
        .await
        .unwrap();
    let machines = aws_sdk_sfn::Client::new(aws)
        .list_state_machines()
        .send()
        .await
        .unwrap();
    let schedules = aws_sdk_scheduler::Client::new(aws)
        .list_schedules()
        .send()
        .await
        .unwrap();
    let rules = aws_sdk_eventbridge::Client::new(aws)
        .list_rules()
        .send()
        .await
        .unwrap();
    let identities = aws_sdk_sesv2::Client::new(aws)
        .list_email_identities()
        .send()
        .await
        .unwrap();
    let left = BTreeMap::from([
        ("tables", names(dynamodb.table_names())),
        (
            "functions",
            ours(
                lambda
                    .functions()
                    .iter()
                    .filter_map(|f| f.function_name.clone())
                    .collect(),
            ),
        ),
        (
            "buckets",
            ours(
                buckets
                    .buckets()
                    .iter()
                    .filter_map(|b| b.name.clone())
                    .collect(),
            ),
        ),
        (
            "secrets",
            ours(
                secrets
                    .secret_list()
                    .iter()
                    .filter_map(|s| s.name.clone())
                    .collect(),
            ),
        ),
        (
            "state machines",
            ours(
                machines
                    .state_machines()
                    .iter()
                    .map(|m| m.name.clone())
                    .collect(),
            ),
        ),
        (
            "schedules",
            schedules
                .schedules()
                .iter()
                .filter_map(|s| s.name.clone())
                .collect(),
        ),
        (
            "rules",
            ours(
                rules
                    .rules()
                    .iter()
                    .filter_map(|r| r.name.clone())
                    .collect(),
            ),
        ),
        (
            "identities",
            identities
                .email_identities()
                .iter()
                .filter_map(|i| i.identity_name.clone())
                .collect(),
        ),
    ]);
    left.into_iter()
        .filter(|(_, names)| !names.is_empty())
        .collect()
}
