//! A table for a terminal.

use std::fmt::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};

use super::cell::{Cell, cell, write_plain};

/// Lines of text: names, a rule, a line per row; numbers to the right, NULL as `NULL`.
///
/// Control characters are escaped, so that no label can steer a terminal. All rows are in memory twice.
#[must_use]
pub fn render_table(schema: &Schema, batches: &[RecordBatch]) -> String {
    let names = schema
        .fields()
        .iter()
        .map(|field| visible(field.name()))
        .collect();
    let mut lines: Vec<Vec<String>> = vec![names];
    for batch in batches {
        for row in 0..batch.num_rows() {
            lines.push(
                batch
                    .columns()
                    .iter()
                    .map(|column| shown(&cell(column.as_ref(), row)))
                    .collect(),
            );
        }
    }
    let width_of = |column: usize| {
        lines
            .iter()
            .map(|line| line[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<_> = (0..schema.fields().len()).map(width_of).collect();
    let to_the_right: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| is_number(field.data_type()))
        .collect();
    let mut text = String::new();
    for (i, line) in lines.iter().enumerate() {
        let cells = line
            .iter()
            .zip(&widths)
            .zip(&to_the_right)
            .map(|((cell, width), right)| {
                if *right {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
        if i == 0 {
            text.push_str(
                &widths
                    .iter()
                    .map(|width| "─".repeat(*width))
                    .collect::<Vec<_>>()
                    .join("  "),
            );
            text.push('\n');
        }
    }
    text
}

/// One row, for tests.
#[cfg(test)]
pub(crate) fn render_line(batch: &RecordBatch, row: usize) -> String {
    batch
        .columns()
        .iter()
        .map(|column| shown(&cell(column.as_ref(), row)))
        .collect::<Vec<_>>()
        .join(" | ")
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

fn shown(cell: &Cell<'_>) -> String {
    if matches!(cell, Cell::Null) {
        return "NULL".to_owned();
    }
    let mut out = Vec::new();
    write_plain(cell, &mut out);
    visible(&String::from_utf8_lossy(&out))
}

/// The text with control characters written out.
fn visible(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            // Writing to a String does not fail.
            let _ = write!(out, "{}", c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}
