//! Tables in Markdown, and the numbers in them.

use std::fmt;

/// Rows of texts under a header; prints as Markdown, the first column to the left and the others to the right.
#[derive(Debug, Clone)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub fn new<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Self {
        Self {
            rows: vec![header.into_iter().map(Into::into).collect()],
        }
    }

    /// Adds a row, which has as many cells as the header.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows[0].len();
        let widths: Vec<usize> = (0..columns)
            .map(|c| {
                self.rows
                    .iter()
                    .map(|row| row[c].chars().count())
                    .max()
                    .unwrap_or(0)
                    .max(3)
            })
            .collect();
        for (i, row) in self.rows.iter().enumerate() {
            for (c, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                match c {
                    0 => write!(f, "| {cell:<width$} |")?,
                    _ => write!(f, " {cell:>width$} |")?,
                }
            }
            writeln!(f)?;
            if i == 0 {
                for (c, &width) in widths.iter().enumerate() {
                    match c {
                        0 => write!(f, "|{}|", "-".repeat(width + 2))?,
                        _ => write!(f, "{}:|", "-".repeat(width + 1))?,
                    }
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

/// The middle value, or the mean of the two in the middle; NaN of nothing.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

/// So large a part of the values is at most this; NaN of nothing. The nearest rank, which is a value that was measured.
#[must_use]
pub(crate) fn quantile(values: &[f64], q: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n => values[((n - 1) as f64 * q).round() as usize],
    }
}

/// A number with three digits that count, large ones in thousands (k) or millions (M); nothing of NaN.
#[must_use]
pub fn rounded(value: f64) -> String {
    if value.is_nan() {
        return String::new();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let (value, unit) = match value.abs() {
        v if v >= 999_500.0 => (value / 1e6, "M"),
        v if v >= 9_999.5 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let decimals = match value.abs() {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits() {
        let shown: Vec<_> = [0.0, 0.1234, 12.34, 123.4, 9_876.0, 98_765.0, 1_234_567.0]
            .map(rounded)
            .into();
        assert_eq!(shown, ["0", "0.12", "12.3", "123", "9876", "98.8k", "1.23M"]);
    }

    #[test]
    fn the_middle_of_runs() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
        let hundred: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        assert_eq!(
            [0.0, 0.5, 0.99, 1.0].map(|q| quantile(&hundred, q)),
            [0.0, 50.0, 99.0, 100.0]
        );
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn a_table_is_markdown() {
        let mut table = Table::new(["what", "a"]);
        table.row(["x", "10"]);
        assert_eq!(
            table.to_string(),
            "| what |   a |\n|------|----:|\n| x    |  10 |\n"
        );
    }
}
