//! Reading buckets: a scan is cut into partitions, one or more for each day, each gives blocks series by series.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use barograph_model::{TimeRange, TimestampMs};

use super::day::{DayReader, DaySources, Wanted};
use super::plan::age;
use super::{Bucket, BucketParts, RollupWidth};
use crate::scan::{ScanStats, SeriesRun};
use crate::segment::{DAY_MS, Segment, SegmentKind};
use crate::snapshot::{parts, rows_in};
use crate::{Result, SeriesSet, Snapshot};

/// Buckets of a block, about: a series is never cut, so a block may be longer.
const BLOCK_BUCKETS: usize = 1 << 10;

/// Buckets of some series. Within a series their ends ascend.
#[derive(Debug, Clone, Default)]
pub struct BucketBlock {
    /// Whose buckets, in order; the last run ends at `buckets.len()`.
    pub runs: Vec<SeriesRun>,
    /// The buckets.
    pub buckets: Vec<Bucket>,
}

impl BucketBlock {
    /// Forgets the buckets and keeps the memory.
    pub fn clear(&mut self) {
        self.runs.clear();
        self.buckets.clear();
    }

    /// Bytes of memory that the runs and the buckets take.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of_val(&*self.runs) + size_of_val(&*self.buckets)
    }

    /// The buckets of each series, by its position in the set.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &[Bucket])> {
        let mut start = 0;
        self.runs.iter().map(move |run| {
            let buckets = &self.buckets[start..run.end];
            start = run.end;
            (run.series, buckets)
        })
    }
}

/// A planned scan of buckets: nothing is read before a partition is asked for its blocks.
pub struct RollupScan {
    wanted: Arc<Wanted>,
    /// oldest first, with the instants of each whose rows may count
    days: Vec<(TimeRange, Arc<DaySources>)>,
    rows_max: u64,
    buckets: u64,
    stats: ScanStats,
}

impl fmt::Debug for RollupScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RollupScan")
            .field("days", &self.days.len())
            .field("rows_max", &self.rows_max)
            .field("buckets", &self.buckets)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

impl RollupScan {
    /// How many rows of matching series lie where no rollup is, which have to be read for it; late rows and deletes in
    /// days that have one not counted.
    #[must_use]
    pub fn rows_max(&self) -> u64 {
        self.rows_max
    }

    /// Buckets of matching series in the rollups that are opened, before the range is looked at.
    #[must_use]
    pub fn buckets_selected(&self) -> u64 {
        self.buckets
    }

    /// What it had before it. Files are those of samples and of this width; rows are of samples, in files and in memory, and
    /// selected are those that have to be read because no rollup has them: [`RollupScan::rows_max`].
    #[must_use]
    pub fn stats(&self) -> ScanStats {
        self.stats
    }

    /// Partitions of some consecutive series of the set, oldest first; those of one day in the order of their series.
    /// Any of them can be read at any time, on any thread.
    #[must_use]
    pub fn partitions(&self, positions: Range<usize>) -> Vec<RollupPartition> {
        let share = positions.len() as f64 / self.wanted.set.len().max(1) as f64;
        let mut partitions = Vec::with_capacity(self.days.len());
        for (instants, day) in &self.days {
            for part in parts(positions.len(), (day.rows as f64 * share) as u64) {
                let part = positions.start + part.start..positions.start + part.end;
                let (day, wanted) = (Arc::clone(day), Arc::clone(&self.wanted));
                partitions.push(RollupPartition {
                    reader: DayReader::new(day, wanted, part.clone(), *instants),
                    positions: part,
                });
            }
        }
        partitions
    }
}

/// A part of a scan: the buckets of one UTC day, and the series that are wanted.
#[derive(Debug)]
pub struct RollupPartition {
    reader: DayReader,
    positions: Range<usize>,
}

impl RollupPartition {
    /// Fills `block`, which is cleared first, with the next buckets: whole series in the order of the set. Returns
    /// `false`, with an empty block, when there are no more.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`](crate::EngineError) and [`EngineError::Parquet`](crate::EngineError) name the segment
    /// that could not be read.
    pub fn next_block(&mut self, block: &mut BucketBlock) -> Result<bool> {
        block.clear();
        while block.buckets.len() < BLOCK_BUCKETS {
            let Some(position) = self.positions.next() else {
                break;
            };
            let from = block.buckets.len();
            self.reader.take(position, &mut block.buckets)?;
            if block.buckets.len() > from {
                block.runs.push(SeriesRun {
                    series: position,
                    end: block.buckets.len(),
                });
            }
        }
        Ok(!block.buckets.is_empty())
    }
}

impl Snapshot {
    /// Whether there is a rollup with some bucket of a closed range: then a scan of buckets reads less than one of rows.
    #[must_use]
    pub fn has_rollup(&self, range: TimeRange, width: RollupWidth) -> bool {
        self.rollups(width, range).next().is_some()
    }

    /// The first instant of which rows of any series are kept. Before it there are buckets at most.
    #[must_use]
    pub fn rows_begin(&self) -> TimestampMs {
        self.kept.clip(TimeRange::ALL).start
    }

    /// Plans to read the buckets of a set whose ends lie in a closed range.
    ///
    /// As long as all rows of a bucket are kept it is exactly what they are, whether it comes from a rollup or is made of
    /// them now: late rows and deletes are in it. Of a bucket whose rows are not all kept any more, the rollup's is given
    /// as long as that is kept, and otherwise one of the rows that are left. A delete then takes each bucket that it
    /// overlaps.
    ///
    /// Of buckets in rollups no more than `parts` is read: what else they have is 0.
    ///
    /// The bucket that ends with the first instant of a UTC day may come in two parts with the same end, one at the end of
    /// a partition and one at the start of a later one; [`Bucket::join`] puts them together. Series are to be selected
    /// over a range that begins a width before the first end.
    #[must_use]
    pub fn scan_rollup(
        &self,
        set: &SeriesSet,
        range: TimeRange,
        width: RollupWidth,
        parts: BucketParts,
    ) -> RollupScan {
        let instants = TimeRange::new(
            width.first_of(width.end_of(range.start.0)),
            range.end.align(width.ms()).0,
        );
        let mut days: BTreeMap<i64, DaySources> = BTreeMap::new();
        if !set.is_empty() && !instants.is_empty() {
            for segment in self.rollups(width, instants) {
                let mask = self.tombstones.mask(&segment.meta);
                let day = day_of(&mut days, segment.meta.window);
                day.rollups.push((Arc::clone(segment), mask));
            }
            self.add_rows(&mut days, set, self.kept.clip(instants));
        }
        let (mut rows_max, mut buckets, mut files_opened) = (0, 0, 0);
        let mut of_days = Vec::with_capacity(days.len());
        for (start, mut day) in days {
            day.keep_newest_rollup();
            if day.rollups.is_empty() {
                rows_max += day.rows;
            }
            files_opened += day.files_to_open();
            let in_rollups = day.rollups.iter().map(|(rollup, _)| rows_in(rollup, set));
            buckets += in_rollups.sum::<u64>();
            let of_day = TimeRange::new(start, start.saturating_add(DAY_MS - 1));
            of_days.push((instants.intersect(&of_day), Arc::new(day)));
        }
        let files_total = self
            .segments
            .iter()
            .filter(|segment| [SegmentKind::Samples, width.kind()].contains(&segment.meta.kind))
            .count();
        let stats = ScanStats {
            files_total,
            files_pruned: files_total - files_opened,
            rows_total: self.sample_rows(),
            rows_selected: rows_max,
            series_matched: set.len(),
            ..ScanStats::default()
        };
        let wanted = Wanted {
            set: set.clone(),
            ends: range.start.0..=range.end.0,
            width,
            parts,
            kept: self.kept.clone(),
        };
        RollupScan {
            wanted: Arc::new(wanted),
            days: of_days,
            rows_max,
            buckets,
            stats,
        }
    }

    /// The segments of buckets of a width with a row in a range.
    fn rollups(&self, width: RollupWidth, range: TimeRange) -> impl Iterator<Item = &Arc<Segment>> {
        let range = self.kept.clip_kind(range, width.kind());
        let of_width = self.segments.iter().filter(move |s| s.meta.kind == width.kind());
        of_width.filter(move |segment| segment.meta.bounds().overlaps(&range))
    }

    /// Adds what has rows of the series in a range.
    fn add_rows(&self, days: &mut BTreeMap<i64, DaySources>, set: &SeriesSet, range: TimeRange) {
        for segment in self.segments.iter() {
            let meta = &segment.meta;
            if meta.kind != SegmentKind::Samples || !meta.bounds().overlaps(&range) {
                continue;
            }
            let rows = rows_in(segment, set);
            if rows > 0 {
                let day = day_of(days, TimestampMs(meta.window).align(DAY_MS).0);
                day.rows += rows;
                day.segments
                    .push((Arc::clone(segment), self.tombstones.mask(meta)));
            }
        }
        for day in days.values_mut() {
            day.segments.sort_by_key(|(segment, _)| segment.meta.sequence);
        }
        for memtable in &self.memtables {
            let series = set.refs_in(memtable.head(), 0..set.len());
            let series: Vec<_> = series.into_iter().flatten().collect();
            for (start, window) in memtable.windows() {
                let (low, high) = window.bounds().unwrap_or((i64::MAX, i64::MIN));
                if !series.is_empty() && TimeRange::new(low, high).overlaps(&range) {
                    let day = day_of(days, TimestampMs(*start).align(DAY_MS).0);
                    day.rows += window.rows_of_all(&series);
                    day.add_memory(memtable, window);
                }
            }
        }
    }
}

fn day_of(days: &mut BTreeMap<i64, DaySources>, start: i64) -> &mut DaySources {
    days.entry(start).or_default()
}

impl DaySources {
    /// How many files are read: rollups, and segments of rows that they do not have.
    fn files_to_open(&self) -> usize {
        let late = self.segments.iter().filter(|(segment, _)| self.is_late(segment));
        self.rollups.len() + late.count()
    }

    /// Of several rollups of one width, left over from work that was cut short, the newest is read.
    fn keep_newest_rollup(&mut self) {
        let newest = self.rollups.iter().map(|(segment, _)| age(&segment.meta)).max();
        self.rollups
            .retain(|(segment, _)| Some(age(&segment.meta)) == newest);
    }
}
