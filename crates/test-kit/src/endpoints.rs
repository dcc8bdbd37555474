//! Endpoints that are not available.

#![expect(clippy::expect_used, reason = "in a test, a panic is the failure")]

use aws_config::{SdkConfig, retry::RetryConfig};
use axum::{Router, http::StatusCode};
use tokio::net::{TcpListener, TcpSocket};

/// The same AWS configuration at an endpoint that answers 503, and at one where nothing listens.
///
/// The SDK's retries are off: they would only make the test slow.
pub async fn unavailable(aws: &SdkConfig) -> [SdkConfig; 2] {
    [answering_503().await, refusing_connections()].map(|url| at(aws, &url))
}

/// The same AWS configuration at another endpoint, without the SDK's retries.
pub fn at(aws: &SdkConfig, url: &str) -> SdkConfig {
    aws.to_builder()
        .endpoint_url(url)
        .retry_config(RetryConfig::disabled())
        .build()
}

/// The address of a server that answers 503 to every request. It runs as long as the test.
async fn answering_503() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a port of the loopback interface is free");
    let address = listener.local_addr().expect("the listener has an address");
    let router = Router::new().fallback(async || StatusCode::SERVICE_UNAVAILABLE);
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// An address that refuses connections.
pub fn refusing_connections() -> String {
    let socket = TcpSocket::new_v4().expect("a socket can be made");
    let any = ([127, 0, 0, 1], 0).into();
    socket
        .bind(any)
        .expect("a port of the loopback interface is free");
    let address = socket.local_addr().expect("the socket has an address");
    // The port stays taken, so that no other test listens at it.
    std::mem::forget(socket);
    format!("http://{address}")
}
