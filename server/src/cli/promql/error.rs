//! Why `barograph promql` failed.

use std::io;

use thiserror::Error;

use crate::cli::sql::DEFAULT_URL;

/// An error of `barograph promql`.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PromqlFailure {
    /// A flag that is no instant.
    #[error("{flag} {text:?} is no instant (try 2026-01-31T12:00:00Z, or seconds since the epoch)")]
    Instant {
        /// The flag.
        flag: &'static str,
        /// What it was given.
        text: String,
    },
    /// `--step`
    #[error("--step {text:?} is not a duration longer than 0 (try 15s)")]
    Step {
        /// What it was given.
        text: String,
    },
    /// The range has no instant.
    #[error("--end is before --start")]
    Backwards,
    /// `--url`
    #[error("--url {url:?} is not the address of a server (try {DEFAULT_URL:?}): {reason}")]
    Url {
        /// As given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server could not be reached.
    #[error("cannot reach {url}: {reason} (is `barograph serve` running? --url names another server)")]
    Unreachable {
        /// The server.
        url: String,
        /// What the network said.
        reason: String,
    },
    /// What answered does not speak Prometheus' API.
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
    #[error("{message}")]
    Query {
        /// What is wrong and where.
        message: String,
    },
    /// The answer ended before it was complete, or is not what the API gives.
    #[error("the answer cannot be read: {reason}")]
    Answer {
        /// What was noticed.
        reason: String,
    },
    /// The answer could not be written.
    #[error("cannot write the answer: {0}")]
    Write(io::Error),
    /// The system gave no threads.
    #[error("{0}")]
    Threads(String),
}
