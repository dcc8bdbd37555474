//! The fault matrix as data.

use fakes::Kind as Theirs;
use serde_json::json;

use crate::proxy::Kind;

/// A state and a fault, and what is to come of the two.
#[derive(Clone, Debug)]
pub struct Cell {
    pub state: &'static str,
    /// The fault in words.
    pub fault: String,
    pub causes: Vec<Cause>,
    pub end: End,
    pub record: Recorded,
    /// The notice of the failed run, or of what it ended as; `None` if none can be sent.
    pub notice: Option<&'static str>,
    pub remedy: Remedy,
    /// At most so many pictures are paid.
    pub pictures: usize,
}

/// What is done so that something goes wrong.
#[derive(Clone, Debug)]
pub enum Cause {
    /// OpenAI fails for ever.
    OpenAi(Theirs),
    /// X fails in an operation, so often or for ever.
    X(&'static str, Theirs, Option<u32>),
    /// Between a function and AWS something is refused, lost or killed.
    Between {
        function: &'static str,
        request: String,
        kind: Kind,
        after: u32,
        times: Option<u32>,
    },
    /// The function's timeout is so many seconds.
    Timeout(&'static str, i32),
    /// No invocation of the function is allowed.
    Throttled(&'static str),
    /// `bot.toml` cannot be read.
    BotFile,
    /// The secret has no usable value.
    Secret(&'static str),
    /// The approval is answered in this way.
    Answered(By),
}

/// Who answers what the approvers are asked, and how.
#[derive(Clone, Copy, Debug)]
pub enum By {
    /// `spooky approve`.
    CommandLine,
    /// The approval page.
    Page,
    /// The holder of the task token reports that the task has failed.
    TaskFailed,
}

/// How the run ends while the fault is there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    /// FAILED in the state, with this error name.
    Failed(&'static str),
    /// SUCCEEDED with this outcome.
    Ended(&'static str),
}

/// What is in the record then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Recorded {
    /// There is none: it failed before the claim.
    Nothing,
    /// The failure with state and error, and no outcome.
    Failure,
    /// Neither outcome nor failure: what writes both has the fault. The ledger says that it is posted.
    Unrecorded,
    /// The outcome.
    Outcome,
}

/// What a person does once the fault is gone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Remedy {
    /// Nothing: it has ended.
    Nothing,
    /// `spooky redrive`.
    Redrive,
    /// The same, once the lease of the invocation that may be sending is over.
    RedriveAfterTheLease,
    /// The same, which finds out that it is unknown; and as the tweet is not there, `spooky redrive --post-again`.
    RedriveAndPostAgain,
    /// `spooky redrive --post-again`, since the tweet is not there.
    PostAgain,
    /// `spooky attach` with the tweet that is there, and `spooky redrive`.
    Attach,
    /// `spooky run --again`.
    RunAgain,
    /// `spooky override` with another caption, and `spooky run --again`.
    Reword,
    /// Nothing: the next watchdog does it.
    Watchdog,
}

/// The function of a state.
pub fn function(state: &str) -> &'static str {
    match state {
        "PickDay" => "pick-day",
        "BuildPrompt" => "build-prompt",
        "GenerateImage" => "generate-image",
        "StoreImage" => "store-image",
        "RequestApproval" => "request-approval",
        "AwaitApproval" => "review",
        "PostTweet" => "post-tweet",
        "RecordResult" => "record-result",
        _ => unreachable!("{state} has no function"),
    }
}

/// The services that each state's function talks to, and the error name when one of them refuses for good.
const SERVICES: [(&str, &str, &str); 13] = [
    ("PickDay", "s3", "Unexpected"),
    ("PickDay", "dynamodb", "Unexpected"),
    ("GenerateImage", "dynamodb", "Unexpected"),
    ("GenerateImage", "s3", "Unexpected"),
    ("GenerateImage", "secretsmanager", "SecretUnusable"),
    ("StoreImage", "s3", "Unexpected"),
    ("RequestApproval", "dynamodb", "Unexpected"),
    ("RequestApproval", "secretsmanager", "SecretUnusable"),
    ("RequestApproval", "ses", "MailRefused"),
    ("PostTweet", "dynamodb", "Unexpected"),
    ("PostTweet", "s3", "Unexpected"),
    ("PostTweet", "secretsmanager", "SecretUnusable"),
    ("RecordResult", "dynamodb", "Unexpected"),
];

const STATES: [&str; 7] = [
    "PickDay",
    "BuildPrompt",
    "GenerateImage",
    "StoreImage",
    "RequestApproval",
    "PostTweet",
    "RecordResult",
];

impl Cell {
    /// Makes shortened timeouts four times as long, up to what is deployed. False if nothing could be lengthened.
    pub fn lengthen_timeouts(&mut self) -> bool {
        let functions = deployment::functions().unwrap();
        let mut lengthened = false;
        for cause in &mut self.causes {
            if let Cause::Timeout(function, seconds) = cause {
                let longer = (4 * *seconds).min(functions[*function].timeout_seconds);
                lengthened |= longer > *seconds;
                *seconds = longer;
            }
        }
        lengthened
    }

    pub fn answered_by(&self) -> By {
        let by = |cause: &Cause| match cause {
            Cause::Answered(by) => Some(*by),
            _ => None,
        };
        self.causes.iter().find_map(by).unwrap_or(By::CommandLine)
    }

    /// A fault that stays, so that the run fails in the state and a redrive ends it.
    fn stays(state: &'static str, fault: &str, causes: Vec<Cause>, error: &'static str) -> Cell {
        // What records failures and tells of them cannot do so.
        let unrecorded = state == "RecordResult";
        Cell {
            state,
            fault: fault.to_owned(),
            causes,
            end: End::Failed(error),
            record: match unrecorded {
                true => Recorded::Unrecorded,
                false => Recorded::Failure,
            },
            notice: (!unrecorded).then_some("failed"),
            remedy: Remedy::Redrive,
            pictures: 1,
        }
    }

    fn unclaimed(self) -> Cell {
        Cell {
            record: Recorded::Nothing,
            ..self
        }
    }

    /// All of it is done, and only the answer is lost.
    fn done(self) -> Cell {
        match self.state {
            "RecordResult" => Cell {
                record: Recorded::Outcome,
                notice: Some("posted"),
                remedy: Remedy::Nothing,
                ..self
            },
            _ => self,
        }
    }

    fn fixed_by(self, remedy: Remedy) -> Cell {
        Cell { remedy, ..self }
    }

    fn told_later(self) -> Cell {
        Cell {
            notice: None,
            remedy: Remedy::Watchdog,
            ..self
        }
    }

    fn unconfirmed(self) -> Cell {
        Cell {
            notice: Some("unconfirmed"),
            ..self
        }
    }

    fn costs(self, pictures: usize) -> Cell {
        Cell { pictures, ..self }
    }

    /// A fault that ends in an outcome without anybody's help.
    fn ends(state: &'static str, fault: &str, causes: Vec<Cause>, outcome: &'static str) -> Cell {
        Cell {
            state,
            fault: fault.to_owned(),
            causes,
            end: End::Ended(outcome),
            record: Recorded::Outcome,
            notice: Some(outcome),
            remedy: Remedy::Nothing,
            pictures: 1,
        }
    }
}

fn between(function: &'static str, request: &str, kind: Kind) -> Cause {
    Cause::Between {
        function,
        request: request.to_owned(),
        kind,
        after: 0,
        times: None,
    }
}

fn html() -> Theirs {
    Theirs::Html { status: 500 }
}

fn openai(status: u16, code: &str, kind: &str) -> Vec<Cause> {
    let body = json!({"error": {"message": "No.", "type": kind, "param": null, "code": code}});
    vec![Cause::OpenAi(Theirs::Status { status, body })]
}

fn x(operation: &'static str, status: u16, title: &str) -> Vec<Cause> {
    let body = json!({"title": title, "detail": title, "type": "about:blank", "status": status});
    vec![Cause::X(operation, Theirs::Status { status, body }, None)]
}

/// All but the killed ones, which `kills` makes of an ordinary day.
pub fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for state in STATES {
        let name = function(state);
        let crash = vec![between(name, "response", Kind::KillBefore)];
        let says = "crashes each time before it answers";
        cells.push(Cell::stays(state, says, crash, "Runtime.ExitError").done());
        // Short, so that the test does not wait long; longer where that turns out to be too short for this machine.
        let seconds = if state == "GenerateImage" { 4 } else { 2 };
        let hang = vec![
            between(name, "response", Kind::Hold),
            Cause::Timeout(name, seconds),
        ];
        let says = "times out each time before it answers";
        cells.push(Cell::stays(state, says, hang, "Sandbox.Timedout").done());
        let throttled = Cell::stays(
            state,
            "throttled each time",
            vec![Cause::Throttled(name)],
            // AWS: Lambda.TooManyRequestsException, which the same retriers name.
            "Lambda.Unknown",
        );
        cells.push(match state {
            "PickDay" => throttled.unclaimed(),
            _ => throttled,
        });
    }
    for (state, service, refused) in SERVICES {
        for (status, error) in [(500, "ServiceUnavailable"), (403, refused)] {
            let says = match status {
                500 => format!("{service} answers 500 each time"),
                _ => format!("{service} denies access"),
            };
            let cause = between(
                function(state),
                &format!("{service} "),
                Kind::Refuse(status),
            );
            let cell = Cell::stays(state, &says, vec![cause], error);
            cells.push(match state {
                "PickDay" => cell.unclaimed(),
                _ => cell,
            });
        }
    }
    cells.extend([
        Cell::stays(
            "PickDay",
            "bot.toml is broken",
            vec![Cause::BotFile],
            "BotFilesInvalid",
        )
        .unclaimed(),
        Cell::stays(
            "GenerateImage",
            "OpenAI answers 500 each time",
            vec![Cause::OpenAi(html())],
            "ServiceFailed",
        ),
        Cell::stays(
            "GenerateImage",
            "OpenAI answers 503 each time",
            openai(503, "server_is_overloaded", "service_unavailable_error"),
            "ServiceUnavailable",
        ),
        Cell::stays(
            "GenerateImage",
            "OpenAI answers 429 each time",
            openai(429, "rate_limit_exceeded", "rate_limit_error"),
            "RateLimited",
        ),
        Cell::stays(
            "GenerateImage",
            "OpenAI has no credit",
            openai(429, "credit_balance_exhausted", "insufficient_quota"),
            "OutOfCredit",
        ),
        Cell::stays(
            "GenerateImage",
            "OpenAI refuses the key",
            openai(401, "invalid_api_key", "invalid_request_error"),
            "Unauthorized",
        ),
        Cell::stays(
            "GenerateImage",
            "OpenAI gives no picture each time",
            vec![Cause::OpenAi(Theirs::Empty)],
            "NoPicture",
        )
        .costs(3),
        Cell::stays(
            "GenerateImage",
            "the secret is empty",
            vec![Cause::Secret("openai")],
            "SecretUnusable",
        ),
        Cell::stays(
            "GenerateImage",
            "OpenAI does not know the model",
            openai(404, "model_not_found", "invalid_request_error"),
            "ModelGone",
        )
        .fixed_by(Remedy::RunAgain),
        Cell::stays(
            "GenerateImage",
            "OpenAI refuses the order",
            openai(400, "invalid_value", "invalid_request_error"),
            "RequestRejected",
        )
        .fixed_by(Remedy::RunAgain),
        Cell::stays(
            "StoreImage",
            "the draft is gone",
            vec![between("store-image", "s3 GET drafts", Kind::Refuse(404))],
            "DraftMissing",
        )
        .fixed_by(Remedy::RunAgain),
        Cell::stays(
            "StoreImage",
            "the picture is cut off",
            vec![Cause::OpenAi(Theirs::CutOff)],
            "PictureUnusable",
        )
        .fixed_by(Remedy::RunAgain)
        .costs(2),
        Cell::ends(
            "GenerateImage",
            "OpenAI refuses each prompt",
            openai(400, "moderation_blocked", "image_generation_user_error"),
            "refused",
        )
        .costs(0),
        Cell::stays(
            "AwaitApproval",
            "the task is failed from outside",
            vec![Cause::Answered(By::TaskFailed)],
            "ByHand",
        ),
        Cell::ends(
            "AwaitApproval",
            "the page crashes after the decision",
            vec![
                Cause::Answered(By::Page),
                between("review", "states SendTaskSuccess", Kind::KillBefore),
            ],
            "posted",
        ),
        Cell::stays(
            "PostTweet",
            "X answers 500 to each upload",
            vec![Cause::X("upload", html(), None)],
            "ServiceUnavailable",
        ),
        Cell::stays(
            "PostTweet",
            "X breaks off each upload",
            vec![Cause::X("upload", Theirs::ResetBefore, None)],
            "ServiceUnavailable",
        ),
        Cell::stays(
            "PostTweet",
            "X refuses the keys",
            x("create-tweet", 401, "Unauthorized"),
            "Unauthorized",
        ),
        Cell::stays(
            "PostTweet",
            "X answers 429 each time",
            x("create-tweet", 429, "Too Many Requests"),
            "RateLimited",
        ),
        Cell::stays(
            "PostTweet",
            "X refuses the picture",
            x("upload", 400, "Invalid Request"),
            "PictureRejected",
        )
        .fixed_by(Remedy::RunAgain)
        .costs(2),
        Cell::stays(
            "PostTweet",
            "X refuses the tweet",
            x("create-tweet", 400, "Invalid Request"),
            "TweetRejected",
        )
        .fixed_by(Remedy::Reword),
        Cell::stays(
            "PostTweet",
            "X has the text already, and it is not this post's",
            x(
                "create-tweet",
                403,
                "You are not allowed to create a Tweet with duplicate content.",
            ),
            "DuplicateTweet",
        )
        .fixed_by(Remedy::Reword),
        Cell::stays(
            "PostTweet",
            "X answers 503 to the tweet each time and does nothing",
            x("create-tweet", 503, "Service Unavailable"),
            "Unconfirmed",
        )
        .unconfirmed()
        .fixed_by(Remedy::PostAgain),
        Cell::stays(
            "PostTweet",
            "X posts it and never shows it",
            vec![Cause::X(
                "create-tweet",
                Theirs::Hidden { reads: u32::MAX },
                Some(1),
            )],
            "Unconfirmed",
        )
        .unconfirmed()
        .fixed_by(Remedy::Attach),
        Cell::ends(
            "PostTweet",
            "X posts it and breaks off",
            vec![Cause::X("create-tweet", Theirs::ResetAfter, None)],
            "posted",
        ),
        Cell::ends(
            "PostTweet",
            "X posts it and shows it late",
            vec![Cause::X("create-tweet", Theirs::Hidden { reads: 3 }, None)],
            "posted",
        ),
        Cell::stays(
            "PostTweet",
            "the secret is empty",
            vec![Cause::Secret("spooky-days/x-credentials")],
            "SecretUnusable",
        ),
        Cell::ends(
            "RecordResult",
            "SES answers 500 each time",
            vec![between("record-result", "ses ", Kind::Refuse(500))],
            "posted",
        )
        .told_later(),
    ]);
    cells
}

/// What is begun between two writes, so that no one else goes on with it until the lease of who began it is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Doubt {
    /// The ledger is armed.
    Armed,
    /// The notice is taken on.
    TakenOn,
}

/// A process that is killed, once, right before or right after one of its writes.
/// `number` counts the function's requests of this line, from 0.
pub fn killed(
    state: &'static str,
    line: &str,
    number: u32,
    doubt: Option<Doubt>,
    kind: Kind,
) -> Cell {
    let name = function(state);
    let causes = vec![Cause::Between {
        function: name,
        request: line.to_owned(),
        kind,
        after: number,
        times: Some(1),
    }];
    let when = match kind {
        Kind::KillBefore => "before",
        _ => "after",
    };
    let nth = match number {
        0 => String::new(),
        _ => format!(" no. {}", number + 1),
    };
    let fault = format!("killed {when} {line}{nth}");
    let ends = |causes| Cell::ends(state, &fault, causes, "posted");
    // The waits are skipped here, so that the retries do not outlast the lease as they do on AWS.
    let in_flight = |causes| Cell::stays(state, &fault, causes, "PostInFlight");
    match (doubt, kind) {
        // A picture that was paid and not kept is paid again.
        (None, _) if line == "s3 PUT drafts" => ends(causes).costs(2),
        (None, _) => ends(causes),
        (Some(Doubt::TakenOn), _) => ends(causes).told_later(),
        // The tweet was never sent.
        (Some(Doubt::Armed), Kind::KillAfter) => {
            in_flight(causes).fixed_by(Remedy::RedriveAndPostAgain)
        }
        (Some(Doubt::Armed), _) => in_flight(causes).fixed_by(Remedy::RedriveAfterTheLease),
    }
}
