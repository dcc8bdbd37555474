#![doc = include_str!("../README.md")]

pub mod lambda;
pub mod openai;
mod painter;
pub mod proxy;
mod server;
pub mod x;

pub use painter::{paint_jpeg, render};

use serde::{Deserialize, Serialize};

/// A failure that a test injects.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// Which operation fails: `images`, `models`, `upload`, `metadata`, `create-tweet`, `delete-tweet` or `timeline`.
    pub operation: String,
    /// How it fails.
    pub kind: Kind,
    /// How many times it happens. `None` means every time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// It happens only for requests that contain this text.
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

    /// A fault that happens every time.
    pub fn always(operation: &str, kind: Kind) -> Fault {
        Fault {
            times: None,
            ..Fault::once(operation, kind)
        }
    }

    /// Limits the fault to requests that contain a text.
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
    /// The operation is not done, and the response is this status with this JSON.
    Status {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: serde_json::Value,
    },
    /// The operation is not done, and the response is this status with an HTML page.
    Html {
        /// The HTTP status.
        status: u16,
    },
    /// The operation is not done, and there is never a response.
    Hang,
    /// The operation is not done, and the connection is reset.
    ResetBefore,
    /// The operation is done, and then the connection is reset.
    ResetAfter,
    /// The operation is done, and the response is a 503.
    AcceptedThenError,
    /// The operation is done, and the response lacks its id or its picture.
    Empty,
    /// The tweet is created, and the timeline omits it at first.
    Hidden {
        /// How many reads of the timeline omit it.
        reads: u32,
    },
    /// A duplicate text is accepted.
    MissedDuplicate,
    /// The picture is cut off in the middle.
    CutOff,
    /// The picture has another format than requested.
    Mislabelled,
    /// The picture is a PNG of noise, larger than 6 MB.
    Huge,
}
