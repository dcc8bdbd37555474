//! The money: what may be spent, what is reserved, and what was spent.
//!
//! A reservation counts before the call, at the most that the call can cost. It is settled with what the call did
//! cost, or with all of it where nobody knows. So what is committed is never less than what was spent.

use std::{collections::HashMap, fmt};

use aws_sdk_dynamodb::{
    error::BuildError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, Delete, Put, TransactWriteItem, Update},
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use post::{InvalidPostId, PostId};
use serde::{Deserialize, Serialize};

use crate::{Error, Table, failed, key, number, only_real, operate::open, settings, text};

/// An amount of money, in millionths of a US dollar.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Micros(pub i64);

impl Micros {
    /// An amount in US dollars, rounded up; what is no amount is nothing.
    pub fn from_usd(usd: f64) -> Micros {
        // As far as an amount goes that anybody pays, a float is exact enough to be rounded up.
        Micros((usd * 1_000_000.0 - 1e-6).ceil() as i64)
    }

    /// In US dollars.
    pub fn usd(self) -> f64 {
        self.0 as f64 / 1_000_000.0
    }
}

impl fmt::Display for Micros {
    /// Such as `$1.05`, with as many digits as it takes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:06}", self.0.unsigned_abs() % 1_000_000);
        let digits = digits.trim_end_matches('0');
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(
            f,
            "{sign}${}.{digits:0<2}",
            self.0.unsigned_abs() / 1_000_000
        )
    }
}

/// The most that a bot may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Caps {
    /// On one of its local days.
    #[serde(rename = "perDayMicros")]
    pub per_day: Micros,
    /// In one of its local months.
    #[serde(rename = "perMonthMicros")]
    pub per_month: Micros,
}

impl Default for Caps {
    /// What a bot has that says nothing: a dollar a day, ten a month.
    fn default() -> Caps {
        Caps {
            per_day: Micros(1_000_000),
            per_month: Micros(10_000_000),
        }
    }
}

/// Who is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// For pictures.
    OpenAi,
    /// For tweets.
    X,
}

impl Provider {
    fn attribute(self) -> &'static str {
        match self {
            Provider::OpenAi => "openai",
            Provider::X => "x",
        }
    }
}

/// Money that is reserved for one call, and nothing of it settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    /// The post, `bot/date/slot`.
    pub post: String,
    /// Its name, which no other call of the bot has.
    pub id: String,
    /// Which picture of the post, from 1.
    pub round: u32,
    /// The bot's local date on which it was made, to which the money counts.
    pub date: Date,
    /// The most that the call can cost.
    pub micros: Micros,
    /// When it was made.
    pub at: Timestamp,
}

/// The answer to a try to reserve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// The call may be made.
    Yes(Reservation),
    /// It would go over a cap, which says so in words.
    OverBudget(String),
}

/// How a call ended that money was reserved for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Settlement {
    /// It cost this much.
    Spent,
    /// Surely nothing was paid.
    Released,
    /// Nobody knows, so all of it counts.
    Unknown,
}

/// A call that was settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Who was paid.
    pub provider: Provider,
    /// What had been reserved; absent where nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reservation: Option<Reservation>,
    /// How it was settled.
    pub settlement: Settlement,
    /// What counts.
    pub micros: Micros,
    /// When it was settled.
    pub settled_at: Timestamp,
}

/// What was spent on a day, or in a month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Spending {
    /// What counts against the cap: all of the below.
    pub committed: Micros,
    /// Settled, to OpenAI.
    pub openai: Micros,
    /// Settled, to X.
    pub x: Micros,
    /// Reserved, and not settled yet.
    pub reserved: Micros,
}

/// The spending of a month.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Month {
    /// Of all its days.
    pub total: Spending,
    /// The days on which anything was reserved or spent, in order.
    pub days: Vec<(Date, Spending)>,
}

impl Table {
    /// Reserves the most that a call can cost, if that stays within the caps at this very moment. `id` is a name that
    /// no other call has, and the local date in `zone` is the day that it counts to.
    #[expect(clippy::too_many_arguments, reason = "all of it is written down")]
    pub async fn reserve(
        &self,
        post: &PostId,
        round: u32,
        id: &str,
        micros: Micros,
        caps: Caps,
        zone: &TimeZone,
        now: Timestamp,
    ) -> Result<Reserved, Error> {
        let doing = "reserve money";
        only_real(post, doing)?;
        let build = |e: BuildError| Error::Refused(doing, e.to_string());
        let reservation = Reservation {
            post: post.to_string(),
            id: id.to_owned(),
            round,
            date: now.to_zoned_datetime(zone.clone()).date(),
            micros,
            at: now,
        };
        let mut items = Vec::new();
        for (sk, cap) in [
            (day_key(reservation.date), caps.per_day),
            (month_key(reservation.date), caps.per_month),
        ] {
            // A cap that is smaller than the amount has no room, not even on a day without an item.
            let update = Update::builder()
                .table_name(&self.name)
                .set_key(Some(key(settings(&post.bot), sk)))
                .update_expression("ADD committed :amount, reserved :amount")
                .condition_expression(if micros <= cap {
                    "attribute_not_exists(committed) OR committed <= :room"
                } else {
                    "committed < :room AND committed > :room"
                })
                .expression_attribute_values(":amount", number(micros.0))
                .expression_attribute_values(":room", number(cap.0 - micros.0))
                .build()
                .map_err(build)?;
            items.push(TransactWriteItem::builder().update(update).build());
        }
        let mut item: HashMap<String, AttributeValue> = serde_dynamo::to_item(&reservation)
            .map_err(|e| Error::Unreadable(post.to_string(), e))?;
        item.extend(reservation_key(&post.bot, id));
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(build)?;
        items.push(TransactWriteItem::builder().put(put).build());

        // Of two transactions on one item at the same moment one is cancelled, whatever its conditions say.
        for _ in 0..20 {
            let written = self
                .client
                .transact_write_items()
                .set_transact_items(Some(items.clone()))
                .send()
                .await;
            let Err(error) = written else {
                return Ok(Reserved::Yes(reservation));
            };
            let codes: Vec<Option<&str>> = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled
                    .cancellation_reasons()
                    .iter()
                    .map(|reason| reason.code())
                    .collect(),
                _ => return Err(failed(doing, error)),
            };
            let refused = |place: usize| codes.get(place) == Some(&Some("ConditionalCheckFailed"));
            if refused(0) || refused(1) {
                let month = self.spending(&post.bot, reservation.date).await?;
                return Ok(Reserved::OverBudget(over(
                    &reservation,
                    &month,
                    caps,
                    refused(0),
                )));
            }
            if refused(2) {
                let why = format!("there is a reservation {id} already");
                return Err(Error::Refused(doing, why));
            }
            if !codes.contains(&Some("TransactionConflict")) {
                return Err(failed(doing, error));
            }
        }
        let why = "other transactions were at the same item each time";
        Err(Error::Unavailable(doing, why.to_owned()))
    }

    /// Settles a reservation with what the call cost. Returns false if it was settled before.
    pub async fn settle(
        &self,
        reservation: &Reservation,
        settlement: Settlement,
        cost: Micros,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let doing = "settle a reservation";
        let build = |e: BuildError| Error::Refused(doing, e.to_string());
        let post: PostId = reservation
            .post
            .parse()
            .map_err(|e: InvalidPostId| Error::Refused(doing, e.to_string()))?;
        let cost = match settlement {
            Settlement::Spent => cost,
            Settlement::Released => Micros(0),
            Settlement::Unknown => reservation.micros,
        };
        let delete = Delete::builder()
            .table_name(&self.name)
            .set_key(Some(reservation_key(&post.bot, &reservation.id)))
            .condition_expression("attribute_exists(pk)")
            .build()
            .map_err(build)?;
        let mut items = vec![TransactWriteItem::builder().delete(delete).build()];
        for sk in [day_key(reservation.date), month_key(reservation.date)] {
            let update = Update::builder()
                .table_name(&self.name)
                .set_key(Some(key(settings(&post.bot), sk)))
                .update_expression("ADD committed :change, openai :cost, reserved :back")
                .expression_attribute_values(":change", number(cost.0 - reservation.micros.0))
                .expression_attribute_values(":cost", number(cost.0))
                .expression_attribute_values(":back", number(-reservation.micros.0))
                .build()
                .map_err(build)?;
            items.push(TransactWriteItem::builder().update(update).build());
        }
        let attempt = Attempt {
            provider: Provider::OpenAi,
            reservation: Some(reservation.clone()),
            settlement,
            micros: cost,
            settled_at: now,
        };
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(attempt_item(&post, &reservation.id, &attempt)?))
            .build()
            .map_err(build)?;
        items.push(TransactWriteItem::builder().put(put).build());
        self.transact_patiently(doing, items).await
    }

    /// Counts what was paid for something that nothing was reserved for. `id` is what was paid for: the same counts
    /// once, and false is the answer to the second time.
    pub async fn charge(
        &self,
        post: &PostId,
        provider: Provider,
        id: &str,
        cost: Micros,
        date: Date,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let doing = "count a cost";
        only_real(post, doing)?;
        let build = |e: BuildError| Error::Refused(doing, e.to_string());
        let attempt = Attempt {
            provider,
            reservation: None,
            settlement: Settlement::Spent,
            micros: cost,
            settled_at: now,
        };
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(attempt_item(post, id, &attempt)?))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(build)?;
        let mut items = vec![TransactWriteItem::builder().put(put).build()];
        for sk in [day_key(date), month_key(date)] {
            let update = Update::builder()
                .table_name(&self.name)
                .set_key(Some(key(settings(&post.bot), sk)))
                .update_expression("ADD committed :cost, #provider :cost")
                .expression_attribute_names("#provider", provider.attribute())
                .expression_attribute_values(":cost", number(cost.0))
                .build()
                .map_err(build)?;
            items.push(TransactWriteItem::builder().update(update).build());
        }
        self.transact_patiently(doing, items).await
    }

    /// The reservation with this name, if it is not settled yet.
    pub async fn reservation(&self, bot: &str, id: &str) -> Result<Option<Reservation>, Error> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(reservation_key(bot, id)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| failed("read a reservation", e))?;
        answer
            .item
            .map(|item| {
                serde_dynamo::from_item(item)
                    .map_err(|e| Error::Unreadable(format!("{} {id}", open(bot)), e))
            })
            .transpose()
    }

    /// What a bot has reserved and not settled. One that cannot be read does not hide the others.
    pub async fn reservations(&self, bot: &str) -> Result<Vec<Result<Reservation, Error>>, Error> {
        let items = self
            .items("read the reservations", open(bot), "reserved#")
            .await?;
        let read = |(sk, item)| {
            serde_dynamo::from_item(item)
                .map_err(|e| Error::Unreadable(format!("{} {sk}", open(bot)), e))
        };
        Ok(items.into_iter().map(read).collect())
    }

    /// What a bot has reserved and spent in the month of a date.
    pub async fn spending(&self, bot: &str, date: Date) -> Result<Month, Error> {
        let month_key = month_key(date);
        let items = self
            .items("read the spending", settings(bot), &month_key)
            .await?;
        let mut month = Month::default();
        for (sk, item) in items {
            let spending: Spending = serde_dynamo::from_item(item)
                .map_err(|e| Error::Unreadable(format!("{} {sk}", settings(bot)), e))?;
            if sk == month_key {
                month.total = spending;
            } else if let Some(day) = sk.strip_prefix("budget#").and_then(|day| day.parse().ok()) {
                month.days.push((day, spending));
            }
        }
        Ok(month)
    }

    /// The settled calls of a post.
    pub async fn attempts(&self, post: &PostId) -> Result<Vec<Attempt>, Error> {
        let prefix = format!("{}#attempt#", post.sort_key());
        let items = self
            .items("read the attempts", post.partition_key(), &prefix)
            .await?;
        let mut attempts: Vec<Attempt> = items
            .into_iter()
            .map(|(sk, item)| {
                serde_dynamo::from_item(item)
                    .map_err(|e| Error::Unreadable(format!("{post} {sk}"), e))
            })
            .collect::<Result<_, Error>>()?;
        attempts.sort_by_key(|attempt| attempt.settled_at);
        Ok(attempts)
    }

    /// As [`Table::transact`], for items that everybody writes to.
    async fn transact_patiently(
        &self,
        doing: &'static str,
        items: Vec<TransactWriteItem>,
    ) -> Result<bool, Error> {
        let mut tried = self.transact(doing, items.clone()).await;
        for _ in 0..3 {
            if !matches!(&tried, Err(Error::Unavailable(..))) {
                break;
            }
            tried = self.transact(doing, items.clone()).await;
        }
        tried
    }
}

/// Why there is no room for a reservation.
fn over(reservation: &Reservation, month: &Month, caps: Caps, day_is_full: bool) -> String {
    let of_day = month
        .days
        .iter()
        .find(|(date, _)| *date == reservation.date)
        .map_or_else(Spending::default, |(_, spending)| *spending);
    let (name, cap, spending) = match day_is_full {
        true => ("per_day_usd", caps.per_day, of_day),
        false => ("per_month_usd", caps.per_month, month.total),
    };
    let period = match day_is_full {
        true => format!("on {}", reservation.date),
        false => format!("in {}", reservation.date.strftime("%Y-%m")),
    };
    let spent = Micros(spending.openai.0 + spending.x.0);
    format!(
        "a picture may cost {}, and of {name} = {cap} {spent} are spent and {} reserved {period}",
        reservation.micros, spending.reserved
    )
}

fn day_key(date: Date) -> String {
    format!("budget#{date}")
}

fn month_key(date: Date) -> String {
    format!("budget#{}", date.strftime("%Y-%m"))
}

fn reservation_key(bot: &str, id: &str) -> HashMap<String, AttributeValue> {
    key(open(bot), format!("reserved#{id}"))
}

fn attempt_item(
    post: &PostId,
    id: &str,
    attempt: &Attempt,
) -> Result<HashMap<String, AttributeValue>, Error> {
    let mut item: HashMap<String, AttributeValue> =
        serde_dynamo::to_item(attempt).map_err(|e| Error::Unreadable(post.to_string(), e))?;
    item.extend(key(
        post.partition_key(),
        format!("{}#attempt#{id}", post.sort_key()),
    ));
    // For whoever reads the table by hand.
    item.insert("post".to_owned(), text(post.to_string()));
    Ok(item)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_rounded_up_and_shown_as_it_is() {
        let shown = |usd: f64| Micros::from_usd(usd).to_string();
        assert_eq!(Micros::from_usd(0.05), Micros(50_000));
        assert_eq!(Micros::from_usd(0.0000001), Micros(1));
        assert_eq!(Micros::from_usd(0.1 + 0.2), Micros(300_000));
        assert_eq!(shown(1.0), "$1.00");
        assert_eq!(shown(0.013), "$0.013");
        assert_eq!(shown(12.5), "$12.50");
        assert_eq!(Micros(-1_500_000).to_string(), "-$1.50");
        assert_eq!(Micros(1).to_string(), "$0.000001");
    }
}
