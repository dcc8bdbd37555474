//! The checks of `spooky doctor`, one module per service.

mod approval_page;
mod bot_files;
mod budget;
mod clock;
mod dynamodb;
mod eventbridge;
mod lambda;
mod scheduler;
mod secrets_manager;
mod ses;
mod step_functions;
mod watchdog;

use std::collections::HashMap;

use deployment::{BotFiles, Deployment};
use jiff::Timestamp;
use lambda_function::AwsError;
use probes::Check;

/// The environment variables of each function, by the function's name.
type Environments = HashMap<String, HashMap<String, String>>;

/// Runs all checks for a bot.
pub(crate) async fn check(
    deployment: &Deployment,
    bot: &str,
    now: Timestamp,
) -> anyhow::Result<Vec<Check>> {
    let mut checks = vec![Check::ok("deployment", location(deployment))];
    checks.extend(or_failed(
        "clock of this machine",
        clock::check(deployment, now).await,
    ));
    checks.extend(or_failed(
        "state machine",
        step_functions::check(deployment).await,
    ));
    let (environments, functions) = lambda::check(deployment).await?;
    checks.extend(functions);
    checks.extend(or_failed("table", dynamodb::table(deployment).await));
    checks.extend(or_failed(
        "secrets",
        secrets_manager::check(deployment, bot).await,
    ));
    checks.extend(or_failed(
        eventbridge::RULE,
        eventbridge::check(deployment).await,
    ));
    checks.extend(or_failed(
        "approval page",
        approval_page::check(&environments).await,
    ));
    match BotFiles::deployed(deployment, bot).await {
        Ok(files) => checks.extend(of_files(deployment, bot, &files, &environments).await),
        Err(error) => checks.push(Check::fail(
            "bot's files",
            format!("{error:#}"),
            "fix the file, run `spooky calendar check`, and deploy it",
        )),
    }
    checks.extend(or_failed(
        "pause flag",
        dynamodb::posts(deployment, bot, now).await,
    ));
    checks.extend(or_failed("probes", watchdog::check(deployment, bot).await));
    Ok(checks)
}

/// The checks that need the bot's deployed files.
async fn of_files(
    deployment: &Deployment,
    bot: &str,
    files: &BotFiles,
    environments: &Environments,
) -> Vec<Check> {
    let mut checks = or_failed("bot's files", bot_files::same_files(deployment, bot).await);
    checks.push(bot_files::days_ahead(files));
    checks.extend(or_failed(
        "budget",
        budget::check(deployment, bot, files).await,
    ));
    checks.extend(or_failed(
        "email",
        ses::check(deployment, files, environments).await,
    ));
    match deployment.is_local() {
        true => checks.push(Check::ok("schedules", "`spooky local` starts each slot")),
        false => checks.extend(or_failed(
            "schedules",
            scheduler::check(deployment, bot, files).await,
        )),
    }
    checks
}

fn location(deployment: &Deployment) -> String {
    match &deployment.emulator_url {
        Some(url) => format!("{} at {url}", deployment.name),
        None => format!(
            "{} in the account {}, region {}",
            deployment.name, deployment.account_id, deployment.region
        ),
    }
}

/// The checks of one kind, or the one that says why they could not run.
fn or_failed(what: &str, checks: anyhow::Result<Vec<Check>>) -> Vec<Check> {
    let error = match checks {
        Ok(checks) => return checks,
        Err(error) => error,
    };
    let aws = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<AwsError>());
    // The operator can have fewer permissions than the functions, whose own are checked by the probes.
    vec![match aws.is_some_and(AwsError::is_access_denied) {
        true => Check::warn(
            what,
            format!("{error:#}"),
            "grant your AWS identity read access; docs/cli.md lists what doctor needs",
        ),
        false => Check::fail(what, format!("{error:#}"), "fix the error, or deploy again"),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sfn::error::{ErrorMetadata, SdkError};
    use aws_smithy_runtime_api::http::{Response, StatusCode};
    use deployment::aws_context;
    use probes::Status;

    #[test]
    fn a_check_without_permission_warns_and_a_check_that_cannot_run_fails() {
        let status = |code: &str| {
            let error = ErrorMetadata::builder()
                .code(code)
                .message("User: x is not authorized to perform: y")
                .build();
            let response = Response::new(StatusCode::try_from(400).unwrap(), "".into());
            let error = SdkError::service_error(error, response);
            or_failed("table", Err(aws_context("reading the table", error)))
                .remove(0)
                .status
        };
        assert_eq!(status("AccessDeniedException"), Status::Warn);
        assert_eq!(status("ResourceNotFoundException"), Status::Fail);
    }
}
