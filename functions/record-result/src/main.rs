//! The Lambda function around [`record_result::record_result`].

use record_result::{Clients, Config, record_result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_function::FatalError> {
    lambda_function::run(
        "RecordResult",
        Config::from_env,
        Clients::new,
        record_result,
    )
    .await
}
