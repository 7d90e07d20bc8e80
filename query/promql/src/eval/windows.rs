//! Where the windows of a range vector begin and end among the samples of a series.

use std::ops::Range;

use crate::{Grid, Interrupt};

/// The windows of one series, one a step: left-open and right-closed, `(t - range, t]`.
#[derive(Debug)]
pub(crate) struct Windows<'a> {
    /// the instant at which each window ends
    pub(crate) ends: Grid,
    pub(crate) range_ms: i64,
    bounds: &'a [(u32, u32)],
    interrupt: &'a Interrupt,
}

impl<'a> Windows<'a> {
    /// Finds them among instants that ascend; `bounds` is scratch memory. O(samples + steps).
    /// `interrupt` ends what is done with them.
    pub(crate) fn find(
        ts: &[i64],
        ends: Grid,
        range_ms: i64,
        bounds: &'a mut Vec<(u32, u32)>,
        interrupt: &'a Interrupt,
    ) -> Self {
        bounds.clear();
        let (mut low, mut high) = (0, 0);
        for end in ends.iter() {
            let start = end.saturating_sub(range_ms);
            low = advance(ts, low, start);
            high = advance(ts, high.max(low), end);
            bounds.push((low as u32, high as u32));
        }
        Self {
            ends,
            range_ms,
            bounds,
            interrupt,
        }
    }

    /// The samples of each window by their place, with the instant at which the window ends.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (i64, Range<usize>)> + '_ {
        self.ends
            .iter()
            .zip(self.bounds)
            .map(|(end, (low, high))| (end, *low as usize..*high as usize))
    }

    /// Whether nobody waits for what is done with them any more.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupt.check().is_err()
    }

    /// Samples of all windows together.
    pub(crate) fn samples(&self) -> u64 {
        self.bounds.iter().map(|(low, high)| u64::from(high - low)).sum()
    }

    /// Adds the samples of each window to the count of its step.
    pub(crate) fn count_into(&self, by_step: &mut [u64]) {
        for (count, (low, high)) in by_step.iter_mut().zip(self.bounds) {
            *count += u64::from(high - low);
        }
    }
}

/// The first place from `from` on whose instant is after `ts`. Looks a few places ahead before it searches, since windows
/// mostly move by few samples.
fn advance(ts: &[i64], from: usize, after: i64) -> usize {
    let near = ts.len().min(from + 8);
    if let Some(ahead) = ts[from..near].iter().position(|ts| *ts > after) {
        return from + ahead;
    }
    let mut width = 8;
    let mut start = near;
    loop {
        let end = ts.len().min(start + width);
        if end == ts.len() || ts[end - 1] > after {
            return start + ts[start..end].partition_point(|t| *t <= after);
        }
        start = end;
        width *= 2;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn windows_are_left_open_and_right_closed(
            gaps in proptest::collection::vec(1i64..40, 0..200),
            start in -50i64..100, step in 1i64..200, steps in 1i64..40, range in 1i64..300,
        ) {
            let mut now = 0;
            let ts: Vec<i64> = gaps.iter().map(|gap| { now += gap; now }).collect();
            let grid = Grid::range(start, start + step * (steps - 1), step).unwrap();
            let mut scratch = Vec::new();
            let interrupt = Interrupt::default();
            let windows = Windows::find(&ts, grid, range, &mut scratch, &interrupt);
            for (end, places) in windows.iter() {
                let inside = |t: &&i64| **t > end - range && **t <= end;
                prop_assert_eq!(ts[places].iter().collect::<Vec<_>>(), ts.iter().filter(inside).collect::<Vec<_>>());
            }
        }
    }
}
