//! The daily digest: what needs an operator, and failing probes.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};
use notifications::{REDRIVABLE, Step};
use post::PostId;
use posts_table::Ledger;
use probes::Status;

use crate::{
    Folder, Sweep, run_probes,
    runs::{SlotState, post},
};

/// The hour of the bot's day from which its digest is due.
const DUE_HOUR: i8 = 9;

impl Sweep<'_> {
    /// Sends the digest once a day, if anything needs an operator. A failure is retried by the next run.
    pub(crate) async fn digest(&mut self, bot: &Folder) {
        let zone = bot.bot.as_ref().map(|bot| bot.time_zone().clone());
        let local = self.now.to_zoned_datetime(zone.unwrap_or(TimeZone::UTC));
        if local.hour() < DUE_HOUR {
            return;
        }
        if let Err(error) = self.write_digest(bot, local.date()).await {
            self.failed(format!("the digest of {}", bot.name), &error);
        }
    }

    async fn write_digest(&mut self, bot: &Folder, today: Date) -> anyhow::Result<()> {
        let event = notifications::digest_event(&bot.name, today);
        if self.table().has_event(&event).await? {
            return Ok(());
        }
        let mut findings = Vec::new();
        for post in self.open_posts(bot, today).await? {
            if let SlotState::Failed(failure, execution, record) = self.slot_state(&post).await? {
                let ends = failure.at.checked_add(REDRIVABLE)?;
                let armed = record.as_ref().is_some_and(|r| r.ledger == Ledger::Armed);
                if ends <= self.now && !armed {
                    continue;
                }
                let what = match armed {
                    true => {
                        "it may or may not be on X: check the account, then attach it or post it again"
                    }
                    false => "it failed and was not redriven",
                };
                let command = match (record.is_some(), armed) {
                    (true, true) => format!("spooky show {post}"),
                    (true, false) => format!("spooky redrive {post}"),
                    (false, _) => format!("spooky redrive {execution}"),
                };
                let error = failure.error.as_deref().unwrap_or(&failure.status);
                let what = format!("{post} ({error}): {what}; it can be redriven until {ends}");
                findings.push((post.to_string(), Step::with(what, command)));
            }
        }
        let bots = std::slice::from_ref(bot);
        for check in run_probes(self.clients, self.config, self.now, bots).await? {
            if check.status != Status::Ok {
                let what = format!("{}: {}", check.what, check.message);
                let step = match check.fix {
                    Some(fix) => Step::by_hand(format!("{what}. {fix}")),
                    None => Step::by_hand(what),
                };
                findings.push((check.what, step));
            }
        }
        if findings.is_empty() {
            self.table().mark_event(&event, self.now).await?;
            return Ok(());
        }
        let notification = notifications::digest(&bot.name, today, findings);
        self.notify(bot, &event, &notification).await
    }

    /// The posts of the last 14 days without an outcome: claimed ones, and slots that were due.
    async fn open_posts(&mut self, bot: &Folder, today: Date) -> anyhow::Result<Vec<PostId>> {
        let days = REDRIVABLE.as_hours() / 24;
        let first = today.checked_sub(days.days())?;
        let (mut posts, mut known) = (Vec::new(), HashSet::new());
        // Operators and the local cloud can run tomorrow's slots as well.
        for date in first
            .series(1.day())
            .take_while(|date| today.tomorrow().is_ok_and(|tomorrow| *date <= tomorrow))
        {
            match self.table().read_date(&bot.name, date).await {
                Ok(records) => {
                    for record in records {
                        let post: PostId = record.post.parse()?;
                        if record.outcome.is_none() {
                            posts.push(post.clone());
                        }
                        known.insert(post);
                    }
                }
                Err(error @ posts_table::Error::Unreadable(..)) => {
                    self.failed(
                        format!("the records of {} on {date}", bot.name),
                        &error.into(),
                    );
                }
                Err(error) => return Err(error.into()),
            }
        }
        let since = self
            .now
            .checked_sub(SignedDuration::from_hours(days * 24))?;
        let until: Timestamp = self.now;
        for start in self.expected(bot, since, until).await {
            let post = post(bot, &start);
            if !known.contains(&post) {
                posts.push(post);
            }
        }
        Ok(posts)
    }
}
