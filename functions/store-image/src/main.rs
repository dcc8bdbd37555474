//! The Lambda function around [`store_image::store_image`].

use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};
use serde_json::Value;
use store_image::{Clients, Config, Input, store_image};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = Config::from_env()?;
    let clients = Clients::new(&https::aws_config().await);
    run(service_fn(async |event: LambdaEvent<Value>| {
        store_image(&clients, &config, Input::read(event.payload)?).await
    }))
    .await
}
