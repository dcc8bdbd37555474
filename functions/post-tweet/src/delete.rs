//! Deletes a tweet on an operator's order, which is stored in the table. Only this function can read the credentials.

use anyhow::anyhow;
use jiff::{Timestamp, tz::TimeZone};
use post::PostId;
use posts_table::{Ledger, Provider, Record, prices};
use serde::{Deserialize, Serialize};

use crate::{Clients, Config, Error, x::X};

/// The tweet to delete.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    /// The post, `bot/date/slot`.
    pub post: String,
}

/// A tweet that is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Deleted {
    /// The post.
    pub post: String,
    /// The tweet's id.
    pub id: String,
    /// When the deletion was first confirmed.
    pub deleted_at: Timestamp,
}

/// Deletes the tweet of a post, if the table has an operator's order for it.
///
/// It may be repeated: a tweet that does not exist any more counts as deleted. The slot stays taken.
pub async fn delete_tweet(
    clients: &Clients,
    config: &Config,
    now: Timestamp,
    order: Delete,
) -> Result<Deleted, Error> {
    let post: PostId = order.post.parse()?;
    let record = clients.table.read(&post).await?;
    let record = record.ok_or_else(|| Error::InvalidInput(format!("{post} has no run")))?;
    let (Ledger::Posted, Some(id)) = (record.ledger, record.tweet_id.clone()) else {
        return Err(Error::InvalidInput(format!(
            "{post} is not posted: there is no tweet to delete"
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
            tracing::info!(%post, tweet = id, "deleted");
            record_deletion(clients, &post, &record, &id, now).await?;
            now
        }
    };
    Ok(Deleted {
        post: post.to_string(),
        id,
        deleted_at,
    })
}

async fn record_deletion(
    clients: &Clients,
    post: &PostId,
    record: &Record,
    id: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let zone = record.day["timeZone"].as_str();
    let zone = zone.and_then(|name| TimeZone::get(name).ok());
    let date = now.to_zoned_datetime(zone.unwrap_or(TimeZone::UTC)).date();
    let (name, cost) = (format!("deletion-{id}"), prices::DELETION);
    // Before the deletion is recorded, so that a repetition after a crash counts it, and the name counts it once.
    let charge = clients
        .table
        .charge(post, Provider::X, &name, cost, date, now);
    charge.await?;
    match clients.table.deleted(post, now).await? {
        true => Ok(()),
        false => Err(Error::Unexpected(anyhow!(
            "the tweet {id} of {post} is deleted, and the order to delete it is missing"
        ))),
    }
}
