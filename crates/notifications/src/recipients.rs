//! Who receives the notifications about a bot.

use bot_files::Bot;
use lambda_function::aws_error;

use crate::{Notification, NotificationKind};

/// Who receives the notifications about a bot, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipients {
    to: Vec<String>,
    optional: Vec<NotificationKind>,
    /// Why they are not those that `bot.toml` names.
    fallback: Option<String>,
}

impl Recipients {
    /// The recipients that a bot's files name.
    pub fn of(bot: &Bot) -> Recipients {
        let optional = [
            (bot.notifications.posted, NotificationKind::Posted),
            (bot.notifications.skipped, NotificationKind::Skipped),
            (bot.notifications.rejected, NotificationKind::Rejected),
        ];
        let wanted = optional.into_iter().filter(|(wanted, _)| *wanted);
        Recipients {
            to: bot.notifications.to.clone(),
            optional: wanted.map(|(_, kind)| kind).collect(),
            fallback: None,
        }
    }

    /// The recipients where the bot's own cannot be read, and why.
    pub fn fallback(alert_to: &[String], why: impl Into<String>) -> Recipients {
        Recipients {
            to: alert_to.to_vec(),
            optional: Vec::new(),
            fallback: Some(why.into()),
        }
    }

    /// Whether they receive notifications of this kind.
    pub fn want(&self, kind: NotificationKind) -> bool {
        match kind {
            NotificationKind::Posted | NotificationKind::Skipped | NotificationKind::Rejected => {
                self.optional.contains(&kind)
            }
            _ => true,
        }
    }

    pub(crate) fn to(&self) -> Vec<String> {
        self.to.clone()
    }

    /// A notification as these recipients get it.
    pub(crate) fn addressed(&self, notification: &Notification) -> Notification {
        let mut notification = notification.clone();
        if let Some(why) = &self.fallback {
            notification.facts.push((
                "Why you".to_owned(),
                format!("your address is in ALERT_TO, and {why}"),
            ));
        }
        notification
    }
}

/// The deployed `bot.toml` of a bot, or why it cannot be read.
pub async fn read_bot(s3: &aws_sdk_s3::Client, bucket: &str, bot: &str) -> Result<Bot, String> {
    let key = format!("{bot}/bot.toml");
    let read = async {
        let object = s3.get_object().bucket(bucket).key(&key).send().await;
        let object = object.map_err(|error| aws_error(&error).to_string())?;
        let body = object.body.collect().await.map_err(|e| e.to_string())?;
        let text = String::from_utf8(body.to_vec()).map_err(|e| e.to_string())?;
        Bot::parse(&key, &text).map_err(|problems| problems.to_string())
    };
    read.await.map_err(|why| {
        let why = why.lines().next().unwrap_or_default();
        format!("s3://{bucket}/{key} cannot be read: {why}")
    })
}

/// The addresses of the variable `ALERT_TO`, which are separated by commas; an error if there is none.
pub fn addresses(variable: &str) -> Result<Vec<String>, String> {
    let addresses: Vec<String> = variable
        .split(',')
        .map(str::trim)
        .filter(|address| !address.is_empty())
        .map(str::to_owned)
        .collect();
    match addresses.iter().find(|address| !address.contains('@')) {
        Some(wrong) => Err(format!(
            "{wrong:?} is not a mail address; list mail addresses, separated by commas"
        )),
        None if addresses.is_empty() => Err(
            "list the mail addresses that are notified if bot.toml cannot be read, separated by commas"
                .to_owned(),
        ),
        None => Ok(addresses),
    }
}
