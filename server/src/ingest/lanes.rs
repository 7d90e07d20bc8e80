//! The last step of decoding: the columns of the series that the store has taken, without those it has not.

use std::iter::repeat_n;
use std::ops::Range;

use barograph_engine::{SampleColumns, SeriesRef};

use super::batch::{Batch, SeriesEntry};
use super::rejects::Item;
use super::written::Written;

/// Walks the series of a batch in order; each is kept or skipped.
pub(super) struct Lanes<'a> {
    batch: &'a mut Batch,
    rows: Range<usize>,
    series: Vec<SeriesRef>,
}

impl<'a> Lanes<'a> {
    pub(super) fn new(batch: &'a mut Batch) -> Self {
        Self {
            series: Vec::with_capacity(batch.ts.len()),
            rows: 0..0,
            batch,
        }
    }

    /// Keeps what entry `i` brought, as things of `series`.
    #[inline]
    pub(super) fn keep(&mut self, i: usize, series: SeriesRef) {
        self.rows = self.rows.end..self.batch.series[i].rows_end();
        // Rows move only where some before them were left out.
        let kept = self.series.len();
        if self.rows.start != kept {
            self.batch.ts.copy_within(self.rows.clone(), kept);
            self.batch.values.copy_within(self.rows.clone(), kept);
        }
        self.series.extend(repeat_n(series, self.rows.len()));
    }

    /// Leaves out what entry `i` brought; says how much that was.
    pub(super) fn skip(&mut self, i: usize) -> (SeriesEntry, [u64; Item::ALL.len()]) {
        let entry = self.batch.series[i];
        self.rows = self.rows.end..entry.rows_end();
        (entry, [self.rows.len() as u64, 0, 0])
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
        let columns = SampleColumns {
            series: self.series,
            ts,
            values,
        };
        (columns, written)
    }
}
