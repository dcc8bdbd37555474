//! The pause flag of a bot. No Terraform run changes it.

use aws_sdk_dynamodb::types::Delete;
use jiff::Timestamp;
use post::AuditEvent;
use serde::Serialize;
use serde_json::json;

use crate::{
    Error, Operator, Table,
    audit::Audit,
    item::{Item, attribute_text, number, pause_key, text},
};

/// The pause flag of a bot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pause {
    /// Seconds of the Unix epoch until which the bot is paused; without it, until it is resumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<i64>,
    /// The reason; may be empty.
    pub reason: String,
    /// The operator who paused it, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When it was paused, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

impl Pause {
    /// Whether the pause has ended automatically.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.paused_until
            .is_some_and(|until| until <= now.as_second())
    }

    /// Reads leniently: an item that is there pauses the bot, whatever its attributes are.
    fn of(item: &Item) -> Pause {
        let string = |name| attribute_text(item, name);
        let until = item.get("pausedUntil").and_then(|value| value.as_n().ok());
        Pause {
            paused_until: until.and_then(|until| until.parse().ok()),
            reason: string("reason").unwrap_or_default().to_owned(),
            by: string("by").map(str::to_owned),
            at: string("at").and_then(|at| at.parse().ok()),
        }
    }

    fn item(&self, bot: &str) -> Item {
        let mut item = pause_key(bot);
        item.insert("reason".to_owned(), text(&self.reason));
        if let Some(by) = &self.by {
            item.insert("by".to_owned(), text(by));
        }
        if let Some(at) = self.at {
            item.insert("at".to_owned(), text(at.to_string()));
        }
        if let Some(until) = self.paused_until {
            item.insert("pausedUntil".to_owned(), number(until));
        }
        item
    }
}

/// The reason of a pause flag, if one was given.
pub(crate) fn pause_reason(item: &Item) -> Option<String> {
    Some(Pause::of(item).reason).filter(|reason| !reason.is_empty())
}

impl Table {
    /// The pause flag; `None` if the bot is not paused. The pause may be over.
    pub async fn pause(&self, bot: &str) -> Result<Option<Pause>, Error> {
        let item = self.get("read the pause flag", pause_key(bot)).await?;
        Ok(item.as_ref().map(Pause::of))
    }

    /// The reason of the pause, if the bot is paused at this time; it may be empty.
    pub async fn paused(&self, bot: &str, now: Timestamp) -> Result<Option<String>, Error> {
        let pause = self.pause(bot).await?;
        Ok(pause
            .filter(|pause| !pause.is_over(now))
            .map(|pause| pause.reason))
    }

    /// Pauses a bot, until a time or until it is resumed. It replaces an earlier pause.
    pub async fn set_pause(
        &self,
        bot: &str,
        until: Option<Timestamp>,
        operator: &Operator,
        now: Timestamp,
    ) -> Result<(), Error> {
        let doing = "set the pause flag";
        let pause = Pause {
            paused_until: until.map(Timestamp::as_second),
            reason: operator.reason.clone().unwrap_or_default(),
            by: Some(operator.by.clone()),
            at: Some(now),
        };
        let audit = Audit {
            what: AuditEvent::Paused,
            operator,
            details: json!({"until": until}),
            now,
        };
        let items = vec![
            self.put_item_in(doing, pause.item(bot))?,
            self.settings_change_in(doing, bot, audit)?,
        ];
        self.transact(doing, items).await?;
        Ok(())
    }

    /// Lifts a pause; false if there was none.
    pub async fn lift_pause(
        &self,
        bot: &str,
        operator: &Operator,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let doing = "lift the pause flag";
        let delete = Delete::builder()
            .set_key(Some(pause_key(bot)))
            .condition_expression("attribute_exists(pk)");
        let audit = Audit {
            what: AuditEvent::Resumed,
            operator,
            details: json!({}),
            now,
        };
        let items = vec![
            self.delete_in(doing, delete)?,
            self.settings_change_in(doing, bot, audit)?,
        ];
        Ok(self.transact(doing, items).await?.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_flag_is_read_as_it_is_written() {
        let at: Timestamp = "2026-10-30T12:00:00Z".parse().unwrap();
        let pause = Pause {
            paused_until: Some(at.as_second()),
            reason: "a storm".to_owned(),
            by: Some("Ada".to_owned()),
            at: Some(at),
        };
        let item = pause.item("spooky-days");
        assert_eq!(Pause::of(&item), pause);
        assert_eq!(pause_reason(&item).as_deref(), Some("a storm"));
        let before = Timestamp::from_second(at.as_second() - 1).unwrap();
        assert!(pause.is_over(at) && !pause.is_over(before));
    }

    #[test]
    fn an_item_without_attributes_pauses_the_bot_until_it_is_resumed() {
        let mut item = pause_key("spooky-days");
        let pause = Pause::of(&item);
        assert_eq!(pause, Pause::default());
        assert!(!pause.is_over(Timestamp::MAX));
        assert_eq!(pause_reason(&item), None);
        item.insert("reason".to_owned(), number(7));
        item.insert("pausedUntil".to_owned(), text("tomorrow"));
        assert_eq!(Pause::of(&item), Pause::default());
    }
}
