//! Why the program cannot start.

use std::path::PathBuf;

use barograph_alerts::FilterError;
use barograph_engine::EngineError;
use barograph_query::SelectorError;
use barograph_query::promql::PromqlError;
use barograph_query::sql::SqlError;
use thiserror::Error;

use crate::alerting::{HubError, LoadError};
use crate::channels::WebhookError;
use crate::config::PasswordError;
use crate::detecting::WatchError;
use crate::ingest::SetupError;
use crate::query_log::QueryLogError;

/// Why the program cannot start or go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// An address cannot be listened on.
    #[error(
        "cannot listen on {address} for {what}: {source} (is another Barograph running? choose another address with --{flag})"
    )]
    Listen {
        /// The address asked for.
        address: String,
        /// What would be offered there.
        what: &'static str,
        /// The flag that sets it.
        flag: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The data directory cannot be used.
    #[error("cannot use the data directory {}: {source}", path.display())]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The store.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A `[[retention]]`.
    #[error(transparent)]
    Retention(#[from] SelectorError),
    /// A password of a `[[sql_user]]`.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// Flight SQL.
    #[error("cannot start Flight SQL: {0}")]
    Flight(#[source] std::io::Error),
    /// SQL.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// PromQL.
    #[error(transparent)]
    Promql(#[from] PromqlError),
    /// The query log.
    #[error(transparent)]
    QueryLog(#[from] QueryLogError),
    /// Alert state.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// Remote write.
    #[error(transparent)]
    Ingest(#[from] SetupError),
    /// A `[[detector]]`.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// The rules.
    #[error(transparent)]
    Rules(#[from] LoadError),
    /// A `[[channel]]`.
    #[error(transparent)]
    Channel(#[from] WebhookError),
    /// A `[[route]]`.
    #[error("a route of the configuration: {0}")]
    Route(#[from] FilterError),
    /// The system gave no thread.
    #[error("cannot start the detectors' thread: {0}")]
    Thread(std::io::Error),
    /// A part of the start did not finish.
    #[error("the start did not finish; see the log for a panic")]
    Unfinished,
}
