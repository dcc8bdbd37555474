//! The deployment that a command works on: the local cloud, or an environment on AWS.

use anyhow::{Context, anyhow, bail, ensure};
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::ProvideCredentials;
use clap::Args;
use lambda_function::AwsError;

use deployment::{Deployment, aws_context};
use local_cloud::running;

/// The deployment that a command works on.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Target {
    /// The environment on AWS, such as prod, instead of the local cloud [env: SPOOKY_ENV].
    #[arg(long, global = true, value_parser = environment)]
    env: Option<String>,
    /// The profile of ~/.aws/config with the credentials and the region for --env [env: AWS_PROFILE].
    #[arg(long, global = true)]
    profile: Option<String>,
}

fn environment(text: &str) -> Result<String, String> {
    let right = (1..=16).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    match right {
        true => Ok(text.to_owned()),
        false => Err(
            "an environment must have 1 to 16 lowercase letters and digits, such as prod"
                .to_owned(),
        ),
    }
}

impl Target {
    /// Rejects the options for a command that uses no deployment.
    pub(crate) fn ensure_none(&self, command: &str) -> anyhow::Result<()> {
        ensure!(
            self.env.is_none() && self.profile.is_none(),
            "`spooky {command}` works on this machine only; omit --env and --profile"
        );
        Ok(())
    }

    /// The deployment on AWS if an environment is named, otherwise the local cloud that `spooky local` runs.
    pub(crate) async fn deployment(&self) -> anyhow::Result<Deployment> {
        let env = match (&self.env, std::env::var("SPOOKY_ENV")) {
            (Some(env), _) => Some(env.clone()),
            (None, Ok(env)) if !env.is_empty() => {
                Some(environment(&env).map_err(|why| anyhow!("SPOOKY_ENV is {env:?}: {why}"))?)
            }
            _ => None,
        };
        match env {
            Some(env) => self.on_aws(&env).await,
            None => {
                ensure!(
                    self.profile.is_none(),
                    "--profile is for a deployment on AWS: add --env, such as --env prod"
                );
                running().await
            }
        }
    }

    /// The deployment of an environment, after checking that it exists.
    async fn on_aws(&self, env: &str) -> anyhow::Result<Deployment> {
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(lambda_function::https::aws_http_client());
        if let Some(profile) = &self.profile {
            loader = loader.profile_name(profile);
        }
        let aws = loader.load().await;
        ensure!(
            aws.region()
                .is_some_and(|region| !region.as_ref().is_empty()),
            "no AWS region is set: set AWS_REGION, or use --profile with a profile that has a region"
        );
        ensure_credentials(&aws).await?;
        let caller = aws_sdk_sts::Client::new(&aws).get_caller_identity();
        let caller = caller
            .send()
            .await
            .map_err(|e| aws_context("asking AWS for the caller identity", e))?;
        let account = caller.account.context("AWS returned no account")?;
        let deployment = Deployment::named(env, &account, &aws, None);
        ensure_exists(&deployment).await?;
        Ok(deployment)
    }
}

async fn ensure_credentials(aws: &SdkConfig) -> anyhow::Result<()> {
    let provider = aws
        .credentials_provider()
        .context("AWS has no credentials provider")?;
    let Err(error) = provider.provide_credentials().await else {
        return Ok(());
    };
    bail!(
        "no AWS credentials were found ({:#}): use --profile or set AWS_PROFILE, or set AWS_ACCESS_KEY_ID \
         and AWS_SECRET_ACCESS_KEY; for a profile with SSO see docs/cli.md",
        anyhow!(error)
    )
}

async fn ensure_exists(deployment: &Deployment) -> anyhow::Result<()> {
    let machine = deployment
        .sfn
        .describe_state_machine()
        .state_machine_arn(&deployment.state_machine_arn)
        .send()
        .await;
    match machine {
        Ok(_) => Ok(()),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|e| e.is_state_machine_does_not_exist()) =>
        {
            bail!(
                "there is no deployment {} in the account {}, region {}: check --env, and the account and region of \
                 --profile",
                deployment.name,
                deployment.account_id,
                deployment.region
            )
        }
        Err(error) => Err(aws_context("looking for the state machine", error)),
    }
}

/// The remedy for an AWS error whose message names none.
pub(crate) fn advice(error: &anyhow::Error) -> Option<&'static str> {
    let aws = error.chain().find_map(|cause| {
        match cause.downcast_ref::<posts_table::Error>() {
            // It prints the AWS error itself, so that is not its source.
            Some(posts_table::Error::Aws(_, aws)) => Some(aws),
            _ => cause.downcast_ref::<AwsError>(),
        }
    })?;
    if aws.is_access_denied() {
        return Some(
            "your AWS identity has no permission for this: allow the named action for that resource \
             (docs/cli.md lists what each command needs), or use another --profile",
        );
    }
    if aws.is_invalid_credentials() {
        return Some("the AWS credentials are invalid: use another --profile, or fix its keys");
    }
    if aws.is_expired_credentials() {
        return Some(
            "the AWS credentials have expired: sign in again, such as with `aws sso login`, and repeat the command",
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_has_lowercase_letters_and_digits() {
        for env in ["prod", "dev2", "local"] {
            assert_eq!(environment(env).unwrap(), env);
        }
        for env in ["", "Prod", "daily-post-prod", "a/b", "seventeenletters1"] {
            assert!(environment(env).is_err(), "{env}");
        }
    }
}
