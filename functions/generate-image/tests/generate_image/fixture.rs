//! The function against the emulator and a server in place of OpenAI.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::Context;
use aws_config::SdkConfig;
use base64::{Engine, prelude::BASE64_STANDARD};
use fakes::openai;
use generate_image::{Clients, Config, Error, Input, Output, Picture, generate_image};
use jiff::Timestamp;
use lambda_function::{Diagnostic, Invocation};
use local_cloud::Emulator;
use posts_table::{Caps, Micros, prices::max_picture_usd};
use serde_json::{Value, json};
use test_kit::buckets;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path},
};

/// A value that is recognized wherever it leaks.
pub const KEY: &str = "sk-planted-4f1d2c3b5a69";

/// A timeout for a request that a fault never answers: long enough for every other step on a slow machine.
pub const SHORT_TIMEOUT: Duration = Duration::from_secs(5);

pub const PROMPT: &str = "A ghost celebrates National Candy Corn Day";

/// The function with a separate account of the emulator, and a server in place of OpenAI.
pub struct Fixture {
    pub aws: SdkConfig,
    pub s3: aws_sdk_s3::Client,
    pub secrets: aws_sdk_secretsmanager::Client,
    pub clients: Clients,
    pub config: Config,
}

impl Fixture {
    pub async fn new(openai_base_url: &str) -> anyhow::Result<Fixture> {
        let account = Emulator::shared().await.account();
        let aws = account.sdk_config().await;
        let s3 = aws_sdk_s3::Client::new(&aws);
        let secrets = aws_sdk_secretsmanager::Client::new(&aws);
        let image_bucket = format!("generate-image-{}", account.id());
        buckets::create_versioned(&s3, &image_bucket).await?;
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
        Ok(Fixture {
            clients: Clients::new(&aws, &config),
            config,
            aws,
            s3,
            secrets,
        })
    }

    pub async fn generate(&self, input: Input) -> Result<Output, Error> {
        generate_with(&self.clients, &self.config, input).await
    }

    /// What counts against the caps, in millionths of a dollar: settled and reserved.
    pub async fn money(&self) -> (i64, i64) {
        let month = self.clients.table.spending("spooky-days", today()).await;
        let total = month.unwrap().total;
        assert_eq!(total.committed.0, total.openai.0 + total.reserved.0);
        (total.openai.0, total.reserved.0)
    }

    /// The name and the message of the error.
    pub async fn refused(&self, input: Input) -> (String, String) {
        match self.generate(input).await {
            Ok(draft) => panic!("a picture was painted: {draft:?}"),
            Err(error) => name_and_message(error),
        }
    }

    pub async fn set_secret(&self, value: &str) -> anyhow::Result<()> {
        self.secrets
            .put_secret_value()
            .secret_id(&self.config.openai_secret_arn)
            .secret_string(value)
            .send()
            .await?;
        Ok(())
    }

    /// Every version of every object, so that an overwritten one is seen.
    pub async fn versions(&self) -> anyhow::Result<Vec<String>> {
        buckets::versions(&self.s3, &self.config.image_bucket).await
    }

    pub async fn bytes(&self, key: &str) -> anyhow::Result<Vec<u8>> {
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

pub fn now() -> Timestamp {
    "2026-10-30T12:00:00Z".parse().unwrap()
}

pub fn today() -> jiff::civil::Date {
    "2026-10-30".parse().unwrap()
}

/// An invocation with a request id.
pub async fn generate_with(
    clients: &Clients,
    config: &Config,
    input: Input,
) -> Result<Output, Error> {
    static INVOCATIONS: AtomicU32 = AtomicU32::new(0);
    let name = format!("attempt-{}", INVOCATIONS.fetch_add(1, Ordering::Relaxed));
    let invocation = Invocation {
        now: now(),
        id: name,
    };
    generate_image(clients, config, invocation, input).await
}

pub async fn fake_openai() -> anyhow::Result<openai::OpenAi> {
    openai::start(openai::Options {
        port: 0,
        api_key: KEY.to_owned(),
    })
    .await
}

/// A server with one answer, and a fixture that uses it.
pub async fn answering(answer: ResponseTemplate) -> anyhow::Result<(MockServer, Fixture)> {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/images/generations"))
        .respond_with(answer)
        .mount(&server)
        .await;
    let fixture = Fixture::new(&format!("{}/v1", server.uri())).await?;
    Ok((server, fixture))
}

pub async fn attempts(server: &MockServer) -> usize {
    // Recording is on by default.
    server.received_requests().await.unwrap_or_default().len()
}

pub fn input() -> Input {
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

pub const DOLLAR: i64 = 1_000_000;

/// The most that the picture of [`input`] can cost.
pub fn most() -> i64 {
    let picture = input().picture;
    Micros::from_usd(max_picture_usd(&picture.size, &picture.quality, PROMPT)).0
}

pub fn picture_json(bytes: &[u8]) -> Value {
    json!({
        "created": 1_793_000_000,
        "data": [{"b64_json": BASE64_STANDARD.encode(bytes)}],
        "usage": {"input_tokens": 100, "output_tokens": 1000, "total_tokens": 1100},
    })
}

/// An error's name and message. Asserts what holds for all of them.
pub fn name_and_message(error: Error) -> (String, String) {
    let name = <&str>::from(&error).to_owned();
    let diagnostic = Diagnostic::from(error);
    assert_eq!(diagnostic.error_type, name);
    let message = diagnostic.error_message;
    assert!(!message.is_empty(), "{name} has no message");
    assert!(!message.contains(['\n', '\r']), "{name}: {message:?}");
    assert!(!message.contains(KEY), "{name} leaks the key: {message}");
    (name, message)
}

/// What a row changes in a valid input.
pub type Change = fn(&mut Input);

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
pub struct Canned {
    pub text: String,
    pub closes: bool,
}

/// The connections that were left open.
type Callers = JoinHandle<std::io::Result<Vec<TcpStream>>>;

/// A server that answers once all requests have arrived, one for each answer. It returns the connections that it did
/// not close, which keeps them open.
pub async fn patient(answers: Vec<Canned>) -> std::io::Result<(String, Callers)> {
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

/// An HTTP answer whose content length is `missing` bytes too long.
pub fn http_json(body: &Value, missing: usize) -> String {
    let body = body.to_string();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len() + missing
    )
}
