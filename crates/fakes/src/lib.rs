#![doc = include_str!("../README.md")]

pub mod lambda;
pub mod openai;
mod painter;
pub mod proxy;
mod server;
pub mod x;

pub use painter::{paint_jpeg, render};

use serde::{Deserialize, Serialize};

/// A failure that is told on purpose.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// Which operation fails: `images`, `upload`, `metadata`, `create-tweet`, `delete-tweet` or `timeline`.
    pub operation: String,
    /// How.
    pub kind: Kind,
    /// How often; for ever without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// A text that the request must contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containing: Option<String>,
}

impl Fault {
    /// A fault that happens once.
    pub fn once(operation: &str, kind: Kind) -> Fault {
        Fault {
            operation: operation.to_owned(),
            kind,
            times: Some(1),
            containing: None,
        }
    }

    /// A fault that happens each time.
    pub fn always(operation: &str, kind: Kind) -> Fault {
        Fault {
            times: None,
            ..Fault::once(operation, kind)
        }
    }

    /// The same fault, only for requests that contain a text.
    pub fn containing(self, text: &str) -> Fault {
        Fault {
            containing: Some(text.to_owned()),
            ..self
        }
    }
}

/// How an operation fails.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Kind {
    /// Nothing is done, and the answer is this status with this JSON.
    Status {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: serde_json::Value,
    },
    /// Nothing is done, and the answer is this status with a page of HTML.
    Html {
        /// The HTTP status.
        status: u16,
    },
    /// Nothing is done, and no answer ever comes.
    Hang,
    /// Nothing is done, and the connection is reset.
    ResetBefore,
    /// It is done, and then the connection is reset.
    ResetAfter,
    /// It is done, and the answer is a 503.
    AcceptedThenError,
    /// It is done, and the answer lacks what matters: the id, the picture.
    Empty,
    /// It is done, but does not show on the timeline for so many reads.
    Hidden {
        /// How many reads of the timeline miss it.
        reads: u32,
    },
    /// A text that is there already is taken again.
    MissedDuplicate,
    /// The picture is cut off in the middle.
    CutOff,
    /// The picture has another format than was asked for.
    Mislabelled,
    /// The picture is a PNG of noise with more than 6 MB.
    Huge,
}
