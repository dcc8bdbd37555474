//! The description of every function, `functions/functions.json`.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;

const FUNCTIONS: &str = include_str!("../../../functions/functions.json");

/// How a function is deployed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FunctionDescription {
    /// Its timeout, in seconds.
    pub timeout_seconds: i32,
    /// Its memory, in MB.
    pub memory_mb: i32,
    /// The names of its environment variables.
    pub environment: Vec<String>,
}

/// The functions by name.
pub fn functions() -> anyhow::Result<BTreeMap<String, FunctionDescription>> {
    serde_json::from_str(FUNCTIONS).context("functions/functions.json")
}
