//! What an error means for a person, and what mends it.

/// What mends a failed run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mend {
    /// Going on from the failed state, once the cause is gone.
    Redrive,
    /// A new run: going on would fail in the same way.
    RunAgain,
    /// A new run with another caption: with this one it would fail in the same way.
    Reword,
    /// Nobody knows whether it is on X: a person looks.
    Look,
    /// X has the text already: a person looks.
    LookForTheSame,
    /// There is nothing to mend by hand.
    Nothing,
}

/// An error in plain words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// What happened.
    pub(crate) what: &'static str,
    /// What a person does before the command; empty if nothing.
    pub(crate) first: &'static str,
    /// What the command is.
    pub(crate) mend: Mend,
}

/// The words for an error name, if it has words of its own.
pub(crate) fn words(error: &str) -> Option<Words> {
    use Mend::{Look, LookForTheSame, Nothing, Redrive, Reword, RunAgain};
    let (what, first, mend) = match error {
        "BotFilesInvalid" => (
            "bot.toml or calendar.toml of the bot has problems",
            "mend the lines that the message names, look with `spooky calendar check`, and deploy",
            Redrive,
        ),
        "CaptionRejected" => (
            "there is no caption for this day that X would take",
            "give the slot a shorter caption, or the day one in calendar.toml",
            Reword,
        ),
        "RateLimited" => (
            "OpenAI or X wants fewer requests, for longer than the retries last",
            "wait until the limit is lifted",
            Redrive,
        ),
        "ServiceUnavailable" => (
            "AWS, OpenAI or X was unreachable or busy, for longer than the retries last",
            "wait until the service is back",
            Redrive,
        ),
        "ServiceFailed" => (
            "OpenAI failed while it painted, again and again",
            "",
            Redrive,
        ),
        "TimedOut" => ("OpenAI gave no picture in time", "", Redrive),
        "NoPicture" => ("OpenAI's answer had no picture in it", "", Redrive),
        "PromptRejected" => (
            "OpenAI would not paint this day",
            "give the day a milder scene in calendar.toml, and deploy",
            RunAgain,
        ),
        "OutOfCredit" => (
            "the account at OpenAI or X has no credit left",
            "top it up",
            Redrive,
        ),
        "OverBudget" => (
            "the bot's budget is used up",
            "raise it in [money] of bot.toml, and deploy",
            RunAgain,
        ),
        "ModelGone" => (
            "OpenAI does not serve the image model any more",
            "set another picture.model in bot.toml, and deploy",
            RunAgain,
        ),
        "Unauthorized" => (
            "OpenAI or X refuses the key",
            "put a key that is accepted into the secret",
            Redrive,
        ),
        "SecretUnusable" => (
            "a secret is missing or malformed",
            "put the secret as the message says",
            Redrive,
        ),
        "RequestRejected" => (
            "OpenAI refuses the order of the picture",
            "change [picture] in bot.toml, and deploy",
            RunAgain,
        ),
        "DraftMissing" => ("the draft of the picture is gone", "", RunAgain),
        "PictureUnusable" => ("the picture that was painted cannot be used", "", RunAgain),
        "MailRefused" => (
            "SES refuses the mail to every approver",
            "verify the addresses in SES, or take the account out of its sandbox",
            Redrive,
        ),
        "PostInFlight" | "OutcomeUnknown" => (
            "the tweet was sent without a clear answer, and is not found yet",
            "",
            Redrive,
        ),
        "Unconfirmed" => (
            "the tweet was sent without a clear answer, and is not on the timeline: nobody knows whether it is on X",
            "",
            Look,
        ),
        "PictureRejected" => ("X refuses the picture or its alt text", "", RunAgain),
        "TweetRejected" => (
            "X refuses this tweet, and would again",
            "give the slot another caption, if the text is what X refuses",
            Reword,
        ),
        "DuplicateTweet" => (
            "X says that the account has just posted this text",
            "",
            LookForTheSame,
        ),
        "NotApproved" => (
            "nobody approved this very picture, caption and alt text",
            "",
            RunAgain,
        ),
        "NotOrdered" => (
            "a tweet was to be taken down that nobody has ordered to be",
            "",
            Nothing,
        ),
        "ClaimLost" => ("another execution holds the slot by now", "", Nothing),
        "InvalidInput" => (
            "a state was given something that it cannot work on",
            "look at the input of the state",
            RunAgain,
        ),
        "Unexpected" => (
            "something happened that nobody has foreseen",
            "mend what the message says",
            Redrive,
        ),
        "Lambda.ResourceNotFoundException" => ("a function is not there", "deploy", Redrive),
        "Sandbox.Timedout" | "States.Timeout" => (
            "a function took longer than it may",
            "look at its log",
            Redrive,
        ),
        "States.QueryEvaluationError" | "States.Runtime" => (
            "the definition of the state machine does not fit its data, and a redrive keeps the definition",
            "mend it, and deploy",
            RunAgain,
        ),
        "States.ServiceRestart" => ("the emulator was stopped while the run waited", "", Redrive),
        other if other.starts_with("Runtime.") || other == "Lambda.Unknown" => {
            ("a function crashed", "look at its log", Redrive)
        }
        other if other.starts_with("Lambda.") => (
            "AWS could not run a function",
            "wait until AWS can again",
            Redrive,
        ),
        other if other.starts_with("DynamoDb.") => (
            "DynamoDB did not take the task token",
            "wait until DynamoDB is back",
            Redrive,
        ),
        _ => return None,
    };
    Some(Words { what, first, mend })
}

/// Whether an error of a function has words of its own. A test asks it for every name that there is.
pub fn knows(error: &str) -> bool {
    words(error).is_some()
}

/// The words for how an execution failed: by its error, or else by its status.
pub(crate) fn words_for(status: &str, error: Option<&str>) -> Words {
    if let Some(words) = error.and_then(words) {
        return words;
    }
    let (what, first) = match (status, error) {
        ("ABORTED", _) => ("somebody stopped it", ""),
        ("TIMED_OUT", _) => ("it ran longer than an execution may", ""),
        _ => (
            "it failed in a way that has no words yet",
            "look at its log",
        ),
    };
    Words {
        what,
        first,
        mend: Mend::Redrive,
    }
}
