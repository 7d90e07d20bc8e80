//! The series file of a segment: who its rows belong to.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::array::{
    ArrayRef, Int64Array, MapArray, MapBuilder, RecordBatch, StringArray, StringBuilder, StructArray,
    TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Int64Type};
use arrow::error::ArrowError;
use barograph_model::{Labels, METRIC_NAME, SeriesId};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::SegmentMeta;
use super::file_writer::{FileSum, FileWriter, at};
use super::label_sets::{LabelColumns, LabelSet, corrupt, targets};
use super::schema::{series_properties, series_schema};
use super::verified::VerifiedBytes;
use crate::Result;
use crate::vfs::Vfs;

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
    let targets = targets(rows);
    for start in (0..rows.len()).step_by(BATCH_SERIES) {
        let end = rows.len().min(start + BATCH_SERIES);
        let batch = batch(start, &rows[start..end], &targets[start..end]);
        writer.write(&batch.map_err(|e| at(&path)(e.into()))?)?;
    }
    writer.finish()
}

/// The batch of some rows, the first of which is row `start` of the file.
pub(super) fn batch(
    start: usize,
    rows: &[SeriesRow],
    targets: &[u32],
) -> std::result::Result<RecordBatch, ArrowError> {
    let timestamps = |of: fn(&SeriesRow) -> i64| {
        Arc::new(TimestampMillisecondArray::from_iter_values(rows.iter().map(of)).with_timezone("UTC"))
    };
    RecordBatch::try_new(
        series_schema(),
        vec![
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.id.0))),
            Arc::new(StringArray::from_iter_values(
                rows.iter().map(|r| r.labels.metric()),
            )),
            Arc::new(Int64Array::from_iter_values(
                targets.iter().map(|t| i64::from(*t)),
            )),
            label_maps(start, rows, targets)?,
            Arc::new(Int64Array::from_iter_values(
                rows.iter().map(|r| r.first_row as i64),
            )),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.rows as i64))),
            timestamps(|r| r.ts_min),
            timestamps(|r| r.ts_max),
        ],
    )
}

/// The labels of the rows that are their own target, without the metric.
fn label_maps(
    start: usize,
    rows: &[SeriesRow],
    targets: &[u32],
) -> std::result::Result<ArrayRef, ArrowError> {
    let text = |name: &str| Arc::new(Field::new(name, DataType::Utf8, false));
    let mut labels = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new())
        .with_keys_field(text("key"))
        .with_values_field(text("value"));
    for (i, (row, target)) in rows.iter().zip(targets).enumerate() {
        let is_own = *target as usize == start + i;
        let others = row.labels.iter().filter(|(name, _)| *name != METRIC_NAME);
        for (name, value) in others.filter(|_| is_own) {
            labels.keys().append_value(name);
            labels.values().append_value(value);
        }
        labels.append(is_own)?;
    }
    let labels = labels.finish();
    let schema = series_schema();
    // The builder names the entries its own way; the file's schema decides.
    let entry = match schema.field_with_name("labels")?.data_type() {
        DataType::Map(entry, _) => Arc::clone(entry),
        _ => Arc::clone(&labels.entries().fields()[0]),
    };
    let entries = StructArray::from(vec![
        (text("key"), Arc::clone(labels.keys())),
        (text("value"), Arc::clone(labels.values())),
    ]);
    let (offsets, nulls) = (labels.offsets().clone(), labels.nulls().cloned());
    Ok(Arc::new(MapArray::try_new(
        entry, offsets, entries, nulls, false,
    )?))
}

/// Reads all rows; their row ranges are contiguous from 0 or the file is refused.
pub(super) fn read(path: &str, bytes: VerifiedBytes) -> Result<Vec<SeriesRow>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)
        .and_then(|builder| builder.with_batch_size(BATCH_SERIES).build())
        .map_err(at(path))?;
    let mut rows: Vec<SeriesRow> = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|e| at(path)(e.into()))?;
        let sets = |places: &[u32]| {
            // Those before this batch: all of them have been read.
            Ok(places
                .iter()
                .map(|place| Arc::clone(&rows[*place as usize].labels))
                .collect())
        };
        let more = read_batch(path, &batch, rows.len() as u64, rows.last(), sets)?;
        rows.extend(more);
    }
    Ok(rows)
}

/// Reads the rows of a batch, whose first is row `start` of the file and follows `before`. `sets` gives the labels of
/// earlier rows, named ascending, whatever their metric.
///
/// # Errors
/// [`EngineError::Corrupt`](crate::EngineError::Corrupt) where rows do not follow one another, or labels are missing.
pub(super) fn read_batch(
    path: &str,
    batch: &RecordBatch,
    start: u64,
    before: Option<&SeriesRow>,
    sets: impl FnOnce(&[u32]) -> Result<Vec<Arc<Labels>>>,
) -> Result<Vec<SeriesRow>> {
    const EXPECTED: &str = "a series file with contiguous row ranges";
    let wrong = |found| corrupt(path, EXPECTED, found);
    let columns = LabelColumns::of(batch).map_err(wrong)?;
    let numbers = Numbers::of(batch).map_err(wrong)?;
    let labels = |i: usize| columns.set(i, start + i as u64).map_err(wrong);
    let named = (0..batch.num_rows())
        .map(labels)
        .collect::<Result<Vec<LabelSet>>>()?;
    let mut earlier: Vec<u32> = named
        .iter()
        .filter_map(|set| match set {
            LabelSet::Of(place) if u64::from(*place) < start => Some(*place),
            _ => None,
        })
        .collect();
    earlier.sort_unstable();
    earlier.dedup();
    let sets = if earlier.is_empty() {
        Vec::new()
    } else {
        sets(&earlier)?
    };
    let mut next = before.map_or(0, |row| row.first_row + row.rows);
    let mut rows: Vec<SeriesRow> = Vec::with_capacity(named.len());
    for (i, set) in named.into_iter().enumerate() {
        let labels = match set {
            LabelSet::Here(labels) => labels,
            LabelSet::Of(place) => {
                let found = match u64::from(place).checked_sub(start) {
                    Some(here) => rows.get(here as usize).map(|row| &row.labels),
                    None => earlier.binary_search(&place).ok().and_then(|at| sets.get(at)),
                };
                let set = found.ok_or_else(|| wrong(format!("no labels in row {place}")))?;
                set.with_metric(columns.metric(i))
            }
        };
        let row = numbers.row(i, labels, next).map_err(wrong)?;
        next = row.first_row + row.rows;
        rows.push(row);
    }
    Ok(rows)
}

/// The columns of a batch that are numbers.
struct Numbers {
    ids: Vec<i64>,
    first_rows: Vec<i64>,
    rows: Vec<i64>,
    ts_min: Vec<i64>,
    ts_max: Vec<i64>,
}

impl Numbers {
    fn of(batch: &RecordBatch) -> std::result::Result<Self, String> {
        let integers = |name: &str| {
            let column = batch
                .column_by_name(name)
                .ok_or_else(|| format!("no column {name}"))?;
            let array = arrow::compute::cast(column, &DataType::Int64).map_err(|e| e.to_string())?;
            Ok::<_, String>(array.as_primitive::<Int64Type>().values().to_vec())
        };
        Ok(Self {
            ids: integers("series_id")?,
            first_rows: integers("first_row")?,
            rows: integers("rows")?,
            ts_min: integers("ts_min")?,
            ts_max: integers("ts_max")?,
        })
    }

    /// Row `i`, whose samples begin at row `expected_first`.
    fn row(&self, i: usize, labels: Labels, expected_first: u64) -> std::result::Result<SeriesRow, String> {
        let (first_row, count) = (self.first_rows[i] as u64, self.rows[i]);
        if first_row != expected_first || count <= 0 {
            return Err(format!("rows {first_row}+{count} after row {expected_first}"));
        }
        Ok(SeriesRow {
            id: SeriesId(self.ids[i]),
            labels: Arc::new(labels),
            first_row,
            rows: count as u64,
            ts_min: self.ts_min[i],
            ts_max: self.ts_max[i],
        })
    }
}
