//! `spooky calendar`.

use std::{collections::BTreeSet, ops::RangeInclusive, path::PathBuf};

use anyhow::{Context, ensure};
use bot_files::{Count, Pick, Voice};
use clap::{Args, Subcommand};
use jiff::{ToSpan, civil::Date};
use post_text::{MAX_ALT_TEXT, MAX_WEIGHTED_LENGTH, check_caption, weighted_length};

use deployment::BotFiles;

use super::{preview, schedules};
use crate::{args::BotArg, files::bots_directory, terminal::print};

/// The years that `check` covers: all that a calendar is likely to be planned for, and a few past ones.
const YEARS: RangeInclusive<i16> = 2024..=2040;

/// List upcoming posts, check the bot's files, import an old calendar.
#[derive(Debug, Subcommand)]
pub enum Calendar {
    /// List upcoming observances, and where each comes from.
    Preview(Preview),
    /// Check bot.toml and calendar.toml for every date from 2024 to 2040, and print counts.
    Check(BotArg),
    /// List the slots of the coming year that unintentionally have nothing to post.
    Gaps(BotArg),
    /// Check the files, and write generated/schedules.json, which a deployment reads.
    Schedules(BotArg),
    /// Turn an old calendar, {"january": {"1": ["…"]}}, into a calendar.toml on standard output.
    Import(Import),
}

/// List upcoming observances, and where each comes from.
#[derive(Debug, Args)]
pub struct Preview {
    #[command(flatten)]
    bot: BotArg,
    /// The first date; today in the bot's time zone without it.
    #[arg(long, value_parser = crate::args::date)]
    from: Option<Date>,
    /// How many dates.
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u16).range(1..=3660))]
    days: u16,
}

/// Turn an old calendar into a calendar.toml on standard output.
#[derive(Debug, Args)]
pub struct Import {
    /// The old calendar, a JSON file.
    file: PathBuf,
}

impl Calendar {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self {
            Calendar::Preview(preview) => preview.run(),
            Calendar::Check(which) => check(&which),
            Calendar::Gaps(which) => gaps(&which),
            Calendar::Schedules(which) => {
                check(&which)?;
                schedules::write(&which.bot)
            }
            Calendar::Import(import) => import.run(),
        }
    }
}

impl Preview {
    fn run(self) -> anyhow::Result<()> {
        let files = BotFiles::from_folder(&bots_directory(), &self.bot.bot)?;
        let from = self.from.unwrap_or_else(|| files.today());
        let line = |date: &str, slot: &str, what: &str, why: &str| {
            format!("{date:<14}  {slot:>4}  {what:<44}  {why}")
        };
        let mut lines = vec![line("DATE", "SLOT", "OBSERVANCE", "FROM")];
        for (date, slot) in slots(&files, from, self.days) {
            let (what, why) = match files.calendar.pick(date, slot) {
                Pick::Observance(observance) => {
                    (observance.name, files.calendar.origin(date, slot))
                }
                Pick::Nothing { reason, .. } => ("–".to_owned(), Some(reason)),
            };
            let weekday = date.strftime("%Y-%m-%d %a").to_string();
            let why = why.unwrap_or_default();
            lines.push(line(&weekday, &slot.to_string(), &what, &why));
        }
        if lines.len() == 1 {
            return print("No slot is due on these dates.");
        }
        print(&lines.join("\n"))
    }
}

impl Import {
    fn run(self) -> anyhow::Result<()> {
        let file = self.file.display().to_string();
        let json =
            std::fs::read_to_string(&self.file).with_context(|| format!("reading {file}"))?;
        print(bot_files::import(&file, &json)?.trim_end())
    }
}

/// The slots that are due from a date on, for so many dates.
pub(crate) fn slots(files: &BotFiles, from: Date, days: u16) -> impl Iterator<Item = (Date, u32)> {
    from.series(1.day())
        .take(usize::from(days))
        .flat_map(move |date| {
            let slots = files.bot.slots_on(date);
            slots.map(move |(number, _)| (date, number))
        })
}

fn gaps(which: &BotArg) -> anyhow::Result<()> {
    let files = BotFiles::from_folder(&bots_directory(), &which.bot)?;
    let (mut posts, mut silent) = (0, 0);
    let mut lines = Vec::new();
    for (date, slot) in slots(&files, files.today(), 365) {
        match files.calendar.pick(date, slot) {
            Pick::Observance(_) => posts += 1,
            Pick::Nothing { reason, .. } => {
                let usable = files.calendar.usable(date);
                if usable.is_some_and(|usable| usable < slot as usize) {
                    lines.push(format!("{date} slot {slot}: {reason}"));
                } else {
                    silent += 1;
                }
            }
        }
    }
    lines.push(format!(
        "A year from today: {posts} posts, {silent} intentionally silent slots, {} gaps.",
        lines.len()
    ));
    print(&lines.join("\n"))
}

fn check(which: &BotArg) -> anyhow::Result<()> {
    let files = BotFiles::from_folder(&bots_directory(), &which.bot)?;
    bot_files::check(&files.bot, &files.calendar, YEARS)?;
    let mut lines = vec![
        format!(
            "bots/{} is valid from {} to {}.\n",
            which.bot,
            YEARS.start(),
            YEARS.end()
        ),
        format!("{:<12}{:>8}{:>11}", "days", "usable", "sensitive"),
    ];
    let mut all = Count::default();
    for month in (1..=12).map(Some).chain([None]) {
        let count = files.calendar.count(month);
        let name = match month {
            Some(month) => Date::new(*YEARS.start(), month, 1)?
                .strftime("%B")
                .to_string(),
            None => "moving".to_owned(),
        };
        lines.push(format!(
            "{name:<12}{:>8}{:>11}",
            count.usable, count.sensitive
        ));
        all.usable += count.usable;
        all.sensitive += count.sensitive;
    }
    lines.push(format!(
        "{:<12}{:>8}{:>11}\n",
        "all", all.usable, all.sensitive
    ));
    let texts = Texts::check(which, &files)?;
    lines.push(format!(
        "{} dates: {} with three days or more, {} with two, {} with one, {} without, {} silent",
        texts.dates.iter().sum::<usize>(),
        texts.dates[3],
        texts.dates[2],
        texts.dates[1],
        texts.dates[0],
        texts.dates[4]
    ));
    lines.push(format!(
        "{} captions for {} days, the longest {} of {MAX_WEIGHTED_LENGTH}; the longest alt text {} of {MAX_ALT_TEXT}",
        texts.captions, texts.days, texts.longest_caption, texts.longest_alt_text
    ));
    print(&lines.join("\n"))
}

/// What the texts of all days came to.
#[derive(Default)]
struct Texts {
    /// Dates with no, one, two, three or more usable days, and silent dates.
    dates: [usize; 5],
    days: usize,
    captions: usize,
    longest_caption: usize,
    longest_alt_text: usize,
}

impl Texts {
    /// Writes the texts of each day of the years, with every caption template and at every level of softness.
    fn check(which: &BotArg, files: &BotFiles) -> anyhow::Result<Texts> {
        let mut texts = Texts::default();
        let mut seen = BTreeSet::new();
        let first = Date::new(*YEARS.start(), 1, 1)?;
        for date in first
            .series(1.day())
            .take_while(|date| date.year() <= *YEARS.end())
        {
            texts.dates[files.calendar.usable(date).map_or(4, |days| days.min(3))] += 1;
            for (slot, day) in (1..).zip(files.calendar.observances(date)) {
                if !seen.insert((day.name.clone(), day.scene.clone())) {
                    continue;
                }
                texts.days += 1;
                for template in &files.bot.voice.captions {
                    let caption = Voice::caption(template, &day.name, &[]);
                    texts.captions += 1;
                    // A template that is too long for a name is passed over.
                    if check_caption(&caption).is_ok() {
                        texts.longest_caption =
                            texts.longest_caption.max(weighted_length(&caption));
                    }
                }
                let own = day.caption.is_some();
                let mut input = preview::input(&which.bot, files, date, slot, day);
                for softness in 0..=2 {
                    input.softness = Some(softness);
                    let output = build_prompt::build_prompt(&input)?;
                    texts.longest_caption =
                        texts.longest_caption.max(weighted_length(&output.caption));
                    texts.longest_alt_text =
                        texts.longest_alt_text.max(output.alt_text.chars().count());
                    ensure!(
                        own || output.caption.contains(&input.name),
                        "the caption of {} on {date} spells it differently: {}",
                        input.name,
                        output.caption
                    );
                }
            }
        }
        Ok(texts)
    }
}
