//! X for one account. Each request is sent once, with a separate signature.

mod media;
mod refusal;
mod timeline;
mod tweets;

use std::time::Duration;

use anyhow::anyhow;
use oauth::{HMAC_SHA1, Token};
use provider_secrets::{XCredentials, x_credentials};
use reqwest::{RequestBuilder, header::AUTHORIZATION};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Clients, Config, Error, Input};

pub(crate) use media::Media;
pub(crate) use timeline::Tweet;
pub(crate) use tweets::Refusal;

/// The body of each answer of X.
#[derive(Deserialize)]
struct Data<T> {
    data: Option<T>,
}

/// X, with the credentials of a bot.
pub(crate) struct X<'a> {
    config: &'a Config,
    http: &'a reqwest::Client,
    credentials: XCredentials,
}

impl<'a> X<'a> {
    /// Reads the bot's credentials at each invocation, so that a secret that an operator has just fixed counts at once.
    pub(crate) async fn new(
        clients: &'a Clients,
        config: &'a Config,
        bot: &str,
    ) -> Result<X<'a>, Error> {
        let credentials = x_credentials(&clients.secrets, &config.secrets_prefix, bot).await?;
        let http = match clients.http.get() {
            Some(http) => http,
            None => {
                let http = lambda_function::https::client_builder()
                    // A connection that is kept can be dead, which leaves a request on it in doubt.
                    .pool_max_idle_per_host(0)
                    .build()
                    .map_err(|e| {
                        Error::Unexpected(anyhow!(e).context("building the client of X"))
                    })?;
                clients.http.get_or_init(|| http)
            }
        };
        Ok(X {
            config,
            http,
            credentials,
        })
    }

    /// A signed POST. Neither multipart nor JSON bodies are part of the signature.
    fn post(&self, path: &str, timeout: Duration) -> RequestBuilder {
        let url = url(self.config, path);
        let signature = oauth::post(&url, &(), &self.token(), HMAC_SHA1);
        self.http
            .post(&url)
            .header(AUTHORIZATION, signature)
            .timeout(timeout)
    }

    fn token(&self) -> Token<&str> {
        Token::from_parts(
            self.credentials.api_key.expose_secret(),
            self.credentials.api_key_secret.expose_secret(),
            self.credentials.access_token.expose_secret(),
            self.credentials.access_token_secret.expose_secret(),
        )
    }
}

fn url(config: &Config, path: &str) -> String {
    format!("{}{path}", config.x_api_base_url.trim_end_matches('/'))
}

/// The requests that post a picture, without their signatures. Only X can give the media id.
pub(crate) fn requests(config: &Config, picture: &[u8], input: &Input) -> Vec<Value> {
    const MEDIA_ID: &str = "(the id that X returns for the upload)";
    let (file_name, content_type) = media::file(&input.image.key);
    let upload = json!({
        "media_category": media::CATEGORY,
        "media": {
            "fileName": file_name,
            "contentType": content_type,
            "bytes": picture.len(),
            "sha256": input.image.sha256,
        },
    });
    let alt_text = media::alt_text_body(MEDIA_ID, &input.alt_text);
    let tweet = tweets::body(&input.caption, MEDIA_ID);
    let url = |path: &str| url(config, path);
    vec![
        json!({"method": "POST", "url": url(media::UPLOAD), "multipart": upload}),
        json!({"method": "POST", "url": url(media::METADATA), "json": alt_text}),
        json!({"method": "POST", "url": url(tweets::TWEETS), "json": tweet}),
    ]
}

/// The kind and causes of an error of the HTTP client, without the address.
fn chain(error: &reqwest::Error) -> String {
    let mut text = match error.is_timeout() {
        true => "timed out".to_owned(),
        false => "failed".to_owned(),
    };
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use oauth::ParameterList;

    use super::*;

    #[test]
    fn a_signature_is_the_one_of_xs_own_example() {
        // https://docs.x.com/fundamentals/authentication/oauth-1-0a/creating-a-signature, read 2026-08-22.
        let token = Token::from_parts(
            "xvz1evFS4wEEPTGEFPHBog",
            "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
            "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
            "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
        );
        let parameters = ParameterList::new([
            ("include_entities", "true"),
            (
                "status",
                "Hello Ladies + Gentlemen, a signed OAuth request!",
            ),
        ]);
        let header = oauth::Builder::<_, _>::with_token(token, HMAC_SHA1)
            .nonce("kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg")
            .timestamp(std::num::NonZeroU64::new(1_318_622_958))
            .version(true)
            .post("https://api.x.com/1.1/statuses/update.json", &parameters);
        assert!(
            header.contains("Ls93hJiZbQ3akF3HF3x1Bz8%2FzU4%3D"),
            "{header}"
        );
    }
}
