//! `cargo xtask fuzz`: every decoder of outside bytes under libFuzzer, led by coverage.
//!
//! libFuzzer comes with the crate `libfuzzer-sys` and works with the stable compiler, which can count coverage for it.
//! Only the crates of this workspace are compiled so: this program stands in for the compiler where Cargo asks for one
//! of them, and adds the flags. The dependencies stay as the other builds have left them, and a fuzzing build costs
//! little. What it cannot do without the nightly compiler is to watch memory accesses; there is next to no unsafe code
//! that would need it.
//!
//! The same targets run without libFuzzer in every test run, on a fixed number of changes of the committed seeds.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::step::{self, cargo};
use crate::workspace;

/// Set for Cargo's compiler calls.
const AS_COMPILER: &str = "BAROGRAPH_XTASK_AS_COMPILER";

/// Counters at every edge, with the operands of comparisons, as libFuzzer wants them.
const COVERAGE_FLAGS: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
];

/// Memory beyond which a run counts as a finding.
const MEMORY_MIB_MAX: u32 = 2048;

/// Time of one input beyond which it counts as a finding.
const INPUT_SECONDS_MAX: u32 = 20;

/// What to fuzz.
#[derive(Debug, Args)]
pub(crate) struct FuzzArguments {
    /// The targets; all of them one after the other when none is given
    targets: Vec<String>,
    /// How long each target is fuzzed
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Name the targets and end
    #[arg(long)]
    list: bool,
}

/// Builds once, then fuzzes each target.
pub(crate) fn run(arguments: &FuzzArguments) -> Result<()> {
    let all = targets()?;
    if arguments.list {
        all.iter().for_each(|target| println!("{target}"));
        return Ok(());
    }
    if let Some(unknown) = arguments.targets.iter().find(|target| !all.contains(target)) {
        bail!("there is no target {unknown}; there are: {}", all.join(", "));
    }
    let mut build = cargo(&[
        "build",
        "--package",
        "barograph-fuzz",
        "--features",
        "libfuzzer",
        "--bin",
        "libfuzzer",
    ]);
    let this = std::env::current_exe().context("where is this program?")?;
    build.env("RUSTC_WORKSPACE_WRAPPER", this).env(AS_COMPILER, "1");
    step::run("build", &mut build)?;
    let chosen = if arguments.targets.is_empty() {
        &all
    } else {
        &arguments.targets
    };
    for target in chosen {
        fuzz(target, arguments.seconds)?;
    }
    Ok(())
}

fn fuzz(target: &str, seconds: u32) -> Result<()> {
    let found = target_folder().join("fuzz").join(target);
    // New inputs are kept from run to run, but not committed.
    let corpus = found.join("corpus");
    fs::create_dir_all(&corpus).with_context(|| format!("cannot create {}", corpus.display()))?;
    let mut command = Command::new(target_folder().join("debug/libfuzzer"));
    command
        .env("BAROGRAPH_FUZZ_TARGET", target)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"))
        .arg(format!("-timeout={INPUT_SECONDS_MAX}"))
        .arg(format!("-artifact_prefix={}/", found.display()))
        .args(["-print_final_stats=1", "-verbosity=0"])
        .arg(corpus)
        .arg(seeds_folder().join(target));
    step::run(target, &mut command)
}

/// Each target has a folder of seeds.
fn targets() -> Result<Vec<String>> {
    let folder = seeds_folder();
    let entries =
        fs::read_dir(&folder).with_context(|| format!("cannot list {}", workspace::shown(&folder)))?;
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn seeds_folder() -> PathBuf {
    workspace::root().join("fuzz/corpus")
}

fn target_folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| workspace::root().join("target"))
}

/// Stands in for the compiler: calls it with more flags. `None` when nobody asked for that.
pub(crate) fn as_compiler() -> Option<ExitCode> {
    std::env::var_os(AS_COMPILER)?;
    let mut words = std::env::args_os().skip(1);
    let mut command = Command::new(words.next()?);
    let arguments: Vec<OsString> = words.collect();
    command.args(&arguments);
    if is_instrumented(&arguments) {
        command.args(COVERAGE_FLAGS);
    }
    let code = command
        .status()
        .ok()?
        .code()
        .and_then(|code| u8::try_from(code).ok());
    Some(ExitCode::from(code.unwrap_or(1)))
}

/// Whether these arguments compile a library or a program of ours, and not what only runs while it is built.
fn is_instrumented(arguments: &[OsString]) -> bool {
    let follows = |flag: &str, value: &str| {
        arguments
            .windows(2)
            .any(|pair| pair[0] == flag && pair[1] == value)
    };
    let is_build = arguments.iter().any(|word| word == "--crate-name");
    is_build && !follows("--crate-type", "proc-macro") && !follows("--crate-name", "build_script_build")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_while_building_is_not_instrumented() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert!(is_instrumented(&words(
            "--crate-name barograph_engine --crate-type lib"
        )));
        assert!(!is_instrumented(&words("--crate-name x --crate-type proc-macro")));
        assert!(!is_instrumented(&words(
            "--crate-name build_script_build --crate-type bin"
        )));
        assert!(!is_instrumented(&words("-vV")));
    }
}
