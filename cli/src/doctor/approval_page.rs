//! Whether the approval page answers at the address of the links.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::Context;
use probes::Check;

use super::Environments;

pub(super) async fn check(environments: &Environments) -> anyhow::Result<Vec<Check>> {
    let what = "approval page";
    let base = environments
        .get("review")
        .and_then(|variables| variables.get("REVIEW_BASE_URL"));
    let base = base.context("the function review has no variable REVIEW_BASE_URL")?;
    let url: reqwest::Url = base
        .parse()
        .with_context(|| format!("REVIEW_BASE_URL is not a valid URL: {base:?}"))?;
    let mut client = lambda_function::https::client_builder().timeout(Duration::from_secs(20));
    // Not every system resolves names under localhost.
    if let Some(host) = url.host_str()
        && host.ends_with(".localhost")
    {
        let port = url.port_or_known_default().unwrap_or(80);
        client = client.resolve(host, (Ipv4Addr::LOCALHOST, port).into());
    }
    let address = format!("{}/review/doctor", base.trim_end_matches('/'));
    let fix = "check the log of the function review, and its HTTP API";
    let answer = client.build()?.get(&address).send().await;
    Ok(vec![match answer {
        // The function itself refuses a link without a signature.
        Ok(answer) if answer.status().is_client_error() => {
            Check::ok(what, format!("{base} answers"))
        }
        Ok(answer) => Check::fail(what, format!("{base} returned {}", answer.status()), fix),
        Err(error) => Check::fail(what, format!("{base} does not answer: {error}"), fix),
    }])
}
