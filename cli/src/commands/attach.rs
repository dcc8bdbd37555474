//! `spooky attach`.

use anyhow::bail;
use clap::Args;
use deployment::operations::slot_summary;
use jiff::Timestamp;
use post::PostId;
use posts_table::SlotChange;
use serde_json::json;

use crate::{
    args::{OperatorArgs, operator},
    target::Target,
    terminal::print,
};

/// Record the tweet of a post that was sent without a clear answer, after checking the account.
#[derive(Debug, Args)]
pub struct Attach {
    /// The post, bot/date/slot.
    post: PostId,
    /// The address of the tweet, or its id.
    #[arg(value_parser = tweet_id)]
    tweet: String,
    #[command(flatten)]
    operator: OperatorArgs,
}

impl Attach {
    pub(crate) async fn run(self, target: &Target) -> anyhow::Result<()> {
        let operator = operator(&self.operator.by, None)?;
        let deployment = target.deployment().await?;
        let post = &self.post;
        let change = deployment
            .table
            .attach(post, &self.tweet, &operator, Timestamp::now())
            .await?;
        if let SlotChange::Refused(current) = change {
            bail!(
                "nothing was attached: {post} {}",
                slot_summary(current.as_deref())
            );
        }
        if self.operator.json {
            let answer =
                json!({"post": post.to_string(), "tweetId": self.tweet, "by": operator.by});
            return print(&answer.to_string());
        }
        print(&format!(
            "{post} is recorded as tweet {} (by {})\nto complete its run, type `spooky redrive {post}`",
            self.tweet, operator.by
        ))
    }
}

/// The id in a tweet's address, or the id itself.
fn tweet_id(text: &str) -> Result<String, String> {
    let id = match text.split_once("/status/") {
        Some((before, after)) => {
            let host = before.trim_start_matches("https://").split('/').next();
            let host = host.unwrap_or_default().trim_start_matches("www.");
            let id = after.split(['/', '?', '#']).next().unwrap_or_default();
            match ["x.com", "twitter.com", "mobile.twitter.com"].contains(&host) {
                true => id,
                false => "",
            }
        }
        None => text,
    };
    match (1..=19).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit()) {
        true => Ok(id.to_owned()),
        false => Err(
            "write the address of the tweet, such as https://x.com/i/status/1900544781383569409, or its id"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tweet_is_named_by_its_address_or_its_id() {
        for text in [
            "1900544781383569409",
            "https://x.com/spooky_days/status/1900544781383569409",
            "https://twitter.com/i/status/1900544781383569409?s=20",
            "x.com/i/status/1900544781383569409/photo/1",
        ] {
            assert_eq!(tweet_id(text).unwrap(), "1900544781383569409", "{text}");
        }
        for text in [
            "",
            "spooky",
            "https://example.org/i/status/1",
            "https://x.com/i/status/",
            "https://x.com/spooky_days",
            "12345678901234567890",
        ] {
            assert!(tweet_id(text).is_err(), "{text}");
        }
    }
}
