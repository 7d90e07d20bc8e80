//! What the lanes differ in.

use std::cmp::Ordering;
use std::fmt::Debug;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use barograph_model::SeriesId;

use super::LaneColumns;
use crate::segment::SegmentKind;

/// A kind of thing that a series has at an instant. Implemented by [`Histogram`](barograph_model::Histogram) and
/// [`Exemplar`](barograph_model::Exemplar).
pub(crate) trait Lane: Debug + Clone + Send + Sync + Sized + 'static {
    /// The kind of the lane's segments.
    const KIND: SegmentKind;

    /// Orders things of one series and instant. Those that are equal are the same thing, written again.
    fn compare(&self, other: &Self) -> Ordering;

    /// Bytes of memory, itself included.
    fn memory_bytes(&self) -> usize;

    /// The lane's rows in a batch.
    fn of(columns: &LaneColumns) -> &[super::LaneRow<Self>];

    /// The columns of the lane's file: `series_id`, `ts`, then its own.
    fn schema() -> SchemaRef;

    /// Rows as a batch of that schema.
    fn to_batch(rows: &[(SeriesId, i64, Self)]) -> Result<RecordBatch, ArrowError>;

    /// The columns of a batch that was read.
    type Columns: Send;

    /// Finds the columns; `None` where one is missing or of another type.
    fn columns(batch: &RecordBatch) -> Option<Self::Columns>;

    /// The instant and the thing in a row, or what is wrong with it.
    fn row(columns: &Self::Columns, row: usize) -> Result<(i64, Self), String>;
}

/// Sorts rows of one series, oldest write first, and keeps the newest of those that are the same.
pub(crate) fn settle<V: Lane>(rows: &mut Vec<(i64, V)>) {
    let in_order = rows.windows(2).all(|pair| pair[0].0 < pair[1].0);
    if in_order {
        return;
    }
    // Stable: of equal rows the newest stays last.
    rows.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.compare(&b.1)));
    rows.reverse();
    rows.dedup_by(|older, newer| older.0 == newer.0 && older.1.compare(&newer.1) == Ordering::Equal);
    rows.reverse();
}
