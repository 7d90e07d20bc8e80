//! Table `series`: one row per series, its labels as a map.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use barograph_engine::{SeriesSet, Snapshot};
use barograph_model::METRIC_NAME;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;

use super::error::store_error;
use super::labels_column::{labels_array, labels_type};
use super::narrowing::SeriesCondition;
use super::samples::{Column, Outcome, Selection, matchers, unrecognised};
use super::scan_exec::{Batches, ScanExec, Source};

/// Rows of one batch.
const BATCH_ROWS: usize = 4_096;

/// The table.
pub(crate) struct SeriesTable {
    snapshot: Snapshot,
    schema: SchemaRef,
    /// The columns that conditions can be evaluated on per series.
    columns: [Column; 2],
}

impl SeriesTable {
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        let schema = Schema::new(vec![
            Field::new("series_id", DataType::Int64, false),
            Field::new("metric", DataType::Utf8View, false),
            Field::new("labels", labels_type(), false),
        ]);
        let columns = [Column::SeriesId, Column::Label(METRIC_NAME.to_owned())];
        Self {
            snapshot,
            schema: Arc::new(schema),
            columns,
        }
    }

    fn add(&self, selection: &mut Selection, filter: &Expr) -> Outcome {
        let column_of = |name: &str| {
            self.columns
                .iter()
                .zip(self.schema.fields())
                .find(|(_, f)| f.name() == name)
                .map(|(c, _)| c)
        };
        let outcome = selection.add(filter, &column_of);
        if outcome != Outcome::Unsupported {
            return outcome;
        }
        match matchers(filter, &label_in_map) {
            Some(narrowed) => {
                selection.matchers.extend(narrowed.matchers);
                Outcome::Inexact
            }
            None => Outcome::Unsupported,
        }
    }
}

/// The label behind `labels['job']`. The metric's name is not in the map.
fn label_in_map(expr: &Expr) -> Option<String> {
    let Expr::ScalarFunction(call) = expr else {
        return None;
    };
    match (call.name(), call.args.as_slice()) {
        (
            "get_field",
            [
                Expr::Column(column),
                Expr::Literal(ScalarValue::Utf8(key) | ScalarValue::Utf8View(key), _),
            ],
        ) if column.name == "labels" => key.clone().filter(|key| key != METRIC_NAME),
        _ => None,
    }
}

impl fmt::Debug for SeriesTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeriesTable")
    }
}

#[async_trait]
impl TableProvider for SeriesTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters
            .iter()
            .map(|filter| self.add(&mut Selection::of(Vec::new()), filter).into())
            .collect())
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
        let series = series.first(limit.unwrap_or(usize::MAX));
        let projection = projection
            .cloned()
            .unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let schema = Arc::new(self.schema.project(&projection)?);
        let rows = Arc::new(SeriesRows {
            series,
            columns: self.columns.clone(),
            projection: projection.into(),
            schema,
        });
        Ok(Arc::new(ScanExec::new(Arc::new(SeriesScan { rows, selection }))))
    }
}

struct SeriesScan {
    rows: Arc<SeriesRows>,
    selection: Selection,
}

/// What the scan and its readers share.
#[derive(Clone)]
struct SeriesRows {
    series: SeriesSet,
    columns: [Column; 2],
    projection: Arc<[usize]>,
    schema: SchemaRef,
}

impl Source for SeriesScan {
    fn name(&self) -> &'static str {
        "SeriesExec"
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.rows.schema)
    }

    fn partitions(&self) -> usize {
        1
    }

    fn open(&self, _: usize, _: &TaskContext) -> Result<Batches> {
        let rows = Arc::clone(&self.rows);
        let mut next = 0;
        Ok(Box::new(std::iter::from_fn(move || {
            let end = rows.series.len().min(next + BATCH_ROWS);
            if next == end {
                return None;
            }
            let batch = rows.batch(next..end);
            next = end;
            Some(batch)
        })))
    }

    fn describe(&self) -> Vec<(&'static str, String)> {
        let mut facts = self.selection.describe();
        facts.retain(|(name, _)| *name != "range");
        facts.push(("series", self.rows.series.len().to_string()));
        facts
    }

    fn counters(&self) -> Vec<(&'static str, usize)> {
        vec![("series_matched", self.rows.series.len())]
    }

    fn rows(&self) -> Option<usize> {
        Some(self.rows.series.len())
    }

    fn narrows_by(&self, column: usize) -> bool {
        self.rows.column(column).is_some()
    }

    fn narrowed(&self, conditions: &[Arc<dyn PhysicalExpr>]) -> Result<Option<Arc<dyn Source>>> {
        let rows = &self.rows;
        let condition = SeriesCondition::of(conditions, &|i| rows.column(i));
        if condition.is_empty() {
            return Ok(None);
        }
        let series = condition.passing(&rows.series, &|i| rows.column(i), &rows.schema);
        let rows = Arc::new(SeriesRows {
            series,
            ..rows.as_ref().clone()
        });
        Ok(Some(Arc::new(Self {
            rows,
            selection: self.selection.clone(),
        })))
    }
}

impl SeriesRows {
    /// A column by its number among those shown, where conditions can be evaluated on it per series.
    fn column(&self, index: usize) -> Option<&Column> {
        self.columns.get(*self.projection.get(index)?)
    }

    fn batch(&self, positions: Range<usize>) -> Result<RecordBatch> {
        let labels = positions
            .clone()
            .map(|position| self.series.labels(position).map_err(store_error));
        let labels = labels.collect::<Result<Vec<_>>>()?;
        let arrays = self.projection.iter().map(|column| -> ArrayRef {
            match column {
                0 => Arc::new(
                    positions
                        .clone()
                        .map(|position| self.series.id(position).0)
                        .collect::<Int64Array>(),
                ),
                1 => Arc::new(StringViewArray::from_iter_values(
                    labels.iter().map(|labels| labels.metric()),
                )),
                _ => labels_array(
                    labels
                        .iter()
                        .map(|set| set.iter().filter(|(name, _)| *name != METRIC_NAME)),
                ),
            }
        });
        let options = RecordBatchOptions::new().with_row_count(Some(positions.len()));
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            arrays.collect(),
            &options,
        )?)
    }
}
