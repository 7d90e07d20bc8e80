//! Reading samples series by series: all that is stored of one before the next, however many files it is spread over.
//!
//! What PromQL wants: its windows cross the borders of files, and one series at a time is all it needs in memory.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use barograph_model::TimeRange;

use crate::merge::Merge;
use crate::retention::Kept;
use crate::snapshot::Stretch;
use crate::{Result, ScanStats, SeriesSet};

/// The samples of one series: two columns of one length, `ts` ascending, each instant once. Staleness markers are
/// present, as their bit pattern.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SeriesRows {
    /// Milliseconds since the epoch.
    pub ts: Vec<i64>,
    /// Values, bit for bit as they were written.
    pub values: Vec<f64>,
}

/// A planned scan of whole series. Cheap to clone; several threads may read different positions of it.
#[derive(Clone)]
pub struct SeriesScan(Arc<Inner>);

struct Inner {
    set: SeriesSet,
    range: TimeRange,
    /// disjoint in time, oldest first
    stretches: Vec<Stretch>,
    kept: Kept,
    stats: ScanStats,
}

impl fmt::Debug for SeriesScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeriesScan")
            .field("range", &self.0.range)
            .field("stats", &self.0.stats)
            .finish_non_exhaustive()
    }
}

impl SeriesScan {
    pub(crate) fn new(
        set: SeriesSet,
        range: TimeRange,
        stretches: Vec<Stretch>,
        kept: Kept,
        stats: ScanStats,
    ) -> Self {
        Self(Arc::new(Inner {
            set,
            range,
            stretches,
            kept,
            stats,
        }))
    }

    /// The series that are read.
    #[must_use]
    pub fn set(&self) -> &SeriesSet {
        &self.0.set
    }

    /// What could be left alone.
    #[must_use]
    pub fn stats(&self) -> ScanStats {
        self.0.stats
    }

    /// Opens all that has rows of some positions of the set.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`](crate::EngineError) and others name the segment that could not be read.
    pub fn open(&self, positions: Range<usize>) -> Result<SeriesReader> {
        let Inner { set, stretches, .. } = &*self.0;
        let mut merges = Vec::with_capacity(stretches.len());
        for stretch in stretches {
            let Stretch { segments, memory, .. } = stretch;
            merges.push(Merge::open(
                segments,
                memory,
                set,
                positions.clone(),
                self.0.range,
            )?);
        }
        Ok(SeriesReader {
            scan: Arc::clone(&self.0),
            positions,
            merges,
        })
    }
}

/// Gives the rows of one series after the other.
pub struct SeriesReader {
    scan: Arc<Inner>,
    positions: Range<usize>,
    /// one for each stretch
    merges: Vec<Merge>,
}

impl fmt::Debug for SeriesReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeriesReader")
            .field("positions", &self.positions)
            .finish_non_exhaustive()
    }
}

impl SeriesReader {
    /// Replaces `rows` by those of the next series in the range, of which there may be none. Gives its position in the
    /// set; `None` behind the last.
    ///
    /// # Errors
    /// As [`SeriesScan::open`].
    pub fn next_series(&mut self, rows: &mut SeriesRows) -> Result<Option<usize>> {
        rows.ts.clear();
        rows.values.clear();
        let Some(position) = self.positions.next() else {
            return Ok(None);
        };
        let Inner { set, range, kept, .. } = &*self.scan;
        for merge in &mut self.merges {
            let (ts, values) = merge.rows_of(position)?;
            let from = ts.partition_point(|t| *t < range.start.0);
            let to = ts.partition_point(|t| *t <= range.end.0);
            rows.ts.extend_from_slice(&ts[from..to]);
            rows.values.extend_from_slice(&values[from..to]);
        }
        if !rows.ts.is_empty() && !kept.is_whole(*range) {
            let oldest = kept.oldest_of(set.labels(position)?.as_ref());
            let gone = rows.ts.partition_point(|t| *t < oldest.0);
            rows.ts.drain(..gone);
            rows.values.drain(..gone);
        }
        Ok(Some(position))
    }
}
