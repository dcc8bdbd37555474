//! The Lambda function around [`generate_image::generate_image`].

use generate_image::{Clients, Config, generate_image};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_function::FatalError> {
    lambda_function::run(
        "GenerateImage",
        Config::from_env,
        Clients::new,
        generate_image,
    )
    .await
}
