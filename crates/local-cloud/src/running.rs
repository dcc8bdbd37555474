//! The local cloud that a `spooky local` in another process runs.

use std::path::PathBuf;

use anyhow::Context;
use deployment::Deployment;
use serde::{Deserialize, Serialize};

use crate::{Account, connect, target_directory};

/// Where a running local cloud is; `spooky local` writes it to `target/local/local.json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct RunningAddress {
    /// The URL of the emulator.
    pub url: String,
    /// The account that it is deployed in.
    pub account: String,
}

impl RunningAddress {
    /// The address that the latest `spooky local` wrote, whether it still runs or not.
    pub fn read() -> anyhow::Result<RunningAddress> {
        let text = std::fs::read(local_directory().join("local.json"))?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Writes the address for other processes.
    pub fn write(&self) -> anyhow::Result<()> {
        let path = local_directory().join("local.json");
        std::fs::write(&path, serde_json::to_vec(self)?)
            .with_context(|| format!("writing {}", path.display()))
    }
}

/// The folder in which `spooky local` keeps its state.
pub fn local_directory() -> PathBuf {
    target_directory().join("local")
}

/// Connects to the local cloud that another process runs.
pub async fn running() -> anyhow::Result<Deployment> {
    let start = "start it with `cargo run -- local` in another terminal";
    let address = RunningAddress::read()
        .with_context(|| format!("the local cloud was never started: {start}"))?;
    std::net::TcpStream::connect(address.url.trim_start_matches("http://"))
        .with_context(|| format!("the local cloud is not running: {start}"))?;
    Ok(connect(&Account::at(&address.url, &address.account)).await)
}
