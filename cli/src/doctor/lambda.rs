//! The configuration of each function, against `functions/functions.json`.

use std::collections::HashMap;

use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use deployment::{Deployment, FunctionDescription, aws_context, functions};
use probes::Check;

use super::{Environments, or_failed};

const FIX: &str = "deploy again";

/// The environments of the deployed functions, and a check of each function.
pub(super) async fn check(deployment: &Deployment) -> anyhow::Result<(Environments, Vec<Check>)> {
    let (mut environments, mut checks) = (HashMap::new(), Vec::new());
    for (name, description) in functions()? {
        let what = format!("function {name}");
        let configuration = deployment
            .lambda
            .get_function_configuration()
            .function_name(deployment.function_name(&name))
            .qualifier("live")
            .send()
            .await;
        match configuration {
            Ok(configuration) => {
                let variables = variables(&configuration);
                let problems = problems(deployment, &description, &configuration, &variables);
                environments.insert(name, variables);
                checks.push(match problems.is_empty() {
                    true => {
                        let version = configuration.version.unwrap_or_default();
                        Check::ok(what, format!("version {version}"))
                    }
                    false => Check::fail(what, problems.join("; "), FIX),
                });
            }
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_resource_not_found_exception()) =>
            {
                checks.push(Check::fail(
                    what,
                    "the function, or its alias live, does not exist",
                    FIX,
                ));
            }
            Err(error) => {
                let error = aws_context(&format!("reading the configuration of {name}"), error);
                checks.extend(or_failed(&what, Err(error)));
            }
        }
    }
    Ok((environments, checks))
}

fn variables(configuration: &GetFunctionConfigurationOutput) -> HashMap<String, String> {
    let environment = configuration.environment.as_ref();
    environment
        .and_then(|environment| environment.variables.clone())
        .unwrap_or_default()
}

fn problems(
    deployment: &Deployment,
    description: &FunctionDescription,
    configuration: &GetFunctionConfigurationOutput,
    variables: &HashMap<String, String>,
) -> Vec<String> {
    let mut problems = Vec::new();
    for variable in &description.environment {
        let value = variables.get(variable).map_or("", String::as_str);
        if !is_expected(deployment, description, variable, value) {
            problems.push(match value.is_empty() {
                true => format!("the variable {variable} is missing"),
                false => format!("the variable {variable} is {value:?}"),
            });
        }
    }
    if configuration.timeout != Some(description.timeout_seconds) {
        problems.push(format!(
            "its timeout is {} s instead of {}",
            configuration.timeout.unwrap_or_default(),
            description.timeout_seconds
        ));
    }
    if configuration.memory_size != Some(description.memory_mb) {
        problems.push(format!(
            "its memory is {} MB instead of {}",
            configuration.memory_size.unwrap_or_default(),
            description.memory_mb
        ));
    }
    problems
}

fn is_expected(
    deployment: &Deployment,
    description: &FunctionDescription,
    variable: &str,
    value: &str,
) -> bool {
    match variable {
        "TABLE_NAME" | "SECRETS_PREFIX" => value == deployment.name,
        "IMAGE_BUCKET" => value == deployment.image_bucket,
        "BOT_FILES_BUCKET" => value == deployment.bot_files_bucket,
        // Longer than an invocation can last, or two invocations could send.
        "LEASE_SECONDS" => value
            .parse()
            .is_ok_and(|lease: i32| lease > description.timeout_seconds),
        // Only the local cloud sets these.
        "OPENAI_BASE_URL" | "X_API_BASE_URL" => true,
        _ => !value.is_empty(),
    }
}
