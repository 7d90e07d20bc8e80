//! `memory_budget` and what follows from it.

use barograph_model::{MemoryBudget, MemoryShare};

use super::Config;
use crate::ingest::IngestLimits;
use crate::memory::half_of_the_machine;

/// What a sample of a request takes in the commit queue, columns and both copies of its frame, when it does not
/// compress.
const SAMPLE_BYTES: usize = 64;

impl Config {
    /// The account of memory for the whole process. `[sql] memory` and `[ingest] in_flight` may give their shares another
    /// limit.
    #[must_use]
    pub fn memory_budget(&self) -> MemoryBudget {
        let bytes = self
            .storage
            .memory_budget_bytes
            .unwrap_or_else(|| half_of_the_machine().max(super::StorageConfig::MEMORY_BUDGET_BYTES_MIN));
        let budget = MemoryBudget::new(usize::try_from(bytes).unwrap_or(usize::MAX));
        let in_flight = self
            .ingest
            .limits
            .in_flight_bytes_max
            .min(budget.max_bytes(MemoryShare::Ingest));
        let budget = budget.with_max(MemoryShare::Ingest, in_flight);
        match self.sql.memory_bytes {
            Some(bytes) => {
                budget.with_max(MemoryShare::Queries, usize::try_from(bytes).unwrap_or(usize::MAX))
            }
            None => budget,
        }
    }

    /// What the edges are given: the configuration, as far as the budget has room for it.
    #[must_use]
    pub fn ingest_limits(&self, budget: &MemoryBudget) -> IngestLimits {
        let mut limits = self.ingest.limits.clone();
        let mut lower = |name: &'static str, limit: fn(&mut IngestLimits) -> &mut usize, most: usize| {
            let limit = limit(&mut limits);
            if *limit > most {
                tracing::info!(
                    from = *limit,
                    to = most,
                    "[ingest] {name} is lowered to fit memory_budget"
                );
                *limit = most;
            }
        };
        let in_flight = budget.max_bytes(MemoryShare::Ingest);
        lower("in_flight", |l| &mut l.in_flight_bytes_max, in_flight);
        // Three of the largest requests fit, or one and many of the usual size.
        lower("decompressed", |l| &mut l.decompressed_bytes_max, in_flight / 4);
        lower("body", |l| &mut l.body_bytes_max, in_flight / 4);
        let queue = budget.max_bytes(MemoryShare::CommitQueue);
        lower("samples", |l| &mut l.samples_max, queue / SAMPLE_BYTES);
        limits
    }
}
