//! Why a query has no answer, as one who asked over the network wants to know it.

use std::time::Duration;

use barograph_engine::EngineError;
use barograph_promql::QueryError;
use barograph_promql::syntax::ParseError;
use thiserror::Error;

/// Why a query has no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PromqlError {
    /// The text is not PromQL.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// It could not be evaluated.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Its time was up before it had a place.
    #[error("query timed out in query queue")]
    TimedOutWaiting,
    /// As many wait as may.
    #[error("{running} queries run and {waiting} wait already (send the query again later)")]
    Overloaded {
        /// Places there are.
        running: usize,
        /// Queries that may wait.
        waiting: usize,
    },
    /// A fault of this program.
    #[error("the query ended by a fault of the program; see the log")]
    Panicked,
    /// The system gives no threads.
    #[error("starting the threads for PromQL: {0}")]
    Threads(String),
}

impl PromqlError {
    /// The error type in answers of Prometheus' HTTP API.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Parse(_) | Self::Query(QueryError::BadData(_)) => "bad_data",
            Self::TimedOutWaiting | Self::Query(QueryError::Timeout) => "timeout",
            Self::Query(QueryError::Canceled) => "canceled",
            Self::Overloaded { .. } => "unavailable",
            Self::Query(QueryError::Storage(_)) | Self::Panicked | Self::Threads(_) => "internal",
            Self::Query(_) => "execution",
        }
    }

    /// Seconds after which the same query may be sent again with hope.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        matches!(self, Self::Overloaded { .. }).then_some(Duration::from_secs(2))
    }
}

impl From<EngineError> for PromqlError {
    fn from(error: EngineError) -> Self {
        Self::Query(QueryError::Storage(error))
    }
}
