//! `promql('expr', start, end, step)` and `promql('expr' [, at])`: the answer of a PromQL query as a table.
//!
//! It is evaluated over the snapshot of the SQL query, within the limits of PromQL, when the query is about to run, and ends
//! with it. A sample is a row; one that is a native histogram has NULL as its value.

use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringViewArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use barograph_engine::Snapshot;
use barograph_model::{Labels, METRIC_NAME};
use barograph_promql::syntax::{self, Expr as PromqlExpr, ValueType};
use barograph_promql::{EvalOptions, Grid, Interrupt, Query, QueryError, QueryValue, SampleValue, evaluate};
use datafusion::catalog::{MemTable, Session, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::oneshot;

use super::arguments::Arguments;
use crate::promql::PromqlLimits;
use crate::sql::error::{SqlError, SqlErrorCode};
use crate::sql::labels_column::{labels_array, labels_type};
use crate::sql::samples::timestamp_type;

/// How it is called.
const USAGE: &str = "promql('expr', start, end, step) or promql('expr', at)";
/// Expressions are evaluated by recursion; pages of a stack that is never touched cost nothing.
const STACK_BYTES: usize = 32 << 20;

/// Evaluates PromQL for SQL: the limits, and threads that start with the first call.
pub(crate) struct PromqlForSql {
    limits: PromqlLimits,
    pool: OnceLock<Result<ThreadPool, String>>,
}

impl PromqlForSql {
    pub(crate) fn new(limits: PromqlLimits) -> Self {
        Self {
            limits,
            pool: OnceLock::new(),
        }
    }

    fn pool(&self) -> Result<&ThreadPool> {
        let pool = self.pool.get_or_init(|| {
            ThreadPoolBuilder::new()
                .num_threads(self.limits.threads.max(1))
                .thread_name(|i| format!("barograph-sqlpql{i}"))
                .stack_size(STACK_BYTES)
                .build()
                .map_err(|error| error.to_string())
        });
        pool.as_ref()
            .map_err(|error| failed(SqlErrorCode::Execution, format!("starting threads: {error}")))
    }
}

impl fmt::Debug for PromqlForSql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PromqlForSql")
    }
}

/// The function, of one query.
#[derive(Debug)]
pub(crate) struct PromqlFunction {
    pub(crate) engine: Arc<PromqlForSql>,
    pub(crate) snapshot: Snapshot,
    /// What `now()` is.
    pub(crate) now_ms: i64,
}

impl TableFunctionImpl for PromqlFunction {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let arguments = Arguments::new("promql", USAGE, args.exprs(), 1, 4)?;
        let text: Arc<str> = arguments.text(0)?.into();
        let expr = syntax::parse(&text, &self.engine.limits.parse)
            .map_err(|error| failed(SqlErrorCode::ParseError, format!("in PromQL: {error}")))?;
        let (grid, is_range) = match arguments.len() {
            1 => (Grid::instant(self.now_ms), false),
            2 => (Grid::instant(arguments.instant_ms(1)?), false),
            4 => {
                let (start, end) = (arguments.instant_ms(1)?, arguments.instant_ms(2)?);
                let grid = Grid::range(start, end, arguments.duration_ms(3)?);
                (grid.map_err(query_error)?, true)
            }
            _ => return Err(arguments.wrong("takes 1, 2 or 4 arguments")),
        };
        if expr.value_type() == ValueType::String || is_range && expr.value_type() == ValueType::Matrix {
            return Err(arguments.wrong("cannot show a text, or a range vector at each step"));
        }
        Ok(Arc::new(PromqlTable {
            engine: Arc::clone(&self.engine),
            snapshot: self.snapshot.clone(),
            text,
            expr,
            grid,
            is_range,
        }))
    }
}

struct PromqlTable {
    engine: Arc<PromqlForSql>,
    snapshot: Snapshot,
    text: Arc<str>,
    expr: PromqlExpr,
    grid: Grid,
    is_range: bool,
}

impl PromqlTable {
    /// The answer. Dropping the future ends the work.
    async fn evaluate(&self) -> Result<QueryValue> {
        let interrupt = CancelOnDrop(Interrupt::default());
        let inner = interrupt.0.clone();
        let limits = &self.engine.limits;
        let options = EvalOptions {
            lookback_ms: limits.lookback_ms,
            samples_max: limits.samples_max,
            memory: Arc::clone(&limits.memory),
            ..EvalOptions::default()
        };
        let query = Query {
            text: Arc::clone(&self.text),
            expr: self.expr.clone(),
            grid: self.grid,
            is_range: self.is_range,
        };
        let snapshot = self.snapshot.clone();
        let (sender, receiver) = oneshot::channel();
        self.engine.pool()?.spawn(move || {
            let work = std::panic::AssertUnwindSafe(|| evaluate(&snapshot, &query, &options, &inner));
            // A panic that leaves a job ends the process.
            if let Ok(answer) = std::panic::catch_unwind(work) {
                let _ = sender.send(answer);
            }
        });
        match receiver.await {
            Ok(answer) => answer.map(|answer| answer.value).map_err(query_error),
            Err(_) => Err(failed(
                SqlErrorCode::Execution,
                "PromQL ended by a fault of the program; see the log".to_owned(),
            )),
        }
    }
}

impl fmt::Debug for PromqlTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "promql({:?})", self.text)
    }
}

#[async_trait]
impl TableProvider for PromqlTable {
    fn schema(&self) -> SchemaRef {
        answer_schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = rows_of(self.evaluate().await?)?;
        let table = MemTable::try_new(answer_schema(), vec![vec![rows]])?;
        table.scan(state, projection, filters, limit).await
    }
}

fn answer_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("ts", timestamp_type(), false),
        Field::new("value", DataType::Float64, true),
        Field::new("metric", DataType::Utf8View, true),
        Field::new("labels", labels_type(), false),
    ]))
}

/// A row for each sample.
fn rows_of(value: QueryValue) -> Result<RecordBatch> {
    let mut rows: Vec<(Arc<Labels>, i64, Option<f64>)> = Vec::new();
    let float = |value: &SampleValue| match value {
        SampleValue::Float(value) => Some(*value),
        SampleValue::Histogram(_) => None,
    };
    match value {
        QueryValue::Scalar { ts, value } => rows.push((Arc::default(), ts, Some(value))),
        QueryValue::String { .. } => {}
        QueryValue::Vector(series) => {
            let samples = series.into_iter();
            rows.extend(samples.map(|one| (one.labels, one.point.ts, float(&one.point.value))));
        }
        QueryValue::Matrix(series) => {
            for one in series {
                let points = one.points.iter();
                rows.extend(points.map(|point| (Arc::clone(&one.labels), point.ts, float(&point.value))));
            }
        }
    }
    let ts: TimestampMillisecondArray = rows.iter().map(|(_, ts, _)| Some(*ts)).collect();
    let values: Float64Array = rows.iter().map(|(_, _, value)| *value).collect();
    let metrics: StringViewArray = rows
        .iter()
        .map(|(labels, _, _)| Some(labels.metric()).filter(|metric| !metric.is_empty()))
        .collect();
    let labels = labels_array(
        rows.iter()
            .map(|(labels, _, _)| labels.iter().filter(|(name, _)| *name != METRIC_NAME)),
    );
    let columns: Vec<ArrayRef> = vec![
        Arc::new(ts.with_timezone("UTC")),
        Arc::new(values),
        Arc::new(metrics),
        labels,
    ];
    Ok(RecordBatch::try_new(answer_schema(), columns)?)
}

/// What PromQL says, in its own words.
fn query_error(error: QueryError) -> DataFusionError {
    let code = match &error {
        QueryError::Timeout | QueryError::Canceled => SqlErrorCode::Timeout,
        QueryError::BadData(_) => SqlErrorCode::Unsupported,
        _ => SqlErrorCode::Execution,
    };
    failed(code, format!("in PromQL: {error}"))
}

fn failed(code: SqlErrorCode, message: String) -> DataFusionError {
    SqlError::new(code, message).into()
}

/// Ends work that nobody waits for.
struct CancelOnDrop(Interrupt);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
