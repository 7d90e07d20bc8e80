//! Why an import failed.

use std::io;
use std::path::{Path, PathBuf};

use barograph_engine::EngineError;
use barograph_query::SelectorError;
use thiserror::Error;

use crate::cli::sql::SqlFailure;

/// An error of `barograph import`.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImportFailure {
    /// A line is not what the format allows.
    #[error("{source_name}:{line}: {what} (--skip-bad leaves such lines out and counts them)")]
    BadLine {
        /// The file; `-` is stdin.
        source_name: String,
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// An OpenMetrics text ends before its `# EOF`.
    #[error(
        "{source_name}:{line}: the text ends without \"# EOF\", so it was cut short; what was read is imported \
         (--skip-bad takes it as whole)"
    )]
    NoEof {
        /// The file.
        source_name: String,
        /// The last line.
        line: u64,
    },
    /// The operating system refused an operation.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// promtool could not be run, or failed.
    #[error("promtool: {reason}")]
    Promtool {
        /// What went wrong.
        reason: String,
    },
    /// The state of an earlier import is not one of this import.
    #[error(
        "{} is the state of another import ({what}); remove it to begin anew, or name another file with --state",
        path.display()
    )]
    OtherState {
        /// The state file.
        path: PathBuf,
        /// What differs.
        what: String,
    },
    /// The state of an earlier import cannot be read.
    #[error("{}: {what}; remove it to begin anew", path.display())]
    BadState {
        /// The state file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The server does not want the samples.
    #[error("{url} refused samples with {status}: {answer}{}", advice(answer))]
    Refused {
        /// Where they were sent.
        url: String,
        /// Its status.
        status: u16,
        /// The beginning of what it said.
        answer: String,
    },
    /// The server cannot be reached, or was overloaded for long.
    #[error(
        "{url} took none of {attempts} attempts, the last one failed with: {reason} (run the import again to go on)"
    )]
    Unavailable {
        /// Where they were sent.
        url: String,
        /// How often it was tried.
        attempts: u32,
        /// What happened last.
        reason: String,
    },
    /// The server to read from.
    #[error("{url}: {reason}")]
    RemoteRead {
        /// Its address.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// `--selector`.
    #[error("--selector: {0}")]
    Selector(#[from] SelectorError),
    /// A flag does not fit the others.
    #[error("{0}")]
    Arguments(String),
    /// The target could not be asked what it holds.
    #[error("cannot ask the target what it holds: {0}")]
    Parity(#[from] SqlFailure),
    /// The target does not hold what was read.
    #[error("{metrics} metrics differ between source and target, see above")]
    Mismatch {
        /// How many.
        metrics: usize,
    },
    /// The store.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A thread has panicked.
    #[error("a thread ended without a result; this is a bug")]
    Thread,
}

impl ImportFailure {
    /// Wraps what the operating system said, for `map_err`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// What helps against the refusals that an import meets.
fn advice(answer: &str) -> &'static str {
    match answer.contains("outside what is accepted") {
        true => " (start the server with --retention off, or one that is long enough for what is imported)",
        false => "",
    }
}

/// The cause at the bottom: "connection refused" rather than "error sending request".
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
