//! Whether `record-result` receives the events of failed executions.

use aws_sdk_eventbridge::types::RuleState;
use deployment::{Deployment, aws_context};
use probes::Check;

pub(super) const RULE: &str = "rule on failed executions";

pub(super) async fn check(deployment: &Deployment) -> anyhow::Result<Vec<Check>> {
    let name = format!("{}-failed", deployment.name);
    let effect = "failures are not recorded, and no notification is sent";
    let rule = deployment.events.describe_rule().name(&name).send().await;
    let rule = match rule {
        Ok(rule) => rule,
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|e| e.is_resource_not_found_exception()) =>
        {
            let message = format!("{name} does not exist: {effect}");
            return Ok(vec![Check::fail(RULE, message, "deploy again")]);
        }
        Err(error) => return Err(aws_context("describing the rule", error)),
    };
    if rule.state != Some(RuleState::Enabled) {
        return Ok(vec![Check::fail(
            RULE,
            format!("{name} is disabled: {effect}"),
            format!("`aws events enable-rule --name {name}`"),
        )]);
    }
    let targets = deployment
        .events
        .list_targets_by_rule()
        .rule(&name)
        .send()
        .await
        .map_err(|e| aws_context("listing the targets of the rule", e))?;
    let expected = deployment.function_arn("record-result");
    let is_target = targets
        .targets()
        .iter()
        .any(|target| target.arn() == expected);
    Ok(vec![match is_target {
        true => Check::ok(RULE, "its target is record-result"),
        false => Check::fail(
            RULE,
            format!("{expected} is not a target of {name}: {effect}"),
            "deploy again",
        ),
    }])
}
