//! The Lambda function around [`post_tweet::post_tweet`].

use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use post_tweet::{Clients, Config, Request, delete_tweet, post_tweet};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_function::telemetry::init();
    let config = Config::from_env()?;
    let clients = Clients::new(&lambda_function::https::aws_config().await, &config);
    Runtime::new(service_fn(async |event: LambdaEvent<Value>| {
        let now = Timestamp::now();
        let answer = match Request::read(event.payload)? {
            Request::Post(input) => {
                let lease_id = &event.context.request_id;
                json!(post_tweet(&clients, &config, now, lease_id, input).await?)
            }
            Request::Delete(order) => json!(delete_tweet(&clients, &config, now, order).await?),
        };
        Ok::<_, post_tweet::Error>(answer)
    }))
    .layer(lambda_function::telemetry::fields("PostTweet"))
    .run()
    .await
}
