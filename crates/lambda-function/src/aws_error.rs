//! A typed summary of an AWS error.

use std::{error::Error, fmt};

use aws_smithy_runtime_api::{client::result::SdkError, http::Response};
use aws_smithy_types::error::{metadata::ProvideErrorMetadata, operation::BuildError};

/// An error of an AWS request, without the response body.
///
/// The SDK's `DisplayErrorContext` prints the whole response, which can contain a secret value or an item with a task
/// token. This type keeps the code, the message and the HTTP status, or the chain of causes if there was no response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsError {
    /// The error code, such as `AccessDeniedException`; `None` if there was no response, or the response had none.
    pub code: Option<String>,
    /// The HTTP status; `None` if there was no response.
    pub status: Option<u16>,
    message: String,
}

impl AwsError {
    /// The same error with the request that failed in front of its message, such as `S3 did not store the draft`.
    pub fn during(self, request: impl fmt::Display) -> AwsError {
        AwsError {
            message: format!("{request}: {}", self.message),
            ..self
        }
    }

    /// Whether the service was unreachable, unavailable or throttled the request: nothing says that the request is
    /// wrong, and another attempt can succeed.
    pub fn is_transient(&self) -> bool {
        let throttled = matches!(
            self.code.as_deref(),
            Some(
                // Two writes of one object of S3 at the same time.
                "ConditionalRequestConflict"
                    | "InternalServerError"
                    | "LimitExceededException"
                    | "ProvisionedThroughputExceededException"
                    | "RequestLimitExceeded"
                    | "ServiceUnavailable"
                    | "SlowDown"
                    | "ThrottlingException"
                    | "TooManyRequestsException"
            )
        );
        // A response that the SDK cannot read has a status and no code.
        throttled
            || self
                .status
                .is_none_or(|status| !(400..500).contains(&status))
    }

    /// Whether the service refused the request because the identity has no permission for it.
    pub fn is_access_denied(&self) -> bool {
        matches!(
            self.code.as_deref(),
            Some(
                "AccessDenied"
                    | "AccessDeniedException"
                    | "AuthorizationError"
                    | "UnauthorizedOperation"
            )
        )
    }

    /// Whether the request failed because its access key or its signature is wrong.
    pub fn is_invalid_credentials(&self) -> bool {
        matches!(
            self.code.as_deref(),
            Some("InvalidClientTokenId" | "SignatureDoesNotMatch" | "UnrecognizedClientException")
        )
    }

    /// Whether the request failed because its temporary credentials have expired.
    pub fn is_expired_credentials(&self) -> bool {
        matches!(
            self.code.as_deref(),
            Some("ExpiredToken" | "ExpiredTokenException" | "RequestExpired")
        )
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for AwsError {}

impl From<BuildError> for AwsError {
    /// A request that lacks a required field is never sent.
    fn from(error: BuildError) -> AwsError {
        AwsError {
            code: None,
            status: None,
            message: error.to_string(),
        }
    }
}

/// Summarizes an error of any AWS client.
pub fn aws_error<E>(error: &SdkError<E, Response>) -> AwsError
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let SdkError::ServiceError(refusal) = error else {
        return AwsError {
            code: None,
            status: error.raw_response().map(|raw| raw.status().as_u16()),
            message: chain(error),
        };
    };
    let status = refusal.raw().status().as_u16();
    let message = match (refusal.err().code(), refusal.err().message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        // A proxy in front of a service responds without a code.
        (None, _) => format!("HTTP {status}"),
    };
    AwsError {
        code: refusal.err().code().map(str::to_owned),
        status: Some(status),
        message,
    }
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::{body::SdkBody, error::ErrorMetadata};

    #[derive(Debug)]
    struct Refused(ErrorMetadata);

    impl std::fmt::Display for Refused {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("refused")
        }
    }

    impl Error for Refused {}

    impl ProvideErrorMetadata for Refused {
        fn meta(&self) -> &ErrorMetadata {
            &self.0
        }
    }

    fn response() -> Response {
        let status = StatusCode::try_from(503).unwrap();
        Response::new(status, SdkBody::from("the secret itself"))
    }

    #[test]
    fn a_refusal_is_its_code_and_message() {
        let summary = |meta: ErrorMetadata| {
            aws_error(&SdkError::service_error(Refused(meta), response())).to_string()
        };
        let meta = ErrorMetadata::builder;
        assert_eq!(summary(meta().build()), "HTTP 503");
        assert_eq!(summary(meta().code("AccessDenied").build()), "AccessDenied");
        assert_eq!(
            summary(meta().code("AccessDenied").message("No rights.").build()),
            "AccessDenied: No rights."
        );
    }

    #[test]
    fn an_unreadable_response_is_not_quoted() {
        let cause = std::io::Error::other("unexpected token");
        let error: SdkError<Refused, Response> = SdkError::response_error(cause, response());
        assert_eq!(
            aws_error(&error).to_string(),
            "response error: unexpected token"
        );
    }
}
