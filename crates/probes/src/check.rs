use serde::{Deserialize, Serialize};

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was checked.
    pub what: String,
    /// Its status.
    #[serde(rename = "verdict")]
    pub status: Status,
    /// What was found.
    #[serde(rename = "said")]
    pub message: String,
    /// What fixes it; absent if the status is [`Status::Ok`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// The status of what was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nothing to do.
    Ok,
    /// It will fail, or may fail, or could not be checked.
    Warn,
    /// Runs fail, or do not start.
    Fail,
}

impl Check {
    /// A check without a finding.
    pub fn ok(what: impl Into<String>, message: impl Into<String>) -> Check {
        Check {
            what: what.into(),
            status: Status::Ok,
            message: message.into(),
            fix: None,
        }
    }

    /// Something to look at.
    pub fn warn(
        what: impl Into<String>,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Check {
        Check {
            status: Status::Warn,
            fix: Some(fix.into()),
            ..Check::ok(what, message)
        }
    }

    /// Something to fix.
    pub fn fail(
        what: impl Into<String>,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Check {
        Check {
            status: Status::Fail,
            ..Check::warn(what, message, fix)
        }
    }
}
