//! The Lambda function around [`request_approval::request_approval`].

use request_approval::{Clients, Config, request_approval};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_function::FatalError> {
    lambda_function::run(
        "RequestApproval",
        Config::from_env,
        Clients::new,
        request_approval,
    )
    .await
}
