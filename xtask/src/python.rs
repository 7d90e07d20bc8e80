//! Python packages that the end-to-end tests use, in a virtual environment below the target folder.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{step, workspace};

/// What is installed, with versions; relative to the workspace.
const REQUIREMENTS: [&str; 4] = [
    "server/tests/flight/requirements.txt",
    "server/tests/postgres/requirements.txt",
    "server/tests/readers/requirements.txt",
    "server/tests/s3/requirements.txt",
];

/// Makes the environment, or brings it up to date; nothing happens where it holds what is asked for.
pub(crate) fn install() -> Result<()> {
    let folder = folder();
    let files = REQUIREMENTS.map(|file| workspace::root().join(file));
    let mut wanted = String::new();
    for file in &files {
        wanted.push_str(&workspace::read(file)?);
    }
    // Written last, so that an installation that was cut short is done again.
    let marker = folder.join("installed.txt");
    if fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        println!(
            "all there: {}",
            wanted.split_whitespace().collect::<Vec<_>>().join(", ")
        );
        return Ok(());
    }
    step::run(
        "environment",
        Command::new("python3").args(["-m", "venv"]).arg(&folder),
    )
    .context("the tests need python3 with its module venv (on Debian: apt-get install python3-venv)")?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    for file in &files {
        pip.arg("--requirement").arg(file);
    }
    step::run("packages", &mut pip)?;
    fs::write(&marker, wanted).with_context(|| format!("cannot write {}", workspace::shown(&marker)))
}

/// `target/python`, in the folder that Cargo builds in.
fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target
        .unwrap_or_else(|| workspace::root().join("target"))
        .join("python")
}
