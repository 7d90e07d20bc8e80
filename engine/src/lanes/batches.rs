//! A lane as record batches, for whoever thinks in columns.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use barograph_model::{Exemplar, Histogram, SeriesId, TimeRange};

use super::Lane;
use super::scan::LaneScan;
use crate::segment::at;
use crate::{Result, SeriesSet, Snapshot};

/// Rows of a batch.
const BATCH_ROWS: usize = 4096;

/// A lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneKind {
    /// Native histograms.
    Histograms,
    /// Exemplars.
    Exemplars,
}

impl LaneKind {
    /// The columns of its batches: `series_id`, `ts`, then its own, as in its files (`docs/format/segment.md`).
    #[must_use]
    pub fn schema(self) -> SchemaRef {
        match self {
            Self::Histograms => Histogram::schema(),
            Self::Exemplars => Exemplar::schema(),
        }
    }
}

/// Some rows of a lane.
#[derive(Debug)]
pub struct LaneBatch {
    /// By row: the position of its series in the set.
    pub positions: Vec<usize>,
    /// The rows, with the columns of [`LaneKind::schema`].
    pub rows: RecordBatch,
}

/// Batches, one at a time.
pub type LaneBatches = Box<dyn Iterator<Item = Result<LaneBatch>> + Send>;

impl Snapshot {
    /// Reads a lane of some series over a closed range, in the order of [`Snapshot::histograms`]. A batch may hold rows of
    /// many series, and a series' rows may be in several batches. After an error there is nothing more.
    #[must_use]
    pub fn lane_batches(&self, kind: LaneKind, set: &SeriesSet, range: TimeRange) -> LaneBatches {
        match kind {
            LaneKind::Histograms => Box::new(Batches::<Histogram>::new(self, set, range)),
            LaneKind::Exemplars => Box::new(Batches::<Exemplar>::new(self, set, range)),
        }
    }
}

struct Batches<V: Lane> {
    set: SeriesSet,
    scan: Option<LaneScan<V>>,
    /// rows of the series at `position` that are not in a batch yet
    waiting: std::vec::IntoIter<(i64, V)>,
    position: usize,
}

impl<V: Lane> Batches<V> {
    fn new(snapshot: &Snapshot, set: &SeriesSet, range: TimeRange) -> Self {
        Self {
            set: set.clone(),
            scan: Some(LaneScan::new(snapshot, set, range)),
            waiting: Vec::new().into_iter(),
            position: 0,
        }
    }

    fn next_batch(&mut self) -> Result<Option<LaneBatch>> {
        let mut positions = Vec::new();
        let mut rows: Vec<(SeriesId, i64, V)> = Vec::new();
        while rows.len() < BATCH_ROWS {
            if let Some((ts, value)) = self.waiting.next() {
                positions.push(self.position);
                rows.push((self.set.id(self.position), ts, value));
                continue;
            }
            let Some(scan) = &mut self.scan else {
                break;
            };
            let mut more = Vec::new();
            match scan.next_series(&mut more)? {
                Some(position) => (self.position, self.waiting) = (position, more.into_iter()),
                None => self.scan = None,
            }
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let rows = V::to_batch(&rows).map_err(|error| at("a batch of rows")(error.into()))?;
        Ok(Some(LaneBatch { positions, rows }))
    }
}

impl<V: Lane> Iterator for Batches<V> {
    type Item = Result<LaneBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.next_batch().transpose();
        if !matches!(batch, Some(Ok(_))) {
            self.scan = None;
            self.waiting = Vec::new().into_iter();
        }
        batch
    }
}
