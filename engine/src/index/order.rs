//! The order of series on disk: by metric, job, instance, then id, so that what is asked together lies together.

use std::cmp::Ordering;

use barograph_model::{Labels, SeriesId};

use crate::SeriesRef;

/// A permutation of the series known when it was made.
#[derive(Debug, Default)]
pub(crate) struct StorageOrder {
    /// series in storage order
    sorted: Vec<SeriesRef>,
    /// place in `sorted` by series
    rank: Vec<u32>,
}

impl StorageOrder {
    /// Extends an order by the series from `previous.len()` to `len`; `key` gives what a series is sorted by.
    /// O(m log m + n) for m new series of n.
    pub(crate) fn extend<'a>(
        previous: &Self,
        len: usize,
        key: impl Fn(SeriesRef) -> (&'a Labels, SeriesId),
    ) -> Self {
        let compare = |a: &SeriesRef, b: &SeriesRef| compare_keys(key(*a), key(*b));
        let mut fresh: Vec<SeriesRef> = (previous.len()..len).map(|i| SeriesRef(i as u32)).collect();
        fresh.sort_unstable_by(compare);
        let mut sorted = Vec::with_capacity(len);
        let mut old = previous.sorted.iter().copied().peekable();
        for series in fresh {
            while let Some(before) = old.next_if(|o| compare(o, &series) == Ordering::Less) {
                sorted.push(before);
            }
            sorted.push(series);
        }
        sorted.extend(old);
        let mut rank = vec![0; len];
        for (place, series) in sorted.iter().enumerate() {
            rank[series.0 as usize] = place as u32;
        }
        Self { sorted, rank }
    }

    /// How many series the order knows.
    pub(crate) fn len(&self) -> usize {
        self.sorted.len()
    }

    /// All of them, in order.
    pub(crate) fn sorted(&self) -> &[SeriesRef] {
        &self.sorted
    }

    /// Puts some series into storage order.
    pub(crate) fn sort(&self, series: &mut [SeriesRef]) {
        series.sort_unstable_by_key(|s| self.rank[s.0 as usize]);
    }
}

fn compare_keys((a, a_id): (&Labels, SeriesId), (b, b_id): (&Labels, SeriesId)) -> Ordering {
    a.metric()
        .cmp(b.metric())
        .then_with(|| a.get("job").cmp(b.get("job")))
        .then_with(|| a.get("instance").cmp(b.get("instance")))
        .then_with(|| a_id.cmp(&b_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extending_equals_sorting_at_once() {
        let sets: Vec<Labels> = (0..200)
            .map(|i| {
                let (metric, job) = (format!("m{}", i * 7 % 5), format!("j{}", i * 11 % 3));
                Labels::from_pairs([("__name__", metric.as_str()), ("job", &job)]).unwrap()
            })
            .collect();
        let key = |s: SeriesRef| (&sets[s.0 as usize], SeriesId(i64::from(s.0)));
        let at_once = StorageOrder::extend(&StorageOrder::default(), 200, key);
        let half = StorageOrder::extend(&StorageOrder::default(), 90, key);
        let in_steps = StorageOrder::extend(&half, 200, key);
        assert_eq!(at_once.sorted(), in_steps.sorted());
        assert!(
            at_once
                .sorted()
                .windows(2)
                .all(|w| compare_keys(key(w[0]), key(w[1])) == Ordering::Less)
        );
        let mut some = vec![SeriesRef(3), SeriesRef(199), SeriesRef(0)];
        at_once.sort(&mut some);
        assert!(
            some.windows(2)
                .all(|w| compare_keys(key(w[0]), key(w[1])) == Ordering::Less)
        );
    }
}
