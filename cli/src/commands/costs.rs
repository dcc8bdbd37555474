//! `spooky costs`.

use anyhow::Context;
use bot_files::Money;
use clap::Args;
use jiff::civil::Date;
use posts_table::{Micros, Month, Spending};
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
        let today = files.today();
        let month = self.month.unwrap_or(today);
        let spending = deployment.table.spending(bot, month).await?;
        let left = Left::of(&spending, &files.bot.money, month, today);
        if self.json {
            return print(&to_json(bot, month, &spending, &files.bot.money, &left).to_string());
        }
        print(&table(month, &spending, &files.bot.money, &left))?;
        for reservation in deployment.table.reservations(bot).await? {
            let reservation = reservation.context("reading the reservations")?;
            print(&format!(
                "{} are reserved for a picture of {} since {}; the watchdog counts an unsettled reservation in full after 15 minutes",
                reservation.micros, reservation.post, reservation.at
            ))?;
        }
        Ok(())
    }
}

/// What the caps leave.
struct Left {
    in_month: Micros,
    /// `None` for another month than the current one.
    today: Option<Micros>,
}

impl Left {
    fn of(spending: &Month, caps: &Money, month: Date, today: Date) -> Left {
        let left = |cap: i64, spending: Spending| Micros((cap - spending.committed.0).max(0));
        let in_month = left(caps.per_month_micros, spending.total);
        let of_today = spending.days.iter().find(|(date, _)| *date == today);
        let of_today = of_today.map_or_else(Spending::default, |(_, spending)| *spending);
        let is_this_month = (month.year(), month.month()) == (today.year(), today.month());
        Left {
            in_month,
            today: is_this_month.then(|| left(caps.per_day_micros, of_today).min(in_month)),
        }
    }
}

fn to_json(bot: &str, month: Date, spending: &Month, caps: &Money, left: &Left) -> Value {
    let days: Vec<Value> = spending
        .days
        .iter()
        .map(|(date, spending)| with(json!({"date": date.to_string()}), *spending))
        .collect();
    let month = month.strftime("%Y-%m").to_string();
    let mut json = with(json!({"bot": bot, "month": month}), spending.total);
    json["days"] = json!(days);
    json["perDayUsd"] = json!(Micros(caps.per_day_micros).usd());
    json["perMonthUsd"] = json!(Micros(caps.per_month_micros).usd());
    json["leftTodayUsd"] = json!(left.today.map(Micros::usd));
    json["leftInMonthUsd"] = json!(left.in_month.usd());
    json
}

fn table(month: Date, spending: &Month, caps: &Money, left: &Left) -> String {
    let row = |name: &str, spending: Spending| {
        let [openai, x, reserved, total] = [
            spending.openai,
            spending.x,
            spending.reserved,
            spending.committed,
        ]
        .map(|amount| amount.to_string());
        format!("{name:<10}  {openai:>11}  {x:>9}  {reserved:>11}  {total:>11}")
    };
    let month = month.strftime("%Y-%m").to_string();
    let mut lines = vec![format!(
        "{month:<10}  {:>11}  {:>9}  {:>11}  {:>11}",
        "OpenAI", "X", "reserved", "total"
    )];
    for (date, spending) in &spending.days {
        lines.push(row(&date.to_string(), *spending));
    }
    lines.push(row("total", spending.total));
    let cap = Micros(caps.per_month_micros);
    lines.push(format!("{} of {cap} are left in {month}", left.in_month));
    if let Some(today) = left.today {
        let cap = Micros(caps.per_day_micros);
        lines.push(format!("{today} of {cap} are left today"));
    }
    lines.join("\n")
}

/// An object with the amounts of a spending.
fn with(mut object: Value, spending: Spending) -> Value {
    object["openaiUsd"] = json!(spending.openai.usd());
    object["xUsd"] = json!(spending.x.usd());
    object["reservedUsd"] = json!(spending.reserved.usd());
    object["committedUsd"] = json!(spending.committed.usd());
    object
}
