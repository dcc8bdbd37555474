//! The environment variables of a function, which Terraform sets.
//!
//! A function reads them once, when it starts. It does not start without one that it needs, and names it.

use std::fmt;

/// An environment variable that a function cannot start with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    name: &'static str,
    problem: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the environment variable {} {}", self.name, self.problem)
    }
}

impl std::error::Error for Error {}

/// The value of a variable that the function needs.
pub fn required(name: &'static str) -> Result<String, Error> {
    std::env::var(name).map_err(|_| Error {
        name,
        problem: "is missing".to_owned(),
    })
}

/// The value of a variable, or a default.
pub fn or(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

/// The value of a variable that the function needs and that is more than text.
pub fn parsed<T, E: fmt::Display>(
    name: &'static str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, Error> {
    let value = required(name)?;
    parse(&value).map_err(|why| Error {
        name,
        problem: format!("is {value:?}: {why}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_is_missing_or_malformed_is_named() {
        assert_eq!(
            required("SPOOKY_ABSENT").unwrap_err().to_string(),
            "the environment variable SPOOKY_ABSENT is missing"
        );
        assert_eq!(or("SPOOKY_ABSENT", "a default"), "a default");
        // Cargo sets this one.
        let message = parsed("CARGO_PKG_NAME", str::parse::<u64>)
            .unwrap_err()
            .to_string();
        assert_eq!(
            message,
            "the environment variable CARGO_PKG_NAME is \"lambda-function\": invalid digit found in string"
        );
    }
}
