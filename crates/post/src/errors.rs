//! The error catalog: every error name that a function or the platform can give a run, with what it means, what an
//! operator does about it, and which states retry or catch it.
//!
//! A name without an entry does not compile: [`ErrorName::entry`] is an exhaustive match, and
//! [`assert_cataloged`] checks the names of a function's `Error` when the function is compiled.
//! `statemachine/tests/contract.rs` compares the catalog with the state machine, the functions' READMEs and
//! `docs/runbook.md`.

use crate::Remedy;

/// An error name, as Step Functions sees it.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::VariantNames,
)]
#[expect(missing_docs, reason = "`entry` explains each")]
pub enum ErrorName {
    BotFilesInvalid,
    CaptionRejected,
    RateLimited,
    ServiceUnavailable,
    ServiceFailed,
    TimedOut,
    NoPicture,
    PromptRejected,
    OutOfCredit,
    OverBudget,
    ModelGone,
    Unauthorized,
    SecretUnusable,
    RequestRejected,
    DraftMissing,
    PictureUnusable,
    MailRefused,
    PostInFlight,
    OutcomeUnknown,
    Unconfirmed,
    PictureRejected,
    TweetRejected,
    DuplicateTweet,
    NotApproved,
    NotOrdered,
    ClaimLost,
    InvalidInput,
    Incomplete,
    Unexpected,
    #[strum(serialize = "Lambda.ResourceNotFoundException")]
    FunctionMissing,
    #[strum(serialize = "Lambda.Unknown")]
    FunctionEnded,
    /// Any other error of Lambda, such as `Lambda.ServiceException`.
    #[strum(serialize = "Lambda.…")]
    Lambda,
    #[strum(serialize = "Runtime.ExitError")]
    FunctionExited,
    /// Any other error of Lambda's runtime, such as `Runtime.InvalidEntrypoint`.
    #[strum(serialize = "Runtime.…")]
    Runtime,
    #[strum(serialize = "Sandbox.Timedout")]
    FunctionTimedOut,
    #[strum(serialize = "DynamoDb.ConditionalCheckFailedException")]
    AlreadyDecided,
    /// Any other error of DynamoDB, such as `DynamoDb.ThrottlingException`.
    #[strum(serialize = "DynamoDb.…")]
    DynamoDb,
    #[strum(serialize = "States.Timeout")]
    StateTimedOut,
    #[strum(serialize = "States.QueryEvaluationError")]
    QueryEvaluation,
    #[strum(serialize = "States.Runtime")]
    StatesRuntime,
    #[strum(serialize = "States.ServiceRestart")]
    EmulatorStopped,
}

/// A state that can fail.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[expect(missing_docs, reason = "the names are those of the state machine")]
pub enum TaskState {
    PickDay,
    BuildPrompt,
    GenerateImage,
    StoreImage,
    RequestApproval,
    AwaitApproval,
    PostTweet,
    RecordResult,
}

/// What the catalog has of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What happened, as a clause without a full stop.
    pub explanation: &'static str,
    /// What the operator does before the remedy, in the imperative.
    pub fix: Option<&'static str>,
    /// What the operator does then.
    pub remedy: Remedy,
}

impl ErrorName {
    /// Every name of the catalog.
    pub const ALL: &[ErrorName] = <ErrorName as strum::VariantArray>::VARIANTS;

    /// The name as Step Functions has it; a family of platform errors ends in `…`.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The catalog's name for an error name of Step Functions, if the catalog has it or its family.
    pub fn of(error: &str) -> Option<ErrorName> {
        if let Ok(name) = error.parse() {
            return Some(name);
        }
        match error.split_once('.')?.0 {
            "Lambda" => Some(ErrorName::Lambda),
            "Runtime" => Some(ErrorName::Runtime),
            "DynamoDb" => Some(ErrorName::DynamoDb),
            _ => None,
        }
    }

    /// The states whose `Retry` has the name, or names of the family.
    pub fn retried_by(self) -> &'static [TaskState] {
        use TaskState::{
            AwaitApproval, BuildPrompt, GenerateImage, PickDay, PostTweet, RecordResult,
            RequestApproval, StoreImage,
        };
        match self {
            ErrorName::RateLimited => &[GenerateImage, PostTweet],
            ErrorName::ServiceUnavailable => &[
                PickDay,
                GenerateImage,
                StoreImage,
                RequestApproval,
                PostTweet,
                RecordResult,
            ],
            ErrorName::ServiceFailed | ErrorName::TimedOut | ErrorName::NoPicture => {
                &[GenerateImage]
            }
            ErrorName::PostInFlight | ErrorName::OutcomeUnknown => &[PostTweet],
            ErrorName::Lambda
            | ErrorName::FunctionEnded
            | ErrorName::FunctionExited
            | ErrorName::FunctionTimedOut => &[
                PickDay,
                BuildPrompt,
                GenerateImage,
                StoreImage,
                RequestApproval,
                PostTweet,
                RecordResult,
            ],
            ErrorName::DynamoDb => &[AwaitApproval],
            _ => &[],
        }
    }

    /// The states whose `Catch` has the name: there it is a business outcome, or a decision that is already there.
    pub fn caught_by(self) -> &'static [TaskState] {
        match self {
            ErrorName::PromptRejected | ErrorName::OverBudget => &[TaskState::GenerateImage],
            ErrorName::AlreadyDecided | ErrorName::StateTimedOut => &[TaskState::AwaitApproval],
            _ => &[],
        }
    }

    /// What the error means in a state: the provider is named where the state calls only one.
    pub fn explanation_in(self, state: Option<TaskState>) -> &'static str {
        use TaskState::{GenerateImage, PostTweet};
        match (self, state) {
            (ErrorName::RateLimited, Some(GenerateImage)) => {
                "OpenAI limits the number of requests, for longer than the retries last"
            }
            (ErrorName::RateLimited, Some(PostTweet)) => {
                "X limits the number of requests, for longer than the retries last"
            }
            (ErrorName::ServiceUnavailable, Some(GenerateImage)) => {
                "OpenAI or AWS was unavailable for longer than the retries last"
            }
            (ErrorName::ServiceUnavailable, Some(PostTweet)) => {
                "X or AWS was unavailable for longer than the retries last"
            }
            (ErrorName::ServiceUnavailable, Some(_)) => {
                "AWS was unavailable for longer than the retries last"
            }
            (ErrorName::OutOfCredit, Some(GenerateImage)) => {
                "the account at OpenAI has no credit left"
            }
            (ErrorName::OutOfCredit, Some(PostTweet)) => "the account at X has no credit left",
            (ErrorName::Unauthorized, Some(GenerateImage)) => "OpenAI refused the credentials",
            (ErrorName::Unauthorized, Some(PostTweet)) => "X refused the credentials",
            _ => self.entry().explanation,
        }
    }

    /// The entry of the catalog.
    pub fn entry(self) -> Entry {
        let entry = |explanation, fix: &'static str, remedy| Entry {
            explanation,
            fix: (!fix.is_empty()).then_some(fix),
            remedy,
        };
        match self {
            ErrorName::BotFilesInvalid => entry(
                "the files of the bot are invalid",
                "Fix the lines that the message names, run `spooky calendar check`, and deploy",
                Remedy::Redrive,
            ),
            ErrorName::CaptionRejected => entry(
                "no caption for this observance can be posted",
                "Give the slot a shorter caption, or fix the one in `calendar.toml` and deploy",
                Remedy::OverrideCaption,
            ),
            ErrorName::RateLimited => entry(
                "OpenAI or X limits the number of requests, for longer than the retries last",
                "Wait until the limit is lifted",
                Remedy::Redrive,
            ),
            ErrorName::ServiceUnavailable => entry(
                "AWS, OpenAI or X was unavailable for longer than the retries last",
                "Wait until the service is available",
                Remedy::Redrive,
            ),
            ErrorName::ServiceFailed => entry(
                "OpenAI failed on every attempt to generate the picture; each attempt may have been paid",
                "",
                Remedy::Redrive,
            ),
            ErrorName::TimedOut => entry(
                "OpenAI returned no picture in time; the picture may have been paid",
                "",
                Remedy::Redrive,
            ),
            ErrorName::NoPicture => entry(
                "the response of OpenAI contains no picture; the picture may have been paid",
                "",
                Remedy::Redrive,
            ),
            ErrorName::PromptRejected => entry(
                "OpenAI refused to generate the picture",
                "Give the slot a milder scene; for future years, change the scene in `calendar.toml` and deploy",
                Remedy::OverrideScene,
            ),
            ErrorName::OutOfCredit => entry(
                "the account at OpenAI or X has no credit left",
                "Add credit to the account",
                Remedy::Redrive,
            ),
            ErrorName::OverBudget => entry(
                "the budget of the bot is used up",
                "If the cap is too low, raise it in `[money]` of `bot.toml` and deploy",
                Remedy::RunAgain,
            ),
            ErrorName::ModelGone => entry(
                "OpenAI no longer serves the image model",
                "Set another `picture.model` in `bot.toml` and deploy",
                Remedy::RunAgain,
            ),
            ErrorName::Unauthorized => entry(
                "OpenAI or X refused the credentials",
                "Store valid credentials in the secret",
                Remedy::Redrive,
            ),
            ErrorName::SecretUnusable => entry(
                "a secret is missing or malformed",
                "Store the secret in the form that the message gives",
                Remedy::Redrive,
            ),
            ErrorName::RequestRejected => entry(
                "OpenAI rejected the request for the picture",
                "Change `[picture]` in `bot.toml` and deploy",
                Remedy::RunAgain,
            ),
            ErrorName::DraftMissing => entry(
                "the draft of the picture no longer exists",
                "",
                Remedy::NewPicture,
            ),
            ErrorName::PictureUnusable => entry(
                "the generated picture cannot be used",
                "",
                Remedy::NewPicture,
            ),
            ErrorName::MailRefused => entry(
                "SES refused the mail to every approver",
                "Verify the addresses in SES, or move the account out of the SES sandbox",
                Remedy::Redrive,
            ),
            ErrorName::PostInFlight => entry(
                "another invocation may still be sending the tweet",
                "",
                Remedy::Redrive,
            ),
            ErrorName::OutcomeUnknown => entry(
                "X gave no clear response to the tweet, and it is not on the timeline yet",
                "",
                Remedy::Redrive,
            ),
            ErrorName::Unconfirmed => entry(
                "X gave no clear response to the tweet, and it is not on the timeline: it may or may not be on X",
                "",
                Remedy::AttachOrPostAgain,
            ),
            ErrorName::PictureRejected => entry(
                "X rejected the picture or its alt text",
                "",
                Remedy::NewPicture,
            ),
            ErrorName::TweetRejected => entry(
                "X rejected the tweet, and would reject it again",
                "If X objects to the text, give the slot another caption",
                Remedy::OverrideCaption,
            ),
            ErrorName::DuplicateTweet => entry(
                "X reports that the account has recently posted the same text",
                "",
                Remedy::AttachOrOverride,
            ),
            ErrorName::NotApproved => entry(
                "this exact picture, caption and alt text has no approval",
                "",
                Remedy::RunAgain,
            ),
            ErrorName::NotOrdered => entry(
                "a tweet was to be deleted without an operator's order; no run does that",
                "",
                Remedy::Nothing,
            ),
            ErrorName::ClaimLost => entry("another execution holds the slot", "", Remedy::Nothing),
            ErrorName::InvalidInput => entry(
                "a state received input that it cannot process",
                "Check the input of the state",
                Remedy::RunAgain,
            ),
            ErrorName::Incomplete => entry(
                "the watchdog could not complete a check, and tries it again at its next run",
                "Fix what the message names",
                Remedy::Nothing,
            ),
            ErrorName::Unexpected => entry(
                "an error occurred that the function does not expect",
                "Fix what the message names",
                Remedy::Redrive,
            ),
            ErrorName::FunctionMissing => {
                entry("a function does not exist", "Deploy", Remedy::Redrive)
            }
            ErrorName::FunctionEnded | ErrorName::FunctionExited | ErrorName::Runtime => entry(
                "a function crashed",
                "Check the log of the function",
                Remedy::Redrive,
            ),
            ErrorName::Lambda => entry(
                "AWS Lambda could not run a function",
                "Wait until AWS Lambda is available",
                Remedy::Redrive,
            ),
            ErrorName::FunctionTimedOut => entry(
                "a function exceeded its time limit",
                "Check the log of the function",
                Remedy::Redrive,
            ),
            ErrorName::AlreadyDecided => {
                entry("the approval already had a decision", "", Remedy::Redrive)
            }
            ErrorName::DynamoDb => entry(
                "DynamoDB did not store the task token",
                "Wait until DynamoDB is available",
                Remedy::Redrive,
            ),
            ErrorName::StateTimedOut => entry(
                "a state exceeded its time limit",
                "Check the log of its function",
                Remedy::Redrive,
            ),
            ErrorName::QueryEvaluation => entry(
                "an expression of the state machine failed, and a redrive keeps the expression",
                "Fix the state machine and deploy",
                Remedy::RunAgain,
            ),
            ErrorName::StatesRuntime => entry(
                "the state machine does not fit its data, and a redrive keeps the state machine",
                "Fix the state machine and deploy",
                Remedy::RunAgain,
            ),
            ErrorName::EmulatorStopped => entry(
                "the emulator stopped while the run waited",
                "Start `spooky local`, which resumes the run automatically; redrive only if it does not",
                Remedy::Redrive,
            ),
        }
    }
}

impl Entry {
    /// The entry of how an execution failed: of its error in a state or, if it has none in the catalog, of its status.
    pub fn of_failure(status: &str, error: Option<&str>, state: Option<&str>) -> Entry {
        if let Some(name) = error.and_then(ErrorName::of) {
            let state = state.and_then(|state| state.parse().ok());
            return Entry {
                explanation: name.explanation_in(state),
                ..name.entry()
            };
        }
        let (explanation, fix) = match (status, error) {
            ("ABORTED", _) => ("it was stopped", None),
            ("TIMED_OUT", _) => ("it exceeded the time limit of an execution", None),
            _ => (
                "the error is not in the catalog",
                Some("Check the log of the function"),
            ),
        };
        Entry {
            explanation,
            fix,
            remedy: Remedy::Redrive,
        }
    }
}

/// Fails to compile if the catalog lacks one of these error names, such as the variants of a function's `Error`.
///
/// ```
/// const _: () = post::errors::assert_cataloged(&["RateLimited"]);
/// ```
///
/// ```compile_fail
/// const _: () = post::errors::assert_cataloged(&["BrandNew"]);
/// ```
pub const fn assert_cataloged(names: &[&str]) {
    let mut number = 0;
    while number < names.len() {
        assert!(
            is_cataloged(names[number]),
            "an error name of this function is not in the catalog: add it to `ErrorName` in crates/post/src/errors.rs"
        );
        number += 1;
    }
}

const fn is_cataloged(name: &str) -> bool {
    let cataloged = <ErrorName as strum::VariantNames>::VARIANTS;
    let mut number = 0;
    while number < cataloged.len() {
        if is_same(cataloged[number].as_bytes(), name.as_bytes()) {
            return true;
        }
        number += 1;
    }
    false
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use strum::VariantArray;

    use super::*;

    #[test]
    fn a_name_of_step_functions_leads_to_its_entry_or_to_its_family() {
        for name in ErrorName::ALL {
            assert_eq!(ErrorName::of(name.name()), Some(*name));
        }
        for (error, name) in [
            ("Lambda.TooManyRequestsException", ErrorName::Lambda),
            ("Runtime.InvalidEntrypoint", ErrorName::Runtime),
            ("DynamoDb.ThrottlingException", ErrorName::DynamoDb),
        ] {
            assert_eq!(ErrorName::of(error), Some(name));
        }
        for unknown in ["Brand.New", "Lambda", "", "ratelimited"] {
            assert_eq!(ErrorName::of(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn explanations_are_clauses_and_fixes_are_imperatives() {
        for name in ErrorName::ALL {
            let states = TaskState::VARIANTS.iter().copied().map(Some);
            for state in states.chain([None]) {
                let explanation = name.explanation_in(state);
                assert!(
                    !explanation.is_empty() && !explanation.ends_with('.'),
                    "{name}"
                );
            }
            if let Some(fix) = name.entry().fix {
                assert!(fix.starts_with(char::is_uppercase), "{name}: {fix}");
                assert!(!fix.ends_with('.'), "{name}: {fix}");
            }
            let overrides = matches!(
                name.entry().remedy,
                Remedy::OverrideCaption | Remedy::OverrideScene
            );
            assert!(!overrides || name.entry().fix.is_some(), "{name}");
        }
    }

    #[test]
    fn a_failure_without_a_cataloged_error_is_explained_by_its_status() {
        let explanation =
            |status, error| Entry::of_failure(status, error, Some("PostTweet")).explanation;
        assert_eq!(explanation("ABORTED", None), "it was stopped");
        assert_eq!(
            explanation("TIMED_OUT", None),
            "it exceeded the time limit of an execution"
        );
        assert_eq!(
            explanation("FAILED", Some("Brand.New")),
            "the error is not in the catalog"
        );
        assert_eq!(
            explanation("FAILED", Some("OutOfCredit")),
            "the account at X has no credit left"
        );
    }
}
