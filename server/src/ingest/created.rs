//! Created timestamps of samples: when a counter began to count.
//!
//! A counter that appears with the value 7 has counted 7 since it was created, and without that instant the first seven are
//! lost to every rate. So, as Prometheus does where its feature `created-timestamp-zero-ingestion` is on, a sample of
//! value 0 is stored at the created timestamp. It is stored once for each beginning of a counter, not with each sample
//! that repeats the timestamp, and only for counters that began at most [`CREATED_AGE_MS_MAX`] before the sample: one
//! that is older was seen before, and its zero would come long after its other samples.
//!
//! Native histograms keep their created timestamp themselves, and get no empty histogram.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use barograph_model::{TimeRange, TimestampMs};

/// How long before a sample its counter may have begun for the zero to be stored: two hours, the width of a window of
/// the store.
pub(super) const CREATED_AGE_MS_MAX: i64 = 2 * 3_600_000;

/// Beginnings that are remembered before all are forgotten; a forgotten one is stored again, which changes nothing.
const REMEMBERED_MAX: usize = 1 << 18;

/// A beginning of a counter in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CreatedAt {
    /// Which series of the request.
    pub(super) entry: u32,
    /// When, in milliseconds since the epoch.
    pub(super) ts: i64,
}

impl CreatedAt {
    /// A beginning worth a zero; `None` where `created` is not before the sample at `ts`, long before it, or outside
    /// what the store accepts.
    #[inline]
    pub(super) fn of(entry: u32, created: i64, ts: i64, accepts: TimeRange) -> Option<Self> {
        let age_ms = ts.checked_sub(created)?;
        let is_worth_it =
            (1..=CREATED_AGE_MS_MAX).contains(&age_ms) && accepts.contains(TimestampMs(created));
        is_worth_it.then_some(Self { entry, ts: created })
    }
}

/// The beginnings whose zero is on disk: by fingerprint of the series, the latest one. Bounded; shared between threads.
#[derive(Debug, Default)]
pub(super) struct Beginnings(Mutex<HashMap<u128, i64>>);

impl Beginnings {
    /// Keeps those of `beginnings` that are not remembered.
    pub(super) fn retain_new(&self, beginnings: &mut Vec<CreatedAt>, fingerprints: &[u128]) {
        if beginnings.is_empty() {
            return;
        }
        let remembered = self.lock();
        beginnings.retain(|b| remembered.get(&fingerprints[b.entry as usize]) != Some(&b.ts));
    }

    /// Remembers beginnings whose zero is on disk, as (fingerprint, instant).
    pub(super) fn remember(&self, beginnings: impl IntoIterator<Item = (u128, i64)>) {
        let mut remembered = self.lock();
        for (fingerprint, ts) in beginnings {
            if remembered.len() >= REMEMBERED_MAX {
                remembered.clear();
            }
            remembered.insert(fingerprint, ts);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u128, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_is_worth_it_shortly_before_its_sample_only() {
        let accepts = TimeRange::new(100, 100_000_000);
        let worth = |created, ts| CreatedAt::of(0, created, ts, accepts).is_some();
        assert!(worth(1_000_000, 1_000_001) && worth(1_000_000, 1_000_000 + CREATED_AGE_MS_MAX));
        assert!(!worth(1_000_000, 1_000_000) && !worth(1_000_001, 1_000_000));
        assert!(!worth(1_000_000, 1_000_001 + CREATED_AGE_MS_MAX));
        assert!(!worth(99, 200) && !worth(i64::MIN, i64::MAX));
    }

    #[test]
    fn a_beginning_is_new_until_it_is_remembered_and_again_after_a_reset() {
        let beginnings = Beginnings::default();
        let new = |ts| {
            let mut all = vec![CreatedAt { entry: 0, ts }];
            beginnings.retain_new(&mut all, &[7]);
            !all.is_empty()
        };
        assert!(new(1) && new(1));
        beginnings.remember([(7, 1)]);
        assert!(!new(1) && new(2));
        beginnings.remember((0..REMEMBERED_MAX as u128).map(|i| (i + 100, 0)));
        assert!(new(1), "all were forgotten on the way");
        assert!(beginnings.lock().len() <= REMEMBERED_MAX);
    }
}
