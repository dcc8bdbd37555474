//! The Lambda function around [`watchdog::watchdog`].

use watchdog::{Clients, Config, watchdog};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_function::FatalError> {
    lambda_function::run("watchdog", Config::from_env, Clients::new, watchdog).await
}
