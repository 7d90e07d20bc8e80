//! `cargo xtask sim`: the simulation tests with more seeds than `cargo xtask test` takes.
//!
//! A simulation test has `sim` in its path, takes its seeds from `barograph_engine::vfs::for_each_seed`, which
//! reads `BAROGRAPH_SIM_SEEDS`, and prints the seed of a failure. `cargo xtask tidy` finds one that is not run here.

use anyhow::Result;
use clap::Args;

use crate::step::{self, cargo};

/// The environment variable that simulation tests read.
const SEEDS_VARIABLE: &str = "BAROGRAPH_SIM_SEEDS";

/// The crates that have simulation tests.
pub(crate) const PACKAGES: [&str; 4] = [
    "barograph-engine",
    "barograph-alerts",
    "barograph-query",
    "barograph",
];

/// How much to simulate.
#[derive(Debug, Args)]
pub(crate) struct SimArguments {
    /// How many seeds for each simulation test (500), or which (17..18); else what BAROGRAPH_SIM_SEEDS says, else
    /// 1000
    #[arg(long)]
    seeds: Option<String>,
}

/// Runs them; the output is shown, since it carries the seeds.
pub(crate) fn run(arguments: &SimArguments) -> Result<()> {
    let from_environment = || std::env::var(SEEDS_VARIABLE).ok();
    let seeds = arguments
        .seeds
        .clone()
        .or_else(from_environment)
        .unwrap_or_else(|| "1000".to_owned());
    let mut command = cargo(&["test", "--lib"]);
    command.args(PACKAGES.iter().flat_map(|package| ["--package", package]));
    command
        .args(["--", "sim", "--nocapture"])
        .env(SEEDS_VARIABLE, seeds);
    step::run("simulation", &mut command)
}
