//! `spooky override`, and what it shares with `spooky skip`.

use anyhow::ensure;
use bot_files::SlotOverride;
use clap::Args;
use deployment::operations::{OverrideSet, apply_override, undo_override};
use post::PostId;
use serde_json::json;

use crate::{
    args::{OperatorArgs, operator},
    target::Target,
    terminal::print,
};

/// Override an upcoming slot's observance, scene or caption.
#[derive(Debug, Args)]
pub struct Override {
    /// The post, bot/date/slot.
    post: PostId,
    /// Another observance, spelled as it is to appear.
    #[arg(long, required_unless_present_any = ["scene", "caption", "undo"], conflicts_with = "undo")]
    day: Option<String>,
    /// What the picture shows.
    #[arg(long, conflicts_with = "undo")]
    scene: Option<String>,
    /// The caption, instead of one from the templates of bot.toml.
    #[arg(long, conflicts_with = "undo")]
    caption: Option<String>,
    /// The reason, for the audit trail.
    #[arg(long)]
    reason: Option<String>,
    /// Remove the override of the slot.
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    operator: OperatorArgs,
}

impl Override {
    pub(crate) async fn run(self, target: &Target) -> anyhow::Result<()> {
        for (option, text) in [
            ("--day", &self.day),
            ("--scene", &self.scene),
            ("--caption", &self.caption),
        ] {
            ensure!(
                text.as_ref().is_none_or(|text| !text.trim().is_empty()),
                "{option} is empty: give a text, or omit the option"
            );
        }
        let wish = (!self.undo).then_some(SlotOverride::Texts {
            name: self.day,
            scene: self.scene,
            caption: self.caption,
        });
        set_or_undo(target, &self.post, wish, self.reason, &self.operator).await
    }
}

/// Sets the override of a slot, or removes it.
pub(super) async fn set_or_undo(
    target: &Target,
    post: &PostId,
    wish: Option<SlotOverride>,
    reason: Option<String>,
    args: &OperatorArgs,
) -> anyhow::Result<()> {
    let operator = operator(&args.by, reason)?;
    let deployment = target.deployment().await?;
    let Some(wish) = wish else {
        let gets = undo_override(&deployment, post, &operator).await?;
        return match args.json {
            true => print(
                &json!({"post": post.to_string(), "override": null, "gets": gets}).to_string(),
            ),
            false => print(&format!(
                "{post} has no override any more; the calendar says: {gets}"
            )),
        };
    };
    let set = apply_override(&deployment, post, wish, &operator).await?;
    match args.json {
        true => print(
            &json!({"post": post.to_string(), "override": set.stored, "gets": set.gets})
                .to_string(),
        ),
        false => print(&summary(post, &set, &operator.by)),
    }
}

fn summary(post: &PostId, set: &OverrideSet, by: &str) -> String {
    let line = format!("{post}: {} (set by {by})", set.gets);
    if set.had_run {
        format!("{line}\nits run has ended; type `spooky run --again {post} --reason …` to use it")
    } else if !set.is_scheduled {
        format!(
            "{line}\nno schedule starts {post}; type `spooky run --date {} --slot {}` to use it",
            post.date, post.slot
        )
    } else {
        line
    }
}
