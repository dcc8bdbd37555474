use std::{fmt, str::FromStr};

use jiff::{SignedDuration, civil::Date};
use serde::Deserialize;

/// The prefix of the last part of a dry run's id.
const DRY_RUN: &str = "dry-run-";

/// How long the table keeps the record of a dry run.
pub const DRY_RUN_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The name of a post, `bot/date/slot`, or of a dry run of it, `bot/date/slot/dry-run-<execution>`.
/// A dry run has a separate partition, so that no query for posts returns it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PostId {
    /// The bot's folder name.
    pub bot: String,
    /// The bot's local date.
    pub date: Date,
    /// The number of the slot on that date; the first is 1.
    pub slot: u32,
    /// The name of the execution, if this is a dry run; a dry run cannot be posted.
    pub dry_run: Option<String>,
}

impl PostId {
    /// The id of a dry run of this post by an execution, given by its ARN.
    pub fn dry_run_of(&self, execution: &str) -> PostId {
        // Names of executions may contain letters outside ASCII, which `from_str` refuses.
        let name = execution.rsplit(':').next().unwrap_or_default();
        let name = name.chars().map(|c| if is_plain(c) { c } else { '_' });
        PostId {
            dry_run: Some(name.collect()),
            ..self.clone()
        }
    }

    /// The post that a dry run rehearses; the post itself if it is not a dry run.
    pub fn real(&self) -> PostId {
        PostId {
            dry_run: None,
            ..self.clone()
        }
    }

    /// The partition key, `bot#date`, or `bot#date#dry-run-<execution>`.
    pub fn partition_key(&self) -> String {
        match &self.dry_run {
            None => format!("{}#{}", self.bot, self.date),
            Some(name) => format!("{}#{}#{DRY_RUN}{name}", self.bot, self.date),
        }
    }

    /// The sort key of the slot's item.
    pub fn sort_key(&self) -> String {
        format!("slot#{}", self.slot)
    }
}

impl fmt::Display for PostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.bot, self.date, self.slot)?;
        match &self.dry_run {
            None => Ok(()),
            Some(name) => write!(f, "/{DRY_RUN}{name}"),
        }
    }
}

/// A text that is not a [`PostId`].
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a post; write bot/date/slot, for example spooky-days/2026-10-30/1")]
pub struct InvalidPostId(String);

impl FromStr for PostId {
    type Err = InvalidPostId;

    fn from_str(text: &str) -> Result<Self, InvalidPostId> {
        let parts: Vec<&str> = text.split('/').collect();
        let (bot, date, slot, dry_run) = match parts[..] {
            [bot, date, slot] => (bot, date, slot, None),
            [bot, date, slot, last] => match last.strip_prefix(DRY_RUN) {
                Some(name) if !name.is_empty() && name.chars().all(is_plain) => {
                    (bot, date, slot, Some(name.to_owned()))
                }
                _ => return Err(InvalidPostId(text.to_owned())),
            },
            _ => return Err(InvalidPostId(text.to_owned())),
        };
        match (date.parse(), slot.parse()) {
            (Ok(date), Ok(slot)) if is_bot_name(bot) && slot > 0 => Ok(PostId {
                bot: bot.to_owned(),
                date,
                slot,
                dry_run,
            }),
            _ => Err(InvalidPostId(text.to_owned())),
        }
    }
}

impl<'de> Deserialize<'de> for PostId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Whether a character may be in the name of a dry run.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

/// Whether a text can be a bot's folder name: lower-case letters, digits and hyphens, at most 64.
pub fn is_bot_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_is_named_by_bot_date_and_slot() {
        let post: PostId = "spooky-days/2026-10-30/1".parse().unwrap();
        assert_eq!(post.to_string(), "spooky-days/2026-10-30/1");
        assert_eq!(post.partition_key(), "spooky-days#2026-10-30");
        assert_eq!(post.sort_key(), "slot#1");
        for bad in [
            "spooky-days/2026-10-30",
            "x/2026-13-01/1",
            "x/2026-10-30/0",
            "X#/2026-10-30/1",
            "spooky-days/2026-10-30/1/2",
            "spooky-days/2026-10-30/1/dry-run-",
            "spooky-days/2026-10-30/1/dry-run-a#b",
            "spooky-days/2026-10-30/1/dry-run-a/b",
            "",
        ] {
            assert!(bad.parse::<PostId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_dry_run_is_named_by_its_execution_and_has_a_separate_partition() {
        let post: PostId = "spooky-days/2026-10-30/1".parse().unwrap();
        let dry = post.dry_run_of("arn:aws:states:us-east-1:1:execution:daily-post:tést_1-a");
        assert_eq!(dry.to_string(), "spooky-days/2026-10-30/1/dry-run-t_st_1-a");
        assert_eq!(dry.to_string().parse::<PostId>().unwrap(), dry);
        assert_eq!(
            dry.partition_key(),
            "spooky-days#2026-10-30#dry-run-t_st_1-a"
        );
        assert_eq!(dry.real(), post);
    }
}
