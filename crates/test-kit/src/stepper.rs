//! Runs an invocation request by request.

#![expect(clippy::expect_used, reason = "in a test, a panic is the failure")]

use std::future::Future;

use fakes::proxy::{self, Held, Proxy};
use tokio::{sync::mpsc, task::JoinHandle};

/// An invocation whose requests to its services are held, until the test lets them arrive or kills the invocation.
#[derive(Debug)]
pub struct Stepper<T> {
    task: JoinHandle<T>,
    requests: mpsc::UnboundedReceiver<Held>,
    held: Option<Held>,
    ended: Option<T>,
    _proxies: Vec<Proxy>,
}

impl<T: Send + 'static> Stepper<T> {
    /// Starts an invocation and waits for its first request. `invocation` gets an address in place of each of
    /// `services`.
    pub async fn start<F>(
        services: &[&str],
        invocation: impl FnOnce(Vec<String>) -> F,
    ) -> Stepper<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let (sender, requests) = mpsc::unbounded_channel();
        let mut proxies = Vec::new();
        for service in services {
            let proxy = proxy::start(service, sender.clone()).await;
            proxies.push(proxy.expect("a proxy starts"));
        }
        let addresses = proxies.iter().map(Proxy::url).collect();
        let mut stepper = Stepper {
            task: tokio::spawn(invocation(addresses)),
            requests,
            held: None,
            ended: None,
            _proxies: proxies,
        };
        stepper.settle().await;
        stepper
    }

    /// Waits until the invocation holds its next request, or has ended.
    async fn settle(&mut self) {
        tokio::select! {
            held = self.requests.recv() => self.held = held,
            ended = &mut self.task => self.ended = Some(ended.expect("the invocation does not panic")),
        }
    }

    /// The method and path of the request that is held; `None` if the invocation has ended.
    pub fn request(&self) -> Option<String> {
        self.held.as_ref().map(Held::line)
    }

    /// The result, if the invocation has ended.
    pub fn ended(&self) -> Option<&T> {
        self.ended.as_ref()
    }

    /// Lets the held request arrive, and waits for the next one.
    pub async fn step(&mut self) {
        if let Some(held) = self.held.take() {
            held.forward().await;
            self.settle().await;
        }
    }

    /// Kills the invocation. The held request arrives all the same, or never does.
    pub async fn kill(self, arrives: bool) {
        self.task.abort();
        if let Some(held) = self.held
            && arrives
        {
            held.lose_answer().await;
        }
    }

    /// Lets all requests arrive, and returns the result.
    pub async fn finish(mut self) -> T {
        loop {
            if let Some(ended) = self.ended.take() {
                return ended;
            }
            self.step().await;
        }
    }
}
