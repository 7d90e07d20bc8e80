//! The one merge of sorted sources: memory and files, older and newer.

use std::ops::Range;
use std::sync::Arc;

use barograph_model::TimeRange;

use crate::memtable::{Memtable, Run, Window};
use crate::segment::{Segment, SegmentCursor};
use crate::tombstone::Mask;
use crate::{Result, SeriesRef, SeriesSet};

/// The rows of one series, put together from sources, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    ts: Vec<i64>,
    values: Vec<f64>,
    /// where the rows of each source begin
    starts: Vec<usize>,
}

impl Rows {
    /// Forgets the rows and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.ts.clear();
        self.values.clear();
        self.starts.clear();
    }

    /// The columns, for a source that is newer than all before to append to.
    pub(crate) fn source(&mut self) -> (&mut Vec<i64>, &mut Vec<f64>) {
        self.starts.push(self.ts.len());
        (&mut self.ts, &mut self.values)
    }

    /// Adds what a run has of a series.
    pub(crate) fn add_run(&mut self, run: &Run, series: SeriesRef) {
        let (more_ts, more_values) = run.rows_of(series);
        if !more_ts.is_empty() {
            let (ts, values) = self.source();
            ts.extend_from_slice(more_ts);
            values.extend_from_slice(more_values);
        }
    }

    /// All rows, ascending in time, each instant once with its newest value.
    pub(crate) fn merged(&mut self) -> (&[i64], &[f64]) {
        let ts = &self.ts;
        // Sources mostly follow one another in time; only where they overlap is there anything to merge.
        let overlap = |start: &usize| (1..ts.len()).contains(start) && ts[start - 1] >= ts[*start];
        if self.starts.iter().skip(1).any(overlap) {
            self.merge_overlapping();
        }
        (&self.ts, &self.values)
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

/// Sources of one stretch of time, oldest first. Gives the rows of one series after the other.
pub(crate) struct Merge {
    set: SeriesSet,
    start: usize,
    range: TimeRange,
    segments: Vec<FromSegment>,
    memory: Vec<FromMemory>,
    rows: Rows,
}

struct FromSegment {
    cursor: SegmentCursor,
    mask: Mask,
    /// by position less the first one
    places: Vec<Option<u32>>,
}

/// Runs whose series are of one head.
struct FromMemory {
    runs: Vec<Arc<Run>>,
    /// by position less the first one
    series: Vec<Option<SeriesRef>>,
}

impl Merge {
    /// Opens the segments, which are older than what is in memory, for some positions of a set. Only rows in the
    /// range are read of segments, and only runs that reach into it of memory.
    pub(crate) fn open(
        segments: &[(Arc<Segment>, Mask)],
        memory: &[(Arc<Memtable>, Vec<Window>)],
        set: &SeriesSet,
        positions: Range<usize>,
        range: TimeRange,
    ) -> Result<Self> {
        let mut from_segments = Vec::with_capacity(segments.len());
        for (segment, mask) in segments {
            let places = set.places_in(segment, positions.clone());
            if places.iter().any(Option::is_some) {
                let (cursor, mask) = (SegmentCursor::open(segment)?, mask.clone());
                from_segments.push(FromSegment { cursor, mask, places });
            }
        }
        let from_memory = memory.iter().map(|(memtable, windows)| {
            let series = set.refs_in(memtable.head(), positions.clone());
            let runs = windows
                .iter()
                .flat_map(|window| window.runs_of(&series, &range))
                .collect();
            FromMemory { runs, series }
        });
        Ok(Self {
            set: set.clone(),
            start: positions.start,
            range,
            segments: from_segments,
            memory: from_memory.collect(),
            rows: Rows::default(),
        })
    }

    /// The rows of a series, ascending in time, each instant once with its newest value. Positions are asked for
    /// ascending, each at most once.
    pub(crate) fn rows_of(&mut self, position: usize) -> Result<(&[i64], &[f64])> {
        self.rows.clear();
        for source in &mut self.segments {
            if let Some(place) = source.places[position - self.start] {
                let (ts, values) = self.rows.source();
                let from = ts.len();
                source.cursor.take(place, self.range, ts, values)?;
                source.mask.filter(self.set.id(position), from, ts, values);
            }
        }
        for source in &self.memory {
            if let Some(series) = source.series[position - self.start] {
                for run in &source.runs {
                    self.rows.add_run(run, series);
                }
            }
        }
        Ok(self.rows.merged())
    }
}
