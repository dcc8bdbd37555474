//! The Lambda function around [`pick_day::pick_day`].

use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use pick_day::{Clients, Config, Input, pick_day};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_function::telemetry::init();
    let config = Config::from_env()?;
    let clients = Clients::new(&lambda_function::https::aws_config().await, &config);
    Runtime::new(service_fn(async |event: LambdaEvent<Value>| {
        pick_day(
            &clients,
            &config,
            Timestamp::now(),
            Input::read(event.payload)?,
        )
        .await
    }))
    .layer(lambda_function::telemetry::fields("PickDay"))
    .run()
    .await
}
