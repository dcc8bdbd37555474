//! The ledger of the slot: `claimed → armed → posted`.

use anyhow::anyhow;
use jiff::SignedDuration;
use post::{Rejection, SkipReason};
use posts_table::{Arm, Armed, Ledger, Record, content_hash, prices};

use crate::{
    Error, Output, Posting, Status,
    x::{Media, Refusal, X},
};

/// The text for people of [`SkipReason::TooLate`].
pub(crate) const TOO_LATE: &str = "too late: the slot's time is too long ago";

/// The text for people of [`SkipReason::Paused`].
pub(crate) fn paused(reason: &str) -> String {
    match reason {
        "" => "paused".to_owned(),
        reason => format!("paused: {reason}"),
    }
}

impl Posting<'_> {
    /// The record of the slot, if this execution holds it.
    pub(crate) async fn record(&self) -> Result<Record, Error> {
        let (post, execution) = (&self.post, &self.input.execution);
        match self.clients.table.read(post).await? {
            None => Err(Error::ClaimLost(format!(
                "no execution holds {post}; PickDay claims it first"
            ))),
            Some(record) if record.execution != *execution => Err(Error::ClaimLost(format!(
                "{post} is held by {}, not by {execution}",
                record.execution
            ))),
            Some(record) => Ok(record),
        }
    }

    /// Uploads the picture with its alt text, and records the media key before anything is sent.
    pub(crate) async fn upload(&self, x: &X<'_>, picture: Vec<u8>) -> Result<Media, Error> {
        let media = x.upload(picture, &self.input.image.key).await?;
        let table = &self.clients.table;
        let recorded = table.add_media_key(&self.post, &self.input.execution, &media.media_key);
        if !recorded.await? {
            return Err(self.moved().await);
        }
        x.set_alt_text(&media.id, &self.input.alt_text).await?;
        Ok(media)
    }

    /// Arms the ledger, or returns why the slot is skipped.
    pub(crate) async fn arm(
        &self,
        media: &Media,
        approval_required: bool,
    ) -> Result<Option<Output>, Error> {
        let input = self.input;
        let lease_until = SignedDuration::try_from(self.config.lease)
            .and_then(|lease| self.now.checked_add(lease))
            .map_err(|e| Error::Unexpected(e.into()))?;
        let arm = Arm {
            execution: &input.execution,
            text: &input.caption,
            media_key: &media.media_key,
            round: input.round.unwrap_or(1),
            content_hash: &content_hash(&input.image.sha256, &input.caption, &input.alt_text),
            lease_id: self.lease_id,
            lease_until: lease_until.as_millisecond(),
        };
        let table = &self.clients.table;
        let armed = table.arm(&self.post, approval_required, self.now, &arm);
        match armed.await? {
            Armed::Yes => Ok(None),
            Armed::LedgerMoved => Err(self.moved().await),
            Armed::NotApproved => Err(Error::NotApproved(self.post.clone())),
            Armed::TooLate => Ok(Some(skipped(SkipReason::TooLate, TOO_LATE.to_owned()))),
            Armed::Paused(reason) => {
                let reason = paused(&reason.unwrap_or_default());
                Ok(Some(skipped(SkipReason::Paused, reason)))
            }
        }
    }

    /// Moves the ledger back to `claimed`: nothing was sent.
    pub(crate) async fn disarm(&self) -> Result<(), Error> {
        self.clients.table.disarm(&self.post, self.lease_id).await?;
        Ok(())
    }

    /// Records X's answer to the tweet.
    pub(crate) async fn conclude(
        &self,
        x: &X<'_>,
        created: Result<String, Refusal>,
    ) -> Result<Output, Error> {
        match created {
            Ok(id) => {
                tracing::info!(post = %self.post, tweet = id, "posted");
                self.record_tweet(id).await
            }
            Err(Refusal::Clear(error)) => {
                self.disarm().await?;
                Err(error)
            }
            Err(Refusal::Content(message)) => self.reject(Rejection::Content { message }).await,
            Err(Refusal::Duplicate(message)) => {
                // X can have the text because of this very slot: a request can be repeated on the way.
                self.end_lease().await?;
                match self.find_tweet(x, &self.record().await?).await? {
                    Some(id) => self.record_tweet(id).await,
                    None => self.reject(Rejection::Duplicate { message }).await,
                }
            }
            Err(Refusal::Unknown(why)) => {
                // This invocation sends nothing more, so that reconciliation can start at once.
                if let Err(error) = self.end_lease().await {
                    tracing::warn!(
                        post = %self.post,
                        %error,
                        "the lease was not ended; it expires"
                    );
                }
                Err(Error::OutcomeUnknown(format!(
                    "the tweet of {} was sent, and there is no clear answer: {why}",
                    self.post
                )))
            }
        }
    }

    /// Records the tweet, and returns the output.
    pub(crate) async fn record_tweet(&self, id: String) -> Result<Output, Error> {
        let post = &self.post;
        let table = &self.clients.table;
        match table.posted(post, &id, self.now).await {
            Ok(true) => {}
            // Another invocation found the same tweet first.
            Ok(false) => match table.read(post).await? {
                Some(record) if record.tweet_id.as_deref() == Some(&id) => {}
                _ => {
                    return Err(Error::OutcomeUnknown(format!(
                        "tweet {id} of {post} is on X, but another invocation or an operator has changed the ledger"
                    )));
                }
            },
            Err(error) => {
                return Err(Error::OutcomeUnknown(format!(
                    "tweet {id} of {post} is on X, but could not be recorded: {error}"
                )));
            }
        }
        self.posted(Some(id))
    }

    /// The output for a tweet that is recorded.
    pub(crate) fn posted(&self, id: Option<String>) -> Result<Output, Error> {
        let id = id.ok_or_else(|| {
            Error::Unexpected(anyhow!("{} is posted without a tweet id", self.post))
        })?;
        Ok(Output {
            status: Status::Posted,
            // The form without a handle leads to the tweet of any account.
            url: Some(format!("https://x.com/i/status/{id}")),
            id: Some(id),
            reason: None,
            skip_reason: None,
            requests: Vec::new(),
            cost_usd: prices::POST.usd(),
        })
    }

    async fn end_lease(&self) -> Result<(), Error> {
        let table = &self.clients.table;
        table.end_lease(&self.post, self.lease_id, self.now).await?;
        Ok(())
    }

    async fn reject(&self, why: Rejection) -> Result<Output, Error> {
        let table = &self.clients.table;
        table.reject(&self.post, self.lease_id, &why).await?;
        Err(rejected(Some(why)))
    }

    /// The error of a ledger that changed since it was read.
    async fn moved(&self) -> Error {
        let post = &self.post;
        match self.record().await {
            Err(error) => error,
            Ok(record) if record.ledger == Ledger::Rejected => rejected(record.rejected_as()),
            Ok(record) if record.ledger == Ledger::Armed && !record.is_in_flight(self.now) => {
                Error::OutcomeUnknown(format!("{post} was sent by another invocation"))
            }
            // Armed, posted in between, or claimed again: the next entry reads it.
            Ok(_) => Error::PostInFlight(post.clone()),
        }
    }
}

fn skipped(why: SkipReason, reason: String) -> Output {
    Output {
        status: Status::Skipped,
        id: None,
        url: None,
        reason: Some(reason),
        skip_reason: Some(why),
        requests: Vec::new(),
        cost_usd: 0.0,
    }
}

/// The error of a rejection that is recorded.
pub(crate) fn rejected(why: Option<Rejection>) -> Error {
    match why {
        Some(Rejection::Duplicate { message }) => Error::DuplicateTweet(message),
        Some(Rejection::Content { message }) => Error::TweetRejected(message),
        None => Error::TweetRejected("its message was not recorded".to_owned()),
    }
}
