//! Histograms to columns and back; the layout stands in `histogram`.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Float64Builder, Int32Array, Int32Builder, Int64Array, ListArray,
    ListBuilder, RecordBatch, StringArray, StructArray, StructBuilder, TimestampMillisecondArray,
    UInt32Builder, UInt64Array, UInt64Builder,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Field, Fields, Float64Type, Int32Type, Schema, SchemaRef,
    TimestampMillisecondType, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;
use barograph_model::{Histogram, HistogramCounts, HistogramParts, ResetHint, SeriesId, Span, TimestampMs};

use crate::segment::{FLAG_STALE, timestamp};

/// The columns of a file of histograms.
pub(super) fn schema() -> SchemaRef {
    let list = |name: &str, of: DataType, nullable: bool| {
        Field::new(
            name,
            DataType::List(Arc::new(Field::new("item", of, false))),
            nullable,
        )
    };
    let spans = |name: &str| list(name, DataType::Struct(span_fields()), false);
    Arc::new(Schema::new(vec![
        Field::new("series_id", DataType::Int64, false),
        Field::new("ts", timestamp(), false),
        Field::new("created", timestamp(), true),
        Field::new("schema", DataType::Int32, false),
        Field::new("reset_hint", DataType::Utf8, false),
        Field::new("sum", DataType::Float64, false),
        Field::new("zero_threshold", DataType::Float64, false),
        Field::new("flags", DataType::Int32, false),
        Field::new("count", DataType::UInt64, true),
        Field::new("zero_count", DataType::UInt64, true),
        Field::new("count_float", DataType::Float64, true),
        Field::new("zero_count_float", DataType::Float64, true),
        spans("positive_spans"),
        spans("negative_spans"),
        list("positive", DataType::UInt64, true),
        list("negative", DataType::UInt64, true),
        list("positive_float", DataType::Float64, true),
        list("negative_float", DataType::Float64, true),
        list("custom_values", DataType::Float64, false),
    ]))
}

fn span_fields() -> Fields {
    Fields::from(vec![
        Field::new("offset", DataType::Int32, false),
        Field::new("length", DataType::UInt32, false),
    ])
}

/// The fields of each kind of count, `None` for the other kind.
struct Integers<'a>(u64, u64, &'a [u64], &'a [u64]);
struct Floats<'a>(f64, f64, &'a [f64], &'a [f64]);

fn integers(parts: &HistogramParts) -> Option<Integers<'_>> {
    match &parts.counts {
        HistogramCounts::Integer {
            count,
            zero_count,
            positive,
            negative,
        } => Some(Integers(*count, *zero_count, positive, negative)),
        HistogramCounts::Float { .. } => None,
    }
}

fn floats(parts: &HistogramParts) -> Option<Floats<'_>> {
    match &parts.counts {
        HistogramCounts::Float {
            count,
            zero_count,
            positive,
            negative,
        } => Some(Floats(*count, *zero_count, positive, negative)),
        HistogramCounts::Integer { .. } => None,
    }
}

/// Rows as a batch.
pub(super) fn to_batch(rows: &[(SeriesId, i64, Histogram)]) -> Result<RecordBatch, ArrowError> {
    let parts = || rows.iter().map(|row| row.2.parts());
    let ts = TimestampMillisecondArray::from_iter_values(rows.iter().map(|row| row.1));
    let created: TimestampMillisecondArray = parts().map(|p| p.created.map(|ts| ts.0)).collect();
    let flags = rows
        .iter()
        .map(|row| if row.2.is_stale() { FLAG_STALE } else { 0 });
    let whole = |of: fn(Integers<'_>) -> u64| -> ArrayRef {
        Arc::new(parts().map(|p| integers(p).map(of)).collect::<UInt64Array>())
    };
    let float = |of: fn(Floats<'_>) -> f64| -> ArrayRef {
        Arc::new(parts().map(|p| floats(p).map(of)).collect::<Float64Array>())
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0.0))),
        Arc::new(ts.with_timezone("UTC")),
        Arc::new(created.with_timezone("UTC")),
        Arc::new(Int32Array::from_iter_values(parts().map(|p| p.schema))),
        Arc::new(StringArray::from_iter_values(
            parts().map(|p| p.reset_hint.as_str()),
        )),
        Arc::new(Float64Array::from_iter_values(parts().map(|p| p.sum))),
        Arc::new(Float64Array::from_iter_values(parts().map(|p| p.zero_threshold))),
        Arc::new(Int32Array::from_iter_values(flags)),
        whole(|counts| counts.0),
        whole(|counts| counts.1),
        float(|counts| counts.0),
        float(|counts| counts.1),
        spans(parts().map(|p| &p.positive_spans[..])),
        spans(parts().map(|p| &p.negative_spans[..])),
        whole_lists(parts().map(|p| integers(p).map(|counts| counts.2))),
        whole_lists(parts().map(|p| integers(p).map(|counts| counts.3))),
        float_lists(parts().map(|p| floats(p).map(|counts| counts.2))),
        float_lists(parts().map(|p| floats(p).map(|counts| counts.3))),
        float_lists(parts().map(|p| Some(&p.custom_values[..]))),
    ];
    RecordBatch::try_new(schema(), columns)
}

fn spans<'a>(rows: impl Iterator<Item = &'a [Span]>) -> ArrayRef {
    let item = StructBuilder::new(
        span_fields(),
        vec![Box::new(Int32Builder::new()), Box::new(UInt32Builder::new())],
    );
    let field = Field::new("item", DataType::Struct(span_fields()), false);
    let mut list = ListBuilder::new(item).with_field(field);
    for row in rows {
        for span in row {
            let item = list.values();
            if let Some(offsets) = item.field_builder::<Int32Builder>(0) {
                offsets.append_value(span.offset);
            }
            if let Some(lengths) = item.field_builder::<UInt32Builder>(1) {
                lengths.append_value(span.length);
            }
            item.append(true);
        }
        list.append(true);
    }
    Arc::new(list.finish())
}

fn whole_lists<'a>(rows: impl Iterator<Item = Option<&'a [u64]>>) -> ArrayRef {
    let field = Field::new("item", DataType::UInt64, false);
    let mut list = ListBuilder::new(UInt64Builder::new()).with_field(field);
    for row in rows {
        list.values().append_slice(row.unwrap_or_default());
        list.append(row.is_some());
    }
    Arc::new(list.finish())
}

fn float_lists<'a>(rows: impl Iterator<Item = Option<&'a [f64]>>) -> ArrayRef {
    let field = Field::new("item", DataType::Float64, false);
    let mut list = ListBuilder::new(Float64Builder::new()).with_field(field);
    for row in rows {
        list.values().append_slice(row.unwrap_or_default());
        list.append(row.is_some());
    }
    Arc::new(list.finish())
}

/// The columns of a batch that was read.
pub(crate) struct Columns {
    ts: TimestampMillisecondArray,
    created: TimestampMillisecondArray,
    schema: Int32Array,
    reset_hint: StringArray,
    sum: Float64Array,
    zero_threshold: Float64Array,
    count: UInt64Array,
    zero_count: UInt64Array,
    count_float: Float64Array,
    zero_count_float: Float64Array,
    positive_spans: ListArray,
    negative_spans: ListArray,
    positive: ListArray,
    negative: ListArray,
    positive_float: ListArray,
    negative_float: ListArray,
    custom_values: ListArray,
}

impl Columns {
    /// Finds the columns; `None` where one is missing or of another type.
    pub(super) fn new(batch: &RecordBatch) -> Option<Self> {
        fn numbers<T: ArrowPrimitiveType>(
            batch: &RecordBatch,
            name: &str,
        ) -> Option<arrow::array::PrimitiveArray<T>> {
            batch.column_by_name(name)?.as_primitive_opt::<T>().cloned()
        }
        let lists = |name: &str| batch.column_by_name(name)?.as_list_opt::<i32>().cloned();
        Some(Self {
            ts: numbers::<TimestampMillisecondType>(batch, "ts")?,
            created: numbers::<TimestampMillisecondType>(batch, "created")?,
            schema: numbers::<Int32Type>(batch, "schema")?,
            reset_hint: batch
                .column_by_name("reset_hint")?
                .as_string_opt::<i32>()?
                .clone(),
            sum: numbers::<Float64Type>(batch, "sum")?,
            zero_threshold: numbers::<Float64Type>(batch, "zero_threshold")?,
            count: numbers::<UInt64Type>(batch, "count")?,
            zero_count: numbers::<UInt64Type>(batch, "zero_count")?,
            count_float: numbers::<Float64Type>(batch, "count_float")?,
            zero_count_float: numbers::<Float64Type>(batch, "zero_count_float")?,
            positive_spans: lists("positive_spans")?,
            negative_spans: lists("negative_spans")?,
            positive: lists("positive")?,
            negative: lists("negative")?,
            positive_float: lists("positive_float")?,
            negative_float: lists("negative_float")?,
            custom_values: lists("custom_values")?,
        })
    }

    /// The instant and the histogram in a row, or what is wrong with it.
    pub(super) fn row(&self, row: usize) -> Result<(i64, Histogram), String> {
        let counts = if self.count.is_valid(row) {
            HistogramCounts::Integer {
                count: self.count.value(row),
                zero_count: self.zero_count.value(row),
                positive: values::<UInt64Type>(&self.positive, row)?,
                negative: values::<UInt64Type>(&self.negative, row)?,
            }
        } else {
            HistogramCounts::Float {
                count: self.count_float.value(row),
                zero_count: self.zero_count_float.value(row),
                positive: values::<Float64Type>(&self.positive_float, row)?,
                negative: values::<Float64Type>(&self.negative_float, row)?,
            }
        };
        let reset_hint = self.reset_hint.value(row);
        let parts = HistogramParts {
            schema: self.schema.value(row),
            reset_hint: ResetHint::from_name(reset_hint)
                .ok_or_else(|| format!("the reset hint {reset_hint:?}"))?,
            created: self
                .created
                .is_valid(row)
                .then(|| TimestampMs(self.created.value(row))),
            sum: self.sum.value(row),
            zero_threshold: self.zero_threshold.value(row),
            positive_spans: spans_of(&self.positive_spans, row)?,
            negative_spans: spans_of(&self.negative_spans, row)?,
            counts,
            custom_values: values::<Float64Type>(&self.custom_values, row)?,
        };
        let histogram = Histogram::new(parts).map_err(|error| error.to_string())?;
        Ok((self.ts.value(row), histogram))
    }
}

fn values<T: ArrowPrimitiveType>(lists: &ListArray, row: usize) -> Result<Vec<T::Native>, String> {
    let list = lists.value(row);
    let numbers = list.as_primitive_opt::<T>().ok_or("a list of another type")?;
    Ok(numbers.values().to_vec())
}

fn spans_of(lists: &ListArray, row: usize) -> Result<Vec<Span>, String> {
    let list = lists.value(row);
    let spans: &StructArray = list.as_struct_opt().ok_or("spans of another type")?;
    let offsets = spans
        .column(0)
        .as_primitive_opt::<Int32Type>()
        .ok_or("offsets of another type")?;
    let lengths = spans
        .column(1)
        .as_primitive_opt::<UInt32Type>()
        .ok_or("lengths of another type")?;
    let spans = offsets.values().iter().zip(lengths.values());
    Ok(spans.map(|(&offset, &length)| Span { offset, length }).collect())
}
