//! The Lambda function around [`watchdog::watchdog`].

use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};
use watchdog::{Clients, Config, Input, watchdog};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = Config::from_env()?;
    let clients = Clients::new(&https::aws_config().await, &config);
    run(service_fn(async |event: LambdaEvent<Input>| {
        watchdog(&clients, &config, Timestamp::now(), event.payload).await
    }))
    .await
}
