#![doc = include_str!("../README.md")]

use std::error::Error;

use aws_smithy_runtime_api::{client::result::SdkError, http::Response};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// The line for an error of any AWS client.
pub fn aws_said<E>(error: &SdkError<E, Response>) -> String
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let SdkError::ServiceError(refusal) = error else {
        let mut line = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            line.push_str(": ");
            line.push_str(&cause.to_string());
            source = cause.source();
        }
        return line;
    };
    let status = refusal.raw().status();
    match (refusal.err().code(), refusal.err().message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        // What stands before a service answers without a code.
        (None, _) => format!("HTTP {}", status.as_u16()),
    }
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

    fn answer() -> Response {
        let status = StatusCode::try_from(503).unwrap();
        Response::new(status, SdkBody::from("the secret itself"))
    }

    #[test]
    fn a_refusal_is_its_code_and_message() {
        let said =
            |meta: ErrorMetadata| aws_said(&SdkError::service_error(Refused(meta), answer()));
        let meta = ErrorMetadata::builder;
        assert_eq!(said(meta().build()), "HTTP 503");
        assert_eq!(said(meta().code("AccessDenied").build()), "AccessDenied");
        assert_eq!(
            said(meta().code("AccessDenied").message("No rights.").build()),
            "AccessDenied: No rights."
        );
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_not_quoted() {
        let cause = std::io::Error::other("unexpected token");
        let error: SdkError<Refused, Response> = SdkError::response_error(cause, answer());
        assert_eq!(aws_said(&error), "response error: unexpected token");
    }
}
