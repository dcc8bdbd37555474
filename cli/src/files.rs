//! The folders of this checkout.

use std::path::{Path, PathBuf};

/// The root of the checkout.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The folder with a folder for each bot.
pub(crate) fn bots_directory() -> PathBuf {
    workspace().join("bots")
}
