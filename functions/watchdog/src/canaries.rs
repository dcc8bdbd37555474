//! Canaries: whether what a run will need is there. They ask with the function's own rights, change nothing, and cost
//! nothing.

use std::time::Duration;

use approvals::link::Keys;
use bot_files::{Bot, Calendar, Pick, Picture};
use jiff::{SignedDuration, Timestamp, civil::Date, fmt::rfc2822};
use lambda_function::aws_error;
use oauth::{HMAC_SHA1, ParameterList, Token};
use provider_secrets::{openai_key, x_credentials};
use reqwest::{
    Response, StatusCode,
    header::{AUTHORIZATION, DATE},
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use crate::{Clients, Config, Folder};

/// How far ahead the calendar is looked at.
const AHEAD: SignedDuration = SignedDuration::from_hours(14 * 24);

/// How long before its end a model is warned of, in days.
const RETIRES_WITHIN: i32 = 30;

/// How far the clock may be off: X takes no signature that is minutes old.
const CLOCK_OFF: SignedDuration = SignedDuration::from_secs(60);

/// How long a provider may take.
const PATIENCE: Duration = Duration::from_secs(8);

/// What a canary says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub what: String,
    /// Whether it is as it should be.
    pub verdict: Verdict,
    /// What was seen.
    pub said: String,
    /// What mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// Whether something is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is.
    Ok,
    /// It will not be, or nobody knows.
    Warn,
    /// It is not, and runs will fail.
    Fail,
}

impl Check {
    fn ok(what: impl Into<String>, said: impl Into<String>) -> Check {
        Check {
            what: what.into(),
            verdict: Verdict::Ok,
            said: said.into(),
            fix: None,
        }
    }

    fn warn(what: impl Into<String>, said: impl Into<String>, fix: &str) -> Check {
        Check {
            verdict: Verdict::Warn,
            fix: Some(fix.to_owned()),
            ..Check::ok(what, said)
        }
    }

    fn fail(what: impl Into<String>, said: impl Into<String>, fix: &str) -> Check {
        Check {
            verdict: Verdict::Fail,
            ..Check::warn(what, said, fix)
        }
    }
}

/// Asks all canaries about these bots.
pub(crate) async fn checks(
    clients: &Clients,
    config: &Config,
    now: Timestamp,
    bots: &[Folder],
) -> Vec<Check> {
    let mut checks = Vec::new();
    for bot in bots {
        files(clients, config, now, bot, &mut checks).await;
    }
    checks.push(signing_keys(clients, config).await);
    match http(clients) {
        Ok(http) => {
            openai(clients, config, now, http, bots, &mut checks).await;
            let mut clocks = Vec::new();
            for bot in bots {
                let (credentials, clock) = x(clients, config, now, http, &bot.name).await;
                checks.push(credentials);
                clocks.extend(clock);
            }
            // X has one clock, whichever account asks.
            checks.extend(clocks.into_iter().next());
        }
        Err(error) => {
            let fix = "deploy a build whose HTTPS client works";
            checks.push(Check::fail("HTTPS", error.to_string(), fix));
        }
    }
    checks
}

fn http(clients: &Clients) -> Result<&reqwest::Client, reqwest::Error> {
    if let Some(http) = clients.http.get() {
        return Ok(http);
    }
    let http = lambda_function::https::client_builder()
        .timeout(PATIENCE)
        .build()?;
    Ok(clients.http.get_or_init(|| http))
}

/// The files of a bot, and whether its calendar has a day for each of the next slots.
async fn files(
    clients: &Clients,
    config: &Config,
    now: Timestamp,
    bot: &Folder,
    checks: &mut Vec<Check>,
) {
    let what = format!("files of {}", bot.name);
    let fix = "mend the file, look with `spooky calendar check`, and deploy";
    let read = match &bot.bot {
        Ok(read) => read,
        Err(why) => return checks.push(Check::fail(what, why, fix)),
    };
    let calendar = match calendar(clients, config, bot).await {
        Ok(calendar) => calendar,
        Err(why) => return checks.push(Check::fail(what, why, fix)),
    };
    let today = now.to_zoned_datetime(read.time_zone().clone()).date();
    if let Err(problems) = bot_files::check(read, &calendar, today.year()..=today.year() + 1) {
        let first = problems.0.first().map(ToString::to_string);
        return checks.push(Check::fail(what, first.unwrap_or_default(), fix));
    }
    checks.push(match read.enabled {
        true => Check::ok(what, "bot.toml and calendar.toml are good"),
        false => Check::ok(what, "the bot is switched off in bot.toml"),
    });
    checks.push(days_ahead(bot, read, &calendar, now));
}

async fn calendar(clients: &Clients, config: &Config, bot: &Folder) -> Result<Calendar, String> {
    let key = format!("{}/calendar.toml", bot.name);
    let object = clients.s3.get_object();
    let object = object.bucket(&config.bot_files_bucket).key(&key);
    let object = object.send().await.map_err(|e| {
        let said = aws_error(&e);
        format!("S3 did not give {key}: {said}")
    })?;
    let text = object.body.collect().await.map_err(|e| e.to_string())?;
    let text = String::from_utf8(text.to_vec()).map_err(|e| format!("{key}: {e}"))?;
    Calendar::parse(&key, &text).map_err(|problems| {
        let first = problems.0.first().map(ToString::to_string);
        first.unwrap_or_default()
    })
}

fn days_ahead(bot: &Folder, read: &Bot, calendar: &Calendar, now: Timestamp) -> Check {
    let what = format!("days ahead of {}", bot.name);
    let days = AHEAD.as_hours() / 24;
    let fix = "add days for these dates to calendar.toml, and deploy";
    let until = now.checked_add(AHEAD).unwrap_or(now);
    let starts = match read.starts(now, until) {
        Ok(starts) => starts,
        Err(error) => return Check::fail(what, error.to_string(), fix),
    };
    let gaps: Vec<String> = starts
        .iter()
        .filter(|start| {
            let usable = calendar.usable(start.date);
            let slot = usize::try_from(start.slot).unwrap_or(usize::MAX);
            // What is silent is meant to be.
            usable.is_some_and(|usable| usable < slot)
        })
        .filter_map(|start| match calendar.pick(start.date, start.slot) {
            Pick::Nothing { reason } => {
                Some(format!("{} slot {}: {reason}", start.date, start.slot))
            }
            Pick::Day(_) => None,
        })
        .collect();
    match gaps.is_empty() {
        true => Check::ok(
            what,
            format!(
                "each of the {} slots of the next {days} days has one",
                starts.len()
            ),
        ),
        false => Check::warn(what, gaps.join(", "), fix),
    }
}

async fn signing_keys(clients: &Clients, config: &Config) -> Check {
    let what = "signing keys";
    match Keys::read(&clients.secrets, &config.review_secret_arn).await {
        Ok(_) => Check::ok(what, "the approval page's links can be signed"),
        Err(error) => Check::fail(
            what,
            error.to_string(),
            "put {\"current\": \"…\"} with 32 random bytes in base64 into the secret",
        ),
    }
}

/// The key of OpenAI, and the model of each bot.
async fn openai(
    clients: &Clients,
    config: &Config,
    now: Timestamp,
    http: &reqwest::Client,
    bots: &[Folder],
    checks: &mut Vec<Check>,
) {
    let what = "OpenAI key";
    let fix = "put a key that is accepted into the secret";
    let key = match openai_key(&clients.secrets, &config.openai_secret_arn).await {
        Ok(key) => key,
        Err(error) => return checks.push(Check::fail(what, error.to_string(), fix)),
    };
    let mut models: Vec<&str> = bots
        .iter()
        .filter_map(|bot| bot.bot.as_ref().ok())
        .map(|bot| bot.picture.model.as_str())
        .collect();
    models.sort_unstable();
    models.dedup();
    let bots_models = models.len();
    // Where no bot can be read, any model tells whether the key is taken.
    let default = Picture::default().model;
    if models.is_empty() {
        models.push(&default);
    }
    for (number, model) in models.into_iter().enumerate() {
        let base = config.openai_base_url.trim_end_matches('/');
        let answer = http
            .get(format!("{base}/models/{model}"))
            .bearer_auth(key.expose_secret())
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let said = unreachable("OpenAI", &error);
                return checks.push(Check::warn(what, said, "wait, and look again"));
            }
        };
        let status = answer.status();
        let key_check = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Check::fail(what, format!("OpenAI answers {status}"), fix)
            }
            StatusCode::OK | StatusCode::NOT_FOUND => Check::ok(what, "OpenAI takes it"),
            _ => Check::warn(
                what,
                format!("OpenAI answers {status}"),
                "wait, and look again",
            ),
        };
        let is_known = key_check.verdict == Verdict::Ok;
        if number == 0 {
            checks.push(key_check);
        }
        if is_known && number < bots_models {
            checks.push(model_check(model, now, answer).await);
        }
    }
}

async fn model_check(model: &str, now: Timestamp, answer: Response) -> Check {
    #[derive(Deserialize)]
    struct Model {
        shutdown_date: Option<Date>,
    }
    let what = format!("image model {model}");
    let fix = "set another picture.model in bot.toml, and deploy";
    if answer.status() == StatusCode::NOT_FOUND {
        return Check::fail(what, "OpenAI does not serve it", fix);
    }
    let today = now.to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    match answer.json().await {
        Ok(Model {
            shutdown_date: Some(date),
        }) => {
            let said = format!("OpenAI shuts it down on {date}");
            let days = today.until(date).map_or(i32::MAX, |span| span.get_days());
            match days {
                ..=0 => Check::fail(what, said, fix),
                1..=RETIRES_WITHIN => Check::warn(what, said, fix),
                _ => Check::ok(what, said),
            }
        }
        Ok(Model {
            shutdown_date: None,
        }) => Check::ok(what, "OpenAI serves it, and names no end"),
        Err(_) => Check::ok(what, "OpenAI serves it, in an answer that cannot be read"),
    }
}

/// The X credentials of one bot, and the clock, which X's signatures need.
async fn x(
    clients: &Clients,
    config: &Config,
    now: Timestamp,
    http: &reqwest::Client,
    bot: &str,
) -> (Check, Option<Check>) {
    let what = format!("X credentials of {bot}");
    let fix = "put keys that are accepted into the secret; they have to be made after the app may read and write";
    let keys = match x_credentials(&clients.secrets, &config.secrets_prefix, bot).await {
        Ok(keys) => keys,
        Err(error) => return (Check::fail(what, error.to_string(), fix), None),
    };
    // X charges for each post that it shows, and of the last minute there is hardly one
    // ([pricing](https://docs.x.com/x-api/getting-started/pricing), 2026-08-13).
    let since = now.checked_sub(SignedDuration::from_mins(1)).unwrap_or(now);
    let since = since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let parameters = ParameterList::new([("max_results", "5"), ("start_time", since.as_str())]);
    let base = config.x_api_base_url.trim_end_matches('/');
    let url = format!("{base}/2/users/{}/tweets", keys.user_id);
    let token = Token::from_parts(
        keys.api_key.expose_secret(),
        keys.api_key_secret.expose_secret(),
        keys.access_token.expose_secret(),
        keys.access_token_secret.expose_secret(),
    );
    let answer = http
        .get(oauth::to_query(url.clone(), &parameters))
        .header(
            AUTHORIZATION,
            oauth::get(&url, &parameters, &token, HMAC_SHA1),
        )
        .send()
        .await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let said = unreachable("X", &error);
            return (Check::warn(what, said, "wait, and look again"), None);
        }
    };
    let status = answer.status();
    let said = format!("X answers {status}");
    let credentials = match status.as_u16() {
        200..=299 => Check::ok(what, "X takes them, for reading"),
        401 | 403 => Check::fail(what, said, fix),
        402 => Check::fail(what, said, "buy credit at X"),
        _ => Check::warn(what, said, "wait, and look again"),
    };
    (credentials, clock(now, &answer))
}

/// The clock beside that of whoever answered.
fn clock(now: Timestamp, answer: &Response) -> Option<Check> {
    let theirs = answer.headers().get(DATE)?.to_str().ok()?;
    let theirs = rfc2822::parse(theirs).ok()?.timestamp();
    let off = now.duration_since(theirs).abs();
    Some(match off > CLOCK_OFF {
        true => Check::fail(
            "clock",
            format!("it is {} seconds off X's", off.as_secs()),
            "set the clock: X takes no signature whose time is wrong",
        ),
        false => Check::ok("clock", "it goes with X's"),
    })
}

fn unreachable(who: &str, error: &reqwest::Error) -> String {
    match error.is_timeout() {
        true => format!("{who} does not answer in {} seconds", PATIENCE.as_secs()),
        false => format!("{who} cannot be reached"),
    }
}
