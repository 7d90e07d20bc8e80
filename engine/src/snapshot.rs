//! One consistent view of the store: memory and files together, as they were at one moment.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use barograph_model::{METRIC_NAME, Matcher, TimeRange};

use crate::index::Head;
use crate::label_cache::LabelCache;
use crate::memtable::{Memtable, WINDOW_MS, Window};
use crate::metadata::MetadataTable;
use crate::retention::Kept;
use crate::scan::{Pruned, ScanFile};
use crate::scan::{Scan, ScanPartition};
use crate::segment::{Segment, SegmentKind};
use crate::series_scan::SeriesScan;
use crate::tombstone::{Mask, Tombstones};
use crate::{Result, ScanStats, SeriesSet};

/// Rows beyond which the series of one stretch of time are dealt out to several partitions.
const PARTITION_ROWS: u64 = 1 << 20;

/// A view of all that was acknowledged when it was taken. Cheap to take and to clone; later writes, flushes and
/// retention do not change it. Segments stay readable while a snapshot holds them.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(crate) segments: Arc<Vec<Arc<Segment>>>,
    /// what is deleted in those segments
    pub(crate) tombstones: Arc<Tombstones>,
    /// what is kept at the moment of the view: samples whose time was up then are not in it
    pub(crate) kept: Kept,
    /// oldest first: a memtable that is being flushed, then the one that takes writes
    pub(crate) memtables: Vec<Arc<Memtable>>,
    /// the memtables' heads, each once, with the number of series that were known when the view was taken
    pub(crate) heads: Vec<(Head, usize)>,
    metadata: MetadataTable,
    labels: Arc<LabelCache>,
}

/// What one stretch of time has.
#[derive(Clone)]
pub(crate) struct Stretch {
    pub(crate) range: TimeRange,
    /// oldest first, with what is deleted in each
    pub(crate) segments: Vec<(Arc<Segment>, Mask)>,
    /// oldest first, all newer than the segments
    pub(crate) memory: Vec<(Arc<Memtable>, Vec<Window>)>,
    pub(crate) rows: u64,
}

impl Snapshot {
    pub(crate) fn new(
        segments: Arc<Vec<Arc<Segment>>>,
        tombstones: Arc<Tombstones>,
        memtables: Vec<Arc<Memtable>>,
        kept: Kept,
        metadata: MetadataTable,
        labels: Arc<LabelCache>,
    ) -> Self {
        let mut heads: Vec<(Head, usize)> = Vec::new();
        for head in memtables.iter().map(|memtable| memtable.head()) {
            if !heads.iter().any(|(known, _)| known.is(head)) {
                heads.push((head.clone(), head.len()));
            }
        }
        Self {
            segments,
            tombstones,
            kept,
            memtables,
            heads,
            metadata,
            labels,
        }
    }

    /// The series that pass every matcher, in storage order (metric, job, instance, series id). No matcher means all.
    ///
    /// Of files, only those with samples in the closed range are asked, and rollups where samples are not kept any more; a
    /// series in memory is found whatever the range.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`](crate::EngineError) and others name the segment that could not be read.
    pub fn select(&self, matchers: &[Matcher], range: TimeRange) -> Result<SeriesSet> {
        let segments: Vec<_> = self.segments_in(range).cloned().collect();
        SeriesSet::select(&self.heads, &segments, matchers, Some(&self.labels))
    }

    /// What was known of metric families.
    #[must_use]
    pub fn metadata(&self) -> &MetadataTable {
        &self.metadata
    }

    /// The names of all metrics with samples in a range, sorted.
    ///
    /// # Errors
    /// As [`Snapshot::select`].
    pub fn metric_names(&self, range: TimeRange) -> Result<Vec<String>> {
        self.label_values(METRIC_NAME, &[], range)
    }

    /// The names of the labels of series that pass every matcher, sorted, `__name__` among them.
    ///
    /// # Errors
    /// As [`Snapshot::select`].
    pub fn label_names(&self, matchers: &[Matcher], range: TimeRange) -> Result<Vec<String>> {
        let mut names = BTreeSet::new();
        let mut enter = |name: &str| enter(&mut names, name);
        self.heads
            .iter()
            .for_each(|(head, len)| head.label_names(matchers, *len, &mut enter));
        for segment in self.segments_in(range) {
            segment.label_names(matchers, &mut enter)?;
        }
        Ok(names.into_iter().collect())
    }

    /// The values of a label among the series that pass every matcher, sorted.
    ///
    /// # Errors
    /// As [`Snapshot::select`].
    pub fn label_values(&self, name: &str, matchers: &[Matcher], range: TimeRange) -> Result<Vec<String>> {
        let mut values = BTreeSet::new();
        let mut enter = |value: &str| enter(&mut values, value);
        self.heads
            .iter()
            .for_each(|(head, len)| head.label_values(name, matchers, *len, &mut enter));
        for segment in self.segments_in(range) {
            segment.label_values(name, matchers, &mut enter)?;
        }
        Ok(values.into_iter().collect())
    }

    /// Plans to read the series of a set over a closed range. What lies outside the range or has none of the series
    /// is left out.
    #[must_use]
    pub fn scan(&self, set: &SeriesSet, range: TimeRange) -> Scan {
        let range = self.kept.clip(range);
        let (stretches, stats) = self.stretches(set, range);
        let partitions = stretches.into_iter().flat_map(|stretch| {
            let clipped = range.intersect(&stretch.range);
            parts(set.len(), stretch.rows).map(move |positions| ScanPartition {
                set: set.clone(),
                positions,
                range: clipped,
                segments: stretch.segments.clone(),
                memory: stretch.memory.clone(),
                kept: self.kept.clone(),
                merge: None,
            })
        });
        Scan::new(partitions.collect(), stats)
    }

    /// Plans to read the series of a set over a closed range, each series whole before the next.
    #[must_use]
    pub fn scan_series(&self, set: &SeriesSet, range: TimeRange) -> SeriesScan {
        let range = self.kept.clip(range);
        let (stretches, stats) = self.stretches(set, range);
        SeriesScan::new(set.clone(), range, stretches, self.kept.clone(), stats)
    }

    /// What a scan of a set over a closed range does with each segment of samples, in the order of the snapshot.
    #[must_use]
    pub fn scan_files(&self, set: &SeriesSet, range: TimeRange) -> Vec<ScanFile> {
        let range = self.kept.clip(range);
        self.samples()
            .map(|segment| scan_file(segment, set, range))
            .collect()
    }

    /// What has rows of a set in a range, disjoint in time, oldest first.
    fn stretches(&self, set: &SeriesSet, range: TimeRange) -> (Vec<Stretch>, ScanStats) {
        let mut stats = ScanStats {
            files_total: self.samples().count(),
            series_matched: set.len(),
            ..ScanStats::default()
        };
        let mut found: Vec<Stretch> = Vec::new();
        for segment in self.samples() {
            let file = scan_file(segment, set, range);
            stats.rows_total += file.rows;
            stats.row_groups_total += file.row_groups;
            stats.row_groups_pruned += file.row_groups - file.row_groups_selected;
            if file.pruned.is_some() {
                stats.files_pruned += 1;
                continue;
            }
            stats.rows_selected += file.rows_selected;
            let segments = vec![(Arc::clone(segment), self.tombstones.mask(&segment.meta))];
            found.push(Stretch {
                range: file.bounds,
                segments,
                memory: Vec::new(),
                rows: file.rows_selected,
            });
        }
        for memtable in &self.memtables {
            let series: Vec<_> = set
                .refs_in(memtable.head(), 0..set.len())
                .into_iter()
                .flatten()
                .collect();
            for (start, window) in memtable.windows() {
                stats.rows_total += window.rows() as u64;
                let (low, high) = window.bounds().unwrap_or((i64::MAX, i64::MIN));
                if TimeRange::new(low, high).overlaps(&range) && !series.is_empty() {
                    let rows = window.rows_of_all(&series);
                    stats.rows_selected += rows;
                    let memory = vec![(Arc::clone(memtable), vec![window.clone()])];
                    let stretch = TimeRange::new(*start, start.saturating_add(WINDOW_MS - 1));
                    found.push(Stretch {
                        range: stretch,
                        segments: Vec::new(),
                        memory,
                        rows,
                    });
                }
            }
        }
        (disjoint(found), stats)
    }

    /// Samples, in segments and in memory.
    pub(crate) fn sample_rows(&self) -> u64 {
        let in_segments: u64 = self.samples().map(|segment| segment.meta.rows).sum();
        let in_memory = self
            .memtables
            .iter()
            .flat_map(|memtable| memtable.windows().values());
        in_segments + in_memory.map(|window| window.rows() as u64).sum::<u64>()
    }

    /// The segments of samples.
    fn samples(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.segments
            .iter()
            .filter(|segment| segment.meta.kind == SegmentKind::Samples)
    }

    fn segments_in(&self, range: TimeRange) -> impl Iterator<Item = &Arc<Segment>> {
        let of_rows = self.kept.clip(range);
        self.segments.iter().filter(move |segment| {
            let asked = match segment.meta.kind {
                SegmentKind::Samples | SegmentKind::Histograms | SegmentKind::Exemplars => of_rows,
                // Where all rows are kept, the series of a rollup are found by those.
                kind => self.kept.only_buckets(range, kind),
            };
            segment.meta.bounds().overlaps(&asked)
        })
    }
}

fn enter(texts: &mut BTreeSet<String>, text: &str) {
    if !texts.contains(text) {
        texts.insert(text.to_owned());
    }
}

/// What a scan does with a segment.
fn scan_file(segment: &Segment, set: &SeriesSet, range: TimeRange) -> ScanFile {
    let mut file = ScanFile {
        path: segment.meta.samples_path(),
        bounds: segment.meta.bounds(),
        pruned: None,
        row_groups: segment.row_groups().len(),
        row_groups_selected: 0,
        rows: segment.meta.rows,
        rows_selected: 0,
    };
    if !file.bounds.overlaps(&range) {
        file.pruned = Some(Pruned::ByTime);
        return file;
    }
    // Places ascend, and so do their rows; the groups that were seen are behind.
    let mut ends = segment.row_groups().iter().scan(0u64, |end, group| {
        *end += group.num_rows().unsigned_abs();
        Some(*end)
    });
    let mut end = 0;
    for place in set.places_in(segment, 0..set.len()).into_iter().flatten() {
        let rows = segment.rows_of(place);
        file.rows_selected += rows.len() as u64;
        while end < rows.end as u64 {
            let begin = end;
            match ends.next() {
                Some(next) => end = next,
                None => break,
            }
            file.row_groups_selected += usize::from(end > rows.start as u64 && begin < rows.end as u64);
        }
    }
    if file.rows_selected == 0 {
        file.pruned = Some(Pruned::BySeries);
    }
    file
}

/// Rows that a segment has of the series of a set.
pub(crate) fn rows_in(segment: &Segment, set: &SeriesSet) -> u64 {
    let places = set.places_in(segment, 0..set.len());
    places
        .into_iter()
        .flatten()
        .map(|place| segment.rows_of(place).len() as u64)
        .sum()
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
                last.rows += stretch.rows;
            }
            _ => disjoint.push(stretch),
        }
    }
    for stretch in &mut disjoint {
        stretch.segments.sort_by_key(|(segment, _)| segment.meta.sequence);
    }
    disjoint
}

/// The positions of a set in as many parts as their rows are worth; at least one.
pub(crate) fn parts(series: usize, rows: u64) -> impl Iterator<Item = Range<usize>> {
    let count = usize::try_from(rows / PARTITION_ROWS + 1)
        .unwrap_or(usize::MAX)
        .min(series.max(1));
    (0..count).map(move |i| series * i / count..series * (i + 1) / count)
}
