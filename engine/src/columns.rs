//! A batch as columns: the form in which samples, and what comes with them, travel from an edge to the memtable.

use std::collections::HashMap;

use barograph_model::{Exemplar, Histogram, Metadata};

use crate::index::Head;
use crate::lanes::LaneColumns;
use crate::wal::Frame;
use crate::{Result, SeriesRef};

/// Histograms, exemplars or families of one record.
const LANE_ROWS_OF_RECORD: usize = 1 << 14;

/// Samples of any series in any order; the three columns have the same length. Of two rows with the same series
/// and instant the later row is the newer write. Native histograms, exemplars and metadata may come with them: all of
/// a batch becomes durable together.
#[derive(Debug, Clone)]
pub struct SampleColumns {
    head: Head,
    series: Vec<SeriesRef>,
    ts: Vec<i64>,
    values: Vec<f64>,
    lanes: LaneColumns,
    metadata: Vec<(String, Metadata)>,
}

impl SampleColumns {
    /// Empty columns for series of a head.
    #[must_use]
    pub fn new(head: &Head) -> Self {
        Self::with_capacity(head, 0)
    }

    /// Empty columns with room for `rows`.
    #[must_use]
    pub fn with_capacity(head: &Head, rows: usize) -> Self {
        Self {
            head: head.clone(),
            series: Vec::with_capacity(rows),
            ts: Vec::with_capacity(rows),
            values: Vec::with_capacity(rows),
            lanes: LaneColumns::default(),
            metadata: Vec::new(),
        }
    }

    /// Columns that exist already: whose sample (a series of `head`), milliseconds since the epoch, the value, of
    /// which every bit pattern is kept.
    ///
    /// # Panics
    /// Where the columns differ in length.
    #[must_use]
    pub fn from_parts(head: &Head, series: Vec<SeriesRef>, ts: Vec<i64>, values: Vec<f64>) -> Self {
        assert!(
            series.len() == ts.len() && ts.len() == values.len(),
            "columns have one length"
        );
        Self {
            series,
            ts,
            values,
            ..Self::new(head)
        }
    }

    /// Adds a row; the series is one of the columns' head.
    pub fn push(&mut self, series: SeriesRef, ts: i64, value: f64) {
        self.series.push(series);
        self.ts.push(ts);
        self.values.push(value);
    }

    /// Adds a native histogram at an instant in milliseconds since the epoch; the series is one of the columns' head.
    pub fn push_histogram(&mut self, series: SeriesRef, ts: i64, histogram: Histogram) {
        self.lanes.histograms.push((series, ts, histogram));
    }

    /// Adds an exemplar; the series is one of the columns' head.
    pub fn push_exemplar(&mut self, series: SeriesRef, exemplar: Exemplar) {
        self.lanes.exemplars.push((series, exemplar.ts.0, exemplar));
    }

    /// Adds what is said about a metric family, in place of what was known.
    pub fn push_metadata(&mut self, family: String, metadata: Metadata) {
        self.metadata.push((family, metadata));
    }

    /// Adds all rows of another batch behind these, whatever head its series are of.
    pub fn extend(&mut self, mut other: Self) {
        other.rebase(&self.head);
        self.series.extend(other.series);
        self.ts.extend(other.ts);
        self.values.extend(other.values);
        self.lanes.extend(other.lanes);
        self.metadata.extend(other.metadata);
    }

    /// Bytes that the columns take, room they were given and do not fill included.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.series.capacity() * size_of::<SeriesRef>()
            + self.ts.capacity() * size_of::<i64>()
            + self.values.capacity() * size_of::<f64>()
            + self.lanes.heap_bytes()
    }

    /// Names the series by another head, where they are entered if they are new to it.
    pub(crate) fn rebase(&mut self, head: &Head) {
        if self.head.is(head) {
            return;
        }
        let mut known = HashMap::new();
        for series in self.series.iter_mut().chain(self.lanes.series_mut()) {
            let old = *series;
            *series = *known
                .entry(old)
                .or_insert_with(|| head.series(&self.head.labels(old)));
        }
        self.head = head.clone();
    }

    /// The head whose numbers name the series.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Whose samples.
    #[must_use]
    pub fn series(&self) -> &[SeriesRef] {
        &self.series
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub fn ts(&self) -> &[i64] {
        &self.ts
    }

    /// Values.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Native histograms and exemplars.
    pub(crate) fn lanes(&self) -> &LaneColumns {
        &self.lanes
    }

    /// Takes the histograms and exemplars out.
    pub(crate) fn take_lanes(&mut self) -> LaneColumns {
        std::mem::take(&mut self.lanes)
    }

    /// Takes the metadata out.
    pub(crate) fn take_metadata(&mut self) -> Vec<(String, Metadata)> {
        std::mem::take(&mut self.metadata)
    }

    /// What the batch weighs in memory, in samples.
    pub(crate) fn weight(&self) -> usize {
        self.len() + self.lanes.weight()
    }

    /// Samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ts.len()
    }

    /// Whether there is nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ts.is_empty() && self.lanes.is_empty() && self.metadata.is_empty()
    }

    /// The log records of the batch.
    pub(crate) fn frames(&self) -> Result<Vec<Frame>> {
        let mut frames = Vec::with_capacity(1);
        if !self.ts.is_empty() {
            frames.push(Frame::samples(&self.series, &self.ts, &self.values)?);
        }
        for part in self.lanes.histograms.chunks(LANE_ROWS_OF_RECORD) {
            frames.push(Frame::histograms(part)?);
        }
        for part in self.lanes.exemplars.chunks(LANE_ROWS_OF_RECORD) {
            frames.push(Frame::exemplars(part)?);
        }
        for part in self.metadata.chunks(LANE_ROWS_OF_RECORD) {
            frames.push(Frame::metadata(part)?);
        }
        Ok(frames)
    }
}

#[cfg(test)]
mod tests {
    use barograph_model::Labels;

    use super::*;

    #[test]
    fn another_heads_series_are_translated() {
        let (old, new) = (Head::new(1), Head::new(1));
        let labels = |job: &str| Labels::from_pairs([("__name__", "up"), ("job", job)]).unwrap();
        let _ = new.series(&labels("x"));
        let mut theirs = SampleColumns::new(&old);
        for job in ["a", "b", "a"] {
            theirs.push(old.series(&labels(job)), 1, 2.0);
        }
        let mut ours = SampleColumns::new(&new);
        ours.push(new.series(&labels("b")), 0, 1.0);
        ours.extend(theirs);
        let jobs: Vec<String> = ours
            .series()
            .iter()
            .map(|s| new.labels(*s).get("job").to_owned())
            .collect();
        assert_eq!(
            (jobs, ours.len()),
            (["b", "a", "b", "a"].map(str::to_owned).to_vec(), 4)
        );
    }
}
