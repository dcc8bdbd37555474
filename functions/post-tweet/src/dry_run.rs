//! What a dry run would have sent to X.

use posts_table::Record;

use crate::{
    Error, Output, Posting, Status,
    ledger::{TOO_LATE, paused},
    x,
};

impl Posting<'_> {
    /// Checks all that can be checked without X, and returns the requests instead of sending them. The credentials are
    /// not read.
    pub(crate) async fn dry_run(&self, record: &Record) -> Result<Output, Error> {
        self.check_texts()?;
        let picture = self.picture().await?;
        let post = &self.post;
        let is_late = record
            .not_after
            .is_some_and(|last| last < self.now.as_second());
        let reason = match self.clients.table.paused(&post.bot, self.now).await? {
            Some(reason) => Some(paused(&reason)),
            None if is_late => Some(TOO_LATE.to_owned()),
            None => None,
        };
        tracing::info!(%post, "dry run: nothing is sent to X");
        Ok(Output {
            status: Status::DryRun,
            id: None,
            url: None,
            reason,
            skip_reason: None,
            requests: x::requests(self.config, &picture, self.input),
            cost_usd: 0.0,
        })
    }
}
