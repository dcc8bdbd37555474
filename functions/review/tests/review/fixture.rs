//! An open approval, an execution that waits for it, and requests to the function as the HTTP API passes them on.

use std::{cell::RefCell, collections::HashMap, io::Write, sync::Once};

use approvals::link::{Keys, Link, Purpose};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::primitives::ByteStream;
use base64::{Engine, prelude::BASE64_STANDARD};
use fakes::lambda;
use jiff::{SignedDuration, Timestamp};
use lambda_http::{Body, http::StatusCode, tracing::subscriber};
use local_cloud::{Account, Emulator};
use post::PostId;
use posts_table::{ApprovalImage, ApprovalItem, AuditLine, OnExpiry, Record, content_hash};
use review::{Clients, Config, review};
use serde_json::{Value, json};

pub const POST: &str = "spooky-days/2026-10-30/1";
pub const BASE: &str = "https://review.example";
pub const OWNER: &str = "owner@example.org";
pub const FRIEND: &str = "friend@example.org";
pub const CAPTION: &str = "Happy National Candy Corn Day! 👻\n\n#SpookyDays";
pub const ALT_TEXT: &str = "A ghost reads the paper.";
pub const PICTURE: &[u8] = b"\xFF\xD8 the picture";
pub const THUMBNAIL: &[u8] = b"\xFF\xD8 the thumbnail";
pub const FORM: &str = "application/x-www-form-urlencoded";
/// Every approval of these tests closes four hours after it was opened.
pub const DEADLINE: i64 = 4 * 60 * 60;
/// A link is good until a week later, as the mail makes it.
pub const LINK_ENDS: i64 = DEADLINE + 7 * 24 * 60 * 60;

/// An open approval, an execution that waits for it, and the function.
pub struct Fixture {
    pub account: Account,
    pub aws: SdkConfig,
    pub config: Config,
    pub clients: Clients,
    pub keys: Keys,
    pub post: PostId,
    pub round: u32,
    pub execution: String,
}

impl Fixture {
    pub async fn new() -> Fixture {
        Fixture::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut ApprovalItem)) -> Fixture {
        keep_log();
        let account = Emulator::shared().await.account();
        account.create_table("posts").await.unwrap();
        let aws = account.sdk_config().await;
        let config = Config {
            table_name: "posts".to_owned(),
            image_bucket: format!("review-{}", account.id()),
            review_secret_arn: "review".to_owned(),
            review_base_url: BASE.to_owned(),
        };
        let s3 = aws_sdk_s3::Client::new(&aws);
        let bucket = &config.image_bucket;
        s3.create_bucket().bucket(bucket).send().await.unwrap();
        for (key, bytes) in [("pictures/1", PICTURE), ("thumbnails/1", THUMBNAIL)] {
            let body = ByteStream::from_static(bytes);
            let put = s3.put_object().bucket(bucket).key(key).body(body);
            put.send().await.unwrap();
        }
        let mut fixture = Fixture {
            account,
            clients: Clients::new(&aws, &config),
            aws,
            config,
            keys: Keys::parse(&secret(1, None)).unwrap(),
            post: POST.parse().unwrap(),
            round: 1,
            execution: String::new(),
        };
        fixture.set_secret(&secret(1, None)).await;
        let mut approval = approval();
        change(&mut approval);
        fixture.round = approval.round;
        fixture.open(&approval).await;
        fixture.execution = fixture.wait_for(&approval).await;
        let claim: Record = serde_json::from_value(json!({
            "post": POST,
            "execution": fixture.execution,
            "claimedAt": at(0),
            "ledger": "claimed",
            "day": {},
            "approvalRequired": true,
        }))
        .unwrap();
        let table = &fixture.clients.decision.table;
        table.claim(&fixture.post, &claim).await.unwrap();
        fixture
    }

    pub async fn open(&self, approval: &ApprovalItem) {
        let table = &self.clients.decision.table;
        table.open_approval(approval).await.unwrap();
    }

    /// Starts an execution that does nothing but what `AwaitApproval` does, and gives its ARN once its token is there.
    pub async fn wait_for(&self, approval: &ApprovalItem) -> String {
        let [pk, sk] = approval.item_key().unwrap();
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
            .name("daily-post")
            .role_arn("arn:aws:iam::000000000000:role/states")
            .definition(definition.to_string());
        let machine = machine.send().await.unwrap().state_machine_arn;
        let execution = sfn.start_execution().state_machine_arn(machine).input("{}");
        let execution = execution.send().await.unwrap().execution_arn;
        for _ in 0..5000 {
            if self.token().await.is_some() {
                return execution;
            }
        }
        panic!("the execution never waited");
    }

    pub async fn set_secret(&self, value: &str) {
        let secrets = &self.clients.secrets;
        let made = secrets.create_secret().name("review").secret_string(value);
        if made.send().await.is_err() {
            let put = secrets.put_secret_value().secret_id("review");
            put.secret_string(value).send().await.unwrap();
        }
    }

    pub async fn delete_secret(&self) {
        let delete = self.clients.secrets.delete_secret().secret_id("review");
        let delete = delete.force_delete_without_recovery(true);
        delete.send().await.unwrap();
    }

    /// The approval's item as it is in the table.
    pub async fn item(&self) -> HashMap<String, AttributeValue> {
        let approval = ApprovalItem {
            round: self.round,
            ..approval()
        };
        let [pk, sk] = approval.item_key().unwrap();
        let read = aws_sdk_dynamodb::Client::new(&self.aws)
            .get_item()
            .table_name("posts")
            .key("pk", AttributeValue::S(pk))
            .key("sk", AttributeValue::S(sk))
            .consistent_read(true);
        read.send().await.unwrap().item.unwrap()
    }

    pub async fn token(&self) -> Option<String> {
        let token = self.item().await.remove("taskToken")?;
        Some(token.as_s().unwrap().clone())
    }

    pub async fn approval(&self) -> ApprovalItem {
        let table = &self.clients.decision.table;
        table.approval(&self.post, 1).await.unwrap().unwrap()
    }

    pub async fn audit(&self) -> Vec<AuditLine> {
        let table = &self.clients.decision.table;
        table.audit_trail(&self.post).await.unwrap()
    }

    /// Why answers were refused, as the audit trail has it.
    pub async fn refusals(&self) -> Vec<String> {
        let lines = self.audit().await.into_iter();
        lines
            .filter(|line| line.what.to_string() == "answer-refused")
            .map(|line| line.details["why"].as_str().unwrap().to_owned())
            .collect()
    }

    pub async fn status(&self) -> (String, Option<Value>) {
        let describe = self.clients.decision.sfn.describe_execution();
        let described = describe.execution_arn(&self.execution).send().await;
        let described = described.unwrap();
        let output = described.output.as_deref();
        (
            described.status.to_string(),
            output.map(|output| serde_json::from_str(output).unwrap()),
        )
    }

    pub async fn stop(&self) {
        let stop = self.clients.decision.sfn.stop_execution();
        let stop = stop.execution_arn(&self.execution);
        stop.send().await.unwrap();
        self.ended().await;
    }

    /// How the execution ended, as soon as it has: it goes on a moment after it was told.
    pub async fn ended(&self) -> (String, Option<Value>) {
        for _ in 0..5000 {
            let status = self.status().await;
            if status.0 != "RUNNING" {
                return status;
            }
        }
        panic!("the execution never ended");
    }

    pub async fn pause(&self, reason: &str) {
        let put = aws_sdk_dynamodb::Client::new(&self.aws)
            .put_item()
            .table_name("posts")
            .item("pk", AttributeValue::S("spooky-days#settings".to_owned()))
            .item("sk", AttributeValue::S("switch".to_owned()))
            .item("reason", AttributeValue::S(reason.to_owned()));
        put.send().await.unwrap();
    }

    /// The link of an approver.
    pub fn link(&self, approver: usize) -> String {
        self.link_of(Purpose::Decide, POST, 1, approver, LINK_ENDS)
    }

    pub fn link_of(
        &self,
        purpose: Purpose,
        post: &str,
        round: u32,
        approver: usize,
        ends: i64,
    ) -> String {
        let link = Link {
            post: post.parse().unwrap(),
            round,
            approver,
            ends_at: at(ends).as_second(),
        };
        self.keys.sign(purpose, &link)
    }

    /// The hidden fields of the page's form, for the presented content.
    pub fn form(&self, link: &str) -> Vec<(&'static str, String)> {
        let hash = approval().presented_hash;
        vec![
            ("form", self.keys.form_value(link, &hash)),
            ("content", hash),
        ]
    }

    /// A whole form that approves the post as it is.
    pub fn approving(&self, link: &str) -> Vec<(&'static str, String)> {
        let mut form = self.form(link);
        form.push(("answer", "approve".to_owned()));
        form.push(("caption", CAPTION.to_owned()));
        form.push(("altText", ALT_TEXT.to_owned()));
        form
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(1, "GET", path, &[], b"").await
    }

    pub async fn post(&self, seconds: i64, link: &str, form: &[(&str, String)]) -> Answer {
        let path = format!("/review/{link}");
        let headers = [("content-type", FORM)];
        self.ask(seconds, "POST", &path, &headers, &encoded(form))
            .await
    }

    /// A request as the HTTP API passes it on, so many seconds after the approval was opened.
    pub async fn ask(
        &self,
        seconds: i64,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        ask(
            &self.clients,
            &self.config,
            seconds,
            method,
            path,
            headers,
            body,
        )
        .await
    }

    /// What an attack must leave as it was.
    pub async fn undecided(&self, before: &HashMap<String, AttributeValue>, what: &str) {
        assert_eq!(&self.item().await, before, "{what}");
        assert_eq!(self.status().await.0, "RUNNING", "{what}");
    }
}

pub async fn ask(
    clients: &Clients,
    config: &Config,
    seconds: i64,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let event = event(method, path, headers, body).to_string();
    let request = lambda_http::request::from_str(&event).unwrap();
    let response = review(clients, config, at(seconds), request).await;
    let (parts, body) = response.into_parts();
    let mut headers: Vec<(String, String)> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    Answer {
        status: parts.status,
        headers,
        body: match body {
            Body::Text(text) => text.into_bytes(),
            Body::Binary(bytes) => bytes,
            _ => Vec::new(),
        },
    }
}

/// The event of an HTTP API, format 2.0.
pub fn event(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Value {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut all: HashMap<&str, &str> = HashMap::from([("host", "review.example")]);
    all.extend(headers.iter().copied());
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": all,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "abc123",
            "domainName": "review.example",
            "domainPrefix": "review",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test"},
            "requestId": "1",
            "routeKey": "$default",
            "stage": "$default",
            "time": "30/Oct/2026:10:00:00 +0000",
            "timeEpoch": 1793354400000_i64,
        },
        "body": BASE64_STANDARD.encode(body),
        "isBase64Encoded": true,
    })
}

#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn html(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(there, _)| there == name);
        found.map(|(_, value)| value.as_str())
    }

    /// What the page says, without its markup and style sheet.
    pub fn says(&self) -> String {
        let html = self.html();
        let body = html.split_once("<body>").map_or(html, |(_, body)| body);
        let mut text = String::new();
        let mut is_tag = false;
        for c in body.chars() {
            match c {
                '<' => is_tag = true,
                '>' => is_tag = false,
                c if !is_tag => text.push(c),
                _ => {}
            }
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

pub fn approval() -> ApprovalItem {
    let mut approval = ApprovalItem {
        post: POST.to_owned(),
        round: 1,
        day: "National Candy Corn Day".to_owned(),
        caption: CAPTION.to_owned(),
        alt_text: ALT_TEXT.to_owned(),
        image: ApprovalImage {
            key: "pictures/1".to_owned(),
            thumbnail_key: "thumbnails/1".to_owned(),
            sha256: "0".repeat(64),
            bytes: PICTURE.len() as u64,
        },
        presented_hash: String::new(),
        cost_usd: 0.05,
        slot_time: at(2 * 60 * 60),
        time_zone: "America/New_York".to_owned(),
        opened_at: at(0),
        closes_at: at(DEADLINE).as_second(),
        remind_at: None,
        on_timeout: OnExpiry::Skip,
        approvers: vec![OWNER.to_owned(), FRIEND.to_owned()],
        mailed: Vec::new(),
        reminded: Vec::new(),
        decision: None,
        task_token: None,
        delivered_at: None,
    };
    approval.presented_hash = hash_of(&approval);
    approval
}

pub fn hash_of(approval: &ApprovalItem) -> String {
    content_hash(
        &approval.image.sha256,
        &approval.caption,
        &approval.alt_text,
    )
}

/// So many seconds after the approval was opened.
pub fn at(seconds: i64) -> Timestamp {
    let opened: Timestamp = "2026-10-30T10:00:00Z".parse().unwrap();
    opened
        .checked_add(SignedDuration::from_secs(seconds))
        .unwrap()
}

/// The secret with keys of these bytes.
pub fn secret(current: u8, previous: Option<u8>) -> String {
    let key = |byte| BASE64_STANDARD.encode([byte; 32]);
    json!({"current": key(current), "previous": previous.map(key)}).to_string()
}

pub fn encoded(form: &[(&str, String)]) -> Vec<u8> {
    serde_urlencoded::to_string(form).unwrap().into_bytes()
}

/// The same form with one field changed or added.
pub fn changed(
    form: &[(&'static str, String)],
    name: &'static str,
    value: &str,
) -> Vec<(&'static str, String)> {
    let mut form = form.to_vec();
    form.retain(|(there, _)| *there != name);
    form.push((name, value.to_owned()));
    form
}

/// The names of the open tags are what the closing ones say, and every attribute is quoted.
pub fn assert_well_formed(html: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html.strip_prefix("<!DOCTYPE html>").unwrap();
    while let Some((text, from)) = rest.split_once('<') {
        assert!(
            !text.contains('>') || open.last() == Some(&"style"),
            "{text}"
        );
        let (tag, after) = from.split_once('>').unwrap();
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{html}");
            continue;
        }
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric()), "{tag}");
        assert_eq!(attributes.matches('"').count() % 2, 0, "{tag}");
        let outside: String = attributes.split('"').step_by(2).collect();
        assert!(!outside.contains('\''), "{tag}");
        if !["meta", "img", "input", "link", "br"].contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

/// The field with this name: its tag, and what is in it.
pub fn field<'a>(html: &'a str, name: &str) -> (&'a str, &'a str) {
    let at = html.find(&format!(" name=\"{name}\"")).unwrap();
    let tag = &html[html[..at].rfind('<').unwrap()..];
    let (tag, rest) = tag.split_once('>').unwrap();
    (
        tag,
        rest.split_once("</textarea>").map_or("", |(text, _)| text),
    )
}

thread_local! {
    /// What this thread has logged. Each test is a thread.
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Writes to the log of the thread.
struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Keeps what is logged. It has to be there before the first line of the function, which would be off for good
/// otherwise.
fn keep_log() {
    static KEPT: Once = Once::new();
    KEPT.call_once(|| {
        let log = subscriber::fmt().with_ansi(false).with_writer(|| Log);
        log.init();
    });
}

/// What this test has logged since it was asked last.
pub fn take_log() -> String {
    String::from_utf8(LOG.take()).unwrap()
}

/// What the real binary answers to these events of the HTTP API.
pub async fn answered(fixture: &Fixture, events: &[Value]) -> Vec<lambda::Answer> {
    let environment = [
        ("AWS_ACCESS_KEY_ID", fixture.account.id()),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ENDPOINT_URL", fixture.account.url()),
        ("TABLE_NAME", "posts"),
        ("IMAGE_BUCKET", &fixture.config.image_bucket),
        ("REVIEW_SECRET_ARN", "review"),
        ("REVIEW_BASE_URL", BASE),
    ];
    let binary = env!("CARGO_BIN_EXE_review");
    lambda::invoke(binary, &environment, events).await.unwrap()
}
