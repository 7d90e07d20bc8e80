//! Answers queries from a data directory in this process, without a server.
//!
//! The directory is opened as the server opens it: its log is replayed into memory, nothing is taken in, and on
//! leaving nothing is written that a later start would not write as well. It is locked meanwhile.

use std::path::Path;
use std::sync::Arc;

use barograph_engine::vfs::DiskVfs;
use barograph_engine::{Engine, Options};
use barograph_model::{Clock, SystemClock};
use barograph_query::sql::{SqlEngine, SqlLimits};

use super::SqlFailure;

/// An opened data directory.
pub(in crate::cli) struct Local {
    pub(super) sql: SqlEngine,
    engine: Arc<Engine>,
}

impl Local {
    pub(super) fn open(data_dir: &Path) -> Result<Self, SqlFailure> {
        // Opening would create the directory, and a mistyped name would answer every query with nothing.
        if !data_dir.is_dir() {
            return Err(SqlFailure::NoDataDir { path: data_dir.to_owned() });
        }
        let vfs = DiskVfs::open(data_dir).map_err(SqlFailure::io("open the data directory", data_dir))?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        // Which retention the server was given is not known here, so nothing is dropped.
        let options = Options { retention_ms: None, ..Options::default() };
        let engine = Engine::open(Arc::new(vfs), Arc::clone(&clock), options)?;
        let source = Arc::new(Arc::clone(&engine));
        let sql = SqlEngine::new(source, Vec::new(), SqlLimits::default(), clock)?;
        Ok(Self { sql, engine })
    }
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // Nothing was taken in, so there is nothing that a failure here could lose.
        let _ = self.engine.close();
    }
}
