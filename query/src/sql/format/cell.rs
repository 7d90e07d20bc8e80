//! One value of an array, as the writers show it.

use std::borrow::Cow;
use std::io::Write;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::timestamp::{rfc3339, rfc3339_ns};

/// A value, reduced to what the formats tell apart.
#[derive(Debug)]
pub(super) enum Cell<'a> {
    Null,
    Boolean(bool),
    /// A whole or decimal number, already as digits.
    Digits(String),
    Float(f64),
    Text(Cow<'a, str>),
    List(ArrayRef),
    /// Names and one value each.
    Object(Vec<(String, ArrayRef)>),
}

/// The value at `row`.
pub(super) fn cell(array: &dyn Array, row: usize) -> Cell<'_> {
    if array.is_null(row) {
        return Cell::Null;
    }
    macro_rules! digits {
        ($type:ty) => {
            Cell::Digits(array.as_primitive::<$type>().value(row).to_string())
        };
    }
    match array.data_type() {
        DataType::Null => Cell::Null,
        DataType::Boolean => Cell::Boolean(array.as_boolean().value(row)),
        DataType::Int8 => digits!(Int8Type),
        DataType::Int16 => digits!(Int16Type),
        DataType::Int32 => digits!(Int32Type),
        DataType::Int64 => digits!(Int64Type),
        DataType::UInt8 => digits!(UInt8Type),
        DataType::UInt16 => digits!(UInt16Type),
        DataType::UInt32 => digits!(UInt32Type),
        DataType::UInt64 => digits!(UInt64Type),
        DataType::Float16 => Cell::Float(array.as_primitive::<Float16Type>().value(row).to_f64()),
        DataType::Float32 => Cell::Float(array.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => Cell::Float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(row).into()),
        DataType::LargeUtf8 => Cell::Text(array.as_string::<i64>().value(row).into()),
        DataType::Utf8View => Cell::Text(array.as_string_view().value(row).into()),
        DataType::Timestamp(unit, _) => Cell::Text(timestamp(array, *unit, row).into()),
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => Cell::Digits(displayed(array, row)),
        DataType::Dictionary(..) => match array.as_any_dictionary_opt() {
            Some(dictionary) if !dictionary.values().is_empty() => {
                cell(dictionary.values().as_ref(), dictionary.normalized_keys()[row])
            }
            _ => Cell::Null,
        },
        DataType::List(_) => Cell::List(array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => Cell::List(array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => Cell::List(array.as_fixed_size_list().value(row)),
        DataType::Struct(_) => {
            let columns = array.as_struct();
            let names = columns.column_names().into_iter().map(str::to_owned);
            Cell::Object(
                names
                    .zip(columns.columns().iter().map(|column| column.slice(row, 1)))
                    .collect(),
            )
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let key = |i| displayed(entries.column(0), i);
            Cell::Object(
                (0..entries.len())
                    .map(|i| (key(i), entries.column(1).slice(i, 1)))
                    .collect(),
            )
        }
        _ => Cell::Text(displayed(array, row).into()),
    }
}

fn timestamp(array: &dyn Array, unit: TimeUnit, row: usize) -> String {
    match unit {
        TimeUnit::Second => rfc3339(
            array
                .as_primitive::<TimestampSecondType>()
                .value(row)
                .saturating_mul(1_000),
        ),
        TimeUnit::Millisecond => rfc3339(array.as_primitive::<TimestampMillisecondType>().value(row)),
        TimeUnit::Microsecond => {
            let us = array.as_primitive::<TimestampMicrosecondType>().value(row);
            us.checked_mul(1_000)
                .map_or_else(|| rfc3339(us.div_euclid(1_000)), rfc3339_ns)
        }
        TimeUnit::Nanosecond => rfc3339_ns(array.as_primitive::<TimestampNanosecondType>().value(row)),
    }
}

/// Types that only turn up in expressions are shown as Arrow shows them.
fn displayed(array: &dyn Array, row: usize) -> String {
    let options = FormatOptions::default();
    match ArrayFormatter::try_new(array, &options) {
        Ok(formatter) => formatter
            .value(row)
            .try_to_string()
            .unwrap_or_else(|error| error.to_string()),
        Err(error) => error.to_string(),
    }
}

/// A number that JSON has no way to write.
pub(super) fn not_finite(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value == f64::INFINITY {
        Some("+Inf")
    } else if value == f64::NEG_INFINITY {
        Some("-Inf")
    } else {
        None
    }
}

/// A finite number in the shortest way that reads back to the same bits.
pub(super) fn write_float(value: f64, out: &mut Vec<u8>) {
    // Writing to memory does not fail, and a finite number is valid JSON.
    let _ = serde_json::to_writer(out, &value);
}

/// A value as JSON.
pub(super) fn write_json(value: &Cell<'_>, out: &mut Vec<u8>) {
    match value {
        Cell::Null => out.extend_from_slice(b"null"),
        Cell::Boolean(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Cell::Digits(digits) => out.extend_from_slice(digits.as_bytes()),
        Cell::Float(value) => match not_finite(*value) {
            Some(text) => {
                let _ = write!(out, "\"{text}\"");
            }
            None => write_float(*value, out),
        },
        Cell::Text(text) => write_json_text(text, out),
        Cell::List(items) => {
            out.push(b'[');
            for row in 0..items.len() {
                if row > 0 {
                    out.push(b',');
                }
                write_json(&cell(items.as_ref(), row), out);
            }
            out.push(b']');
        }
        Cell::Object(fields) => {
            out.push(b'{');
            for (i, (name, value)) in fields.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_json_text(name, out);
                out.push(b':');
                write_json(&cell(value.as_ref(), 0), out);
            }
            out.push(b'}');
        }
    }
}

pub(super) fn write_json_text(text: &str, out: &mut Vec<u8>) {
    let _ = serde_json::to_writer(out, text);
}

/// A value as plain text, NULL as nothing; what is nested is JSON.
pub(super) fn write_plain(value: &Cell<'_>, out: &mut Vec<u8>) {
    match value {
        Cell::Null => {}
        Cell::Text(text) => out.extend_from_slice(text.as_bytes()),
        Cell::Float(value) => match not_finite(*value) {
            Some(text) => out.extend_from_slice(text.as_bytes()),
            None => write_float(*value, out),
        },
        other => write_json(other, out),
    }
}
