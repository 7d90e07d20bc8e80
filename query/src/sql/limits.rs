//! What a query may use.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use barograph_model::MemoryBudget;

use crate::promql::PromqlLimits;

/// Limits of one [`SqlEngine`](super::SqlEngine). [`SqlLimits::default`] fits a machine with a few cores and GiB.
#[derive(Debug, Clone)]
pub struct SqlLimits {
    /// From the call of `query` to the last row read by the caller, the wait for a free place included.
    pub timeout: Duration,
    /// Bytes that one query's sorts, groups and joins may hold.
    pub query_memory_bytes: usize,
    /// Bytes that all running queries may hold together.
    pub total_memory_bytes: usize,
    /// The account of the process's memory, from whose share for queries they draw as well.
    pub memory: Arc<MemoryBudget>,
    /// Queries that run at the same time.
    pub running_max: usize,
    /// Queries that wait for a place; one more is refused as overload.
    pub waiting_max: usize,
    /// Bytes of a query's text.
    pub text_bytes_max: usize,
    /// Parallel parts of one query.
    pub target_partitions: usize,
    /// Threads that plan and run queries.
    pub threads: usize,
    /// What `promql(...)` in SQL may take.
    pub promql: PromqlLimits,
    /// The folder that `COPY` writes into; it is refused where there is none.
    pub export_folder: Option<PathBuf>,
}

impl Default for SqlLimits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            timeout: Duration::from_secs(60),
            query_memory_bytes: 512 << 20,
            total_memory_bytes: 1 << 30,
            memory: Arc::new(MemoryBudget::unlimited()),
            running_max: cores.max(2) * 2,
            waiting_max: 64,
            text_bytes_max: 256 << 10,
            target_partitions: cores,
            threads: cores.max(2),
            promql: PromqlLimits::default(),
            export_folder: None,
        }
    }
}
