//! The rows of the lanes that are in memory and in the log, and in no segment yet.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use barograph_model::{TimeRange, TimestampMs};
use roaring::RoaringBitmap;

use super::{Lane, LaneColumns};
use crate::SeriesRef;
use crate::memtable::window_of;

/// Rows up to which neighbouring chunks are put together, so that a snapshot copies few of them.
const CHUNK_ROWS: usize = 1 << 14;

/// Committed batches, oldest first. Chunks that a snapshot shares never change.
#[derive(Debug, Clone, Default)]
pub(crate) struct LaneMemory {
    chunks: Vec<Arc<LaneColumns>>,
    /// the earliest and the latest instant
    bounds: Option<(i64, i64)>,
}

impl LaneMemory {
    /// Adds a committed batch, newer than all that is here.
    pub(crate) fn push(&mut self, columns: LaneColumns) {
        if columns.is_empty() {
            return;
        }
        let instants = columns.histograms.iter().map(|row| row.1);
        for ts in instants.chain(columns.exemplars.iter().map(|row| row.1)) {
            let (low, high) = self.bounds.unwrap_or((ts, ts));
            self.bounds = Some((low.min(ts), high.max(ts)));
        }
        self.chunks.push(Arc::new(columns));
        // Like the carries of a binary counter: each row is moved about as often as the logarithm of all rows.
        while let [.., before, last] = &self.chunks[..] {
            if len(before) > 2 * len(last) || len(before) + len(last) > CHUNK_ROWS {
                break;
            }
            let last = self.chunks.pop().map(Arc::unwrap_or_clone).unwrap_or_default();
            let mut joined = self.chunks.pop().map(Arc::unwrap_or_clone).unwrap_or_default();
            joined.extend(last);
            self.chunks.push(Arc::new(joined));
        }
    }

    /// From the earliest to the latest instant; `None` without rows.
    pub(crate) fn bounds(&self) -> Option<TimeRange> {
        self.bounds.map(|(low, high)| TimeRange::new(low, high))
    }

    /// Adds the series that have rows.
    pub(crate) fn add_series(&self, present: &mut RoaringBitmap) {
        for chunk in &self.chunks {
            present.extend(chunk.series().map(|series| series.0));
        }
    }

    /// How many rows a lane has.
    pub(crate) fn rows<V: Lane>(&self) -> usize {
        self.chunks.iter().map(|chunk| V::of(chunk).len()).sum()
    }

    /// The rows of a lane by window and series, oldest write first.
    pub(crate) fn by_window<V: Lane>(&self) -> BTreeMap<i64, HashMap<SeriesRef, Vec<(i64, V)>>> {
        let mut windows: BTreeMap<i64, HashMap<SeriesRef, Vec<(i64, V)>>> = BTreeMap::new();
        for (series, ts, value) in self.chunks.iter().flat_map(|chunk| V::of(chunk)) {
            let window = windows.entry(window_of(*ts)).or_default();
            window.entry(*series).or_default().push((*ts, value.clone()));
        }
        windows
    }

    /// The rows of some series of a lane within a range, oldest write first.
    pub(crate) fn of_series<V: Lane>(
        &self,
        wanted: &RoaringBitmap,
        range: TimeRange,
    ) -> HashMap<SeriesRef, Vec<(i64, V)>> {
        let mut found: HashMap<SeriesRef, Vec<(i64, V)>> = HashMap::new();
        for (series, ts, value) in self.chunks.iter().flat_map(|chunk| V::of(chunk)) {
            if range.contains(TimestampMs(*ts)) && wanted.contains(series.0) {
                found.entry(*series).or_default().push((*ts, value.clone()));
            }
        }
        found
    }
}

fn len(columns: &LaneColumns) -> usize {
    columns.histograms.len() + columns.exemplars.len()
}
