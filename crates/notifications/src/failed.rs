//! An execution that failed.

use jiff::Timestamp;
use post::{Entry, FailedRun, PostId, Remedy, commands};
use posts_table::{Failure, Ledger, Record};

use crate::{
    Notification, NotificationKind, Step, console_url,
    text::{line, local_time, message},
};

/// An execution that failed.
#[derive(Clone, Copy, Debug)]
pub struct Failed<'a> {
    /// Its slot, if that is known.
    pub post: Option<&'a PostId>,
    /// Its ARN.
    pub execution: &'a str,
    /// Where and why it failed.
    pub failure: &'a Failure,
    /// The record of the slot.
    pub record: Option<&'a Record>,
    /// Whether the execution is in the AWS console.
    pub on_aws: bool,
}

impl Failed<'_> {
    /// The event that it failed: once for each redrive of each execution.
    pub fn event(&self) -> String {
        let redrives = self.failure.redrive_count;
        format!("failed/{}/{redrives}", self.execution)
    }

    /// What the recipients get.
    pub fn notification(&self) -> Notification {
        match self.post {
            None => self.of_no_slot(),
            Some(post) if self.is_held_by_another() => self.of_a_second_execution(post),
            Some(post) => self.of_the_slot(post),
        }
    }

    fn is_held_by_another(&self) -> bool {
        self.record
            .is_some_and(|record| record.execution != self.execution)
    }

    fn is_armed(&self) -> bool {
        self.record
            .is_some_and(|record| record.ledger == Ledger::Armed)
    }

    fn entry(&self) -> Entry {
        let failure = self.failure;
        let (error, state) = (failure.error.as_deref(), failure.state.as_deref());
        Entry::of_failure(&failure.status, error, state)
    }

    fn of_the_slot(&self, post: &PostId) -> Notification {
        let entry = self.entry();
        let remedy = self.remedy(&entry);
        let what_failed = match &self.failure.state {
            Some(state) => format!("{post} failed in {state}: {}", entry.explanation),
            None => format!("{post} failed: {}", entry.explanation),
        };
        let doubt = match self.is_armed() {
            true => " The tweet may be on X, so nothing is sent again until that is known.",
            false => "",
        };
        let latest = self.latest_time(remedy);
        let mut facts = self.facts(Some(post));
        facts.extend(latest.clone().map(|at| ("Latest time".to_owned(), at)));
        Notification {
            kind: match remedy {
                Remedy::AttachOrPostAgain => NotificationKind::Unconfirmed,
                _ => NotificationKind::Failed,
            },
            post: Some(post.to_string()),
            what: format!("{what_failed}.{doubt}"),
            subject: what_failed,
            facts,
            todo: self.steps(post, &entry, remedy, latest),
        }
    }

    /// The remedy of the catalog, but for an armed ledger: it allows no new run, and a redrive only reads the timeline.
    fn remedy(&self, entry: &Entry) -> Remedy {
        match (self.is_armed(), entry.remedy) {
            (true, Remedy::AttachOrPostAgain) => Remedy::AttachOrPostAgain,
            (true, _) => Remedy::Redrive,
            (false, remedy) => remedy,
        }
    }

    fn steps(
        &self,
        post: &PostId,
        entry: &Entry,
        remedy: Remedy,
        latest: Option<String>,
    ) -> Vec<Step> {
        let run = FailedRun {
            post,
            execution: self.execution,
            is_claimed: self.record.is_some(),
        };
        let mut steps = remedy.steps(entry.fix, &run);
        if remedy == Remedy::Redrive {
            steps.extend(self.console("Or redrive the execution in the AWS console"));
        }
        steps.extend(latest.map(|latest| {
            let what = format!("After {latest}, allow the post to be late first");
            Step::with(what, commands::allow_late(post))
        }));
        steps
    }

    /// The time after which the post is too late, where the remedy continues the same run.
    fn latest_time(&self, remedy: Remedy) -> Option<String> {
        let record = self.record?;
        let latest = Timestamp::from_second(record.not_after?).ok()?;
        matches!(remedy, Remedy::Redrive | Remedy::AttachOrPostAgain)
            .then(|| local_time(latest, Some(record)))
    }

    /// The slot is unaffected by an execution that does not hold it.
    fn of_a_second_execution(&self, post: &PostId) -> Notification {
        let holder = self.record.map_or("", |record| &record.execution);
        let mut facts = self.facts(Some(post));
        facts.push(("Holder".to_owned(), holder.to_owned()));
        Notification {
            kind: NotificationKind::NotTheHolder,
            post: Some(post.to_string()),
            subject: format!("A second execution for {post} failed; the slot is unaffected"),
            what: format!(
                "An execution for {post} failed that does not hold the slot. Another execution holds the slot, which \
                 is unaffected."
            ),
            facts,
            todo: vec![Step::with(
                "No action is needed. To see the state of the slot",
                commands::show(post),
            )],
        }
    }

    fn of_no_slot(&self) -> Notification {
        let mut todo = vec![
            Step::by_hand(
                "Correct the input where the execution was started: in the schedule, or in the command. A redrive \
                 would have the same input",
            ),
            Step::with("Then run the slot", "spooky run --bot … --date … --slot …"),
        ];
        todo.extend(self.console("See the execution in the AWS console"));
        Notification {
            kind: NotificationKind::NoSlot,
            post: None,
            subject: "An execution failed: its input names no slot".to_owned(),
            what: format!(
                "An execution failed whose input does not name a bot, a slot and a date: {}.",
                self.entry().explanation
            ),
            facts: self.facts(None),
            todo,
        }
    }

    fn facts(&self, post: Option<&PostId>) -> Vec<(String, String)> {
        let failure = self.failure;
        let at = local_time(failure.at, self.record);
        [
            ("Post", post.map(ToString::to_string)),
            ("State", failure.state.clone()),
            ("Error", failure.error.as_deref().map(line)),
            ("Message", failure.cause.as_deref().map(message)),
            ("Status", Some(failure.status.clone())),
            ("Failed at", Some(at)),
            ("Execution", Some(self.execution.to_owned())),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
    }

    fn console(&self, what: &str) -> Option<Step> {
        let url = console_url(self.execution).filter(|_| self.on_aws)?;
        Some(Step::with(what, url))
    }
}
