use std::fmt;

use serde::{Deserialize, Serialize};

/// Why X rejected the content of a post for good, with X's message.
///
/// It is stored as `rejectedAs` beside `rejection`, which is the same as a text for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Rejection {
    /// The account has a tweet with this text already.
    Duplicate {
        /// X's message.
        message: String,
    },
    /// X refuses this content, and would refuse it again.
    Content {
        /// X's message.
        message: String,
    },
}

/// The start of the text of a duplicate.
const DUPLICATE: &str = "duplicate: ";

impl Rejection {
    /// Whether the account has a tweet with this text already.
    pub fn is_duplicate(&self) -> bool {
        matches!(self, Rejection::Duplicate { .. })
    }

    /// Reads the `rejection` of a record that was written before rejections were typed.
    pub fn from_untyped(text: &str) -> Rejection {
        match text.strip_prefix(DUPLICATE) {
            Some(message) => Rejection::Duplicate {
                message: message.to_owned(),
            },
            None => Rejection::Content {
                message: text.to_owned(),
            },
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejection::Duplicate { message } => write!(f, "{DUPLICATE}{message}"),
            Rejection::Content { message } => f.write_str(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rejection_is_stored_with_its_kind_and_its_text_reads_back() {
        let message = "You are not allowed to do that.".to_owned();
        for (rejection, kind, text) in [
            (
                Rejection::Duplicate {
                    message: message.clone(),
                },
                "duplicate",
                "duplicate: You are not allowed to do that.",
            ),
            (
                Rejection::Content {
                    message: message.clone(),
                },
                "content",
                "You are not allowed to do that.",
            ),
        ] {
            let stored = json!({"kind": kind, "message": message});
            assert_eq!(json!(rejection), stored);
            assert_eq!(
                serde_json::from_value::<Rejection>(stored).unwrap(),
                rejection
            );
            assert_eq!(rejection.to_string(), text);
            assert_eq!(Rejection::from_untyped(text), rejection);
        }
    }
}
