//! The Lambda function around [`build_prompt::build_prompt`].

use build_prompt::{Input, build_prompt};
use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    run(service_fn(|event: LambdaEvent<Value>| async move {
        build_prompt(&Input::read(event.payload)?)
    }))
    .await
}
