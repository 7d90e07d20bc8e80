//! The series file of a segment: who its rows belong to.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    AsArray, Int64Array, MapArray, MapBuilder, RecordBatch, StringArray, StringBuilder,
    TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Int64Type};
use barograph_model::{Labels, SeriesId};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder, RowSelection};

use super::SegmentMeta;
use super::file_writer::{FileSum, FileWriter, at};
use super::schema::{series_properties, series_schema};
use super::verified::VerifiedBytes;
use crate::vfs::Vfs;
use crate::{EngineError, Result};

/// Series of a batch while writing and reading.
const BATCH_SERIES: usize = 8192;

/// One row of the series file.
#[derive(Debug, Clone)]
pub(crate) struct SeriesRow {
    pub(crate) id: SeriesId,
    pub(crate) labels: Arc<Labels>,
    pub(crate) first_row: u64,
    pub(crate) rows: u64,
    pub(crate) ts_min: i64,
    pub(crate) ts_max: i64,
}

/// Writes the rows of a segment, which are in storage order.
pub(crate) fn write(vfs: &Arc<dyn Vfs>, meta: &SegmentMeta, rows: &[SeriesRow]) -> Result<FileSum> {
    let path = meta.series_path();
    let mut writer = FileWriter::create(vfs, path.clone(), series_schema(), series_properties(meta))?;
    for part in rows.chunks(BATCH_SERIES) {
        writer.write(&batch(part).map_err(|e| at(&path)(e.into()))?)?;
    }
    writer.finish()
}

fn batch(rows: &[SeriesRow]) -> std::result::Result<RecordBatch, arrow::error::ArrowError> {
    let mut labels = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new())
        .with_keys_field(Field::new("key", DataType::Utf8, false))
        .with_values_field(Field::new("value", DataType::Utf8, false));
    for row in rows {
        for (name, value) in row.labels.iter() {
            labels.keys().append_value(name);
            labels.values().append_value(value);
        }
        labels.append(true)?;
    }
    let labels = labels.finish();
    let schema = series_schema();
    // The builder names the entries its own way; the file's schema decides.
    let labels = arrow::array::MapArray::try_new(
        match schema.field(2).data_type() {
            DataType::Map(entry, _) => Arc::clone(entry),
            _ => Arc::clone(&labels.entries().fields()[0]),
        },
        labels.offsets().clone(),
        arrow::array::StructArray::from(vec![
            (
                Arc::new(Field::new("key", DataType::Utf8, false)),
                Arc::clone(labels.keys()),
            ),
            (
                Arc::new(Field::new("value", DataType::Utf8, false)),
                Arc::clone(labels.values()),
            ),
        ]),
        None,
        false,
    )?;
    let timestamps = |of: fn(&SeriesRow) -> i64| {
        Arc::new(TimestampMillisecondArray::from_iter_values(rows.iter().map(of)).with_timezone("UTC"))
    };
    RecordBatch::try_new(
        schema,
        vec![
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.id.0))),
            Arc::new(StringArray::from_iter_values(
                rows.iter().map(|r| r.labels.metric()),
            )),
            Arc::new(labels),
            Arc::new(Int64Array::from_iter_values(
                rows.iter().map(|r| r.first_row as i64),
            )),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.rows as i64))),
            timestamps(|r| r.ts_min),
            timestamps(|r| r.ts_max),
        ],
    )
}

/// Reads all rows; their row ranges are contiguous from 0 or the file is refused.
pub(super) fn read(path: &str, bytes: VerifiedBytes) -> Result<Vec<SeriesRow>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)
        .and_then(|builder| builder.with_batch_size(BATCH_SERIES).build())
        .map_err(at(path))?;
    let mut rows: Vec<SeriesRow> = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|e| at(path)(e.into()))?;
        read_batch(&batch, &mut rows)
            .map_err(|found| corrupt(path, "a series file with contiguous row ranges", found))?;
    }
    Ok(rows)
}

/// Reads the labels of some places, given ascending; nothing but the pages they lie in is decoded.
pub(super) fn read_labels(
    path: &str,
    bytes: VerifiedBytes,
    footer: &ArrowReaderMetadata,
    places: &[u32],
) -> Result<Vec<Arc<Labels>>> {
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, footer.clone());
    let columns = ProjectionMask::columns(
        builder.parquet_schema(),
        ["labels.key_value.key", "labels.key_value.value"],
    );
    let total = footer.metadata().file_metadata().num_rows() as usize;
    let ranges = places.chunk_by(|a, b| a + 1 == *b).map(|run| {
        let start = run[0] as usize;
        start..start + run.len()
    });
    let reader = builder
        .with_projection(columns)
        .with_batch_size(BATCH_SERIES.min(places.len().max(1)))
        .with_row_selection(RowSelection::from_consecutive_ranges(ranges, total))
        .build()
        .map_err(at(path))?;
    let mut labels = Vec::with_capacity(places.len());
    for batch in reader {
        let batch = batch.map_err(|e| at(path)(e.into()))?;
        let maps = LabelMaps::of(&batch).map_err(|found| corrupt(path, "a map of labels", found))?;
        for i in 0..batch.num_rows() {
            let set = maps
                .labels(i)
                .map_err(|found| corrupt(path, "a label set", found))?;
            labels.push(Arc::new(set));
        }
    }
    if labels.len() == places.len() {
        return Ok(labels);
    }
    let found = format!("{} of them", labels.len());
    Err(corrupt(
        path,
        &format!("labels of {} series", places.len()),
        found,
    ))
}

fn corrupt(path: &str, expected: &str, found: String) -> EngineError {
    EngineError::Corrupt {
        path: PathBuf::from(path),
        offset: 0,
        expected: expected.to_owned(),
        found,
    }
}

/// The label columns of a batch.
struct LabelMaps<'a> {
    maps: &'a MapArray,
    keys: &'a StringArray,
    values: &'a StringArray,
}

impl<'a> LabelMaps<'a> {
    fn of(batch: &'a RecordBatch) -> std::result::Result<Self, String> {
        let maps = batch
            .column_by_name("labels")
            .and_then(|c| c.as_map_opt())
            .ok_or("labels are not a map")?;
        Ok(Self {
            maps,
            keys: maps
                .keys()
                .as_string_opt::<i32>()
                .ok_or("label names are not text")?,
            values: maps
                .values()
                .as_string_opt::<i32>()
                .ok_or("label values are not text")?,
        })
    }

    fn labels(&self, row: usize) -> std::result::Result<Labels, String> {
        let offsets = self.maps.value_offsets();
        let entries = offsets[row] as usize..offsets[row + 1] as usize;
        Labels::from_pairs(entries.map(|i| (self.keys.value(i), self.values.value(i))))
            .map_err(|e| e.to_string())
    }
}

pub(super) fn read_batch(batch: &RecordBatch, rows: &mut Vec<SeriesRow>) -> std::result::Result<(), String> {
    let column = |name: &str| {
        batch
            .column_by_name(name)
            .ok_or_else(|| format!("no column {name}"))
    };
    let integers = |name: &str| -> std::result::Result<Vec<i64>, String> {
        let array = arrow::compute::cast(column(name)?, &DataType::Int64).map_err(|e| e.to_string())?;
        Ok(array.as_primitive::<Int64Type>().values().to_vec())
    };
    let (ids, first, count) = (integers("series_id")?, integers("first_row")?, integers("rows")?);
    let (ts_min, ts_max) = (integers("ts_min")?, integers("ts_max")?);
    let maps = LabelMaps::of(batch)?;
    for i in 0..batch.num_rows() {
        let labels = maps.labels(i)?;
        let expected_first = rows.last().map_or(0, |r| r.first_row + r.rows);
        let (first_row, rows_of_series) = (first[i] as u64, count[i] as u64);
        if first_row != expected_first || count[i] <= 0 {
            return Err(format!(
                "rows {first_row}+{} after row {expected_first}",
                count[i]
            ));
        }
        rows.push(SeriesRow {
            id: SeriesId(ids[i]),
            labels: Arc::new(labels),
            first_row,
            rows: rows_of_series,
            ts_min: ts_min[i],
            ts_max: ts_max[i],
        });
    }
    Ok(())
}
