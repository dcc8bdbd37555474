//! Builds the functions and packs them as zip files.

use std::{
    collections::BTreeMap,
    io::{Cursor, Write},
    path::Path,
    process::Stdio,
};

use anyhow::{Context, ensure};
use deployment::functions;

use crate::target_directory;

/// The functions as zip files, by name.
pub type Zips = BTreeMap<String, Vec<u8>>;

/// Builds the functions with the profile of this program, and packs each as a zip file for Lambda.
///
/// Cargo prints its progress on standard error.
pub async fn build_functions() -> anyhow::Result<Zips> {
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
    tokio::task::spawn_blocking(move || {
        functions()?
            .into_keys()
            .map(|name| {
                let zip = zipped(&directory.join(&name))?;
                Ok((name, zip))
            })
            .collect()
    })
    .await?
}

fn describes_a_package(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
}

fn zipped(binary: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = std::fs::read(binary).with_context(|| format!("reading {}", binary.display()))?;
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .compression_level(Some(1))
        .unix_permissions(0o755);
    zip.start_file("bootstrap", options)?;
    zip.write_all(&bytes)?;
    Ok(zip.finish()?.into_inner())
}
