//! The rows of the lanes in a batch: the form in which they travel from an edge to the memtable.

use barograph_model::{Exemplar, Histogram};

use super::Lane;
use crate::SeriesRef;

/// A thing of a lane: whose, when in milliseconds since the epoch, and what.
pub(crate) type LaneRow<V> = (SeriesRef, i64, V);

/// Rows of any series in any order, older writes first.
#[derive(Debug, Clone, Default)]
pub(crate) struct LaneColumns {
    pub(crate) histograms: Vec<LaneRow<Histogram>>,
    pub(crate) exemplars: Vec<LaneRow<Exemplar>>,
}

impl LaneColumns {
    /// Whether there is no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.histograms.is_empty() && self.exemplars.is_empty()
    }

    /// Adds all rows of another batch behind these.
    pub(crate) fn extend(&mut self, other: Self) {
        self.histograms.extend(other.histograms);
        self.exemplars.extend(other.exemplars);
    }

    /// The series of each row.
    pub(crate) fn series(&self) -> impl Iterator<Item = SeriesRef> {
        let histograms = self.histograms.iter().map(|row| row.0);
        histograms.chain(self.exemplars.iter().map(|row| row.0))
    }

    /// The series of each row, to be named anew.
    pub(crate) fn series_mut(&mut self) -> impl Iterator<Item = &mut SeriesRef> {
        let histograms = self.histograms.iter_mut().map(|row| &mut row.0);
        histograms.chain(self.exemplars.iter_mut().map(|row| &mut row.0))
    }

    /// What the rows weigh in samples: memory of so many samples.
    pub(crate) fn weight(&self) -> usize {
        weight(&self.histograms) + weight(&self.exemplars)
    }

    /// Bytes that the rows take.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.weight() * SAMPLE_BYTES
    }
}

/// Bytes that a float sample takes in the memtable.
const SAMPLE_BYTES: usize = size_of::<SeriesRef>() + size_of::<i64>() + size_of::<f64>();

/// Memory of rows, in samples.
fn weight<V: Lane>(rows: &[LaneRow<V>]) -> usize {
    let bytes: usize = rows.iter().map(|row| row.2.memory_bytes()).sum();
    bytes.div_ceil(SAMPLE_BYTES)
}
