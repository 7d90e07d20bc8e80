//! The series of a remote read query, some at a time, sorted by labels as its clients merge them.

use std::collections::BTreeMap;
use std::sync::Arc;

use barograph_engine::{SeriesRows, SeriesSet, Snapshot};
use barograph_model::{Histogram, Labels, Matcher, MemoryReservation, TimeRange};
use barograph_promql::Interrupt;
use barograph_query::promql::PromqlError;

use super::super::error::ApiError;

/// Series that are read together: each batch goes through all files once.
const BATCH_SERIES: usize = 1024;
/// Bytes of a sample while it is held.
const SAMPLE_BYTES: usize = 16;

/// What a series has in the range.
#[derive(Debug)]
pub(super) struct ReadSeries {
    pub(super) labels: Arc<Labels>,
    pub(super) rows: SeriesRows,
    /// ascending
    pub(super) histograms: Vec<(i64, Histogram)>,
}

/// A query over one snapshot.
pub(super) struct ReadQuery {
    snapshot: Snapshot,
    set: SeriesSet,
    range: TimeRange,
    /// positions in the set, in the order of their labels
    order: Vec<usize>,
    next: usize,
}

impl ReadQuery {
    /// Finds the series.
    pub(super) fn new(
        snapshot: &Snapshot,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> barograph_engine::Result<Self> {
        let set = snapshot.select(matchers, range)?;
        let labels = (0..set.len())
            .map(|position| set.labels(position))
            .collect::<Result<Vec<_>, _>>()?;
        let mut order: Vec<usize> = (0..set.len()).collect();
        order.sort_by(|a, b| labels[*a].cmp(&labels[*b]));
        Ok(Self {
            snapshot: snapshot.clone(),
            set,
            range,
            order,
            next: 0,
        })
    }

    /// Whether any of the series has a native histogram in the range.
    pub(super) fn has_histograms(&self) -> barograph_engine::Result<bool> {
        let mut rows = Vec::new();
        Ok(self
            .snapshot
            .histograms(&self.set, self.range)
            .next_series(&mut rows)?
            .is_some())
    }

    /// The next series; those without a sample are left out. `None` behind the last. What is read is drawn from
    /// `memory`, and counted up to `samples_left`.
    pub(super) fn next_batch(
        &mut self,
        interrupt: &Interrupt,
        memory: &mut MemoryReservation,
        samples_left: &mut u64,
    ) -> Result<Option<Vec<ReadSeries>>, ApiError> {
        interrupt.check().map_err(PromqlError::from)?;
        let end = self.order.len().min(self.next + BATCH_SERIES);
        let wanted = &self.order[self.next..end];
        if wanted.is_empty() {
            return Ok(None);
        }
        self.next = end;
        let mut positions = wanted.to_vec();
        positions.sort_unstable();
        let set = self.set.at(&positions);
        let mut histograms = self.histograms(&set)?;
        let mut found: Vec<ReadSeries> = Vec::new();
        let mut rows = SeriesRows::default();
        let mut reader = self.snapshot.scan_series(&set, self.range).open(0..set.len())?;
        while let Some(position) = reader.next_series(&mut rows)? {
            interrupt.check().map_err(PromqlError::from)?;
            let histograms = histograms.remove(&position).unwrap_or_default();
            let count = (rows.ts.len() + histograms.len()) as u64;
            if count == 0 {
                continue;
            }
            *samples_left = samples_left.checked_sub(count).ok_or_else(|| {
                ApiError::bad_data("exceeded sample limit (ask for a shorter time or fewer series)")
            })?;
            let of_histograms: usize = histograms.iter().map(|(_, h)| h.memory_bytes()).sum();
            memory
                .try_grow(rows.ts.len() * SAMPLE_BYTES + of_histograms)
                .map_err(|refusal| ApiError::new("execution", refusal.to_string()))?;
            found.push(ReadSeries {
                labels: set.labels(position)?,
                rows: std::mem::take(&mut rows),
                histograms,
            });
        }
        found.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(Some(found))
    }

    fn histograms(
        &self,
        set: &SeriesSet,
    ) -> barograph_engine::Result<BTreeMap<usize, Vec<(i64, Histogram)>>> {
        let mut found: BTreeMap<usize, Vec<(i64, Histogram)>> = BTreeMap::new();
        let (mut scan, mut rows) = (self.snapshot.histograms(set, self.range), Vec::new());
        while let Some(position) = scan.next_series(&mut rows)? {
            found.entry(position).or_default().append(&mut rows);
        }
        Ok(found)
    }
}
