use serde::{Deserialize, Serialize};

/// How the run of a slot ended. A failure is not an outcome: a redrive resumes the run.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, strum::Display, strum::IntoStaticStr, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Outcome {
    /// The tweet is on X.
    Posted,
    /// There was nothing to post, for the recorded reason.
    Skipped,
    /// OpenAI refused the picture's prompt at every level of softness.
    Refused,
    /// An approver or X rejected the post.
    Rejected,
    /// The deadline passed without a decision.
    Expired,
    /// A dry run went through every state, and nothing was sent.
    DryRun,
}

impl Outcome {
    /// Its name, as it is stored and printed.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_printed_as_it_is_stored() {
        for (outcome, name) in [
            (Outcome::Posted, "posted"),
            (Outcome::Skipped, "skipped"),
            (Outcome::Refused, "refused"),
            (Outcome::Rejected, "rejected"),
            (Outcome::Expired, "expired"),
            (Outcome::DryRun, "dry-run"),
        ] {
            assert_eq!(outcome.name(), name);
            assert_eq!(outcome.to_string(), name);
            assert_eq!(serde_json::to_value(outcome).unwrap(), name);
        }
    }
}
