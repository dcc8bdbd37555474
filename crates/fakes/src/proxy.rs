//! A proxy in front of another server that holds every request until it is told what becomes of it.
//!
//! With it a test decides in which order the requests of several clients happen, and what is lost on the way.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{Response, StatusCode, request::Parts},
};
use tokio::sync::{mpsc, oneshot};

use crate::server::Server;

/// A running proxy; it ends when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    server: Server,
}

/// A request that waits at the proxy. Dropping it means that it never arrives, and that its client waits for ever.
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
    /// Its address.
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
    /// Such as `POST /2/tweets`.
    pub fn line(&self) -> String {
        format!("{} {}", self.parts.method, self.parts.uri.path())
    }

    /// The request arrives, and so does its answer.
    pub async fn forward(self) {
        let (answer, client) = self.arrive().await;
        // The client may be gone.
        let _ = client.send(answer);
    }

    /// The request arrives, and its answer is lost.
    pub async fn lose_answer(self) {
        self.arrive().await;
    }

    async fn arrive(self) -> (Response<Body>, oneshot::Sender<Response<Body>>) {
        let url = format!("{}{}", self.route.target, self.parts.uri);
        // The headers stay as they are, the host as well, since it is part of what was signed.
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
                let mut passed_on = Response::builder().status(answer.status());
                if let Some(headers) = passed_on.headers_mut() {
                    *headers = answer.headers().clone();
                    // The body is sent anew, in one piece.
                    headers.remove("transfer-encoding");
                }
                let body = answer.bytes().await.unwrap_or_default();
                passed_on
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
