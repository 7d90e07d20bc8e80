//! Comma-separated values as RFC 4180 has them: a header, CRLF after each record, quotes where needed.
//!
//! NULL is an empty field, an empty text a quoted one, so that the two stay apart.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;

use super::cell::{Cell, cell, write_plain};

/// The header.
pub(super) fn begin(schema: &Schema) -> Vec<u8> {
    let mut out = Vec::new();
    for (i, field) in schema.fields().iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_field(field.name().as_bytes(), true, &mut out);
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// Some records.
pub(super) fn rows(batch: &RecordBatch, out: &mut Vec<u8>) {
    let mut field = Vec::new();
    for row in 0..batch.num_rows() {
        for (i, column) in batch.columns().iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            let cell = cell(column.as_ref(), row);
            field.clear();
            write_plain(&cell, &mut field);
            write_field(&field, !matches!(cell, Cell::Null), out);
        }
        out.extend_from_slice(b"\r\n");
    }
}

fn write_field(field: &[u8], present: bool, out: &mut Vec<u8>) {
    let quoted =
        present && (field.is_empty() || field.iter().any(|b| matches!(b, b',' | b'"' | b'\r' | b'\n')));
    if !quoted {
        out.extend_from_slice(field);
        return;
    }
    out.push(b'"');
    for byte in field {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    out.push(b'"');
}
