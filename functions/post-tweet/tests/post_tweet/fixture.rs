//! The function with a claimed slot and its picture, in a separate account of the emulator, and a separate fake X.

use std::{collections::HashMap, io::Cursor, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::primitives::ByteStream;
use fakes::x::{self, Credentials, X};
use jiff::{SignedDuration, Timestamp};
use lambda_function::Invocation;
use local_cloud::Emulator;
use post::PostId;
use post_tweet::{Clients, Config, Error, Image, Input, Output, post_tweet};
use posts_table::{Arm, Armed, Record, content_hash};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub const EXECUTION: &str = "arn:aws:states:us-east-1:000000000000:execution:daily-post:one";
pub const CAPTION: &str = "Happy National Candy Corn Day! 👻\n\n#SpookyDays";
const SECRET: &str = "daily-post-test/spooky-days/x-credentials";
const ALT_TEXT: &str = "A ghost reads the paper.";

pub struct Fixture {
    pub aws: SdkConfig,
    pub config: Config,
    pub clients: Clients,
    pub post: PostId,
    pub picture: Vec<u8>,
    pub x: X,
    start: Timestamp,
}

/// The secret of these keys.
pub fn secret(credentials: &Credentials) -> Value {
    json!(credentials)
}

impl Fixture {
    pub async fn new() -> Fixture {
        let account = Emulator::shared().await.account();
        account.create_table("posts").await.unwrap();
        let aws = account.sdk_config().await;
        let bucket = format!("pictures-{}", account.id());
        let picture = picture();
        let s3 = aws_sdk_s3::Client::new(&aws);
        s3.create_bucket().bucket(&bucket).send().await.unwrap();
        s3.put_object()
            .bucket(&bucket)
            .key("pictures/one.jpg")
            .body(ByteStream::from(picture.clone()))
            .send()
            .await
            .unwrap();
        let x = x::start(x::Options {
            port: 0,
            credentials: credentials("42-token"),
            name: "Spooky Days".to_owned(),
            handle: "spooky_days".to_owned(),
            directory: None,
        })
        .await
        .unwrap();
        aws_sdk_secretsmanager::Client::new(&aws)
            .create_secret()
            .name(SECRET)
            .secret_string(secret(&credentials("42-token")).to_string())
            .send()
            .await
            .unwrap();
        let config = Config {
            table_name: "posts".to_owned(),
            image_bucket: bucket,
            secrets_prefix: "daily-post-test".to_owned(),
            x_api_base_url: x.base_url(),
            lease: Duration::from_secs(90),
            upload_timeout: Duration::from_secs(60),
            create_timeout: Duration::from_secs(60),
            request_timeout: Duration::from_secs(60),
        };
        let fixture = Fixture {
            clients: Clients::new(&aws, &config),
            aws,
            config,
            post: "spooky-days/2026-10-30/1".parse().unwrap(),
            picture,
            x,
            // Behind the clock of X, so that no tweet is older than the ledger that was armed for it.
            start: Timestamp::now()
                .checked_sub(SignedDuration::from_hours(24))
                .unwrap(),
        };
        let claim: Record = serde_json::from_value(json!({
            "post": fixture.post.to_string(),
            "execution": EXECUTION,
            "claimedAt": fixture.start,
            "ledger": "claimed",
            "day": {},
            "approvalRequired": false,
        }))
        .unwrap();
        fixture
            .clients
            .table
            .claim(&fixture.post, &claim)
            .await
            .unwrap();
        fixture
    }

    /// So many seconds after the claim.
    pub fn at(&self, seconds: i64) -> Timestamp {
        self.start
            .checked_add(SignedDuration::from_secs(seconds))
            .unwrap()
    }

    pub fn input(&self) -> Input {
        Input {
            execution: EXECUTION.to_owned(),
            post: self.post.to_string(),
            round: None,
            caption: CAPTION.to_owned(),
            alt_text: ALT_TEXT.to_owned(),
            image: Image {
                key: "pictures/one.jpg".to_owned(),
                sha256: self.sha256(),
            },
        }
    }

    pub async fn enter(&self, seconds: i64) -> Result<Output, Error> {
        self.enter_with(seconds, self.input()).await
    }

    pub async fn enter_with(&self, seconds: i64, input: Input) -> Result<Output, Error> {
        let invocation = Invocation {
            now: self.at(seconds),
            id: format!("lease-at-{seconds}"),
        };
        post_tweet(&self.clients, &self.config, invocation, input).await
    }

    pub async fn record(&self) -> Record {
        self.clients.table.read(&self.post).await.unwrap().unwrap()
    }

    /// Arms the ledger as another invocation.
    pub async fn arm(&self, seconds: i64, content_hash: &str) {
        let arm = Arm {
            execution: EXECUTION,
            text: CAPTION,
            media_key: "3_1",
            round: 1,
            content_hash,
            lease_id: "another",
            lease_until: self.at(seconds + 90).as_millisecond(),
        };
        let armed = self
            .clients
            .table
            .arm(&self.post, false, self.at(seconds), &arm)
            .await
            .unwrap();
        assert_eq!(armed, Armed::Yes);
    }

    pub fn content_hash(&self) -> String {
        content_hash(&self.sha256(), CAPTION, ALT_TEXT)
    }

    pub async fn put(&self, item: Value) {
        aws_sdk_dynamodb::Client::new(&self.aws)
            .put_item()
            .table_name("posts")
            .set_item(Some(attributes(item)))
            .send()
            .await
            .unwrap();
    }

    /// Sets attributes of the slot's item.
    pub async fn update(&self, changes: Value) {
        let client = aws_sdk_dynamodb::Client::new(&self.aws);
        for (name, value) in attributes(changes) {
            client
                .update_item()
                .table_name("posts")
                .key("pk", AttributeValue::S(self.post.partition_key()))
                .key("sk", AttributeValue::S(self.post.sort_key()))
                .update_expression("SET #name = :value")
                .expression_attribute_names("#name", name)
                .expression_attribute_values(":value", value)
                .send()
                .await
                .unwrap();
        }
    }

    pub fn credentials(&self, access_token: &str) -> Credentials {
        credentials(access_token)
    }

    pub async fn set_secret(&self, value: &str) {
        aws_sdk_secretsmanager::Client::new(&self.aws)
            .put_secret_value()
            .secret_id(SECRET)
            .secret_string(value)
            .send()
            .await
            .unwrap();
    }

    pub async fn delete_secret(&self) {
        aws_sdk_secretsmanager::Client::new(&self.aws)
            .delete_secret()
            .secret_id(SECRET)
            .force_delete_without_recovery(true)
            .send()
            .await
            .unwrap();
    }

    fn sha256(&self) -> String {
        Sha256::digest(&self.picture)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

fn credentials(access_token: &str) -> Credentials {
    Credentials {
        api_key: "key".to_owned(),
        api_key_secret: "key-secret".to_owned(),
        access_token: access_token.to_owned(),
        access_token_secret: "token-secret".to_owned(),
    }
}

fn picture() -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image::RgbImage::from_pixel(16, 16, image::Rgb([20, 0, 40]))
        .write_to(&mut bytes, image::ImageFormat::Jpeg)
        .unwrap();
    bytes.into_inner()
}

fn attributes(item: Value) -> HashMap<String, AttributeValue> {
    item.as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| {
            let value = match value {
                Value::Bool(value) => AttributeValue::Bool(*value),
                Value::Number(value) => AttributeValue::N(value.to_string()),
                Value::String(value) => AttributeValue::S(value.clone()),
                Value::Object(_) => AttributeValue::M(attributes(value.clone())),
                other => panic!("{other} is not used here"),
            };
            (name.clone(), value)
        })
        .collect()
}
