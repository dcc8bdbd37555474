use std::collections::HashMap;

use aws_sdk_dynamodb::{
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, Delete, Put, TransactWriteItem, Update},
};
use jiff::Timestamp;
use post::{AuditEvent, PostId};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Error, Table, audit_item, failed, key, number, only_real, operate, text};

/// The last round: the first picture and three that were asked for instead.
pub const MAX_ROUNDS: u32 = 4;

/// Who decided, where nobody did in time.
pub const POLICY: &str = "policy";

/// The approval of one content: what was presented, to whom, until when, and what was decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// The post, `bot/date/slot`.
    pub post: String,
    /// Which picture of the post this is about, from 1.
    pub round: u32,
    /// The day's name.
    pub day: String,
    /// The caption as it was presented.
    pub caption: String,
    /// The alt text as it was presented.
    pub alt_text: String,
    /// The picture.
    pub image: Image,
    /// The [`content_hash`](crate::content_hash) of what was presented.
    pub presented_hash: String,
    /// What this picture cost, in US dollars: about what another one will.
    pub cost_usd: f64,
    /// When the post is to appear.
    pub slot_time: Timestamp,
    /// The bot's time zone, by its IANA name, in which people are told the time.
    pub time_zone: String,
    /// When the approval was opened.
    pub opened_at: Timestamp,
    /// Seconds of the Unix epoch from which no decision counts any more.
    pub closes_at: i64,
    /// Seconds of the Unix epoch from which those who were asked are reminded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remind_at: Option<i64>,
    /// What happens when nobody decides.
    pub on_timeout: OnTimeout,
    /// Who is asked, by mail address. A link names its approver by the place in this list.
    pub approvers: Vec<String>,
    /// Who has got the mail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mailed: Vec<String>,
    /// Who has got the reminder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reminded: Vec<String>,
    /// What was decided. The first decision stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// The newest task token of the state that waits. The state machine writes it, and nobody shows it.
    #[serde(default, skip_serializing)]
    pub task_token: Option<SecretString>,
    /// When the state machine was told, or was found to have ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
}

/// A picture, as `store-image` left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Its key in the bucket.
    pub key: String,
    /// The key of its thumbnail.
    pub thumbnail_key: String,
    /// The SHA-256 of its bytes, hex.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
}

/// What happens when nobody decides in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnTimeout {
    /// Nothing is posted.
    Skip,
    /// It is posted as it was presented.
    Post,
}

/// Who decided what. This is what the state machine gets, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// A mail address, an operator's name, or [`POLICY`].
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What.
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
    /// It may be posted, with these very texts.
    Approved {
        /// The final caption.
        caption: String,
        /// The final alt text.
        alt_text: String,
        /// The [`content_hash`](crate::content_hash) of the picture and the final texts.
        hash: String,
    },
    /// Another picture is wanted.
    Regenerate {
        /// What it should be like; may be empty.
        note: String,
    },
    /// It is not to be posted.
    Rejected {
        /// Why.
        reason: String,
    },
    /// Nobody decided in time.
    Expired,
}

impl Verdict {
    /// Its name, as the state machine reads it.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::Approved { .. } => "approved",
            Verdict::Regenerate { .. } => "regenerate",
            Verdict::Rejected { .. } => "rejected",
            Verdict::Expired => "expired",
        }
    }
}

impl Approval {
    /// Whether decisions are closed by now.
    pub fn is_closed(&self, now: Timestamp) -> bool {
        self.closes_at <= now.as_second()
    }

    /// How many more pictures may be asked for.
    pub fn regenerations_left(&self) -> u32 {
        MAX_ROUNDS.saturating_sub(self.round)
    }

    /// The post.
    pub fn post_id(&self) -> Result<PostId, Error> {
        self.post
            .parse()
            .map_err(|e: post::InvalidPostId| Error::Refused("read an approval", e.to_string()))
    }

    /// The keys of its item, for the state that writes the task token into it.
    pub fn item_key(&self) -> Result<[String; 2], Error> {
        let post = self.post_id()?;
        Ok([post.partition_key(), sort_key(&post, self.round)])
    }
}

/// The answer to an opening.
#[derive(Debug)]
pub enum Opened {
    /// It is open now.
    Now,
    /// It was opened before, for this very content, and may be decided.
    Before(Box<Approval>),
}

/// The answer to a decision.
#[derive(Debug)]
pub enum Decide {
    /// It counts, and this is the approval with it and with the task token, if there is one.
    Counts(Box<Approval>),
    /// It does not: somebody was faster, other content is presented by now, or the time is over. Read it again.
    TooLate,
}

impl Table {
    /// Opens an approval. The same content in the same round is opened once; other content takes its place.
    pub async fn open_approval(&self, approval: &Approval) -> Result<Opened, Error> {
        let post = approval.post_id()?;
        only_real(&post, "open an approval")?;
        let unreadable = |e| Error::Unreadable(post.to_string(), e);
        let mut item: HashMap<String, AttributeValue> =
            serde_dynamo::to_item(approval).map_err(unreadable)?;
        item.extend(approval_key(&post, approval.round));
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR presentedHash <> :hash")
            .expression_attribute_values(":hash", text(&approval.presented_hash));
        let mut waiting = waiting_key(&post, approval.round);
        waiting.insert("post".to_owned(), text(&approval.post));
        waiting.insert("round".to_owned(), number(approval.round.into()));
        let waiting = Put::builder()
            .table_name(&self.name)
            .set_item(Some(waiting));
        let details = json!({
            "round": approval.round,
            "contentHash": approval.presented_hash,
            "approvers": approval.approvers,
            "closesAt": Timestamp::from_second(approval.closes_at).ok(),
        });
        let audit = audit_item(
            &post,
            approval.opened_at,
            &AuditEvent::ApprovalOpened,
            &details,
        )?;
        let audit = Put::builder().table_name(&self.name).set_item(Some(audit));
        let build = |e: aws_sdk_dynamodb::error::BuildError| {
            Error::Refused("open an approval", e.to_string())
        };
        let items = vec![
            TransactWriteItem::builder()
                .put(put.build().map_err(build)?)
                .build(),
            TransactWriteItem::builder()
                .put(waiting.build().map_err(build)?)
                .build(),
            TransactWriteItem::builder()
                .put(audit.build().map_err(build)?)
                .build(),
        ];
        if self.transact("open an approval", items).await? {
            return Ok(Opened::Now);
        }
        match self.approval(&post, approval.round).await? {
            Some(there) => Ok(Opened::Before(Box::new(there))),
            None => Err(Error::Unavailable(
                "open an approval",
                format!("the approval of {post} was there, and is gone"),
            )),
        }
    }

    /// The approval of a round, read consistently.
    pub async fn approval(&self, post: &PostId, round: u32) -> Result<Option<Approval>, Error> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(approval_key(post, round)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| failed("read an approval", e))?;
        answer.item.map(|item| approval_of(post, item)).transpose()
    }

    /// The approvals of a post, in the order of their rounds.
    pub async fn approvals(&self, post: &PostId) -> Result<Vec<Approval>, Error> {
        let answer = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", text(post.partition_key()))
            .expression_attribute_values(":prefix", text(format!("{}#approval#", post.sort_key())))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| failed("read the approvals of a post", e))?;
        answer
            .items
            .unwrap_or_default()
            .into_iter()
            .map(|item| approval_of(post, item))
            .collect()
    }

    /// The posts and rounds of a bot's approvals that are not decided, or not delivered.
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
        let open = operate::open(bot);
        let items = self
            .items("read the open approvals", open.clone(), "approval#")
            .await?;
        let read = |(sk, item)| match serde_dynamo::from_item::<_, Waiting>(item) {
            Ok(one) => Ok((one.post, one.round)),
            Err(e) => Err(Error::Unreadable(format!("{open} {sk}"), e)),
        };
        Ok(items.into_iter().map(read).collect())
    }

    /// Writes a decision on the content with this hash, if there is none and decisions are open;
    /// one by [`POLICY`] counts only once they are closed.
    pub async fn decide(
        &self,
        post: &PostId,
        round: u32,
        presented_hash: &str,
        decision: &Decision,
    ) -> Result<Decide, Error> {
        let unreadable = |e| Error::Unreadable(post.to_string(), e);
        let item: AttributeValue =
            serde_dynamo::to_attribute_value(decision).map_err(unreadable)?;
        let time = match decision.by == POLICY {
            true => "closesAt <= :now",
            false => "closesAt > :now",
        };
        let build = |e: aws_sdk_dynamodb::error::BuildError| {
            Error::Refused("record a decision", e.to_string())
        };
        let update = Update::builder()
            .table_name(&self.name)
            .set_key(Some(approval_key(post, round)))
            .update_expression("SET decision = :decision")
            .condition_expression(format!(
                "presentedHash = :hash AND attribute_not_exists(decision) AND {time}"
            ))
            .expression_attribute_values(":decision", item)
            .expression_attribute_values(":hash", text(presented_hash))
            .expression_attribute_values(":now", number(decision.at.as_second()))
            .build()
            .map_err(build)?;
        let mut details = json!(decision);
        details["round"] = json!(round);
        details["presentedHash"] = json!(presented_hash);
        let audit = Put::builder()
            .table_name(&self.name)
            .set_item(Some(audit_item(
                post,
                decision.at,
                &AuditEvent::Decided,
                &details,
            )?))
            .build()
            .map_err(build)?;
        let items = vec![
            TransactWriteItem::builder().update(update).build(),
            TransactWriteItem::builder().put(audit).build(),
        ];
        if !self.transact("record a decision", items).await? {
            return Ok(Decide::TooLate);
        }
        match self.approval(post, round).await? {
            Some(approval) => Ok(Decide::Counts(Box::new(approval))),
            None => Ok(Decide::TooLate),
        }
    }

    /// Keeps that somebody got the mail, or the reminder.
    pub async fn mailed(
        &self,
        post: &PostId,
        round: u32,
        approver: &str,
        is_reminder: bool,
        details: &Value,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (list, event) = match is_reminder {
            true => ("reminded", AuditEvent::Reminded(approver.to_owned())),
            false => ("mailed", AuditEvent::Mailed(approver.to_owned())),
        };
        self.client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(approval_key(post, round)))
            .update_expression(format!("ADD {list} :approver"))
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":approver", AttributeValue::Ss(vec![approver.to_owned()]))
            .send()
            .await
            .map_err(|e| failed("keep who got the mail", e))?;
        self.audit(post, now, &event, details).await
    }

    /// The state machine knows the decision, or has ended: nobody has to look after the approval any more.
    /// Returns false, and changes nothing, if the approval is about other content by now, which is not decided.
    pub async fn delivered(
        &self,
        post: &PostId,
        approval: &Approval,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let build = |e: aws_sdk_dynamodb::error::BuildError| {
            Error::Refused("close an approval", e.to_string())
        };
        let update = Update::builder()
            .table_name(&self.name)
            .set_key(Some(approval_key(post, approval.round)))
            .update_expression("SET deliveredAt = if_not_exists(deliveredAt, :now)")
            .condition_expression("presentedHash = :hash AND attribute_exists(decision)")
            .expression_attribute_values(":hash", text(&approval.presented_hash))
            .expression_attribute_values(":now", text(now.to_string()))
            .build()
            .map_err(build)?;
        let waiting = Delete::builder()
            .table_name(&self.name)
            .set_key(Some(waiting_key(post, approval.round)))
            .build()
            .map_err(build)?;
        let items = vec![
            TransactWriteItem::builder().update(update).build(),
            TransactWriteItem::builder().delete(waiting).build(),
        ];
        self.transact("close an approval", items).await
    }

    /// The approval is not there, because a person took it away: nobody has to look after it any more.
    pub async fn forget(&self, post: &PostId, round: u32) -> Result<(), Error> {
        self.client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(waiting_key(post, round)))
            .send()
            .await
            .map_err(|e| failed("forget an approval", e))?;
        Ok(())
    }

    /// Writes all or nothing; false if a condition did not hold.
    pub(crate) async fn transact(
        &self,
        doing: &'static str,
        items: Vec<TransactWriteItem>,
    ) -> Result<bool, Error> {
        // Of two transactions on one item at the same moment one is cancelled, whatever its conditions say.
        for _ in 0..5 {
            let written = self
                .client
                .transact_write_items()
                .set_transact_items(Some(items.clone()))
                .send()
                .await;
            let Err(error) = written else {
                return Ok(true);
            };
            let reasons = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    cancelled.cancellation_reasons()
                }
                _ => return Err(failed(doing, error)),
            };
            let has = |code| reasons.iter().any(|reason| reason.code() == Some(code));
            if has("ConditionalCheckFailed") {
                return Ok(false);
            }
            if !has("TransactionConflict") {
                return Err(failed(doing, error));
            }
        }
        let why = "other transactions were at the same item each time";
        Err(Error::Unavailable(doing, why.to_owned()))
    }
}

pub(crate) fn approval_key(post: &PostId, round: u32) -> HashMap<String, AttributeValue> {
    key(post.partition_key(), sort_key(post, round))
}

fn sort_key(post: &PostId, round: u32) -> String {
    format!("{}#approval#{round}", post.sort_key())
}

/// The item that is there while somebody has to look after the approval.
pub(crate) fn waiting_key(post: &PostId, round: u32) -> HashMap<String, AttributeValue> {
    key(
        operate::open(&post.bot),
        format!("approval#{}#{}#{round}", post.date, post.slot),
    )
}

fn approval_of(post: &PostId, item: HashMap<String, AttributeValue>) -> Result<Approval, Error> {
    serde_dynamo::from_item(item)
        .map_err(|e| Error::Unreadable(format!("an approval of {post}"), e))
}
