//! What a scan gives: blocks of samples, series by series.

use crate::SeriesRef;

/// Consecutive rows of one series inside a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesRun {
    /// Whose rows.
    pub series: SeriesRef,
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
    /// Rows in the snapshot, memory and segments together.
    pub rows_total: u64,
    /// Rows of matching series in opened segments and in memory.
    pub rows_selected: u64,
    /// Series that match.
    pub series_matched: usize,
}
