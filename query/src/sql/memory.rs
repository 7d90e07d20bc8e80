//! Memory of queries: each has its own limit, all of them share one, and all draw from the process's budget.
//!
//! DataFusion asks this pool before a sort, a group or a join grows. Nothing spills to disk: a query beyond
//! its limit fails with `memory_limit` and the others go on.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use barograph_model::{MemoryBudget, MemoryShare};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryLimit, MemoryPool, MemoryReservation};

/// How a refusal of this pool begins, for [`SqlError`](super::SqlError) to recognise.
pub(crate) const REFUSAL: &str = "barograph memory: ";

/// What all queries hold together.
#[derive(Debug)]
pub(crate) struct TotalMemory {
    used: AtomicUsize,
    limit: usize,
    budget: Arc<MemoryBudget>,
}

impl TotalMemory {
    pub(crate) fn new(limit: usize, budget: Arc<MemoryBudget>) -> Arc<Self> {
        Arc::new(Self {
            used: AtomicUsize::new(0),
            limit,
            budget,
        })
    }
}

/// What one query holds.
#[derive(Debug)]
pub(crate) struct QueryMemory {
    used: AtomicUsize,
    limit: usize,
    total: Arc<TotalMemory>,
}

impl QueryMemory {
    pub(crate) fn new(limit: usize, total: Arc<TotalMemory>) -> Self {
        Self {
            used: AtomicUsize::new(0),
            limit,
            total,
        }
    }
}

fn try_add(used: &AtomicUsize, bytes: usize, limit: usize) -> bool {
    let add = |now: usize| now.checked_add(bytes).filter(|sum| *sum <= limit);
    used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
        .is_ok()
}

impl MemoryPool for QueryMemory {
    fn name(&self) -> &str {
        "query"
    }

    fn grow(&self, _: &MemoryReservation, additional: usize) {
        self.used.fetch_add(additional, Ordering::Relaxed);
        self.total.used.fetch_add(additional, Ordering::Relaxed);
        self.total.budget.grow(MemoryShare::Queries, additional);
    }

    fn shrink(&self, _: &MemoryReservation, shrink: usize) {
        self.used.fetch_sub(shrink, Ordering::Relaxed);
        self.total.used.fetch_sub(shrink, Ordering::Relaxed);
        self.total.budget.shrink(MemoryShare::Queries, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let refuse = |whose: &str, limit: usize| {
            tracing::debug!(
                operator = reservation.consumer().name(),
                additional,
                "memory refused to a query"
            );
            Err(DataFusionError::ResourcesExhausted(format!(
                "{REFUSAL}{whose} {} MiB of memory",
                limit >> 20
            )))
        };
        if !try_add(&self.used, additional, self.limit) {
            return refuse("the query needs more than its", self.limit);
        }
        if !try_add(&self.total.used, additional, self.total.limit) {
            self.used.fetch_sub(additional, Ordering::Relaxed);
            return refuse(
                "all running queries together need more than their",
                self.total.limit,
            );
        }
        let budget = &self.total.budget;
        if budget.try_grow(MemoryShare::Queries, additional).is_err() {
            self.used.fetch_sub(additional, Ordering::Relaxed);
            self.total.used.fetch_sub(additional, Ordering::Relaxed);
            return refuse(
                "ingest and queries together need more than the server's",
                budget.total_bytes(),
            );
        }
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit)
    }
}

impl fmt::Display for QueryMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query({} of {} bytes)", self.reserved(), self.limit)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::MemoryConsumer;

    use super::*;

    #[test]
    fn two_limits_hold_and_everything_is_given_back() {
        let budget = Arc::new(MemoryBudget::unlimited().with_max(MemoryShare::Queries, 140));
        let total = TotalMemory::new(150, Arc::clone(&budget));
        let pools: Vec<Arc<dyn MemoryPool>> = (0..2)
            .map(|_| Arc::new(QueryMemory::new(100, Arc::clone(&total))) as _)
            .collect();
        let mine = MemoryConsumer::new("a").register(&pools[0]);
        assert!(mine.try_grow(90).is_ok());
        assert!(
            mine.try_grow(20)
                .unwrap_err()
                .to_string()
                .contains("the query needs")
        );
        let other = MemoryConsumer::new("b").register(&pools[1]);
        assert!(
            other
                .try_grow(70)
                .unwrap_err()
                .to_string()
                .contains("all running queries")
        );
        drop(mine);
        assert!(other.try_grow(70).is_ok());
        let third = MemoryConsumer::new("c").register(&pools[0]);
        assert!(third.try_grow(70).is_ok());
        let refusal = third.try_grow(5).unwrap_err().to_string();
        assert!(refusal.contains("than the server's"), "{refusal}");
        assert_eq!(budget.used_bytes(MemoryShare::Queries), 140);
        drop((other, third));
        assert_eq!(total.used.load(Ordering::Relaxed), 0);
        assert_eq!(budget.used_bytes(MemoryShare::Queries), 0);
    }
}
