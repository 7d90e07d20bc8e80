//! How many bytes of requests are being worked on, under a bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use barograph_model::{MemoryBudget, MemoryReservation, MemoryShare};

/// A bound of bytes that requests draw from while they are read and decoded, and within it the process's budget.
#[derive(Debug)]
pub(super) struct InFlight {
    used: AtomicUsize,
    max: usize,
    memory: Arc<MemoryBudget>,
}

impl InFlight {
    pub(super) fn new(max: usize, memory: &Arc<MemoryBudget>) -> Arc<Self> {
        Arc::new(Self {
            used: AtomicUsize::new(0),
            max,
            memory: Arc::clone(memory),
        })
    }

    /// Bytes drawn at this moment.
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// What one request has drawn; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Charge {
    budget: Arc<InFlight>,
    bytes: usize,
    held: MemoryReservation,
}

impl Charge {
    pub(super) fn new(budget: &Arc<InFlight>) -> Self {
        Self {
            budget: Arc::clone(budget),
            bytes: 0,
            held: MemoryReservation::empty(&budget.memory, MemoryShare::Ingest),
        }
    }

    /// Draws more. `false`, and nothing drawn, where the budget does not have it.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let taken = self
            .budget
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|&sum| sum <= self.budget.max)
            });
        if taken.is_err() {
            return false;
        }
        if self.held.try_grow(bytes).is_err() {
            self.budget.used.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        self.bytes += bytes;
        true
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_gives_more_than_it_has_and_takes_all_back() {
        let memory = Arc::new(MemoryBudget::unlimited().with_max(MemoryShare::Ingest, 150));
        let budget = InFlight::new(100, &memory);
        let (mut one, mut two) = (Charge::new(&budget), Charge::new(&budget));
        assert!(one.grow(60) && !two.grow(41) && two.grow(40) && !one.grow(1));
        assert!(!two.grow(usize::MAX), "a sum that overflows is too much");
        drop(one);
        assert_eq!(budget.used(), 40);
        assert!(two.grow(60));
        drop(two);
        assert_eq!(budget.used(), 0);
        let mut other = InFlight::new(100, &memory);
        let mut three = Charge::new(&budget);
        assert!(
            three.grow(90) && !Charge::new(&other).grow(61),
            "both draw from one budget"
        );
        assert_eq!(Arc::get_mut(&mut other).unwrap().used(), 0);
        drop(three);
        assert_eq!(memory.used_bytes(MemoryShare::Ingest), 0);
    }
}
