//! The account's own tweets.

use anyhow::anyhow;
use jiff::Timestamp;
use oauth::{HMAC_SHA1, ParameterList};
use reqwest::header::AUTHORIZATION;
use serde::Deserialize;

use super::{Data, X, refusal::read_response, url};
use crate::Error;

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

impl X<'_> {
    /// The account's tweets since a time, newest first, at most 100.
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
        parameters.sort_unstable();
        let parameters = ParameterList::new(parameters);
        let path = format!("/2/users/{}/tweets", self.credentials.user_id);
        let url = url(self.config, &path);
        let signature = oauth::get(&url, &parameters, &self.token(), HMAC_SHA1);
        // The query is sent in exactly the encoding that was signed.
        let request = self.http.get(oauth::to_query(url, &parameters));
        let response = request
            .header(AUTHORIZATION, signature)
            .timeout(self.config.request_timeout)
            .send()
            .await;
        let unexpected = |message| Error::Unexpected(anyhow!("{message}"));
        let tweets: Data<Vec<Tweet>> =
            read_response("return the timeline", response, unexpected).await?;
        Ok(tweets.data.unwrap_or_default())
    }
}
