//! The five requests to X. Each is sent once and signed anew.

use anyhow::anyhow;
use jiff::Timestamp;
use oauth::{HMAC_SHA1, ParameterList, Token};
use provider_secrets::{XCredentials, x_credentials};
use reqwest::{
    Response, StatusCode,
    header::{AUTHORIZATION, HeaderMap},
    multipart::{Form, Part},
};
use secrecy::ExposeSecret;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization;

use crate::{Clients, Config, Error, Input};

const UPLOAD: &str = "/2/media/upload";
const METADATA: &str = "/2/media/metadata";
const TWEETS: &str = "/2/tweets";

/// What X calls a picture in a tweet.
const MEDIA_CATEGORY: &str = "tweet_image";

/// X for one account.
pub(crate) struct X<'a> {
    config: &'a Config,
    http: &'a reqwest::Client,
    credentials: XCredentials,
}

/// What X gives for an upload.
#[derive(Deserialize)]
pub(crate) struct Media {
    pub(crate) id: String,
    pub(crate) media_key: String,
}

/// A tweet on the timeline.
#[derive(Deserialize)]
pub(crate) struct Tweet {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) text: String,
    #[serde(default)]
    pub(crate) attachments: Attachments,
}

#[derive(Default, Deserialize)]
pub(crate) struct Attachments {
    #[serde(default)]
    pub(crate) media_keys: Vec<String>,
}

/// Why X did not say that it has the tweet.
pub(crate) enum Refusal {
    /// Surely not posted; the same content may be posted later.
    Clear(Error),
    /// Surely not posted, and the same content would be refused again.
    Content(String),
    /// X says that it has this text already.
    Duplicate(String),
    /// Nobody knows.
    Unknown(String),
}

#[derive(Deserialize)]
struct Data<T> {
    data: Option<T>,
}

impl<'a> X<'a> {
    /// Reads the bot's credentials each time, so that a secret that an operator has just fixed counts at once.
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
                    // A connection that was kept may be dead, and a request on it in doubt.
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

    /// Uploads a picture. May be repeated; unused media vanish after a day.
    pub(crate) async fn upload(&self, picture: Vec<u8>, key: &str) -> Result<Media, Error> {
        let (name, mime) = file(key);
        let part = Part::bytes(picture)
            .file_name(name)
            .mime_str(mime)
            .map_err(|e| Error::Unexpected(e.into()))?;
        let url = self.url(UPLOAD);
        let answer = self
            .http
            .post(&url)
            .header(
                AUTHORIZATION,
                oauth::post(&url, &(), &self.token(), HMAC_SHA1),
            )
            .timeout(self.config.upload_timeout)
            .multipart(
                Form::new()
                    .text("media_category", MEDIA_CATEGORY)
                    .part("media", part),
            )
            .send()
            .await;
        let media: Data<Media> = answered("upload the picture", answer).await?;
        media.data.ok_or_else(|| {
            Error::ServiceUnavailable("X took the picture, but gave no media id".to_owned())
        })
    }

    /// Sets the alt text of an upload.
    pub(crate) async fn set_alt_text(&self, media: &str, alt_text: &str) -> Result<(), Error> {
        let url = self.url(METADATA);
        let answer = self
            .http
            .post(&url)
            .header(
                AUTHORIZATION,
                oauth::post(&url, &(), &self.token(), HMAC_SHA1),
            )
            .timeout(self.config.request_timeout)
            .json(&alt_text_of(media, alt_text))
            .send()
            .await;
        let _: Value = answered("set the alt text", answer).await?;
        Ok(())
    }

    /// Creates the tweet.
    pub(crate) async fn create_tweet(&self, text: &str, media: &str) -> Result<String, Refusal> {
        #[derive(Deserialize)]
        struct Created {
            id: String,
        }
        let url = self.url(TWEETS);
        let answer = self
            .http
            .post(&url)
            .header(
                AUTHORIZATION,
                oauth::post(&url, &(), &self.token(), HMAC_SHA1),
            )
            .timeout(self.config.create_timeout)
            .json(&tweet_of(text, media))
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            // Without a connection nothing can have been sent.
            Err(e) if e.is_connect() => {
                return Err(Refusal::Clear(Error::ServiceUnavailable(format!(
                    "X is unreachable: {}",
                    chain(&e)
                ))));
            }
            Err(e) => return Err(Refusal::Unknown(chain(&e))),
        };
        let status = answer.status();
        let headers = answer.headers().clone();
        let body = match answer.bytes().await {
            Ok(body) => body,
            Err(_) if refused(status) => Default::default(),
            Err(e) => return Err(Refusal::Unknown(format!("{status}, then {}", chain(&e)))),
        };
        if status.is_success() {
            return match serde_json::from_slice::<Data<Created>>(&body) {
                Ok(Data {
                    data: Some(created),
                }) if is_id(&created.id) => Ok(created.id),
                _ => Err(Refusal::Unknown(format!("{status} without a tweet id"))),
            };
        }
        let problem = Problem::parse(&body);
        let said = problem.said("create the tweet", status);
        if !refused(status) {
            return Err(Refusal::Unknown(said));
        }
        Err(match status {
            StatusCode::FORBIDDEN if problem.is_duplicate() => Refusal::Duplicate(said),
            StatusCode::FORBIDDEN if !problem.is_about_the_account() => Refusal::Content(said),
            StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::PAYMENT_REQUIRED
            | StatusCode::TOO_MANY_REQUESTS => Refusal::Clear(fault(status, &headers, said)),
            _ => Refusal::Content(said),
        })
    }

    /// Takes a tweet down. May be repeated: one that is not there any more is what was wanted.
    pub(crate) async fn delete_tweet(&self, id: &str) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct Deleted {
            deleted: bool,
        }
        let url = self.url(&format!("/2/tweets/{id}"));
        let answer = self
            .http
            .delete(&url)
            .header(
                AUTHORIZATION,
                oauth::delete(&url, &(), &self.token(), HMAC_SHA1),
            )
            .timeout(self.config.request_timeout)
            .send()
            .await;
        if let Ok(answer) = &answer
            && answer.status() == StatusCode::NOT_FOUND
        {
            return Ok(());
        }
        let answer: Data<Deleted> = match answered("delete the tweet", answer).await {
            // That name is about uploads; here it is a request that X does not understand.
            Err(Error::PictureRejected(said)) => return Err(Error::Unexpected(anyhow!(said))),
            answer => answer?,
        };
        match answer.data {
            Some(Deleted { deleted: true }) => Ok(()),
            _ => Err(Error::ServiceUnavailable(
                "X took the request to delete the tweet, and does not say that it is gone"
                    .to_owned(),
            )),
        }
    }

    /// The account's own tweets since a time, newest first, at most 100.
    pub(crate) async fn timeline(&self, since: Option<Timestamp>) -> Result<Vec<Tweet>, Error> {
        let since = since.map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        let mut parameters = vec![
            ("exclude", "replies,retweets"),
            ("max_results", "100"),
            ("tweet.fields", "attachments,created_at,text"),
        ];
        if let Some(since) = &since {
            parameters.push(("start_time", since));
        }
        // Signed without the query, sent with the query in the very encoding that was signed.
        parameters.sort_unstable();
        let parameters = ParameterList::new(parameters);
        let url = self.url(&format!("/2/users/{}/tweets", self.credentials.user_id));
        let answer = self
            .http
            .get(oauth::to_query(url.clone(), &parameters))
            .header(
                AUTHORIZATION,
                oauth::get(&url, &parameters, &self.token(), HMAC_SHA1),
            )
            .timeout(self.config.request_timeout)
            .send()
            .await;
        let tweets: Data<Vec<Tweet>> = answered("read the timeline", answer).await?;
        Ok(tweets.data.unwrap_or_default())
    }

    fn url(&self, path: &str) -> String {
        url(self.config, path)
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

/// The name and the media type of the file that is uploaded.
fn file(key: &str) -> (&'static str, &'static str) {
    match key.rsplit('.').next() {
        Some("png") => ("picture.png", "image/png"),
        Some("webp") => ("picture.webp", "image/webp"),
        _ => ("picture.jpg", "image/jpeg"),
    }
}

fn alt_text_of(media: &str, alt_text: &str) -> Value {
    json!({"id": media, "metadata": {"alt_text": {"text": alt_text}}})
}

fn tweet_of(text: &str, media: &str) -> Value {
    json!({"text": text, "media": {"media_ids": [media]}, "made_with_ai": true})
}

fn url(config: &Config, path: &str) -> String {
    format!("{}{path}", config.x_api_base_url.trim_end_matches('/'))
}

/// The requests that post a picture, without what signs them. Only X gives the media id.
pub(crate) fn requests(config: &Config, picture: &[u8], input: &Input) -> Vec<Value> {
    const MEDIA: &str = "(the id that X gives the upload)";
    let (name, mime) = file(&input.image.key);
    let upload = json!({
        "media_category": MEDIA_CATEGORY,
        "media": {
            "fileName": name,
            "contentType": mime,
            "bytes": picture.len(),
            "sha256": input.image.sha256,
        },
    });
    vec![
        json!({"method": "POST", "url": url(config, UPLOAD), "multipart": upload}),
        json!({"method": "POST", "url": url(config, METADATA), "json": alt_text_of(MEDIA, &input.alt_text)}),
        json!({"method": "POST", "url": url(config, TWEETS), "json": tweet_of(&input.caption, MEDIA)}),
    ]
}

/// Whether a tweet's text on the timeline is a caption: X escapes it, and appends the link of the picture.
pub(crate) fn same_text(on_x: &str, caption: &str) -> bool {
    let text = on_x
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    let text = text.trim_end();
    let text = match text.rsplit_once(char::is_whitespace) {
        Some((before, link)) if link.starts_with("https://t.co/") => before.trim_end(),
        _ => text,
    };
    text.nfc().eq(caption.trim_end().nfc())
}

/// Whether a status says that the request was surely not carried out. A timeout (408), a conflict (409),
/// "too early" (425) and everything from 500 on do not say so.
fn refused(status: StatusCode) -> bool {
    status.is_client_error() && !matches!(status.as_u16(), 408 | 409 | 425)
}

/// The answer to a request that may be repeated.
async fn answered<T: DeserializeOwned>(
    doing: &str,
    answer: reqwest::Result<Response>,
) -> Result<T, Error> {
    let unavailable =
        |e: reqwest::Error| Error::ServiceUnavailable(format!("X did not {doing}: {}", chain(&e)));
    let answer = answer.map_err(unavailable)?;
    let status = answer.status();
    let headers = answer.headers().clone();
    let body = answer.bytes().await.map_err(unavailable)?;
    if !status.is_success() {
        return Err(fault(
            status,
            &headers,
            Problem::parse(&body).said(doing, status),
        ));
    }
    // A 204, or no body at all, is an answer where nothing is expected.
    let body: &[u8] = if body.is_empty() { b"null" } else { &body };
    serde_json::from_slice(body).map_err(|e| {
        Error::ServiceUnavailable(format!(
            "X's answer to \"{doing}\" ({status}) is not the expected JSON: {e}"
        ))
    })
}

fn fault(status: StatusCode, headers: &HeaderMap, said: String) -> Error {
    match status.as_u16() {
        401 | 403 => Error::Unauthorized(said),
        402 => Error::OutOfCredit(said),
        429 => {
            let reset = headers
                .get("x-rate-limit-reset")
                .and_then(|v| v.to_str().ok())
                .and_then(|v| v.parse().ok())
                .and_then(|at| Timestamp::from_second(at).ok());
            Error::RateLimited(match reset {
                Some(at) => format!("{said}; the limit is lifted at {at}"),
                None => said,
            })
        }
        408 | 409 | 425 | 500.. | 300..=399 => Error::ServiceUnavailable(said),
        _ => Error::PictureRejected(said),
    }
}

/// What X says beside a status; X has several shapes, and sometimes HTML.
#[derive(Default, Deserialize)]
struct Problem {
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    errors: Vec<Value>,
}

impl Problem {
    fn parse(body: &[u8]) -> Problem {
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// One line for a person. Only X's own words for the problem are quoted, never a whole body.
    fn said(&self, doing: &str, status: StatusCode) -> String {
        let mut line = format!("X did not {doing}: {status}");
        let of_errors = self
            .errors
            .iter()
            .filter_map(|e| e.get("message").or_else(|| e.get("detail"))?.as_str());
        let own = [self.title.as_str(), self.detail.as_str()].into_iter();
        for part in own.chain(of_errors).filter(|part| !part.is_empty()) {
            line.push_str(", ");
            line.extend(part.chars().filter(|c| !c.is_control()).take(300));
        }
        line
    }

    fn is_duplicate(&self) -> bool {
        self.detail.to_lowercase().contains("duplicate content")
    }

    /// A 403 about the app, the account or its permissions, which a person mends; X has changed the host of
    /// these addresses once, so only their last part counts.
    fn is_about_the_account(&self) -> bool {
        let last = self.kind.rsplit('/').next().unwrap_or_default();
        let detail = self.detail.to_lowercase();
        matches!(
            last,
            "oauth1-permissions"
                | "client-forbidden"
                | "usage-capped"
                | "not-authorized-for-resource"
        ) || self.kind.is_empty()
            || ["permission", "suspended", "locked", "not permitted"]
                .iter()
                .any(|word| detail.contains(word))
    }
}

fn is_id(id: &str) -> bool {
    (1..=19).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit())
}

/// An error with its causes, without the URL, which holds nothing new.
fn chain(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() {
        "timed out".to_owned()
    } else {
        "failed".to_owned()
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

    #[test]
    fn a_text_is_found_although_x_escapes_it_and_adds_a_link() {
        assert!(same_text(
            "Salt &amp; Pepper &lt;3 https://t.co/abc",
            "Salt & Pepper <3"
        ));
        assert!(same_text("Cre\u{300}me", "Cr\u{e8}me"));
        assert!(!same_text("Salt https://t.co/abc", "Pepper"));
    }

    #[test]
    fn only_statuses_that_say_so_mean_that_nothing_was_posted() {
        for code in [400, 401, 402, 403, 404, 422, 429] {
            assert!(refused(StatusCode::from_u16(code).unwrap()), "{code}");
        }
        for code in [200, 201, 302, 408, 409, 425, 500, 502, 503, 504] {
            assert!(!refused(StatusCode::from_u16(code).unwrap()), "{code}");
        }
    }
}
