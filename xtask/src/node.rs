//! Node packages that the end-to-end tests use, below the target folder, as their lock file has them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{step, workspace};

/// Where `package.json` and its lock file are, relative to the workspace.
const FOLDER: &str = "server/tests/codemirror";
const FILES: [&str; 2] = ["package.json", "package-lock.json"];

/// Installs the packages; nothing happens where they are what is asked for.
pub(crate) fn install() -> Result<()> {
    let folder = folder();
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", workspace::shown(&folder)))?;
    let mut wanted = String::new();
    for name in FILES {
        let text = workspace::read(&workspace::root().join(FOLDER).join(name))?;
        let copy = folder.join(name);
        fs::write(&copy, &text).with_context(|| format!("cannot write {}", workspace::shown(&copy)))?;
        wanted.push_str(&text);
    }
    // Written last, so that an installation that was cut short is done again.
    let marker = folder.join("installed.txt");
    if fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        println!("all there: what {FOLDER}/{} locks", FILES[1]);
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    step::run("packages", npm.current_dir(&folder))
        .context("the tests need node and npm (on Debian: apt-get install nodejs npm)")?;
    fs::write(&marker, wanted).with_context(|| format!("cannot write {}", workspace::shown(&marker)))
}

/// `target/node`, in the folder that Cargo builds in.
fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target
        .unwrap_or_else(|| workspace::root().join("target"))
        .join("node")
}
