//! The Lambda function around [`watchdog::watchdog`].

use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use watchdog::{Clients, Config, Input, watchdog};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_function::telemetry::init();
    let config = Config::from_env()?;
    let clients = Clients::new(&lambda_function::https::aws_config().await, &config);
    Runtime::new(service_fn(async |event: LambdaEvent<Input>| {
        watchdog(&clients, &config, Timestamp::now(), event.payload).await
    }))
    .layer(lambda_function::telemetry::fields("watchdog"))
    .run()
    .await
}
