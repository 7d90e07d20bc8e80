//! Acknowledged samples that are not in a segment yet, by two-hour window.
//!
//! A committed batch becomes a chunk as it is, without copying; when enough rows of a window lie in chunks they
//! are sorted into a [`Run`]. Chunks and runs never change, so a snapshot shares them. Everything after this is
//! a sorted run, in memory or in a file.

mod run;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;

use barograph_model::TimestampMs;
use roaring::RoaringBitmap;

pub(crate) use run::Run;
pub(crate) use window::Window;

use crate::SampleColumns;
use crate::index::Head;
use crate::lanes::LaneMemory;

/// The width of a window: what one segment covers at most.
pub(crate) const WINDOW_MS: i64 = 2 * 3_600_000;

/// The start of the window that holds an instant.
pub(crate) fn window_of(ts: i64) -> i64 {
    TimestampMs(ts).align(WINDOW_MS).0
}

/// The rows of the store that are only in memory and in the log, all of series of one head.
#[derive(Debug, Clone)]
pub(crate) struct Memtable {
    head: Head,
    windows: BTreeMap<i64, Window>,
    lanes: LaneMemory,
    lane_bytes: usize,
    rows: usize,
}

impl Memtable {
    /// An empty one for series of a head.
    pub(crate) fn new(head: Head) -> Self {
        Self {
            head,
            windows: BTreeMap::new(),
            lanes: LaneMemory::default(),
            lane_bytes: 0,
            rows: 0,
        }
    }

    /// Adds a committed batch, whose series are of the memtable's head; later batches are newer.
    pub(crate) fn insert(&mut self, mut columns: SampleColumns) {
        debug_assert!(columns.head().is(&self.head));
        self.rows += columns.weight();
        let lanes = columns.take_lanes();
        self.lane_bytes += lanes.heap_bytes();
        self.lanes.push(lanes);
        let (Some(first), Some(last)) = (columns.ts().iter().min(), columns.ts().iter().max()) else {
            return;
        };
        let (first, last) = (window_of(*first), window_of(*last));
        if first == last {
            self.windows.entry(first).or_default().push(columns);
            return;
        }
        let mut split: BTreeMap<i64, SampleColumns> = BTreeMap::new();
        for i in 0..columns.len() {
            let ts = columns.ts()[i];
            let part = split
                .entry(window_of(ts))
                .or_insert_with(|| SampleColumns::new(&self.head));
            part.push(columns.series()[i], ts, columns.values()[i]);
        }
        for (start, part) in split {
            self.windows.entry(start).or_default().push(part);
        }
    }

    /// What is to be sorted: the windows in which much lies unsorted, with those chunks. Sorting takes milliseconds, in
    /// which nobody needs to wait for the memtable; [`Memtable::put_run`] brings the result.
    pub(crate) fn unsorted(&self) -> Vec<(i64, Vec<Arc<SampleColumns>>)> {
        let long = |(start, window): (&i64, &Window)| Some((*start, window.long_chunks()?));
        self.windows.iter().filter_map(long).collect()
    }

    /// How far sorting is behind: how often the most unsorted window has as many unsorted rows as are worth sorting.
    pub(crate) fn sort_lag(&self) -> usize {
        self.windows.values().map(Window::sort_lag).max().unwrap_or(0)
    }

    /// Takes a run for the chunks of a window that it was made of. A memtable that does not have them, because it has
    /// been renewed meanwhile, stays as it is.
    pub(crate) fn put_run(&mut self, window: i64, chunks: &[Arc<SampleColumns>], run: Arc<Run>) {
        if let Some(window) = self.windows.get_mut(&window) {
            window.put_run(chunks, run);
        }
    }

    /// What is to be merged: the windows whose newest runs are many and short, with those runs. As with
    /// [`Memtable::unsorted`]; [`Memtable::put_merged`] brings the result.
    pub(crate) fn fragmented(&self) -> Vec<(i64, Vec<Arc<Run>>)> {
        let short = |(start, window): (&i64, &Window)| Some((*start, window.short_runs()?.to_vec()));
        self.windows.iter().filter_map(short).collect()
    }

    /// Takes a run for those of a window that it was merged of.
    pub(crate) fn put_merged(&mut self, window: i64, runs: &[Arc<Run>], merged: Arc<Run>) {
        if let Some(window) = self.windows.get_mut(&window) {
            window.put_merged(runs, merged);
        }
    }

    /// Rows, repeated instants counted as often as they were written; histograms and exemplars count as so many samples as
    /// take their memory.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes that the rows take.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.windows.values().map(Window::heap_bytes).sum::<usize>() + self.lane_bytes
    }

    /// The native histograms and exemplars.
    pub(crate) fn lanes(&self) -> &LaneMemory {
        &self.lanes
    }

    /// The head that its series are of.
    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    /// The series that have rows.
    pub(crate) fn series(&self) -> RoaringBitmap {
        let mut present = RoaringBitmap::new();
        for window in self.windows.values() {
            window.add_series(&mut present);
        }
        self.lanes.add_series(&mut present);
        present
    }

    /// The windows by their start.
    pub(crate) fn windows(&self) -> &BTreeMap<i64, Window> {
        &self.windows
    }
}

#[cfg(test)]
mod tests;
