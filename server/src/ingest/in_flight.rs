//! How many bytes of requests are being worked on, under a bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A budget of bytes that requests draw from while they are read and decoded.
#[derive(Debug)]
pub(super) struct InFlight {
    used: AtomicUsize,
    max: usize,
}

impl InFlight {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            used: AtomicUsize::new(0),
            max,
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
}

impl Charge {
    pub(super) fn new(budget: &Arc<InFlight>) -> Self {
        Self {
            budget: Arc::clone(budget),
            bytes: 0,
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
        if taken.is_ok() {
            self.bytes += bytes;
        }
        taken.is_ok()
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
        let budget = InFlight::new(100);
        let (mut one, mut two) = (Charge::new(&budget), Charge::new(&budget));
        assert!(one.grow(60) && !two.grow(41) && two.grow(40) && !one.grow(1));
        assert!(!two.grow(usize::MAX), "a sum that overflows is too much");
        drop(one);
        assert_eq!(budget.used(), 40);
        assert!(two.grow(60));
        drop(two);
        assert_eq!(budget.used(), 0);
    }
}
