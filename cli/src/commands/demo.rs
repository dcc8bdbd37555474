//! `spooky demo`.

use std::time::Duration;

use anyhow::{bail, ensure};
use bot_files::Pick;
use clap::Args;
use deployment::{BotFiles, Deployment, EndedExecution, ad_hoc};
use jiff::civil::Date;
use local_cloud::{Account, Emulator, Mails, Options, approve, build_functions, deploy};
use serde_json::{Value, json};

use crate::{
    args::BotArg,
    files::bots_directory,
    servers::{Providers, Servers},
    terminal::{Progress, print},
};

/// Run one slot from end to end on a fresh local cloud, show the post, and exit.
#[derive(Debug, Args)]
pub struct Demo {
    #[command(flatten)]
    bot: BotArg,
    /// The date [default: today in the bot's time zone].
    #[arg(long, value_parser = crate::args::date)]
    date: Option<Date>,
    /// The number of the date's post.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    slot: u32,
    /// Wait for your decision on the approval page, instead of approving automatically.
    #[arg(long)]
    approve: bool,
    /// Print one JSON object at the end.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    servers: Servers,
}

impl Demo {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let files = BotFiles::from_folder(&bots_directory(), &self.bot.bot)?;
        let progress = Progress::new();
        let date = self.next_date(&files, &progress)?;
        let providers = self.servers.start(&self.bot.bot, None).await?;
        let zips = progress.suspended(build_functions()).await?.launchers("")?;
        progress.step("starting the local cloud");
        let emulator = Emulator::start(Options::default()).await?;
        let account = emulator.account();
        progress.step("deploying the state machine and its functions");
        let deployment = deploy(&account, &providers.settings, &zips).await?;
        let execution = deployment
            .start(&ad_hoc(&self.bot.bot, date, self.slot))
            .await?;
        let ended = tokio::select! {
            ended = deployment.wait(&execution, |state| progress.step(state)) => ended?,
            error = self.answer_approvals(&account, &progress) => return Err(error),
        };
        let result = self.result(&deployment, &providers, date, &ended).await;
        progress.step("stopping the local cloud");
        emulator.stop().await?;
        drop(progress);
        let result = result?;
        match self.json {
            true => print(&result.to_string()),
            false => print(&summary(&result)),
        }
    }

    /// Answers the approvals until the run has ended; returns only on an error.
    async fn answer_approvals(&self, account: &Account, progress: &Progress) -> anyhow::Error {
        let mut mails = Mails::of(account);
        loop {
            let new = match mails.new_ones().await {
                Ok(new) => new,
                Err(error) => return error,
            };
            for mail in new {
                let Some(link) = &mail.link else { continue };
                if self.approve {
                    progress.note(&format!("email to {}: {}", mail.to, mail.subject));
                    progress.note(&format!("decide at {link}"));
                } else if let Err(error) = approve(link).await {
                    return error.context("approving on the page");
                } else {
                    progress.step(&format!("approved on the page as {}", mail.to));
                }
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The date, or the next one with something to post.
    fn next_date(&self, files: &BotFiles, progress: &Progress) -> anyhow::Result<Date> {
        let mut date = self.date.unwrap_or_else(|| files.today());
        for _ in 0..366 {
            match files.calendar.pick(date, self.slot) {
                Pick::Observance(_) => return Ok(date),
                Pick::Nothing { reason, .. } => {
                    progress.note(&format!(
                        "nothing to post on {date}: {reason}; trying the next date"
                    ));
                    date = date.tomorrow()?;
                }
            }
        }
        bail!(
            "bots/{}/calendar.toml has nothing to post in slot {} for a year; add days to it",
            self.bot.bot,
            self.slot
        )
    }

    /// Saves the picture and the timeline page, and returns what happened.
    async fn result(
        &self,
        deployment: &Deployment,
        providers: &Providers,
        date: Date,
        ended: &EndedExecution,
    ) -> anyhow::Result<Value> {
        ensure!(
            ended.status == "SUCCEEDED",
            "the execution failed {}",
            ended.failure_summary()
        );
        let out = local_cloud::target_directory().join("demo");
        std::fs::create_dir_all(&out)?;
        let out = out.canonicalize()?;
        let document = &ended.output;
        let mut image = Value::Null;
        if let Some(key) = document["image"]["key"].as_str() {
            let path = out.join(format!("{}-{date}-{}.jpg", self.bot.bot, self.slot));
            std::fs::write(&path, deployment.picture(key).await?)?;
            image = json!(path);
        }
        let mut timeline = Value::Null;
        if let Some(x) = &providers.x {
            let path = out.join("timeline.html");
            std::fs::write(&path, x.timeline_html())?;
            timeline = json!(path);
        }
        Ok(json!({
            "postId": document["day"]["post"],
            "date": date,
            "slot": self.slot,
            "day": document["day"]["name"],
            "prompt": document["prompt"]["prompt"],
            "caption": document["prompt"]["caption"],
            "altText": document["prompt"]["altText"],
            "image": image,
            "tweetId": document["tweet"]["id"],
            "timeline": timeline,
            "approvedBy": document["approval"]["decision"]["by"],
            "outcome": document["record"]["outcome"],
            "costUsd": document["record"]["costUsd"],
            "execution": ended.execution,
            "states": ended.states,
        }))
    }
}

fn summary(result: &Value) -> String {
    let text = |name: &str| result[name].as_str().unwrap_or("none").to_owned();
    let states: Vec<String> = result["states"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|state| {
            format!(
                "  {:<16}{:>7} ms{}",
                state["name"].as_str().unwrap_or_default(),
                state["milliseconds"],
                match state["attempts"].as_u64() {
                    Some(2..) => format!("  {} attempts", state["attempts"]),
                    _ => String::new(),
                }
            )
        })
        .collect();
    format!(
        "{} is {}.\n\n{}\n\nAlt text: {}\nPicture:  {}\nTimeline: {}\nTweet:    {}\nApproved by: {}\nCost:     ${:.3} (simulated)\n\n{}",
        text("postId"),
        text("outcome"),
        text("caption"),
        text("altText"),
        text("image"),
        text("timeline"),
        text("tweetId"),
        text("approvedBy"),
        result["costUsd"].as_f64().unwrap_or_default(),
        states.join("\n")
    )
}
