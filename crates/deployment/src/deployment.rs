//! The names and clients of a deployment.

use aws_config::SdkConfig;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use lambda_function::aws_error;
use posts_table::Table;
use serde_json::{Value, json};

/// A deployment of the state machine and its functions in one account.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Its name, and the prefix of the names of its resources: `daily-post-<env>`.
    pub name: String,
    /// The 12 digits of its account.
    pub account_id: String,
    /// Its region.
    pub region: String,
    /// Step Functions.
    pub sfn: aws_sdk_sfn::Client,
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Secrets Manager.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// Lambda.
    pub lambda: aws_sdk_lambda::Client,
    /// SES.
    pub ses: aws_sdk_sesv2::Client,
    /// EventBridge.
    pub events: aws_sdk_eventbridge::Client,
    /// EventBridge Scheduler.
    pub scheduler: aws_sdk_scheduler::Client,
    /// The posts.
    pub table: Table,
    /// The bucket of the pictures.
    pub image_bucket: String,
    /// The bucket of the bots' files.
    pub bot_files_bucket: String,
    /// The state machine.
    pub state_machine_arn: String,
    /// The URL of the emulator; `None` on AWS.
    pub emulator_url: Option<String>,
}

impl Deployment {
    /// The deployment of an environment, by the names of its resources.
    pub fn named(
        env: &str,
        account_id: &str,
        aws: &SdkConfig,
        emulator_url: Option<String>,
    ) -> Deployment {
        let name = format!("daily-post-{env}");
        let region = aws.region().map(ToString::to_string).unwrap_or_default();
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        Deployment {
            sfn: aws_sdk_sfn::Client::new(aws),
            s3: aws_sdk_s3::Client::new(aws),
            secrets: aws_sdk_secretsmanager::Client::new(aws),
            lambda: aws_sdk_lambda::Client::new(aws),
            ses: aws_sdk_sesv2::Client::new(aws),
            events: aws_sdk_eventbridge::Client::new(aws),
            scheduler: aws_sdk_scheduler::Client::new(aws),
            table: Table::new(dynamodb.clone(), &name),
            dynamodb,
            image_bucket: format!("{name}-{account_id}-images"),
            bot_files_bucket: format!("{name}-{account_id}-bot-files"),
            state_machine_arn: format!("arn:aws:states:{region}:{account_id}:stateMachine:{name}"),
            account_id: account_id.to_owned(),
            region,
            emulator_url,
            name,
        }
    }

    /// Whether this is the local cloud.
    pub fn is_local(&self) -> bool {
        self.emulator_url.is_some()
    }

    /// The full name of a function.
    pub fn function_name(&self, function: &str) -> String {
        format!("{}-{function}", self.name)
    }

    /// The ARN of a function's alias `live`, by which it is invoked.
    pub fn function_arn(&self, function: &str) -> String {
        format!(
            "arn:aws:lambda:{}:{}:function:{}:live",
            self.region,
            self.account_id,
            self.function_name(function)
        )
    }

    /// The role of the local cloud's state machines and functions.
    pub fn role(&self) -> String {
        format!("arn:aws:iam::{}:role/{}", self.account_id, self.name)
    }

    /// Runs the watchdog once, as its schedule does. Its errors are in the result.
    pub async fn run_watchdog(&self) -> anyhow::Result<Value> {
        self.invoke("watchdog", &json!({})).await
    }

    /// Invokes a function by its alias, and returns its result, which can be an error of the function.
    pub async fn invoke(&self, function: &str, payload: &Value) -> anyhow::Result<Value> {
        let answer = self
            .lambda
            .invoke()
            .function_name(self.function_name(function))
            .qualifier("live")
            .payload(Blob::new(payload.to_string()))
            .send()
            .await
            .map_err(|e| aws_context(&format!("invoking {function}"), e))?;
        let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
        Ok(serde_json::from_slice(&payload).unwrap_or(Value::Null))
    }

    /// The bytes of a picture.
    pub async fn picture(&self, key: &str) -> anyhow::Result<Vec<u8>> {
        let object = self
            .s3
            .get_object()
            .bucket(&self.image_bucket)
            .key(key)
            .send()
            .await
            .map_err(|e| aws_context("reading the picture", e))?;
        Ok(object.body.collect().await?.to_vec())
    }
}

/// An AWS error with the attempted action. It stays an [`lambda_function::AwsError`] in the chain.
pub fn aws_context<E>(
    doing: &str,
    error: SdkError<E, aws_smithy_runtime_api::http::Response>,
) -> anyhow::Error
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    anyhow::Error::from(aws_error(&error)).context(doing.to_owned())
}
