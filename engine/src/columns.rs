//! A batch of samples as columns: the form in which samples travel from an edge to the memtable.

use std::collections::HashMap;

use crate::index::Head;
use crate::wal::Frame;
use crate::{Result, SeriesRef};

/// Samples of any series in any order; the three columns have the same length. Of two rows with the same series
/// and instant the later row is the newer write.
#[derive(Debug, Clone)]
pub struct SampleColumns {
    head: Head,
    series: Vec<SeriesRef>,
    ts: Vec<i64>,
    values: Vec<f64>,
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
            head: head.clone(),
            series,
            ts,
            values,
        }
    }

    /// Adds a row; the series is one of the columns' head.
    pub fn push(&mut self, series: SeriesRef, ts: i64, value: f64) {
        self.series.push(series);
        self.ts.push(ts);
        self.values.push(value);
    }

    /// Adds all rows of another batch behind these, whatever head its series are of.
    pub fn extend(&mut self, mut other: Self) {
        other.rebase(&self.head);
        self.series.extend(other.series);
        self.ts.extend(other.ts);
        self.values.extend(other.values);
    }

    /// Bytes that the columns take, room they were given and do not fill included.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.series.capacity() * size_of::<SeriesRef>()
            + self.ts.capacity() * size_of::<i64>()
            + self.values.capacity() * size_of::<f64>()
    }

    /// Names the series by another head, where they are entered if they are new to it.
    pub(crate) fn rebase(&mut self, head: &Head) {
        if self.head.is(head) {
            return;
        }
        let mut known = HashMap::new();
        for series in &mut self.series {
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

    /// Rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ts.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ts.is_empty()
    }

    /// The log record of these rows.
    pub(crate) fn frame(&self) -> Result<Frame> {
        Frame::samples(&self.series, &self.ts, &self.values)
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
