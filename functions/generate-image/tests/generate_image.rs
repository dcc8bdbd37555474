//! The real function against the emulator and HTTP servers: what is asked of OpenAI, what is kept, and the name of
//! each failure.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

use std::{
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::Context;
use aws_config::{SdkConfig, retry::RetryConfig};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use base64::{Engine, prelude::BASE64_STANDARD};
use fakes::{Fault, Kind, lambda, openai};
use generate_image::{Clients, Config, Error, Input, Output, Picture, generate_image};
use jiff::Timestamp;
use lambda_function::Invocation;
use lambda_runtime::Diagnostic;
use local_cloud::Emulator;
use posts_table::prices::max_picture_usd;
use posts_table::{Caps, Micros};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{header, method, path},
};

/// Recognizable, so that a leak is found wherever it turns up.
const KEY: &str = "sk-planted-4f1d2c3b5a69";

const PROMPT: &str = "A ghost celebrates National Candy Corn Day";

/// The function with an account of its own, and whatever stands in for OpenAI at an address.
struct Studio {
    aws: SdkConfig,
    s3: aws_sdk_s3::Client,
    secrets: aws_sdk_secretsmanager::Client,
    clients: Clients,
    config: Config,
}

impl Studio {
    async fn new(openai_base_url: &str) -> anyhow::Result<Studio> {
        let account = Emulator::shared().await.account();
        let aws = account.sdk_config().await;
        let s3 = aws_sdk_s3::Client::new(&aws);
        let secrets = aws_sdk_secretsmanager::Client::new(&aws);
        let image_bucket = format!("generate-image-{}", account.id());
        s3.create_bucket().bucket(&image_bucket).send().await?;
        s3.put_bucket_versioning()
            .bucket(&image_bucket)
            .versioning_configuration(
                VersioningConfiguration::builder()
                    .status(BucketVersioningStatus::Enabled)
                    .build(),
            )
            .send()
            .await?;
        let secret = secrets
            .create_secret()
            .name("openai")
            .secret_string(json!({"apiKey": KEY}).to_string())
            .send()
            .await?;
        account.create_table("posts").await?;
        let config = Config {
            table_name: "posts".to_owned(),
            image_bucket,
            openai_secret_arn: secret.arn.context("a secret has an ARN")?,
            openai_base_url: openai_base_url.to_owned(),
            timeout: Duration::from_secs(60),
        };
        Ok(Studio {
            clients: Clients::new(&aws, &config),
            config,
            aws,
            s3,
            secrets,
        })
    }

    async fn paint(&self, input: Input) -> Result<Output, Error> {
        paint_with(&self.clients, &self.config, input).await
    }

    /// What counts against the caps, in millionths of a dollar: settled, and reserved.
    async fn money(&self) -> (i64, i64) {
        let month = self.clients.table.spending("spooky-days", today()).await;
        let total = month.unwrap().total;
        assert_eq!(total.committed.0, total.openai.0 + total.reserved.0);
        (total.openai.0, total.reserved.0)
    }

    /// The name and the message of the failure to paint.
    async fn refused(&self, input: Input) -> (String, String) {
        match self.paint(input).await {
            Ok(draft) => panic!("a picture was painted: {draft:?}"),
            Err(error) => told(error),
        }
    }

    async fn set_secret(&self, value: &str) -> anyhow::Result<()> {
        self.secrets
            .put_secret_value()
            .secret_id(&self.config.openai_secret_arn)
            .secret_string(value)
            .send()
            .await?;
        Ok(())
    }

    /// Every version of every object, so that an overwritten one is seen.
    async fn versions(&self) -> anyhow::Result<Vec<String>> {
        let listed = self
            .s3
            .list_object_versions()
            .bucket(&self.config.image_bucket)
            .send()
            .await?;
        let keys = listed.versions().iter().filter_map(|version| version.key());
        Ok(keys.map(str::to_owned).collect())
    }

    async fn bytes(&self, key: &str) -> anyhow::Result<Vec<u8>> {
        let object = self
            .s3
            .get_object()
            .bucket(&self.config.image_bucket)
            .key(key)
            .send()
            .await?;
        Ok(object.body.collect().await?.to_vec())
    }
}

fn now() -> Timestamp {
    "2026-10-30T12:00:00Z".parse().unwrap()
}

fn today() -> jiff::civil::Date {
    "2026-10-30".parse().unwrap()
}

/// An invocation, with the name that Lambda would give it.
async fn paint_with(clients: &Clients, config: &Config, input: Input) -> Result<Output, Error> {
    static INVOCATIONS: AtomicU32 = AtomicU32::new(0);
    let name = format!("attempt-{}", INVOCATIONS.fetch_add(1, Ordering::Relaxed));
    let invocation = Invocation {
        now: now(),
        id: name,
    };
    generate_image(clients, config, invocation, input).await
}

async fn stand_in() -> anyhow::Result<openai::OpenAi> {
    openai::start(openai::Options {
        port: 0,
        api_key: KEY.to_owned(),
    })
    .await
}

/// A server with one answer, and the function that asks it.
async fn answering(answer: ResponseTemplate) -> anyhow::Result<(MockServer, Studio)> {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/images/generations"))
        .respond_with(answer)
        .mount(&server)
        .await;
    let studio = Studio::new(&format!("{}/v1", server.uri())).await?;
    Ok((server, studio))
}

async fn attempts(server: &MockServer) -> usize {
    // Recording is on unless a server is told otherwise.
    server.received_requests().await.unwrap_or_default().len()
}

fn input() -> Input {
    Input {
        post: "spooky-days/2026-10-30/1".to_owned(),
        round: Some(1),
        prompt: PROMPT.to_owned(),
        picture: Picture {
            model: "gpt-image-2.6-flare".to_owned(),
            size: "1024x1024".to_owned(),
            quality: "medium".to_owned(),
            format: "jpeg".to_owned(),
        },
        money: Some(Caps {
            per_day: Micros(100 * DOLLAR),
            per_month: Micros(100 * DOLLAR),
        }),
        time_zone: Some("America/New_York".to_owned()),
    }
}

const DOLLAR: i64 = 1_000_000;

/// The most that the picture of [`input`] can cost.
fn most() -> i64 {
    let picture = input().picture;
    Micros::from_usd(max_picture_usd(&picture.size, &picture.quality, PROMPT)).0
}

fn picture_json(bytes: &[u8]) -> Value {
    json!({
        "created": 1_793_000_000,
        "data": [{"b64_json": BASE64_STANDARD.encode(bytes)}],
        "usage": {"input_tokens": 100, "output_tokens": 1000, "total_tokens": 1100},
    })
}

/// An error's name and message, after what holds for all of them was checked.
fn told(error: Error) -> (String, String) {
    let name = <&str>::from(&error).to_owned();
    let diagnostic = Diagnostic::from(error);
    assert_eq!(diagnostic.error_type, name);
    let message = diagnostic.error_message;
    assert!(!message.is_empty(), "{name} says nothing");
    assert!(!message.contains(['\n', '\r']), "{name}: {message:?}");
    assert!(!message.contains(KEY), "{name} tells the key: {message}");
    (name, message)
}

/// What a row changes in an input that is fine.
type Change = fn(&mut Input);

/// Reads one request to its end.
async fn read_request(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut request = Vec::new();
    loop {
        if let Some(end) = request.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
            let length: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
                .unwrap_or(0);
            if request.len() >= end + 4 + length {
                return Ok(());
            }
        }
        if stream.read_buf(&mut request).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// What a server sends, and whether it then closes the connection.
struct Said {
    text: String,
    closes: bool,
}

/// The connections that were left open.
type Callers = JoinHandle<std::io::Result<Vec<TcpStream>>>;

/// A server that answers as many callers as there are answers, and none before all have asked. It gives the
/// connections back, which keeps open the ones that it did not close.
async fn patient(answers: Vec<Said>) -> std::io::Result<(String, Callers)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}/v1", listener.local_addr()?);
    let served = tokio::spawn(async move {
        let mut callers = Vec::new();
        for _ in &answers {
            let (mut caller, _) = listener.accept().await?;
            read_request(&mut caller).await?;
            callers.push(caller);
        }
        let mut open = Vec::new();
        for (mut caller, answer) in callers.into_iter().zip(answers) {
            caller.write_all(answer.text.as_bytes()).await?;
            if answer.closes {
                caller.shutdown().await?;
            } else {
                open.push(caller);
            }
        }
        Ok(open)
    });
    Ok((url, served))
}

/// An HTTP answer that says it is longer than it is by `missing` bytes.
fn http_json(body: &Value, missing: usize) -> String {
    let body = body.to_string();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len() + missing
    )
}

/// What the real binary answers to payloads that it cannot read, each with its name and message.
async fn answered(payloads: &[Value]) -> anyhow::Result<Vec<Value>> {
    let environment = [
        ("TABLE_NAME", "x"),
        ("IMAGE_BUCKET", "x"),
        ("OPENAI_SECRET_ARN", "x"),
    ];
    let binary = env!("CARGO_BIN_EXE_generate-image");
    let answers = lambda::invoke(binary, &environment, payloads).await?;
    Ok(answers.into_iter().map(|answer| answer.body).collect())
}

#[tokio::test]
async fn a_picture_is_asked_for_once_and_kept_with_what_it_cost() {
    let openai = stand_in().await.unwrap();
    let studio = Studio::new(&openai.base_url()).await.unwrap();

    let draft = studio.paint(input()).await.unwrap();

    // Every field is one of the documented CreateImageRequest; `response_format` and `style` are refused for these
    // models, and what is not sent would be a default that changes.
    assert_eq!(
        openai.requests(),
        [json!({
            "model": "gpt-image-2.6-flare",
            "prompt": PROMPT,
            "n": 1,
            "size": "1024x1024",
            "quality": "medium",
            "output_format": "jpeg",
        })]
    );
    let usage = draft.usage.clone().unwrap();
    let cost = (usage.input_tokens as f64 * 5.0 + usage.output_tokens as f64 * 30.0) / 1e6;
    assert!(usage.output_tokens > 0);
    assert!(
        (draft.cost_usd - cost).abs() < 1e-9,
        "{} {cost}",
        draft.cost_usd
    );
    assert!(!draft.cost_is_estimated && !draft.found);
    assert!(
        draft.key.starts_with("drafts/spooky-days/2026-10-30/1/1-") && draft.key.ends_with(".jpeg"),
        "{}",
        draft.key
    );
    assert_eq!(draft.content_type, "image/jpeg");
    assert_eq!(draft.model, "gpt-image-2.6-flare");
    assert_eq!(draft.size, "1024x1024");
    assert_eq!(draft.quality, "medium");
    let stored = studio
        .s3
        .head_object()
        .bucket(&studio.config.image_bucket)
        .key(&draft.key)
        .send()
        .await
        .unwrap();
    assert_eq!(stored.content_type(), Some("image/jpeg"));
    let metadata: Value = serde_json::from_str(&stored.metadata().unwrap()["draft"]).unwrap();
    assert_eq!(metadata, serde_json::to_value(&draft).unwrap());
    assert!(
        studio
            .bytes(&draft.key)
            .await
            .unwrap()
            .starts_with(&[0xFF, 0xD8])
    );
}

#[tokio::test]
async fn the_request_is_authorized_and_is_the_body_that_is_documented() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/images/generations"))
        .and(header("authorization", format!("Bearer {KEY}").as_str()))
        .and(header("content-type", "application/json"))
        .respond_with(ResponseTemplate::new(200).set_body_json(picture_json(b"picture")))
        .expect(1)
        .mount(&server)
        .await;
    // A slash at the end of the address makes no second one in the path.
    let studio = Studio::new(&format!("{}/v1/", server.uri())).await.unwrap();

    let draft = studio.paint(input()).await.unwrap();

    assert_eq!(studio.bytes(&draft.key).await.unwrap(), b"picture");
    let request = &server.received_requests().await.unwrap()[0];
    let agent = request.headers.get("user-agent").unwrap();
    assert!(
        agent.to_str().unwrap().starts_with("spooky-days/"),
        "{agent:?}"
    );
    assert!(!String::from_utf8_lossy(&request.body).contains(KEY));
}

#[tokio::test]
async fn each_format_is_kept_under_its_own_name_and_type() {
    let openai = stand_in().await.unwrap();
    let studio = Studio::new(&openai.base_url()).await.unwrap();
    for format in ["jpeg", "png", "webp"] {
        let mut input = input();
        input.picture.format = format.to_owned();
        let draft = studio.paint(input).await.unwrap();
        assert_eq!(draft.content_type, format!("image/{format}"));
        assert!(draft.key.ends_with(&format!(".{format}")), "{}", draft.key);
        assert_eq!(openai.requests().last().unwrap()["output_format"], format);
    }
    assert_eq!(studio.versions().await.unwrap().len(), 3);
}

#[tokio::test]
async fn whoever_enters_again_finds_the_draft_and_pays_nothing() {
    let openai = stand_in().await.unwrap();
    let studio = Studio::new(&openai.base_url()).await.unwrap();
    let first = studio.paint(input()).await.unwrap();
    // Neither the key nor OpenAI is needed any more.
    studio.set_secret("gone").await.unwrap();
    openai.fail(Fault::always("images", Kind::Html { status: 500 }));

    let again = studio.paint(input()).await.unwrap();

    assert_eq!(
        again,
        Output {
            found: true,
            ..first
        }
    );
    assert_eq!(openai.requests().len(), 1);
    assert_eq!(studio.versions().await.unwrap(), [again.key]);
}

#[tokio::test]
async fn another_post_round_prompt_or_picture_is_another_draft() {
    let (server, studio) =
        answering(ResponseTemplate::new(200).set_body_json(picture_json(b"picture")))
            .await
            .unwrap();
    let changes: [Change; 8] = [
        |_| {},
        |input| input.post = "spooky-days/2026-10-30/2".to_owned(),
        |input| input.post = "spooky-days/2027-10-30/1".to_owned(),
        |input| input.round = Some(2),
        |input| input.prompt = "Something softer".to_owned(),
        |input| input.picture.model = "gpt-image-2".to_owned(),
        |input| input.picture.size = "1536x1024".to_owned(),
        |input| input.picture.quality = "high".to_owned(),
    ];
    let mut keys = Vec::new();
    for change in changes {
        let mut input = input();
        change(&mut input);
        keys.push(studio.paint(input).await.unwrap().key);
    }
    // The first round needs no saying.
    let silent = Input {
        round: None,
        ..input()
    };
    assert_eq!(studio.paint(silent).await.unwrap().key, keys[0]);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), changes.len());
    assert_eq!(attempts(&server).await, changes.len());
}

#[tokio::test]
async fn two_entries_at_the_same_moment_keep_one_draft_and_agree_on_it() {
    let answers = [b"one", b"two"].map(|picture| Said {
        text: http_json(&picture_json(picture), 0),
        closes: true,
    });
    let (url, served) = patient(answers.into()).await.unwrap();
    let studio = Studio::new(&url).await.unwrap();

    let (one, other) = tokio::join!(studio.paint(input()), studio.paint(input()));

    served.await.unwrap().unwrap();
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_ne!(one.found, other.found);
    assert_eq!(
        Output {
            found: false,
            ..one.clone()
        },
        Output {
            found: false,
            ..other
        }
    );
    assert_eq!(studio.versions().await.unwrap(), [one.key]);
}

#[tokio::test]
async fn each_refusal_of_openai_has_its_name_and_is_asked_once() {
    let openai = stand_in().await.unwrap();
    let studio = Studio::new(&openai.base_url()).await.unwrap();
    let rows: [(u16, &str, Option<&str>, &str); 28] = [
        (
            429,
            "rate_limit_error",
            Some("rate_limit_exceeded"),
            "RateLimited",
        ),
        (429, "requests", Some("rate_limit_exceeded"), "RateLimited"),
        (429, "rate_limit_error", Some("slow_down"), "RateLimited"),
        (429, "tokens", None, "RateLimited"),
        (
            429,
            "insufficient_quota",
            Some("credit_balance_exhausted"),
            "OutOfCredit",
        ),
        (
            429,
            "insufficient_quota",
            Some("organization_spend_limit_exceeded"),
            "OutOfCredit",
        ),
        (
            429,
            "insufficient_quota",
            Some("project_spend_limit_exceeded"),
            "OutOfCredit",
        ),
        (
            429,
            "insufficient_quota",
            Some("organization_usage_limit_exceeded"),
            "OutOfCredit",
        ),
        (
            429,
            "insufficient_quota",
            Some("insufficient_quota"),
            "OutOfCredit",
        ),
        (429, "insufficient_quota", None, "OutOfCredit"),
        (
            429,
            "billing",
            Some("credit_balance_exhausted"),
            "OutOfCredit",
        ),
        (402, "billing_error", None, "OutOfCredit"),
        (
            400,
            "image_generation_user_error",
            Some("moderation_blocked"),
            "PromptRejected",
        ),
        (
            400,
            "invalid_request_error",
            Some("content_policy_violation"),
            "PromptRejected",
        ),
        (
            404,
            "invalid_request_error",
            Some("model_not_found"),
            "ModelGone",
        ),
        (
            400,
            "invalid_request_error",
            Some("model_not_found"),
            "ModelGone",
        ),
        (
            401,
            "invalid_request_error",
            Some("invalid_api_key"),
            "Unauthorized",
        ),
        (403, "invalid_request_error", None, "Unauthorized"),
        (
            400,
            "invalid_request_error",
            Some("invalid_value"),
            "RequestRejected",
        ),
        (400, "invalid_request_error", None, "RequestRejected"),
        (413, "invalid_request_error", None, "RequestRejected"),
        (422, "invalid_request_error", None, "RequestRejected"),
        (408, "timeout", None, "ServiceFailed"),
        (409, "conflict", None, "ServiceUnavailable"),
        (500, "server_error", None, "ServiceFailed"),
        (
            503,
            "service_unavailable_error",
            Some("server_is_overloaded"),
            "ServiceUnavailable",
        ),
        (504, "server_error", None, "ServiceFailed"),
        (529, "overloaded", None, "ServiceUnavailable"),
    ];
    let mut spent = 0;
    for (i, (status, kind, code, name)) in rows.into_iter().enumerate() {
        let said = format!("Explanation {i}\nin two lines.");
        let body = json!({"error": {"message": said, "type": kind, "param": null, "code": code}});
        openai.fail(Fault::once("images", Kind::Status { status, body }));

        let (told, message) = studio.refused(input()).await;

        assert_eq!(told, name, "{status} {kind} {code:?}: {message}");
        assert!(
            message.contains(&format!("Explanation {i}")) && message.contains(&status.to_string()),
            "{message}"
        );
        assert_eq!(openai.requests().len(), i + 1, "{status} {kind} {code:?}");
        // Only of these nobody knows whether they are paid.
        if ["PromptRejected", "ServiceFailed"].contains(&name) {
            spent += most();
        }
        assert_eq!(studio.money().await, (spent, 0), "{status} {kind} {code:?}");
    }
    assert!(studio.versions().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_refusal_that_is_no_documented_json_goes_by_its_status() {
    let rows = [
        (500, "ServiceFailed"),
        (502, "ServiceFailed"),
        (503, "ServiceUnavailable"),
        (429, "RateLimited"),
        (403, "Unauthorized"),
        (400, "RequestRejected"),
    ];
    let bodies = [
        "<!doctype html><title>Oops</title>".to_owned(),
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        json!({"error": null}).to_string(),
        json!({"error": "busy"}).to_string(),
        json!({"error": {"message": null, "type": null, "code": null}}).to_string(),
        json!({"error": {"message": {"text": "busy"}, "code": 17}}).to_string(),
    ];
    for body in bodies {
        for (status, name) in rows {
            let answer = ResponseTemplate::new(status).set_body_string(body.clone());
            let (server, studio) = answering(answer).await.unwrap();
            let (told, message) = studio.refused(input()).await;
            assert_eq!(told, name, "{status} {body:?}: {message}");
            assert!(!message.contains("<!doctype"), "{message}");
            assert_eq!(attempts(&server).await, 1);
        }
    }
}

#[tokio::test]
async fn a_number_for_a_code_does_not_hide_what_openai_says() {
    let body = json!({"error": {"message": "Too much.", "type": "insufficient_quota", "code": 17}});
    let (_server, studio) = answering(ResponseTemplate::new(429).set_body_json(body))
        .await
        .unwrap();
    let (name, message) = studio.refused(input()).await;
    assert_eq!(name, "OutOfCredit", "{message}");
    assert!(message.contains("Too much."), "{message}");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_key_stays_here() {
    let elsewhere = MockServer::start().await;
    let answer = ResponseTemplate::new(307).insert_header("location", elsewhere.uri().as_str());
    let (server, studio) = answering(answer).await.unwrap();
    assert_eq!(studio.refused(input()).await.0, "ServiceUnavailable");
    assert_eq!(attempts(&server).await, 1);
    assert_eq!(attempts(&elsewhere).await, 0);
}

#[tokio::test]
async fn a_refusal_names_the_request_for_the_support_of_openai() {
    let body = json!({"error": {"message": "No.", "type": "server_error", "code": null}});
    let answer = ResponseTemplate::new(500)
        .insert_header("x-request-id", "req_0123")
        .set_body_json(body);
    let (_server, studio) = answering(answer).await.unwrap();
    let (_, message) = studio.refused(input()).await;
    assert!(message.contains("req_0123"), "{message}");
}

#[tokio::test]
async fn a_refusal_that_quotes_the_key_does_not_tell_it() {
    for said in [
        format!("Incorrect API key provided: {KEY}. You can find your API key elsewhere."),
        format!("The key {KEY} is not allowed to use this model."),
        format!("{KEY}{KEY}"),
        format!("Bearer {KEY}"),
    ] {
        for status in [400, 401, 403, 429, 500] {
            let body = json!({"error": {"message": said, "type": said, "code": said}});
            let (_server, studio) = answering(ResponseTemplate::new(status).set_body_json(body))
                .await
                .unwrap();
            // `told` looks for the key.
            studio.refused(input()).await;
        }
    }
}

#[tokio::test]
async fn a_refusal_is_told_at_bearable_length() {
    let body = json!({"error": {"message": "no ".repeat(5000), "type": "x", "code": "x"}});
    let (_server, studio) = answering(ResponseTemplate::new(400).set_body_json(body))
        .await
        .unwrap();
    let (_, message) = studio.refused(input()).await;
    assert!(message.len() < 1000, "{}", message.len());
}

#[tokio::test]
async fn nobody_listening_is_unavailable() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let studio = Studio::new(&url).await.unwrap();
    let (name, message) = studio.refused(input()).await;
    assert_eq!(name, "ServiceUnavailable", "{message}");
    assert!(message.contains("OpenAI"), "{message}");
}

#[tokio::test]
async fn a_connection_that_breaks_once_the_request_is_out_may_have_cost_a_picture() {
    for kind in [Kind::ResetBefore, Kind::ResetAfter] {
        let openai = stand_in().await.unwrap();
        let studio = Studio::new(&openai.base_url()).await.unwrap();
        openai.fail(Fault::always("images", kind.clone()));
        let (name, message) = studio.refused(input()).await;
        assert_eq!(name, "NoPicture", "{kind:?}: {message}");
        assert!(message.contains("may have been paid"), "{message}");
        assert_eq!(openai.requests().len(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_may_have_cost_a_picture() {
    let (url, served) = patient(vec![Said {
        text: http_json(&picture_json(b"picture"), 10),
        closes: true,
    }])
    .await
    .unwrap();
    let studio = Studio::new(&url).await.unwrap();
    let (name, message) = studio.refused(input()).await;
    served.await.unwrap().unwrap();
    assert_eq!(name, "NoPicture", "{message}");
    assert!(message.contains("may have been paid"), "{message}");
}

#[tokio::test]
async fn no_answer_in_time_is_timed_out_and_may_have_cost_a_picture() {
    let openai = stand_in().await.unwrap();
    let mut studio = Studio::new(&openai.base_url()).await.unwrap();
    studio.config.timeout = Duration::from_millis(300);
    openai.fail(Fault::always("images", Kind::Hang));
    let (name, message) = studio.refused(input()).await;
    assert_eq!(name, "TimedOut", "{message}");
    assert!(message.contains("may have been paid"), "{message}");
    assert_eq!(openai.requests().len(), 1);
}

#[tokio::test]
async fn an_answer_that_comes_too_slowly_is_timed_out() {
    let (url, served) = patient(vec![Said {
        text: http_json(&picture_json(b"picture"), 10),
        closes: false,
    }])
    .await
    .unwrap();
    let mut studio = Studio::new(&url).await.unwrap();
    studio.config.timeout = Duration::from_millis(300);
    let (name, message) = studio.refused(input()).await;
    assert_eq!(name, "TimedOut", "{message}");
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_answer_without_a_picture_that_can_be_read_is_no_picture() {
    let usage = json!({"input_tokens": 1, "output_tokens": 1});
    let bodies = [
        "<!doctype html><title>Welcome</title>".to_owned(),
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        json!({}).to_string(),
        json!({"data": null, "usage": usage}).to_string(),
        json!({"data": []}).to_string(),
        json!({"data": [{}]}).to_string(),
        json!({"data": [{"b64_json": null}]}).to_string(),
        json!({"data": [{"url": "https://example.com/picture.png"}]}).to_string(),
        json!({"data": [{"b64_json": ""}]}).to_string(),
        json!({"data": [{"b64_json": "%%%"}]}).to_string(),
        json!({"data": [{"b64_json": "QUJ"}]}).to_string(),
        json!({"data": [{"b64_json": 17}]}).to_string(),
        json!({"data": [{"b64_json": "QUJD"}]}).to_string()[..20].to_owned(),
    ];
    for body in bodies {
        let answer = ResponseTemplate::new(200).set_body_string(body.clone());
        let (server, studio) = answering(answer).await.unwrap();
        let (name, message) = studio.refused(input()).await;
        assert_eq!(name, "NoPicture", "{body}: {message}");
        assert!(message.contains("may have been paid"), "{message}");
        assert!(!message.contains("<!doctype"), "{message}");
        assert_eq!(attempts(&server).await, 1, "{body}");
        assert!(studio.versions().await.unwrap().is_empty(), "{body}");
    }
}

#[tokio::test]
async fn what_is_new_in_an_answer_does_not_lose_a_picture_that_was_paid() {
    let mut body = picture_json(b"picture");
    body["quality"] = json!("ghastly");
    body["size"] = json!("4096x4096");
    body["output_format"] = json!("hologram");
    body["background"] = json!({"kind": "fog"});
    body["created"] = json!("today");
    body["data"][0]["revised_prompt"] = json!("softer");
    body["usage"]["input_tokens_details"] = json!("none");
    body["something_else"] = json!([1, 2, 3]);
    let (_server, studio) = answering(ResponseTemplate::new(200).set_body_json(body))
        .await
        .unwrap();

    let draft = studio.paint(input()).await.unwrap();

    assert_eq!(draft.quality, "ghastly");
    assert_eq!(draft.size, "4096x4096");
    assert!((draft.cost_usd - 0.0305).abs() < 1e-9, "{}", draft.cost_usd);
    assert_eq!(studio.bytes(&draft.key).await.unwrap(), b"picture");
}

#[tokio::test]
async fn a_count_that_is_missing_or_unreadable_gives_an_estimate_and_not_a_lost_picture() {
    for usage in [
        None,
        Some(json!(null)),
        Some(json!({})),
        Some(json!({"input_tokens": 5})),
        Some(json!({"input_tokens": "5", "output_tokens": "6"})),
        Some(json!({"input_tokens": 5, "output_tokens": -1})),
        Some(json!("much")),
    ] {
        let mut body = picture_json(b"picture");
        match &usage {
            Some(usage) => body["usage"] = usage.clone(),
            None => drop(body.as_object_mut().unwrap().remove("usage")),
        }
        body["size"] = json!(null);
        body["quality"] = json!(7);
        let (_server, studio) = answering(ResponseTemplate::new(200).set_body_json(body))
            .await
            .unwrap();

        let draft = studio
            .paint(input())
            .await
            .unwrap_or_else(|error| panic!("{usage:?}: {error}"));

        assert!(draft.cost_is_estimated, "{usage:?}");
        assert_eq!(draft.usage, None);
        assert_eq!(Micros::from_usd(draft.cost_usd).0, most());
        assert_eq!(studio.money().await, (most(), 0));
        assert_eq!(
            (draft.size.as_str(), draft.quality.as_str()),
            ("1024x1024", "medium")
        );
    }
}

#[tokio::test]
async fn an_estimate_grows_with_the_quality() {
    let mut body = picture_json(b"picture");
    body["usage"] = json!(null);
    let (_server, studio) = answering(ResponseTemplate::new(200).set_body_json(body))
        .await
        .unwrap();
    let mut last = 0.0;
    for quality in ["low", "medium", "high", "max"] {
        let mut input = input();
        input.picture.quality = quality.to_owned();
        let draft = studio.paint(input).await.unwrap();
        assert!(draft.cost_usd > last, "{quality}: {}", draft.cost_usd);
        last = draft.cost_usd;
    }
}

#[tokio::test]
async fn a_secret_that_cannot_be_used_is_named_and_not_told_and_nothing_is_asked() {
    let openai = stand_in().await.unwrap();
    let studio = Studio::new(&openai.base_url()).await.unwrap();
    for value in [
        KEY.to_owned(),
        format!("\"{KEY}\""),
        format!("{{\"apiKey\": \"{KEY}"),
        json!({"api_key": KEY}).to_string(),
        json!({"apiKey": null, "other": KEY}).to_string(),
        json!({"apiKey": [KEY]}).to_string(),
        "null".to_owned(),
        "{}".to_owned(),
        json!({"apiKey": ""}).to_string(),
        json!({"apiKey": " "}).to_string(),
        // Pasted with the end of its line, or with what a terminal put around it: no header can hold that.
        json!({"apiKey": format!("{KEY}\r\n{KEY}")}).to_string(),
        json!({"apiKey": format!("\u{1b}[0m{KEY}")}).to_string(),
    ] {
        studio.set_secret(&value).await.unwrap();
        let (name, message) = studio.refused(input()).await;
        assert_eq!(name, "SecretUnusable", "{value}: {message}");
        assert!(
            message.contains(&studio.config.openai_secret_arn) && message.contains("apiKey"),
            "{message}"
        );
    }
    assert!(openai.requests().is_empty());
}

#[tokio::test]
async fn a_key_that_was_pasted_with_space_around_it_is_good() {
    let openai = stand_in().await.unwrap();
    let studio = Studio::new(&openai.base_url()).await.unwrap();
    studio
        .set_secret(&json!({"apiKey": format!(" {KEY}\n")}).to_string())
        .await
        .unwrap();
    studio.paint(input()).await.unwrap();
}

#[tokio::test]
async fn a_secret_that_is_missing_deleted_or_without_a_value_is_unusable() {
    let openai = stand_in().await.unwrap();
    let mut studio = Studio::new(&openai.base_url()).await.unwrap();
    let right = studio.config.openai_secret_arn.clone();
    let empty = studio
        .secrets
        .create_secret()
        .name("empty")
        .send()
        .await
        .unwrap();
    for arn in [empty.arn.unwrap(), "nowhere".to_owned()] {
        studio.config.openai_secret_arn = arn.clone();
        let (name, message) = studio.refused(input()).await;
        assert_eq!(name, "SecretUnusable", "{arn}: {message}");
        assert!(
            message.contains(&arn) && message.contains("apiKey"),
            "{message}"
        );
    }
    studio
        .secrets
        .delete_secret()
        .secret_id(&right)
        .send()
        .await
        .unwrap();
    studio.config.openai_secret_arn = right;
    let (name, message) = studio.refused(input()).await;
    assert_eq!(name, "SecretUnusable", "{message}");
    assert!(openai.requests().is_empty());
}

#[tokio::test]
async fn a_missing_bucket_is_found_out_before_anything_is_paid() {
    let openai = stand_in().await.unwrap();
    let mut studio = Studio::new(&openai.base_url()).await.unwrap();
    studio.config.image_bucket = "no-such-bucket-of-ours".to_owned();
    let (name, message) = studio.refused(input()).await;
    assert_eq!(name, "Unexpected", "{message}");
    assert!(message.contains("NoSuchBucket"), "{message}");
    assert!(openai.requests().is_empty());
}

#[tokio::test]
async fn an_object_that_nobody_of_us_wrote_is_not_taken_for_a_draft() {
    let openai = stand_in().await.unwrap();
    let studio = Studio::new(&openai.base_url()).await.unwrap();
    let key = studio.paint(input()).await.unwrap().key;
    for metadata in [None, Some("not JSON")] {
        let mut put = studio
            .s3
            .put_object()
            .bucket(&studio.config.image_bucket)
            .key(&key);
        if let Some(metadata) = metadata {
            put = put.metadata("draft", metadata);
        }
        put.send().await.unwrap();
        let (name, message) = studio.refused(input()).await;
        assert_eq!(name, "Unexpected", "{message}");
        assert!(message.contains(&key), "{message}");
    }
    assert_eq!(openai.requests().len(), 1);
}

#[tokio::test]
async fn aws_that_answers_5xx_or_does_not_answer_is_unavailable() {
    let openai = stand_in().await.unwrap();
    let studio = Studio::new(&openai.base_url()).await.unwrap();
    let broken = MockServer::start().await;
    Mock::given(wiremock::matchers::any())
        .respond_with(ResponseTemplate::new(503))
        .mount(&broken)
        .await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for endpoint in [broken.uri(), nobody] {
        // The SDK's own short retries would only make this slow.
        let elsewhere = studio
            .aws
            .to_builder()
            .endpoint_url(endpoint)
            .retry_config(RetryConfig::disabled())
            .build();
        let mut no_s3 = Clients::new(&elsewhere, &studio.config);
        no_s3.secrets = studio.secrets.clone();
        let mut no_secrets = Clients::new(&elsewhere, &studio.config);
        no_secrets.s3 = studio.s3.clone();
        for (clients, service) in [(no_s3, "S3"), (no_secrets, "Secrets Manager")] {
            let painted = paint_with(&clients, &studio.config, input()).await;
            let (name, message) = told(painted.expect_err("a picture was painted"));
            assert_eq!(name, "ServiceUnavailable", "{message}");
            assert!(message.contains(service), "{message}");
        }
    }
    assert!(openai.requests().is_empty());
}

#[tokio::test]
async fn an_answer_of_secrets_manager_that_is_no_secret_has_its_name_and_is_not_told() {
    let openai = stand_in().await.unwrap();
    let studio = Studio::new(&openai.base_url()).await.unwrap();
    let problem = |kind: &str| json!({"__type": kind, "message": "No."}).to_string();
    for (status, body, expected) in [
        (400, problem("ThrottlingException"), "ServiceUnavailable"),
        (500, problem("InternalServiceError"), "ServiceUnavailable"),
        (400, problem("AccessDeniedException"), "SecretUnusable"),
        (400, problem("DecryptionFailure"), "SecretUnusable"),
        // An answer that breaks off in the middle of the secret.
        (
            200,
            format!("{{\"SecretString\": \"{{\\\"apiKey\\\": \\\"{KEY}"),
            "ServiceUnavailable",
        ),
    ] {
        let server = MockServer::start().await;
        Mock::given(wiremock::matchers::any())
            .respond_with(ResponseTemplate::new(status).set_body_string(body.clone()))
            .mount(&server)
            .await;
        let elsewhere = studio
            .aws
            .to_builder()
            .endpoint_url(server.uri())
            .retry_config(RetryConfig::disabled())
            .build();
        let mut clients = Clients::new(&elsewhere, &studio.config);
        clients.s3 = studio.s3.clone();
        let painted = paint_with(&clients, &studio.config, input()).await;
        let (name, message) = told(painted.expect_err("a picture was painted"));
        assert_eq!(name, expected, "{body}: {message}");
        assert!(
            message.contains(&studio.config.openai_secret_arn),
            "{message}"
        );
    }
    assert!(openai.requests().is_empty());
}

#[tokio::test]
async fn a_paid_picture_outlives_a_conflict_with_another_write() {
    let (openai, studio) =
        answering(ResponseTemplate::new(200).set_body_json(picture_json(b"picture")))
            .await
            .unwrap();
    // S3's answers to a key that is not there, to a write that met another one, and to the write after it.
    let s3 = MockServer::start().await;
    let problem = |status, code: &str| {
        let body = format!("<Error><Code>{code}</Code><Message>No.</Message></Error>");
        ResponseTemplate::new(status).set_body_raw(body, "application/xml")
    };
    Mock::given(method("GET"))
        .respond_with(problem(404, "NoSuchKey"))
        .mount(&s3)
        .await;
    Mock::given(method("PUT"))
        .respond_with(problem(409, "ConditionalRequestConflict"))
        .up_to_n_times(1)
        .mount(&s3)
        .await;
    Mock::given(method("PUT"))
        .and(header("if-none-match", "*"))
        .respond_with(ResponseTemplate::new(200))
        .expect(1)
        .mount(&s3)
        .await;
    let elsewhere = studio.aws.to_builder().endpoint_url(s3.uri()).build();
    let mut clients = Clients::new(&elsewhere, &studio.config);
    clients.secrets = studio.secrets.clone();
    clients.table = studio.clients.table.clone();

    let draft = paint_with(&clients, &studio.config, input()).await.unwrap();

    assert!(!draft.found);
    assert_eq!(attempts(&openai).await, 1);
}

#[tokio::test]
async fn input_that_cannot_be_worked_on_names_its_field_and_asks_for_nothing() {
    let openai = stand_in().await.unwrap();
    let studio = Studio::new(&openai.base_url()).await.unwrap();
    let rows: [(Change, &str); 5] = [
        (
            |input| input.picture.format = "gif".to_owned(),
            "picture.format",
        ),
        (
            |input| input.picture.format = "JPEG".to_owned(),
            "picture.format",
        ),
        (
            |input| input.picture.format = String::new(),
            "picture.format",
        ),
        (|input| input.prompt = String::new(), "prompt"),
        (|input| input.prompt = " \n\t".to_owned(), "prompt"),
    ];
    for (change, field) in rows {
        let mut input = input();
        change(&mut input);
        let (name, message) = studio.refused(input).await;
        assert_eq!(name, "InvalidInput", "{message}");
        assert!(message.contains(field), "{message}");
    }
    assert!(openai.requests().is_empty());
}

#[tokio::test]
async fn the_function_as_it_is_deployed_names_what_its_input_lacks() {
    let rows = [
        (json!({}), "post"),
        (json!(null), "input cannot be read"),
        (json!({"post": "p", "prompt": "x"}), "picture"),
        (
            json!({"post": "p", "picture": {"model": "m", "size": "s", "quality": "q", "format": "jpeg"}}),
            "prompt",
        ),
        (
            json!({"post": "p", "prompt": ["x"], "picture": {"model": "m", "size": "s", "quality": "q", "format": "jpeg"}}),
            "sequence",
        ),
        (
            json!({"post": "p", "prompt": "x", "picture": {"model": "m"}}),
            "size",
        ),
        (
            json!({"post": "p", "round": -1, "prompt": "x", "picture": {"model": "m", "size": "s", "quality": "q", "format": "jpeg"}}),
            "-1",
        ),
    ];
    let payloads = rows.clone().map(|(payload, _)| payload);
    let answers = answered(&payloads).await.unwrap();
    assert_eq!(answers.len(), rows.len());
    for ((payload, says), answer) in rows.into_iter().zip(answers) {
        assert_eq!(answer["errorType"], "InvalidInput", "{payload}: {answer}");
        let message = answer["errorMessage"].as_str().unwrap();
        assert!(message.contains(says), "{payload}: {message}");
    }
}

#[test]
fn without_its_environment_the_function_ends_and_names_the_variable() {
    let given = [
        ("TABLE_NAME", "table"),
        ("IMAGE_BUCKET", "bucket"),
        ("OPENAI_SECRET_ARN", "arn"),
    ];
    for (missing, _) in given {
        let output = Command::new(env!("CARGO_BIN_EXE_generate-image"))
            .env_clear()
            .envs(given.into_iter().filter(|(name, _)| *name != missing))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{missing}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(missing), "{missing}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[tokio::test]
async fn over_a_cap_nothing_is_asked_of_openai() {
    let openai = stand_in().await.unwrap();
    let studio = Studio::new(&openai.base_url()).await.unwrap();
    let one_and_a_half = Micros(most() * 3 / 2);
    let plenty = Micros(100 * DOLLAR);
    for (round, per_day, per_month, cap) in [
        (1, plenty, one_and_a_half, None),
        (2, plenty, one_and_a_half, Some("per_month_usd")),
        (3, one_and_a_half, plenty, Some("per_day_usd")),
        (4, Micros(0), plenty, Some("per_day_usd")),
    ] {
        let mut input = input();
        input.round = Some(round);
        input.money = Some(Caps { per_day, per_month });
        match cap {
            None => drop(studio.paint(input).await.unwrap()),
            Some(cap) => {
                let (name, message) = studio.refused(input).await;
                assert_eq!(name, "OverBudget");
                assert!(message.contains(cap), "{message}");
            }
        }
    }
    assert_eq!(openai.requests().len(), 1);
    assert_eq!(studio.money().await.1, 0);
}

#[tokio::test]
async fn an_execution_from_before_the_caps_has_those_of_a_bot_that_says_nothing() {
    let openai = stand_in().await.unwrap();
    let studio = Studio::new(&openai.base_url()).await.unwrap();
    let old = |round| {
        let mut input = input();
        (input.round, input.money, input.time_zone) = (Some(round), None, None);
        input.picture.quality = "max".to_owned();
        input
    };
    for round in 1..=4 {
        studio.paint(old(round)).await.unwrap();
    }
    // The stand-in takes less than the most that it could, so count it in full to get near the dollar.
    let (post, zone) = (
        "spooky-days/2026-10-30/1".parse().unwrap(),
        jiff::tz::TimeZone::UTC,
    );
    let rest = Micros(DOLLAR - studio.money().await.0);
    let table = &studio.clients.table;
    let reserve = table.reserve(&post, 1, "the rest", rest, Caps::default(), &zone, now());
    assert!(matches!(
        reserve.await.unwrap(),
        posts_table::Reserved::Yes(_)
    ));
    assert_eq!(studio.refused(old(5)).await.0, "OverBudget");
}

#[tokio::test]
async fn who_finds_the_draft_of_a_dead_invocation_settles_its_reservation_at_the_price() {
    let (_server, studio) =
        answering(ResponseTemplate::new(200).set_body_json(picture_json(b"picture")))
            .await
            .unwrap();
    // DynamoDB takes the reservation, and answers nothing of what comes after it.
    let (held, mut requests) = tokio::sync::mpsc::unbounded_channel();
    let proxy = fakes::proxy::start(studio.aws.endpoint_url().unwrap(), held)
        .await
        .unwrap();
    let aws = studio.aws.to_builder().endpoint_url(proxy.url()).build();
    let table = Clients::new(&aws, &studio.config).table;
    let mut clients = Clients::new(&studio.aws, &studio.config);
    clients.table = table;
    let config = studio.config.clone();
    let invocation = tokio::spawn(async move { paint_with(&clients, &config, input()).await });
    let first: fakes::proxy::Held = requests.recv().await.unwrap();
    first.forward().await;
    // By now the picture is painted and kept, and the invocation dies.
    let settling = requests.recv().await.unwrap();
    invocation.abort();
    drop(settling);
    assert_eq!(studio.money().await, (0, most()));

    let found = studio.paint(input()).await.unwrap();
    assert!(found.found);
    // A thousand tokens of picture and a hundred of text.
    assert_eq!(studio.money().await, (30_500, 0));
}

#[tokio::test]
async fn a_dry_run_gets_a_test_card_and_neither_asks_openai_nor_counts() {
    let openai = stand_in().await.unwrap();
    let studio = Studio::new(&openai.base_url()).await.unwrap();
    // Not even the key is read.
    studio.set_secret("no key").await.unwrap();
    let dry = Input {
        post: "spooky-days/2026-10-30/1/dry-run-one".to_owned(),
        money: Some(Caps {
            per_day: Micros(0),
            per_month: Micros(0),
        }),
        ..input()
    };
    let draft = studio.paint(dry.clone()).await.unwrap();
    assert_eq!(
        draft.key,
        "drafts/spooky-days/2026-10-30/1/dry-run-one/1-test-card.png"
    );
    assert_eq!((draft.cost_usd, draft.model.as_str()), (0.0, "test-card"));
    let card = studio.bytes(&draft.key).await.unwrap();
    assert!(card.starts_with(b"\x89PNG\r\n\x1a\n"));
    // Entered again it is there.
    let again = studio.paint(dry).await.unwrap();
    assert!(again.found);
    assert_eq!(again.key, draft.key);
    assert_eq!(studio.versions().await.unwrap().len(), 1);
    assert!(openai.requests().is_empty());
    assert_eq!(studio.money().await, (0, 0));
}
