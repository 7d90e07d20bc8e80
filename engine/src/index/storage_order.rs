//! All series of a head in storage order, kept between flushes so that only new ones are sorted.

use std::cmp::Ordering;

use barograph_model::SeriesId;

use super::StorageKey;
use crate::SeriesRef;

/// A permutation of the series known when it was made.
#[derive(Debug, Default)]
pub(crate) struct StorageOrder {
    sorted: Vec<SeriesRef>,
}

impl StorageOrder {
    /// This order with the series from `self.len()` to `len` in it; `key` gives what a series is sorted by.
    /// O(m log m + n) for m new series of n.
    pub(crate) fn extended(&self, len: usize, key: impl Fn(SeriesRef) -> (StorageKey, SeriesId)) -> Self {
        let mut fresh: Vec<_> = (self.len()..len)
            .map(|i| SeriesRef(i as u32))
            .map(|s| (key(s), s))
            .collect();
        fresh.sort_unstable();
        let mut sorted = Vec::with_capacity(len);
        let mut old = self.sorted.iter().copied().peekable();
        let mut old_key = old.peek().map(|s| key(*s));
        for (fresh_key, series) in fresh {
            while old_key
                .as_ref()
                .is_some_and(|k| k.cmp(&fresh_key) == Ordering::Less)
            {
                sorted.extend(old.next());
                old_key = old.peek().map(|s| key(*s));
            }
            sorted.push(series);
        }
        sorted.extend(old);
        Self { sorted }
    }

    /// How many series the order knows.
    pub(crate) fn len(&self) -> usize {
        self.sorted.len()
    }

    /// All of them, in order.
    pub(crate) fn sorted(&self) -> &[SeriesRef] {
        &self.sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extending_equals_sorting_at_once() {
        let key = |s: SeriesRef| {
            let (metric, job) = (format!("m{}", s.0 * 7 % 5), format!("j{}", s.0 * 11 % 3));
            (
                StorageKey::from_parts(&metric, &job, ""),
                SeriesId(i64::from(s.0)),
            )
        };
        let at_once = StorageOrder::default().extended(200, key);
        let in_steps = StorageOrder::default().extended(90, key).extended(200, key);
        assert_eq!(at_once.sorted(), in_steps.sorted());
        assert!(at_once.sorted().windows(2).all(|w| key(w[0]) < key(w[1])));
    }
}
