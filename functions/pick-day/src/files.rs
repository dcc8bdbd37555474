//! The bot's files: which versions of them are in the bucket, and what they contain.

use anyhow::anyhow;
use aws_sdk_s3::error::SdkError;
use bot_files::{Bot, Calendar};
use lambda_function::aws_error;

use crate::{Clients, Config, Error};

/// A file of a bot, and its S3 version.
pub(crate) struct Versioned<T> {
    pub(crate) content: T,
    /// `None` in a bucket without versions.
    pub(crate) version: Option<String>,
}

pub(crate) async fn bot(
    clients: &Clients,
    config: &Config,
    bot: &str,
) -> Result<Versioned<Bot>, Error> {
    let file = read(clients, config, bot, "bot.toml").await?;
    file.parse(&format!("{bot}/bot.toml"), Bot::parse)
}

pub(crate) async fn calendar(
    clients: &Clients,
    config: &Config,
    bot: &str,
) -> Result<Versioned<Calendar>, Error> {
    let file = read(clients, config, bot, "calendar.toml").await?;
    file.parse(&format!("{bot}/calendar.toml"), Calendar::parse)
}

impl Versioned<String> {
    fn parse<T, E: std::fmt::Display>(
        self,
        name: &str,
        parse: impl FnOnce(&str, &str) -> Result<T, E>,
    ) -> Result<Versioned<T>, Error> {
        let content = parse(name, &self.content);
        Ok(Versioned {
            content: content.map_err(|e| Error::BotFilesInvalid(e.to_string()))?,
            version: self.version,
        })
    }
}

async fn read(
    clients: &Clients,
    config: &Config,
    bot: &str,
    file: &str,
) -> Result<Versioned<String>, Error> {
    let key = format!("{bot}/{file}");
    let address = format!("s3://{}/{key}", config.bot_files_bucket);
    let object = clients
        .s3
        .get_object()
        .bucket(&config.bot_files_bucket)
        .key(&key)
        .send()
        .await;
    let object = match object {
        Ok(object) => object,
        Err(SdkError::ServiceError(e)) if e.err().is_no_such_key() => {
            return Err(Error::InvalidInput(format!(
                "there is no bot {bot:?}: {address} is missing; correct `bot`, or deploy the bot's files"
            )));
        }
        Err(error) => {
            let error = aws_error(&error);
            let message = format!("S3 did not return {address}: {error}");
            return Err(match error.is_transient() {
                true => Error::ServiceUnavailable(message),
                false => Error::Unexpected(anyhow!(message)),
            });
        }
    };
    let bytes = object.body.collect().await;
    let bytes = bytes.map_err(|e| {
        Error::ServiceUnavailable(format!("the download of {address} was interrupted: {e}"))
    })?;
    let content = String::from_utf8(bytes.to_vec());
    Ok(Versioned {
        content: content.map_err(|e| {
            Error::BotFilesInvalid(format!("{key} is not UTF-8: {e}; save it as UTF-8"))
        })?,
        // S3 reports the version of an object in a bucket without versions as the text "null".
        version: object.version_id.filter(|version| version != "null"),
    })
}
