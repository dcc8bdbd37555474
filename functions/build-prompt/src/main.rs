//! The Lambda function around [`build_prompt::build_prompt`].

use build_prompt::{Input, build_prompt};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_function::FatalError> {
    lambda_function::telemetry::init();
    lambda_function::serve("BuildPrompt", async |_, input: Input| build_prompt(&input)).await
}
