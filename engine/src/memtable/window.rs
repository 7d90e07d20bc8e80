//! The rows of one two-hour window.

use std::sync::{Arc, OnceLock};

use barograph_model::TimeRange;
use roaring::RoaringBitmap;

use super::Run;
use crate::{SampleColumns, SeriesRef};

/// Unsorted rows at which a window sorts them. Below it a reader sorts what it needs.
const SORT_ROWS: usize = 1 << 18;

/// Runs of at most so many rows are merged, once there are so many of them at the end: a reader looks for each series in
/// every run, and each row is copied once more for it.
const SHORT_RUN_ROWS: usize = 2 * SORT_ROWS;
const SHORT_RUNS_MAX: usize = 4;

/// A reader of at most one series for so many unsorted rows has only those series' rows sorted.
const FEW_SERIES: usize = 16;

/// What a chunk takes beside its rows: its own fields, and what the allocator adds to four pieces.
const CHUNK_BYTES: usize = size_of::<SampleColumns>() + 64;

/// Sorted runs, oldest first, then unsorted chunks, oldest first: whatever comes later is newer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Window {
    runs: Vec<Arc<Run>>,
    chunks: Vec<Arc<SampleColumns>>,
    chunk_rows: usize,
    /// the chunks as a run, once a reader has wanted all of them; clones of this window share it
    tail: Arc<OnceLock<Arc<Run>>>,
    /// bytes of runs and chunks
    bytes: usize,
    /// the earliest and the latest instant
    bounds: Option<(i64, i64)>,
}

impl Window {
    /// Adds rows that are newer than all that is here.
    pub(crate) fn push(&mut self, columns: SampleColumns) {
        let (Some(first), Some(last)) = (columns.ts().iter().min(), columns.ts().iter().max()) else {
            return;
        };
        let (low, high) = self.bounds.unwrap_or((*first, *last));
        self.bounds = Some((low.min(*first), high.max(*last)));
        self.chunk_rows += columns.len();
        self.bytes += columns.heap_bytes() + CHUNK_BYTES;
        self.chunks.push(Arc::new(columns));
        self.tail = Arc::default();
    }

    /// The chunks, where they hold so many rows that it is time to sort them.
    pub(super) fn long_chunks(&self) -> Option<Vec<Arc<SampleColumns>>> {
        (self.chunk_rows >= SORT_ROWS).then(|| self.chunks.clone())
    }

    /// How often it has as many unsorted rows as are worth sorting.
    pub(super) fn sort_lag(&self) -> usize {
        self.chunk_rows / SORT_ROWS
    }

    /// Puts a run in the place of the chunks that it was made of. Nothing happens where they are not here any more.
    pub(super) fn put_run(&mut self, chunks: &[Arc<SampleColumns>], run: Arc<Run>) {
        let is_here = self.chunks.len() >= chunks.len()
            && self
                .chunks
                .iter()
                .zip(chunks)
                .all(|(ours, theirs)| Arc::ptr_eq(ours, theirs));
        if !is_here {
            return;
        }
        self.runs.push(run);
        self.chunks.drain(..chunks.len());
        self.tail = Arc::default();
        self.chunk_rows = self.chunks.iter().map(|chunk| chunk.len()).sum();
        let of_chunks = self.chunks.iter().map(|chunk| chunk.heap_bytes() + CHUNK_BYTES);
        self.bytes = self
            .runs
            .iter()
            .map(|run| run.heap_bytes())
            .chain(of_chunks)
            .sum();
    }

    /// The newest runs, where they are short and so many that it is time to merge them.
    pub(super) fn short_runs(&self) -> Option<&[Arc<Run>]> {
        let short = self
            .runs
            .iter()
            .rev()
            .take_while(|run| run.rows() <= SHORT_RUN_ROWS);
        let short = short.count();
        (short >= SHORT_RUNS_MAX).then(|| &self.runs[self.runs.len() - short..])
    }

    /// Puts a run in the place of those that it was merged of. Nothing happens where they are not the newest any more.
    pub(super) fn put_merged(&mut self, runs: &[Arc<Run>], merged: Arc<Run>) {
        let Some(start) = self.runs.len().checked_sub(runs.len()) else {
            return;
        };
        if !(self.runs[start..].iter().zip(runs)).all(|(ours, theirs)| Arc::ptr_eq(ours, theirs)) {
            return;
        }
        let before: usize = runs.iter().map(|run| run.heap_bytes()).sum();
        self.bytes = self.bytes.saturating_sub(before) + merged.heap_bytes();
        self.runs.truncate(start);
        self.runs.push(merged);
    }

    /// Everything as sorted runs, oldest first. Sorts the unsorted tail, at most a quarter of a million rows, unless a
    /// reader has done so since the last write.
    pub(crate) fn sorted_runs(&self) -> Vec<Arc<Run>> {
        let mut runs = self.runs.clone();
        if !self.chunks.is_empty() {
            let tail = self.tail.get_or_init(|| Arc::new(Run::from_chunks(&self.chunks)));
            runs.push(Arc::clone(tail));
        }
        runs
    }

    /// Sorted runs, oldest first, with all rows that some series have in a range. For few of them only their rows of the
    /// tail are sorted.
    pub(crate) fn runs_of(&self, series: &[Option<SeriesRef>], range: &TimeRange) -> Vec<Arc<Run>> {
        let is_few = series.len() * FEW_SERIES < self.chunk_rows;
        let mut runs = if self.chunks.is_empty() || self.tail.get().is_some() || !is_few {
            self.sorted_runs()
        } else {
            let mut runs = self.runs.clone();
            runs.push(Arc::new(Run::of_series(&self.chunks, series)));
            runs
        };
        runs.retain(|run| run.overlaps(range));
        runs
    }

    /// Adds the series that have rows.
    pub(super) fn add_series(&self, present: &mut RoaringBitmap) {
        for run in &self.runs {
            *present |= RoaringBitmap::from_iter(run.series().iter().map(|s| s.0));
        }
        for chunk in &self.chunks {
            *present |= RoaringBitmap::from_iter(chunk.series().iter().map(|s| s.0));
        }
    }

    /// An upper bound for the rows that a scan of some series will read: exact for few series in sorted runs.
    pub(crate) fn rows_of_all(&self, series: &[SeriesRef]) -> u64 {
        let of_run = |run: &Arc<Run>| match series.len() < run.series().len() {
            true => series.iter().map(|s| run.rows_of(*s).0.len()).sum(),
            false => run.rows(),
        };
        (self.runs.iter().map(of_run).sum::<usize>() + self.chunk_rows) as u64
    }

    /// The earliest and the latest instant.
    pub(crate) fn bounds(&self) -> Option<(i64, i64)> {
        self.bounds
    }

    /// Bytes that the rows take.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes
    }

    /// Rows; in the unsorted tail repeated instants count as often as they were written.
    pub(crate) fn rows(&self) -> usize {
        self.chunk_rows + self.runs.iter().map(|run| run.rows()).sum::<usize>()
    }
}
