//! The Lambda function around [`pick_day::pick_day`].

use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};
use pick_day::{Clients, Config, Input, pick_day};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = Config::from_env()?;
    let clients = Clients::new(&https::aws_config().await, &config);
    run(service_fn(async |event: LambdaEvent<Value>| {
        pick_day(
            &clients,
            &config,
            Timestamp::now(),
            Input::read(event.payload)?,
        )
        .await
    }))
    .await
}
