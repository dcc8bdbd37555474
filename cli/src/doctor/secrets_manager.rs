//! Whether each secret has a value. The probes check the values, since only functions may read them.

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use deployment::{Deployment, aws_context};
use probes::Check;
use provider_secrets::x_credentials_id;

use super::or_failed;

pub(super) async fn check(deployment: &Deployment, bot: &str) -> anyhow::Result<Vec<Check>> {
    let mut checks = Vec::new();
    for name in [
        format!("{}/openai", deployment.name),
        x_credentials_id(&deployment.name, bot),
        format!("{}/review", deployment.name),
    ] {
        let what = format!("secret {name}");
        let described = deployment
            .secrets
            .describe_secret()
            .secret_id(&name)
            .send()
            .await;
        match described {
            Ok(described) => checks.push(of_secret(&what, &name, &described)),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_resource_not_found_exception()) =>
            {
                checks.push(Check::fail(
                    what,
                    "it does not exist",
                    "deploy again, and store its value",
                ));
            }
            Err(error) => checks.extend(or_failed(
                &what,
                Err(aws_context("describing the secret", error)),
            )),
        }
    }
    Ok(checks)
}

fn of_secret(what: &str, name: &str, described: &DescribeSecretOutput) -> Check {
    if described.deleted_date.is_some() {
        let restore = format!("`aws secretsmanager restore-secret --secret-id {name}`");
        return Check::fail(what, "it is marked for deletion", restore);
    }
    let stages = described.version_ids_to_stages.iter().flatten();
    let has_value = stages
        .flat_map(|(_, stages)| stages)
        .any(|stage| stage == "AWSCURRENT");
    match has_value {
        true => Check::ok(what, "it has a value"),
        false => Check::fail(
            what,
            "it has no value",
            format!(
                "store its value: `aws secretsmanager put-secret-value --secret-id {name} --secret-string file://…`"
            ),
        ),
    }
}
