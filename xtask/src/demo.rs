//! `cargo xtask demo`: the release binary, then `barograph demo`.

use anyhow::Result;
use clap::Args;

use crate::step::{self, cargo};

/// Passed through to `barograph demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// Arguments of `barograph demo`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds and runs; Ctrl-C goes to the demo, which stops cleanly.
pub(crate) fn run(arguments: &DemoArguments) -> Result<()> {
    step::run(
        "build",
        &mut cargo(&["build", "--release", "--package", "barograph"]),
    )?;
    let mut demo = cargo(&[
        "run",
        "--quiet",
        "--release",
        "--package",
        "barograph",
        "--",
        "demo",
    ]);
    demo.args(&arguments.rest);
    step::run("demo", &mut demo)
}
