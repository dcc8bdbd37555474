//! The Lambda function around [`review::review`].

use jiff::Timestamp;
use lambda_http::{Adapter, Error, Request, lambda_runtime::Runtime, service_fn};
use review::{Clients, Config, review};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let (config, clients) = lambda_function::start(Config::from_env, Clients::new).await?;
    let page = service_fn(async |request: Request| {
        Ok::<_, Error>(review(&clients, &config, Timestamp::now(), request).await)
    });
    Runtime::new(Adapter::from(page))
        .layer(lambda_function::telemetry::fields("review"))
        .run()
        .await
}
