//! `time_buckets(width, start, end)`: the begins of all intervals of a width that have an instant of `start <= t < end`, as column
//! `bucket`: what rows are joined to so that no interval is missing.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{Field, Schema};
use barograph_model::TimestampMs;
use datafusion::catalog::{MemTable, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::Result;

use super::arguments::Arguments;
use crate::sql::samples::timestamp_type;

const USAGE: &str = "time_buckets('5m', now() - INTERVAL '1 hour', now())";
/// Intervals of one call.
const BUCKETS_MAX: i64 = 1_000_000;

/// The function.
#[derive(Debug)]
pub(super) struct TimeBuckets;

impl TableFunctionImpl for TimeBuckets {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let arguments = Arguments::new("time_buckets", USAGE, args.exprs(), 3, 3)?;
        let width = arguments.duration_ms(0)?;
        let (start, end) = (arguments.instant_ms(1)?, arguments.instant_ms(2)?);
        let first = TimestampMs(start).align(width).0;
        let count = if end > start {
            // The last one begins before the end.
            (end.saturating_sub(1).saturating_sub(first)) / width + 1
        } else {
            0
        };
        if count > BUCKETS_MAX {
            let message = format!("would give {count} rows, {BUCKETS_MAX} are allowed");
            return Err(arguments.wrong(&message));
        }
        let starts: TimestampMillisecondArray = (0..count)
            .map(|i| Some(first.saturating_add(i * width)))
            .collect();
        let schema = Arc::new(Schema::new(vec![Field::new("bucket", timestamp_type(), false)]));
        let column: ArrayRef = Arc::new(starts.with_timezone("UTC"));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![column])?;
        Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
    }
}
