//! What queries may use.

use std::sync::Arc;
use std::time::Duration;

use barograph_model::MemoryBudget;
use barograph_promql::syntax::ParseOptions;
use barograph_promql::{LOOKBACK_MS, SAMPLES_MAX};

/// Limits of one [`PromqlEngine`](super::PromqlEngine). The defaults are those of Prometheus where it has them.
#[derive(Debug, Clone)]
pub struct PromqlLimits {
    /// From the call to the answer, the wait for a free place included. A request may ask for less.
    pub timeout: Duration,
    /// Samples that one query may hold in memory at a time.
    pub samples_max: u64,
    /// How far back an instant selector looks, in milliseconds, where a request does not say.
    pub lookback_ms: i64,
    /// Queries that run at the same time.
    pub running_max: usize,
    /// Queries that wait for a place; one more is refused as overload.
    pub waiting_max: usize,
    /// Threads that evaluate.
    pub threads: usize,
    /// The account of the process's memory, from whose share for queries they draw.
    pub memory: Arc<MemoryBudget>,
    /// What the language is.
    pub parse: ParseOptions,
}

impl Default for PromqlLimits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            timeout: Duration::from_secs(120),
            samples_max: SAMPLES_MAX,
            lookback_ms: LOOKBACK_MS,
            running_max: cores.max(2) * 2,
            waiting_max: 256,
            threads: cores.max(2),
            memory: Arc::new(MemoryBudget::unlimited()),
            parse: ParseOptions::default(),
        }
    }
}
