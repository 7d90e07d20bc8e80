//! Reading a lane: memory and segments as one, cut into stretches that are disjoint in time.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use barograph_model::{Exemplar, Histogram, SeriesId, TimeRange, TimestampMs};
use roaring::RoaringBitmap;

use super::{Lane, settle};
use crate::memtable::Memtable;
use crate::retention::Kept;
use crate::segment::{LaneCursor, Segment};
use crate::tombstone::Mask;
use crate::{Result, SeriesRef, SeriesSet, Snapshot};

/// Sources that overlap in time, oldest first; memory, numbered by age, is newer than all segments.
struct Stretch {
    range: TimeRange,
    segments: Vec<(Arc<Segment>, Mask)>,
    memory: Vec<(usize, Arc<Memtable>)>,
}

/// A planned scan of a lane: nothing is read before a series is asked for.
pub(super) struct LaneScan<V: Lane> {
    set: SeriesSet,
    range: TimeRange,
    kept: Kept,
    /// latest first
    stretches: Vec<Stretch>,
    open: Option<Open<V>>,
}

/// A segment with what is deleted in it, and where each position of the set is.
struct FromSegment<V: Lane> {
    cursor: LaneCursor<V>,
    mask: Mask,
    places: Vec<Option<u32>>,
}

/// The rows of a memtable that are wanted, and which of its series each position of the set is.
struct FromMemory<V> {
    rows: HashMap<SeriesRef, Vec<(i64, V)>>,
    series: Vec<Option<SeriesRef>>,
}

/// The stretch that is being read.
struct Open<V: Lane> {
    segments: Vec<FromSegment<V>>,
    memory: Vec<FromMemory<V>>,
    next: usize,
}

impl<V: Lane> LaneScan<V> {
    pub(super) fn new(snapshot: &Snapshot, set: &SeriesSet, range: TimeRange) -> Self {
        let range = snapshot.kept.clip(range);
        let mut found: Vec<Stretch> = Vec::new();
        if !set.is_empty() {
            let of_lane = snapshot
                .segments
                .iter()
                .filter(|segment| segment.meta.kind == V::KIND);
            for segment in of_lane.filter(|segment| segment.meta.bounds().overlaps(&range)) {
                found.push(Stretch {
                    range: segment.meta.bounds(),
                    segments: vec![(Arc::clone(segment), snapshot.tombstones.mask(&segment.meta))],
                    memory: Vec::new(),
                });
            }
            for (age, memtable) in snapshot.memtables.iter().enumerate() {
                if let Some(bounds) = memtable.lanes().bounds().filter(|bounds| bounds.overlaps(&range)) {
                    found.push(Stretch {
                        range: bounds,
                        segments: Vec::new(),
                        memory: vec![(age, Arc::clone(memtable))],
                    });
                }
            }
        }
        let mut stretches = disjoint(found);
        stretches.reverse();
        Self {
            set: set.clone(),
            range,
            kept: snapshot.kept.clone(),
            stretches,
            open: None,
        }
    }

    /// Replaces `rows` by the next rows: those of one series in one stretch of time, ascending. Stretches ascend in time,
    /// series within them are in storage order. Gives the series' position in the set, `None` at the end.
    pub(super) fn next_series(&mut self, rows: &mut Vec<(i64, V)>) -> Result<Option<usize>> {
        rows.clear();
        loop {
            let open = match &mut self.open {
                Some(open) => open,
                None => {
                    let Some(stretch) = self.stretches.pop() else {
                        return Ok(None);
                    };
                    self.open.insert(Open::new(&stretch, &self.set, self.range)?)
                }
            };
            while open.next < self.set.len() {
                let position = open.next;
                open.next += 1;
                open.take(self.set.id(position), position, rows)?;
                if rows.is_empty() {
                    continue;
                }
                let mut range = self.range;
                if !self.kept.is_whole(range) {
                    range.start = range.start.max(self.kept.oldest_of(&*self.set.labels(position)?));
                }
                rows.retain(|(ts, _)| range.contains(TimestampMs(*ts)));
                settle(rows);
                if !rows.is_empty() {
                    return Ok(Some(position));
                }
            }
            self.open = None;
        }
    }
}

/// Native histograms of some series, to be read piece by piece.
pub struct HistogramScan(LaneScan<Histogram>);

/// Exemplars of some series, to be read piece by piece.
pub struct ExemplarScan(LaneScan<Exemplar>);

impl HistogramScan {
    /// Replaces `rows` by the next histograms with their instants in milliseconds since the epoch: those of one series in
    /// one stretch of time, ascending, each instant once with its newest write. Stretches ascend in time, and within them
    /// series come in the order of the set. Gives the series' position in the set, `None` at the end. Staleness markers
    /// are present.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`](crate::EngineError) and others name the segment that could not be read.
    pub fn next_series(&mut self, rows: &mut Vec<(i64, Histogram)>) -> Result<Option<usize>> {
        self.0.next_series(rows)
    }
}

impl ExemplarScan {
    /// As [`HistogramScan::next_series`]. Of exemplars with the same instant and labels the newest is there; those of one
    /// instant are sorted by labels.
    ///
    /// # Errors
    /// As [`HistogramScan::next_series`].
    pub fn next_series(&mut self, rows: &mut Vec<(i64, Exemplar)>) -> Result<Option<usize>> {
        self.0.next_series(rows)
    }
}

impl fmt::Debug for HistogramScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HistogramScan")
            .field("range", &self.0.range)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ExemplarScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExemplarScan")
            .field("range", &self.0.range)
            .finish_non_exhaustive()
    }
}

impl Snapshot {
    /// Plans to read the native histograms of a set over a closed range.
    #[must_use]
    pub fn histograms(&self, set: &SeriesSet, range: TimeRange) -> HistogramScan {
        HistogramScan(LaneScan::new(self, set, range))
    }

    /// Plans to read the exemplars of a set over a closed range.
    #[must_use]
    pub fn exemplars(&self, set: &SeriesSet, range: TimeRange) -> ExemplarScan {
        ExemplarScan(LaneScan::new(self, set, range))
    }
}

impl<V: Lane> Open<V> {
    fn new(stretch: &Stretch, set: &SeriesSet, range: TimeRange) -> Result<Self> {
        let mut segments = Vec::with_capacity(stretch.segments.len());
        for (segment, mask) in &stretch.segments {
            let places = set.places_in(segment, 0..set.len());
            if let Some(cursor) = LaneCursor::open(segment, places.iter().flatten().copied())? {
                let mask = mask.clone();
                segments.push(FromSegment { cursor, mask, places });
            }
        }
        let memory = stretch.memory.iter().map(|(_, memtable)| {
            let series = set.refs_in(memtable.head(), 0..set.len());
            let wanted = RoaringBitmap::from_iter(series.iter().flatten().map(|series| series.0));
            let rows = memtable.lanes().of_series(&wanted, range);
            FromMemory { rows, series }
        });
        Ok(Self {
            segments,
            memory: memory.collect(),
            next: 0,
        })
    }

    /// Appends the rows of a series, oldest write first.
    fn take(&mut self, id: SeriesId, position: usize, rows: &mut Vec<(i64, V)>) -> Result<()> {
        for source in &mut self.segments {
            if let Some(place) = source.places[position] {
                let from = rows.len();
                source.cursor.take(place, rows)?;
                source.mask.filter_rows(id, from, rows);
            }
        }
        for source in &mut self.memory {
            if let Some(more) = source.series[position].and_then(|series| source.rows.remove(&series)) {
                rows.extend(more);
            }
        }
        Ok(())
    }
}

/// Puts together what overlaps in time, keeping the order of age within each stretch.
fn disjoint(mut found: Vec<Stretch>) -> Vec<Stretch> {
    found.sort_by_key(|stretch| stretch.range.start);
    let mut disjoint: Vec<Stretch> = Vec::new();
    for stretch in found {
        match disjoint.last_mut() {
            Some(last) if last.range.overlaps(&stretch.range) => {
                last.range.end = last.range.end.max(stretch.range.end);
                last.segments.extend(stretch.segments);
                last.memory.extend(stretch.memory);
            }
            _ => disjoint.push(stretch),
        }
    }
    for stretch in &mut disjoint {
        stretch.segments.sort_by_key(|(segment, _)| segment.meta.sequence);
        stretch.memory.sort_by_key(|(age, _)| *age);
    }
    disjoint
}
