//! What Step Functions knows of an execution.

use anyhow::anyhow;
use aws_sdk_sfn::{
    error::{ProvideErrorMetadata, SdkError},
    types::ExecutionStatus,
};
use lambda_function::aws_error;

use crate::{Context, Error};

impl Context<'_> {
    /// Whether an execution that failed after `redrives` redrives runs again, or has ended another way.
    pub(crate) async fn is_over(&self, execution: &str, redrives: u64) -> Result<bool, Error> {
        let describe = self.clients.sfn.describe_execution();
        let described = match describe.execution_arn(execution).send().await {
            Ok(described) => described,
            // The failure of an execution that no longer exists is reported all the same.
            Err(SdkError::ServiceError(e)) if e.err().is_execution_does_not_exist() => {
                return Ok(false);
            }
            Err(error) => return Err(unanswered("describe", execution, error)),
        };
        let failed = matches!(
            described.status,
            ExecutionStatus::Failed | ExecutionStatus::TimedOut | ExecutionStatus::Aborted
        );
        let counted = u64::try_from(described.redrive_count.unwrap_or(0)).unwrap_or(0);
        Ok(!failed || counted > redrives)
    }

    /// The state that was entered and not left.
    pub(crate) async fn failed_state(&self, execution: &str) -> Result<Option<String>, Error> {
        let mut token = None;
        loop {
            let history = self.clients.sfn.get_execution_history();
            let page = history
                .execution_arn(execution)
                .reverse_order(true)
                .include_execution_data(false)
                .set_next_token(token)
                .send()
                .await;
            let page = match page {
                Ok(page) => page,
                Err(SdkError::ServiceError(e)) if e.err().is_execution_does_not_exist() => {
                    return Ok(None);
                }
                Err(error) => return Err(unanswered("return the history of", execution, error)),
            };
            for event in page.events() {
                if let Some(entered) = event.state_entered_event_details() {
                    return Ok(Some(entered.name().to_owned()));
                }
                if event.state_exited_event_details().is_some() {
                    return Ok(None);
                }
            }
            token = page.next_token;
            if token.is_none() {
                return Ok(None);
            }
        }
    }
}

fn unanswered<E>(doing: &str, execution: &str, error: SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let error = aws_error(&error);
    let message = format!("Step Functions did not {doing} {execution}: {error}");
    match error.is_transient() {
        true => Error::ServiceUnavailable(message),
        false => Error::Unexpected(anyhow!(message)),
    }
}
