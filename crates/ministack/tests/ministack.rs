//! The emulator starts, keeps accounts apart and leaves nothing behind.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use ministack::{MiniStack, Options};

#[tokio::test]
async fn two_accounts_do_not_see_each_others_tables() {
    let ministack = MiniStack::shared().await;
    let one = aws_sdk_dynamodb::Client::new(&ministack.account().sdk_config().await);
    let other = aws_sdk_dynamodb::Client::new(&ministack.account().sdk_config().await);
    one.create_table()
        .table_name("posts")
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(
            AttributeDefinition::builder()
                .attribute_name("pk")
                .attribute_type(ScalarAttributeType::S)
                .build()
                .unwrap(),
        )
        .key_schema(
            KeySchemaElement::builder()
                .attribute_name("pk")
                .key_type(KeyType::Hash)
                .build()
                .unwrap(),
        )
        .send()
        .await
        .unwrap();
    let tables = async |client: &aws_sdk_dynamodb::Client| {
        client
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
    let ministack = MiniStack::start(Options::default()).await.unwrap();
    let address = ministack.url().strip_prefix("http://").unwrap().to_owned();
    assert!(std::net::TcpStream::connect(&address).is_ok());
    ministack.stop().await.unwrap();
    assert!(std::net::TcpStream::connect(&address).is_err());
}
