//! The real function against the emulator: what is opened, who is mailed what and how often, what is answered when
//! a state is entered again, and the name of each failure.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

use std::process::Command;

use approvals::link::{Keys, Link, Purpose};
use aws_config::{SdkConfig, retry::RetryConfig};
use aws_sdk_dynamodb::types::AttributeValue;
use bot_files::{OnTimeout, Policy};
use fakes::{
    lambda,
    proxy::{self, Held, Proxy},
};
use jiff::{SignedDuration, Timestamp};
use lambda_function::read;
use lambda_runtime::Diagnostic;
use local_cloud::{Account, Emulator, Mail};
use posts_table::{ApprovalImage, ApprovalItem, Decision, Record, Verdict};
use request_approval::{Clients, Config, Error, Input, Output, request_approval};
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinHandle};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

const POST: &str = "spooky-days/2026-10-30/1";
const RUN: &str = "arn:aws:states:us-east-1:1:execution:daily-post:first";
const OTHER_RUN: &str = "arn:aws:states:us-east-1:1:execution:daily-post:second";
const BASE: &str = "https://review.example";
const FROM: &str = "bot@example.org";
const OWNER: &str = "owner@example.org";
const FRIEND: &str = "friend@example.net";
const CAPTION: &str = "Happy National Candy Corn Day! 👻\n\n#SpookyDays";
const ALT_TEXT: &str = "A ghost reads the paper.";
const DAY: &str = "National Candy Corn Day";
const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
const HOUR: i64 = 60 * 60;
/// How long a link leads to a page that says what happened, after the deadline.
const WEEK: i64 = 7 * 24 * HOUR;

/// The function with a claimed slot, in an account of its own.
struct Office {
    account: Account,
    aws: SdkConfig,
    dynamodb: aws_sdk_dynamodb::Client,
    clients: Clients,
    config: Config,
}

impl Office {
    async fn new() -> Office {
        Office::with(policy(), |_| {}).await
    }

    async fn with(policy: bot_files::BotApproval, change: impl FnOnce(&mut Value)) -> Office {
        let account = Emulator::shared().await.account();
        account.create_table("posts").await.unwrap();
        let aws = account.sdk_config().await;
        let config = Config {
            table_name: "posts".to_owned(),
            review_secret_arn: "review".to_owned(),
            review_base_url: BASE.to_owned(),
            mail_from: FROM.to_owned(),
        };
        let office = Office {
            clients: Clients::new(&aws, &config),
            dynamodb: aws_sdk_dynamodb::Client::new(&aws),
            account,
            aws,
            config,
        };
        office.verify(FROM).await;
        let secrets = &office.clients.secrets;
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
        office.clients.table.claim(&post, &record).await.unwrap();
        office
    }

    async fn verify(&self, address: &str) {
        let verify = self.clients.ses.create_email_identity();
        let verify = verify.email_identity(address);
        verify.send().await.unwrap();
    }

    /// From now on SES mails only who is verified, as it does for every new account.
    async fn in_the_sandbox(&self) {
        let sandbox = self.clients.ses.put_account_details();
        let sandbox = sandbox
            .production_access_enabled(false)
            .mail_type(aws_sdk_sesv2::types::MailType::Transactional)
            .website_url("https://example.org");
        sandbox.send().await.unwrap();
    }

    async fn set_secret(&self, value: &str) {
        let put = self.clients.secrets.put_secret_value().secret_id("review");
        put.secret_string(value).send().await.unwrap();
    }

    /// Enters the state so many seconds after the first time.
    async fn enter(&self, seconds: i64) -> Output {
        self.enter_with(seconds, input()).await.unwrap()
    }

    async fn enter_with(&self, seconds: i64, input: Input) -> Result<Output, Error> {
        request_approval(&self.clients, &self.config, at(seconds), input).await
    }

    /// The name and the message of a failure.
    async fn refused(&self, seconds: i64, input: Input) -> (String, String) {
        match self.enter_with(seconds, input).await {
            Ok(output) => panic!("it was opened: {output:?}"),
            Err(error) => told(error),
        }
    }

    async fn approval(&self, round: u32) -> Option<ApprovalItem> {
        let post = POST.parse().unwrap();
        self.clients.table.approval(&post, round).await.unwrap()
    }

    async fn mails(&self) -> Vec<Mail> {
        self.account.mails().await.unwrap()
    }

    /// What the audit trail holds.
    async fn audit(&self) -> Vec<String> {
        let post = POST.parse().unwrap();
        let trail = self.clients.table.audit_trail(&post).await.unwrap();
        let mut lines: Vec<String> = trail
            .into_iter()
            .map(|line| line.what.to_string())
            .collect();
        lines.sort();
        lines
    }

    /// Whether the watchdog would look after it.
    async fn waits(&self) -> bool {
        let waiting = self.clients.table.waiting_approvals("spooky-days").await;
        !waiting.unwrap().is_empty()
    }

    async fn decide(&self, seconds: i64, verdict: Verdict) -> Decision {
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

    async fn set(&self, round: u32, name: &str, value: AttributeValue) {
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

fn policy() -> bot_files::BotApproval {
    bot_files::BotApproval {
        policy: Policy::Required,
        approvers: vec![OWNER.to_owned(), FRIEND.to_owned()],
        deadline: SignedDuration::from_hours(4),
        on_timeout: OnTimeout::Skip,
        reminder: None,
    }
}

fn input() -> Input {
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
fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-10-30T10:00:00Z".parse().unwrap();
    start
        .checked_add(SignedDuration::from_secs(seconds))
        .unwrap()
}

/// An error's name and message, after what holds for all of them was checked.
fn told(error: Error) -> (String, String) {
    let name = <&str>::from(&error).to_owned();
    let diagnostic = Diagnostic::from(error);
    assert_eq!(diagnostic.error_type, name);
    let message = diagnostic.error_message;
    assert!(!message.is_empty(), "{name} says nothing");
    assert!(!message.contains(['\n', '\r']), "{name}: {message:?}");
    assert!(!message.contains(KEY), "{name}: {message}");
    (name, message)
}

/// The links to a page in a text.
fn links<'a>(text: &'a str, page: &str) -> Vec<&'a str> {
    let start = format!("{BASE}/{page}/");
    text.split(|c: char| c.is_whitespace() || c == '"')
        .filter_map(|word| word.strip_prefix(start.as_str()))
        .collect()
}

/// The one link of a mail that decides, after it was seen that HTML and plain text have the same.
fn link(mail: &Mail) -> &str {
    let [link] = links(&mail.body_text, "review")[..] else {
        panic!("{}", mail.body_text)
    };
    assert_eq!(links(&mail.body_html, "review"), [link]);
    link
}

fn verified(purpose: Purpose, link: &str) -> Link {
    let keys = Keys::parse(&json!({"current": KEY}).to_string()).unwrap();
    keys.verify(purpose, link).unwrap()
}

/// Who got a mail, in order of the addresses.
fn recipients(mails: &[Mail]) -> Vec<&str> {
    let mut to: Vec<&str> = mails.iter().map(|mail| mail.to[0].as_str()).collect();
    to.sort();
    to
}

#[tokio::test]
async fn each_approver_gets_one_mail_with_a_link_of_their_own() {
    let office = Office::new().await;
    let output = office.enter(0).await;
    assert_eq!(
        json!(output),
        json!({
            "id": "spooky-days/2026-10-30/1/1",
            "key": {"pk": "spooky-days#2026-10-30", "sk": "slot#1#approval#1"},
            "round": 1,
            "closesAt": at(4 * HOUR),
        })
    );
    let mails = office.mails().await;
    assert_eq!(recipients(&mails), [FRIEND, OWNER]);
    for (approver, address) in [OWNER, FRIEND].into_iter().enumerate() {
        let mail = mails.iter().find(|mail| mail.to == [address]).unwrap();
        assert_eq!(mail.source, FROM);
        let expected = Link {
            post: POST.parse().unwrap(),
            round: 1,
            approver,
            ends_at: at(4 * HOUR + WEEK).as_second(),
        };
        assert_eq!(verified(Purpose::Decide, link(mail)), expected);
        // The picture's link is for the picture.
        let [thumbnail] = links(&mail.body_html, "thumbnail")[..] else {
            panic!("{}", mail.body_html)
        };
        assert_eq!(verified(Purpose::Show, thumbnail), expected);
    }
    assert_ne!(link(&mails[0]), link(&mails[1]));
    let approval = office.approval(1).await.unwrap();
    assert_eq!(approval.mailed.len(), 2);
    assert_eq!((approval.opened_at, approval.decision), (at(0), None));
    assert_eq!(
        (approval.remind_at, approval.task_token.is_some()),
        (None, false)
    );
    assert!(office.waits().await);
    let lines = [
        "approval-opened",
        "mailed#friend@example.net",
        "mailed#owner@example.org",
    ];
    assert_eq!(office.audit().await, lines);
}

#[tokio::test]
async fn entering_again_mails_nobody_and_answers_the_same() {
    let office = Office::new().await;
    let first = office.enter(0).await;
    let (approval, audit) = (office.approval(1).await, office.audit().await);
    for seconds in [0, 1, HOUR] {
        assert_eq!(office.enter(seconds).await, first, "{seconds}");
    }
    assert_eq!(office.mails().await.len(), 2);
    assert_eq!(json!(office.approval(1).await), json!(approval));
    assert_eq!(office.audit().await, audit);
}

#[tokio::test]
async fn html_and_plain_text_of_a_mail_say_the_same_and_keep_user_text_as_text() {
    let evil = "<script>alert(\"1\")</script> & more";
    let office = Office::with(policy(), |record| {
        record["day"]["name"] = json!(format!("Day of {evil}\r\nBcc: all@example.org"));
    })
    .await;
    let input = Input {
        caption: format!("{evil}\nsecond line"),
        alt_text: format!("alt {evil}"),
        round: Some(2),
        ..input()
    };
    office.enter_with(0, input).await.unwrap();
    let approval = office.approval(2).await.unwrap();
    for mail in office.mails().await {
        assert!(!mail.subject.contains(['\r', '\n']), "{:?}", mail.subject);
        assert!(mail.subject.starts_with("Approve "), "{}", mail.subject);
        assert!(mail.subject.ends_with("(spooky-days/2026-10-30/1)"));
        let escaped = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; more";
        assert!(!mail.body_html.contains("<script"), "{}", mail.body_html);
        // Title, day, picture, caption and alt text.
        assert!(
            mail.body_html.matches(escaped).count() >= 5,
            "{}",
            mail.body_html
        );
        for (what, plain) in [
            ("the day", format!("Day of {evil}")),
            (
                "the post",
                "spooky-days/2026-10-30/1 needs your decision".to_owned(),
            ),
            ("the round", "This is picture 2.".to_owned()),
            ("the caption", approval.caption.clone()),
            ("the alt text", approval.alt_text.clone()),
            // The times are the bot's, not UTC's.
            (
                "when it appears",
                "Friday 30 October 2026, 08:00 EDT".to_owned(),
            ),
            (
                "when it closes",
                "Friday 30 October 2026, 10:00 EDT".to_owned(),
            ),
            (
                "what silence means",
                "Without a decision by then, nothing is posted.".to_owned(),
            ),
            (
                "whose link it is",
                "carries your name. Opening it decides nothing.".to_owned(),
            ),
        ] {
            let html = plain
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&quot;");
            assert!(
                mail.body_text.contains(&plain),
                "{what}: {}",
                mail.body_text
            );
            assert!(mail.body_html.contains(&html), "{what}: {}", mail.body_html);
        }
        for body in [&mail.body_html, &mail.body_text] {
            assert!(body.len() < 100_000, "{}", body.len());
            assert!(!body.contains(KEY) && !body.contains("taskToken"));
        }
        // Nothing is fetched but the picture, and there are no styles that a mail program drops.
        assert!(!mail.body_html.contains("<style") && !mail.body_html.contains("<link"));
        assert_eq!(mail.body_html.matches("src=").count(), 1);
    }
}

#[tokio::test]
async fn a_mail_says_what_silence_means_and_when_a_post_without_a_time_appears() {
    let post = bot_files::BotApproval {
        on_timeout: OnTimeout::Post,
        ..policy()
    };
    let office = Office::with(post, |record| {
        record["day"]["slotTime"] = json!(at(0));
        record["day"]["timeZone"] = json!("Asia/Tokyo");
    })
    .await;
    office.enter(0).await;
    for mail in office.mails().await {
        for body in [&mail.body_text, &mail.body_html] {
            assert!(
                body.contains("Without a decision by then, it is posted as shown."),
                "{body}"
            );
            assert!(body.contains("as soon as it is approved"), "{body}");
            assert!(body.contains("Friday 30 October 2026, 23:00 JST"), "{body}");
            assert!(!body.contains("This is picture"), "{body}");
        }
    }
}

#[tokio::test]
async fn a_task_token_that_is_there_is_in_no_mail_and_in_no_answer() {
    let sandboxed = Office::new().await;
    sandboxed.in_the_sandbox().await;
    sandboxed.verify(OWNER).await;
    sandboxed.enter(0).await;
    sandboxed
        .set(
            1,
            "taskToken",
            AttributeValue::S("planted-token".to_owned()),
        )
        .await;
    // Now the other one gets their mail, while somebody waits already.
    sandboxed.verify(FRIEND).await;
    let output = sandboxed.enter(60).await;
    assert!(!json!(output).to_string().contains("planted-token"));
    assert!(!format!("{output:?}").contains("planted-token"));
    let mails = sandboxed.mails().await;
    assert_eq!(recipients(&mails), [FRIEND, OWNER]);
    for mail in mails {
        assert!(!format!("{mail:?}").contains("planted-token"));
    }
    let approval = sandboxed.approval(1).await.unwrap();
    assert!(!format!("{approval:?}").contains("planted-token"));
}

/// An invocation whose requests are held.
struct Invocation {
    task: JoinHandle<Result<Output, Error>>,
    requests: mpsc::UnboundedReceiver<Held>,
    held: Option<Held>,
    ended: Option<Result<Output, Error>>,
    _proxy: Proxy,
}

impl Invocation {
    /// Starts one and waits for its first request.
    async fn start(office: &Office) -> Invocation {
        let (sender, requests) = mpsc::unbounded_channel();
        let endpoint = office.aws.endpoint_url().unwrap().to_owned();
        let proxy = proxy::start(&endpoint, sender).await.unwrap();
        let sdk = office.aws.clone().into_builder();
        let config = office.config.clone();
        let clients = Clients::new(&sdk.endpoint_url(proxy.url()).build(), &config);
        let task =
            tokio::spawn(async move { request_approval(&clients, &config, at(0), input()).await });
        let mut invocation = Invocation {
            task,
            requests,
            held: None,
            ended: None,
            _proxy: proxy,
        };
        invocation.settle().await;
        invocation
    }

    /// Waits until it holds its next request, or has ended.
    async fn settle(&mut self) {
        tokio::select! {
            held = self.requests.recv() => self.held = held,
            ended = &mut self.task => self.ended = Some(ended.unwrap()),
        }
    }

    /// Its request arrives and is answered.
    async fn step(&mut self) {
        if let Some(held) = self.held.take() {
            held.forward().await;
            self.settle().await;
        }
    }

    /// It is killed. A request that it had sent arrives all the same, or never does.
    async fn kill(self, arrives: bool) {
        self.task.abort();
        if let Some(held) = self.held
            && arrives
        {
            held.lose_answer().await;
        }
    }
}

#[tokio::test]
async fn killed_before_or_after_any_step_it_costs_at_most_one_repeated_mail_with_the_same_link() {
    let mut steps = Vec::new();
    let mut repeated = 0;
    for number in 0.. {
        let mut line = None;
        for arrives in [false, true] {
            let office = Office::new().await;
            let mut invocation = Invocation::start(&office).await;
            for _ in 0..number {
                invocation.step().await;
            }
            line = invocation.held.as_ref().map(Held::line);
            if line.is_none() {
                assert!(invocation.ended.unwrap().is_ok());
                break;
            }
            invocation.kill(arrives).await;
            // The state machine enters the state again.
            let output = office.enter(30).await;
            assert_eq!(office.enter(60).await, output);
            assert_eq!(output.decision, None);
            let mails = office.mails().await;
            let mut once = recipients(&mails);
            once.dedup();
            assert_eq!(once, [FRIEND, OWNER], "step {number}");
            assert!(mails.len() <= 3, "step {number}: {}", mails.len());
            repeated += mails.len() - 2;
            for mail in &mails {
                let twin = mails.iter().find(|twin| twin.to == mail.to).unwrap();
                assert_eq!(link(mail), link(twin), "step {number}");
            }
            assert_eq!(office.approval(1).await.unwrap().mailed.len(), 2);
            assert!(office.waits().await);
            let audit = office.audit().await;
            assert_eq!(
                audit
                    .iter()
                    .filter(|line| *line == "approval-opened")
                    .count(),
                1
            );
        }
        match line {
            Some(line) => steps.push(line),
            None => break,
        }
    }
    // Claim, opening, keys, and for each of two a mail, its bookkeeping and its audit line.
    let mails = steps.iter().filter(|line| line.contains("/v2/email"));
    assert_eq!((steps.len(), mails.count()), (9, 2), "{steps:?}");
    // For each of the two: the mail was sent and its answer lost, or its bookkeeping never arrived.
    assert_eq!(repeated, 4);
}

#[tokio::test]
async fn other_content_in_the_same_round_takes_the_place_of_the_approval_and_needs_a_new_decision()
{
    let office = Office::new().await;
    office.enter(0).await;
    let approved = Verdict::Approved {
        caption: CAPTION.to_owned(),
        alt_text: ALT_TEXT.to_owned(),
        hash: "v1-0".to_owned(),
    };
    office.decide(10, approved).await;
    let changes: [fn(&mut Input); 3] = [
        |input| input.caption.push('!'),
        |input| input.alt_text.push('!'),
        |input| input.image.sha256 = "1".repeat(64),
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut input = input();
        change(&mut input);
        let seconds = 60 * (1 + i as i64);
        let output = office.enter_with(seconds, input.clone()).await.unwrap();
        assert_eq!(output.decision, None, "{i}");
        assert_eq!(output.closes_at, at(seconds + 4 * HOUR), "{i}");
        let approval = office.approval(1).await.unwrap();
        assert_eq!(
            (&approval.caption, &approval.alt_text),
            (&input.caption, &input.alt_text)
        );
        assert_eq!(approval.image, input.image);
        assert_eq!((approval.decision, approval.delivered_at), (None, None));
        assert_eq!(
            office.mails().await.len(),
            2 * (2 + i),
            "they are asked again"
        );
        assert!(office.waits().await, "{i}");
    }
    let opened = office.audit().await;
    assert_eq!(
        opened
            .iter()
            .filter(|line| *line == "approval-opened")
            .count(),
        4
    );
}

#[tokio::test]
async fn another_round_is_another_approval_with_mails_of_its_own() {
    let office = Office::new().await;
    office.enter(0).await;
    office
        .decide(
            10,
            Verdict::Regenerate {
                note: String::new(),
            },
        )
        .await;
    for round in 2..=4 {
        // Even for the very same content.
        let input = Input {
            round: Some(round),
            ..input()
        };
        let output = office
            .enter_with(60 * i64::from(round), input)
            .await
            .unwrap();
        assert_eq!(output.id, format!("{POST}/{round}"));
        assert_eq!((output.round, output.decision), (round, None));
        assert_eq!(output.key.sk, format!("slot#1#approval#{round}"));
        let mails = office.mails().await;
        assert_eq!(mails.len(), 2 * round as usize);
        let newest = verified(Purpose::Decide, link(mails.last().unwrap()));
        assert_eq!(newest.round, round);
    }
}

#[tokio::test]
async fn a_decision_that_is_there_is_the_answer_and_nobody_looks_after_it_any_more() {
    let verdicts = [
        Verdict::Approved {
            caption: "Mine".to_owned(),
            alt_text: "Mine, too".to_owned(),
            hash: "v1-0".to_owned(),
        },
        Verdict::Regenerate {
            note: "More fog".to_owned(),
        },
        Verdict::Rejected {
            reason: "Too sad".to_owned(),
        },
    ];
    for verdict in verdicts {
        let office = Office::new().await;
        office.enter(0).await;
        let decision = office.decide(10, verdict).await;
        assert!(office.waits().await);
        let output = office.enter(20).await;
        assert_eq!(output.decision.as_ref(), Some(&decision));
        assert_eq!(json!(output)["decision"], json!(decision));
        assert!(!office.waits().await);
        assert_eq!(office.approval(1).await.unwrap().delivered_at, Some(at(20)));
        // Again, and long after the deadline: the first decision stays, and so does the time.
        for seconds in [30, 100 * HOUR] {
            assert_eq!(office.enter(seconds).await, output);
        }
        assert_eq!(office.approval(1).await.unwrap().delivered_at, Some(at(20)));
        assert_eq!(office.mails().await.len(), 2);
    }
}

#[tokio::test]
async fn past_the_deadline_the_policy_decides() {
    for on_timeout in [OnTimeout::Skip, OnTimeout::Post] {
        let policy = bot_files::BotApproval {
            on_timeout,
            ..policy()
        };
        let office = Office::with(policy, |_| {}).await;
        office.enter(0).await;
        assert_eq!(office.enter(4 * HOUR - 1).await.decision, None);
        let decision = office.enter(4 * HOUR).await.decision.unwrap();
        assert_eq!(
            (decision.by.as_str(), decision.at),
            ("policy", at(4 * HOUR))
        );
        let approval = office.approval(1).await.unwrap();
        let expected = match on_timeout {
            OnTimeout::Skip => Verdict::Expired,
            OnTimeout::Post => Verdict::Approved {
                caption: CAPTION.to_owned(),
                alt_text: ALT_TEXT.to_owned(),
                hash: approval.presented_hash,
            },
        };
        assert_eq!(decision.verdict, expected);
        assert!(!office.waits().await);
        assert_eq!(office.enter(5 * HOUR).await.decision, Some(decision));
        assert_eq!(office.mails().await.len(), 2);
    }
}

#[tokio::test]
async fn an_approval_that_was_opened_and_never_mailed_expires_without_a_mail() {
    let office = Office::new().await;
    let mut invocation = Invocation::start(&office).await;
    invocation.step().await;
    // Opened, and killed before the keys are read.
    invocation.kill(true).await;
    assert!(office.approval(1).await.is_some());
    let output = office.enter(4 * HOUR).await;
    assert_eq!(output.decision.unwrap().verdict, Verdict::Expired);
    assert!(office.mails().await.is_empty());
}

#[tokio::test]
async fn decisions_close_when_the_post_would_be_too_late_and_the_reminder_comes_before() {
    // (not after, reminder) and (closes, reminds): when the post is too late, and what follows from that.
    let minutes = |minutes: i64| Some(SignedDuration::from_mins(minutes));
    let rows = [
        ((None, None), (4 * HOUR, None)),
        ((Some(3 * HOUR), None), (3 * HOUR, None)),
        ((Some(5 * HOUR), None), (4 * HOUR, None)),
        // A run that is too late already was allowed by a person.
        ((Some(0), None), (4 * HOUR, None)),
        ((Some(-HOUR), None), (4 * HOUR, None)),
        ((Some(1), None), (1, None)),
        ((None, minutes(60)), (4 * HOUR, Some(3 * HOUR))),
        ((Some(3 * HOUR), minutes(60)), (3 * HOUR, Some(2 * HOUR))),
        // A reminder that would come with the mail is none.
        ((Some(HOUR), minutes(60)), (HOUR, None)),
        ((Some(HOUR), minutes(90)), (HOUR, None)),
    ];
    for ((not_after, reminder), (closes, reminds)) in rows {
        let policy = bot_files::BotApproval {
            reminder,
            ..policy()
        };
        let office = Office::with(policy, |record| {
            if let Some(seconds) = not_after {
                record["notAfter"] = json!(at(seconds).as_second());
            }
        })
        .await;
        let output = office.enter(0).await;
        let approval = office.approval(1).await.unwrap();
        let row = format!("{not_after:?} {reminder:?}");
        assert_eq!(output.closes_at, at(closes), "{row}");
        assert_eq!(approval.closes_at, at(closes).as_second(), "{row}");
        assert_eq!(
            approval.remind_at,
            reminds.map(|s| at(s).as_second()),
            "{row}"
        );
    }
}

#[tokio::test]
async fn one_who_cannot_be_mailed_does_not_stop_the_others_and_is_on_record() {
    for refused in [OWNER, FRIEND] {
        let office = Office::new().await;
        office.in_the_sandbox().await;
        let reached = if refused == OWNER { FRIEND } else { OWNER };
        office.verify(reached).await;
        let output = office.enter(0).await;
        assert_eq!(output.decision, None);
        assert_eq!(recipients(&office.mails().await), [reached]);
        assert_eq!(office.approval(1).await.unwrap().mailed, [reached]);
        let audit = office.audit().await;
        assert!(
            audit.contains(&format!("mail-refused#{refused}")),
            "{audit:?}"
        );
        assert!(audit.contains(&format!("mailed#{reached}")), "{audit:?}");
        // Entered again, they are tried again, and who has the mail gets no second one.
        assert_eq!(office.enter(60).await, output);
        office.verify(refused).await;
        assert_eq!(office.enter(120).await, output);
        assert_eq!(recipients(&office.mails().await), [FRIEND, OWNER]);
    }
}

#[tokio::test]
async fn if_nobody_can_be_mailed_it_fails_and_names_everybody_until_it_is_put_right() {
    let office = Office::new().await;
    office.in_the_sandbox().await;
    let (name, message) = office.refused(0, input()).await;
    assert_eq!(name, "MailRefused");
    for address in [OWNER, FRIEND] {
        assert!(message.contains(address), "{message}");
    }
    assert!(office.mails().await.is_empty());
    assert_eq!(office.approval(1).await.unwrap().mailed, [""; 0]);
    let lines = [
        "approval-opened",
        "mail-refused#friend@example.net",
        "mail-refused#owner@example.org",
    ];
    assert_eq!(office.audit().await, lines);
    // The redrive.
    office.verify(OWNER).await;
    assert_eq!(office.enter(HOUR).await.closes_at, at(4 * HOUR));
    assert_eq!(recipients(&office.mails().await), [OWNER]);
}

#[tokio::test]
async fn a_sender_that_is_not_verified_is_a_mail_that_is_refused() {
    let mut office = Office::new().await;
    office.config.mail_from = "somebody@example.com".to_owned();
    let (name, message) = office.refused(0, input()).await;
    assert_eq!(name, "MailRefused");
    assert!(message.contains("not verified"), "{message}");
}

#[tokio::test]
async fn a_mail_service_that_is_down_or_busy_is_tried_again_and_nobody_is_blamed() {
    for (status, kind) in [
        (500, "InternalFailure"),
        (503, "ServiceUnavailable"),
        (429, "TooManyRequestsException"),
    ] {
        let mut office = Office::new().await;
        let down = MockServer::start().await;
        let busy = ResponseTemplate::new(status)
            .insert_header("x-amzn-errortype", kind)
            .set_body_json(json!({"message": "slow down"}));
        Mock::given(method("POST"))
            .respond_with(busy)
            .mount(&down)
            .await;
        let sdk = office.aws.clone().into_builder();
        let sdk = sdk
            .endpoint_url(down.uri())
            .retry_config(RetryConfig::disabled());
        let real = std::mem::replace(
            &mut office.clients.ses,
            aws_sdk_sesv2::Client::new(&sdk.build()),
        );
        let (name, message) = office.refused(0, input()).await;
        assert_eq!(name, "ServiceUnavailable", "{status}: {message}");
        assert_eq!(office.audit().await, ["approval-opened"], "{status}");
        office.clients.ses = real;
        office.enter(30).await;
        assert_eq!(office.mails().await.len(), 2, "{status}");
    }
}

#[tokio::test]
async fn keys_that_are_missing_or_malformed_are_named_and_not_quoted_and_nobody_is_mailed() {
    let rows = [
        (None, "has no value"),
        (Some("hush-hush"), "is malformed at line 1"),
        (Some("{}"), "is malformed"),
        (
            Some(r#"{"current": "hush-hush!"}"#),
            "has a key current that is not base64",
        ),
        (
            Some(r#"{"current": "aHVzaC1odXNo"}"#),
            "has a key current of 9 bytes",
        ),
        (
            Some(
                r#"{"current": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=", "previous": "aHVzaC1odXNo"}"#,
            ),
            "has a key previous of 9 bytes",
        ),
    ];
    for (secret, says) in rows {
        let office = Office::new().await;
        match secret {
            Some(secret) => office.set_secret(secret).await,
            None => {
                let delete = office.clients.secrets.delete_secret().secret_id("review");
                delete
                    .force_delete_without_recovery(true)
                    .send()
                    .await
                    .unwrap();
            }
        }
        let (name, message) = office.refused(0, input()).await;
        assert_eq!(name, "SecretUnusable", "{says}");
        assert!(message.contains(says), "{says}: {message}");
        for hidden in ["hush", "aHVzaC1odXNo"] {
            assert!(!message.contains(hidden), "{message}");
        }
        assert!(office.mails().await.is_empty());
    }
}

#[tokio::test]
async fn only_the_execution_that_holds_the_slot_may_ask() {
    let office = Office::new().await;
    let other = Input {
        execution: OTHER_RUN.to_owned(),
        ..input()
    };
    let (name, message) = office.refused(0, other).await;
    assert_eq!(name, "ClaimLost");
    assert!(
        message.contains(RUN) && message.contains(OTHER_RUN),
        "{message}"
    );
    let nobody = Input {
        post: "spooky-days/2026-10-31/1".to_owned(),
        ..input()
    };
    let (name, message) = office.refused(0, nobody).await;
    assert_eq!(name, "ClaimLost");
    assert!(
        message.contains("nobody holds spooky-days/2026-10-31/1"),
        "{message}"
    );
    assert!(office.approval(1).await.is_none());
    assert!(office.mails().await.is_empty() && office.audit().await.is_empty());
}

#[tokio::test]
async fn what_cannot_be_asked_is_invalid_input() {
    let off = bot_files::BotApproval {
        policy: Policy::Off,
        ..policy()
    };
    let nobody = bot_files::BotApproval {
        approvers: Vec::new(),
        ..policy()
    };
    let rows: [(bot_files::BotApproval, Option<u32>, &str, &str); 6] = [
        (off, None, POST, "asks nobody"),
        (nobody, None, POST, "asks nobody"),
        (policy(), Some(0), POST, "round is 0; there are 1 to 4"),
        (policy(), Some(5), POST, "round is 5; there are 1 to 4"),
        (policy(), None, "spooky-days/2026-10-30", "is not a post"),
        (policy(), None, "Spooky Days/2026-10-30/1", "is not a post"),
    ];
    for (policy, round, post, says) in rows {
        let office = Office::with(policy, |_| {}).await;
        let input = Input {
            round,
            post: post.to_owned(),
            ..input()
        };
        let (name, message) = office.refused(0, input).await;
        assert_eq!(name, "InvalidInput", "{says}");
        assert!(message.contains(says), "{says}: {message}");
        assert!(office.mails().await.is_empty() && office.audit().await.is_empty());
    }
}

#[tokio::test]
async fn a_payload_that_cannot_be_read_is_named_and_an_unknown_field_is_none_of_our_business() {
    let good = json!({
        "execution": RUN, "post": POST, "caption": CAPTION, "altText": ALT_TEXT, "later": true,
        "image": {"key": "pictures/1", "thumbnailKey": "thumbnails/1", "sha256": "0", "bytes": 1, "width": 1024},
    });
    // What an older definition leaves out, and what a newer one adds.
    assert!(read::<Input, Error>(good.clone()).is_ok());
    for name in ["execution", "post", "caption", "altText", "image"] {
        let mut payload = good.clone();
        payload.as_object_mut().unwrap().remove(name);
        let (error, message) = told(read::<Input, _>(payload).unwrap_err());
        assert_eq!(error, "InvalidInput");
        assert!(message.contains(name), "{name}: {message}");
    }
    for (payload, says) in [
        (json!(null), "null"),
        (json!([]), "sequence"),
        (json!({"round": "one"}), "round"),
        (json!({"round": -1}), "-1"),
    ] {
        let payload = match payload {
            Value::Object(changes) => {
                let mut payload = good.clone();
                payload.as_object_mut().unwrap().extend(changes);
                payload
            }
            payload => payload,
        };
        let (error, message) = told(read::<Input, _>(payload).unwrap_err());
        assert_eq!(error, "InvalidInput", "{says}");
        assert!(message.contains("cannot be read"), "{says}: {message}");
    }
}

#[tokio::test]
async fn the_real_binary_names_an_unreadable_payload() {
    let payloads = [json!({"execution": RUN})];
    let binary = env!("CARGO_BIN_EXE_request-approval");
    let answers = lambda::invoke(binary, &ENVIRONMENT, &payloads)
        .await
        .unwrap();
    let answer = &answers[0].body;
    assert_eq!(answer["errorType"], "InvalidInput", "{answer}");
    assert!(
        answer["errorMessage"].as_str().unwrap().contains("post"),
        "{answer}"
    );
}

const ENVIRONMENT: [(&str, &str); 4] = [
    ("TABLE_NAME", "posts"),
    ("REVIEW_SECRET_ARN", "review"),
    ("REVIEW_BASE_URL", BASE),
    ("MAIL_FROM", FROM),
];

#[test]
fn without_its_environment_the_function_ends_and_names_the_variable() {
    for (missing, _) in ENVIRONMENT {
        let output = Command::new(env!("CARGO_BIN_EXE_request-approval"))
            .env_clear()
            .envs(ENVIRONMENT.into_iter().filter(|(name, _)| *name != missing))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{missing}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(missing), "{missing}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[tokio::test]
async fn a_pick_that_cannot_be_read_and_a_table_that_is_not_there_are_unexpected() {
    let office = Office::with(policy(), |record| record["day"] = json!({"name": DAY})).await;
    let (name, message) = office.refused(0, input()).await;
    assert_eq!(name, "Unexpected");
    assert!(
        message.contains("the pick of spooky-days/2026-10-30/1 is unreadable"),
        "{message}"
    );
    let mut office = Office::new().await;
    office.config.table_name = "nothing".to_owned();
    office.clients = Clients::new(&office.aws, &office.config);
    let (name, message) = office.refused(0, input()).await;
    assert_eq!(name, "Unexpected");
    assert!(message.contains("read a record"), "{message}");
}

#[tokio::test]
async fn a_dry_run_asks_nobody_and_is_approved_as_it_is() {
    let office = Office::new().await;
    let dry = POST.parse::<post::PostId>().unwrap().dry_run_of(RUN);
    let mut record = json!(office.clients.table.read(&dry.real()).await.unwrap());
    record["post"] = json!(dry.to_string());
    let record: Record = serde_json::from_value(record).unwrap();
    office.clients.table.claim(&dry, &record).await.unwrap();
    let asked = Input {
        post: dry.to_string(),
        ..input()
    };
    let output = office.enter_with(0, asked).await.unwrap();
    let decision = output.decision.unwrap();
    assert_eq!((decision.by.as_str(), decision.at), ("dry run", at(0)));
    let verdict = Verdict::Approved {
        caption: CAPTION.to_owned(),
        alt_text: ALT_TEXT.to_owned(),
        hash: posts_table::content_hash(&"0".repeat(64), CAPTION, ALT_TEXT),
    };
    assert_eq!(decision.verdict, verdict);
    assert!(office.mails().await.is_empty());
    assert!(!office.waits().await);
    assert!(
        office
            .clients
            .table
            .approvals(&dry)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(office.audit().await.is_empty());
}
