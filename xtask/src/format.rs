//! `cargo xtask format NAME`: adds a data directory of today's formats to those that a test reads for ever.

use anyhow::Result;
use clap::Args;

use crate::step::{self, cargo};

/// Which directory.
#[derive(Debug, Args)]
pub(crate) struct FormatArguments {
    /// Its name below engine/testdata/format, such as the version of the program that is about to be released
    name: String,
}

/// Has the engine's tests write it, and read all of them.
pub(crate) fn run(arguments: &FormatArguments) -> Result<()> {
    let test = |filter: &str| {
        let mut command = cargo(&["test", "--package", "barograph-engine", "--lib"]);
        command.args(["--", "--include-ignored", "--exact", filter]);
        command.env("BAROGRAPH_FORMAT", &arguments.name);
        command
    };
    step::run("write", &mut test("format_tests::add_a_directory"))?;
    step::run(
        "read",
        &mut test("format_tests::directories_of_every_format_are_sound_and_read"),
    )
}
