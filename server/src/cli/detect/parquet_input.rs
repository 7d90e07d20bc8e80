//! Reads Parquet: any numeric column is a metric; the time may be a timestamp of any unit and zone, a date,
//! epoch milliseconds, or RFC 3339 texts. A null is a missing value.

use std::fs::File;
use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, new_empty_array};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMillisecondType};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::DetectFailure;
use super::input::{Input, TIME, Time, choose};
use super::instant::parse_instant_ms;

const BATCH_ROWS: usize = 65_536;

pub(super) fn read(path: &Path, chosen: &[String]) -> Result<Input, DetectFailure> {
    let file = File::open(path).map_err(DetectFailure::io("read", path))?;
    let parquet_error = |source| DetectFailure::Parquet {
        path: path.to_owned(),
        source,
    };
    let file_error = |message| DetectFailure::File {
        path: path.to_owned(),
        message,
    };
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(parquet_error)?;
    let schema = builder.schema().clone();
    let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let (time, metrics) = choose(path, &names, chosen)?;
    for place in &metrics {
        let data_type = schema.field(*place).data_type();
        if !data_type.is_numeric() {
            let advice = match data_type {
                DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
                    "the time column must be called \"time\""
                }
                _ => "choose the metrics with --columns",
            };
            return Err(file_error(format!(
                "column {:?} holds {data_type}, not numbers ({advice})",
                names[*place]
            )));
        }
    }
    let wanted = metrics.iter().copied().chain(time);
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
    let reader = builder
        .with_projection(mask)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(parquet_error)?;

    let mut columns: Vec<(String, Vec<f64>)> =
        metrics.iter().map(|i| (names[*i].clone(), Vec::new())).collect();
    let mut ms = Vec::new();
    let mut written: Vec<ArrayRef> = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|error| file_error(error.to_string()))?;
        for (name, values) in &mut columns {
            let Some(column) = batch.column_by_name(name) else {
                continue;
            };
            let numbers = cast(column, &DataType::Float64).map_err(|error| file_error(error.to_string()))?;
            values.extend(
                numbers
                    .as_primitive::<Float64Type>()
                    .iter()
                    .map(|value| value.unwrap_or(f64::NAN)),
            );
        }
        if let Some(column) = batch.column_by_name(TIME).filter(|_| time.is_some()) {
            append_ms(path, column, &mut ms)?;
            written.push(column.clone());
        }
    }
    let time = match time {
        Some(place) => {
            let parts: Vec<&dyn Array> = written.iter().map(AsRef::as_ref).collect();
            let written = if parts.is_empty() {
                new_empty_array(schema.field(place).data_type())
            } else {
                concat(&parts).map_err(|error| file_error(error.to_string()))?
            };
            Some(Time { ms, written })
        }
        None => None,
    };
    Ok(Input { time, columns })
}

/// Appends the instants of a batch in milliseconds.
fn append_ms(path: &Path, column: &ArrayRef, ms: &mut Vec<i64>) -> Result<(), DetectFailure> {
    let first_row = ms.len();
    let row_error = |i: usize, message| DetectFailure::Row {
        path: path.to_owned(),
        row: first_row + i + 1,
        message,
    };
    if let Some(i) = (0..column.len()).find(|i| column.is_null(*i)) {
        return Err(row_error(i, "the time is missing".to_owned()));
    }
    let to = |data_type: &DataType| {
        cast(column, data_type).map_err(|error| DetectFailure::File {
            path: path.to_owned(),
            message: format!("column \"time\": {error}"),
        })
    };
    match column.data_type() {
        DataType::Timestamp(_, zone) => {
            let array = to(&DataType::Timestamp(TimeUnit::Millisecond, zone.clone()))?;
            ms.extend(array.as_primitive::<TimestampMillisecondType>().values());
        }
        DataType::Date32 | DataType::Date64 => {
            let array = to(&DataType::Timestamp(TimeUnit::Millisecond, None))?;
            ms.extend(array.as_primitive::<TimestampMillisecondType>().values());
        }
        data_type if data_type.is_integer() => {
            ms.extend(to(&DataType::Int64)?.as_primitive::<Int64Type>().values());
        }
        data_type if data_type.is_floating() || data_type.is_string() || is_text_dictionary(data_type) => {
            let texts = to(&DataType::Utf8)?;
            for (i, text) in texts.as_string::<i32>().iter().enumerate() {
                let text = text.unwrap_or_default();
                let instant = parse_instant_ms(text)
                    .map_err(|why| row_error(i, format!("column \"time\": {text:?} {why}")))?;
                ms.push(instant);
            }
        }
        other => {
            let message = format!("column \"time\" holds {other}, not times");
            return Err(DetectFailure::File {
                path: path.to_owned(),
                message,
            });
        }
    }
    Ok(())
}

fn is_text_dictionary(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Dictionary(_, values) if values.is_string())
}
