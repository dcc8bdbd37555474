//! The keys of all items, and the attributes that they are made of. `docs/table.md` has the items as a diagram.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use post::PostId;
use serde::{Serialize, de::DeserializeOwned};

use crate::Error;

/// An item, or the key of one.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The partition of all notifications; a bot's name cannot start with `#`.
pub(crate) const NOTIFICATIONS: &str = "#notices";

/// The partition of a bot's pause flag, overrides and budgets.
pub(crate) fn settings(bot: &str) -> String {
    format!("{bot}#settings")
}

/// The partition of what a bot has to finish: approvals, armed ledgers, reservations.
pub(crate) fn open(bot: &str) -> String {
    format!("{bot}#open")
}

/// The key of a slot's record.
pub(crate) fn record_key(post: &PostId) -> Item {
    key(post.partition_key(), post.sort_key())
}

pub(crate) fn approval_sort_key(post: &PostId, round: u32) -> String {
    format!("{}#approval#{round}", post.sort_key())
}

pub(crate) fn approval_key(post: &PostId, round: u32) -> Item {
    key(post.partition_key(), approval_sort_key(post, round))
}

/// The key of the item that exists while an approval is not decided, or its decision is not delivered.
pub(crate) fn waiting_key(post: &PostId, round: u32) -> Item {
    let sort_key = format!("approval#{}#{}#{round}", post.date, post.slot);
    key(open(&post.bot), sort_key)
}

/// The key of the item by which an armed ledger is found.
pub(crate) fn armed_key(post: &PostId) -> Item {
    let sort_key = format!("armed#{}#{}", post.date, post.slot);
    key(open(&post.bot), sort_key)
}

pub(crate) fn reservation_key(bot: &str, id: &str) -> Item {
    key(open(bot), format!("reserved#{id}"))
}

pub(crate) fn attempt_key(post: &PostId, id: &str) -> Item {
    let sort_key = format!("{}#attempt#{id}", post.sort_key());
    key(post.partition_key(), sort_key)
}

pub(crate) fn pause_key(bot: &str) -> Item {
    key(settings(bot), "switch".to_owned())
}

pub(crate) fn override_key(post: &PostId) -> Item {
    let sort_key = format!("override#{}#{}", post.date, post.slot);
    key(settings(&post.bot), sort_key)
}

pub(crate) fn event_key(event: &str) -> Item {
    key(NOTIFICATIONS.to_owned(), format!("event#{event}"))
}

pub(crate) fn pending_key(event: &str) -> Item {
    key(NOTIFICATIONS.to_owned(), format!("pending#{event}"))
}

pub(crate) fn key(partition: String, sort: String) -> Item {
    HashMap::from([
        ("pk".to_owned(), text(partition)),
        ("sk".to_owned(), text(sort)),
    ])
}

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A value as an item with this key.
pub(crate) fn to_item(value: &impl Serialize, key: Item) -> Result<Item, Error> {
    let mut item: Item = serde_dynamo::to_item(value).map_err(|e| unreadable(&key, e))?;
    item.extend(key);
    Ok(item)
}

/// A value as an attribute of the item with this key.
pub(crate) fn to_attribute(value: &impl Serialize, key: &Item) -> Result<AttributeValue, Error> {
    serde_dynamo::to_attribute_value(value).map_err(|e| unreadable(key, e))
}

pub(crate) fn from_item<T: DeserializeOwned>(item: Item) -> Result<T, Error> {
    let key = key_of(&item);
    serde_dynamo::from_item(item).map_err(|e| unreadable(&key, e))
}

/// The sort key of an item.
pub(crate) fn sort_key(item: &Item) -> &str {
    attribute_text(item, "sk").unwrap_or_default()
}

/// A string attribute of an item.
pub(crate) fn attribute_text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)
        .and_then(|value| value.as_s().ok())
        .map(String::as_str)
}

fn key_of(item: &Item) -> Item {
    let parts = item
        .iter()
        .filter(|(name, _)| matches!(name.as_str(), "pk" | "sk"));
    parts.map(|(k, v)| (k.clone(), v.clone())).collect()
}

fn unreadable(key: &Item, error: serde_dynamo::Error) -> Error {
    let part = |name| attribute_text(key, name).unwrap_or_default();
    Error::Unreadable(format!("{} {}", part("pk"), part("sk")), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(key: &Item) -> (&str, &str) {
        (
            attribute_text(key, "pk").unwrap(),
            attribute_text(key, "sk").unwrap(),
        )
    }

    #[test]
    fn every_kind_of_item_has_the_key_that_docs_table_md_gives() {
        let post: PostId = "spooky-days/2026-10-30/2".parse().unwrap();
        let slot = "spooky-days#2026-10-30";
        for (key, pk, sk) in [
            (record_key(&post), slot, "slot#2"),
            (approval_key(&post, 3), slot, "slot#2#approval#3"),
            (attempt_key(&post, "a"), slot, "slot#2#attempt#a"),
            (
                waiting_key(&post, 3),
                "spooky-days#open",
                "approval#2026-10-30#2#3",
            ),
            (armed_key(&post), "spooky-days#open", "armed#2026-10-30#2"),
            (
                reservation_key("spooky-days", "a"),
                "spooky-days#open",
                "reserved#a",
            ),
            (pause_key("spooky-days"), "spooky-days#settings", "switch"),
            (
                override_key(&post),
                "spooky-days#settings",
                "override#2026-10-30#2",
            ),
            (event_key("ended/x"), "#notices", "event#ended/x"),
            (pending_key("ended/x"), "#notices", "pending#ended/x"),
        ] {
            assert_eq!(shown(&key), (pk, sk));
        }
        let dry = post.dry_run_of("run-1");
        let key = record_key(&dry);
        assert_eq!(
            shown(&key),
            ("spooky-days#2026-10-30#dry-run-run-1", "slot#2")
        );
    }

    #[test]
    fn an_item_that_cannot_be_read_is_named_by_its_key() {
        let error = from_item::<u32>(pause_key("spooky-days")).unwrap_err();
        let message = error.to_string();
        assert!(
            message.starts_with("the item spooky-days#settings switch cannot be read: "),
            "{message}"
        );
        assert!(!error.is_transient());
    }
}
