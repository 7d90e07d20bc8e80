//! `cargo xtask sim`: the simulation tests with more seeds than `cargo xtask test` takes.
//!
//! A simulation test has `sim` in its path, reads the number of seeds from `BAROGRAPH_SIM_SEEDS`, and prints
//! the seed of a failure; `BAROGRAPH_SIM_SEED=N` repeats that one.

use anyhow::{Context, Result};
use clap::Args;

use crate::step::{self, cargo};

/// The environment variable that simulation tests read.
const SEEDS_VARIABLE: &str = "BAROGRAPH_SIM_SEEDS";

/// How much to simulate.
#[derive(Debug, Args)]
pub(crate) struct SimArguments {
    /// Seeds for each simulation test; else what BAROGRAPH_SIM_SEEDS says, else 1000
    #[arg(long)]
    seeds: Option<u64>,
}

/// Runs them; the output is shown, since it carries the seeds.
pub(crate) fn run(arguments: &SimArguments) -> Result<()> {
    let seeds = match (arguments.seeds, std::env::var(SEEDS_VARIABLE)) {
        (Some(seeds), _) => seeds,
        (None, Ok(text)) => text
            .parse()
            .with_context(|| format!("{SEEDS_VARIABLE}={text:?} is not a number"))?,
        (None, Err(_)) => 1000,
    };
    let mut command = cargo(&[
        "test",
        "--package",
        "barograph-engine",
        "--",
        "sim",
        "--nocapture",
    ]);
    command.env(SEEDS_VARIABLE, seeds.to_string());
    step::run("simulation", &mut command)
}
