//! Native histograms as a lane.
//!
//! ```text
//! <name>.histograms.parquet
//!   series_id INT64, ts TIMESTAMP(ms, UTC), created TIMESTAMP(ms, UTC)?, schema INT32, reset_hint VARCHAR
//!   sum DOUBLE, zero_threshold DOUBLE, flags INT32 (1: staleness marker)
//!   count, zero_count UINT64?                        of integer histograms
//!   count_float, zero_count_float DOUBLE?            of float histograms
//!   positive_spans, negative_spans LIST<STRUCT<offset INT32, length UINT32>>
//!   positive, negative LIST<UINT64>?                 counts of buckets, each by itself, of integer histograms
//!   positive_float, negative_float LIST<DOUBLE>?     likewise of float histograms
//!   custom_values LIST<DOUBLE>                       bounds where schema is -53
//! ```
//!
//! Integers and floats have columns of their own, because a count above 2^53 is not a double.

use std::cmp::Ordering;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use barograph_model::{Histogram, SeriesId};

use super::histogram_columns::{Columns, schema, to_batch};
use super::{Lane, LaneColumns, LaneRow};
use crate::segment::SegmentKind;

impl Lane for Histogram {
    const KIND: SegmentKind = SegmentKind::Histograms;

    /// A series has one histogram at an instant.
    fn compare(&self, _other: &Self) -> Ordering {
        Ordering::Equal
    }

    fn memory_bytes(&self) -> usize {
        size_of::<LaneRow<Self>>() - size_of::<Self>() + Histogram::memory_bytes(self)
    }

    fn of(columns: &LaneColumns) -> &[LaneRow<Self>] {
        &columns.histograms
    }

    fn schema() -> SchemaRef {
        schema()
    }

    fn to_batch(rows: &[(SeriesId, i64, Self)]) -> Result<RecordBatch, ArrowError> {
        to_batch(rows)
    }

    type Columns = Columns;

    fn columns(batch: &RecordBatch) -> Option<Columns> {
        Columns::new(batch)
    }

    fn row(columns: &Columns, row: usize) -> Result<(i64, Self), String> {
        columns.row(row)
    }
}
