//! Why `barograph sql` failed.

use std::io;
use std::path::{Path, PathBuf};

use barograph_engine::EngineError;
use barograph_query::sql::SqlError;
use thiserror::Error;

/// An error of `barograph sql`.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SqlFailure {
    /// The server could not be reached.
    #[error(
        "cannot reach {url}: {reason} (is `barograph serve` running? --url names another server, --data-dir reads a \
         directory without one)"
    )]
    Unreachable {
        /// The server.
        url: String,
        /// What the network said.
        reason: String,
    },
    /// The address cannot be used.
    #[error(
        "--url {url:?} is not the address of a server (try {:?}): {reason}",
        super::DEFAULT_URL
    )]
    Url {
        /// As given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What answered is not Barograph, or a proxy in between failed.
    #[error("{url} answered {status}: {body}")]
    Status {
        /// The server.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the answer.
        body: String,
    },
    /// The query was refused or failed.
    #[error("{message}{}", hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default())]
    Query {
        /// The kind, such as `unknown_table`.
        code: String,
        /// What is wrong and where.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The answer ended before it was complete.
    #[error(
        "the answer broke off: {reason} (the server was stopped, or the query failed half way; ask again)"
    )]
    BrokeOff {
        /// What was noticed.
        reason: String,
    },
    /// The answer could not be written.
    #[error("cannot write the answer: {source}")]
    Write {
        /// What the system said.
        source: io::Error,
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
    /// There is no such data directory.
    #[error("there is no data directory {}", path.display())]
    NoDataDir {
        /// The directory.
        path: PathBuf,
    },
    /// The data directory could not be opened.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The system gave no threads.
    #[error("cannot start threads: {source}")]
    Threads {
        /// What the system said.
        source: io::Error,
    },
    /// There is no query.
    #[error("there is no query; give one, such as: barograph sql 'SHOW TABLES'")]
    NoStatement,
    /// Several queries where the output can hold one answer.
    #[error("{what} takes one query")]
    OneStatement {
        /// The flag.
        what: &'static str,
    },
    /// Binary output on a terminal.
    #[error("Parquet is not for a terminal; add --output FILE, or redirect stdout")]
    ParquetToTerminal,
    /// The terminal could not be used for a prompt.
    #[error("the prompt failed: {source}")]
    Prompt {
        /// What the line editor said.
        source: rustyline::error::ReadlineError,
    },
    /// Ctrl-C.
    #[error("cancelled")]
    Cancelled,
}

impl From<SqlError> for SqlFailure {
    fn from(error: SqlError) -> Self {
        Self::Query {
            code: error.code.as_str().to_owned(),
            message: error.message,
            hint: error.hint,
        }
    }
}

impl SqlFailure {
    /// Wraps what the operating system said, for `map_err`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// Whether the query only names a table or column that is not there, or not yet.
    #[must_use]
    pub fn is_missing_name(&self) -> bool {
        matches!(self, Self::Query { code, .. } if code == "unknown_table" || code == "unknown_column")
    }

    /// Whether whoever reads the output has gone away, which is no failure: `barograph sql ... | head`.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Write { source } if source.kind() == io::ErrorKind::BrokenPipe)
    }
}
