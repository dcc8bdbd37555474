//! The Lambda function around [`review::review`].

use jiff::Timestamp;
use lambda_http::{Adapter, Error, Request, lambda_runtime::Runtime, service_fn};
use review::{Clients, Config, review};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_function::telemetry::init();
    let config = Config::from_env()?;
    let clients = Clients::new(&lambda_function::https::aws_config().await, &config);
    let handler = service_fn(async |request: Request| {
        Ok::<_, Error>(review(&clients, &config, Timestamp::now(), request).await)
    });
    Runtime::new(Adapter::from(handler))
        .layer(lambda_function::telemetry::fields("review"))
        .run()
        .await
}
