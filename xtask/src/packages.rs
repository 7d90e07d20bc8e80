//! Programs that the end-to-end tests start, as Debian packages them.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::step;

/// (package, program it brings).
const NEEDED: [(&str, &str); 6] = [
    ("nodejs", "node"),
    ("npm", "npm"),
    ("postgresql-client", "psql"),
    ("prometheus", "prometheus"),
    ("prometheus-node-exporter", "prometheus-node-exporter"),
    ("victoria-metrics", "victoria-metrics"),
];

/// Installs what is missing where that is possible: as root on a machine with apt-get. Elsewhere it says what
/// to install and goes on, since the tests that need a program name it when they fail.
pub(crate) fn install_missing() -> Result<()> {
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(_, program)| !is_installed(program))
        .map(|(package, _)| *package)
        .collect();
    if missing.is_empty() {
        println!("all there: {}", NEEDED.map(|(package, _)| package).join(", "));
        return Ok(());
    }
    if !is_root() || !is_installed("apt-get") {
        println!(
            "missing: {0}; install them, on Debian with: sudo apt-get install {0}",
            missing.join(" ")
        );
        return Ok(());
    }
    step::run("package lists", &mut apt(&["update"]))?;
    let mut install = apt(&["install", "--yes", "--no-install-recommends"]);
    install.args(&missing);
    step::run("packages", &mut install)
}

fn apt(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    // Keeps the packages' services from starting: the tests start their own, on ports they choose.
    command.env("RUNLEVEL", "1");
    command
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let sbin = ["/usr/sbin", "/sbin"].map(Path::new).map(Path::to_path_buf);
    std::env::split_paths(&path)
        .chain(sbin)
        .any(|folder| folder.join(program).is_file())
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
