//! A batch of samples as columns: the form in which samples travel from an edge to the memtable.

use crate::SeriesRef;

/// Samples of any series in any order; the three columns have the same length. Of two rows with the same series
/// and instant the later row is the newer write.
#[derive(Debug, Clone, Default)]
pub struct SampleColumns {
    /// Whose sample.
    pub series: Vec<SeriesRef>,
    /// Milliseconds since the epoch.
    pub ts: Vec<i64>,
    /// Values; every bit pattern is kept.
    pub values: Vec<f64>,
}

impl SampleColumns {
    /// Empty columns with room for `rows`.
    #[must_use]
    pub fn with_capacity(rows: usize) -> Self {
        Self {
            series: Vec::with_capacity(rows),
            ts: Vec::with_capacity(rows),
            values: Vec::with_capacity(rows),
        }
    }

    /// Adds a row.
    pub fn push(&mut self, series: SeriesRef, ts: i64, value: f64) {
        self.series.push(series);
        self.ts.push(ts);
        self.values.push(value);
    }

    /// Adds all rows of another batch behind these.
    pub fn extend(&mut self, other: Self) {
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
}
