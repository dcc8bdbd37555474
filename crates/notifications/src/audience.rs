//! Who is told.

use bot_files::Bot;
use lambda_function::aws_error;

use crate::{Kind, Notice};

/// Who is told of a bot, and of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    to: Vec<String>,
    wanted: Vec<Kind>,
    /// Why it is not those whom `bot.toml` names.
    instead: Option<String>,
}

impl Audience {
    /// Those whom a bot names.
    pub fn of(bot: &Bot) -> Audience {
        let optional = [
            (bot.notifications.posted, Kind::Posted),
            (bot.notifications.skipped, Kind::Skipped),
            (bot.notifications.rejected, Kind::Rejected),
        ];
        let wanted = optional.into_iter().filter(|(wanted, _)| *wanted);
        Audience {
            to: bot.notifications.to.clone(),
            wanted: wanted.map(|(_, kind)| kind).collect(),
            instead: None,
        }
    }

    /// Those who are told where nobody knows whom a bot names, and why that is so.
    pub fn instead(alert_to: &[String], why: impl Into<String>) -> Audience {
        Audience {
            to: alert_to.to_vec(),
            wanted: Vec::new(),
            instead: Some(why.into()),
        }
    }

    /// Whether it is told of this kind.
    pub fn wants(&self, kind: Kind) -> bool {
        match kind {
            Kind::Posted | Kind::Skipped | Kind::Rejected => self.wanted.contains(&kind),
            _ => true,
        }
    }

    /// The addresses.
    pub(crate) fn to(&self) -> Vec<String> {
        self.to.clone()
    }

    /// A notice as this audience gets it.
    pub(crate) fn addressed(&self, notice: &Notice) -> Notice {
        let mut notice = notice.clone();
        if let Some(why) = &self.instead {
            notice.facts.push((
                "Why you".to_owned(),
                format!("you are in ALERT_TO, and {why}"),
            ));
        }
        notice
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
            "the environment variable ALERT_TO has {wrong:?}, which is no mail address"
        )),
        None if addresses.is_empty() => Err(
            "the environment variable ALERT_TO is empty: it names who is told when bot.toml cannot be read"
                .to_owned(),
        ),
        None => Ok(addresses),
    }
}
