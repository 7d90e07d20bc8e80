//! The buckets of one day: from its rollup where that is what the rows are, else made of the rows.
//!
//! Which of the two is said for each series and bucket:
//!
//! ```text
//! rows of the bucket      in the rollup, and kept             not in it, or its time is up
//! all kept                rollup, unless late rows or a       rows
//!                         delete touch it: then rows
//! not all kept            rollup, unless a delete touches     what is left of the rows
//!                         it: then nothing
//! ```
//!
//! Late rows are those in memory, and in segments that the rollup is behind. So a few late samples, or the delete of a
//! few series, cost the rows of these series and no others.

use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use barograph_model::{SeriesId, TimeRange};

use super::plan::{age, is_behind};
use super::{Accumulator, Bucket, BucketParts, RollupWidth};
use crate::memtable::{Memtable, Run, Window};
use crate::merge::Merge;
use crate::retention::Kept;
use crate::segment::{RollupCursor, Segment};
use crate::tombstone::Mask;
use crate::{Result, SeriesRef, SeriesSet};

/// What there is of a day.
#[derive(Default)]
pub(super) struct DaySources {
    /// of one age, with what is deleted in each
    pub(super) rollups: Vec<(Arc<Segment>, Mask)>,
    /// oldest first, with what is deleted in each
    pub(super) segments: Vec<(Arc<Segment>, Mask)>,
    /// oldest first, all newer than the segments
    memory: Vec<(Arc<Memtable>, Vec<Window>)>,
    /// of the wanted series
    pub(super) rows: u64,
}

impl DaySources {
    /// Adds a window of a memtable; memtables come oldest first.
    pub(super) fn add_memory(&mut self, memtable: &Arc<Memtable>, window: &Window) {
        match self.memory.last_mut() {
            Some((last, windows)) if Arc::ptr_eq(last, memtable) => windows.push(window.clone()),
            _ => self.memory.push((Arc::clone(memtable), vec![window.clone()])),
        }
    }

    /// Whether the rollup does not have all of a segment's rows.
    pub(super) fn is_late(&self, segment: &Segment) -> bool {
        let of_rollup = self.rollups.first().map(|(rollup, _)| age(&rollup.meta));
        of_rollup.is_none_or(|rollup| is_behind(rollup, age(&segment.meta)))
    }
}

/// What is asked of every day.
pub(super) struct Wanted {
    pub(super) set: SeriesSet,
    /// of buckets
    pub(super) ends: RangeInclusive<i64>,
    pub(super) width: RollupWidth,
    pub(super) parts: BucketParts,
    pub(super) kept: Kept,
}

/// Reads the buckets of some series of a day, one series after the other.
pub(super) struct DayReader {
    day: Arc<DaySources>,
    wanted: Arc<Wanted>,
    positions: Range<usize>,
    /// rows that may count
    instants: TimeRange,
    open: Option<Open>,
}

impl fmt::Debug for DayReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DayReader")
            .field("instants", &self.instants)
            .field("positions", &self.positions)
            .finish_non_exhaustive()
    }
}

/// The sources, opened.
struct Open {
    /// with the place of each position, by position less the first one
    rollups: Vec<(RollupCursor, Vec<Option<u32>>)>,
    /// those that need rows, ascending
    needs: Vec<Need>,
    /// the next of them
    next: usize,
    /// over the series of `needs`
    rows: Option<Merge>,
}

/// Why the rows of a series are read.
struct Need {
    position: usize,
    /// whether the rollup has nothing of it
    is_all: bool,
    /// ends of buckets that late rows touch, in ranges
    late: Vec<RangeInclusive<i64>>,
    /// likewise deletes
    deleted: Vec<RangeInclusive<i64>>,
    bounds: Bounds,
}

/// From where on something is kept of a series.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    rows: i64,
    buckets: i64,
}

impl Bounds {
    const ALL: Self = Self {
        rows: i64::MIN,
        buckets: i64::MIN,
    };
}

/// Where a bucket is to come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Rollup,
    Rows,
    Nowhere,
}

impl Need {
    /// A series of which the rollup has all there is.
    fn nothing(position: usize, bounds: Bounds) -> Self {
        Self {
            position,
            is_all: false,
            late: Vec::new(),
            deleted: Vec::new(),
            bounds,
        }
    }

    fn source_of(&self, width: RollupWidth, end: i64) -> Origin {
        let first = width.first_of(end);
        let touches = |ranges: &[RangeInclusive<i64>]| ranges.iter().any(|range| range.contains(&end));
        if self.is_all || first < self.bounds.buckets {
            return Origin::Rows;
        }
        match (first >= self.bounds.rows, touches(&self.deleted)) {
            (true, true) => Origin::Rows,
            (true, false) if touches(&self.late) => Origin::Rows,
            (false, true) => Origin::Nowhere,
            (_, false) => Origin::Rollup,
        }
    }
}

impl DayReader {
    pub(super) fn new(
        day: Arc<DaySources>,
        wanted: Arc<Wanted>,
        positions: Range<usize>,
        instants: TimeRange,
    ) -> Self {
        Self {
            day,
            wanted,
            positions,
            instants,
            open: None,
        }
    }

    /// Appends the buckets of a series. Positions are asked for ascending, each once.
    pub(super) fn take(&mut self, position: usize, out: &mut Vec<Bucket>) -> Result<()> {
        if self.open.is_none() {
            self.open = Some(self.open()?);
        }
        let bounds = self.bounds_of(position)?;
        let Some(open) = &mut self.open else {
            return Ok(()); // it has just been opened
        };
        let need = open.needs.get(open.next).filter(|need| need.position == position);
        let nothing = Need::nothing(position, bounds);
        let from = out.len();
        for (cursor, places) in &mut open.rollups {
            if let Some(place) = places[position - self.positions.start] {
                cursor.take(place, out)?;
            }
        }
        let (width, ends) = (self.wanted.width, &self.wanted.ends);
        let wanted = |bucket: &Bucket, need: &Need, source: Origin| {
            ends.contains(&bucket.end) && need.source_of(width, bucket.end) == source
        };
        let mut kept = from;
        for i in from..out.len() {
            if wanted(&out[i], need.unwrap_or(&nothing), Origin::Rollup) {
                out[kept] = out[i];
                kept += 1;
            }
        }
        out.truncate(kept);
        let (Some(need), Some(rows)) = (need, &mut open.rows) else {
            return Ok(());
        };
        let (ts, values) = rows.rows_of(open.next)?;
        open.next += 1;
        let low = ts.partition_point(|ts| *ts < need.bounds.rows.max(self.instants.start.0));
        let high = ts.partition_point(|ts| *ts <= self.instants.end.0).max(low);
        let (mut accumulator, mut made) = (Accumulator::new(width), Vec::new());
        accumulator.push(&ts[low..high], &values[low..high], &mut made);
        accumulator.finish(&mut made);
        out.extend(
            made.into_iter()
                .filter(|bucket| wanted(bucket, need, Origin::Rows)),
        );
        out[from..].sort_by_key(|bucket| bucket.end);
        Ok(())
    }

    fn bounds_of(&self, position: usize) -> Result<Bounds> {
        // A bucket at the start of the day may begin before it.
        let mut range = self.instants;
        range.start.0 = range.start.0.saturating_sub(self.wanted.width.ms());
        if self.wanted.kept.is_whole(range) {
            return Ok(Bounds::ALL);
        }
        let labels = self.wanted.set.labels(position)?;
        Ok(Bounds {
            rows: self.wanted.kept.oldest_of(&labels).0,
            buckets: self
                .wanted
                .kept
                .oldest_of_kind(&labels, self.wanted.width.kind())
                .0,
        })
    }

    fn open(&self) -> Result<Open> {
        let (day, positions) = (&self.day, || self.positions.clone());
        let places_of = |(segment, _): &(Arc<Segment>, Mask)| self.wanted.set.places_in(segment, positions());
        let in_rollups: Vec<_> = day.rollups.iter().map(places_of).collect();
        let in_segments: Vec<_> = day.segments.iter().map(places_of).collect();
        let memory: Vec<FromMemory> = day.memory.iter().map(|source| self.memory(source)).collect();
        let mut needs = Vec::new();
        for (i, position) in positions().enumerate() {
            let id = self.wanted.set.id(position);
            let mut need = Need::nothing(position, self.bounds_of(position)?);
            let mut is_in_rollup = false;
            for ((_, mask), places) in day.rollups.iter().zip(&in_rollups) {
                if places[i].is_some() {
                    is_in_rollup = true;
                    self.enter_deletes(mask, id, &mut need.deleted);
                }
            }
            need.is_all = !is_in_rollup;
            let mut has_rows = false;
            for ((segment, _), places) in day.segments.iter().zip(&in_segments) {
                if places[i].is_some() {
                    has_rows = true;
                    if day.is_late(segment) {
                        need.late
                            .push(self.ends_of(segment.meta.ts_min, segment.meta.ts_max));
                    }
                }
            }
            for source in &memory {
                let Some(series) = source.series[i] else {
                    continue;
                };
                for run in &source.runs {
                    let (ts, _) = run.rows_of(series);
                    if let (Some(first), Some(last)) = (ts.first(), ts.last()) {
                        has_rows = true;
                        need.late.push(self.ends_of(*first, *last));
                    }
                }
            }
            // A bucket whose time is up may have rows of which the time is not.
            let is_cut = need.bounds.buckets > self.instants.start.0.saturating_sub(self.wanted.width.ms());
            let is_touched = need.is_all || is_cut || !need.late.is_empty() || !need.deleted.is_empty();
            // Without rows too where a delete has to hide buckets.
            if is_touched && (has_rows || !need.deleted.is_empty()) {
                needs.push(need);
            }
        }
        let mut rollups = Vec::with_capacity(in_rollups.len());
        for ((segment, _), places) in day.rollups.iter().zip(in_rollups) {
            if places.iter().any(Option::is_some) {
                rollups.push((RollupCursor::open(segment, self.wanted.parts)?, places));
            }
        }
        let rows = match needs.is_empty() {
            true => None,
            false => {
                let wanted: Vec<usize> = needs.iter().map(|need| need.position).collect();
                let set = self.wanted.set.at(&wanted);
                Some(Merge::open(
                    &day.segments,
                    &day.memory,
                    &set,
                    0..set.len(),
                    TimeRange::ALL,
                )?)
            }
        };
        Ok(Open {
            rollups,
            needs,
            next: 0,
            rows,
        })
    }

    fn memory(&self, (memtable, windows): &(Arc<Memtable>, Vec<Window>)) -> FromMemory {
        let series = self.wanted.set.refs_in(memtable.head(), self.positions.clone());
        let runs = windows
            .iter()
            .flat_map(|window| window.runs_of(&series, &TimeRange::ALL))
            .collect();
        FromMemory { runs, series }
    }

    /// The ends of the buckets from one instant to another.
    fn ends_of(&self, first: i64, last: i64) -> RangeInclusive<i64> {
        self.wanted.width.end_of(first)..=self.wanted.width.end_of(last)
    }

    fn enter_deletes(&self, mask: &Mask, id: SeriesId, deleted: &mut Vec<RangeInclusive<i64>>) {
        mask.for_each_range(id, |range| deleted.push(self.ends_of(range.start.0, range.end.0)));
    }
}

/// A memtable's rows of the day.
struct FromMemory {
    runs: Vec<Arc<Run>>,
    /// by position less the first one
    series: Vec<Option<SeriesRef>>,
}
