//! The operator behind every table: reads a [`Source`] and counts what it gives.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{
    DynamicFilterTracking, EquivalenceProperties, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::{
    Boundedness, EmissionType, ReplaceChildrenOptions, SchedulingType,
};
use datafusion::physical_plan::expressions::Column;
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation,
};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet, RecordOutput,
};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, SendableRecordBatchStream,
};

use super::narrowing::Narrowing;

/// Batches, one at a time; each step computes for milliseconds at most, so that a query can be ended between them.
pub(crate) type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// Rows that a table gives to a query, with projection, conditions and limit already applied.
pub(crate) trait Source: Send + Sync {
    /// The operator's name in EXPLAIN.
    fn name(&self) -> &'static str;

    /// Names and types of what the batches hold.
    fn schema(&self) -> SchemaRef;

    /// How many readers may work in parallel; at least one.
    fn partitions(&self) -> usize;

    /// Starts to read one partition. May be called again, and gives the same rows again.
    fn open(&self, partition: usize, context: &TaskContext) -> Result<Batches>;

    /// What EXPLAIN shows, as names and texts.
    fn describe(&self) -> Vec<(&'static str, String)>;

    /// What EXPLAIN VERBOSE and EXPLAIN ANALYZE VERBOSE add: each file by name and what is done with it.
    fn files(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// What EXPLAIN ANALYZE adds: what was there and what was left alone.
    fn counters(&self) -> Vec<(&'static str, usize)> {
        Vec::new()
    }

    /// About how many rows there are.
    fn rows(&self) -> Option<usize> {
        None
    }

    /// The column in whose order the rows of each partition ascend.
    fn ascending(&self) -> Option<usize> {
        None
    }

    /// Whether a condition on a column can spare it something.
    fn narrows_by(&self, _column: usize) -> bool {
        false
    }

    /// The same with as few as possible of the rows for which one of some conditions does not hold, in at most as many
    /// partitions. The conditions are about its columns, and are checked by others. `None` where they do not help.
    fn narrowed(&self, _conditions: &[Arc<dyn PhysicalExpr>]) -> Result<Option<Arc<dyn Source>>> {
        Ok(None)
    }
}

/// Reads a source.
pub(crate) struct ScanExec {
    source: Arc<dyn Source>,
    narrowing: Arc<Narrowing>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl ScanExec {
    pub(crate) fn new(source: Arc<dyn Source>) -> Self {
        Self::narrowed(source, Vec::new())
    }

    fn narrowed(source: Arc<dyn Source>, conditions: Vec<Arc<dyn PhysicalExpr>>) -> Self {
        let schema = source.schema();
        let mut equivalence = EquivalenceProperties::new(Arc::clone(&schema));
        if let Some(index) = source.ascending() {
            let column = Arc::new(Column::new(schema.field(index).name(), index));
            equivalence.add_ordering([PhysicalSortExpr::new(column, SortOptions::default())]);
        }
        let partitioning = Partitioning::UnknownPartitioning(source.partitions());
        let properties = PlanProperties::new(
            equivalence,
            partitioning,
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        let metrics = ExecutionPlanMetricsSet::new();
        for (name, count) in source.counters() {
            MetricBuilder::new(&metrics).global_counter(name).add(count);
        }
        Self {
            source,
            narrowing: Arc::new(Narrowing::by(conditions)),
            properties: Arc::new(properties),
            metrics,
        }
    }
}

impl DisplayAs for ScanExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut facts = self.source.describe();
        let conditions = self.narrowing.conditions().iter();
        facts.extend(conditions.map(|condition| ("narrowed_by", condition.to_string())));
        if matches!(format, DisplayFormatType::Verbose) {
            facts.extend(self.source.files());
        }
        let facts: Vec<_> = facts
            .iter()
            .map(|(name, text)| format!("{name}={text}"))
            .collect();
        match format {
            DisplayFormatType::TreeRender => f.write_str(&facts.join("\n")),
            _ => write!(f, "{}: {}", self.source.name(), facts.join(", ")),
        }
    }
}

impl fmt::Debug for ScanExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_as(DisplayFormatType::Default, f)
    }
}

impl ExecutionPlan for ScanExec {
    fn name(&self) -> &str {
        self.source.name()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let mut next = TreeNodeRecursion::Continue;
        for condition in self.narrowing.conditions() {
            next = next.visit_sibling(|| f(condition))?;
        }
        Ok(next)
    }

    fn handle_child_pushdown_result(
        &self,
        phase: FilterPushdownPhase,
        asked: ChildPushdownResult,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        // Conditions that are known beforehand have come in with the table's.
        let mut conditions = self.narrowing.conditions().to_vec();
        if phase == FilterPushdownPhase::Post {
            let filters = asked.parent_filters.iter().map(|asked| &asked.filter);
            let helps = |filter: &&Arc<dyn PhysicalExpr>| {
                let mut columns = collect_columns(filter).into_iter();
                DynamicFilterTracking::classify(filter).contains_dynamic_filter()
                    && columns.any(|c| self.source.narrows_by(c.index()))
            };
            conditions.extend(filters.filter(helps).cloned());
        }
        let is_new = conditions.len() > self.narrowing.conditions().len();
        // None is promised to be checked here.
        let answer = FilterPushdownPropagation::all_unsupported(asked);
        Ok(match is_new {
            true => {
                answer.with_updated_node(Arc::new(Self::narrowed(Arc::clone(&self.source), conditions)) as _)
            }
            false => answer,
        })
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        // Whoever would renew the conditions has forgotten them by now.
        Ok(Arc::new(Self::new(Arc::clone(&self.source))))
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let (source, narrowing) = (Arc::clone(&self.source), Arc::clone(&self.narrowing));
        let of_all = self.metrics.clone();
        let mut batches: Option<Batches> = None;
        let mut has_failed = false;
        let counted = std::iter::from_fn(move || {
            let _timer = metrics.elapsed_compute().timer();
            if has_failed {
                return None;
            }
            // Not before the first batch is wanted: conditions may be unknown until then.
            let batches = match &mut batches {
                Some(batches) => batches,
                none => match narrowing
                    .apply(&source, &of_all)
                    .and_then(|source| source.open(partition, &context))
                {
                    Ok(opened) => none.insert(opened),
                    Err(error) => {
                        has_failed = true;
                        return Some(Err(error));
                    }
                },
            };
            batches.next().map(|batch| batch.record_output(&metrics))
        });
        let stream = RecordBatchStreamAdapter::new(self.source.schema(), futures::stream::iter(counted));
        Ok(Box::pin(cooperative(stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.source.schema());
        if let (None, Some(rows)) = (args.partition(), self.source.rows()) {
            statistics.num_rows = Precision::Inexact(rows);
        }
        Ok(Arc::new(statistics))
    }
}
