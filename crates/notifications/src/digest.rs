//! What is unresolved for a bot, once a day.

use jiff::civil::Date;

use crate::{Notification, NotificationKind, Step};

/// The event of a bot's digest of a date.
pub fn digest_event(bot: &str, date: Date) -> String {
    format!("digest/{bot}/{date}")
}

/// The problems of a bot, each with its name and the step that solves it.
pub fn digest(bot: &str, date: Date, problems: Vec<(String, Step)>) -> Notification {
    let need = match problems.len() {
        1 => "1 problem needs".to_owned(),
        count => format!("{count} problems need"),
    };
    let (facts, todo) = problems
        .into_iter()
        .map(|(name, step)| ((name, step.what.clone()), step))
        .unzip();
    Notification {
        kind: NotificationKind::Digest,
        post: None,
        subject: format!("{bot}: {need} an operator ({date})"),
        what: format!("On {date}, {need} an operator of {bot}."),
        facts,
        todo,
    }
}
