//! The approval of one content: what was presented, to whom, until when, and what was decided.

use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, Update};
use jiff::Timestamp;
use post::{AuditEvent, PostId};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    AuditLine, Error, Table,
    item::{
        Item, approval_key, approval_sort_key, from_item, number, open, text, to_attribute,
        to_item, waiting_key,
    },
    operator::only_real,
};

/// The last round: the first picture, and three that were requested instead.
pub const MAX_ROUNDS: u32 = 4;

/// Who decides when the deadline passes without a decision.
pub const POLICY: &str = "policy";

/// The approval of one content: what was presented, to whom, until when, and what was decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalItem {
    /// The post, `bot/date/slot`.
    pub post: String,
    /// Which picture of the post this is about, from 1.
    pub round: u32,
    /// The name of the observance.
    pub day: String,
    /// The caption as it was presented.
    pub caption: String,
    /// The alt text as it was presented.
    pub alt_text: String,
    /// The picture.
    pub image: ApprovalImage,
    /// The [`content_hash`] of what was presented.
    pub presented_hash: String,
    /// What this picture cost, in US dollars; another one costs about as much.
    pub cost_usd: f64,
    /// When the post is to appear.
    pub slot_time: Timestamp,
    /// The IANA name of the bot's time zone, in which times are shown.
    pub time_zone: String,
    /// When the approval was opened.
    pub opened_at: Timestamp,
    /// Seconds of the Unix epoch from which decisions are closed.
    pub closes_at: i64,
    /// Seconds of the Unix epoch from which approvers are reminded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remind_at: Option<i64>,
    /// What happens when the deadline passes without a decision.
    pub on_timeout: OnExpiry,
    /// The mail addresses of the approvers. A link names its approver by the index in this list.
    pub approvers: Vec<String>,
    /// The approvers to whom SES accepted the mail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mailed: Vec<String>,
    /// The approvers to whom SES accepted the reminder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reminded: Vec<String>,
    /// The decision. The first one stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// The newest task token of AwaitApproval, which the state machine writes. It is never shown or logged.
    #[serde(default, skip_serializing)]
    pub task_token: Option<SecretString>,
    /// When the decision was delivered to the state machine, or its execution was found to have ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
}

/// A picture, as `store-image` stored it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalImage {
    /// Its key in the bucket.
    pub key: String,
    /// The key of its thumbnail.
    pub thumbnail_key: String,
    /// The SHA-256 of its bytes, hex.
    pub sha256: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// What happens when the deadline passes without a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnExpiry {
    /// Nothing is posted.
    Skip,
    /// It is posted as it was presented.
    Post,
}

/// A decision, as it is stored and as the state machine receives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// A mail address, an operator's name, or [`POLICY`].
    pub by: String,
    /// When it was made.
    pub at: Timestamp,
    /// What was decided.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "verdict",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Verdict {
    /// It may be posted, with exactly these texts.
    Approved {
        /// The final caption.
        caption: String,
        /// The final alt text.
        alt_text: String,
        /// The [`content_hash`] of the picture and the final texts.
        hash: String,
    },
    /// Another picture is requested.
    Regenerate {
        /// What to change; may be empty.
        note: String,
    },
    /// It must not be posted.
    Rejected {
        /// Why.
        reason: String,
    },
    /// The deadline passed without a decision.
    Expired,
}

impl Verdict {
    /// Its name, as it is stored and as the state machine reads it.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::Approved { .. } => "approved",
            Verdict::Regenerate { .. } => "regenerate",
            Verdict::Rejected { .. } => "rejected",
            Verdict::Expired => "expired",
        }
    }
}

impl ApprovalItem {
    /// Whether decisions are closed at this time.
    pub fn is_closed(&self, now: Timestamp) -> bool {
        self.closes_at <= now.as_second()
    }

    /// How many more pictures can be requested.
    pub fn regenerations_left(&self) -> u32 {
        MAX_ROUNDS.saturating_sub(self.round)
    }

    /// The post.
    pub fn post_id(&self) -> Result<PostId, Error> {
        self.post
            .parse()
            .map_err(|e| Error::InvalidPost("of an approval", e))
    }

    /// The keys of its item, for the state that writes the task token into it.
    pub fn item_key(&self) -> Result<[String; 2], Error> {
        let post = self.post_id()?;
        Ok([post.partition_key(), approval_sort_key(&post, self.round)])
    }
}

/// The answer to an opening.
#[derive(Debug)]
pub enum Opened {
    /// It is open now.
    Now,
    /// It was opened before, for this content, and can be decided.
    Before(Box<ApprovalItem>),
}

/// The answer to a decision.
#[derive(Debug)]
pub enum Decide {
    /// It counts: the approval with the decision, and with the task token if there is one.
    Counts(Box<ApprovalItem>),
    /// It does not count: there was an earlier decision, other content is presented, or decisions are closed.
    /// The caller reads the approval again.
    TooLate,
}

impl Table {
    /// Opens an approval. The same content in the same round is opened once; other content replaces it.
    pub async fn open_approval(&self, approval: &ApprovalItem) -> Result<Opened, Error> {
        let doing = "open an approval";
        let post = approval.post_id()?;
        only_real(&post, doing)?;
        let put = Put::builder()
            .set_item(Some(to_item(
                approval,
                approval_key(&post, approval.round),
            )?))
            .condition_expression("attribute_not_exists(pk) OR presentedHash <> :hash")
            .expression_attribute_values(":hash", text(&approval.presented_hash));
        let items = vec![
            self.put_in(doing, put)?,
            self.put_item_in(doing, waiting_mark(&post, approval))?,
            self.audit_in(doing, &post, &opened_line(approval))?,
        ];
        if self.transact(doing, items).await?.is_none() {
            return Ok(Opened::Now);
        }
        match self.approval(&post, approval.round).await? {
            Some(open) => Ok(Opened::Before(Box::new(open))),
            // An operator's takeover has deleted it since.
            None => Err(Error::Conflict(doing)),
        }
    }

    /// The approval of a round.
    pub async fn approval(&self, post: &PostId, round: u32) -> Result<Option<ApprovalItem>, Error> {
        let item = self.get("read an approval", approval_key(post, round));
        item.await?.map(from_item).transpose()
    }

    /// The approvals of a post, in the order of their rounds.
    pub async fn approvals(&self, post: &PostId) -> Result<Vec<ApprovalItem>, Error> {
        let doing = "read the approvals of a post";
        let prefix = format!("{}#approval#", post.sort_key());
        let items = self.query(doing, post.partition_key(), &prefix).await?;
        items.into_iter().map(from_item).collect()
    }

    /// The posts and rounds of a bot's approvals that are not decided, or whose decisions are not delivered.
    /// One that cannot be read does not hide the others.
    pub async fn waiting_approvals(
        &self,
        bot: &str,
    ) -> Result<Vec<Result<(PostId, u32), Error>>, Error> {
        #[derive(Deserialize)]
        struct Waiting {
            post: PostId,
            round: u32,
        }
        let items = self.query("read the open approvals", open(bot), "approval#");
        let read = |item| from_item(item).map(|waiting: Waiting| (waiting.post, waiting.round));
        Ok(items.await?.into_iter().map(read).collect())
    }

    /// Writes a decision on the content with this hash, if it has none and decisions are open.
    /// A decision by [`POLICY`] counts only once they are closed.
    pub async fn decide(
        &self,
        post: &PostId,
        round: u32,
        presented_hash: &str,
        decision: &Decision,
    ) -> Result<Decide, Error> {
        let doing = "record a decision";
        let key = approval_key(post, round);
        let time = match decision.by == POLICY {
            true => "closesAt <= :now",
            false => "closesAt > :now",
        };
        let update = Update::builder()
            .update_expression("SET decision = :decision")
            .condition_expression(format!(
                "presentedHash = :hash AND attribute_not_exists(decision) AND {time}"
            ))
            .expression_attribute_values(":decision", to_attribute(decision, &key)?)
            .expression_attribute_values(":hash", text(presented_hash))
            .expression_attribute_values(":now", number(decision.at.as_second()))
            .set_key(Some(key));
        let line = decided_line(round, presented_hash, decision);
        let items = vec![
            self.update_in(doing, update)?,
            self.audit_in(doing, post, &line)?,
        ];
        if self.transact(doing, items).await?.is_some() {
            return Ok(Decide::TooLate);
        }
        match self.approval(post, round).await? {
            Some(approval) => Ok(Decide::Counts(Box::new(approval))),
            None => Ok(Decide::TooLate),
        }
    }

    /// Records that SES accepted the mail to an approver, or the reminder.
    pub async fn mailed(
        &self,
        post: &PostId,
        round: u32,
        approver: &str,
        is_reminder: bool,
        details: &Value,
        now: Timestamp,
    ) -> Result<(), Error> {
        let doing = "record who received a mail";
        let (expression, what) = match is_reminder {
            true => (
                "ADD reminded :approver",
                AuditEvent::Reminded(approver.to_owned()),
            ),
            false => (
                "ADD mailed :approver",
                AuditEvent::Mailed(approver.to_owned()),
            ),
        };
        let key = approval_key(post, round);
        let values = [(":approver", AttributeValue::Ss(vec![approver.to_owned()]))];
        let is_there = "attribute_exists(pk)";
        if !self
            .update(doing, key, expression, is_there, values)
            .await?
        {
            // An operator's takeover has deleted it since.
            return Err(Error::NotAllowed(
                doing,
                format!("the approval of {post} is gone"),
            ));
        }
        self.audit(post, now, &what, details).await
    }

    /// Records that the state machine has the decision, or has ended: the approval no longer waits.
    /// Returns false, and changes nothing, if the approval is about other content by now, which is not decided.
    pub async fn delivered(
        &self,
        post: &PostId,
        approval: &ApprovalItem,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let doing = "close an approval";
        let update = Update::builder()
            .set_key(Some(approval_key(post, approval.round)))
            .update_expression("SET deliveredAt = if_not_exists(deliveredAt, :now)")
            .condition_expression("presentedHash = :hash AND attribute_exists(decision)")
            .expression_attribute_values(":hash", text(&approval.presented_hash))
            .expression_attribute_values(":now", text(now.to_string()));
        let delete = Delete::builder().set_key(Some(waiting_key(post, approval.round)));
        let items = vec![
            self.update_in(doing, update)?,
            self.delete_in(doing, delete)?,
        ];
        Ok(self.transact(doing, items).await?.is_none())
    }

    /// The approval was deleted with the claim that it was for: it no longer waits.
    pub async fn forget(&self, post: &PostId, round: u32) -> Result<(), Error> {
        self.delete("forget an approval", waiting_key(post, round))
            .await
    }
}

/// The hash of what will be posted: picture, caption and alt text, in hex. It begins with its version, since an
/// approval can be older than the function that checks it.
pub fn content_hash(image_sha256: &str, caption: &str, alt_text: &str) -> String {
    let mut hash = Sha256::new();
    for part in [image_sha256, caption, alt_text] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hex: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    format!("v1-{hex}")
}

/// The item that exists while an approval waits.
fn waiting_mark(post: &PostId, approval: &ApprovalItem) -> Item {
    let mut mark = waiting_key(post, approval.round);
    mark.insert("post".to_owned(), text(&approval.post));
    mark.insert("round".to_owned(), number(approval.round.into()));
    mark
}

fn opened_line(approval: &ApprovalItem) -> AuditLine {
    AuditLine {
        at: approval.opened_at,
        what: AuditEvent::ApprovalOpened,
        details: json!({
            "round": approval.round,
            "contentHash": approval.presented_hash,
            "approvers": approval.approvers,
            "closesAt": Timestamp::from_second(approval.closes_at).ok(),
        }),
    }
}

fn decided_line(round: u32, presented_hash: &str, decision: &Decision) -> AuditLine {
    let mut details = json!(decision);
    details["round"] = json!(round);
    details["presentedHash"] = json!(presented_hash);
    AuditLine {
        at: decision.at,
        what: AuditEvent::Decided,
        details,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_hash_keeps_its_parts_apart() {
        assert_ne!(content_hash("a", "bc", ""), content_hash("a", "b", "c"));
        // An approval holds for as long as its hash is computed in the same way.
        assert_eq!(
            content_hash("a", "b", "c"),
            "v1-bd735517dea8b04bba91d58ed956ea9ce3296d2f39b4a6e1103884815dd71d0d"
        );
    }

    #[test]
    fn a_decision_is_stored_as_the_state_machine_reads_it() {
        let at: Timestamp = "2026-10-30T12:00:00Z".parse().unwrap();
        for (verdict, stored) in [
            (
                Verdict::Approved {
                    caption: "Boo".to_owned(),
                    alt_text: "A ghost".to_owned(),
                    hash: "v1-0".to_owned(),
                },
                json!({"verdict": "approved", "caption": "Boo", "altText": "A ghost", "hash": "v1-0"}),
            ),
            (
                Verdict::Regenerate {
                    note: "friendlier".to_owned(),
                },
                json!({"verdict": "regenerate", "note": "friendlier"}),
            ),
            (
                Verdict::Rejected {
                    reason: "no".to_owned(),
                },
                json!({"verdict": "rejected", "reason": "no"}),
            ),
            (Verdict::Expired, json!({"verdict": "expired"})),
        ] {
            assert_eq!(stored["verdict"], verdict.name());
            let mut stored = stored;
            stored["by"] = json!("Ada");
            stored["at"] = json!(at);
            let decision = Decision {
                by: "Ada".to_owned(),
                at,
                verdict,
            };
            assert_eq!(json!(decision), stored);
            assert_eq!(
                serde_json::from_value::<Decision>(stored).unwrap(),
                decision
            );
        }
    }
}
