//! The last step of decoding: the columns of the series that the store has taken, without those it has not.

use std::iter::repeat_n;
use std::ops::Range;

use barograph_engine::{Head, SampleColumns, SeriesRef};

use super::batch::{Batch, SeriesEntry};
use super::rejects::Item;
use super::written::Written;

/// Walks the series of a batch in order; each is kept or skipped.
pub(super) struct Lanes<'a> {
    head: &'a Head,
    batch: &'a mut Batch,
    rows: Range<usize>,
    histograms: Range<usize>,
    exemplars: Range<usize>,
    series: Vec<SeriesRef>,
}

impl<'a> Lanes<'a> {
    pub(super) fn new(head: &'a Head, batch: &'a mut Batch) -> Self {
        Self {
            head,
            series: Vec::with_capacity(batch.ts.len()),
            rows: 0..0,
            histograms: 0..0,
            exemplars: 0..0,
            batch,
        }
    }

    /// Keeps the samples that entry `i` brought, as those of `series`. Gives how many histograms and exemplars are left
    /// over, because the store has no place for them yet.
    #[inline]
    pub(super) fn keep(&mut self, i: usize, series: SeriesRef) -> (usize, usize) {
        self.step(i);
        // Rows move only where some before them were left out.
        let kept = self.series.len();
        if self.rows.start != kept {
            self.batch.ts.copy_within(self.rows.clone(), kept);
            self.batch.values.copy_within(self.rows.clone(), kept);
        }
        self.series.extend(repeat_n(series, self.rows.len()));
        (self.histograms.len(), self.exemplars.len())
    }

    /// Where the message of entry `i` is in the body.
    pub(super) fn message(&self, i: usize) -> Range<usize> {
        self.batch.series[i].message()
    }

    #[inline]
    fn step(&mut self, i: usize) {
        let entry = &self.batch.series[i];
        self.rows = self.rows.end..entry.rows_end();
        self.histograms = self.histograms.end..entry.histograms_end();
        self.exemplars = self.exemplars.end..entry.exemplars_end();
    }

    /// Leaves out what entry `i` brought; says how much that was.
    pub(super) fn skip(&mut self, i: usize) -> (SeriesEntry, [u64; Item::ALL.len()]) {
        self.step(i);
        let counts = [&self.rows, &self.histograms, &self.exemplars].map(|range| range.len() as u64);
        (self.batch.series[i], counts)
    }

    /// The columns, and how much is in them.
    pub(super) fn finish(self) -> (SampleColumns, Written) {
        self.batch.ts.truncate(self.series.len());
        self.batch.values.truncate(self.series.len());
        let written = Written {
            samples: self.series.len() as u64,
            ..Written::default()
        };
        let (ts, values) = self.batch.take_columns();
        (SampleColumns::from_parts(self.head, self.series, ts, values), written)
    }
}
