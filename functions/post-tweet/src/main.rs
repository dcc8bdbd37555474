//! The Lambda function around [`post_tweet::post_tweet`].

use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};
use post_tweet::{Clients, Config, Input, post_tweet};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = Config::from_env()?;
    let clients = Clients::new(&https::aws_config().await, &config);
    run(service_fn(async |event: LambdaEvent<Value>| {
        let lease_id = &event.context.request_id;
        post_tweet(
            &clients,
            &config,
            Timestamp::now(),
            lease_id,
            Input::read(event.payload)?,
        )
        .await
    }))
    .await
}
