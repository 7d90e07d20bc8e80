//! Exemplars as a lane.
//!
//! ```text
//! <name>.exemplars.parquet   series_id INT64, ts TIMESTAMP(ms, UTC), value DOUBLE, labels MAP<VARCHAR, VARCHAR>
//! ```
//!
//! Two exemplars of a series and an instant are the same where their labels are: several traces may be sampled at once.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, MapArray, MapBuilder, RecordBatch, StringBuilder,
    StructArray, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Fields, Float64Type, Schema, SchemaRef, TimestampMillisecondType};
use arrow::error::ArrowError;
use barograph_model::{Exemplar, Labels, SeriesId, TimestampMs};

use super::{Lane, LaneColumns, LaneRow};
use crate::segment::{SegmentKind, timestamp};

impl Lane for Exemplar {
    const KIND: SegmentKind = SegmentKind::Exemplars;

    fn compare(&self, other: &Self) -> Ordering {
        self.labels.cmp(&other.labels)
    }

    fn memory_bytes(&self) -> usize {
        size_of::<LaneRow<Self>>() + self.labels.heap_bytes()
    }

    fn of(columns: &LaneColumns) -> &[LaneRow<Self>] {
        &columns.exemplars
    }

    fn schema() -> SchemaRef {
        let labels = DataType::Map(
            Arc::new(Field::new("key_value", DataType::Struct(entry()), false)),
            false,
        );
        Arc::new(Schema::new(vec![
            Field::new("series_id", DataType::Int64, false),
            Field::new("ts", timestamp(), false),
            Field::new("value", DataType::Float64, false),
            Field::new("labels", labels, false),
        ]))
    }

    fn to_batch(rows: &[(SeriesId, i64, Self)]) -> Result<RecordBatch, ArrowError> {
        let mut labels = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new())
            .with_keys_field(Field::new("key", DataType::Utf8, false))
            .with_values_field(Field::new("value", DataType::Utf8, false));
        for (_, _, exemplar) in rows {
            for (name, value) in exemplar.labels.iter() {
                labels.keys().append_value(name);
                labels.values().append_value(value);
            }
            labels.append(true)?;
        }
        let labels = labels.finish();
        // The builder names the entries its own way.
        let entries = StructArray::new(
            entry(),
            vec![Arc::clone(labels.keys()), Arc::clone(labels.values())],
            None,
        );
        let field = Arc::new(Field::new("key_value", DataType::Struct(entry()), false));
        let labels = MapArray::try_new(field, labels.offsets().clone(), entries, None, false)?;
        let ts = TimestampMillisecondArray::from_iter_values(rows.iter().map(|row| row.1));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0.0))),
            Arc::new(ts.with_timezone("UTC")),
            Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.2.value))),
            Arc::new(labels),
        ];
        RecordBatch::try_new(Self::schema(), columns)
    }

    type Columns = Columns;

    fn columns(batch: &RecordBatch) -> Option<Columns> {
        Some(Columns {
            ts: batch
                .column_by_name("ts")?
                .as_primitive_opt::<TimestampMillisecondType>()?
                .clone(),
            values: batch
                .column_by_name("value")?
                .as_primitive_opt::<Float64Type>()?
                .clone(),
            labels: batch.column_by_name("labels")?.as_map_opt()?.clone(),
        })
    }

    fn row(columns: &Columns, row: usize) -> Result<(i64, Self), String> {
        let entries = columns.labels.value(row);
        let texts = |column: usize| {
            let texts = entries.column(column).as_string_opt::<i32>();
            texts.ok_or("labels that are not text")
        };
        let (names, values) = (texts(0)?, texts(1)?);
        let pairs = (0..entries.len()).map(|i| (names.value(i), values.value(i)));
        let ts = columns.ts.value(row);
        let exemplar = Self {
            labels: Labels::from_pairs(pairs).map_err(|error| error.to_string())?,
            value: columns.values.value(row),
            ts: TimestampMs(ts),
        };
        Ok((ts, exemplar))
    }
}

/// The columns of a batch.
pub(crate) struct Columns {
    ts: TimestampMillisecondArray,
    values: Float64Array,
    labels: MapArray,
}

fn entry() -> Fields {
    Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Utf8, false),
    ])
}
