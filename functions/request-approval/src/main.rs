//! The Lambda function around [`request_approval::request_approval`].

use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use request_approval::{Clients, Config, Input, request_approval};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_function::telemetry::init();
    let config = Config::from_env()?;
    let clients = Clients::new(&lambda_function::https::aws_config().await, &config);
    Runtime::new(service_fn(async |event: LambdaEvent<Value>| {
        request_approval(
            &clients,
            &config,
            Timestamp::now(),
            Input::read(event.payload)?,
        )
        .await
    }))
    .layer(lambda_function::telemetry::fields("RequestApproval"))
    .run()
    .await
}
