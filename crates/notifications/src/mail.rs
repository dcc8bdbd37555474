//! Sends one email to one address through SES, as HTML and as plain text.
//!
//! Each address gets a separate email, so that an address that SES refuses does not affect the others.
//! The error says whether another attempt can help.

use aws_sdk_sesv2::{
    error::BuildError,
    types::{Body, Content, Destination, EmailContent, Message},
};
use lambda_function::{AwsError, aws_error};

/// A mail before it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The subject, one line.
    pub subject: String,
    /// The HTML.
    pub html: String,
    /// The same in plain text.
    pub text: String,
}

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SES refuses it, for example because an address is not verified.
    #[error("SES refuses the mail to {0}: {1}")]
    Refused(String, AwsError),
    /// SES is unreachable, busy, or sends too fast.
    #[error("SES did not take the mail to {0}: {1}")]
    Unavailable(String, AwsError),
}

/// Sends a mail to one address.
pub async fn send(
    ses: &aws_sdk_sesv2::Client,
    from: &str,
    to: &str,
    mail: &Mail,
) -> Result<(), Error> {
    let refused = |e: BuildError| Error::Refused(to.to_owned(), e.into());
    let content = |text: &str| {
        Content::builder()
            .data(text)
            .charset("UTF-8")
            .build()
            .map_err(refused)
    };
    let body = Body::builder()
        .html(content(&mail.html)?)
        .text(content(&mail.text)?)
        .build();
    let message = Message::builder()
        .subject(content(&mail.subject)?)
        .body(body)
        .build();
    let sent = ses
        .send_email()
        .from_email_address(from)
        .destination(Destination::builder().to_addresses(to).build())
        .content(EmailContent::builder().simple(message).build())
        .send()
        .await;
    let Err(error) = sent else { return Ok(()) };
    let error = aws_error(&error);
    Err(match error.is_transient() {
        true => Error::Unavailable(to.to_owned(), error),
        false => Error::Refused(to.to_owned(), error),
    })
}
