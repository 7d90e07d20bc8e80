//! The one merge of sorted sources: memory and files, older and newer.

use std::sync::Arc;

use barograph_model::SeriesId;

use crate::memtable::Run;
use crate::segment::{Segment, SegmentCursor};
use crate::tombstone::Mask;
use crate::{Result, SeriesRef};

/// Sources of one window, oldest first. Gives the rows of one series after the other.
pub(crate) struct Merge {
    cursors: Vec<(SegmentCursor, Mask)>,
    runs: Vec<Arc<Run>>,
    ts: Vec<i64>,
    values: Vec<f64>,
    /// where the rows of each source begin in `ts`
    starts: Vec<usize>,
}

impl Merge {
    /// Opens the segments, which are older than the runs, for `series` in storage order.
    pub(crate) fn open(
        segments: &[(Arc<Segment>, Mask)],
        runs: Vec<Arc<Run>>,
        series: &[SeriesRef],
    ) -> Result<Self> {
        let mut cursors = Vec::with_capacity(segments.len());
        for (segment, mask) in segments {
            cursors.extend(SegmentCursor::open(segment, series)?.map(|cursor| (cursor, mask.clone())));
        }
        Ok(Self {
            cursors,
            runs,
            ts: Vec::new(),
            values: Vec::new(),
            starts: Vec::new(),
        })
    }

    /// The rows of a series, ascending in time, each instant once with its newest value. Series must be asked for
    /// in the order that was given to [`Merge::open`].
    pub(crate) fn rows_of(&mut self, series: SeriesRef, id: SeriesId) -> Result<(&[i64], &[f64])> {
        self.ts.clear();
        self.values.clear();
        self.starts.clear();
        for (cursor, mask) in &mut self.cursors {
            let start = self.ts.len();
            cursor.take(series, &mut self.ts, &mut self.values)?;
            mask.filter(id, start, &mut self.ts, &mut self.values);
            if self.ts.len() > start {
                self.starts.push(start);
            }
        }
        for run in &self.runs {
            let (ts, values) = run.rows_of(series);
            if !ts.is_empty() {
                self.starts.push(self.ts.len());
                self.ts.extend_from_slice(ts);
                self.values.extend_from_slice(values);
            }
        }
        // Sources mostly follow one another in time; only where they overlap is there anything to merge.
        if self
            .starts
            .iter()
            .skip(1)
            .any(|start| self.ts[start - 1] >= self.ts[*start])
        {
            self.merge_overlapping();
        }
        Ok((&self.ts, &self.values))
    }

    fn merge_overlapping(&mut self) {
        let mut rows: Vec<(i64, f64)> = self.ts.iter().copied().zip(self.values.iter().copied()).collect();
        // Stable: among equal instants the newest source stays last. The sort finds the sorted stretches by itself.
        rows.sort_by_key(|(ts, _)| *ts);
        self.ts.clear();
        self.values.clear();
        for (i, (ts, value)) in rows.iter().enumerate() {
            if rows.get(i + 1).is_none_or(|(next, _)| next != ts) {
                self.ts.push(*ts);
                self.values.push(*value);
            }
        }
    }
}
