//! The last step of decoding: the columns of the series that the store has taken, without those it has not.

use std::iter::repeat_n;
use std::mem::take;
use std::ops::Range;

use barograph_engine::{Head, SampleColumns, SeriesRef};
use barograph_model::{Exemplar, Histogram};

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
    /// by histogram and by exemplar: whose it is; skipped ones are `None`
    of_histogram: Vec<Option<SeriesRef>>,
    of_exemplar: Vec<Option<SeriesRef>>,
}

impl<'a> Lanes<'a> {
    pub(super) fn new(head: &'a Head, batch: &'a mut Batch) -> Self {
        Self {
            head,
            series: Vec::with_capacity(batch.ts.len()),
            rows: 0..0,
            histograms: 0..0,
            exemplars: 0..0,
            of_histogram: Vec::with_capacity(batch.histograms.len()),
            of_exemplar: Vec::with_capacity(batch.exemplars.len()),
            batch,
        }
    }

    /// Keeps what entry `i` brought, as things of `series`.
    #[inline]
    pub(super) fn keep(&mut self, i: usize, series: SeriesRef) {
        self.step(i, Some(series));
        // Rows move only where some before them were left out.
        let kept = self.series.len();
        if self.rows.start != kept {
            self.batch.ts.copy_within(self.rows.clone(), kept);
            self.batch.values.copy_within(self.rows.clone(), kept);
        }
        self.series.extend(repeat_n(series, self.rows.len()));
    }

    #[inline]
    fn step(&mut self, i: usize, series: Option<SeriesRef>) {
        let entry = &self.batch.series[i];
        self.rows = self.rows.end..entry.rows_end();
        self.histograms = self.histograms.end..entry.histograms_end();
        self.exemplars = self.exemplars.end..entry.exemplars_end();
        self.of_histogram.extend(repeat_n(series, self.histograms.len()));
        self.of_exemplar.extend(repeat_n(series, self.exemplars.len()));
    }

    /// Leaves out what entry `i` brought; says how much that was.
    pub(super) fn skip(&mut self, i: usize) -> (SeriesEntry, [u64; Item::ALL.len()]) {
        self.step(i, None);
        let counts = [&self.rows, &self.histograms, &self.exemplars].map(|range| range.len() as u64);
        (self.batch.series[i], counts)
    }

    /// The columns, and how much is in them.
    pub(super) fn finish(self) -> (SampleColumns, Written) {
        self.batch.ts.truncate(self.series.len());
        self.batch.values.truncate(self.series.len());
        let mut written = Written {
            samples: self.series.len() as u64,
            ..Written::default()
        };
        let (ts, values) = self.batch.take_columns();
        let mut columns = SampleColumns::from_parts(self.head, self.series, ts, values);
        let histograms: Vec<(i64, Histogram)> = take(&mut self.batch.histograms);
        for ((ts, histogram), series) in histograms.into_iter().zip(self.of_histogram) {
            if let Some(series) = series {
                columns.push_histogram(series, ts, histogram);
                written.histograms += 1;
            }
        }
        let exemplars: Vec<Exemplar> = take(&mut self.batch.exemplars);
        for (exemplar, series) in exemplars.into_iter().zip(self.of_exemplar) {
            if let Some(series) = series {
                columns.push_exemplar(series, exemplar);
                written.exemplars += 1;
            }
        }
        (columns, written)
    }
}
