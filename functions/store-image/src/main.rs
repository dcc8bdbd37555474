//! The Lambda function around [`store_image::store_image`].

use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::Value;
use store_image::{Clients, Config, Input, store_image};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_function::telemetry::init();
    let config = Config::from_env()?;
    let clients = Clients::new(&lambda_function::https::aws_config().await);
    Runtime::new(service_fn(async |event: LambdaEvent<Value>| {
        store_image(&clients, &config, Input::read(event.payload)?).await
    }))
    .layer(lambda_function::telemetry::fields("StoreImage"))
    .run()
    .await
}
