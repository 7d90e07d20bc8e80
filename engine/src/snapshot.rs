//! One consistent view of the store: memory and files together, as they were at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use barograph_model::{Labels, Matcher, SeriesId, TimeRange};

use crate::index::Registry;
use crate::memtable::{Memtable, WINDOW_MS, Window};
use crate::scan::{Scan, ScanPartition};
use crate::segment::Segment;
use crate::{ScanStats, SeriesRef};

/// A view of all that was acknowledged when it was taken. Cheap to take and to clone; later writes, flushes and
/// retention do not change it. Segments stay readable while a snapshot holds them.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(crate) registry: Arc<Registry>,
    /// series known when the view was taken
    pub(crate) series_len: usize,
    pub(crate) segments: Arc<Vec<Arc<Segment>>>,
    /// oldest first: a memtable that is being flushed, then the one that takes writes
    pub(crate) memtables: Vec<Arc<Memtable>>,
}

/// What one window has.
#[derive(Default)]
struct Sources {
    segments: Vec<Arc<Segment>>,
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
        let mut stats = ScanStats {
            files_total: self.segments.len(),
            series_matched: wanted.len(),
            ..ScanStats::default()
        };
        let mut by_window: BTreeMap<i64, Sources> = BTreeMap::new();
        for segment in self.segments.iter() {
            stats.rows_total += segment.meta.rows;
            let bounds = TimeRange::new(segment.meta.ts_min, segment.meta.ts_max);
            let rows = if bounds.overlaps(&range) {
                segment.rows_of_all(&wanted)
            } else {
                0
            };
            if rows == 0 {
                stats.files_pruned += 1;
                continue;
            }
            stats.rows_selected += rows;
            by_window
                .entry(segment.meta.window)
                .or_default()
                .segments
                .push(Arc::clone(segment));
        }
        for memtable in &self.memtables {
            for (start, window) in memtable.windows() {
                stats.rows_total += window.rows() as u64;
                let (low, high) = window.bounds().unwrap_or((i64::MAX, i64::MIN));
                if TimeRange::new(low, high).overlaps(&range) && !wanted.is_empty() {
                    stats.rows_selected += window.rows_of_all(&wanted);
                    by_window.entry(*start).or_default().windows.push(window.clone());
                }
            }
        }
        let partitions = by_window.into_iter().map(|(start, sources)| ScanPartition {
            series: Arc::clone(&wanted),
            range: range.intersect(&TimeRange::new(start, start.saturating_add(WINDOW_MS - 1))),
            segments: sources.segments,
            windows: sources.windows,
            next_series: 0,
            merge: None,
        });
        Scan::new(partitions.collect(), stats)
    }
}
