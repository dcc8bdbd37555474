//! Finds Chromium, or installs it.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail, ensure};
use sha2::{Digest, Sha256};

/// What npm installs if the machine has no Chromium, with the integrity of every package.
const FILES: [(&str, &str); 4] = [
    ("package.json", include_str!("../../chromium/package.json")),
    (
        "package-lock.json",
        include_str!("../../chromium/package-lock.json"),
    ),
    ("unpack.mjs", include_str!("../../chromium/unpack.mjs")),
    ("fonts.conf", include_str!("../../chromium/fonts.conf")),
];

const NAMES: [&str; 5] = [
    "chrome-headless-shell",
    "chromium",
    "google-chrome",
    "google-chrome-stable",
    "chromium-browser",
];

/// The applications of macOS, which are not on the PATH.
const APPLICATIONS: [&str; 2] = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/// A Chromium that can be started.
pub(crate) enum Chromium {
    /// The program of this machine.
    Present(PathBuf),
    /// The one from npm, in a folder with its libraries and fonts.
    Installed(PathBuf),
}

pub(crate) fn chromium() -> anyhow::Result<Chromium> {
    if let Some(named) = env::var_os("CHROMIUM").filter(|named| !named.is_empty()) {
        let program = PathBuf::from(named);
        ensure!(
            program.is_file(),
            "CHROMIUM is not a file: {}. Set it to the program, or unset it",
            program.display()
        );
        return Ok(Chromium::Present(program));
    }
    let named = NAMES.iter().filter_map(|name| on_path(name));
    let applications = APPLICATIONS.iter().map(PathBuf::from);
    if let Some(program) = named
        .chain(applications)
        .find(|program| program.is_file() && !is_snap(program))
    {
        return Ok(Chromium::Present(program));
    }
    let advice = "the tests of pages need a browser: install Chromium or Chrome so that it is on the PATH, or set CHROMIUM to the program";
    // The package has no build for anything else.
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!("{advice}");
    }
    if on_path("npm").is_none() || on_path("node").is_none() {
        bail!("{advice}; or install Node.js with npm, and the tests install Chromium");
    }
    Ok(Chromium::Installed(install()?))
}

fn on_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// Whether snap confines it, so that it has no access to the temporary directory and not always to the pipe.
/// On Ubuntu `chromium-browser` is a script that calls snap.
fn is_snap(program: &Path) -> bool {
    let Ok(real) = program.canonicalize() else {
        return false;
    };
    let script = |path: &Path| {
        fs::metadata(path).is_ok_and(|file| file.len() < 65_536)
            && fs::read_to_string(path).is_ok_and(|text| text.contains("/snap/bin/"))
    };
    program.starts_with("/snap") || real.ends_with("snap") || script(&real)
}

/// The folder of the unpacked Chromium, created if it is missing.
fn install() -> anyhow::Result<PathBuf> {
    let mut hash = Sha256::new();
    for (name, text) in FILES {
        hash.update(name);
        hash.update(text);
    }
    let hash: String = hash.finalize()[..6]
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let home = target_directory().join("browser");
    fs::create_dir_all(&home).with_context(|| format!("creating {}", home.display()))?;
    // The environment of Chromium names it, which does not know where cargo was started.
    let home = home.canonicalize()?;
    let folder = home.join(hash);
    let ready = folder.join("ready");
    // Test binaries that run in parallel install it once.
    let lock = File::create(home.join("lock"))?;
    lock.lock().context("waiting for another installation")?;
    if ready.exists() {
        return Ok(folder);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("clearing an unfinished {}", folder.display()))?;
    }
    fs::create_dir(&folder)?;
    for (name, text) in FILES {
        fs::write(folder.join(name), text)?;
    }
    run(
        Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&folder),
        "installing Chromium from the npm registry",
    )?;
    run(
        Command::new("node")
            .arg("unpack.mjs")
            .current_dir(&folder)
            .env("TMPDIR", &folder),
        "unpacking Chromium",
    )?;
    fs::remove_dir_all(folder.join("node_modules"))?;
    fs::write(&ready, "")?;
    Ok(folder)
}

fn target_directory() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => PathBuf::from(directory),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
    }
}

fn run(command: &mut Command, doing: &str) -> anyhow::Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| doing.to_owned())?;
    ensure!(
        output.status.success(),
        "{doing}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
