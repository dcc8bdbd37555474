//! `spooky preview`.

use anyhow::{Context, bail};
use bot_files::{Observance, Pick};
use clap::Args;
use jiff::{ToSpan, civil::Date};
use serde_json::json;

use deployment::BotFiles;

use super::preview_page::{self as page, Cell, Post};
use crate::{
    args::BotArg,
    files::bots_directory,
    terminal::{Progress, print},
};

/// Show what a post will look like, or a month of them; needs no network and starts nothing.
#[derive(Debug, Args)]
pub struct Preview {
    #[command(flatten)]
    bot: BotArg,
    /// The date; today in the bot's time zone without it.
    #[arg(long, value_parser = crate::args::date)]
    date: Option<Date>,
    /// The number of the date's post.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    slot: u32,
    /// A whole month instead, like 2026-10, with the posts of every slot.
    #[arg(long, value_parser = month, conflicts_with_all = ["date", "slot", "json"])]
    month: Option<Date>,
    /// Answer with one JSON object.
    #[arg(long)]
    json: bool,
}

/// The first date of a month like 2026-10.
fn month(text: &str) -> Result<Date, String> {
    format!("{text}-01")
        .parse()
        .map_err(|_| "write year and month, like 2026-10".to_owned())
}

/// The input of build-prompt for a post.
pub(crate) fn input(
    bot: &str,
    files: &BotFiles,
    date: Date,
    slot: u32,
    day: Observance,
) -> build_prompt::Input {
    build_prompt::Input {
        post: format!("{bot}/{date}/{slot}"),
        date: date.to_string(),
        name: day.name,
        scene: day.scene,
        caption: day.caption,
        voice: files.bot.voice.clone(),
        ..build_prompt::Input::default()
    }
}

impl Preview {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let files = BotFiles::from_folder(&bots_directory(), &self.bot.bot)?;
        match self.month {
            Some(first) => self.month(&files, first),
            None => self.post(&files),
        }
    }

    /// One post: its texts here, and its page.
    fn post(&self, files: &BotFiles) -> anyhow::Result<()> {
        let date = self.date.unwrap_or_else(|| files.today());
        let post = match self.cell(files, date, self.slot, 1024)? {
            Cell::Post(post) => post,
            Cell::Nothing(reason) => bail!(
                "nothing will be posted for {}/{date}/{}: {reason}",
                self.bot.bot,
                self.slot
            ),
        };
        let page = self.save(
            &format!("{date}-{}", self.slot),
            &page::post(&self.bot.bot, &post),
        )?;
        if self.json {
            return print(
                &json!({
                    "postId": post.id,
                    "day": post.name,
                    "prompt": post.texts.prompt,
                    "caption": post.texts.caption,
                    "weightedLength": post.length(),
                    "altText": post.texts.alt_text,
                    "origin": post.origin,
                    "page": page,
                })
                .to_string(),
            );
        }
        print(&format!(
            "{}: {} ({})\n\nCaption ({} of {}):\n{}\n\nAlt text:\n{}\n\nPrompt:\n{}\n\nPage: {page}",
            post.id,
            post.name,
            post.origin,
            post.length(),
            post_text::MAX_WEIGHTED_LENGTH,
            post.texts.caption,
            post.texts.alt_text,
            post.texts.prompt
        ))
    }

    fn month(&self, files: &BotFiles, first: Date) -> anyhow::Result<()> {
        let progress = Progress::new();
        progress.step("painting the month");
        let mut dates = Vec::new();
        for date in first
            .series(1.day())
            .take_while(|date| date.month() == first.month())
        {
            let mut cells = Vec::new();
            for (number, slot) in (1..).zip(&files.bot.slots) {
                if slot.weekdays.contains(&date.weekday()) {
                    cells.push(self.cell(files, date, number, 512)?);
                }
            }
            dates.push((date, cells));
        }
        drop(progress);
        let posts = dates.iter().flat_map(|(_, cells)| cells);
        let posts = posts.filter(|cell| matches!(cell, Cell::Post(_))).count();
        let month = first.strftime("%Y-%m").to_string();
        let page = self.save(&month, &page::month(&self.bot.bot, &dates))?;
        print(&format!("{month}: {posts} posts\nPage: {page}"))
    }

    /// What a slot posts, with a picture of this size from the fake for OpenAI.
    fn cell(&self, files: &BotFiles, date: Date, slot: u32, side: u32) -> anyhow::Result<Cell> {
        let day = match files.calendar.pick(date, slot) {
            Pick::Observance(day) => day,
            Pick::Nothing { reason, .. } => return Ok(Cell::Nothing(reason)),
        };
        let input = input(&self.bot.bot, files, date, slot, day);
        let texts = build_prompt::build_prompt(&input)?;
        Ok(Cell::Post(Box::new(Post {
            picture: fakes::paint_jpeg(&texts.prompt, side, side)?,
            origin: files.calendar.origin(date, slot).unwrap_or_default(),
            id: input.post,
            name: input.name,
            texts,
        })))
    }

    /// Saves a page and returns its path.
    fn save(&self, name: &str, page: &str) -> anyhow::Result<String> {
        let directory = local_cloud::target_directory().join("preview");
        std::fs::create_dir_all(&directory)?;
        let path = directory
            .canonicalize()?
            .join(format!("{}-{name}.html", self.bot.bot));
        std::fs::write(&path, page).with_context(|| format!("writing {}", path.display()))?;
        Ok(path.display().to_string())
    }
}
