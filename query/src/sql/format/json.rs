//! `{"columns":[{"name":"ts","type":"TIMESTAMP"}],"rows":[["2026-11-22T23:05:00.000Z"]]}`

use arrow::array::{Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Schema};

use super::cell::{cell, write_json, write_json_text};

/// Up to the first row.
pub(super) fn begin(schema: &Schema) -> Vec<u8> {
    let mut out = b"{\"columns\":[".to_vec();
    for (i, field) in schema.fields().iter().enumerate() {
        out.extend_from_slice(if i > 0 { b",{\"name\":" } else { b"{\"name\":" });
        write_json_text(field.name(), &mut out);
        out.extend_from_slice(b",\"type\":");
        write_json_text(&type_name(field.data_type()), &mut out);
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"rows\":[");
    out
}

/// Some rows; `first` are the first of the answer.
pub(super) fn rows(batch: &RecordBatch, first: bool, out: &mut Vec<u8>) {
    for row in 0..batch.num_rows() {
        if row > 0 || !first {
            out.push(b',');
        }
        out.push(b'[');
        for (i, column) in batch.columns().iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            write_json(&cell(column.as_ref(), row), out);
        }
        out.push(b']');
    }
}

/// After the last row.
pub(super) const END: &[u8] = b"]}\n";

/// Each value as JSON on its own, NULL where it is NULL. For clients that have no maps.
#[must_use]
pub fn json_column(array: &dyn Array) -> StringArray {
    let values = (0..array.len()).map(|row| {
        if array.is_null(row) {
            return None;
        }
        let mut out = Vec::new();
        write_json(&cell(array, row), &mut out);
        // Only texts that were texts are written.
        Some(String::from_utf8_lossy(&out).into_owned())
    });
    values.collect()
}

/// A type as SQL calls it.
fn type_name(data_type: &DataType) -> String {
    let name = match data_type {
        DataType::Boolean => "BOOLEAN",
        DataType::Int8 => "TINYINT",
        DataType::Int16 => "SMALLINT",
        DataType::Int32 => "INT",
        DataType::Int64 => "BIGINT",
        DataType::UInt8 => "TINYINT UNSIGNED",
        DataType::UInt16 => "SMALLINT UNSIGNED",
        DataType::UInt32 => "INT UNSIGNED",
        DataType::UInt64 => "BIGINT UNSIGNED",
        DataType::Float16 | DataType::Float32 => "REAL",
        DataType::Float64 => "DOUBLE",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR",
        DataType::Timestamp(..) => "TIMESTAMP",
        DataType::Date32 | DataType::Date64 => "DATE",
        DataType::Time32(_) | DataType::Time64(_) => "TIME",
        DataType::Interval(_) | DataType::Duration(_) => "INTERVAL",
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => "DECIMAL",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            "BYTEA"
        }
        DataType::Map(..) => "MAP",
        DataType::Struct(_) => "STRUCT",
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            return format!("{}[]", type_name(item.data_type()));
        }
        DataType::Dictionary(_, values) => return type_name(values),
        DataType::Null => "NULL",
        other => return other.to_string(),
    };
    name.to_owned()
}
