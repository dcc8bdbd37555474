#![doc = include_str!("../README.md")]

mod console;
mod delivery;
mod digest;
mod ended;
mod failed;
pub mod mail;
mod not_started;
mod recipients;
mod render;
mod text;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

pub use console::{console_url, env};
pub use delivery::{Delivery, Notifier, Retried};
pub use digest::{digest, digest_event};
pub use ended::{ended, ended_event};
pub use failed::Failed;
pub use not_started::{not_started, not_started_event};
pub use post::Step;
pub use recipients::{Recipients, addresses, read_bot};

/// How long a failed execution can be redriven
/// ([redrive](https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html), 2026-11).
pub const REDRIVABLE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Why a notification is sent; its name is a heading of `docs/runbook.md`.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum NotificationKind {
    /// The tweet is on X. Optional.
    Posted,
    /// There was nothing to post, or the bot is paused. Optional.
    Skipped,
    /// An approver rejected the post. Optional.
    Rejected,
    /// The budget is used up.
    OverBudget,
    /// The post was ready after its latest time.
    TooLate,
    /// OpenAI refused every prompt.
    Refused,
    /// The deadline passed without a decision.
    Expired,
    /// A run failed.
    Failed,
    /// A run failed, and its tweet may or may not be on X.
    Unconfirmed,
    /// An execution failed that does not hold its slot.
    NotTheHolder,
    /// An execution failed whose input names no slot.
    NoSlot,
    /// No run of a slot has started.
    NotStarted,
    /// What is unresolved, once a day.
    Digest,
}

impl NotificationKind {
    /// Its name, as it is stored and as the runbook has it.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// The content of a notification, as it is stored until it is delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Why it is sent.
    pub kind: NotificationKind,
    /// The post, if it is about one.
    pub post: Option<String>,
    /// The subject of the mail.
    pub subject: String,
    /// What happened, in a sentence or two.
    pub what: String,
    /// Names and values.
    pub facts: Vec<(String, String)>,
    /// What the operator does, in order; empty if nothing.
    pub todo: Vec<Step>,
}

impl Notification {
    /// The notification with commands for an environment on AWS; without one they are for the local cloud.
    pub fn for_environment(mut self, env: Option<&str>) -> Notification {
        let commands = self.todo.iter_mut().filter_map(|step| step.with.as_mut());
        if let Some(env) = env {
            for command in commands.filter(|command| command.starts_with("spooky ")) {
                // A step may have two commands, joined by `&&`.
                *command = command.replace("spooky ", &format!("spooky --env {env} "));
            }
        }
        self
    }
}
