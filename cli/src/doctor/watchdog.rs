//! The probes, which the watchdog runs with the rights of a function: whether X and OpenAI accept the credentials.

use deployment::Deployment;
use probes::Check;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Probed {
    checks: Vec<Check>,
}

pub(super) async fn check(deployment: &Deployment, bot: &str) -> anyhow::Result<Vec<Check>> {
    let payload = json!({"canaries": true, "bot": bot});
    let result = deployment.invoke("watchdog", &payload).await?;
    if let Ok(probed) = serde_json::from_value::<Probed>(result.clone()) {
        return Ok(probed.checks);
    }
    let message = match result["errorMessage"].as_str() {
        Some(error) => format!("the watchdog failed: {error}"),
        None => {
            "the deployed watchdog has no probes, so the credentials were not checked".to_owned()
        }
    };
    Ok(vec![Check::warn(
        "probes",
        message,
        "check the log of the watchdog, or deploy again",
    )])
}
