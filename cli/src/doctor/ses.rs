//! Whether SES sends email to the approvers and the recipients of notifications.

use anyhow::Context;
use bot_files::Policy;
use deployment::{BotFiles, Deployment, aws_context};
use probes::Check;

use super::Environments;

pub(super) async fn check(
    deployment: &Deployment,
    files: &BotFiles,
    environments: &Environments,
) -> anyhow::Result<Vec<Check>> {
    let sender = environments
        .get("request-approval")
        .and_then(|variables| variables.get("MAIL_FROM"))
        .context("the function request-approval has no variable MAIL_FROM")?;
    Ok(vec![
        of_sender(deployment, sender).await?,
        of_recipients(deployment, files).await?,
    ])
}

async fn of_sender(deployment: &Deployment, sender: &str) -> anyhow::Result<Check> {
    let what = "email sender";
    Ok(match is_verified(deployment, sender).await? {
        true => Check::ok(what, format!("{sender} is verified")),
        false => Check::fail(
            what,
            format!("{sender} is not verified in SES, so no email is sent"),
            format!(
                "type `aws sesv2 create-email-identity --email-identity {sender}`, and follow the link in the email"
            ),
        ),
    })
}

async fn of_recipients(deployment: &Deployment, files: &BotFiles) -> anyhow::Result<Check> {
    let what = "email recipients";
    let account = deployment
        .ses
        .get_account()
        .send()
        .await
        .map_err(|e| aws_context("asking SES for production access", e))?;
    let recipients = recipients(files);
    let mut unverified = Vec::new();
    if !account.production_access_enabled {
        for recipient in &recipients {
            if !is_verified(deployment, recipient).await? {
                unverified.push(*recipient);
            }
        }
    }
    Ok(match unverified.is_empty() {
        true => Check::ok(
            what,
            format!("SES sends to all {} of bot.toml", recipients.len()),
        ),
        false => Check::fail(
            what,
            format!(
                "SES is in its sandbox, and these addresses are not verified: {}",
                unverified.join(", ")
            ),
            "verify them with `aws sesv2 create-email-identity`, or request production access",
        ),
    })
}

fn recipients(files: &BotFiles) -> Vec<&str> {
    let mut recipients: Vec<&str> = files
        .bot
        .notifications
        .to
        .iter()
        .map(String::as_str)
        .collect();
    if files.bot.approval.policy == Policy::Required {
        recipients.extend(files.bot.approval.approvers.iter().map(String::as_str));
    }
    recipients.sort_unstable();
    recipients.dedup();
    recipients
}

/// Whether an address, or its domain, is verified.
async fn is_verified(deployment: &Deployment, address: &str) -> anyhow::Result<bool> {
    let domain = address.rsplit('@').next().unwrap_or_default();
    for identity in [address, domain] {
        let identity_of = deployment
            .ses
            .get_email_identity()
            .email_identity(identity)
            .send()
            .await;
        match identity_of {
            Ok(found) if found.verified_for_sending_status => return Ok(true),
            Ok(_) => {}
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_not_found_exception()) => {}
            Err(error) => return Err(aws_context(&format!("asking SES about {identity}"), error)),
        }
    }
    Ok(false)
}
