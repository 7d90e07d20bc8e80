//! `cargo xtask bench`: builds the benches in release mode and runs them one after the other.
//!
//! A bench is a binary of the package `barograph-benches` (it prints its own figures) or a `[[bench]]` target
//! of it (criterion). They are found through `cargo metadata`, so a new one needs no line here.

use anyhow::{Result, bail};
use cargo_metadata::{MetadataCommand, TargetKind};
use clap::Args;

use crate::step::{Steps, cargo};
use crate::workspace;

const PACKAGE: &str = "barograph-benches";

/// Which benches to run.
#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    /// Names of benches; all when none is given
    names: Vec<String>,
    /// Arguments for the benches that are binaries
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Runs the benches asked for; unknown names are refused with the list of those that exist.
pub(crate) fn run(arguments: &BenchArguments) -> Result<()> {
    let metadata = MetadataCommand::new()
        .current_dir(workspace::root())
        .no_deps()
        .exec()?;
    let targets: Vec<_> = metadata
        .packages
        .iter()
        .filter(|package| package.name == PACKAGE)
        .flat_map(|package| &package.targets)
        .filter(|target| {
            target
                .kind
                .iter()
                .any(|k| matches!(k, TargetKind::Bin | TargetKind::Bench))
        })
        .collect();
    let known: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    if let Some(unknown) = arguments
        .names
        .iter()
        .find(|name| !known.contains(&name.as_str()))
    {
        bail!("no bench is called {unknown:?}; there are: {}", known.join(", "));
    }
    let mut steps = Steps::default();
    for target in targets {
        if !arguments.names.is_empty() && !arguments.names.contains(&target.name) {
            continue;
        }
        let mut command = if target.is_bench() {
            cargo(&["bench", "--package", PACKAGE, "--bench", &target.name])
        } else {
            let mut command = cargo(&[
                "run",
                "--release",
                "--package",
                PACKAGE,
                "--bin",
                &target.name,
                "--",
            ]);
            command.args(&arguments.rest);
            command
        };
        // The benches that drive a server start the release binary that lies beside them.
        steps.run(&target.name, &mut command)?;
    }
    steps.print_times();
    Ok(())
}
