//! What a test of the function sets up.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sfn::types::ExecutionStatus;
use fakes::lambda;
use jiff::Timestamp;
use lambda_runtime::Diagnostic;
use local_cloud::{Account, Emulator, Mail};
use post::PostId;
use posts_table::{Claim, Record, Table};
use record_result::{Clients, Config, Error, Input, Output, record_result};
use serde_json::{Value, json};

pub const POST: &str = "spooky-days/2026-10-30/1";
pub const BOT_TOML: &str = include_str!("../../../../bots/spooky-days/bot.toml");
pub const FROM: &str = "bot@example.org";
pub const OWNER: &str = "owner@example.org";
pub const ALERTS: &str = "alerts@example.org";

/// The function with a table, a bot and a mail account that no other test uses.
pub struct Fixture {
    pub account: Account,
    pub aws: SdkConfig,
    pub dynamodb: aws_sdk_dynamodb::Client,
    pub clients: Clients,
    pub config: Config,
}

impl Fixture {
    pub async fn new() -> anyhow::Result<Fixture> {
        let account = Emulator::shared().await.account();
        let aws = account.sdk_config().await;
        let dynamodb = aws_sdk_dynamodb::Client::new(&aws);
        let config = Config {
            table_name: "posts".to_owned(),
            bot_files_bucket: format!("bots-{}", account.id()),
            mail_from: FROM.to_owned(),
            alert_to: vec![ALERTS.to_owned()],
        };
        account.create_table(&config.table_name).await?;
        let clients = Clients::new(&aws, &config);
        let bucket = clients.s3.create_bucket().bucket(&config.bot_files_bucket);
        bucket.send().await?;
        let verify = clients.notifier.ses.create_email_identity();
        verify.email_identity(FROM).send().await?;
        let fixture = Fixture {
            account,
            aws,
            dynamodb,
            clients,
            config,
        };
        fixture.put_bot(BOT_TOML).await?;
        Ok(fixture)
    }

    /// Deploys a `bot.toml`.
    pub async fn put_bot(&self, text: &str) -> anyhow::Result<()> {
        let put = self.clients.s3.put_object();
        put.bucket(&self.config.bot_files_bucket)
            .key("spooky-days/bot.toml")
            .body(ByteStream::from(text.as_bytes().to_vec()))
            .send()
            .await?;
        Ok(())
    }

    pub fn table(&self) -> &Table {
        &self.clients.notifier.table
    }

    pub async fn mails(&self) -> Vec<Mail> {
        self.account.mails().await.unwrap()
    }

    /// The subjects of the mails to an address.
    pub async fn subjects_to(&self, who: &str) -> Vec<String> {
        let mails = self.mails().await;
        let to_them = mails.into_iter().filter(|mail| mail.to == [who]);
        to_them.map(|mail| mail.subject).collect()
    }

    /// The ARN of an execution of this account that does not exist.
    pub fn run(&self, name: &str) -> String {
        format!(
            "arn:aws:states:{}:{}:execution:daily-post:{name}",
            local_cloud::REGION,
            self.account.id()
        )
    }

    pub async fn claim(&self, post: &str, execution: &str) -> anyhow::Result<()> {
        let post: PostId = post.parse()?;
        let record = Record {
            day: json!({"status": "picked", "post": post.to_string()}),
            approval_required: false,
            ..Record::claimed(&post, execution, now())
        };
        let claimed = self.table().claim(&post, &record).await?;
        anyhow::ensure!(matches!(claimed, Claim::Held(_)), "{post} is taken");
        Ok(())
    }

    pub async fn record(&self, post: &str) -> anyhow::Result<Option<Record>> {
        Ok(self.table().read(&post.parse()?).await?)
    }

    /// The record as JSON, to compare it.
    pub async fn snapshot(&self, post: &str) -> anyhow::Result<Value> {
        Ok(serde_json::to_value(self.record(post).await?)?)
    }

    pub async fn handle(&self, input: Value) -> Result<Output, Error> {
        record_result(&self.clients, &self.config, now(), read(input)).await
    }

    /// The sort keys and the lines of a post's audit trail, without its notifications.
    pub async fn audit(&self, post: &str) -> anyhow::Result<Vec<(String, Value)>> {
        let post: PostId = post.parse()?;
        let found = self
            .dynamodb
            .query()
            .table_name(&self.config.table_name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :audit)")
            .expression_attribute_values(":pk", AttributeValue::S(post.partition_key()))
            .expression_attribute_values(
                ":audit",
                AttributeValue::S(format!("{}#audit#", post.sort_key())),
            )
            .send()
            .await?;
        let text =
            |v: Option<&AttributeValue>| v.and_then(|v| v.as_s().ok()).cloned().unwrap_or_default();
        Ok(found
            .items()
            .iter()
            .map(|item| {
                let details = item.get("details").and_then(|v| v.as_m().ok());
                let execution = text(details.and_then(|details| details.get("execution")));
                (
                    text(item.get("sk")),
                    json!({"what": text(item.get("what")), "execution": execution}),
                )
            })
            .filter(|(_, line)| {
                !line["what"]
                    .as_str()
                    .is_some_and(|what| what.starts_with("told#"))
            })
            .collect())
    }

    pub async fn items(&self) -> anyhow::Result<usize> {
        let scan = self.dynamodb.scan().table_name(&self.config.table_name);
        Ok(scan.send().await?.items().len())
    }

    /// Runs a machine of two states whose second one fails, and gives the execution's ARN.
    pub async fn failing_run(&self) -> anyhow::Result<String> {
        let sfn = &self.clients.sfn;
        let definition = json!({
            "StartAt": "PickDay",
            "States": {
                "PickDay": {"Type": "Pass", "Next": "GenerateImage"},
                "GenerateImage": {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::aws-sdk:dynamodb:getItem",
                    "Parameters": {"TableName": "no-such-table", "Key": {"pk": {"S": "x"}, "sk": {"S": "y"}}},
                    "End": true,
                },
            },
        });
        let machine = sfn
            .create_state_machine()
            .name("daily-post")
            .definition(definition.to_string())
            .role_arn(format!(
                "arn:aws:iam::{}:role/daily-post",
                self.account.id()
            ))
            .send()
            .await?;
        let run = sfn
            .start_execution()
            .state_machine_arn(machine.state_machine_arn())
            .input("{}")
            .send()
            .await?;
        loop {
            let now = sfn
                .describe_execution()
                .execution_arn(&run.execution_arn)
                .send()
                .await?;
            match now.status {
                // The emulator answers each request, so this ends as soon as it has run two states.
                ExecutionStatus::Running => tokio::task::yield_now().await,
                ExecutionStatus::Failed => return Ok(run.execution_arn),
                status => anyhow::bail!("the run did not fail: {status}"),
            }
        }
    }
}

pub fn now() -> Timestamp {
    Timestamp::from_second(1_793_361_600).unwrap_or_default()
}

pub fn read(input: Value) -> Input {
    lambda_function::read::<_, record_result::Error>(input.clone())
        .unwrap_or_else(|error| panic!("{input}: {error}"))
}

/// The state data at the end of a run, with what differs from an ordinary one.
pub fn end(execution: &str, change: &Value) -> Value {
    let mut state = json!({
        "execution": execution,
        "day": {"status": "picked", "post": POST},
        "prompt": {"prompt": "A ghost", "caption": "Boo!", "altText": "A ghost."},
        "draft": {"key": "drafts/x", "costUsd": 0.05},
        "image": {"key": "pictures/x", "sha256": "00"},
        "tweet": {"status": "posted", "id": "17", "url": "https://x.com/i/status/17", "costUsd": 0.015},
    });
    for (field, value) in change.as_object().into_iter().flatten() {
        state[field] = value.clone();
    }
    state
}

/// An event as EventBridge sends it, with what differs from an ordinary failure.
pub fn event(execution: &str, change: &Value) -> Value {
    let mut detail = json!({
        "executionArn": execution,
        "stateMachineArn": "arn:aws:states:us-east-1:1:stateMachine:daily-post",
        "name": "a",
        "status": "FAILED",
        "startDate": 1_793_361_000_000_i64,
        "stopDate": 1_793_361_600_000_i64,
        "input": json!({"bot": "spooky-days", "slot": 1, "date": "2026-10-30"}).to_string(),
        "inputDetails": {"included": true},
        "output": null,
        "outputDetails": null,
        "error": "ModelGone",
        "cause": "{\"errorMessage\": \"The model does not exist.\"}",
        "redriveCount": 0,
        "redriveStatus": "REDRIVABLE",
    });
    for (field, value) in change.as_object().into_iter().flatten() {
        detail[field] = value.clone();
    }
    json!({
        "version": "0",
        "id": "315c1398-40ff-a850-213b-158f73e60175",
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": "123456789012",
        "time": "2026-10-30T12:00:00Z",
        "region": "us-east-1",
        "resources": [execution],
        "detail": detail,
    })
}

/// An error's name and message, after a check of what holds for all of them.
pub fn diagnostic(error: Error) -> (String, String) {
    let name = <&str>::from(&error).to_owned();
    let diagnostic = Diagnostic::from(error);
    assert_eq!(diagnostic.error_type, name);
    let message = diagnostic.error_message;
    assert!(!message.is_empty(), "{name} has no message");
    assert!(!message.contains(['\n', '\r']), "{name}: {message:?}");
    (name, message)
}

/// The errors of the deployed binary for payloads that it cannot read.
pub async fn answered(payloads: &[Value]) -> anyhow::Result<Vec<Value>> {
    let environment = [
        ("TABLE_NAME", "x"),
        ("BOT_FILES_BUCKET", "x"),
        ("MAIL_FROM", FROM),
        ("ALERT_TO", ALERTS),
    ];
    let binary = env!("CARGO_BIN_EXE_record-result");
    let answers = lambda::invoke(binary, &environment, payloads).await?;
    Ok(answers.into_iter().map(|answer| answer.body).collect())
}
