//! The project's own commands, run as `cargo xtask COMMAND`.
//!
//! Invariants:
//! - everything a developer or CI needs is one command of this program; no shell scripts hold knowledge;
//! - it builds none of the product's crates, so that it starts fast and works while they do not compile;
//! - a failure says which step, which file and what to do, and the exit code is not 0.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program talks to a terminal"
)]

mod bench;
mod codegen;
mod demo;
mod format;
mod fuzz;
mod node;
mod packages;
mod python;
mod sim;
mod step;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The project's own commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything CI runs: format, lints, tidiness, tests, doc tests
    Test(test::TestArguments),
    /// What no compiler checks: file length, crate edges, versions, names, simulations, generated code
    Tidy,
    /// Write proto/src/generated/*.rs from the .proto files (needs no protoc)
    Codegen,
    /// Build the release binary and run `barograph demo`
    Demo(demo::DemoArguments),
    /// Build and run the benches
    Bench(bench::BenchArguments),
    /// Add files of today's formats to those that a test reads for ever
    Format(format::FormatArguments),
    /// Fuzz the decoders of outside bytes
    Fuzz(fuzz::FuzzArguments),
    /// Install the Node packages that the tests use, below the target folder
    Node,
    /// Install the Python packages that the tests use, below the target folder
    Python,
    /// Run the simulation tests with many seeds
    Sim(sim::SimArguments),
}

fn main() -> ExitCode {
    if let Some(code) = fuzz::as_compiler() {
        return code;
    }
    let result = match Arguments::parse().command {
        Command::Test(arguments) => return test::run(&arguments),
        Command::Tidy => tidy::run(),
        Command::Codegen => codegen::run(),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Format(arguments) => format::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Node => node::install(),
        Command::Python => python::install(),
        Command::Sim(arguments) => sim::run(&arguments),
    };
    exit_code(&result)
}

/// Says what failed. The code is that of the command that failed, so that a caller can tell a failed test from a
/// killed one.
fn exit_code(result: &anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    eprintln!("\nerror: {error:#}");
    ExitCode::from(
        error
            .downcast_ref::<step::StepFailed>()
            .map_or(1, step::StepFailed::exit_code),
    )
}
