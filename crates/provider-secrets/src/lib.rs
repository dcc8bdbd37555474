#![doc = include_str!("../README.md")]

use aws_sdk_secretsmanager::{Client, error::SdkError};
use lambda_function::aws_error;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is missing or malformed, or may not be read.
    #[error("{0}")]
    Unusable(String),
    /// Secrets Manager is unreachable or busy.
    #[error("{0}")]
    Unavailable(String),
}

impl Error {
    /// Whether another attempt can succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Error::Unavailable(_))
    }
}

/// The shape of the secret of OpenAI.
const OPENAI: &str = r#"{"apiKey": "…"}"#;

/// The shape of the secret of X.
const X: &str = r#"{"apiKey", "apiKeySecret", "accessToken", "accessTokenSecret"}"#;

/// The key of OpenAI.
pub async fn openai_key(secrets: &Client, arn: &str) -> Result<SecretString, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Secret {
        api_key: SecretString,
    }
    let secret: Secret = read(secrets, arn, OPENAI).await?;
    // A key is often pasted with the end of its line, and the library panics at what a header cannot hold.
    let api_key = secret.api_key.expose_secret().trim();
    if api_key.is_empty() {
        return Err(unusable(arn, "has an empty apiKey", OPENAI));
    }
    if !api_key.bytes().all(|b| b.is_ascii_graphic()) {
        let what = "has an apiKey with characters that no key has";
        return Err(unusable(arn, what, OPENAI));
    }
    Ok(SecretString::from(api_key))
}

/// The credentials of an app on X and of the account that it posts for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct XCredentials {
    /// The app's key.
    pub api_key: SecretString,
    /// The app's secret.
    pub api_key_secret: SecretString,
    /// The account's token.
    pub access_token: SecretString,
    /// The account's secret.
    pub access_token_secret: SecretString,
    /// The account's number.
    #[serde(skip)]
    pub user_id: String,
}

/// The name of the secret that holds the X credentials of one bot. `prefix` is the deployment's name, such as
/// `daily-post-prod`.
pub fn x_credentials_id(prefix: &str, bot: &str) -> String {
    format!("{prefix}/{bot}/x-credentials")
}

/// The X credentials of one bot. `prefix` is the deployment's name, such as `daily-post-prod`.
pub async fn x_credentials(
    secrets: &Client,
    prefix: &str,
    bot: &str,
) -> Result<XCredentials, Error> {
    let id = x_credentials_id(prefix, bot);
    let mut credentials: XCredentials = read(secrets, &id, X).await?;
    // The number before the hyphen of an access token is the account's id, which saves a request.
    let token = credentials.access_token.expose_secret();
    credentials.user_id = match token.split_once('-') {
        Some((id, _)) if !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()) => id.to_owned(),
        _ => {
            let what =
                "has an accessToken that does not begin with the account's number and a hyphen";
            return Err(unusable(&id, what, X));
        }
    };
    Ok(credentials)
}

async fn read<T: DeserializeOwned>(secrets: &Client, id: &str, shape: &str) -> Result<T, Error> {
    let secret = secrets.get_secret_value().secret_id(id).send().await;
    let secret = match secret {
        Ok(secret) => secret.secret_string,
        Err(SdkError::ServiceError(e)) if e.err().is_resource_not_found_exception() => None,
        Err(error) => {
            let error = aws_error(&error);
            return Err(match error.is_transient() {
                true => Error::Unavailable(format!("Secrets Manager did not return {id}: {error}")),
                false => unusable(id, &format!("cannot be read: {error}"), shape),
            });
        }
    };
    let secret = secret.ok_or_else(|| unusable(id, "has no value", shape))?;
    // Only the position: the rest of the parser's message might quote the secret.
    serde_json::from_str(&secret).map_err(|e| {
        let what = format!("is malformed at line {} column {}", e.line(), e.column());
        unusable(id, &what, shape)
    })
}

fn unusable(id: &str, what: &str, shape: &str) -> Error {
    Error::Unusable(format!("the secret {id} {what}; store {shape} in it"))
}
