//! The money: what may be spent, what is reserved, and what was spent.
//!
//! A reservation counts before the call, at the most that the call can cost. It is settled with the real cost, or with
//! all of it if the cost is unknown. So what is committed is never less than what was spent.

use std::fmt;

use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem, Update, builders::UpdateBuilder};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use post::PostId;
use serde::{Deserialize, Serialize};

use crate::{
    Error, Table,
    item::{
        Item, attempt_key, from_item, key, number, open, reservation_key, settings, sort_key, text,
        to_item,
    },
    operator::only_real,
};

/// How often a reservation is attempted: all slots of a bot write to the items of its day and its month.
const ATTEMPTS: u32 = 20;

/// An amount of money, in millionths of a US dollar.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Micros(pub i64);

impl Micros {
    /// An amount in US dollars, rounded up; not a number is nothing.
    pub fn from_usd(usd: f64) -> Micros {
        // For amounts of this size, a float is exact enough to be rounded up.
        Micros((usd * 1_000_000.0 - 1e-6).ceil() as i64)
    }

    /// In US dollars.
    pub fn usd(self) -> f64 {
        self.0 as f64 / 1_000_000.0
    }
}

impl fmt::Display for Micros {
    /// Such as `$1.05`, with as many digits as are needed.
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
    /// On a local day.
    #[serde(rename = "perDayMicros")]
    pub per_day: Micros,
    /// In a local month.
    #[serde(rename = "perMonthMicros")]
    pub per_month: Micros,
}

impl Default for Caps {
    /// The caps of a bot that sets none: a dollar a day, ten a month.
    fn default() -> Caps {
        Caps {
            per_day: Micros(1_000_000),
            per_month: Micros(10_000_000),
        }
    }
}

/// A provider that is paid.
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

/// Money that is reserved for one call and not settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    /// The post, `bot/date/slot`.
    pub post: String,
    /// Its name, unique among the calls of the bot.
    pub id: String,
    /// Which picture of the post, from 1.
    pub round: u32,
    /// The bot's local date on which it was made, to which the money is counted.
    pub date: Date,
    /// The most that the call can cost.
    pub micros: Micros,
    /// When it was made.
    pub at: Timestamp,
}

/// The answer to an attempt to reserve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// The call may be made.
    Yes(Reservation),
    /// It could exceed a cap; with the amounts, for people.
    OverBudget(String),
}

/// How a call ended for which money was reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Settlement {
    /// It cost this much.
    Spent,
    /// It certainly cost nothing.
    Released,
    /// Its cost is unknown, so all of the reservation counts.
    Unknown,
}

/// A paid call that was settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// The provider that was paid.
    pub provider: Provider,
    /// The reservation, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reservation: Option<Reservation>,
    /// How it was settled.
    pub settlement: Settlement,
    /// The amount that counts.
    pub micros: Micros,
    /// When it was settled.
    pub settled_at: Timestamp,
}

/// What was spent on a day, or in a month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Spending {
    /// What counts against the cap: all of the amounts below.
    pub committed: Micros,
    /// Paid to OpenAI.
    pub openai: Micros,
    /// Paid to X.
    pub x: Micros,
    /// Reserved and not settled.
    pub reserved: Micros,
}

/// The spending of a month.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Month {
    /// All of its days.
    pub total: Spending,
    /// The days with reservations or spending, in order.
    pub days: Vec<(Date, Spending)>,
}

impl Reservation {
    fn post_id(&self) -> Result<PostId, Error> {
        self.post
            .parse()
            .map_err(|e| Error::InvalidPost("of a reservation", e))
    }
}

impl Table {
    /// Reserves the most that a call can cost, if that stays within the caps in the same transaction. `id` is a name
    /// that no other call has. The money counts to the local date in `zone`.
    #[expect(clippy::too_many_arguments, reason = "all of it is stored")]
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
        let reservation = Reservation {
            post: post.to_string(),
            id: id.to_owned(),
            round,
            date: now.to_zoned_datetime(zone.clone()).date(),
            micros,
            at: now,
        };
        let put = Put::builder()
            .set_item(Some(to_item(&reservation, reservation_key(&post.bot, id))?))
            .condition_expression("attribute_not_exists(pk)");
        let [day, month] = budget_keys(&post.bot, reservation.date);
        let items = vec![
            self.update_in(doing, reserved_in(day, micros, caps.per_day))?,
            self.update_in(doing, reserved_in(month, micros, caps.per_month))?,
            self.put_in(doing, put)?,
        ];
        let transaction = self.transact_repeatedly(doing, ATTEMPTS, items);
        let Some(refusal) = transaction.await? else {
            return Ok(Reserved::Yes(reservation));
        };
        let day_is_full = refusal.is_of(0);
        if !day_is_full && !refusal.is_of(1) {
            let why = format!("a reservation {id} exists");
            return Err(Error::NotAllowed(doing, why));
        }
        let month = self.spending(&post.bot, reservation.date).await?;
        let why = over(&reservation, &month, caps, day_is_full);
        Ok(Reserved::OverBudget(why))
    }

    /// Settles a reservation with the cost of the call. Returns false if it was settled before.
    pub async fn settle(
        &self,
        reservation: &Reservation,
        settlement: Settlement,
        cost: Micros,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let doing = "settle a reservation";
        let post = reservation.post_id()?;
        let cost = match settlement {
            Settlement::Spent => cost,
            Settlement::Released => Micros(0),
            Settlement::Unknown => reservation.micros,
        };
        let delete = Delete::builder()
            .set_key(Some(reservation_key(&post.bot, &reservation.id)))
            .condition_expression("attribute_exists(pk)");
        let mut items = vec![self.delete_in(doing, delete)?];
        for key in budget_keys(&post.bot, reservation.date) {
            let update = Update::builder()
                .set_key(Some(key))
                .update_expression("ADD committed :change, openai :cost, reserved :back")
                .expression_attribute_values(":change", number(cost.0 - reservation.micros.0))
                .expression_attribute_values(":cost", number(cost.0))
                .expression_attribute_values(":back", number(-reservation.micros.0));
            items.push(self.update_in(doing, update)?);
        }
        let attempt = Attempt {
            provider: Provider::OpenAi,
            reservation: Some(reservation.clone()),
            settlement,
            micros: cost,
            settled_at: now,
        };
        let item = attempt_item(&post, &reservation.id, &attempt)?;
        items.push(self.put_item_in(doing, item)?);
        self.transact_patiently(doing, items).await
    }

    /// Counts a cost for which nothing was reserved. `id` names what was paid for, which counts once: false is the
    /// answer to the second time.
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
        let attempt = Attempt {
            provider,
            reservation: None,
            settlement: Settlement::Spent,
            micros: cost,
            settled_at: now,
        };
        let put = Put::builder()
            .set_item(Some(attempt_item(post, id, &attempt)?))
            .condition_expression("attribute_not_exists(pk)");
        let mut items = vec![self.put_in(doing, put)?];
        for key in budget_keys(&post.bot, date) {
            let update = Update::builder()
                .set_key(Some(key))
                .update_expression("ADD committed :cost, #provider :cost")
                .expression_attribute_names("#provider", provider.attribute())
                .expression_attribute_values(":cost", number(cost.0));
            items.push(self.update_in(doing, update)?);
        }
        self.transact_patiently(doing, items).await
    }

    /// The reservation with this name, if it is not settled.
    pub async fn reservation(&self, bot: &str, id: &str) -> Result<Option<Reservation>, Error> {
        let item = self.get("read a reservation", reservation_key(bot, id));
        item.await?.map(from_item).transpose()
    }

    /// The reservations of a bot that are not settled. One that cannot be read does not hide the others.
    pub async fn reservations(&self, bot: &str) -> Result<Vec<Result<Reservation, Error>>, Error> {
        let items = self.query("read the reservations", open(bot), "reserved#");
        Ok(items.await?.into_iter().map(from_item).collect())
    }

    /// What a bot has reserved and spent in the month of a date.
    pub async fn spending(&self, bot: &str, date: Date) -> Result<Month, Error> {
        let of_month = month_key(date);
        let items = self.query("read the spending", settings(bot), &of_month);
        let mut month = Month::default();
        for item in items.await? {
            let of_day = sort_key(&item).strip_prefix("budget#").map(str::parse);
            let is_month = sort_key(&item) == of_month;
            let spending: Spending = from_item(item)?;
            match of_day {
                _ if is_month => month.total = spending,
                Some(Ok(day)) => month.days.push((day, spending)),
                _ => {}
            }
        }
        Ok(month)
    }

    /// The paid calls of a post that were settled.
    pub async fn attempts(&self, post: &PostId) -> Result<Vec<Attempt>, Error> {
        let prefix = format!("{}#attempt#", post.sort_key());
        let items = self.query("read the attempts", post.partition_key(), &prefix);
        let attempts = items.await?.into_iter().map(from_item);
        let mut attempts: Vec<Attempt> = attempts.collect::<Result<_, _>>()?;
        attempts.sort_by_key(|attempt| attempt.settled_at);
        Ok(attempts)
    }

    /// As [`Table::transact`], with more attempts: all slots of a bot write to these items, and the money is spent.
    async fn transact_patiently(
        &self,
        doing: &'static str,
        items: Vec<TransactWriteItem>,
    ) -> Result<bool, Error> {
        let mut tried = self.transact(doing, items.clone()).await;
        for _ in 0..3 {
            match &tried {
                Err(error) if error.is_transient() => {
                    tried = self.transact(doing, items.clone()).await;
                }
                _ => break,
            }
        }
        Ok(tried?.is_none())
    }
}

/// Adds a reservation to a day or a month, if it has room for it.
fn reserved_in(key: Item, micros: Micros, cap: Micros) -> UpdateBuilder {
    Update::builder()
        .set_key(Some(key))
        .update_expression("ADD committed :amount, reserved :amount")
        // A cap that is smaller than the amount has no room, not even on a day without an item.
        .condition_expression(match micros <= cap {
            true => "attribute_not_exists(committed) OR committed <= :room",
            false => "committed < :room AND committed > :room",
        })
        .expression_attribute_values(":amount", number(micros.0))
        .expression_attribute_values(":room", number(cap.0 - micros.0))
}

/// Why a reservation has no room under a cap, for people.
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

/// The keys of the budgets of a date: its day and its month.
fn budget_keys(bot: &str, date: Date) -> [Item; 2] {
    [day_key(date), month_key(date)].map(|sort_key| key(settings(bot), sort_key))
}

fn day_key(date: Date) -> String {
    format!("budget#{date}")
}

fn month_key(date: Date) -> String {
    format!("budget#{}", date.strftime("%Y-%m"))
}

fn attempt_item(post: &PostId, id: &str, attempt: &Attempt) -> Result<Item, Error> {
    let mut item = to_item(attempt, attempt_key(post, id))?;
    // For an operator who reads the table directly.
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
