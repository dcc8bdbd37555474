//! Whether the caps leave enough for another picture.

use deployment::{BotFiles, Deployment};
use posts_table::{Micros, prices};
use probes::Check;

pub(super) async fn check(
    deployment: &Deployment,
    bot: &str,
    files: &BotFiles,
) -> anyhow::Result<Vec<Check>> {
    let today = files.today();
    let spending = deployment.table.spending(bot, today).await?;
    let of_today = spending.days.iter().find(|(date, _)| *date == today);
    let of_today = of_today.map_or(Micros(0), |(_, spending)| spending.committed);
    let caps = files.bot.money;
    let left_today = caps.per_day_micros - of_today.0;
    let left_in_month = caps.per_month_micros - spending.total.committed.0;
    let left = Micros(left_today.min(left_in_month).max(0));
    let picture = &files.bot.picture;
    let picture = prices::max_picture_usd(&picture.size, &picture.quality, "");
    let picture = Micros::from_usd(picture);
    let message = format!("{left} are left today, and a picture costs up to {picture}");
    Ok(vec![match left >= picture {
        true => Check::ok("budget", message),
        false => Check::warn(
            "budget",
            message,
            "no picture is generated until tomorrow or next month; if the cap is too low, raise [money] in bot.toml \
             and deploy; `spooky costs` shows what was spent",
        ),
    }])
}
