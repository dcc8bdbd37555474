//! The signed links to the approval page.

use aws_sdk_secretsmanager::error::SdkError;
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use lambda_function::{AwsError, aws_error};
use post::PostId;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use serde::Deserialize;
use sha2::Sha256;

/// The length of a key in bytes: at least that of the hash, at most a block of it.
const KEY_LENGTHS: std::ops::RangeInclusive<usize> = 32..=BLOCK;

/// The block of SHA-256 in bytes; HMAC pads a shorter key with zeros.
const BLOCK: usize = 64;

/// Longer links are not parsed.
const MAX_LINK: usize = 300;

/// What a link allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Shows the page and decides.
    Decide,
    /// Shows the picture.
    Show,
}

impl Purpose {
    /// Separates the purposes, so that a signature for one is invalid for the other.
    fn domain(self) -> &'static str {
        match self {
            Purpose::Decide => "decide",
            Purpose::Show => "show",
        }
    }
}

/// The content of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The post.
    pub post: PostId,
    /// The round.
    pub round: u32,
    /// The approver's index in the approval's list.
    pub approver: usize,
    /// Seconds of the Unix epoch from which the link is expired.
    pub ends_at: i64,
}

impl Link {
    /// Whether it has expired.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.ends_at <= now.as_second()
    }

    fn payload(&self) -> String {
        format!(
            "{}/{}/{}/{}",
            self.post, self.round, self.approver, self.ends_at
        )
    }

    fn parse(payload: &str) -> Option<Link> {
        let parts: Vec<&str> = payload.split('/').collect();
        let [bot, date, slot, round, approver, ends_at] = parts[..] else {
            return None;
        };
        Some(Link {
            post: format!("{bot}/{date}/{slot}").parse().ok()?,
            round: round.parse().ok()?,
            approver: approver.parse().ok()?,
            ends_at: ends_at.parse().ok()?,
        })
    }
}

/// The signing keys.
#[derive(Debug)]
pub struct Keys {
    current: Key,
    previous: Option<Key>,
}

/// A key, padded to the block.
type Key = SecretBox<[u8; BLOCK]>;

/// The signing keys cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The secret is missing, has no value, or is malformed.
    #[error(
        "the secret {0} {1}; it must be {{\"current\": \"…\"}} with an optional \"previous\", each 32 to 64 random bytes in base64"
    )]
    Unusable(String, String),
    /// Secrets Manager is unreachable or busy.
    #[error("Secrets Manager did not return {0}: {1}")]
    Unavailable(String, AwsError),
}

impl Error {
    /// Whether another attempt can succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Error::Unavailable(..))
    }
}

impl Keys {
    /// Reads the keys from Secrets Manager.
    pub async fn read(
        secrets: &aws_sdk_secretsmanager::Client,
        secret_arn: &str,
    ) -> Result<Keys, Error> {
        let answer = secrets
            .get_secret_value()
            .secret_id(secret_arn)
            .send()
            .await;
        let unusable = |what: &str| Error::Unusable(secret_arn.to_owned(), what.to_owned());
        let secret = match answer {
            Ok(answer) => answer.secret_string,
            Err(SdkError::ServiceError(e)) if e.err().is_resource_not_found_exception() => None,
            Err(error) => {
                let error = aws_error(&error);
                return Err(match error.is_transient() {
                    true => Error::Unavailable(secret_arn.to_owned(), error),
                    false => unusable(&format!("cannot be read: {error}")),
                });
            }
        };
        let secret = secret.ok_or_else(|| unusable("has no value"))?;
        Keys::parse(&secret).map_err(|what| unusable(&what))
    }

    /// Parses the value of the secret. The error quotes none of it.
    pub fn parse(secret: &str) -> Result<Keys, String> {
        #[derive(Deserialize)]
        struct Secret {
            current: SecretString,
            previous: Option<SecretString>,
        }
        let secret: Secret = serde_json::from_str(secret)
            .map_err(|e| format!("is malformed at line {} column {}", e.line(), e.column()))?;
        let key = |name: &str, text: &SecretString| {
            let bytes = BASE64_STANDARD
                .decode(text.expose_secret())
                .map_err(|_| format!("has a key {name} that is not base64"))?;
            if !KEY_LENGTHS.contains(&bytes.len()) {
                return Err(format!("has a key {name} of {} bytes", bytes.len()));
            }
            let mut key = Box::new([0; BLOCK]);
            key.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
            Ok(Key::new(key))
        };
        Ok(Keys {
            current: key("current", &secret.current)?,
            previous: secret
                .previous
                .as_ref()
                .map(|text| key("previous", text))
                .transpose()?,
        })
    }

    /// Signs a link; the result is the last segment of its address.
    pub fn sign(&self, purpose: Purpose, link: &Link) -> String {
        let payload = BASE64_URL_SAFE_NO_PAD.encode(link.payload());
        let signature = mac(&self.current, purpose.domain(), &payload)
            .finalize()
            .into_bytes();
        format!("{payload}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// The content of a link, if it was signed for this purpose. It can be expired.
    pub fn verify(&self, purpose: Purpose, text: &str) -> Option<Link> {
        if text.len() > MAX_LINK {
            return None;
        }
        let (payload, signature) = text.split_once('.')?;
        if !self.is_signed(purpose.domain(), payload, signature) {
            return None;
        }
        let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?;
        Link::parse(std::str::from_utf8(&payload).ok()?)
    }

    /// The value of the form's hidden field, for this link and for content with this hash.
    pub fn form_value(&self, link: &str, content_hash: &str) -> String {
        let signature = mac(&self.current, "form", &format!("{link} {content_hash}"))
            .finalize()
            .into_bytes();
        BASE64_URL_SAFE_NO_PAD.encode(signature)
    }

    /// Whether a form's hidden field belongs to this link and this content.
    pub fn is_form_value(&self, link: &str, content_hash: &str, value: &str) -> bool {
        self.is_signed("form", &format!("{link} {content_hash}"), value)
    }

    /// Compares in constant time, with both keys.
    fn is_signed(&self, domain: &str, text: &str, signature: &str) -> bool {
        let Ok(signature) = BASE64_URL_SAFE_NO_PAD.decode(signature) else {
            return false;
        };
        [Some(&self.current), self.previous.as_ref()]
            .into_iter()
            .flatten()
            .any(|key| mac(key, domain, text).verify_slice(&signature).is_ok())
    }
}

fn mac(key: &Key, domain: &str, text: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new(key.expose_secret().into());
    mac.update(domain.as_bytes());
    mac.update(&[0]);
    mac.update(text.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(current: u8, previous: Option<u8>) -> Keys {
        let key = |byte| BASE64_STANDARD.encode([byte; 32]);
        let mut secret = serde_json::json!({"current": key(current)});
        if let Some(previous) = previous {
            secret["previous"] = key(previous).into();
        }
        Keys::parse(&secret.to_string()).unwrap()
    }

    fn link() -> Link {
        Link {
            post: "spooky-days/2026-10-30/1".parse().unwrap(),
            round: 2,
            approver: 1,
            ends_at: 1_793_362_800,
        }
    }

    #[test]
    fn a_link_says_what_it_was_made_of_and_is_short() {
        let text = keys(1, None).sign(Purpose::Decide, &link());
        assert_eq!(keys(1, None).verify(Purpose::Decide, &text), Some(link()));
        assert!(text.len() < 200, "{}", text.len());
        assert!(
            text.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        );
    }

    #[test]
    fn a_link_is_good_for_its_purpose_only() {
        let text = keys(1, None).sign(Purpose::Show, &link());
        assert_eq!(keys(1, None).verify(Purpose::Decide, &text), None);
    }

    #[test]
    fn while_keys_are_changed_links_of_both_are_good_and_then_no_more() {
        let old = keys(1, None).sign(Purpose::Decide, &link());
        let new = keys(2, Some(1)).sign(Purpose::Decide, &link());
        for text in [&old, &new] {
            assert!(keys(2, Some(1)).verify(Purpose::Decide, text).is_some());
        }
        assert!(keys(2, None).verify(Purpose::Decide, &old).is_none());
        assert!(keys(2, None).verify(Purpose::Decide, &new).is_some());
    }

    #[test]
    fn a_form_value_belongs_to_one_link_and_one_content() {
        let keys = keys(1, None);
        let value = keys.form_value("one", "hash");
        assert!(keys.is_form_value("one", "hash", &value));
        assert!(!keys.is_form_value("two", "hash", &value));
        assert!(!keys.is_form_value("one", "other", &value));
        assert!(!keys.is_form_value("one", "hash", ""));
    }

    #[test]
    fn keys_that_cannot_be_used_are_named_and_not_quoted() {
        let short = BASE64_STANDARD.encode([7; 16]);
        for (secret, says) in [
            ("hush".to_owned(), "malformed at line 1"),
            ("{\"current\": \"hush!\"}".to_owned(), "not base64"),
            (format!("{{\"current\": \"{short}\"}}"), "of 16 bytes"),
            ("{\"previous\": \"hush\"}".to_owned(), "malformed"),
        ] {
            let said = Keys::parse(&secret).unwrap_err();
            assert!(said.contains(says) && !said.contains("hush"), "{said}");
            assert!(!said.contains(&short), "{said}");
        }
    }

    proptest! {
        #[test]
        fn no_change_of_a_link_is_good(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_.=-]") {
            let good = keys(1, None).sign(Purpose::Decide, &link());
            let mut changed: Vec<char> = good.chars().collect();
            let at = at.index(changed.len());
            changed[at] = to.chars().next().unwrap();
            let changed: String = changed.into_iter().collect();
            prop_assume!(changed != good);
            prop_assert_eq!(keys(1, None).verify(Purpose::Decide, &changed), None);
            prop_assert_eq!(keys(1, None).verify(Purpose::Decide, &good[..at]), None);
        }

        #[test]
        fn no_text_is_a_link_or_a_panic(text in "\\PC{0,400}") {
            prop_assert_eq!(keys(1, None).verify(Purpose::Decide, &text), None);
        }
    }
}
