use serde::{Deserialize, Serialize};

use crate::{PostId, commands};

/// What an operator does about an error, after its cause is fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::VariantArray)]
pub enum Remedy {
    /// Resume the run in the state that failed.
    Redrive,
    /// Run the slot again: a redrive would fail the same way.
    RunAgain,
    /// Run the slot again, which pays for another picture: a redrive would find the same one.
    NewPicture,
    /// Override the caption first, then run the slot again.
    OverrideCaption,
    /// Override the scene first, then run the slot again.
    OverrideScene,
    /// Check the account on X, then attach the tweet or send it again.
    AttachOrPostAgain,
    /// Check the account on X, then attach the tweet or override the caption.
    AttachOrOverride,
    /// Nothing: the error leaves nothing to do.
    Nothing,
}

/// One thing that an operator does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What it is; names of files and commands are in backticks.
    pub what: String,
    /// The command or the address, if there is one.
    pub with: Option<String>,
}

impl Step {
    /// A step without a command.
    pub fn by_hand(what: impl Into<String>) -> Step {
        Step {
            what: what.into(),
            with: None,
        }
    }

    /// A step that a command or an address carries out.
    pub fn with(what: impl Into<String>, with: impl Into<String>) -> Step {
        Step {
            what: what.into(),
            with: Some(with.into()),
        }
    }
}

/// The run that a remedy is for.
#[derive(Clone, Copy, Debug)]
pub struct FailedRun<'a> {
    /// The slot.
    pub post: &'a PostId,
    /// The ARN of the execution that failed.
    pub execution: &'a str,
    /// Whether the slot is claimed: without a claim, only the execution identifies the run.
    pub is_claimed: bool,
}

impl FailedRun<'_> {
    /// The command that resumes the run.
    pub fn redrive(&self) -> String {
        match self.is_claimed {
            true => commands::redrive(self.post),
            false => commands::redrive_execution(self.execution),
        }
    }

    /// The command that runs the slot again.
    pub fn run_again(&self) -> String {
        match self.is_claimed {
            true => commands::run_again(self.post),
            false => commands::run(self.post),
        }
    }
}

impl Remedy {
    /// The steps of the remedy for a run; `fix` is what the operator does first.
    pub fn steps(self, fix: Option<&str>, run: &FailedRun<'_>) -> Vec<Step> {
        let post = run.post;
        let fix_by_hand = || fix.map(Step::by_hand);
        let check = Step::by_hand("Check the account on X, including its replies");
        let attach = |tweet: &str| {
            Step::with(
                format!("If {tweet}, attach it, and redrive the run so that it ends"),
                format!("{} && {}", commands::attach(post), run.redrive()),
            )
        };
        let run_again = Step::with(
            "Run the slot again, with a new pick and a new approval. A redrive would fail the same way",
            run.run_again(),
        );
        let steps: Vec<Option<Step>> = match self {
            Remedy::Redrive => vec![
                fix_by_hand(),
                Some(Step::with(
                    "Resume the run in the state that failed",
                    run.redrive(),
                )),
            ],
            Remedy::RunAgain => vec![fix_by_hand(), Some(run_again)],
            Remedy::NewPicture => vec![
                fix_by_hand(),
                Some(Step::with(
                    "Run the slot again, which pays for another picture. A redrive would use the same one",
                    run.run_again(),
                )),
            ],
            Remedy::OverrideCaption => vec![
                fix.map(|fix| Step::with(fix, commands::override_caption(post))),
                Some(run_again),
            ],
            Remedy::OverrideScene => vec![
                fix.map(|fix| Step::with(fix, commands::override_scene(post))),
                Some(run_again),
            ],
            Remedy::AttachOrPostAgain => vec![
                Some(check),
                Some(attach("the tweet is there")),
                Some(Step::with(
                    "If it is not, send it again",
                    commands::post_again(post),
                )),
            ],
            Remedy::AttachOrOverride => vec![
                Some(check),
                Some(attach("the tweet belongs to this post")),
                Some(Step::with(
                    "If it does not, give the slot another caption: X accepts no text twice",
                    commands::override_caption(post),
                )),
                Some(Step::with(
                    "Then run the slot again, with a new approval",
                    run.run_again(),
                )),
            ],
            Remedy::Nothing => vec![
                fix_by_hand(),
                Some(Step::with(
                    "No action is needed. To see the state of the slot",
                    commands::show(post),
                )),
            ],
        };
        steps.into_iter().flatten().collect()
    }
}
