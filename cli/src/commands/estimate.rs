//! `spooky estimate`.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, ensure};
use bot_files::Pick;
use clap::Args;
use posts_table::prices;
use serde::Deserialize;
use serde_json::json;

use deployment::BotFiles;

use super::{calendar, preview};
use crate::{files::bots_directory, terminal::print};

const PRICES: &str = include_str!("prices.toml");
const FUNCTIONS: &str = include_str!("../../../functions/functions.json");
const DEFINITION: &str = include_str!("../../../statemachine/daily-post.asl.json");

/// What terraform/modules/daily-post creates, regardless of what runs.
const SHARED_SECRETS: f64 = 2.0;
const SECRETS_PER_BOT: f64 = 1.0;
const KEYS: f64 = 1.0;
const ALARMS: f64 = 8.0;
const DASHBOARDS: f64 = 1.0;

/// The metrics that each run of the watchdog writes (docs/telemetry.md). A metric is charged for each hour in which it is
/// written, so those that a run writes cost a few hours a month.
const WATCHDOG_METRICS: f64 = 4.0;
const METRIC_HOURS_PER_RUN: f64 = 12.0;
const HOURS_A_MONTH: f64 = 365.0 * 24.0 / 12.0;

/// Two more alarms watch each function. An alarm on a sum of metrics is charged for each of them.
const ALARMS_PER_FUNCTION: f64 = 2.0;

/// How often the watchdog runs in a month: every 5 minutes.
const WATCHDOG_RUNS: f64 = 12.0 * HOURS_A_MONTH;

/// Generous guesses: what a run writes to and reads from the table, what the watchdog reads, what an invocation logs and
/// what is kept of a post, in GB.
const WRITES_PER_RUN: f64 = 100.0;
const READS_PER_RUN: f64 = 100.0;
const READS_PER_WATCHDOG_RUN: f64 = 50.0;
const LOGGED_PER_INVOCATION: f64 = 0.000_01;
const KEPT_PER_POST: f64 = 0.01;

/// Compute what a deployment costs a month, from the files of all bots and the description of the functions.
#[derive(Debug, Args)]
pub struct Estimate {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Deserialize)]
struct Prices {
    as_of: String,
    looked_up: bool,
    #[serde(flatten)]
    prices: BTreeMap<String, Price>,
}

#[derive(Debug, Deserialize)]
struct Price {
    usd: f64,
    source: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Function {
    timeout_seconds: f64,
    memory_mb: f64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    states: BTreeMap<String, serde_json::Value>,
}

/// An item of the monthly bill.
struct Line {
    to: &'static str,
    what: String,
    quantity: f64,
    /// What one costs, in US dollars.
    each: f64,
    source: String,
}

impl Line {
    fn usd(&self) -> f64 {
        self.quantity * self.each
    }
}

impl Estimate {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let prices: Prices = toml::from_str(PRICES).context("reading prices.toml")?;
        let lines = lines(&prices)?;
        let total: f64 = lines.iter().map(Line::usd).sum();
        if self.json {
            let lines: Vec<_> = lines
                .iter()
                .map(|line| {
                    json!({
                        "to": line.to,
                        "what": line.what,
                        "quantity": line.quantity,
                        "eachUsd": line.each,
                        "usd": line.usd(),
                        "source": line.source,
                    })
                })
                .collect();
            return print(&serde_json::to_string(&json!({
                "lines": lines,
                "usd": total,
                "awsPrices": { "asOf": prices.as_of, "lookedUp": prices.looked_up },
            }))?);
        }
        print(&table(&lines, total, &prices))
    }
}

fn table(lines: &[Line], total: f64, prices: &Prices) -> String {
    let mut rows = vec![format!(
        "{:<8}{:<64}{:>10}{:>10}",
        "PAID TO", "WHAT", "QUANTITY", "USD"
    )];
    rows.extend(lines.iter().map(|line| {
        let Line {
            to, what, quantity, ..
        } = line;
        format!("{to:<8}{what:<64}{quantity:>10.1}{:>10.2}", line.usd())
    }));
    rows.push(format!("{:<82}{total:>10.2}\n", "total per month"));
    rows.push(
        "This is an average month of the coming year, with one picture per post, every function at its timeout, and no free tier."
            .to_owned(),
    );
    if !prices.looked_up {
        rows.push(format!(
            "The AWS prices were written from memory on {}; compare them with the pages in cli/src/commands/prices.toml.",
            prices.as_of
        ));
    }
    rows.join("\n")
}

fn lines(prices: &Prices) -> anyhow::Result<Vec<Line>> {
    let mut lines = Vec::new();
    let mut all = Totals::default();
    for bot in bots()? {
        let files = BotFiles::from_folder(&bots_directory(), &bot)?;
        let month = Month::of(&bot, &files)?;
        all.add(&month, &files);
        lines.extend(provider_lines(&bot, &files, &month));
    }
    for (price, what, quantity) in aws_quantities(&all)? {
        let found = prices.prices.get(price);
        let price = found.with_context(|| format!("prices.toml has no [{price}]"))?;
        lines.push(Line {
            to: "AWS",
            what: what.to_owned(),
            quantity,
            each: price.usd,
            source: price.source.clone(),
        });
    }
    Ok(lines)
}

/// What a month of all bots comes to.
#[derive(Default)]
struct Totals {
    bots: f64,
    runs: f64,
    posts: f64,
    mails: f64,
}

impl Totals {
    fn add(&mut self, month: &Month, files: &BotFiles) {
        self.bots += 1.0;
        self.runs += month.runs;
        self.posts += month.posts;
        // Each approver gets a mail and a reminder per post, each other recipient one notification per run.
        self.mails += month.posts * 2.0 * files.bot.approval.approvers.len() as f64
            + month.runs * files.bot.notifications.to.len() as f64;
    }
}

/// What OpenAI and X charge for a bot.
fn provider_lines(bot: &str, files: &BotFiles, month: &Month) -> [Line; 2] {
    let picture = &files.bot.picture;
    let pictures = Line {
        to: "OpenAI",
        what: format!(
            "pictures of {bot} ({}, {}), at most",
            picture.model, picture.quality
        ),
        quantity: month.posts,
        each: month.picture_usd,
        source: "https://developers.openai.com/api/docs/models".to_owned(),
    };
    // A caption with a link would cost ten times as much, but post-text rejects links.
    let posts = Line {
        to: "X",
        what: format!("posts of {bot}, with alt text"),
        quantity: month.posts,
        each: prices::POST.usd(),
        source: "https://docs.x.com/x-api/getting-started/pricing".to_owned(),
    };
    [pictures, posts]
}

/// What AWS charges for: the price's name, what it is, and how much of it.
fn aws_quantities(all: &Totals) -> anyhow::Result<Vec<(&'static str, &'static str, f64)>> {
    let functions: BTreeMap<String, Function> =
        serde_json::from_str(FUNCTIONS).context("reading functions.json")?;
    let definition: Definition =
        serde_json::from_str(DEFINITION).context("reading daily-post.asl.json")?;
    let runs = all.runs;
    let gb_seconds = functions.iter().map(|(name, function)| {
        let times = match name.as_str() {
            "watchdog" => WATCHDOG_RUNS,
            _ => runs,
        };
        times * function.timeout_seconds * function.memory_mb / 1024.0
    });
    let functions_count = functions.len() as f64;
    let invocations = runs * (functions_count - 1.0) + WATCHDOG_RUNS;
    // The start counts as a transition.
    let transitions = runs * (definition.states.len() + 1) as f64;
    let reads = runs * READS_PER_RUN + WATCHDOG_RUNS * READS_PER_WATCHDOG_RUN;
    let secrets = SHARED_SECRETS + SECRETS_PER_BOT * all.bots;
    let alarms = ALARMS + ALARMS_PER_FUNCTION * functions_count;
    let metrics = WATCHDOG_METRICS + runs * METRIC_HOURS_PER_RUN / HOURS_A_MONTH;
    let logs = invocations * LOGGED_PER_INVOCATION;
    let stored = 12.0 * all.posts * KEPT_PER_POST;
    Ok(vec![
        ("state_transitions", "state transitions", transitions),
        (
            "lambda_gb_seconds",
            "GB-seconds of functions, at most",
            gb_seconds.sum(),
        ),
        ("lambda_requests", "invocations", invocations),
        ("table_writes", "writes to the table", runs * WRITES_PER_RUN),
        ("table_reads", "reads from the table", reads),
        ("secrets", "secrets", secrets),
        ("keys", "encryption keys", KEYS),
        ("alarms", "metrics with an alarm", alarms),
        ("dashboards", "dashboards", DASHBOARDS),
        ("metrics", "custom metrics", metrics),
        ("log_gigabytes", "GB of logs", logs),
        ("traces", "traces", runs + WATCHDOG_RUNS),
        ("stored_gigabytes", "GB of pictures, after a year", stored),
        ("mails", "mails", all.mails),
    ])
}

/// The folders in bots/.
fn bots() -> anyhow::Result<Vec<String>> {
    let directory = bots_directory();
    let mut bots = Vec::new();
    for entry in
        fs::read_dir(&directory).with_context(|| format!("reading {}", directory.display()))?
    {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            bots.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    bots.sort();
    ensure!(!bots.is_empty(), "{} holds no bot", directory.display());
    Ok(bots)
}

/// How often a bot runs and posts in a month of the coming year, on average, and what a picture costs at most.
struct Month {
    runs: f64,
    posts: f64,
    picture_usd: f64,
}

impl Month {
    fn of(bot: &str, files: &BotFiles) -> anyhow::Result<Month> {
        let picture = &files.bot.picture;
        let (mut runs, mut posts, mut pictures_usd) = (0.0, 0.0, 0.0);
        for (date, slot) in calendar::slots(files, files.today(), 365) {
            runs += 1.0;
            if let Pick::Observance(day) = files.calendar.pick(date, slot) {
                posts += 1.0;
                let texts =
                    build_prompt::build_prompt(&preview::input(bot, files, date, slot, day))?;
                pictures_usd +=
                    prices::max_picture_usd(&picture.size, &picture.quality, &texts.prompt);
            }
        }
        ensure!(
            posts > 0.0,
            "{bot} has nothing to post in the coming year; see spooky calendar gaps"
        );
        Ok(Month {
            runs: runs / 12.0,
            posts: posts / 12.0,
            picture_usd: pictures_usd / posts,
        })
    }
}
