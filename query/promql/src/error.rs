//! Why a query has no answer.

use barograph_engine::EngineError;
use barograph_model::MemoryRefusal;
use thiserror::Error;

/// Why a query has no answer. The variants are the error types of Prometheus' HTTP API.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum QueryError {
    /// What was asked makes no sense: text, times or steps.
    #[error("{0}")]
    BadData(String),
    /// It made sense, but could not be carried out: matching found duplicates, a limit was met.
    #[error("{0}")]
    Execution(String),
    /// It took too long.
    #[error("query timed out in expression evaluation")]
    Timeout,
    /// Whoever asked has gone, or somebody ended it.
    #[error("query was canceled in expression evaluation")]
    Canceled,
    /// The store could not be read.
    #[error("expanding series: {0}")]
    Storage(#[from] EngineError),
}

impl QueryError {
    /// An execution error with a text.
    pub(crate) fn execution(message: impl Into<String>) -> Self {
        Self::Execution(message.into())
    }
}

impl From<MemoryRefusal> for QueryError {
    fn from(refusal: MemoryRefusal) -> Self {
        Self::Execution(format!("query needs more memory than there is: {refusal}"))
    }
}
