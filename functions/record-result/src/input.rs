//! What the function is called with.

use post::{PostId, SkipReason};
use posts_table::{Decision, Verdict};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;

use crate::Error;

/// The end of a run, from the state machine or from EventBridge.
#[derive(Clone, Debug)]
pub enum Input {
    /// A status-change event.
    Event(Event),
    /// The state `RecordResult`.
    State(Box<FinalState>),
}

impl<'de> Deserialize<'de> for Input {
    /// A derived implementation would not name the field that is wrong.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Input, D::Error> {
        let payload = Value::deserialize(deserializer)?;
        let input = match payload.get("detail") {
            Some(_) => serde_json::from_value(payload).map(Input::Event),
            None => serde_json::from_value(payload).map(|run| Input::State(Box::new(run))),
        };
        input.map_err(D::Error::custom)
    }
}

/// "Step Functions Execution Status Change".
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    /// The execution and its status.
    pub detail: Detail,
}

/// The part of the event about the execution.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    /// The execution.
    pub execution_arn: String,
    /// `FAILED`, `TIMED_OUT` or `ABORTED`.
    pub status: String,
    /// The execution's input, as text; absent when it is too long for an event.
    pub input: Option<String>,
    /// The error name.
    pub error: Option<String>,
    /// The message of the failed state.
    pub cause: Option<String>,
    /// How often the execution was redriven.
    pub redrive_count: Option<u64>,
    /// When it ended, in milliseconds of the Unix epoch.
    pub stop_date: Option<i64>,
}

/// The state data at the end of the state machine.
#[derive(Clone, Debug, Deserialize)]
pub struct FinalState {
    /// The ARN of the execution.
    pub execution: String,
    /// The output of `pick-day`.
    pub day: Picked,
    /// The output of `generate-image`.
    pub draft: Option<Value>,
    /// The output of `store-image`.
    pub image: Option<Value>,
    /// The texts.
    pub prompt: Option<Value>,
    /// The output of `post-tweet`.
    pub tweet: Option<Tweet>,
    /// The approval.
    pub approval: Option<ApprovalResult>,
    /// What earlier pictures of the run cost, in US dollars.
    #[serde(rename = "spentUsd")]
    pub spent_usd: Option<f64>,
    /// The error of the last prompt that OpenAI refused.
    pub refusal: Option<Value>,
    /// The error of `generate-image`, if the next picture would have exceeded a cap.
    #[serde(rename = "overBudget")]
    pub over_budget: Option<Value>,
}

/// The part of `pick-day`'s output that the record needs.
#[derive(Clone, Debug, Deserialize)]
pub struct Picked {
    /// `picked`, `skipped` or `duplicate`.
    pub status: String,
    /// The post.
    pub post: String,
    /// Why nothing was picked, as a text for people.
    pub reason: Option<String>,
    /// Why it was skipped; absent in executions that started before reasons were typed.
    #[serde(rename = "skipReason")]
    pub skip_reason: Option<SkipReason>,
    /// The bot's time zone, by its IANA name; UTC without it.
    #[serde(rename = "timeZone")]
    pub time_zone: Option<String>,
    /// Why a real run would have posted nothing, in a dry run.
    #[serde(rename = "wouldSkip")]
    pub would_skip: Option<String>,
}

/// The part of the approval that the record needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApprovalResult {
    /// The decision.
    pub decision: Option<Decision>,
}

/// The output of `post-tweet`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tweet {
    /// `posted`, `skipped` or `dry-run`.
    pub status: String,
    /// The id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Why it was skipped, as a text for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it was skipped; absent in executions that started before reasons were typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_reason: Option<SkipReason>,
    /// What a dry run would have sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<Value>,
    /// The price of the tweet, in US dollars.
    pub cost_usd: Option<f64>,
}

impl FinalState {
    /// The post.
    pub(crate) fn post(&self) -> Result<PostId, Error> {
        Ok(self.day.post.parse()?)
    }

    pub(crate) fn decision(&self) -> Option<&Decision> {
        self.approval.as_ref()?.decision.as_ref()
    }

    /// What the run cost, in US dollars.
    pub(crate) fn cost_usd(&self) -> f64 {
        let another_picture = self
            .decision()
            .is_some_and(|decision| matches!(decision.verdict, Verdict::Regenerate { .. }));
        // A run that ended without the other picture still has the draft of the earlier round, which is in `spent_usd`.
        let draft = self.draft.as_ref().filter(|_| !another_picture);
        let draft = draft.and_then(|draft| draft["costUsd"].as_f64());
        let tweet = self.tweet.as_ref().and_then(|tweet| tweet.cost_usd);
        self.spent_usd.unwrap_or(0.0) + draft.unwrap_or(0.0) + tweet.unwrap_or(0.0)
    }
}
