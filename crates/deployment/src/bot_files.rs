//! The files of a bot, from a folder or as they are deployed.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use aws_sdk_s3::primitives::ByteStream;
use bot_files::{Bot, Calendar};
use jiff::{Timestamp, civil::Date};

use crate::{Deployment, aws_context};

/// A bot's files, parsed and checked for this year and the next.
#[derive(Debug)]
pub struct BotFiles {
    /// `bot.toml`.
    pub bot: Bot,
    /// `calendar.toml`.
    pub calendar: Calendar,
}

impl BotFiles {
    /// Reads the files of a bot from a folder that contains a folder for each bot.
    pub fn from_folder(bots: &Path, name: &str) -> anyhow::Result<BotFiles> {
        let read = |file: &str| {
            let path = bots.join(name).join(file);
            std::fs::read_to_string(&path).with_context(|| {
                format!(
                    "reading {}; is there a bot {name:?} in bots/?",
                    path.display()
                )
            })
        };
        BotFiles::parse("bots", name, &read("bot.toml")?, &read("calendar.toml")?)
    }

    /// Reads the files that a deployment uses.
    pub async fn deployed(deployment: &Deployment, name: &str) -> anyhow::Result<BotFiles> {
        let bot = deployment.bot_file(name, "bot.toml").await?;
        let calendar = deployment.bot_file(name, "calendar.toml").await?;
        let bucket = format!("s3://{}", deployment.bot_files_bucket);
        BotFiles::parse(&bucket, name, &bot, &calendar)
    }

    fn parse(location: &str, name: &str, bot: &str, calendar: &str) -> anyhow::Result<BotFiles> {
        let bot = Bot::parse(&format!("{location}/{name}/bot.toml"), bot)?;
        let calendar = Calendar::parse(&format!("{location}/{name}/calendar.toml"), calendar)?;
        let year = Timestamp::now()
            .to_zoned_datetime(bot.time_zone().clone())
            .year();
        bot_files::check(&bot, &calendar, year..=year + 1)?;
        Ok(BotFiles { bot, calendar })
    }

    /// Today's date in the bot's time zone.
    pub fn today(&self) -> Date {
        Timestamp::now()
            .to_zoned_datetime(self.bot.time_zone().clone())
            .date()
    }
}

impl Deployment {
    /// Refuses a bot that is not deployed. Where that cannot be found out, it may be there: the switch works without S3.
    pub async fn ensure_bot(&self, bot: &str) -> anyhow::Result<()> {
        let there = self
            .s3
            .head_object()
            .bucket(&self.bot_files_bucket)
            .key(format!("{bot}/bot.toml"))
            .send()
            .await;
        let missing =
            there.is_err_and(|error| error.as_service_error().is_some_and(|e| e.is_not_found()));
        ensure!(!missing, self.no_bot(bot, "bot.toml"));
        Ok(())
    }

    fn no_bot(&self, bot: &str, file: &str) -> String {
        format!(
            "{} has no bot {bot:?}: s3://{}/{bot}/{file} is missing; look at --bot, or deploy the bot",
            self.name, self.bot_files_bucket
        )
    }

    /// The text of one file of a bot as it is deployed.
    pub async fn bot_file(&self, bot: &str, file: &str) -> anyhow::Result<String> {
        let key = format!("{bot}/{file}");
        let there = self
            .s3
            .get_object()
            .bucket(&self.bot_files_bucket)
            .key(&key)
            .send()
            .await;
        let there = match there {
            Ok(there) => there,
            Err(error) if error.as_service_error().is_some_and(|e| e.is_no_such_key()) => {
                bail!(self.no_bot(bot, file))
            }
            Err(error) => return Err(aws_context(&format!("reading the deployed {key}"), error)),
        };
        let text = there.body.collect().await?.to_vec();
        String::from_utf8(text).with_context(|| format!("the deployed {key} is not UTF-8"))
    }

    /// Uploads one file of a bot, as it is, unless it is there already.
    pub async fn put_bot_file(&self, bot: &str, file: &str, text: Vec<u8>) -> anyhow::Result<()> {
        let key = format!("{bot}/{file}");
        let there = self
            .s3
            .get_object()
            .bucket(&self.bot_files_bucket)
            .key(&key)
            .send()
            .await;
        if let Ok(there) = there
            && there.body.collect().await?.to_vec() == text
        {
            return Ok(());
        }
        self.s3
            .put_object()
            .bucket(&self.bot_files_bucket)
            .key(&key)
            .body(ByteStream::from(text))
            .send()
            .await?;
        Ok(())
    }
}
