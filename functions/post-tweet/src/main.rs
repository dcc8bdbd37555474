//! The Lambda function around [`post_tweet::post_tweet`] and [`post_tweet::delete_tweet`].

use post_tweet::{Clients, Config, post_or_delete};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_function::FatalError> {
    lambda_function::run("PostTweet", Config::from_env, Clients::new, post_or_delete).await
}
