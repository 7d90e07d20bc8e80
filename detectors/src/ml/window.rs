//! The last rows of all columns, standardised, as one contiguous vector.
//!
//! The buffer is twice as long as the window: rows are appended, and the window is moved to the front when
//! the end is reached, so that a vector is always one slice and a row costs O(1) amortised.

use crate::error::DetectorError;
use crate::state::{Reader, Writer};

/// Standardised rows, oldest first.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    width: usize,
    rows: usize,
    values: Vec<f64>,
    /// For each row in the buffer, how many of its values were made up.
    missing: Vec<f64>,
    missing_sum: f64,
}

impl Window {
    pub(crate) fn new(width: usize, rows: usize) -> Self {
        Self {
            width,
            rows,
            values: Vec::new(),
            missing: Vec::new(),
            missing_sum: 0.0,
        }
    }

    /// Appends a row of which `missing` values were made up.
    pub(crate) fn push(&mut self, row: &[f64], missing: usize) {
        if self.missing.len() == 2 * self.rows {
            self.values.drain(..self.width * self.rows);
            self.missing.drain(..self.rows);
        }
        self.values.extend_from_slice(row);
        self.missing.push(missing as f64);
        self.missing_sum += missing as f64;
        if self.missing.len() > self.rows {
            self.missing_sum -= self.missing[self.missing.len() - self.rows - 1];
        }
    }

    /// The last `rows` rows, once there are so many and at most a quarter is made up.
    pub(crate) fn vector(&self) -> Option<&[f64]> {
        let cells = self.width * self.rows;
        if self.missing.len() < self.rows || self.missing_sum * 4.0 > cells as f64 {
            return None;
        }
        Some(&self.values[self.values.len() - cells..])
    }

    /// Forgets everything, as after a long silence.
    pub(crate) fn clear(&mut self) {
        self.values.clear();
        self.missing.clear();
        self.missing_sum = 0.0;
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.usize(self.width);
        writer.usize(self.rows);
        writer.floats(&self.values);
        writer.floats(&self.missing);
        writer.f64(self.missing_sum);
    }

    pub(crate) fn restore(reader: &mut Reader<'_>) -> Result<Self, DetectorError> {
        let (width, rows) = (reader.usize(4096)?, reader.usize(4096)?);
        let values = reader.floats()?;
        let missing = reader.floats_of(values.len() / width.max(1))?;
        Ok(Self {
            width,
            rows,
            values,
            missing,
            missing_sum: reader.f64()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides_and_counts_what_is_missing() {
        let mut window = Window::new(2, 4);
        for row in 0..40 {
            let value = f64::from(row);
            window.push(&[value, -value], usize::from(row % 8 == 0) * 2);
            let Some(vector) = window.vector() else {
                assert!(row < 3, "row {row}");
                continue;
            };
            let from = f64::from(row - 3);
            assert_eq!(vector[..2], [from, -from]);
            assert_eq!(vector[6..], [value, -value]);
        }
        (0..4).for_each(|_| window.push(&[0.0, 0.0], 2));
        assert!(window.vector().is_none());
    }
}
