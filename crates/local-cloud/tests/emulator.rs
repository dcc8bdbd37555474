//! The emulator starts, keeps accounts apart and leaves nothing behind.

use local_cloud::{Account, Emulator, Options};

#[tokio::test]
async fn two_accounts_do_not_see_each_others_tables() {
    let ministack = Emulator::shared().await;
    let (one, other) = (ministack.account(), ministack.account());
    one.create_table("posts").await.unwrap();
    let tables = async |account: &Account| {
        aws_sdk_dynamodb::Client::new(&account.sdk_config().await)
            .list_tables()
            .send()
            .await
            .unwrap()
            .table_names
            .unwrap_or_default()
    };
    assert_eq!(tables(&one).await, ["posts"]);
    assert!(tables(&other).await.is_empty());
}

#[tokio::test]
async fn nothing_listens_after_a_stop() {
    let ministack = Emulator::start(Options::default()).await.unwrap();
    let address = ministack.url().strip_prefix("http://").unwrap().to_owned();
    assert!(std::net::TcpStream::connect(&address).is_ok());
    ministack.stop().await.unwrap();
    assert!(std::net::TcpStream::connect(&address).is_err());
}
