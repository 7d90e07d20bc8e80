//! The command line: what can be asked for, and how a failure is told.
//!
//! The words and flags here are a contract with scripts. Answers go to stdout and everything else to stderr,
//! each line of an error as `barograph: message`. Exit codes: 0 success, 1 failure, 2 a command line that
//! cannot be understood.

pub mod alerts_watch;
pub mod backup;
pub mod check;
pub mod detect;
pub mod import;
pub mod inspect;
pub mod promql;
mod repl;
pub mod serve;
pub mod sql;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use alerts_watch::WatchArgs;
use backup::{BackupArgs, RestoreArgs};
use check::CheckArgs;
use detect::DetectArgs;
use import::ImportArgs;
use inspect::InspectArgs;
use promql::PromqlArgs;
use serve::{DemoArgs, ServeArgs};
use sql::SqlArgs;

/// The whole command line.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "barograph",
    version,
    about = "Stores a fleet's metrics, learns what is normal, says when it is not"
)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Run the server: takes metrics in, watches them, answers queries, sends alerts
    Serve(ServeArgs),
    /// Run the server over a made-up fleet with labelled incidents
    Demo(DemoArgs),
    /// Ask with SQL: a server, or a data directory without one
    Sql(SqlArgs),
    /// Ask a server with PromQL
    Promql(PromqlArgs),
    /// Find anomalies in CSV or Parquet files
    Detect(DetectArgs),
    /// Follow alerts
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Alerts(AlertsArgs),
    /// Copy a store into a folder or a bucket, or look after such copies
    Backup(BackupArgs),
    /// Make a data directory of a backup
    Restore(RestoreArgs),
    /// Take in what Prometheus has kept, or an OpenMetrics text
    Import(ImportArgs),
    /// Check a configuration, rule files or a store without running anything
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Check(CheckArgs),
    /// Show what is inside a file of a store
    Inspect(InspectArgs),
}

/// Arguments of `barograph alerts`.
#[derive(Debug, Clone, Args)]
pub struct AlertsArgs {
    /// What to do with alerts.
    #[command(subcommand)]
    pub command: AlertsCommand,
}

/// What can be done with alerts.
#[derive(Debug, Clone, Subcommand)]
pub enum AlertsCommand {
    /// Show the alerts that are active, then each event as it happens
    Watch(WatchArgs),
}

/// Reads a command line. `Err` is the exit code when there is nothing to run: help was asked for and is printed,
/// or the command line cannot be understood and that is said on stderr.
///
/// # Errors
/// The exit code, as above.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, ExitCode> {
    match Cli::try_parse_from(arguments) {
        Ok(cli) => Ok(cli.command),
        Err(error) if error.use_stderr() => {
            // clap says "error: " where this program says its name.
            let text = error.render().to_string();
            let text = text
                .strip_prefix("error: ")
                .map_or(text.clone(), |message| format!("barograph: {message}"));
            let _ = write!(std::io::stderr(), "{text}");
            Err(ExitCode::from(2))
        }
        Err(help) => {
            let _ = help.print();
            Err(ExitCode::SUCCESS)
        }
    }
}

/// Writes a file that appears under its name, or replaces what has it, when it is complete and durable.
///
/// # Errors
/// What the system says; what had the name is then still there.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".next");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Prints an answer on stdout. A reader that has gone misses it.
pub fn print(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// An error with its causes. Most messages name their cause themselves; one that is named is not repeated.
#[must_use]
pub fn told(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Says something on stderr, each line after the program's name. Nobody is left to tell when stderr is gone.
pub fn say(message: &str) {
    let mut stderr = std::io::stderr().lock();
    for line in message.lines() {
        let _ = writeln!(stderr, "barograph: {line}");
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        let words = std::iter::once("barograph").chain(line.split_whitespace());
        Cli::try_parse_from(words)
            .map(|cli| cli.command)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn causes_are_told_once() {
        let io = || std::io::Error::other("no space");
        assert_eq!(
            told(&anyhow::Error::new(io()).context("cannot start")),
            "cannot start: no space"
        );
        assert_eq!(
            told(&anyhow::Error::new(io()).context("cannot write x: no space")),
            "cannot write x: no space"
        );
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn reads_the_contract() {
        for line in [
            "serve --data-dir d --config f --http-listen 127.0.0.1:0 --grpc-listen off --retention off --memory-budget 2GiB",
            "serve --data-dir d",
            "demo",
            "demo --data-dir d --http-listen off --grpc-listen off --seed 7 --days 3 --exit-after 30s",
            "sql",
            "sql SELECT --url http://a --format json",
            "promql up",
            "promql up --url http://a --start 1 --end 2 --step 15s --format json",
            "sql SELECT --data-dir d --format parquet --output f",
            "detect --input a.csv --output b.csv",
            "detect --input a --output b --detector auto --mode offline --train-rows 5 --param a=1 --param b=2 --columns x,y",
            "alerts watch --cursor c --filter a=1 --format json --url http://a",
            "backup --data-dir d target",
            "backup --url http://a s3://bucket/prefix --jobs 8",
            "backup list target",
            "backup verify s3://bucket --backup n",
            "restore target --data-dir d --backup n --force",
            "import --openmetrics - --data-dir d --skip-bad",
            "import --tsdb-dump f --url http://a --state s --allow-more",
            "import --block-dir d --promtool /usr/bin/promtool",
            "import --remote-read http://p --from 2026-01-01 --to 2026-01-02T00:00:00Z --selector up --window 1h",
            "check config f",
            "check rules f g",
            "check store --data-dir d",
            "check store --data-dir d --repair",
            "check store --data-dir d --format json --shared --jobs 2",
            "inspect f --format json --top 5",
        ] {
            assert!(parsed(line).is_ok(), "{line}: {:?}", parsed(line));
        }
    }

    #[test]
    fn refuses_with_the_remedy() {
        for (line, expected) in [
            ("serve", "--data-dir <DIR>"),
            (
                "serve --data-dir d --retention 15dd",
                "\"15dd\" is not a duration (try \"15d\")",
            ),
            (
                "serve --data-dir d --memory-budget 1M",
                "\"1M\" is not a size (try \"1MiB\")",
            ),
            (
                "serve --data-dir d --memory-budget 1MiB",
                "must be at least 64MiB",
            ),
            (
                "serve --data-dir d --http-listen :1",
                "(try \"0.0.0.0:1\", or \"off\")",
            ),
            ("demo --days 0", "0 is not in 1..=90"),
            ("demo --exit-after 0", "must be longer than 0"),
            ("sql --url u --data-dir d", "cannot be used with"),
            (
                "detect --input a --output b --param alarms",
                "name=value, such as alarms_per_day=0.5",
            ),
            (
                "detect --input a --output b --mode both",
                "[possible values: causal, offline]",
            ),
            ("backup target", "--data-dir <DIR>"),
            ("backup --data-dir d", "<TARGET>"),
            ("backup --data-dir d --url u target", "cannot be used with"),
            ("backup --data-dir d target --jobs 0", "a number from 1 to 64"),
            ("restore target", "--data-dir <DIR>"),
            ("import", "--openmetrics <FILE>"),
            ("import --openmetrics a --tsdb-dump b", "cannot be used with"),
            ("import --remote-read u", "--from <TIME>"),
            ("import --openmetrics a --from 1", "--remote-read <URL>"),
            ("import --remote-read u --from x --to 1", "is not a time"),
            ("serv", "similar subcommand exists: 'serve'"),
            ("logql up", "unrecognized subcommand"),
        ] {
            let message = parsed(line).expect_err(line);
            assert!(message.contains(expected), "{line}: {message}");
        }
    }
}
