//! The Lambda function around [`pick_day::pick_day`].

use pick_day::{Clients, Config, pick_day};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_function::FatalError> {
    lambda_function::run("PickDay", Config::from_env, Clients::new, pick_day).await
}
