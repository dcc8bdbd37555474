//! What Step Functions learns of an error of a function.

/// A payload that is not the input of the function.
///
/// The runtime would report it under a name that the state machine does not know.
#[derive(Debug)]
pub struct UnreadableInput(pub serde_json::Error);

impl std::fmt::Display for UnreadableInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the input cannot be read: {}", self.0)
    }
}

/// Makes an enum the error type of a function.
///
/// The identifier of a variant is the error name that Step Functions sees; the message, on one line, is the cause.
/// The enum derives `strum::IntoStaticStr` and `strum::VariantNames`. A name without an entry in the catalog
/// ([`post::ErrorName`]) does not compile.
///
/// The lines name the errors that `?` converts, and the variant that each becomes.
/// `A or B` is `A` if the error is transient (its `is_transient()` is true, so that a retry can succeed) and `B` if
/// not. Each variant holds the message, but `Unexpected` the error itself.
///
/// ```
/// #[derive(Debug, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
/// pub enum Error {
///     #[error("{0}")]
///     ServiceUnavailable(String),
///     #[error("{0}")]
///     InvalidInput(String),
///     #[error("{0:#}")]
///     Unexpected(anyhow::Error),
/// }
///
/// lambda_function::function_error!(Error {
///     lambda_function::UnreadableInput => InvalidInput,
///     lambda_function::AwsError => ServiceUnavailable or Unexpected,
/// });
/// ```
#[macro_export]
macro_rules! function_error {
    ($error:ident { $($source:ty => $variant:ident $(or $other:ident)?),* $(,)? }) => {
        const _: () = $crate::assert_cataloged(<$error as ::strum::VariantNames>::VARIANTS);

        impl From<$error> for $crate::Diagnostic {
            fn from(error: $error) -> $crate::Diagnostic {
                $crate::Diagnostic {
                    error_type: <&'static str>::from(&error).to_owned(),
                    error_message: error.to_string().replace('\n', " | "),
                }
            }
        }

        $(
            impl From<$source> for $error {
                fn from(error: $source) -> $error {
                    $crate::function_error!(@convert $error, error, $variant $(or $other)?)
                }
            }
        )*
    };
    (@convert $error:ident, $from:ident, $variant:ident or $other:ident) => {
        match $from.is_transient() {
            true => $crate::function_error!(@convert $error, $from, $variant),
            false => $crate::function_error!(@convert $error, $from, $other),
        }
    };
    (@convert $error:ident, $from:ident, Unexpected) => {
        $error::Unexpected($from.into())
    };
    (@convert $error:ident, $from:ident, $variant:ident) => {
        $error::$variant($from.to_string())
    };
}
