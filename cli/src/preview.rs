//! `spooky preview`.

use anyhow::bail;
use bot_files::Pick;
use clap::Args;
use jiff::civil::Date;
use serde_json::json;

use crate::{Files, Which, say};

/// Show the texts of a post; needs no network and starts nothing.
#[derive(Debug, Args)]
pub struct Preview {
    #[command(flatten)]
    which: Which,
    /// The date; today in the bot's time zone without it.
    #[arg(long)]
    date: Option<Date>,
    /// Which of the date's posts.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    slot: u32,
    /// Answer with one JSON object.
    #[arg(long)]
    json: bool,
}

impl Preview {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let files = Files::read(&self.which.bot)?;
        let date = self.date.unwrap_or_else(|| files.today());
        let post = format!("{}/{date}/{}", self.which.bot, self.slot);
        let day = match files.calendar.pick(date, self.slot) {
            Pick::Day(day) => day,
            Pick::Nothing { reason } => bail!("nothing will be posted for {post}: {reason}"),
        };
        let texts = build_prompt::build_prompt(&build_prompt::Input {
            post: post.clone(),
            date: date.to_string(),
            name: day.name.clone(),
            scene: day.scene,
            caption: day.caption,
            voice: files.bot.voice,
            softness: None,
            round: None,
            note: None,
        })?;
        let length = post_text::weighted_length(&texts.caption);
        if self.json {
            return say(&json!({
                "postId": post,
                "day": day.name,
                "prompt": texts.prompt,
                "caption": texts.caption,
                "weightedLength": length,
                "altText": texts.alt_text,
            })
            .to_string());
        }
        say(&format!(
            "{post}: {}\n\nCaption ({length} of {}):\n{}\n\nAlt text:\n{}\n\nPrompt:\n{}",
            day.name,
            post_text::MAX_WEIGHTED_LENGTH,
            texts.caption,
            texts.alt_text,
            texts.prompt
        ))
    }
}
