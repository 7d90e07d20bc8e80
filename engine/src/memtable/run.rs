//! Rows sorted by series and instant, each (series, instant) once.

use std::sync::Arc;

use barograph_model::TimeRange;

use crate::{SampleColumns, SeriesRef};

/// A sorted run in memory: the rows of `series[i]` are `starts[i]..starts[i + 1]`.
#[derive(Debug, Default)]
pub(crate) struct Run {
    series: Vec<SeriesRef>,
    starts: Vec<u32>,
    ts: Vec<i64>,
    values: Vec<f64>,
    /// the earliest and the latest instant
    bounds: Option<(i64, i64)>,
}

impl Run {
    /// Sorts chunks, oldest first; of rows with the same series and instant the last one stays.
    ///
    /// Series are dense numbers, so a counting sort places every row with one pass: O(rows + series). Rows of a
    /// series mostly arrive in order of time, so only the exceptions are sorted.
    pub(crate) fn from_chunks(chunks: &[Arc<SampleColumns>]) -> Self {
        let rows: usize = chunks.iter().map(|c| c.len()).sum();
        let highest = chunks
            .iter()
            .flat_map(|c| c.series())
            .max()
            .map_or(0, |s| s.0 as usize + 1);
        let mut next = vec![0u32; highest + 1];
        for series in chunks.iter().flat_map(|c| c.series()) {
            next[series.0 as usize + 1] += 1;
        }
        for i in 1..next.len() {
            next[i] += next[i - 1];
        }
        let mut run = Self {
            series: Vec::new(),
            starts: Vec::new(),
            ts: vec![0; rows],
            values: vec![0.0; rows],
            bounds: None,
        };
        for i in 0..highest {
            if next[i] < next[i + 1] {
                run.series.push(SeriesRef(i as u32));
                run.starts.push(next[i]);
            }
        }
        run.starts.push(rows as u32);
        for chunk in chunks {
            for ((series, ts), value) in chunk.series().iter().zip(chunk.ts()).zip(chunk.values()) {
                let place = &mut next[series.0 as usize];
                run.ts[*place as usize] = *ts;
                run.values[*place as usize] = *value;
                *place += 1;
            }
        }
        run.order_within_series();
        run.bounds = bounds(&run.ts);
        run
    }

    /// Puts runs, oldest first, together; of rows with the same series and instant the last one stays. O(rows), and little
    /// more where they follow one another in time.
    pub(crate) fn merged(runs: &[Arc<Self>]) -> Self {
        let rows: usize = runs.iter().map(|run| run.rows()).sum();
        let mut merged = Self {
            series: Vec::new(),
            starts: Vec::new(),
            ts: Vec::with_capacity(rows),
            values: Vec::with_capacity(rows),
            bounds: runs
                .iter()
                .filter_map(|run| run.bounds)
                .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))),
        };
        let mut next = vec![0; runs.len()];
        while let Some(series) = (runs.iter().zip(&next))
            .filter_map(|(run, at)| run.series.get(*at))
            .min()
        {
            merged.series.push(*series);
            merged.starts.push(merged.ts.len() as u32);
            for (run, at) in runs.iter().zip(&mut next) {
                if run.series.get(*at) == Some(series) {
                    let range = run.starts[*at] as usize..run.starts[*at + 1] as usize;
                    merged.ts.extend_from_slice(&run.ts[range.clone()]);
                    merged.values.extend_from_slice(&run.values[range]);
                    *at += 1;
                }
            }
        }
        merged.starts.push(merged.ts.len() as u32);
        merged.order_within_series();
        merged
    }

    /// Sorts those rows of chunks, oldest first, that are of some series: O(rows of the chunks), with little for each.
    pub(crate) fn of_series(chunks: &[Arc<SampleColumns>], series: &[Option<SeriesRef>]) -> Self {
        let highest = series
            .iter()
            .flatten()
            .max()
            .map_or(0, |series| series.0 as usize + 1);
        let mut wanted = vec![0u64; highest.div_ceil(64)];
        for series in series.iter().flatten() {
            wanted[series.0 as usize / 64] |= 1 << (series.0 % 64);
        }
        let is_wanted = |series: &SeriesRef| {
            let word = wanted.get(series.0 as usize / 64).copied().unwrap_or(0);
            word >> (series.0 % 64) & 1 == 1
        };
        let mut rows: Vec<(SeriesRef, i64, f64)> = Vec::new();
        for chunk in chunks {
            let found = chunk
                .series()
                .iter()
                .enumerate()
                .filter(|(_, series)| is_wanted(series));
            rows.extend(found.map(|(row, series)| (*series, chunk.ts()[row], chunk.values()[row])));
        }
        // Stable, so that among equal instants the newest write stays last.
        rows.sort_by_key(|(series, ts, _)| (*series, *ts));
        let mut run = Self::default();
        for (i, (series, ts, value)) in rows.iter().enumerate() {
            if rows
                .get(i + 1)
                .is_some_and(|next| (next.0, next.1) == (*series, *ts))
            {
                continue;
            }
            if run.series.last() != Some(series) {
                run.series.push(*series);
                run.starts.push(run.ts.len() as u32);
            }
            run.ts.push(*ts);
            run.values.push(*value);
        }
        run.starts.push(run.ts.len() as u32);
        run.bounds = bounds(&run.ts);
        run
    }

    /// Whether it may have rows in a closed range.
    pub(crate) fn overlaps(&self, range: &TimeRange) -> bool {
        let bounds = self.bounds.map(|(first, last)| TimeRange::new(first, last));
        bounds.is_some_and(|bounds| bounds.overlaps(range))
    }

    /// The rows of a series: instants and values of the same length, both empty where it is not here.
    pub(crate) fn rows_of(&self, series: SeriesRef) -> (&[i64], &[f64]) {
        match self.place_of(series) {
            Ok(i) => {
                let range = self.starts[i] as usize..self.starts[i + 1] as usize;
                (&self.ts[range.clone()], &self.values[range])
            }
            Err(_) => (&[], &[]),
        }
    }

    /// Where a series is. Runs mostly have every number between their first and their last, so that place is looked at
    /// before any search.
    fn place_of(&self, series: SeriesRef) -> Result<usize, usize> {
        let guess = self
            .series
            .first()
            .and_then(|first| series.0.checked_sub(first.0));
        match guess.and_then(|guess| self.series.get(guess as usize)) {
            Some(found) if *found == series => Ok(guess.unwrap_or_default() as usize),
            _ => self.series.binary_search(&series),
        }
    }

    /// The series that have rows, ascending by number.
    pub(crate) fn series(&self) -> &[SeriesRef] {
        &self.series
    }

    /// Rows.
    pub(crate) fn rows(&self) -> usize {
        self.ts.len()
    }

    /// Bytes that the run takes.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.series.capacity() * size_of::<SeriesRef>()
            + self.starts.capacity() * size_of::<u32>()
            + self.ts.capacity() * size_of::<i64>()
            + self.values.capacity() * size_of::<f64>()
    }

    fn order_within_series(&mut self) {
        let in_order = |ts: &[i64]| ts.windows(2).all(|w| w[0] < w[1]);
        let ranges = |starts: &[u32], i: usize| starts[i] as usize..starts[i + 1] as usize;
        let all_in_order = (0..self.series.len()).all(|i| in_order(&self.ts[ranges(&self.starts, i)]));
        if all_in_order {
            return;
        }
        let (mut ts, mut values) = (
            Vec::with_capacity(self.ts.len()),
            Vec::with_capacity(self.ts.len()),
        );
        let mut starts = Vec::with_capacity(self.starts.len());
        let mut rows: Vec<(i64, f64)> = Vec::new();
        for i in 0..self.series.len() {
            starts.push(ts.len() as u32);
            let range = ranges(&self.starts, i);
            rows.clear();
            rows.extend(
                self.ts[range.clone()]
                    .iter()
                    .copied()
                    .zip(self.values[range].iter().copied()),
            );
            // Stable, so that among equal instants the newest write stays last.
            rows.sort_by_key(|(ts, _)| *ts);
            for (j, (t, v)) in rows.iter().enumerate() {
                if rows.get(j + 1).is_none_or(|(next, _)| next != t) {
                    ts.push(*t);
                    values.push(*v);
                }
            }
        }
        starts.push(ts.len() as u32);
        (self.ts, self.values, self.starts) = (ts, values, starts);
    }
}

/// The earliest and the latest of some instants.
fn bounds(ts: &[i64]) -> Option<(i64, i64)> {
    ts.iter().min().copied().zip(ts.iter().max().copied())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::index::Head;

    proptest! {
        #[test]
        fn sorts_and_keeps_the_newest(
            batches in proptest::collection::vec(
                proptest::collection::vec((0..6u32, 0..20i64), 0..30), 0..6),
        ) {
            let head = Head::new(1);
            let mut model = BTreeMap::new();
            let mut value = 0.0;
            let mut chunks = Vec::new();
            for batch in batches {
                let mut columns = SampleColumns::new(&head);
                for (series, ts) in batch {
                    value += 1.0;
                    columns.push(SeriesRef(series), ts, value);
                    model.insert((series, ts), value);
                }
                chunks.push(Arc::new(columns));
            }
            let run = Run::from_chunks(&chunks);
            let mut found = Vec::new();
            for series in run.series() {
                let (ts, values) = run.rows_of(*series);
                found.extend(ts.iter().zip(values).map(|(t, v)| ((series.0, *t), *v)));
            }
            prop_assert_eq!(found, model.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(run.rows_of(SeriesRef(99)).0.len(), 0);
            let parts: Vec<_> = chunks.chunks(2).map(|part| Arc::new(Run::from_chunks(part))).collect();
            let merged = Run::merged(&parts);
            prop_assert_eq!(merged.series(), run.series());
            for series in run.series() {
                prop_assert_eq!(merged.rows_of(*series), run.rows_of(*series));
            }
            let wanted = [Some(SeriesRef(1)), None, Some(SeriesRef(4)), Some(SeriesRef(99))];
            let some = Run::of_series(&chunks, &wanted);
            prop_assert!(some.series().iter().all(|series| wanted.contains(&Some(*series))));
            for series in wanted.iter().flatten() {
                prop_assert_eq!(some.rows_of(*series), run.rows_of(*series));
            }
        }
    }
}
