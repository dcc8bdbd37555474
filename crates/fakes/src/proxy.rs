//! A proxy in front of another server that holds every request until the test forwards or drops it.
//!
//! A test uses it to control the order of the requests of several clients, and which responses are lost.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{Response, StatusCode, request::Parts},
};
use tokio::sync::{mpsc, oneshot};

use crate::server::Server;

/// A running proxy, which stops on drop.
#[derive(Debug)]
pub struct Proxy {
    server: Server,
}

/// A request that waits at the proxy. If it is dropped, it never arrives, and its client waits forever.
#[derive(Debug)]
pub struct Held {
    parts: Parts,
    body: Bytes,
    route: Arc<Route>,
    answer: oneshot::Sender<Response<Body>>,
}

#[derive(Debug)]
struct Route {
    target: String,
    client: reqwest::Client,
    held: mpsc::UnboundedSender<Held>,
}

/// Starts a proxy in front of a server such as `http://127.0.0.1:4566`. Each request is sent to `held`.
pub async fn start(target: &str, held: mpsc::UnboundedSender<Held>) -> anyhow::Result<Proxy> {
    let route = Arc::new(Route {
        target: target.trim_end_matches('/').to_owned(),
        client: lambda_function::https::client_builder().build()?,
        held,
    });
    let router = Router::new().fallback(hold).with_state(route);
    Ok(Proxy {
        server: Server::start(0, router).await?,
    })
}

impl Proxy {
    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }
}

async fn hold(State(route): State<Arc<Route>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return refused(StatusCode::BAD_REQUEST);
    };
    let (answer, answered) = oneshot::channel();
    let held = Held {
        parts,
        body,
        route: route.clone(),
        answer,
    };
    if route.held.send(held).is_err() {
        return refused(StatusCode::BAD_GATEWAY);
    }
    match answered.await {
        Ok(answer) => answer,
        Err(_) => std::future::pending().await,
    }
}

impl Held {
    /// The method and the path, such as `POST /2/tweets`.
    pub fn line(&self) -> String {
        format!("{} {}", self.parts.method, self.parts.uri.path())
    }

    /// The request arrives, and so does its response.
    pub async fn forward(self) {
        let (answer, client) = self.arrive().await;
        // The client may be gone.
        let _ = client.send(answer);
    }

    /// The request arrives, and its response is lost.
    pub async fn lose_answer(self) {
        self.arrive().await;
    }

    async fn arrive(self) -> (Response<Body>, oneshot::Sender<Response<Body>>) {
        let url = format!("{}{}", self.route.target, self.parts.uri);
        // All headers stay, including the host, which is part of the signature.
        let answer = self
            .route
            .client
            .request(self.parts.method, url)
            .headers(self.parts.headers)
            .body(self.body)
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => {
                let mut forwarded = Response::builder().status(answer.status());
                if let Some(headers) = forwarded.headers_mut() {
                    *headers = answer.headers().clone();
                    // The body was read whole.
                    headers.remove("transfer-encoding");
                }
                let body = answer.bytes().await.unwrap_or_default();
                forwarded
                    .body(Body::from(body))
                    .unwrap_or_else(|_| refused(StatusCode::BAD_GATEWAY))
            }
            Err(_) => refused(StatusCode::BAD_GATEWAY),
        };
        (answer, self.answer)
    }
}

fn refused(status: StatusCode) -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    answer
}
