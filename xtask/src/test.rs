//! `cargo xtask test`: what CI runs, in the order in which a failure is cheapest to find.
//!
//! The last line is `N passed, N failed, N skipped`, from the runner's own count; a step that fails before the tests
//! counts as one failure.

mod count;

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use cargo_metadata::MetadataCommand;
use clap::Args;

use self::count::Count;
use crate::step::{self, Steps, Watched, cargo};
use crate::{exit_code, packages, tidy, workspace};

/// What to leave out.
#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    /// Leave out the installation of missing Debian packages
    #[arg(long)]
    no_install: bool,
}

/// Runs every step; stops at the first that fails. The count stands last whatever happened, after the reason of a
/// failure, because CI reads that line.
pub(crate) fn run(arguments: &TestArguments) -> ExitCode {
    let mut steps = Steps::default();
    let mut count = Count::default();
    let mut result = run_steps(arguments, &mut steps, &mut count);
    if result.is_ok() && count.passed == 0 {
        result = Err(anyhow!(
            "no test ran: the output of the test runner was not understood"
        ));
    }
    steps.print_times();
    let code = exit_code(&result);
    if result.is_err() {
        count.fail_at_least_one();
    }
    println!("\n{count}");
    code
}

fn run_steps(arguments: &TestArguments, steps: &mut Steps, count: &mut Count) -> Result<()> {
    if !arguments.no_install {
        steps.time("packages", packages::install_missing)?;
    }
    steps.run("format", &mut cargo(&["fmt", "--all", "--check"]))?;
    steps.run(
        "clippy",
        &mut cargo(&[
            "clippy",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--",
            "--deny",
            "warnings",
        ]),
    )?;
    steps.time("tidy", tidy::run)?;
    if has_nextest() {
        steps.time("tests", || {
            let mut command = cargo(&["nextest", "run", "--workspace", "--no-fail-fast"]);
            let outcome = step::run_watched("tests", &mut command, Watched::Stderr, |line| {
                count.add_nextest(line)
            });
            Ok(outcome??)
        })?;
    } else {
        steps.time("tests", || {
            let mut command = cargo(&[
                "test",
                "--workspace",
                "--lib",
                "--bins",
                "--tests",
                "--no-fail-fast",
            ]);
            let outcome = step::run_watched("tests", &mut command, Watched::Stdout, |line| {
                count.add_cargo(line)
            });
            Ok(outcome??)
        })?;
    }
    let documented = packages_with_doc_tests()?;
    if documented.is_empty() {
        return Ok(());
    }
    steps.time("doc tests", || {
        let mut command = cargo(&["test", "--doc", "--no-fail-fast"]);
        command.args(
            documented
                .iter()
                .flat_map(|package| ["--package", package.as_str()]),
        );
        let outcome = step::run_watched("doc tests", &mut command, Watched::Stdout, |line| {
            count.add_cargo(line)
        });
        Ok(outcome??)
    })
}

/// Whether cargo-nextest is installed; a fresh machine does without it.
fn has_nextest() -> bool {
    cargo(&["nextest", "--version"])
        .output()
        .is_ok_and(|output| output.status.success())
}

/// Packages with a library whose comments hold a code block. The others are not asked, since rustdoc takes
/// seconds for each even when it finds nothing.
fn packages_with_doc_tests() -> Result<Vec<String>> {
    let metadata = MetadataCommand::new()
        .current_dir(workspace::root())
        .no_deps()
        .exec()?;
    let mut found = Vec::new();
    for package in &metadata.packages {
        let Some(library) = package.targets.iter().find(|target| target.is_lib()) else {
            continue;
        };
        let Some(sources) = library.src_path.parent() else {
            continue;
        };
        for file in workspace::files(sources.as_std_path(), "rs")? {
            let text = workspace::read(&file)?;
            if text
                .lines()
                .map(str::trim_start)
                .any(|l| l.starts_with("/// ```") || l.starts_with("//! ```"))
            {
                found.push(package.name.to_string());
                break;
            }
        }
    }
    Ok(found)
}
