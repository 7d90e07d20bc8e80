//! Tables `histograms` and `exemplars`: what a series has beside its samples.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, StringViewArray};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use async_trait::async_trait;
use barograph_engine::{LaneBatch, LaneKind, SeriesSet, Snapshot};
use barograph_model::METRIC_NAME;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;

use super::error::store_error;
use super::narrowing::SeriesCondition;
use super::samples::{Column, Outcome, Selection, unrecognised};
use super::scan_exec::{Batches, ScanExec, Source};

/// The column of the engine that says whether a row is a staleness marker, as a bit.
const FLAGS: &str = "flags";
/// What the table shows of it.
const STALE: &str = "stale";

/// A table over one lane.
pub(crate) struct LaneTable {
    snapshot: Snapshot,
    kind: LaneKind,
    schema: SchemaRef,
    /// The columns that conditions can be evaluated on before rows are read: the first three.
    columns: [Column; 3],
}

impl LaneTable {
    pub(crate) fn new(snapshot: Snapshot, kind: LaneKind) -> Self {
        let columns = [
            Column::Ts,
            Column::SeriesId,
            Column::Label(METRIC_NAME.to_owned()),
        ];
        let mut fields: Vec<_> = ["ts", "series_id", "metric"]
            .iter()
            .zip(&columns)
            .map(|(name, column)| Arc::new(column.field(name)))
            .collect();
        for field in kind.schema().fields() {
            match field.name().as_str() {
                "ts" | "series_id" => {}
                FLAGS => fields.push(Arc::new(Field::new(STALE, DataType::Boolean, false))),
                _ => fields.push(Arc::clone(field)),
            }
        }
        Self {
            snapshot,
            kind,
            schema: Arc::new(Schema::new(fields)),
            columns,
        }
    }

    fn add(&self, selection: &mut Selection, filter: &Expr) -> Outcome {
        let fields = self.schema.fields().iter();
        let columns: Vec<_> = fields.map(|f| f.name().as_str()).zip(&self.columns).collect();
        selection.add(filter, &|name| {
            columns
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, column)| *column)
        })
    }
}

impl fmt::Debug for LaneTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaneTable")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for LaneTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let outcome = |filter: &&Expr| self.add(&mut Selection::of(Vec::new()), filter).into();
        Ok(filters.iter().map(outcome).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut selection = Selection::of(Vec::new());
        for filter in filters {
            if self.add(&mut selection, filter) == Outcome::Unsupported {
                return Err(unrecognised(filter));
            }
        }
        let series = selection.series(&self.snapshot, state, &self.schema, &self.columns)?;
        let projection = projection
            .cloned()
            .unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let schema = Arc::new(self.schema.project(&projection)?);
        Ok(Arc::new(ScanExec::new(Arc::new(LaneScan {
            snapshot: self.snapshot.clone(),
            kind: self.kind,
            columns: self.columns.clone(),
            projection: projection.into(),
            selection,
            limit,
            view: Arc::new(View { series, schema }),
        }))))
    }
}

#[derive(Clone)]
struct LaneScan {
    snapshot: Snapshot,
    kind: LaneKind,
    columns: [Column; 3],
    projection: Arc<[usize]>,
    selection: Selection,
    limit: Option<usize>,
    view: Arc<View>,
}

/// How batches of the engine become batches of the table.
struct View {
    series: SeriesSet,
    schema: SchemaRef,
}

impl Source for LaneScan {
    fn name(&self) -> &'static str {
        match self.kind {
            LaneKind::Histograms => "HistogramsExec",
            LaneKind::Exemplars => "ExemplarsExec",
        }
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.view.schema)
    }

    fn partitions(&self) -> usize {
        1
    }

    fn open(&self, _: usize, _: &TaskContext) -> Result<Batches> {
        let view = Arc::clone(&self.view);
        let batches = self
            .snapshot
            .lane_batches(self.kind, &view.series, self.selection.range);
        let mut left = self.limit.unwrap_or(usize::MAX);
        let shown = batches.map(move |batch| view.show(&batch.map_err(store_error)?));
        Ok(Box::new(shown.map_while(move |batch| {
            if left == 0 {
                return None;
            }
            Some(batch.map(|batch| {
                let batch = batch.slice(0, batch.num_rows().min(left));
                left -= batch.num_rows();
                batch
            }))
        })))
    }

    fn describe(&self) -> Vec<(&'static str, String)> {
        let mut facts = self.selection.describe();
        facts.push(("series", self.view.series.len().to_string()));
        if let Some(limit) = self.limit {
            facts.push(("limit", limit.to_string()));
        }
        facts
    }

    fn counters(&self) -> Vec<(&'static str, usize)> {
        vec![("series_matched", self.view.series.len())]
    }

    fn narrows_by(&self, column: usize) -> bool {
        self.column(column).is_some()
    }

    fn narrowed(&self, conditions: &[Arc<dyn PhysicalExpr>]) -> Result<Option<Arc<dyn Source>>> {
        let condition = SeriesCondition::of(conditions, &|i| self.column(i));
        if condition.is_empty() {
            return Ok(None);
        }
        let (view, mut narrowed) = (&self.view, self.clone());
        narrowed.selection.range = self.selection.range.intersect(&condition.range);
        narrowed.view = Arc::new(View {
            series: condition.passing(&view.series, &|i| self.column(i), &view.schema),
            schema: Arc::clone(&view.schema),
        });
        Ok(Some(Arc::new(narrowed)))
    }
}

impl LaneScan {
    /// A column by its number among those shown, where conditions can be evaluated on it before rows are read.
    fn column(&self, index: usize) -> Option<&Column> {
        self.columns.get(*self.projection.get(index)?)
    }
}

impl View {
    fn show(&self, batch: &LaneBatch) -> Result<RecordBatch> {
        let missing = |name: &str| DataFusionError::Internal(format!("a lane has no column {name}"));
        let column = |name: &str| batch.rows.column_by_name(name).ok_or_else(|| missing(name));
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for field in self.schema.fields() {
            arrays.push(match field.name().as_str() {
                "metric" => {
                    let mut metrics = Vec::with_capacity(batch.positions.len());
                    for position in &batch.positions {
                        metrics.push(self.series.labels(*position).map_err(store_error)?);
                    }
                    let metrics = metrics.iter().map(|labels| labels.metric());
                    Arc::new(StringViewArray::from_iter_values(metrics))
                }
                STALE => {
                    let flags = column(FLAGS)?.as_primitive_opt::<Int32Type>();
                    let flags = flags.ok_or_else(|| missing(FLAGS))?.values().iter();
                    Arc::new(flags.map(|flags| Some(flags & 1 == 1)).collect::<BooleanArray>())
                }
                name => Arc::clone(column(name)?),
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.positions.len()));
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            arrays,
            &options,
        )?)
    }
}
