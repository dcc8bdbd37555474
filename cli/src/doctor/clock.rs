//! How far this machine's clock differs from AWS's: requests are signed with the time, and rejected if it is wrong.

use std::time::Duration;

use anyhow::Context;
use deployment::Deployment;
use jiff::Timestamp;
use probes::Check;

pub(super) async fn check(deployment: &Deployment, now: Timestamp) -> anyhow::Result<Vec<Check>> {
    let url = match (&deployment.emulator_url, std::env::var("AWS_ENDPOINT_URL")) {
        (Some(url), _) => url.clone(),
        (None, Ok(url)) if !url.is_empty() => url,
        _ => format!("https://sts.{}.amazonaws.com/", deployment.region),
    };
    let client = lambda_function::https::client_builder()
        .timeout(Duration::from_secs(10))
        .build()?;
    let answer = client.get(&url).send().await;
    let answer = answer.with_context(|| format!("asking {url} for the time"))?;
    let date = answer
        .headers()
        .get("date")
        .and_then(|date| date.to_str().ok());
    let date = date.with_context(|| format!("{url} returned no date"))?;
    let theirs = jiff::fmt::rfc2822::parse(date)
        .with_context(|| format!("{url} returned the invalid date {date:?}"))?
        .timestamp();
    let difference = now.duration_since(theirs).as_secs().abs();
    let what = "clock of this machine";
    let message = format!("it differs from AWS's by {difference} s");
    let fix = "set the clock of this machine, or synchronize it with NTP";
    Ok(vec![match difference {
        0..=30 => Check::ok(what, message),
        31..=240 => Check::warn(what, message, fix),
        _ => Check::fail(what, message, fix),
    }])
}
