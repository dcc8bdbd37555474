//! Searches the timeline for a tweet whose outcome is unknown. Sends nothing.

use jiff::SignedDuration;
use posts_table::{MAX_RECONCILIATIONS, Record};
use unicode_normalization::UnicodeNormalization;

use crate::{
    Error, Output, Posting,
    x::{Tweet, X},
};

/// How much older than the arming a tweet may be: X's clock and ours can differ, and no caption is used twice within
/// minutes.
const CLOCK_DIFFERENCE: SignedDuration = SignedDuration::from_mins(5);

impl Posting<'_> {
    /// One reconciliation attempt, for an armed ledger whose lease is over.
    pub(crate) async fn reconcile(&self, record: &Record) -> Result<Output, Error> {
        let x = self.x().await?;
        if let Some(id) = self.find_tweet(&x, record).await? {
            tracing::info!(post = %self.post, tweet = id, "found on the timeline");
            return self.record_tweet(id).await;
        }
        self.clients.table.count_reconciliation(&self.post).await?;
        let attempts = record.reconciliations + 1;
        if attempts >= MAX_RECONCILIATIONS {
            return Err(Error::Unconfirmed(self.post.clone(), attempts));
        }
        Err(Error::OutcomeUnknown(format!(
            "{} was sent without a clear answer and is not on the timeline yet (reconciliation attempt {attempts} of {MAX_RECONCILIATIONS})",
            self.post
        )))
    }

    /// The id of the tweet on the timeline: by a media key, else by the text.
    pub(crate) async fn find_tweet(
        &self,
        x: &X<'_>,
        record: &Record,
    ) -> Result<Option<String>, Error> {
        let since = record
            .armed_at
            .map(|at| at.checked_sub(CLOCK_DIFFERENCE))
            .transpose()
            .map_err(|e| Error::Unexpected(e.into()))?;
        let tweets = x.timeline(since).await?;
        let has_key = |tweet: &&Tweet| {
            let keys = &tweet.attachments.media_keys;
            keys.iter().any(|key| record.media_keys.contains(key))
        };
        let text = record.text.as_deref().unwrap_or_default();
        let has_text = |tweet: &&Tweet| !text.is_empty() && is_same_text(&tweet.text, text);
        let found = tweets.iter().find(has_key);
        let found = found.or_else(|| tweets.iter().find(has_text));
        Ok(found.map(|tweet| tweet.id.clone()))
    }
}

/// Whether a tweet's text on the timeline is a caption: X escapes it, and appends the link of the picture.
fn is_same_text(on_x: &str, caption: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_although_x_escapes_it_and_adds_a_link() {
        assert!(is_same_text(
            "Salt &amp; Pepper &lt;3 https://t.co/abc",
            "Salt & Pepper <3"
        ));
        assert!(is_same_text("Cre\u{300}me", "Cr\u{e8}me"));
        assert!(!is_same_text("Salt https://t.co/abc", "Pepper"));
    }
}
