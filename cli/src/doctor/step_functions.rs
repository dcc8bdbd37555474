//! Whether the definition is that of this checkout, apart from the ARNs of what it calls.

use anyhow::Context;
use deployment::{DEFINITION, Deployment, aws_context, functions};
use probes::Check;
use serde_json::{Map, Value};

pub(super) async fn check(deployment: &Deployment) -> anyhow::Result<Vec<Check>> {
    let what = "state machine";
    let described = deployment
        .sfn
        .describe_state_machine()
        .state_machine_arn(&deployment.state_machine_arn)
        .send()
        .await
        .map_err(|e| aws_context("describing the state machine", e))?;
    let mut ours = DEFINITION.replace("${table_name}", &deployment.name);
    for name in functions()?.keys() {
        let placeholder = format!("${{{}_function_arn}}", name.replace('-', "_"));
        ours = ours.replace(&placeholder, &deployment.function_arn(name));
    }
    let ours: Value = serde_json::from_str(&ours)?;
    let theirs: Value = serde_json::from_str(&described.definition)
        .context("the deployed definition is not valid JSON")?;
    if ours == theirs {
        return Ok(vec![Check::ok(
            what,
            "its definition is that of this checkout",
        )]);
    }
    let different = different_states(&ours, &theirs);
    let place = match different.is_empty() {
        true => "outside its states".to_owned(),
        false => format!("in {}", different.join(", ")),
    };
    Ok(vec![Check::warn(
        what,
        format!("its definition is not that of this checkout: it differs {place}"),
        "deploy this checkout, or run doctor from the deployed commit",
    )])
}

fn different_states(ours: &Value, theirs: &Value) -> Vec<String> {
    let none = Map::new();
    let ours = ours["States"].as_object().unwrap_or(&none);
    let theirs = theirs["States"].as_object().unwrap_or(&none);
    let mut different = Vec::new();
    for name in ours.keys().chain(theirs.keys()) {
        if ours.get(name) != theirs.get(name) && !different.contains(name) {
            different.push(name.clone());
        }
    }
    different
}
