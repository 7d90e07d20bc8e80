//! `cargo xtask tidy`: the rules of ARCHITECTURE.md and CONTRIBUTING.md that no compiler checks.
//!
//! Each check gives a list of complaints, each of which names the file and what to do. All checks run before
//! the result is known, so that one run shows everything.

mod edges;
mod generated;
mod length;
mod names;
mod simulations;
mod versions;

use anyhow::{Result, bail};

/// A check: its name, and what it found.
type Check = (&'static str, fn() -> Result<Vec<String>>);

const CHECKS: [Check; 6] = [
    ("file length", length::check),
    ("crate edges", edges::check),
    ("versions", versions::check),
    ("module names", names::check),
    ("simulations", simulations::check),
    ("generated code", generated::check),
];

/// Runs every check and prints what it found.
pub(crate) fn run() -> Result<()> {
    let mut complaints = 0;
    for (name, check) in CHECKS {
        let found = check()?;
        println!("{name}: {}", if found.is_empty() { "ok" } else { "NOT OK" });
        for complaint in &found {
            eprintln!("  {complaint}");
        }
        complaints += found.len();
    }
    match complaints {
        0 => Ok(()),
        1 => bail!("tidy has one complaint, see above"),
        n => bail!("tidy has {n} complaints, see above"),
    }
}
