//! The function with a claimed slot, against the emulator.

use approvals::link::{Keys, Link, Purpose};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use bot_files::{OnTimeout, Policy};
use jiff::{SignedDuration, Timestamp};
use lambda_function::Diagnostic;
use local_cloud::{Account, Emulator, Mail};
use posts_table::{ApprovalImage, ApprovalItem, Decision, Record, Verdict};
use request_approval::{Clients, Config, Error, Input, Output, request_approval};
use serde_json::{Value, json};

pub const POST: &str = "spooky-days/2026-10-30/1";
pub const RUN: &str = "arn:aws:states:us-east-1:1:execution:daily-post:first";
pub const OTHER_RUN: &str = "arn:aws:states:us-east-1:1:execution:daily-post:second";
pub const BASE: &str = "https://review.example";
pub const FROM: &str = "bot@example.org";
pub const OWNER: &str = "owner@example.org";
pub const FRIEND: &str = "friend@example.net";
pub const CAPTION: &str = "Happy National Candy Corn Day! 👻\n\n#SpookyDays";
pub const ALT_TEXT: &str = "A ghost reads the paper.";
pub const DAY: &str = "National Candy Corn Day";
pub const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
pub const HOUR: i64 = 60 * 60;
/// How long a link shows the page after the deadline.
pub const WEEK: i64 = 7 * 24 * HOUR;

/// The function with a claimed slot, in a separate account of the emulator.
pub struct Fixture {
    account: Account,
    pub aws: SdkConfig,
    dynamodb: aws_sdk_dynamodb::Client,
    pub clients: Clients,
    pub config: Config,
}

impl Fixture {
    pub async fn new() -> Fixture {
        Fixture::with(policy(), |_| {}).await
    }

    pub async fn with(policy: bot_files::BotApproval, change: impl FnOnce(&mut Value)) -> Fixture {
        let account = Emulator::shared().await.account();
        account.create_table("posts").await.unwrap();
        let aws = account.sdk_config().await;
        let config = Config {
            table_name: "posts".to_owned(),
            review_secret_arn: "review".to_owned(),
            review_base_url: BASE.to_owned(),
            mail_from: FROM.to_owned(),
        };
        let fixture = Fixture {
            clients: Clients::new(&aws, &config),
            dynamodb: aws_sdk_dynamodb::Client::new(&aws),
            account,
            aws,
            config,
        };
        fixture.verify(FROM).await;
        let secrets = &fixture.clients.secrets;
        let secret = json!({"current": KEY}).to_string();
        let made = secrets.create_secret().name("review").secret_string(secret);
        made.send().await.unwrap();
        let mut record = json!({
            "post": POST,
            "execution": RUN,
            "claimedAt": at(-60),
            "ledger": "claimed",
            "approvalRequired": true,
            "day": {
                "status": "picked",
                "name": DAY,
                "slotTime": at(2 * HOUR),
                "timeZone": "America/New_York",
                "approval": policy,
            },
        });
        change(&mut record);
        let record: Record = serde_json::from_value(record).unwrap();
        let post = POST.parse().unwrap();
        fixture.clients.table.claim(&post, &record).await.unwrap();
        fixture
    }

    pub async fn verify(&self, address: &str) {
        let verify = self.clients.ses.create_email_identity();
        let verify = verify.email_identity(address);
        verify.send().await.unwrap();
    }

    /// From now on SES sends only to verified addresses, as in every new account.
    pub async fn in_the_sandbox(&self) {
        let sandbox = self.clients.ses.put_account_details();
        let sandbox = sandbox
            .production_access_enabled(false)
            .mail_type(aws_sdk_sesv2::types::MailType::Transactional)
            .website_url("https://example.org");
        sandbox.send().await.unwrap();
    }

    pub async fn set_secret(&self, value: &str) {
        let put = self.clients.secrets.put_secret_value().secret_id("review");
        put.secret_string(value).send().await.unwrap();
    }

    /// Enters the state so many seconds after the first time.
    pub async fn enter(&self, seconds: i64) -> Output {
        self.enter_with(seconds, input()).await.unwrap()
    }

    pub async fn enter_with(&self, seconds: i64, input: Input) -> Result<Output, Error> {
        request_approval(&self.clients, &self.config, at(seconds), input).await
    }

    /// The name and the message of the error.
    pub async fn refused(&self, seconds: i64, input: Input) -> (String, String) {
        match self.enter_with(seconds, input).await {
            Ok(output) => panic!("an approval was opened: {output:?}"),
            Err(error) => name_and_message(error),
        }
    }

    pub async fn approval(&self, round: u32) -> Option<ApprovalItem> {
        let post = POST.parse().unwrap();
        self.clients.table.approval(&post, round).await.unwrap()
    }

    pub async fn mails(&self) -> Vec<Mail> {
        self.account.mails().await.unwrap()
    }

    /// The events of the audit trail.
    pub async fn audit(&self) -> Vec<String> {
        let post = POST.parse().unwrap();
        let trail = self.clients.table.audit_trail(&post).await.unwrap();
        let mut lines: Vec<String> = trail
            .into_iter()
            .map(|line| line.what.to_string())
            .collect();
        lines.sort();
        lines
    }

    /// Whether the watchdog considers the approval as waiting.
    pub async fn waits(&self) -> bool {
        let waiting = self.clients.table.waiting_approvals("spooky-days").await;
        !waiting.unwrap().is_empty()
    }

    pub async fn decide(&self, seconds: i64, verdict: Verdict) -> Decision {
        let approval = self.approval(1).await.unwrap();
        let decision = Decision {
            by: OWNER.to_owned(),
            at: at(seconds),
            verdict,
        };
        let post = POST.parse().unwrap();
        let table = &self.clients.table;
        let decided = table
            .decide(&post, 1, &approval.presented_hash, &decision)
            .await;
        assert!(matches!(decided.unwrap(), posts_table::Decide::Counts(_)));
        decision
    }

    pub async fn set(&self, round: u32, name: &str, value: AttributeValue) {
        let [pk, sk] = self.approval(round).await.unwrap().item_key().unwrap();
        let update = self.dynamodb.update_item().table_name("posts");
        let update = update
            .key("pk", AttributeValue::S(pk))
            .key("sk", AttributeValue::S(sk))
            .update_expression("SET #name = :value")
            .expression_attribute_names("#name", name)
            .expression_attribute_values(":value", value);
        update.send().await.unwrap();
    }
}

pub fn policy() -> bot_files::BotApproval {
    bot_files::BotApproval {
        policy: Policy::Required,
        approvers: vec![OWNER.to_owned(), FRIEND.to_owned()],
        deadline: SignedDuration::from_hours(4),
        on_timeout: OnTimeout::Skip,
        reminder: None,
    }
}

pub fn input() -> Input {
    Input {
        execution: RUN.to_owned(),
        post: POST.to_owned(),
        round: None,
        caption: CAPTION.to_owned(),
        alt_text: ALT_TEXT.to_owned(),
        image: ApprovalImage {
            key: "pictures/1".to_owned(),
            thumbnail_key: "thumbnails/1".to_owned(),
            sha256: "0".repeat(64),
            bytes: 412_345,
        },
        cost_usd: Some(0.05),
    }
}

/// So many seconds after ten o'clock UTC, when New York has six.
pub fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-10-30T10:00:00Z".parse().unwrap();
    start
        .checked_add(SignedDuration::from_secs(seconds))
        .unwrap()
}

/// An error's name and message. Asserts what holds for all of them.
pub fn name_and_message(error: Error) -> (String, String) {
    let name = <&str>::from(&error).to_owned();
    let diagnostic = Diagnostic::from(error);
    assert_eq!(diagnostic.error_type, name);
    let message = diagnostic.error_message;
    assert!(!message.is_empty(), "{name} has no message");
    assert!(!message.contains(['\n', '\r']), "{name}: {message:?}");
    assert!(!message.contains(KEY), "{name}: {message}");
    (name, message)
}

/// The links to a page in a text.
pub fn links<'a>(text: &'a str, page: &str) -> Vec<&'a str> {
    let start = format!("{BASE}/{page}/");
    text.split(|c: char| c.is_whitespace() || c == '"')
        .filter_map(|word| word.strip_prefix(start.as_str()))
        .collect()
}

/// The link of an email that decides. Asserts that HTML and plain text have the same.
pub fn link(mail: &Mail) -> &str {
    let [link] = links(&mail.body_text, "review")[..] else {
        panic!("{}", mail.body_text)
    };
    assert_eq!(links(&mail.body_html, "review"), [link]);
    link
}

pub fn verified(purpose: Purpose, link: &str) -> Link {
    let keys = Keys::parse(&json!({"current": KEY}).to_string()).unwrap();
    keys.verify(purpose, link).unwrap()
}

/// The recipients of emails, in order.
pub fn recipients(mails: &[Mail]) -> Vec<&str> {
    let mut to: Vec<&str> = mails.iter().map(|mail| mail.to[0].as_str()).collect();
    to.sort();
    to
}
