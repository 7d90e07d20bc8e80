//! The commands of the prompt, which begin with a backslash as in psql.

use clap::ValueEnum;

use crate::cli::sql::OutputFormat;
use crate::config::nearest;

/// What `\?` shows.
pub(super) const HELP: &str = "\
SELECT ...;        runs when it ends in a semicolon; Ctrl-C cancels it
\\d                 tables
\\d TABLE           the columns of a table
\\format FORMAT     table, csv or json
\\timing            show how long each query takes, or stop showing it
\\q                 leave (also Ctrl-D)";

/// A command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Quit,
    Help,
    Timing,
    Format(OutputFormat),
    Tables,
    Columns(String),
}

/// Their names, for completion.
pub(super) const NAMES: [&str; 5] = ["\\?", "\\d", "\\format", "\\q", "\\timing"];

/// Whether a line is meant as a command rather than SQL.
pub(super) fn is_command(line: &str) -> bool {
    let line = line.trim();
    line.starts_with('\\') || ["quit", "exit", "help"].contains(&line.trim_end_matches(';').trim())
}

/// Reads a command; `None` for SQL.
///
/// # Errors
/// What is wrong with it, for the user.
pub(super) fn parse(line: &str) -> Result<Option<Command>, String> {
    if !is_command(line) {
        return Ok(None);
    }
    let line = line.trim().trim_end_matches(';');
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let command = match (name, rest) {
        ("\\q" | "\\quit" | "quit" | "exit", "") => Command::Quit,
        ("\\?" | "\\h" | "\\help" | "help", "") => Command::Help,
        ("\\timing", "") => Command::Timing,
        ("\\d" | "\\dt", "") => Command::Tables,
        ("\\d", table) => Command::Columns(table.to_owned()),
        ("\\format", "parquet") => {
            return Err(
                "Parquet is not for a terminal; use barograph sql --format parquet --output FILE".to_owned(),
            );
        }
        ("\\format", name) => match OutputFormat::from_str(name, true) {
            Ok(format) => Command::Format(format),
            Err(_) => {
                return Err(format!(
                    "there is no format {name:?} (there are table, csv and json)"
                ));
            }
        },
        (known, rest) if NAMES.contains(&known) => return Err(format!("{known} takes no {rest:?}")),
        (unknown, _) => {
            let hint = nearest(unknown, NAMES).unwrap_or("\\?");
            return Err(format!("there is no command {unknown} (try {hint})"));
        }
    };
    Ok(Some(command))
}
