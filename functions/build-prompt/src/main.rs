//! The Lambda function around [`build_prompt::build_prompt`].

use build_prompt::{Input, build_prompt};
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_function::telemetry::init();
    Runtime::new(service_fn(|event: LambdaEvent<Value>| async move {
        build_prompt(&Input::read(event.payload)?)
    }))
    .layer(lambda_function::telemetry::fields("BuildPrompt"))
    .run()
    .await
}
