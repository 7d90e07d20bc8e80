//! A table over samples, as DataFusion sees it.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use barograph_engine::Snapshot;
use barograph_model::{METRIC_NAME, Matcher, TimeRange};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::column::Column;
use super::scan::{SamplesScan, SamplesView};
use super::selection::{Outcome, Selection, unrecognised};
use crate::sql::error::store_error;
use crate::sql::scan_exec::ScanExec;

/// Samples of one metric with a column per label, or of all metrics.
pub(crate) struct SamplesTable {
    snapshot: Snapshot,
    /// The metric; `None` for all of them.
    metric: Option<String>,
    columns: Vec<Column>,
    schema: SchemaRef,
}

impl SamplesTable {
    /// The table of one metric: `ts`, `value`, its labels by name. `None` where no series has the metric.
    pub(crate) fn of_metric(snapshot: Snapshot, metric: &str) -> Result<Option<Self>> {
        let matchers = [Matcher::equal(METRIC_NAME, metric)];
        let labels = snapshot
            .label_names(&matchers, TimeRange::ALL)
            .map_err(store_error)?;
        if labels.is_empty() {
            return Ok(None);
        }
        let mut columns = vec![("ts".to_owned(), Column::Ts), ("value".to_owned(), Column::Value)];
        let labels: Vec<_> = labels.into_iter().filter(|label| label != METRIC_NAME).collect();
        for label in &labels {
            let mut name = label.clone();
            // `ts` and `value` are taken; so is the name with an underscore where that is a label as well.
            while name == "ts" || name == "value" || (name != *label && labels.contains(&name)) {
                name.push('_');
            }
            columns.push((name, Column::Label(label.clone())));
        }
        Ok(Some(Self::new(snapshot, Some(metric.to_owned()), columns)))
    }

    /// The table of all samples, staleness markers among them.
    pub(crate) fn of_all(snapshot: Snapshot) -> Self {
        let columns = vec![
            ("ts".to_owned(), Column::Ts),
            ("series_id".to_owned(), Column::SeriesId),
            ("metric".to_owned(), Column::Label(METRIC_NAME.to_owned())),
            ("value".to_owned(), Column::Value),
            ("stale".to_owned(), Column::Stale),
        ];
        Self::new(snapshot, None, columns)
    }

    fn new(snapshot: Snapshot, metric: Option<String>, columns: Vec<(String, Column)>) -> Self {
        let fields: Vec<_> = columns.iter().map(|(name, column)| column.field(name)).collect();
        let columns = columns.into_iter().map(|(_, column)| column).collect();
        Self {
            snapshot,
            metric,
            columns,
            schema: Arc::new(Schema::new(fields)),
        }
    }

    fn column(&self, name: &str) -> Option<&Column> {
        self.schema.index_of(name).ok().map(|i| &self.columns[i])
    }

    fn selection(&self) -> Selection {
        Selection::of(
            self.metric
                .iter()
                .map(|metric| Matcher::equal(METRIC_NAME, metric))
                .collect(),
        )
    }
}

impl fmt::Debug for SamplesTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SamplesTable")
            .field("metric", &self.metric)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for SamplesTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let column_of = |name: &str| self.column(name);
        Ok(filters
            .iter()
            .map(|filter| self.selection().add(filter, &column_of).into())
            .collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut selection = self.selection();
        for filter in filters {
            if selection.add(filter, &|name| self.column(name)) == Outcome::Unsupported {
                return Err(unrecognised(filter));
            }
        }
        let series = selection.series(&self.snapshot, state, &self.schema, &self.columns)?;
        let all = (0..self.columns.len()).collect();
        let projection = projection.unwrap_or(&all);
        let view = SamplesView {
            snapshot: self.snapshot.clone(),
            series,
            selection,
            columns: projection.iter().map(|i| self.columns[*i].clone()).collect(),
            schema: Arc::new(self.schema.project(projection)?),
            with_stale: self.metric.is_none(),
            limit,
        };
        Ok(Arc::new(ScanExec::new(Arc::new(SamplesScan::new(
            view,
            state.config().target_partitions(),
        )))))
    }
}
