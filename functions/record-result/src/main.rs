//! The Lambda function around [`record_result::record_result`].

use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use record_result::{Clients, Config, Input, record_result};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_function::telemetry::init();
    let config = Config::from_env()?;
    let clients = Clients::new(&lambda_function::https::aws_config().await, &config);
    Runtime::new(service_fn(async |event: LambdaEvent<Value>| {
        record_result(
            &clients,
            &config,
            Timestamp::now(),
            Input::read(event.payload)?,
        )
        .await
    }))
    .layer(lambda_function::telemetry::fields("RecordResult"))
    .run()
    .await
}
