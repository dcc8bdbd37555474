//! `spooky costs`.

use anyhow::Context;
use clap::Args;
use jiff::{Timestamp, civil::Date};
use posts_table::{Micros, Spending};
use serde_json::{Value, json};

use deployment::BotFiles;

use crate::{args::BotArg, target::Target, terminal::print};

/// Show what a month has cost and reserved, by day and provider, and what the caps leave.
#[derive(Debug, Args)]
pub struct Costs {
    #[command(flatten)]
    bot: BotArg,
    /// The month, such as 2026-11 [default: the current month in the bot's time zone].
    #[arg(long, value_parser = month)]
    month: Option<Date>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// The first day of a month.
fn month(text: &str) -> Result<Date, String> {
    format!("{text}-01")
        .parse()
        .ok()
        .filter(|_| text.len() == 7)
        .ok_or_else(|| "write a year and a month, such as 2026-11".to_owned())
}

impl Costs {
    pub(crate) async fn run(self, target: &Target) -> anyhow::Result<()> {
        let deployment = target.deployment().await?;
        let bot = &self.bot.bot;
        let files = BotFiles::deployed(&deployment, bot).await?;
        let zone = files.bot.time_zone().clone();
        let today = Timestamp::now().to_zoned_datetime(zone).date();
        let month = self.month.unwrap_or(today);
        let spending = deployment.table.spending(bot, month).await?;
        let money = files.bot.money;
        let name = month.strftime("%Y-%m").to_string();
        let this_month = (month.year(), month.month()) == (today.year(), today.month());
        let of_today = spending
            .days
            .iter()
            .find(|(date, _)| *date == today)
            .map_or_else(Spending::default, |(_, spending)| *spending);
        let left = |cap: i64, spending: Spending| Micros((cap - spending.committed.0).max(0));
        let left_in_month = left(money.per_month_micros, spending.total);
        let left_today = left(money.per_day_micros, of_today).min(left_in_month);
        if self.json {
            let days: Vec<Value> = spending
                .days
                .iter()
                .map(|(date, spending)| with(json!({"date": date.to_string()}), *spending))
                .collect();
            let mut answer = with(json!({"bot": bot, "month": name}), spending.total);
            answer["days"] = json!(days);
            answer["perDayUsd"] = json!(Micros(money.per_day_micros).usd());
            answer["perMonthUsd"] = json!(Micros(money.per_month_micros).usd());
            answer["leftTodayUsd"] = json!(this_month.then(|| left_today.usd()));
            answer["leftInMonthUsd"] = json!(left_in_month.usd());
            return print(&answer.to_string());
        }
        let row = |name: &str, spending: Spending| {
            let [openai, x, reserved, all] = [
                spending.openai,
                spending.x,
                spending.reserved,
                spending.committed,
            ]
            .map(|amount| amount.to_string());
            format!("{name:<10}  {openai:>11}  {x:>9}  {reserved:>11}  {all:>11}")
        };
        let mut lines = vec![format!(
            "{:<10}  {:>11}  {:>9}  {:>11}  {:>11}",
            name, "OpenAI", "X", "reserved", "total"
        )];
        for (date, spending) in &spending.days {
            lines.push(row(&date.to_string(), *spending));
        }
        lines.push(row("total", spending.total));
        lines.push(format!(
            "{left_in_month} of {} are left in {name}",
            Micros(money.per_month_micros)
        ));
        if this_month {
            lines.push(format!(
                "{left_today} of {} are left today",
                Micros(money.per_day_micros)
            ));
        }
        for line in lines {
            print(&line)?;
        }
        let open = deployment.table.reservations(bot).await?;
        for reservation in open {
            let reservation = reservation.context("reading the reservations")?;
            print(&format!(
                "{} are reserved for a picture of {} since {}; the watchdog counts an unsettled reservation in full after 15 minutes",
                reservation.micros, reservation.post, reservation.at
            ))?;
        }
        Ok(())
    }
}

/// An object with the amounts of a spending.
fn with(mut object: Value, spending: Spending) -> Value {
    object["openaiUsd"] = json!(spending.openai.usd());
    object["xUsd"] = json!(spending.x.usd());
    object["reservedUsd"] = json!(spending.reserved.usd());
    object["committedUsd"] = json!(spending.committed.usd());
    object
}
