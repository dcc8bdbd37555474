//! The Lambda function around [`store_image::store_image`].

use store_image::{Clients, Config, store_image};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_function::FatalError> {
    let clients = |aws: &_, _: &_| Clients::new(aws);
    let (config, clients) = lambda_function::start(Config::from_env, clients).await?;
    let store = async |_, input| store_image(&clients, &config, input).await;
    lambda_function::serve("StoreImage", store).await
}
