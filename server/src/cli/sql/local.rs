//! Answers queries from a data directory in this process, without a server.
//!
//! The directory is locked and opened as the server opens it: its log is replayed into memory, and flushed only
//! where memory does not hold it. Nothing is taken in, and on leaving the log stays as it is.

use std::path::Path;
use std::sync::Arc;

use barograph_engine::vfs::{DiskVfs, Vfs};
use barograph_engine::{Engine, Options};
use barograph_model::{Clock, SystemClock};
use barograph_query::sql::{SqlEngine, SqlLimits, Views};

use super::SqlFailure;
use crate::damage_table::damage_table;

/// An opened data directory.
pub(in crate::cli) struct Local {
    pub(super) sql: SqlEngine,
}

impl Local {
    pub(super) fn open(data_dir: &Path) -> Result<Self, SqlFailure> {
        // Opening would create the directory, and a mistyped name would answer every query with nothing.
        if !data_dir.is_dir() {
            return Err(SqlFailure::NoDataDir {
                path: data_dir.to_owned(),
            });
        }
        let vfs = DiskVfs::open(data_dir).map_err(SqlFailure::io("open the data directory", data_dir))?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        // Which retention the server was given is not known here, so nothing is dropped; without threads of its
        // own the store does nothing behind a query's back.
        let options = Options {
            retention_ms: None,
            background: false,
            ..Options::default()
        };
        let vfs: Arc<dyn Vfs> = Arc::new(vfs);
        let engine = Engine::open(Arc::clone(&vfs), Arc::clone(&clock), options)?;
        let views = Views::open(vfs).map_err(SqlFailure::io("read the views of", data_dir))?;
        let tables = vec![damage_table(&engine)];
        let sql = SqlEngine::new(
            Arc::new(engine),
            tables,
            Arc::new(views),
            SqlLimits::default(),
            clock,
        )?;
        Ok(Self { sql })
    }
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}
