//! The Lambda function around [`generate_image::generate_image`].

use generate_image::{Clients, Config, Input, generate_image};
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_function::telemetry::init();
    let config = Config::from_env()?;
    let clients = Clients::new(&lambda_function::https::aws_config().await, &config);
    Runtime::new(service_fn(async |event: LambdaEvent<Value>| {
        let attempt = &event.context.request_id;
        generate_image(
            &clients,
            &config,
            Timestamp::now(),
            attempt,
            Input::read(event.payload)?,
        )
        .await
    }))
    .layer(lambda_function::telemetry::fields("GenerateImage"))
    .run()
    .await
}
