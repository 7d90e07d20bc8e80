//! The table, as DataFusion sees it.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use barograph_engine::Snapshot;
use barograph_model::TimeRange;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::merge::{Merge, Verdicts};
use super::watched::{Watched, watched};
use crate::sql::samples::{
    Outcome, evaluate_on, is_about, shown_range, time_bounds, timestamp_type, unrecognised,
};
use crate::sql::scan_exec::{Batches, ScanExec, Source};

/// Columns that are the same in all rows of one detector over one series.
const OF_WATCHED: [&str; 2] = ["series", "detector"];

/// Table `anomalies`.
pub(crate) struct AnomaliesTable {
    snapshot: Snapshot,
    schema: SchemaRef,
}

impl AnomaliesTable {
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        let schema = Schema::new(vec![
            Field::new("ts", timestamp_type(), false),
            Field::new("series", DataType::Utf8View, false),
            Field::new("detector", DataType::Utf8View, false),
            Field::new("score", DataType::Float64, false),
            Field::new("expected", DataType::Float64, true),
            Field::new("lower", DataType::Float64, true),
            Field::new("upper", DataType::Float64, true),
            Field::new("is_anomaly", DataType::Boolean, true),
        ]);
        Self {
            snapshot,
            schema: Arc::new(schema),
        }
    }

    /// The watched series for which the conditions on them hold.
    fn narrow(&self, state: &dyn Session, conditions: Vec<Expr>, all: Vec<Watched>) -> Result<Vec<Watched>> {
        let Some(condition) = conjunction(conditions) else {
            return Ok(all);
        };
        let schema = Arc::new(self.schema.project(&[1, 2])?);
        let series: StringViewArray = all.iter().map(|watched| Some(&watched.series)).collect();
        let detectors: StringViewArray = all.iter().map(|watched| Some(&watched.detector)).collect();
        let arrays: Vec<ArrayRef> = vec![Arc::new(series), Arc::new(detectors)];
        let passes = evaluate_on(state, &condition, &schema, arrays, all.len())?;
        Ok(all
            .into_iter()
            .zip(passes)
            .filter_map(|(watched, passes)| passes.then_some(watched))
            .collect())
    }
}

fn outcome(filter: &Expr) -> Outcome {
    match time_bounds(filter, "ts") {
        Some(bounds) if bounds.exact => Outcome::Exact,
        Some(_) => Outcome::Inexact,
        None if is_about(filter, &|name| OF_WATCHED.contains(&name)) => Outcome::Exact,
        None => Outcome::Unsupported,
    }
}

impl fmt::Debug for AnomaliesTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnomaliesTable")
    }
}

#[async_trait]
impl TableProvider for AnomaliesTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters.iter().map(|filter| outcome(filter).into()).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut range = TimeRange::ALL;
        let mut conditions = Vec::new();
        for filter in filters {
            match time_bounds(filter, "ts") {
                Some(bounds) => range = range.intersect(&bounds.range),
                None if outcome(filter) == Outcome::Exact => conditions.push(filter.clone()),
                None => return Err(unrecognised(filter)),
            }
        }
        let (set, all) = watched(&self.snapshot)?;
        let watched_total = all.len();
        let watched = self.narrow(state, conditions.clone(), all)?;
        let projection = projection
            .cloned()
            .unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let schema = Arc::new(self.schema.project(&projection)?);
        let partitions = state.config().target_partitions().min(watched.len()).max(1);
        let verdicts = Arc::new(Verdicts {
            watched,
            set,
            range,
            projection,
            schema,
        });
        let condition = conjunction(conditions).map(|condition| condition.to_string());
        let snapshot = self.snapshot.clone();
        let scan = AnomaliesScan {
            verdicts,
            snapshot,
            condition,
            watched_total,
            partitions,
            limit,
        };
        Ok(Arc::new(ScanExec::new(Arc::new(scan))))
    }
}

struct AnomaliesScan {
    verdicts: Arc<Verdicts>,
    snapshot: Snapshot,
    condition: Option<String>,
    watched_total: usize,
    partitions: usize,
    limit: Option<usize>,
}

impl Source for AnomaliesScan {
    fn name(&self) -> &'static str {
        "AnomaliesExec"
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.verdicts.schema)
    }

    fn partitions(&self) -> usize {
        self.partitions
    }

    fn open(&self, partition: usize, context: &TaskContext) -> Result<Batches> {
        let count = self.verdicts.watched.len();
        let watched = (count * partition / self.partitions)..(count * (partition + 1) / self.partitions);
        let memory =
            MemoryConsumer::new(format!("AnomaliesExec[{partition}]")).register(context.memory_pool());
        Ok(Box::new(Merge::new(
            Arc::clone(&self.verdicts),
            self.snapshot.clone(),
            watched,
            self.limit,
            memory,
        )))
    }

    fn describe(&self) -> Vec<(&'static str, String)> {
        let mut facts = Vec::new();
        facts.extend(
            self.condition
                .iter()
                .map(|condition| ("series_filter", condition.clone())),
        );
        facts.push(("range", shown_range(&self.verdicts.range)));
        facts.push((
            "watched",
            format!("{}/{}", self.verdicts.watched.len(), self.watched_total),
        ));
        facts
    }

    fn counters(&self) -> Vec<(&'static str, usize)> {
        vec![
            ("watched_total", self.watched_total),
            ("watched_matched", self.verdicts.watched.len()),
        ]
    }
}
