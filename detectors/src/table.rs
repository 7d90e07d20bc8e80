//! A table of numbers, as `barograph detect` reads it.

use crate::error::DetectorError;

/// Which rows a score may depend on. The two are never mixed in a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The score of a row uses that row and those before it: what a running system would have said.
    Causal,
    /// The score of a row may use the whole table: what an investigation says afterwards.
    Offline,
}

/// Columns of equal length, in the order of time. NaN is a missing value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Milliseconds since the epoch of each row; none where rows are only numbered. Instants need not be
    /// evenly spaced; one that is earlier than its predecessor is taken as it is.
    pub time_ms: Option<Vec<i64>>,
    /// Names and values, at least one column.
    pub columns: Vec<(String, Vec<f64>)>,
}

impl Table {
    /// The rows of the table.
    #[must_use]
    pub fn rows(&self) -> usize {
        match (&self.time_ms, self.columns.first()) {
            (Some(time_ms), _) => time_ms.len(),
            (None, Some((_, values))) => values.len(),
            (None, None) => 0,
        }
    }

    /// The first `rows` rows.
    #[must_use]
    pub fn truncated(&self, rows: usize) -> Self {
        let cut = rows.min(self.rows());
        Self {
            time_ms: self.time_ms.as_ref().map(|time_ms| time_ms[..cut].to_vec()),
            columns: self
                .columns
                .iter()
                .map(|(name, values)| (name.clone(), values[..cut].to_vec()))
                .collect(),
        }
    }

    /// Checks that there are columns and that all are equally long.
    ///
    /// # Errors
    /// [`DetectorError::NoColumns`] or [`DetectorError::RaggedTable`].
    pub fn check(&self) -> Result<(), DetectorError> {
        if self.columns.is_empty() {
            return Err(DetectorError::NoColumns);
        }
        let expected = self.rows();
        match self.columns.iter().find(|(_, values)| values.len() != expected) {
            None => Ok(()),
            Some((column, values)) => Err(DetectorError::RaggedTable {
                column: column.clone(),
                rows: values.len(),
                expected,
            }),
        }
    }

    /// The usual distance of two rows in milliseconds: the median of the first ten thousand positive ones.
    /// None where rows are only numbered or fewer than two instants differ.
    #[must_use]
    pub fn step_ms(&self) -> Option<i64> {
        let time_ms = self.time_ms.as_ref()?;
        let mut gaps: Vec<i64> = time_ms
            .windows(2)
            .map(|pair| pair[1].saturating_sub(pair[0]))
            .filter(|gap| *gap > 0)
            .take(10_000)
            .collect();
        if gaps.is_empty() {
            return None;
        }
        let middle = gaps.len() / 2;
        Some(*gaps.select_nth_unstable(middle).1)
    }

    /// Copies row `row` into `values`, which is cleared before.
    pub fn row_into(&self, row: usize, values: &mut Vec<f64>) {
        values.clear();
        values.extend(self.columns.iter().map(|(_, column)| column[row]));
    }
}
