//! How far a post is: `claimed` → `armed` → `posted`. While it is `armed`, the tweet may or may not exist.

use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
    builders::{ConditionCheckBuilder, UpdateBuilder},
};
use jiff::Timestamp;
use post::{PostId, Rejection};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Record, Table,
    item::{
        Item, approval_key, armed_key, from_item, number, open, pause_key, record_key, text,
        to_attribute,
    },
    operator::only_real,
    pause::pause_reason,
    table::{Attempted, Refusal},
};

/// How often the timeline is read for a tweet whose outcome is unknown, before it needs an operator's decision.
pub const MAX_RECONCILIATIONS: u32 = 6;

/// How far the post of a slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ledger {
    /// An execution holds the slot, and nothing was sent.
    Claimed,
    /// The tweet may have been sent. Only reading is allowed.
    Armed,
    /// The tweet is on X.
    Posted,
    /// X rejected this content for good.
    Rejected,
}

/// What to arm with.
#[derive(Debug)]
pub struct Arm<'a> {
    /// The execution that must hold the claim.
    pub execution: &'a str,
    /// The caption.
    pub text: &'a str,
    /// The media key of the picture.
    pub media_key: &'a str,
    /// The round whose approval counts.
    pub round: u32,
    /// The [`content_hash`](crate::content_hash) that must be approved.
    pub content_hash: &'a str,
    /// A name of this attempt, never used twice.
    pub lease_id: &'a str,
    /// Milliseconds of the Unix epoch until which the tweet may be sent.
    pub lease_until: i64,
}

/// The answer to an attempt to arm.
#[derive(Debug, PartialEq, Eq)]
pub enum Armed {
    /// The tweet may be sent, once, within the lease.
    Yes,
    /// The ledger is no longer `claimed` by this execution: read it again.
    LedgerMoved,
    /// The bot is paused, with the reason if one was given.
    Paused(Option<String>),
    /// The bot requires an approval, and this content has none.
    NotApproved,
    /// The slot's time is too long ago.
    TooLate,
}

/// The place of the ledger's condition in the transaction that arms.
const LEDGER: usize = 0;

/// The place of the pause flag's condition there.
const PAUSE: usize = 1;

impl Table {
    /// Keeps the media key of an upload. Keys are appended, since any of them may appear on the timeline.
    /// Returns false if this execution no longer holds a claimed ledger.
    pub async fn add_media_key(
        &self,
        post: &PostId,
        execution: &str,
        media_key: &str,
    ) -> Result<bool, Error> {
        self.update_record(
            "keep a media key",
            post,
            "SET mediaKeys = list_append(if_not_exists(mediaKeys, :none), :key)",
            "execution = :execution AND ledger = :claimed",
            [
                (":none", AttributeValue::L(Vec::new())),
                (":key", AttributeValue::L(vec![text(media_key)])),
                (":execution", text(execution)),
                (":claimed", text("claimed")),
            ],
        )
        .await
    }

    /// Moves the ledger from `claimed` to `armed`, if in the same transaction the claim is held, the pause flag is
    /// not set, the content is approved where the bot requires it, and the slot is not too late.
    pub async fn arm(
        &self,
        post: &PostId,
        approval_required: bool,
        now: Timestamp,
        arm: &Arm<'_>,
    ) -> Result<Armed, Error> {
        let doing = "arm a post";
        only_real(post, doing)?;
        let mut items = vec![
            self.update_in(doing, armed_ledger(post, approval_required, now, arm))?,
            self.check_in(doing, not_paused(&post.bot, now))?,
        ];
        if approval_required {
            items.push(self.check_in(doing, approved(post, arm))?);
        }
        items.push(self.armed_mark(post, arm.lease_id)?);
        match self.transact_once(doing, items).await? {
            Attempted::Written => Ok(Armed::Yes),
            // The other transaction decides; the caller reads again.
            Attempted::Conflict => Ok(Armed::LedgerMoved),
            Attempted::Refused(refusal) => why_not_armed(&refusal, arm),
        }
    }

    /// Records the tweet: `armed` → `posted`. Returns false if the ledger is no longer armed.
    pub async fn posted(
        &self,
        post: &PostId,
        tweet_id: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        self.update_record(
            "record a tweet",
            post,
            "SET ledger = :posted, tweetId = :tweet, postedAt = :at",
            "ledger = :armed",
            [
                (":posted", text("posted")),
                (":tweet", text(tweet_id)),
                (":at", text(now.to_string())),
                (":armed", text("armed")),
            ],
        )
        .await
    }

    /// X clearly refused the request: the holder of the lease puts the ledger back to `claimed`.
    pub async fn disarm(&self, post: &PostId, lease_id: &str) -> Result<bool, Error> {
        self.update_record(
            "disarm a post",
            post,
            "SET ledger = :claimed REMOVE leaseId, leaseUntil",
            "ledger = :armed AND leaseId = :lease",
            [
                (":claimed", text("claimed")),
                (":armed", text("armed")),
                (":lease", text(lease_id)),
            ],
        )
        .await
    }

    /// X rejected this content, and would reject it again: `armed` → `rejected`.
    pub async fn reject(
        &self,
        post: &PostId,
        lease_id: &str,
        why: &Rejection,
    ) -> Result<bool, Error> {
        self.update_record(
            "record a rejection",
            post,
            "SET ledger = :rejected, rejection = :why, rejectedAs = :typed REMOVE leaseId, leaseUntil",
            "ledger = :armed AND leaseId = :lease",
            [
                (":rejected", text("rejected")),
                (":why", text(why.to_string())),
                (":typed", to_attribute(why, &record_key(post))?),
                (":armed", text("armed")),
                (":lease", text(lease_id)),
            ],
        )
        .await
    }

    /// The holder of the lease will not send again. The ledger stays `armed`, and reconciliation may begin at once.
    pub async fn end_lease(
        &self,
        post: &PostId,
        lease_id: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        self.update_record(
            "end a lease",
            post,
            "SET leaseUntil = :now",
            "ledger = :armed AND leaseId = :lease",
            [
                (":now", number(now.as_millisecond())),
                (":armed", text("armed")),
                (":lease", text(lease_id)),
            ],
        )
        .await
    }

    /// Counts a reconciliation attempt that did not find the tweet.
    pub async fn count_reconciliation(&self, post: &PostId) -> Result<bool, Error> {
        self.update_record(
            "count a reconciliation attempt",
            post,
            "ADD looks :one",
            "ledger = :armed",
            [(":one", number(1)), (":armed", text("armed"))],
        )
        .await
    }

    /// Records that the tweet of a post is deleted, once. False if no operator ordered that.
    pub async fn deleted(&self, post: &PostId, now: Timestamp) -> Result<bool, Error> {
        self.update_record(
            "record a deletion",
            post,
            "SET deletedAt = if_not_exists(deletedAt, :at)",
            "ledger = :posted AND attribute_exists(deletion)",
            [(":at", text(now.to_string())), (":posted", text("posted"))],
        )
        .await
    }

    /// The records whose ledger is armed: their tweets may or may not exist.
    /// A record that cannot be read does not hide the others.
    pub async fn armed(&self, bot: &str) -> Result<Vec<Result<Record, Error>>, Error> {
        let doing = "read the armed records";
        let marks = self.query(doing, open(bot), "armed#").await?;
        let mut armed = Vec::new();
        for mark in marks {
            armed.extend(self.still_armed(mark).await.transpose());
        }
        Ok(armed)
    }

    /// The record that a mark is about, if it is armed; otherwise the mark is deleted.
    async fn still_armed(&self, item: Item) -> Result<Option<Record>, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Mark {
            post: PostId,
            lease_id: String,
        }
        let mark: Mark = from_item(item)?;
        if let Some(record) = self.read(&mark.post).await?
            && record.ledger == Ledger::Armed
        {
            return Ok(Some(record));
        }
        // If the ledger is armed again at this moment, the mark has another lease and stays.
        let doing = "delete the mark of a ledger that is not armed";
        self.delete_of_lease(doing, armed_key(&mark.post), &mark.lease_id)
            .await?;
        Ok(None)
    }

    /// The mark by which [`Table::armed`] finds a post; written with the arming.
    fn armed_mark(&self, post: &PostId, lease_id: &str) -> Result<TransactWriteItem, Error> {
        let mut item = armed_key(post);
        item.insert("post".to_owned(), text(post.to_string()));
        item.insert("leaseId".to_owned(), text(lease_id));
        self.put_item_in("arm a post", item)
    }
}

fn armed_ledger(
    post: &PostId,
    approval_required: bool,
    now: Timestamp,
    arm: &Arm<'_>,
) -> UpdateBuilder {
    Update::builder()
        .set_key(Some(record_key(post)))
        .update_expression(
            "SET ledger = :armed, #text = :text, mediaKey = :key, armedAt = :at, \
             leaseId = :lease, leaseUntil = :until, looks = :zero",
        )
        .condition_expression(
            "execution = :execution AND ledger = :claimed AND approvalRequired = :approval AND \
             (attribute_not_exists(notAfter) OR notAfter >= :now OR attribute_exists(allowLate))",
        )
        .expression_attribute_names("#text", "text")
        .expression_attribute_values(":armed", text("armed"))
        .expression_attribute_values(":text", text(arm.text))
        .expression_attribute_values(":key", text(arm.media_key))
        .expression_attribute_values(":at", text(now.to_string()))
        .expression_attribute_values(":lease", text(arm.lease_id))
        .expression_attribute_values(":until", number(arm.lease_until))
        .expression_attribute_values(":zero", number(0))
        .expression_attribute_values(":execution", text(arm.execution))
        .expression_attribute_values(":claimed", text("claimed"))
        .expression_attribute_values(":approval", AttributeValue::Bool(approval_required))
        .expression_attribute_values(":now", number(now.as_second()))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
}

fn not_paused(bot: &str, now: Timestamp) -> ConditionCheckBuilder {
    ConditionCheck::builder()
        .set_key(Some(pause_key(bot)))
        .condition_expression("attribute_not_exists(pk) OR pausedUntil <= :now")
        .expression_attribute_values(":now", number(now.as_second()))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
}

fn approved(post: &PostId, arm: &Arm<'_>) -> ConditionCheckBuilder {
    ConditionCheck::builder()
        .set_key(Some(approval_key(post, arm.round)))
        .condition_expression("decision.verdict = :approved AND decision.#hash = :hash")
        .expression_attribute_names("#hash", "hash")
        .expression_attribute_values(":approved", text("approved"))
        .expression_attribute_values(":hash", text(arm.content_hash))
}

fn why_not_armed(refusal: &Refusal, arm: &Arm<'_>) -> Result<Armed, Error> {
    if refusal.is_of(LEDGER) {
        let held: Option<Record> = refusal.item(LEDGER).map(from_item).transpose()?;
        let is_ours = held
            .is_some_and(|held| held.execution == arm.execution && held.ledger == Ledger::Claimed);
        return Ok(match is_ours {
            true => Armed::TooLate,
            false => Armed::LedgerMoved,
        });
    }
    if refusal.is_of(PAUSE) {
        let flag = refusal.item(PAUSE);
        return Ok(Armed::Paused(flag.as_ref().and_then(pause_reason)));
    }
    // The only other condition.
    Ok(Armed::NotApproved)
}
