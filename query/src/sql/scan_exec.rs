//! The operator behind every table: reads a [`Source`] and counts what it gives.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::{
    Boundedness, EmissionType, ReplaceChildrenOptions, SchedulingType,
};
use datafusion::physical_plan::expressions::Column;
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet, RecordOutput,
};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, SendableRecordBatchStream,
};

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
}

/// Reads a source.
pub(crate) struct ScanExec {
    source: Arc<dyn Source>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl ScanExec {
    pub(crate) fn new(source: Arc<dyn Source>) -> Self {
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
            properties: Arc::new(properties),
            metrics,
        }
    }
}

impl DisplayAs for ScanExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut facts = self.source.describe();
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
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
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
        let mut batches = self.source.open(partition, &context)?;
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let counted = std::iter::from_fn(move || {
            let _timer = metrics.elapsed_compute().timer();
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
