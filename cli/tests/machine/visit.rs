//! A visit to the approval page.

use std::net::{Ipv4Addr, SocketAddr};

use crate::fixture::until;

/// A page of the approval as a browser without JavaScript has it.
pub struct Page {
    client: reqwest::Client,
    url: String,
    pub html: String,
}

impl Page {
    pub async fn open(url: &str) -> Page {
        let parsed: reqwest::Url = url.parse().unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, parsed.port().unwrap()));
        let client = lambda_function::https::client_builder()
            .resolve(parsed.host_str().unwrap(), address)
            .build()
            .unwrap();
        let got = sent(url, || client.get(url)).await;
        let html = got.text().await.unwrap();
        Page {
            client,
            url: url.to_owned(),
            html,
        }
    }

    pub async fn answer(&self, fields: &[(&str, &str)]) -> reqwest::Response {
        let mut form: Vec<(String, String)> = Vec::new();
        for name in ["content", "form", "caption", "altText"] {
            let value = local_cloud::form_field(&self.html, name).unwrap_or_default();
            form.push((name.to_owned(), value));
        }
        for (name, value) in fields {
            form.retain(|(there, _)| there != name);
            form.push(((*name).to_owned(), (*value).to_owned()));
        }
        sent(&self.url, || self.client.post(&self.url).form(&form)).await
    }
}

/// The answer to a request. One that says that nothing was decided, or that the emulator is busy, is sent again,
/// as a person would.
async fn sent(url: &str, request: impl Fn() -> reqwest::RequestBuilder) -> reqwest::Response {
    until(&format!("an answer of {url}"), async || {
        let answer = request().send().await.unwrap();
        let is_busy = answer.status().is_server_error() || answer.status() == 429;
        (!is_busy).then_some(answer)
    })
    .await
}

pub fn link(mail: &str) -> String {
    mail.split_whitespace()
        .find(|word| word.contains("/review/"))
        .unwrap()
        .to_owned()
}
