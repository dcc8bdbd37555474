use aws_sdk_dynamodb::error::BuildError;
use lambda_function::AwsError;
use post::InvalidPostId;

/// Why the table did not do what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// DynamoDB refused the request, or could not be reached.
    #[error("DynamoDB did not {0}: {1}")]
    Aws(&'static str, AwsError),
    /// Another transaction changed the same item in each attempt.
    #[error("could not {0}: another transaction changed the same item in each attempt")]
    Conflict(&'static str),
    /// The table does not allow this for what it was asked, such as arming a dry run.
    #[error("could not {0}: {1}")]
    NotAllowed(&'static str, String),
    /// A request lacks a field that DynamoDB requires.
    #[error("could not {0}: {1}")]
    IncompleteRequest(&'static str, BuildError),
    /// An item is not what this version understands.
    #[error("the item {0} cannot be read: {1}")]
    Unreadable(String, serde_dynamo::Error),
    /// An item names a post that is not one.
    #[error("the item {0} cannot be read: {1}")]
    InvalidPost(&'static str, InvalidPostId),
}

impl Error {
    /// Whether another attempt can succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Error::Aws(_, error) => error.is_transient(),
            Error::Conflict(_) => true,
            Error::NotAllowed(..)
            | Error::IncompleteRequest(..)
            | Error::Unreadable(..)
            | Error::InvalidPost(..) => false,
        }
    }
}
