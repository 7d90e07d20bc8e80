//! Reading samples: a scan is cut into partitions, disjoint in time or in series, each gives blocks series by series.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use barograph_model::TimeRange;

use crate::memtable::{Memtable, Window};
use crate::merge::Merge;
use crate::retention::Kept;
use crate::segment::Segment;
use crate::tombstone::Mask;
use crate::{Result, SeriesSet};

/// Rows of a block, about: a series is never cut, so a block may be longer.
const BLOCK_ROWS: usize = 1 << 14;

/// Consecutive rows of one series inside a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesRun {
    /// Whose rows: the position in the set that is scanned.
    pub series: usize,
    /// One past the last row; the run begins where the one before ends.
    pub end: usize,
}

/// Some rows of a scan: `ts` and `values` have the same length, `runs` says whose they are. Within a series,
/// `ts` ascends and no instant appears twice. Staleness markers are present, as their bit pattern.
#[derive(Debug, Clone, Default)]
pub struct SampleBlock {
    /// Whose rows, in order; the last run ends at `ts.len()`.
    pub runs: Vec<SeriesRun>,
    /// Milliseconds since the epoch.
    pub ts: Vec<i64>,
    /// Values, bit for bit as they were written.
    pub values: Vec<f64>,
}

impl SampleBlock {
    /// Rows in the block.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ts.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ts.is_empty()
    }

    /// Forgets the rows and keeps the memory.
    pub fn clear(&mut self) {
        self.runs.clear();
        self.ts.clear();
        self.values.clear();
    }
}

/// What a scan had before it and what it could leave alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScanStats {
    /// Segments in the snapshot.
    pub files_total: usize,
    /// Segments not opened, because their time range or their series do not match.
    pub files_pruned: usize,
    /// Row groups in the segments.
    pub row_groups_total: usize,
    /// Row groups of segments not opened, and those of opened ones that hold no row of a matching series.
    pub row_groups_pruned: usize,
    /// Rows in the snapshot, memory and segments together.
    pub rows_total: u64,
    /// Rows of matching series in opened segments and in memory.
    pub rows_selected: u64,
    /// Series that match.
    pub series_matched: usize,
}

/// What a scan does with one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanFile {
    /// The file of its rows, below the data directory.
    pub path: String,
    /// Its first and last instant.
    pub bounds: TimeRange,
    /// Why it is not opened, where it is not.
    pub pruned: Option<Pruned>,
    /// Its row groups, and how many of them hold a row of a matching series.
    pub row_groups: usize,
    /// As above; 0 where it is not opened.
    pub row_groups_selected: usize,
    /// Its rows, and how many are of a matching series.
    pub rows: u64,
    /// As above; 0 where it is not opened.
    pub rows_selected: u64,
}

/// Why a segment is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pruned {
    /// It ends before the range or begins after it.
    ByTime,
    /// It has none of the series.
    BySeries,
}

/// A planned scan: nothing is read before a partition is asked for its blocks.
#[derive(Debug)]
pub struct Scan {
    partitions: Vec<ScanPartition>,
    stats: ScanStats,
}

impl Scan {
    pub(crate) fn new(partitions: Vec<ScanPartition>, stats: ScanStats) -> Self {
        Self { partitions, stats }
    }

    /// What could be left alone.
    #[must_use]
    pub fn stats(&self) -> ScanStats {
        self.stats
    }

    /// The partitions, oldest first; those of one stretch of time in the order of their series. Those without a
    /// matching row are left out.
    #[must_use]
    pub fn into_partitions(self) -> Vec<ScanPartition> {
        self.partitions
    }
}

/// A part of a scan: all sources of a stretch of time, and the series that are wanted.
pub struct ScanPartition {
    pub(crate) set: SeriesSet,
    pub(crate) positions: Range<usize>,
    pub(crate) range: TimeRange,
    /// oldest first, with what is deleted in each
    pub(crate) segments: Vec<(Arc<Segment>, Mask)>,
    /// oldest first, all newer than the segments
    pub(crate) memory: Vec<(Arc<Memtable>, Vec<Window>)>,
    pub(crate) kept: Kept,
    pub(crate) merge: Option<Merge>,
}

impl fmt::Debug for ScanPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScanPartition")
            .field("range", &self.range)
            .field("positions", &self.positions)
            .finish_non_exhaustive()
    }
}

impl ScanPartition {
    /// Fills `block`, which is cleared first, with the next rows: whole series in the order of the set, each ascending
    /// in time. Returns `false`, with an empty block, when there are no more.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`](crate::EngineError) and [`EngineError::Parquet`](crate::EngineError) name the segment
    /// that could not be read.
    pub fn next_block(&mut self, block: &mut SampleBlock) -> Result<bool> {
        block.clear();
        let merge = match &mut self.merge {
            Some(merge) => merge,
            None => {
                let positions = self.positions.clone();
                let merge = Merge::open(&self.segments, &self.memory, &self.set, positions, self.range)?;
                self.merge.insert(merge)
            }
        };
        while block.len() < BLOCK_ROWS {
            let Some(position) = self.positions.next() else {
                break;
            };
            let (ts, values) = merge.rows_of(position)?;
            let mut start = self.range.start;
            if !self.kept.is_whole(self.range) && !ts.is_empty() {
                start = start.max(self.kept.oldest_of(self.set.labels(position)?.as_ref()));
            }
            let from = ts.partition_point(|t| *t < start.0);
            let to = ts.partition_point(|t| *t <= self.range.end.0);
            if from < to {
                block.ts.extend_from_slice(&ts[from..to]);
                block.values.extend_from_slice(&values[from..to]);
                block.runs.push(SeriesRun {
                    series: position,
                    end: block.ts.len(),
                });
            }
        }
        Ok(!block.is_empty())
    }

    /// Instants that rows of this partition may have.
    #[must_use]
    pub fn range(&self) -> TimeRange {
        self.range
    }
}
