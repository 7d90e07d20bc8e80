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
use crate::{exit_code, node, packages, python, tidy, workspace};

/// What to leave out.
#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    /// Leave out the installation of missing Debian, Python and Node packages
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
        steps.time("python packages", python::install)?;
        steps.time("node packages", node::install)?;
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
    if !has_doc_tests()? {
        return Ok(());
    }
    steps.time("doc tests", || {
        // The whole workspace, since other features for a part of it would build the dependencies once more.
        let mut command = cargo(&["test", "--doc", "--no-fail-fast", "--workspace"]);
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

/// Whether any library's comments hold Rust. Asking rustdoc instead would take seconds for each package.
fn has_doc_tests() -> Result<bool> {
    let metadata = MetadataCommand::new()
        .current_dir(workspace::root())
        .no_deps()
        .exec()?;
    let libraries = metadata.packages.iter().flat_map(|package| &package.targets);
    for library in libraries.filter(|target| target.is_lib()) {
        let Some(sources) = library.src_path.parent() else {
            continue;
        };
        for file in workspace::files(sources.as_std_path(), "rs")? {
            if holds_doc_test(&workspace::read(&file)?) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether a comment opens a fenced block that rustdoc takes for Rust: one without a language, or with one of its own
/// words.
fn holds_doc_test(source: &str) -> bool {
    let comments = source.lines().map(str::trim_start);
    let comments = comments.filter_map(|l| l.strip_prefix("///").or_else(|| l.strip_prefix("//!")));
    let mut fences = comments.filter_map(|text| text.trim().strip_prefix("```"));
    // Fences open and close in turn.
    while let Some(language) = fences.next() {
        let first = language.split(',').next().unwrap_or_default();
        if matches!(first, "" | "rust" | "no_run" | "should_panic" | "compile_fail") {
            return true;
        }
        fences.next();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rust_is_a_doc_test() {
        assert!(!holds_doc_test(
            "//! ```text\n//! bytes\n//! ```\nfn f() {}\n/// ```sql\n/// ```\n"
        ));
        assert!(holds_doc_test(
            "//! ```text\n//! ```\n    /// ```\n    /// f();\n    /// ```\n"
        ));
        assert!(holds_doc_test("/// ```no_run\n"));
    }
}
