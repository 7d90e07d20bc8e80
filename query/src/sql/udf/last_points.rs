//! `last_points('selector' [, lookback [, at]])`: the newest sample of each series at an instant, which is `now()` where none is given.
//!
//! A series whose newest sample is older than `lookback` before the instant, or is a staleness marker, has none. The default lookback is
//! that of PromQL. What is read is the rows of matching series within the lookback, and nothing else.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringViewArray, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use barograph_engine::{SeriesReader, SeriesRows, SeriesScan, Snapshot};
use barograph_model::{METRIC_NAME, Matcher, TimeRange, TimestampMs, is_stale};
use datafusion::catalog::{Session, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::arguments::Arguments;
use crate::parse_selector;
use crate::sql::error::store_error;
use crate::sql::labels_column::{labels_array, labels_type};
use crate::sql::samples::timestamp_type;
use crate::sql::scan_exec::{Batches, ScanExec, Source};

const USAGE: &str = "last_points('up{job=\"api\"}'), last_points('up', '1h') or last_points('up', '1h', '2026-01-31T12:00:00Z')";
/// Series of one batch.
const BATCH_SERIES: usize = 1_024;
/// Series that are worth a partition, and partitions at most.
const PARTITION_SERIES: usize = 4 * BATCH_SERIES;
const PARTITIONS_MAX: usize = 16;

/// The function, of one query.
#[derive(Debug)]
pub(crate) struct LastPoints {
    pub(crate) snapshot: Snapshot,
    /// What `now()` is.
    pub(crate) now_ms: i64,
    /// How far back it looks where a call does not say.
    pub(crate) lookback_ms: i64,
}

impl TableFunctionImpl for LastPoints {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let arguments = Arguments::new("last_points", USAGE, args.exprs(), 1, 3)?;
        let matchers = parse_selector(arguments.text(0)?)
            .map_err(|error| arguments.wrong(&format!("takes a selector: {error}")))?;
        let lookback_ms = match arguments.len() {
            1 => self.lookback_ms,
            _ => arguments.duration_ms(1)?,
        };
        let at_ms = match arguments.len() {
            3 => arguments.instant_ms(2)?,
            _ => self.now_ms,
        };
        Ok(Arc::new(LastPointsTable {
            snapshot: self.snapshot.clone(),
            matchers,
            range: TimeRange {
                start: TimestampMs(at_ms.saturating_sub(lookback_ms).saturating_add(1)),
                end: TimestampMs(at_ms),
            },
        }))
    }
}

struct LastPointsTable {
    snapshot: Snapshot,
    matchers: Vec<Matcher>,
    range: TimeRange,
}

impl fmt::Debug for LastPointsTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastPointsTable")
    }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("ts", timestamp_type(), false),
        Field::new("series_id", DataType::Int64, false),
        Field::new("metric", DataType::Utf8View, false),
        Field::new("value", DataType::Float64, false),
        Field::new("labels", labels_type(), false),
    ]))
}

#[async_trait]
impl TableProvider for LastPointsTable {
    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let set = self
            .snapshot
            .select(&self.matchers, self.range)
            .map_err(store_error)?;
        let scan = self.snapshot.scan_series(&set, self.range);
        let projection = projection
            .cloned()
            .unwrap_or_else(|| (0..schema().fields().len()).collect());
        let source = LastPointsScan {
            scan,
            schema: Arc::new(schema().project(&projection)?),
            projection,
        };
        Ok(Arc::new(ScanExec::new(Arc::new(source))))
    }
}

struct LastPointsScan {
    scan: SeriesScan,
    projection: Vec<usize>,
    schema: SchemaRef,
}

impl Source for LastPointsScan {
    fn name(&self) -> &'static str {
        "LastPointsExec"
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn partitions(&self) -> usize {
        let series = self.scan.set().len();
        series.div_ceil(PARTITION_SERIES).clamp(1, PARTITIONS_MAX)
    }

    fn open(&self, partition: usize, _: &TaskContext) -> Result<Batches> {
        let (series, partitions) = (self.scan.set().len(), self.partitions());
        let positions = series * partition / partitions..series * (partition + 1) / partitions;
        let mut reader = self.scan.open(positions).map_err(store_error)?;
        let (scan, projection) = (self.scan.clone(), self.projection.clone());
        let mut is_over = false;
        Ok(Box::new(std::iter::from_fn(move || {
            if is_over {
                return None;
            }
            let batch = read(&scan, &mut reader, &projection, &mut is_over);
            is_over |= batch.is_err();
            Some(batch)
        })))
    }

    fn describe(&self) -> Vec<(&'static str, String)> {
        let stats = self.scan.stats();
        let read = stats.files_total.saturating_sub(stats.files_pruned);
        vec![
            ("series", self.scan.set().len().to_string()),
            ("files", format!("{read}/{}", stats.files_total)),
        ]
    }
}

/// The last samples of the next series.
fn read(
    scan: &SeriesScan,
    reader: &mut SeriesReader,
    projection: &[usize],
    is_over: &mut bool,
) -> Result<RecordBatch> {
    let mut rows = SeriesRows::default();
    let mut found: Vec<(usize, i64, f64)> = Vec::new();
    for _ in 0..BATCH_SERIES {
        let Some(position) = reader.next_series(&mut rows).map_err(store_error)? else {
            *is_over = true;
            break;
        };
        if let (Some(ts), Some(value)) = (rows.ts.last(), rows.values.last())
            && !is_stale(*value)
        {
            found.push((position, *ts, *value));
        }
    }
    let set = scan.set();
    let labels = found
        .iter()
        .map(|(position, ..)| set.labels(*position).map_err(store_error));
    let labels = labels.collect::<Result<Vec<_>>>()?;
    let ts: TimestampMillisecondArray = found.iter().map(|(_, ts, _)| Some(*ts)).collect();
    let columns: [ArrayRef; 5] = [
        Arc::new(ts.with_timezone("UTC")),
        Arc::new(
            found
                .iter()
                .map(|(position, ..)| set.id(*position).0)
                .collect::<Int64Array>(),
        ),
        Arc::new(StringViewArray::from_iter_values(
            labels.iter().map(|labels| labels.metric()),
        )),
        Arc::new(found.iter().map(|(.., value)| *value).collect::<Float64Array>()),
        labels_array(
            labels
                .iter()
                .map(|set| set.iter().filter(|(name, _)| *name != METRIC_NAME)),
        ),
    ];
    Ok(RecordBatch::try_new(schema(), columns.to_vec())?.project(projection)?)
}
