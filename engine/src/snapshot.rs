//! One consistent view of the store: memory and files together, as they were at one moment.

use std::sync::Arc;

use barograph_model::{Labels, Matcher, SeriesId, TimeRange, TimestampMs};

use crate::index::Registry;
use crate::memtable::{Memtable, WINDOW_MS, Window};
use crate::retention::Retention;
use crate::scan::{Scan, ScanPartition};
use crate::segment::Segment;
use crate::tombstone::{Mask, Tombstones};
use crate::{ScanStats, SeriesRef};

/// A view of all that was acknowledged when it was taken. Cheap to take and to clone; later writes, flushes and
/// retention do not change it. Segments stay readable while a snapshot holds them.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(crate) registry: Arc<Registry>,
    /// series known when the view was taken
    pub(crate) series_len: usize,
    pub(crate) segments: Arc<Vec<Arc<Segment>>>,
    /// what is deleted in those segments
    pub(crate) tombstones: Arc<Tombstones>,
    pub(crate) retention: Arc<Retention>,
    /// when the view was taken: samples whose time was up then are not in it
    pub(crate) now: TimestampMs,
    /// oldest first: a memtable that is being flushed, then the one that takes writes
    pub(crate) memtables: Vec<Arc<Memtable>>,
}

/// What a stretch of time has: windows and days that overlap, taken together.
struct Sources {
    stretch: TimeRange,
    segments: Vec<(Arc<Segment>, Mask)>,
    windows: Vec<Window>,
}

impl Snapshot {
    /// Series known to this view; a [`SeriesRef`] of it is below this number.
    #[must_use]
    pub fn series_len(&self) -> usize {
        self.series_len
    }

    /// The series that pass every matcher, in storage order (metric, job, instance, series id). No matcher means all.
    #[must_use]
    pub fn select(&self, matchers: &[Matcher]) -> Vec<SeriesRef> {
        self.registry.select(matchers, self.series_len)
    }

    /// The labels of a series of this view.
    #[must_use]
    pub fn labels(&self, series: SeriesRef) -> Arc<Labels> {
        self.registry.labels(series)
    }

    /// The stable id of a series of this view.
    #[must_use]
    pub fn series_id(&self, series: SeriesRef) -> SeriesId {
        self.registry.id(series)
    }

    /// The names of all metrics, sorted.
    #[must_use]
    pub fn metric_names(&self) -> Vec<String> {
        self.registry
            .label_values(barograph_model::METRIC_NAME, &[], self.series_len)
    }

    /// The names of the labels of series that pass every matcher, sorted, `__name__` among them.
    #[must_use]
    pub fn label_names(&self, matchers: &[Matcher]) -> Vec<String> {
        self.registry.label_names(matchers, self.series_len)
    }

    /// The values of a label among the series that pass every matcher, sorted.
    #[must_use]
    pub fn label_values(&self, name: &str, matchers: &[Matcher]) -> Vec<String> {
        self.registry.label_values(name, matchers, self.series_len)
    }

    /// Plans to read some series, given in storage order, over a closed range. Windows and segments outside the range
    /// or without any of the series are left out.
    #[must_use]
    pub fn scan(&self, series: &[SeriesRef], range: TimeRange) -> Scan {
        let wanted: Arc<[SeriesRef]> = series.into();
        let kept = TimeRange {
            start: self.retention.oldest_of_any(self.now),
            end: TimestampMs::MAX,
        };
        let range = range.intersect(&kept);
        let mut stats = ScanStats {
            files_total: self.segments.len(),
            series_matched: wanted.len(),
            ..ScanStats::default()
        };
        let mut sources: Vec<Sources> = Vec::new();
        for segment in self.segments.iter() {
            stats.rows_total += segment.meta.rows;
            let rows = if segment.meta.bounds().overlaps(&range) {
                segment.rows_of_all(&wanted)
            } else {
                0
            };
            if rows == 0 {
                stats.files_pruned += 1;
                continue;
            }
            stats.rows_selected += rows;
            sources.push(Sources {
                stretch: segment.meta.stretch(),
                segments: vec![(Arc::clone(segment), self.tombstones.mask(&segment.meta))],
                windows: Vec::new(),
            });
        }
        for memtable in &self.memtables {
            for (start, window) in memtable.windows() {
                stats.rows_total += window.rows() as u64;
                let (low, high) = window.bounds().unwrap_or((i64::MAX, i64::MIN));
                if TimeRange::new(low, high).overlaps(&range) && !wanted.is_empty() {
                    stats.rows_selected += window.rows_of_all(&wanted);
                    sources.push(Sources {
                        stretch: TimeRange::new(*start, start.saturating_add(WINDOW_MS - 1)),
                        segments: Vec::new(),
                        windows: vec![window.clone()],
                    });
                }
            }
        }
        let partitions = together(sources).into_iter().map(|mut sources| {
            // Age is not the order of the manifest once segments have been merged.
            sources.segments.sort_by_key(|(segment, _)| segment.meta.sequence);
            ScanPartition {
                snapshot: self.clone(),
                series: Arc::clone(&wanted),
                range: range.intersect(&sources.stretch),
                segments: sources.segments,
                windows: sources.windows,
                next_series: 0,
                merge: None,
            }
        });
        Scan::new(partitions.collect(), stats)
    }

    /// The first instant of a series that this view has: the one before are not kept.
    pub(crate) fn oldest_of(&self, series: SeriesRef) -> TimestampMs {
        self.retention.oldest_of(&self.labels(series), self.now)
    }
}

/// Joins sources whose stretches overlap; the result is disjoint and in order. Windows stay in the order given.
fn together(mut sources: Vec<Sources>) -> Vec<Sources> {
    sources.sort_by_key(|s| s.stretch.start);
    let mut joined: Vec<Sources> = Vec::new();
    for next in sources {
        match joined
            .last_mut()
            .filter(|last| last.stretch.overlaps(&next.stretch))
        {
            Some(last) => {
                last.stretch.end = last.stretch.end.max(next.stretch.end);
                last.segments.extend(next.segments);
                last.windows.extend(next.windows);
            }
            None => joined.push(next),
        }
    }
    joined
}
