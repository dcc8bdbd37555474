#![doc = include_str!("../README.md")]

mod audience;
pub mod mail;
mod telling;
mod words;

use jiff::{SignedDuration, Timestamp};
use maud::{DOCTYPE, html};
use post::{Outcome, PostId, SkipReason};
use posts_table::{Failure, Ledger, Record};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use audience::{Audience, addresses, read_bot};
pub use telling::{Sent, Teller, Told};
pub use words::knows;

use words::{Mend, words_for};

/// How long a failed execution can be redriven
/// ([redrive](https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html), 2026-11).
pub const REDRIVABLE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// How much of a message is quoted, in characters.
const QUOTED: usize = 500;

/// What notices there are.
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
pub enum Kind {
    /// The tweet is on X. Sent where it is wanted.
    Posted,
    /// Nothing was to be posted, or the bot is paused. Sent where it is wanted.
    Skipped,
    /// An approver said no. Sent where it is wanted.
    Rejected,
    /// The budget is used up.
    OverBudget,
    /// It was ready too late.
    TooLate,
    /// OpenAI would not paint the day.
    Refused,
    /// Nobody decided in time.
    Expired,
    /// A run failed.
    Failed,
    /// A run failed, and nobody knows whether its tweet is on X.
    Unconfirmed,
    /// An execution failed that does not hold its slot.
    NotTheHolder,
    /// An execution failed whose input names no slot.
    NoSlot,
    /// No run of a slot has started.
    NotStarted,
    /// What is left to do, once a day.
    Digest,
}

impl Kind {
    /// Its name, as the runbook has it.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// What somebody is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What it is.
    pub kind: Kind,
    /// The post, where it is about one.
    pub post: Option<String>,
    /// The subject of the mail.
    pub subject: String,
    /// What happened, in a sentence or two.
    pub what: String,
    /// Names and values.
    pub facts: Vec<(String, String)>,
    /// What is to be done, in order; empty if nothing.
    pub todo: Vec<Step>,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What it is.
    pub what: String,
    /// The command or the address that does it, if one does.
    pub with: Option<String>,
}

impl Step {
    /// Something without a command.
    pub fn by_hand(what: impl Into<String>) -> Step {
        Step {
            what: what.into(),
            with: None,
        }
    }

    /// Something that a command or an address does.
    pub fn with(what: impl Into<String>, with: impl Into<String>) -> Step {
        Step {
            what: what.into(),
            with: Some(with.into()),
        }
    }
}

impl Notice {
    /// The notice with commands for an environment on AWS; without one they are for the local cloud.
    pub(crate) fn typed_for(mut self, env: Option<&str>) -> Notice {
        let commands = self.todo.iter_mut().filter_map(|step| step.with.as_mut());
        if let Some(env) = env {
            for command in commands.filter(|command| command.starts_with("spooky ")) {
                // There may be two, one after the other.
                *command = command.replace("spooky ", &format!("spooky --env {env} "));
            }
        }
        self
    }

    /// The mail.
    pub fn mail(&self) -> mail::Mail {
        let subject = line(&self.subject);
        let mut text = format!("{}\n", self.what);
        for (name, value) in &self.facts {
            text.push_str(&format!("\n{name}: {value}"));
        }
        if !self.todo.is_empty() {
            text.push_str("\n\nWhat to do:\n");
        }
        for step in &self.todo {
            text.push_str(&format!("\n- {}", step.what));
            if let Some(with) = &step.with {
                text.push_str(&format!(":\n    {with}"));
            }
        }
        let footer = format!(
            "This is the notice \"{}\" of docs/runbook.md.",
            self.kind.name()
        );
        text.push_str(&format!("\n\n{footer}\n"));
        let cell = "padding:4px 12px 4px 0;vertical-align:top;color:#6b5b7b";
        let html = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (subject) }
                }
                body style="margin:0;padding:16px;font-family:Helvetica,Arial,sans-serif;font-size:16px;line-height:1.5" {
                    div style="max-width:640px;margin:0 auto" {
                        p style="margin:0 0 16px;font-size:18px" { (self.what) }
                        table role="presentation" style="border-collapse:collapse;margin:0 0 16px" {
                            @for (name, value) in &self.facts {
                                tr { td style=(cell) { (name) } td style="overflow-wrap:anywhere" { (value) } }
                            }
                        }
                        @if !self.todo.is_empty() {
                            p style="margin:0;font-weight:bold" { "What to do" }
                            ul style="margin:8px 0 16px;padding-left:20px" {
                                @for step in &self.todo {
                                    li style="margin:0 0 8px" {
                                        (step.what)
                                        @match &step.with {
                                            Some(address) if address.starts_with("https://") => {
                                                br; a href=(address) style="overflow-wrap:anywhere" { (address) }
                                            }
                                            Some(command) => { br; code style="overflow-wrap:anywhere" { (command) } }
                                            None => {}
                                        }
                                    }
                                }
                            }
                        }
                        p style="margin:0;font-size:13px;color:#6b5b7b" { (footer) }
                    }
                }
            }
        };
        mail::Mail {
            subject,
            html: html.into_string(),
            text,
        }
    }
}

/// The event that the run of a slot has ended. The slot can be run again, and ends at another time then.
pub fn ended_event(post: &PostId, record: &Record) -> String {
    let at = record.ended_at.unwrap_or_default();
    format!("ended/{post}/{at}")
}

/// What is to be said of a record with an outcome; `None` if it has none.
pub fn ended(post: &PostId, record: &Record) -> Option<Notice> {
    let reason = record.reason.as_deref().unwrap_or_default();
    let run_again = format!("spooky run --again {post} --reason …");
    let (kind, says, todo) = match record.outcome? {
        Outcome::Posted => (Kind::Posted, "is posted".to_owned(), Vec::new()),
        Outcome::Skipped if record.skip_reason() == Some(SkipReason::OverBudget) => (
            Kind::OverBudget,
            "was not posted: the budget is used up, and nothing was bought".to_owned(),
            vec![
                Step::by_hand("Raise the cap in [money] of bot.toml and deploy, if it is too low"),
                Step::with(
                    "Then run the slot again, if it still makes sense",
                    run_again,
                ),
            ],
        ),
        Outcome::Skipped if record.skip_reason() == Some(SkipReason::TooLate) => (
            Kind::TooLate,
            "was not posted: it was ready too late".to_owned(),
            vec![Step::with(
                "Post it all the same, if it still makes sense; it is painted and approved anew",
                run_again,
            )],
        ),
        Outcome::Skipped => (Kind::Skipped, "has nothing to post".to_owned(), Vec::new()),
        Outcome::Rejected => (Kind::Rejected, "was rejected".to_owned(), Vec::new()),
        Outcome::Refused => (
            Kind::Refused,
            "was not posted: OpenAI would not paint it, however softly asked".to_owned(),
            vec![
                Step::with(
                    "Give the slot a milder scene; for the next years, the day one in calendar.toml",
                    format!("spooky override {post} --scene …"),
                ),
                Step::with(
                    "Then run the slot again, if it still makes sense",
                    run_again,
                ),
            ],
        ),
        // Whoever starts a dry run looks at it.
        Outcome::DryRun => return None,
        Outcome::Expired => (
            Kind::Expired,
            "was not posted: nobody decided in time".to_owned(),
            vec![Step::with(
                "Ask again, if it still makes sense; another deadline begins",
                run_again,
            )],
        ),
    };
    let mut facts = vec![("Post".to_owned(), post.to_string())];
    if let Some(day) = record.day["name"].as_str() {
        facts.push(("Day".to_owned(), line(day)));
    }
    if let Some(tweet) = &record.tweet_id
        && kind == Kind::Posted
    {
        let address = format!("https://x.com/i/status/{tweet}");
        facts.push(("Tweet".to_owned(), address));
    }
    if !reason.is_empty() {
        facts.push(("Reason".to_owned(), line(reason)));
    }
    if let Some(cost) = record.result.as_ref().and_then(|r| r["costUsd"].as_f64()) {
        facts.push(("Cost".to_owned(), format!("${cost:.2}")));
    }
    Some(Notice {
        kind,
        post: Some(post.to_string()),
        subject: format!("{post} {says}"),
        what: format!("{post} {says}."),
        facts,
        todo,
    })
}

/// An execution that failed.
#[derive(Clone, Copy, Debug)]
pub struct Failed<'a> {
    /// The slot that it is about, if anybody knows.
    pub post: Option<&'a PostId>,
    /// Its ARN.
    pub execution: &'a str,
    /// Where and why.
    pub failure: &'a Failure,
    /// The record of the slot.
    pub record: Option<&'a Record>,
    /// Whether the console of AWS knows the execution.
    pub on_aws: bool,
}

impl Failed<'_> {
    /// The event that it failed: once for each redrive of each execution.
    pub fn event(&self) -> String {
        let redrives = self.failure.redrive_count;
        format!("failed/{}/{redrives}", self.execution)
    }

    fn is_held_by_another(&self) -> bool {
        self.record
            .is_some_and(|record| record.execution != self.execution)
    }

    /// The notice of it.
    pub fn notice(&self) -> Notice {
        match self.post {
            None => self.without_slot(),
            Some(post) if self.is_held_by_another() => self.beside(post),
            Some(post) => self.of(post),
        }
    }

    fn facts(&self, post: Option<&PostId>) -> Vec<(String, String)> {
        let failure = self.failure;
        let mut facts = Vec::new();
        let mut fact = |name: &str, value: Option<String>| {
            facts.extend(value.map(|value| (name.to_owned(), value)));
        };
        fact("Post", post.map(ToString::to_string));
        fact("State", failure.state.clone());
        fact("Error", failure.error.as_deref().map(line));
        fact("Message", failure.cause.as_deref().map(message));
        fact("Status", Some(failure.status.clone()));
        fact("Failed at", Some(failure.at.to_string()));
        fact("Execution", Some(self.execution.to_owned()));
        facts
    }

    fn console(&self) -> Option<Step> {
        let what = "Look at the execution; Redrive there does the same as the command";
        self.on_aws
            .then(|| console_url(self.execution))
            .flatten()
            .map(|url| Step::with(what, url))
    }

    fn of(&self, post: &PostId) -> Notice {
        let words = words_for(&self.failure.status, self.failure.error.as_deref());
        let armed = self
            .record
            .is_some_and(|record| record.ledger == Ledger::Armed);
        let mut mend = words.mend;
        // While the ledger is armed there is no new run, whatever the error; a redrive only looks for the tweet.
        if armed && mend != Mend::Look {
            mend = Mend::Redrive;
        }
        let reword = format!("spooky override {post} --caption …");
        let run_again = match self.record {
            Some(_) => format!("spooky run --again {post} --reason …"),
            None => run(post),
        };
        let redrive = match self.record {
            Some(_) => format!("spooky redrive {post}"),
            // Without a claim only the execution says what is to be redriven.
            None => format!("spooky redrive {}", self.execution),
        };
        let mut todo = Vec::new();
        let first = capital(words.first);
        if mend == Mend::Reword {
            todo.push(Step::with(first, reword.clone()));
        } else if !first.is_empty() {
            todo.push(Step::by_hand(first));
        }
        match mend {
            Mend::Redrive => {
                todo.push(Step::with("Go on from the state that failed", redrive));
                todo.extend(self.console());
            }
            Mend::RunAgain | Mend::Reword => todo.push(Step::with(
                "Run the slot again, with a new pick and a new approval; a redrive would fail in the same way",
                run_again,
            )),
            Mend::Look => {
                todo.push(Step::by_hand("Look at the account on X"));
                todo.push(Step::with(
                    "If the tweet is there, record it, and redrive the run so that it ends",
                    format!("spooky attach {post} <address of the tweet> && {redrive}"),
                ));
                todo.push(Step::with(
                    "If it is not there, send it once more",
                    format!("spooky redrive {post} --post-again --reason …"),
                ));
            }
            Mend::LookForTheSame => {
                todo.push(Step::by_hand("Look at the account on X"));
                todo.push(Step::with(
                    "If the tweet is this post's, record it, and redrive the run so that it ends",
                    format!("spooky attach {post} <address of the tweet> && {redrive}"),
                ));
                todo.push(Step::with(
                    "If not, give the slot another caption, since X takes no text twice",
                    reword,
                ));
                todo.push(Step::with(
                    "Then run the slot again, with a new approval",
                    run_again,
                ));
            }
            Mend::Nothing => todo.push(Step::with(
                "See who holds the slot; there is nothing to mend",
                format!("spooky show {post}"),
            )),
        }
        let mut facts = self.facts(Some(post));
        if let Some(last) = self.record.and_then(|record| record.not_after)
            && let Ok(last) = Timestamp::from_second(last)
            && matches!(mend, Mend::Redrive | Mend::Look)
        {
            facts.push(("Too late after".to_owned(), last.to_string()));
            todo.push(Step::with(
                format!("After {last}, allow it to be late first"),
                format!("spooky allow-late {post} --reason …"),
            ));
        }
        let maybe = match armed {
            true => " It may be on X: nothing is sent again until that is known.",
            false => "",
        };
        let kind = match mend {
            Mend::Look => Kind::Unconfirmed,
            _ => Kind::Failed,
        };
        let place = match &self.failure.state {
            Some(state) => format!("failed in {state}"),
            None => "failed".to_owned(),
        };
        Notice {
            kind,
            post: Some(post.to_string()),
            subject: format!("{post} {place}: {}", words.what),
            what: format!("{post} {place}: {}.{maybe}", words.what),
            facts,
            todo,
        }
    }

    /// It does not hold the slot, so the slot is not touched by it.
    fn beside(&self, post: &PostId) -> Notice {
        let holder = self.record.map_or("", |record| &record.execution);
        let mut facts = self.facts(Some(post));
        facts.push(("Holder".to_owned(), holder.to_owned()));
        Notice {
            kind: Kind::NotTheHolder,
            post: Some(post.to_string()),
            subject: format!("A second execution for {post} failed; the slot is not touched"),
            what: format!(
                "An execution for {post} failed that does not hold the slot. The slot is not touched by it: \
                 another execution holds it."
            ),
            facts,
            todo: vec![Step::with(
                "Nothing has to be done; see how the slot stands",
                format!("spooky show {post}"),
            )],
        }
    }

    fn without_slot(&self) -> Notice {
        let words = words_for(&self.failure.status, self.failure.error.as_deref());
        let mut todo = vec![
            Step::by_hand(
                "Correct the input of whoever started it: the schedule, or a person. A redrive would have the same input",
            ),
            Step::with("Then run the slot", "spooky run --bot … --date … --slot …"),
        ];
        let look = "Look at the execution";
        todo.extend(
            self.on_aws
                .then(|| console_url(self.execution))
                .flatten()
                .map(|url| Step::with(look, url)),
        );
        Notice {
            kind: Kind::NoSlot,
            post: None,
            subject: "An execution failed whose input names no slot".to_owned(),
            what: format!(
                "An execution failed, and its input names no bot, slot and date: {}.",
                words.what
            ),
            facts: self.facts(None),
            todo,
        }
    }
}

/// The event that no run of a slot has started.
pub fn not_started_event(post: &PostId) -> String {
    format!("not-started/{post}")
}

/// No run of a slot has started, although one was to start at this time.
pub fn not_started(post: &PostId, due: Timestamp) -> Notice {
    Notice {
        kind: Kind::NotStarted,
        post: Some(post.to_string()),
        subject: format!("{post} has not started"),
        what: format!(
            "Nothing was posted for {post}, and nothing is under way: its run was to start at {due}, and there is \
             no trace of one."
        ),
        facts: vec![
            ("Post".to_owned(), post.to_string()),
            ("Due".to_owned(), due.to_string()),
        ],
        todo: vec![
            Step::by_hand(
                "See whether the schedule is there and enabled, and its dead-letter queue is empty",
            ),
            Step::with("Run the slot now, if it still makes sense", run(post)),
        ],
    }
}

/// The event of a bot's digest of a date.
pub fn digest_event(bot: &str, date: jiff::civil::Date) -> String {
    format!("digest/{bot}/{date}")
}

/// What is left to do for a bot: each fact with its name, and each with what mends it.
pub fn digest(bot: &str, date: jiff::civil::Date, findings: Vec<(String, Step)>) -> Notice {
    let count = findings.len();
    let things = match count {
        1 => "one thing needs".to_owned(),
        count => format!("{count} things need"),
    };
    let (facts, todo) = findings
        .into_iter()
        .map(|(name, step)| ((name, step.what.clone()), step))
        .unzip();
    Notice {
        kind: Kind::Digest,
        post: None,
        subject: format!("{bot}: {things} a person ({date})"),
        what: format!("Of {bot}, {things} a person on {date}."),
        facts,
        todo,
    }
}

/// The command that runs a slot.
pub fn run(post: &PostId) -> String {
    format!(
        "spooky run --bot {} --date {} --slot {}",
        post.bot, post.date, post.slot
    )
}

/// The environment of a deployment on AWS, by the name of its table, `daily-post-<environment>`.
pub fn env(table_name: &str) -> Option<String> {
    table_name.strip_prefix("daily-post-").map(str::to_owned)
}

/// The page of an execution in the console of AWS, if its ARN is one of Step Functions.
pub fn console_url(execution: &str) -> Option<String> {
    let parts: Vec<&str> = execution.split(':').collect();
    let ["arn", partition, "states", region, _, "execution", ..] = parts[..] else {
        return None;
    };
    let domain = match partition {
        "aws" => "console.aws.amazon.com",
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        "aws-cn" => "console.amazonaws.cn",
        _ => return None,
    };
    Some(format!(
        "https://{region}.{domain}/states/home?region={region}#/v2/executions/details/{execution}"
    ))
}

/// What a function said: Lambda wraps its message in JSON.
fn message(cause: &str) -> String {
    let wrapped = serde_json::from_str::<Value>(cause).ok();
    let message = wrapped.as_ref().and_then(|c| c["errorMessage"].as_str());
    line(message.unwrap_or(cause))
}

/// A text as one line of bearable length.
fn line(text: &str) -> String {
    let mut line: String = text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .filter(|c| !c.is_control())
        .take(QUOTED + 1)
        .collect();
    if line.chars().count() > QUOTED {
        line.pop();
        line.push('…');
    }
    line
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}
