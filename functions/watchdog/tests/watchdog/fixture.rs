//! The function with separate bots, approvals, runs and providers.

use std::collections::HashMap;

use aws_config::{SdkConfig, retry::RetryConfig};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::{
    primitives::ByteStream,
    types::{BucketVersioningStatus, VersioningConfiguration},
};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::Diagnostic;
use local_cloud::{Account, Emulator, Mail};
use post::PostId;
use posts_table::{
    ApprovalImage, ApprovalItem, Decide, Decision, OnExpiry, Record, Table, Verdict, content_hash,
};
use serde_json::{Value, json};
use watchdog::{Clients, Config, Done, Error, Input, Output, watchdog};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::header};

pub const BOT: &str = "spooky-days";
pub const POST: &str = "spooky-days/2026-10-30/1";
pub const BASE: &str = "https://review.example";
pub const FROM: &str = "bot@example.org";
pub const ALERTS: &str = "alerts@example.org";
pub const BOT_TOML: &str = include_str!("../../../../bots/spooky-days/bot.toml");
pub const CALENDAR_TOML: &str = include_str!("../../../../bots/spooky-days/calendar.toml");
pub const OWNER: &str = "owner@example.org";
pub const FRIEND: &str = "friend@example.net";
pub const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
/// Every approval of these tests closes four hours after it was opened, and is reminded of an hour before.
pub const DEADLINE: i64 = 4 * 60 * 60;
pub const REMINDER: i64 = 3 * 60 * 60;

/// The function with bots.
pub struct Fixture {
    pub account: Account,
    pub aws: SdkConfig,
    pub dynamodb: aws_sdk_dynamodb::Client,
    pub clients: Clients,
    pub config: Config,
}

impl Fixture {
    pub async fn new() -> Fixture {
        let account = Emulator::shared().await.account();
        account.create_table("posts").await.unwrap();
        let aws = account.sdk_config().await;
        let config = Config {
            table_name: "posts".to_owned(),
            bot_files_bucket: format!("bots-{}", account.id()),
            review_secret_arn: "review".to_owned(),
            review_base_url: BASE.to_owned(),
            mail_from: FROM.to_owned(),
            alert_to: vec![ALERTS.to_owned()],
            // Nothing listens there, unless a test sets another address.
            secrets_prefix: "daily-post-test".to_owned(),
            x_api_base_url: "http://127.0.0.1:9".to_owned(),
            openai_secret_arn: "openai".to_owned(),
            openai_base_url: "http://127.0.0.1:9/v1".to_owned(),
        };
        let fixture = Fixture {
            clients: Clients::new(&aws, &config),
            dynamodb: aws_sdk_dynamodb::Client::new(&aws),
            account,
            aws,
            config,
        };
        let bucket = fixture.clients.s3.create_bucket();
        let bucket = bucket.bucket(&fixture.config.bot_files_bucket);
        bucket.send().await.unwrap();
        let bucket = fixture.clients.s3.put_bucket_versioning();
        let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled);
        let bucket = bucket
            .bucket(&fixture.config.bot_files_bucket)
            .versioning_configuration(versioning.build());
        bucket.send().await.unwrap();
        fixture.put_file("spooky-days/bot.toml").await;
        fixture
            .put("spooky-days/calendar.toml", CALENDAR_TOML)
            .await;
        let verify = fixture.clients.ses.create_email_identity();
        verify.email_identity(FROM).send().await.unwrap();
        let secret = fixture.clients.secrets.create_secret().name("review");
        let secret = secret.secret_string(json!({"current": KEY}).to_string());
        secret.send().await.unwrap();
        fixture
    }

    /// Deploys the shipped `bot.toml` as a file, and has the digests of the days of these tests done.
    pub async fn put_file(&self, key: &str) {
        self.put(key, BOT_TOML).await;
        let bot = key.split('/').next().unwrap();
        for day in ["2026-10-30", "2026-10-31"] {
            let event = notifications::digest_event(bot, day.parse().unwrap());
            self.table().mark_event(&event, at(0)).await.unwrap();
        }
    }

    /// Deploys a file, and gives the time of its version.
    pub async fn put(&self, key: &str, text: &str) -> Timestamp {
        let (s3, bucket) = (&self.clients.s3, &self.config.bot_files_bucket);
        let put = s3.put_object().bucket(bucket).key(key);
        let put = put.body(ByteStream::from(text.as_bytes().to_vec()));
        put.send().await.unwrap();
        let there = s3.head_object().bucket(bucket).key(key).send().await;
        let at = there.unwrap().last_modified.unwrap();
        Timestamp::from_millisecond(at.to_millis().unwrap()).unwrap()
    }

    pub fn table(&self) -> &Table {
        &self.clients.decision.table
    }

    pub async fn delete_secret(&self) {
        let delete = self.clients.secrets.delete_secret().secret_id("review");
        let delete = delete.force_delete_without_recovery(true);
        delete.send().await.unwrap();
    }

    pub async fn open(&self, post: &str, change: impl FnOnce(&mut ApprovalItem)) {
        let mut approval = approval(post);
        change(&mut approval);
        let table = &self.clients.decision.table;
        table.open_approval(&approval).await.unwrap();
    }

    /// An open approval that an execution waits for, whose ARN it gives.
    pub async fn waiting(&self, post: &str, change: impl FnOnce(&mut ApprovalItem)) -> String {
        self.open(post, change).await;
        let execution = self.wait_for(post).await;
        self.claim(post, &execution).await;
        execution
    }

    pub async fn claim(&self, post: &str, execution: &str) {
        let claim: Record = serde_json::from_value(json!({
            "post": post,
            "execution": execution,
            "claimedAt": at(0),
            "ledger": "claimed",
            "day": {},
            "approvalRequired": true,
        }))
        .unwrap();
        let table = &self.clients.decision.table;
        table.claim(&id(post), &claim).await.unwrap();
    }

    /// Starts an execution that does nothing but what `AwaitApproval` does, and gives its ARN once its token is there.
    pub async fn wait_for(&self, post: &str) -> String {
        let [pk, sk] = approval(post).item_key().unwrap();
        let definition = json!({
            "QueryLanguage": "JSONata",
            "StartAt": "AwaitApproval",
            "States": {"AwaitApproval": {
                "Type": "Task",
                "Resource": "arn:aws:states:::aws-sdk:dynamodb:updateItem.waitForTaskToken",
                "Arguments": {
                    "TableName": "posts",
                    "Key": {"pk": {"S": pk}, "sk": {"S": sk}},
                    "UpdateExpression": "SET taskToken = :token",
                    "ConditionExpression": "attribute_exists(pk) AND attribute_not_exists(decision)",
                    "ExpressionAttributeValues": {":token": {"S": "{% $states.context.Task.Token %}"}},
                },
                "TimeoutSeconds": 90000,
                "End": true,
            }},
        });
        let sfn = &self.clients.decision.sfn;
        let machine = sfn
            .create_state_machine()
            .name(post.replace('/', "-"))
            .role_arn("arn:aws:iam::000000000000:role/states")
            .definition(definition.to_string());
        let machine = machine.send().await.unwrap().state_machine_arn;
        let execution = sfn.start_execution().state_machine_arn(machine).input("{}");
        let execution = execution.send().await.unwrap().execution_arn;
        for _ in 0..5000 {
            if self.approval(post).await.task_token.is_some() {
                return execution;
            }
        }
        panic!("the execution never waited");
    }

    pub async fn stop(&self, execution: &str) {
        let stop = self.clients.decision.sfn.stop_execution();
        stop.execution_arn(execution).send().await.unwrap();
        self.ended(execution).await;
    }

    /// How an execution ended, as soon as it has: it goes on a moment after it was told.
    pub async fn ended(&self, execution: &str) -> (String, Option<Value>) {
        for _ in 0..5000 {
            let status = self.status(execution).await;
            if status.0 != "RUNNING" {
                return status;
            }
        }
        panic!("{execution} never ended");
    }

    pub async fn status(&self, execution: &str) -> (String, Option<Value>) {
        let describe = self.clients.decision.sfn.describe_execution();
        let described = describe.execution_arn(execution).send().await.unwrap();
        let output = described.output.as_deref();
        (
            described.status.to_string(),
            output.map(|output| serde_json::from_str(output).unwrap()),
        )
    }

    /// An undelivered decision.
    pub async fn decide(&self, post: &str, seconds: i64) -> Decision {
        let decision = Decision {
            by: OWNER.to_owned(),
            at: at(seconds),
            verdict: Verdict::Rejected {
                reason: "Too sad".to_owned(),
            },
        };
        let hash = self.approval(post).await.presented_hash;
        let table = &self.clients.decision.table;
        let decided = table.decide(&id(post), 1, &hash, &decision).await.unwrap();
        assert!(matches!(decided, Decide::Counts(_)));
        decision
    }

    pub async fn mailed(&self, post: &str, address: &str) {
        let table = &self.clients.decision.table;
        let (post, details) = (id(post), json!({}));
        let mailed = table.mailed(&post, 1, address, false, &details, at(0));
        mailed.await.unwrap();
    }

    pub async fn look(&self, seconds: i64) -> Result<Done, Error> {
        self.look_at(at(seconds)).await
    }

    pub async fn look_at(&self, now: Timestamp) -> Result<Done, Error> {
        match watchdog(&self.clients, &self.config, now, Input::default()).await? {
            Output::Swept(done) => Ok(done),
            other => panic!("{other:?}"),
        }
    }

    /// The name and the message of a failure.
    pub async fn fails(&self, seconds: i64) -> (String, String) {
        let error = self.look(seconds).await.unwrap_err();
        let name = <&str>::from(&error).to_owned();
        let diagnostic = Diagnostic::from(error);
        assert_eq!(diagnostic.error_type, name);
        let message = diagnostic.error_message;
        assert!(
            !message.is_empty() && !message.contains('\n'),
            "{message:?}"
        );
        (name, message)
    }

    pub async fn approval(&self, post: &str) -> ApprovalItem {
        let table = &self.clients.decision.table;
        table.approval(&id(post), 1).await.unwrap().unwrap()
    }

    pub async fn decision(&self, post: &str) -> Option<Decision> {
        self.approval(post).await.decision
    }

    /// The posts of a bot that are to be looked after.
    pub async fn marked(&self, bot: &str) -> Vec<String> {
        let table = &self.clients.decision.table;
        let waiting = table.waiting_approvals(bot).await.unwrap();
        waiting
            .into_iter()
            .map(|waiting| waiting.unwrap().0.to_string())
            .collect()
    }

    pub async fn mails(&self) -> Vec<Mail> {
        self.account.mails().await.unwrap()
    }

    /// The whole table, to see that nothing changes.
    pub async fn everything(&self) -> Vec<HashMap<String, AttributeValue>> {
        let scan = self.dynamodb.scan().table_name("posts").send().await;
        let mut items = scan.unwrap().items.unwrap_or_default();
        items.sort_by_key(|item| {
            let key = |name| item[name].as_s().unwrap().clone();
            (key("pk"), key("sk"))
        });
        items
    }

    pub async fn put_item(&self, attributes: &[(&str, AttributeValue)]) {
        let mut put = self.dynamodb.put_item().table_name("posts");
        for (name, value) in attributes {
            put = put.item(*name, value.clone());
        }
        put.send().await.unwrap();
    }

    pub async fn delete(&self, pk: &str, sk: &str) {
        let delete = self.dynamodb.delete_item().table_name("posts");
        let delete = delete.key("pk", text(pk)).key("sk", text(sk));
        delete.send().await.unwrap();
    }

    /// Clients whose Step Functions are down but for what it describes.
    pub async fn with_lost_answers(&self, execution: &str) -> (Clients, MockServer) {
        let broken = MockServer::start().await;
        let running = json!({
            "executionArn": execution,
            "stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:daily-post",
            "status": "RUNNING",
            "startDate": 1_793_354_400,
        });
        Mock::given(header("x-amz-target", "AWSStepFunctions.DescribeExecution"))
            .respond_with(ResponseTemplate::new(200).set_body_json(running))
            .mount(&broken)
            .await;
        let mut clients = self.clients.clone();
        clients.decision.sfn = aws_sdk_sfn::Client::new(&self.at(&broken.uri()));
        (clients, broken)
    }

    /// The same configuration at another endpoint, without patience.
    pub fn at(&self, endpoint: &str) -> SdkConfig {
        let aws = self.aws.clone().into_builder();
        aws.endpoint_url(endpoint)
            .retry_config(RetryConfig::disabled())
            .build()
    }
}

pub fn approval(post: &str) -> ApprovalItem {
    let (caption, alt_text, sha256) = ("Boo!", "A ghost reads the paper.", "0".repeat(64));
    ApprovalItem {
        post: post.to_owned(),
        round: 1,
        day: "National Candy Corn Day".to_owned(),
        presented_hash: content_hash(&sha256, caption, alt_text),
        caption: caption.to_owned(),
        alt_text: alt_text.to_owned(),
        image: ApprovalImage {
            key: "pictures/1".to_owned(),
            thumbnail_key: "thumbnails/1".to_owned(),
            sha256,
            bytes: 412_345,
        },
        cost_usd: 0.05,
        slot_time: at(2 * 60 * 60),
        time_zone: "America/New_York".to_owned(),
        opened_at: at(0),
        closes_at: at(DEADLINE).as_second(),
        remind_at: Some(at(REMINDER).as_second()),
        on_timeout: OnExpiry::Skip,
        approvers: vec![OWNER.to_owned(), FRIEND.to_owned()],
        mailed: Vec::new(),
        reminded: Vec::new(),
        decision: None,
        task_token: None,
        delivered_at: None,
    }
}

pub fn id(post: &str) -> PostId {
    post.parse().unwrap()
}

pub fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

/// So many seconds after the approvals were opened.
pub fn at(seconds: i64) -> Timestamp {
    let opened: Timestamp = "2026-10-30T10:00:00Z".parse().unwrap();
    opened
        .checked_add(SignedDuration::from_secs(seconds))
        .unwrap()
}

pub fn done(settled: u32, delivered: u32, reminded: u32, waiting: u32) -> Done {
    Done {
        settled,
        delivered,
        reminded,
        waiting,
        told: 0,
        counted: 0,
    }
}
