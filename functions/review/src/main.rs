//! The Lambda function around [`review::review`].

use jiff::Timestamp;
use lambda_http::{Error, Request, run, service_fn, tracing};
use review::{Clients, Config, review};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = Config::from_env()?;
    let clients = Clients::new(&https::aws_config().await, &config);
    run(service_fn(async |request: Request| {
        Ok::<_, Error>(review(&clients, &config, Timestamp::now(), request).await)
    }))
    .await
}
