//! Taking a tweet down: the one who may read the credentials of X does it, on an order that is in the table.

use anyhow::anyhow;
use jiff::{Timestamp, tz::TimeZone};
use post::PostId;
use posts_table::{Ledger, Provider, prices};
use serde::{Deserialize, Serialize};

use crate::{Clients, Config, Error, x::X};

/// Which tweet is to be taken down.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    /// The post, `bot/date/slot`.
    pub post: String,
}

/// A tweet that is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Deleted {
    /// The post.
    pub post: String,
    /// The tweet's id.
    pub id: String,
    /// When it was known to be gone.
    pub deleted_at: Timestamp,
}

/// Takes the tweet of a post down, if an operator has ordered that in the table. It may be repeated: what is gone
/// already is done. The slot stays taken.
pub async fn delete_tweet(
    clients: &Clients,
    config: &Config,
    now: Timestamp,
    order: Delete,
) -> Result<Deleted, Error> {
    let post: PostId = order.post.parse()?;
    let record = clients
        .table
        .read(&post)
        .await?
        .ok_or_else(|| Error::InvalidInput(format!("{post} was never run")))?;
    let (Ledger::Posted, Some(id)) = (record.ledger, record.tweet_id) else {
        return Err(Error::InvalidInput(format!(
            "{post} is not posted: there is no tweet to take down"
        )));
    };
    if record.deletion.is_none() {
        return Err(Error::NotOrdered(post));
    }
    let deleted_at = match record.deleted_at {
        Some(at) => at,
        None => {
            let x = X::new(clients, config, &post.bot).await?;
            x.delete_tweet(&id).await?;
            tracing::info!(post = %post, tweet = id, "deleted");
            // Before it is recorded, so that repeating it after a crash counts it, and counts it once.
            let zone = record.day["timeZone"].as_str();
            let zone = zone.and_then(|name| TimeZone::get(name).ok());
            let date = now.to_zoned_datetime(zone.unwrap_or(TimeZone::UTC)).date();
            let (name, cost) = (format!("deletion-{id}"), prices::DELETION);
            let charge = clients
                .table
                .charge(&post, Provider::X, &name, cost, date, now);
            charge.await?;
            if !clients.table.deleted(&post, now).await? {
                return Err(Error::Unexpected(anyhow!(
                    "the tweet {id} of {post} is gone, and the order to delete it too"
                )));
            }
            now
        }
    };
    Ok(Deleted {
        post: post.to_string(),
        id,
        deleted_at,
    })
}
