//! The OpenAI key, and the image model of each bot.

use bot_files::Picture;
use jiff::{Timestamp, civil::Date};
use provider_secrets::openai_key;
use reqwest::{Response, StatusCode};
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::{Check, ProbedBot, Probes, RETRY_LATER, Status, no_answer};

/// How long before its shutdown a model is reported, in days.
const RETIRES_WITHIN: i32 = 30;

pub(crate) async fn check(
    probes: &Probes<'_>,
    http: &reqwest::Client,
    bots: &[ProbedBot<'_>],
) -> Vec<Check> {
    let what = "OpenAI key";
    let fix = "store a valid key in the secret";
    let key = match openai_key(probes.secrets, probes.openai_secret_arn).await {
        Ok(key) => key,
        Err(error) => return vec![Check::fail(what, error.to_string(), fix)],
    };
    let default = Picture::default().model;
    let models = models(bots);
    // Without a readable bot, any model shows whether OpenAI accepts the key.
    let asked = match models.is_empty() {
        true => vec![default.as_str()],
        false => models.clone(),
    };
    let mut checks = Vec::new();
    for (number, model) in asked.into_iter().enumerate() {
        let base = probes.openai_base_url.trim_end_matches('/');
        let answer = http
            .get(format!("{base}/models/{model}"))
            .bearer_auth(key.expose_secret())
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                checks.push(Check::warn(what, no_answer("OpenAI", &error), RETRY_LATER));
                return checks;
            }
        };
        let key_check = key_check(answer.status());
        let is_accepted = key_check.status == Status::Ok;
        if number == 0 {
            checks.push(key_check);
        }
        if is_accepted && models.contains(&model) {
            checks.push(model_check(model, probes.now, answer).await);
        }
    }
    checks
}

fn models<'a>(bots: &[ProbedBot<'a>]) -> Vec<&'a str> {
    let mut models: Vec<&str> = bots
        .iter()
        .filter_map(|bot| bot.bot.ok())
        .map(|bot| bot.picture.model.as_str())
        .collect();
    models.sort_unstable();
    models.dedup();
    models
}

fn key_check(status: StatusCode) -> Check {
    let what = "OpenAI key";
    let message = format!("OpenAI returned {status}");
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Check::fail(what, message, "store a valid key in the secret")
        }
        StatusCode::OK | StatusCode::NOT_FOUND => Check::ok(what, "OpenAI accepts it"),
        _ => Check::warn(what, message, RETRY_LATER),
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
            let message = format!("OpenAI shuts it down on {date}");
            let days = today.until(date).map_or(i32::MAX, |span| span.get_days());
            match days {
                ..=0 => Check::fail(what, message, fix),
                1..=RETIRES_WITHIN => Check::warn(what, message, fix),
                _ => Check::ok(what, message),
            }
        }
        Ok(Model {
            shutdown_date: None,
        }) => Check::ok(what, "OpenAI serves it and announces no shutdown"),
        Err(_) => Check::ok(what, "OpenAI serves it; its description is unreadable"),
    }
}
