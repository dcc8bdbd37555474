//! Creates and deletes tweets.

use anyhow::anyhow;
use oauth::HMAC_SHA1;
use reqwest::{Response, StatusCode, header::AUTHORIZATION};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Data, X, chain,
    refusal::{Problem, error_of, is_refused, read_response},
    url,
};
use crate::Error;

pub(super) const TWEETS: &str = "/2/tweets";

/// Why X did not confirm a tweet.
pub(crate) enum Refusal {
    /// It is not posted for sure; the same content can be posted later.
    Clear(Error),
    /// It is not posted for sure, and X would refuse the same content again. X's message.
    Content(String),
    /// X reports that the account has this text already. X's message.
    Duplicate(String),
    /// It can be posted or not.
    Unknown(String),
}

impl X<'_> {
    /// Creates a tweet, and returns its id.
    pub(crate) async fn create_tweet(&self, text: &str, media_id: &str) -> Result<String, Refusal> {
        let request = self.post(TWEETS, self.config.create_timeout);
        match request.json(&body(text, media_id)).send().await {
            Ok(response) => created(response).await,
            // Without a connection nothing can have been sent.
            Err(e) if e.is_connect() => Err(Refusal::Clear(Error::ServiceUnavailable(format!(
                "X is unreachable: {}",
                chain(&e)
            )))),
            Err(e) => Err(Refusal::Unknown(chain(&e))),
        }
    }

    /// Deletes a tweet. May be repeated: a tweet that does not exist counts as deleted.
    pub(crate) async fn delete_tweet(&self, id: &str) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct Deleted {
            deleted: bool,
        }
        let url = url(self.config, &format!("{TWEETS}/{id}"));
        let signature = oauth::delete(&url, &(), &self.token(), HMAC_SHA1);
        let request = self.http.delete(&url).header(AUTHORIZATION, signature);
        let response = request.timeout(self.config.request_timeout).send().await;
        if let Ok(response) = &response
            && response.status() == StatusCode::NOT_FOUND
        {
            return Ok(());
        }
        let unexpected = |message| Error::Unexpected(anyhow!("{message}"));
        let answer: Data<Deleted> = read_response("delete the tweet", response, unexpected).await?;
        match answer.data {
            Some(Deleted { deleted: true }) => Ok(()),
            _ => Err(Error::ServiceUnavailable(
                "X took the request to delete the tweet, but did not confirm the deletion"
                    .to_owned(),
            )),
        }
    }
}

pub(super) fn body(text: &str, media_id: &str) -> Value {
    json!({"text": text, "media": {"media_ids": [media_id]}, "made_with_ai": true})
}

/// The id of the tweet that an answer confirms.
async fn created(response: Response) -> Result<String, Refusal> {
    #[derive(Deserialize)]
    struct Created {
        id: String,
    }
    let status = response.status();
    let headers = response.headers().clone();
    let body = match response.bytes().await {
        Ok(body) => body,
        Err(_) if is_refused(status) => Default::default(),
        Err(e) => return Err(Refusal::Unknown(format!("{status}, then {}", chain(&e)))),
    };
    if status.is_success() {
        return match serde_json::from_slice::<Data<Created>>(&body) {
            Ok(Data {
                data: Some(created),
            }) if is_tweet_id(&created.id) => Ok(created.id),
            _ => Err(Refusal::Unknown(format!("{status} without a tweet id"))),
        };
    }
    let problem = Problem::parse(&body);
    let message = problem.message("create the tweet", status);
    if !is_refused(status) {
        return Err(Refusal::Unknown(message));
    }
    Err(match status {
        StatusCode::FORBIDDEN if problem.is_duplicate() => Refusal::Duplicate(message),
        StatusCode::FORBIDDEN if !problem.is_about_the_account() => Refusal::Content(message),
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::PAYMENT_REQUIRED
        | StatusCode::TOO_MANY_REQUESTS => {
            Refusal::Clear(error_of(status, &headers, message, Error::Unauthorized))
        }
        _ => Refusal::Content(message),
    })
}

fn is_tweet_id(id: &str) -> bool {
    (1..=19).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit())
}
