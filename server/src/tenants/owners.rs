//! Which tenant each series of the head belongs to, and whether it is still written.
//!
//! A series belongs to the tenant that wrote it first since the head was begun. The head numbers its series densely, so
//! this is a column of four bytes a series: two for the owner, two for the time of the last write in steps of
//! five minutes. A series that nobody has written for an hour belongs to nobody, and to the next one who writes it.
//!
//! Counts are exact but for the moments in which two requests of two tenants bring the same new series.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{PoisonError, RwLock};

use barograph_engine::SeriesRef;

/// The steps in which time is kept.
const STEP_NS: u64 = 5 * 60_000_000_000;

/// Steps without a write after which a series belongs to nobody: an hour.
const IDLE_STEPS: u16 = 12;

/// An account's number; 0 is nobody.
pub(super) type Owner = u16;

/// The column.
#[derive(Debug, Default)]
pub(super) struct SeriesOwners {
    slots: RwLock<Vec<AtomicU32>>,
    step: AtomicU64,
}

fn pack(owner: Owner, step: u64) -> u32 {
    u32::from(owner) << 16 | u32::from(step as u16)
}

fn owner_of(slot: u32) -> Owner {
    (slot >> 16) as Owner
}

impl SeriesOwners {
    /// Notes that `owner` has written `series` now. Calls `moved(from, to)` for each that it did not own and that
    /// becomes its own: where nobody owned it, or where it is in `new` (places in `series`), which are series that the
    /// head has just entered, whatever was known of their numbers before.
    pub(super) fn written(
        &self,
        series: &[Option<SeriesRef>],
        new: &[usize],
        owner: Owner,
        now_ns: u64,
        moved: &mut dyn FnMut(Owner, Owner),
    ) {
        let step = now_ns / STEP_NS;
        let last = series.iter().flatten().max().map_or(0, |last| last.0 as usize);
        if self.slots.read().unwrap_or_else(PoisonError::into_inner).len() <= last {
            let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
            let len = slots.len().max((last + 1).next_multiple_of(1024));
            slots.resize_with(len, AtomicU32::default);
        }
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let fresh = pack(owner, step);
        let slot_of = |found: SeriesRef| slots.get(found.0 as usize);
        for slot in new.iter().filter_map(|i| slot_of(series[*i]?)) {
            let before = owner_of(slot.swap(fresh, Relaxed));
            if before != owner {
                moved(before, owner);
            }
        }
        for slot in series.iter().flatten().filter_map(|found| slot_of(*found)) {
            let seen = slot.load(Relaxed);
            if seen == fresh {
                continue;
            }
            let kept = match owner_of(seen) {
                0 => owner,
                kept => kept,
            };
            // Whoever else was here in between has noted the same or better.
            let is_noted = slot
                .compare_exchange(seen, pack(kept, step), Relaxed, Relaxed)
                .is_ok();
            if is_noted && owner_of(seen) == 0 {
                moved(0, owner);
            }
        }
    }

    /// Takes series that have been idle for an hour from their owners, at most once a step; calls `moved` for each.
    pub(super) fn expire(&self, now_ns: u64, moved: &mut dyn FnMut(Owner, Owner)) {
        let step = now_ns / STEP_NS;
        if self.step.swap(step, Relaxed) == step {
            return;
        }
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        for slot in slots.iter() {
            let seen = slot.load(Relaxed);
            let idle = (step as u16).wrapping_sub(seen as u16);
            if owner_of(seen) != 0
                && idle > IDLE_STEPS
                && slot.compare_exchange(seen, 0, Relaxed, Relaxed).is_ok()
            {
                moved(owner_of(seen), 0);
            }
        }
    }

    /// The head numbers its series anew: nobody owns anything.
    pub(super) fn clear(&self) {
        *self.slots.write().unwrap_or_else(PoisonError::into_inner) = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const MINUTE: u64 = 60_000_000_000;

    /// The owners with the counts that follow from what they say.
    #[derive(Default)]
    struct Counted {
        owners: SeriesOwners,
        counts: BTreeMap<Owner, i64>,
    }

    impl Counted {
        fn written(&mut self, series: &[u32], new: &[usize], owner: Owner, now_ns: u64) -> &mut Self {
            let series: Vec<_> = series.iter().map(|s| Some(SeriesRef(*s))).collect();
            let counts = &mut self.counts;
            self.owners.written(&series, new, owner, now_ns, &mut |from, to| {
                *counts.entry(from).or_default() -= 1;
                *counts.entry(to).or_default() += 1;
            });
            self
        }

        fn expire(&mut self, now_ns: u64) -> &mut Self {
            let counts = &mut self.counts;
            self.owners.expire(now_ns, &mut |from, to| {
                *counts.entry(from).or_default() -= 1;
                *counts.entry(to).or_default() += 1;
            });
            self
        }

        fn count(&self, owner: Owner) -> i64 {
            self.counts.get(&owner).copied().unwrap_or(0)
        }
    }

    #[test]
    fn the_first_writer_owns_until_it_is_idle() {
        let mut counted = Counted::default();
        counted
            .written(&[0, 1, 5000], &[], 1, 0)
            .written(&[1, 2], &[], 2, MINUTE);
        assert_eq!((counted.count(1), counted.count(2)), (3, 1));
        // Tenant 2 goes on to write series 1, which keeps it with tenant 1.
        counted.written(&[1], &[], 2, 50 * MINUTE).expire(66 * MINUTE);
        assert_eq!(
            (counted.count(1), counted.count(2)),
            (1, 0),
            "three were idle for an hour"
        );
        counted.written(&[0], &[], 2, 70 * MINUTE);
        assert_eq!((counted.count(1), counted.count(2)), (1, 1));
    }

    #[test]
    fn a_number_that_is_given_out_again_changes_hands() {
        let mut counted = Counted::default();
        counted.written(&[7], &[0], 1, 0).written(&[7, 7], &[0, 1], 2, 0);
        assert_eq!((counted.count(1), counted.count(2)), (0, 1));
        counted.owners.clear();
        counted.written(&[7], &[], 1, 0);
        assert_eq!(counted.count(1), 1);
    }

    #[test]
    fn time_may_wrap() {
        let mut counted = Counted::default();
        let late = 65_535 * 5 * MINUTE;
        counted.written(&[1], &[], 1, late).expire(late + 10 * MINUTE);
        assert_eq!(counted.count(1), 1);
        counted.expire(late + 70 * MINUTE);
        assert_eq!(counted.count(1), 0);
    }
}
