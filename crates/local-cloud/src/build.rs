//! Builds the functions, and their deployment packages.

use std::{
    collections::BTreeMap,
    io::{Cursor, Write},
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, ensure};
use deployment::functions;

use crate::target_directory;

/// The deployment packages of the functions, by the function's name.
pub type Zips = BTreeMap<String, Vec<u8>>;

/// The directory that holds the binary of each function.
#[derive(Clone, Debug)]
pub struct Binaries(PathBuf);

impl Binaries {
    /// What the local cloud deploys: packages whose bootstrap runs these lines of a shell script and then the binary,
    /// where cargo left it. The emulator runs functions as processes of this machine, so packing, uploading and
    /// unpacking 100 MB for each deployment would prove nothing.
    pub fn launchers(&self, lines: &str) -> anyhow::Result<Zips> {
        self.zips(|binary| {
            let binary = binary
                .to_str()
                .with_context(|| format!("{} is not UTF-8", binary.display()))?
                .replace('\'', r"'\''");
            Ok(format!("#!/bin/sh\n{lines}exec '{binary}'\n").into_bytes())
        })
    }

    /// What AWS Lambda takes: packages that hold the binaries.
    pub fn packages(&self) -> anyhow::Result<Zips> {
        self.zips(|binary| {
            std::fs::read(binary).with_context(|| format!("reading {}", binary.display()))
        })
    }

    fn zips(&self, bootstrap: impl Fn(&Path) -> anyhow::Result<Vec<u8>>) -> anyhow::Result<Zips> {
        functions()?
            .into_keys()
            .map(|name| {
                let zip = zipped(&bootstrap(&self.0.join(&name))?)?;
                Ok((name, zip))
            })
            .collect()
    }
}

/// Builds the functions with the profile of this program.
///
/// Cargo prints its progress on standard error.
pub async fn build_functions() -> anyhow::Result<Binaries> {
    let mut cargo =
        tokio::process::Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    // The same packages as `cargo run` builds, so that nothing is built twice.
    cargo
        .arg("build")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    // `cargo run` and `cargo test` describe this package in the environment. A build script that reads these
    // variables, such as that of ring, would run again for each of the two builds, and so would every dependent.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(describes_a_package) {
            cargo.env_remove(name);
        }
    }
    let profile = if cfg!(debug_assertions) {
        "debug"
    } else {
        cargo.arg("--release");
        "release"
    };
    let status = cargo
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await
        .context("running cargo to build the functions")?;
    ensure!(
        status.success(),
        "the functions do not build; cargo's messages are above"
    );
    let directory = target_directory().join(profile);
    // The emulator starts them with another working directory.
    let directory = std::path::absolute(&directory)
        .with_context(|| format!("locating {}", directory.display()))?;
    Ok(Binaries(directory))
}

fn describes_a_package(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
}

fn zipped(bootstrap: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .compression_level(Some(1))
        .unix_permissions(0o755);
    zip.start_file("bootstrap", options)?;
    zip.write_all(bootstrap)?;
    Ok(zip.finish()?.into_inner())
}
