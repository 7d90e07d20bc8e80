//! Reads samples: each partition reads a stretch of time, one after the other.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, RecordBatch, RecordBatchOptions, TimestampMillisecondArray,
    UInt32Array,
};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use barograph_engine::{Pruned, SampleBlock, ScanFile, ScanPartition, ScanStats, SeriesSet, Snapshot};
use barograph_model::is_stale;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::PhysicalExpr;

use super::column::{Column, series_arrays};
use super::selection::Selection;
use crate::sql::error::store_error;
use crate::sql::format::rfc3339;
use crate::sql::narrowing::SeriesCondition;
use crate::sql::scan_exec::{Batches, Source};

/// Files of a kind that EXPLAIN names one by one.
const FILES_NAMED_MAX: usize = 32;

/// What is read and how it is shown.
#[derive(Clone)]
pub(crate) struct SamplesView {
    pub(crate) snapshot: Snapshot,
    pub(crate) series: SeriesSet,
    /// How the series were found, and which instants are read.
    pub(crate) selection: Selection,
    /// The columns shown, and their fields.
    pub(crate) columns: Vec<Column>,
    pub(crate) schema: SchemaRef,
    /// Whether staleness markers are rows.
    pub(crate) with_stale: bool,
    /// Rows after which a partition may stop.
    pub(crate) limit: Option<usize>,
}

/// A planned scan. Its partitions are disjoint, the oldest first.
pub(crate) struct SamplesScan {
    view: Arc<SamplesView>,
    stats: ScanStats,
    /// What each partition reads, until it is first opened; a second reader scans the same snapshot again.
    groups: Mutex<Vec<Option<Vec<ScanPartition>>>>,
    partitions: usize,
}

impl SamplesScan {
    /// Plans a scan for at most `target_partitions` parallel readers.
    pub(crate) fn new(view: SamplesView, target_partitions: usize) -> Self {
        let opened = view.snapshot.scan(&view.series, view.selection.range);
        let stats = opened.stats();
        let groups = group(opened.into_partitions(), target_partitions);
        let partitions = groups.len();
        Self {
            view: Arc::new(view),
            stats,
            groups: Mutex::new(groups.into_iter().map(Some).collect()),
            partitions,
        }
    }

    fn take_group(&self, index: usize) -> Vec<ScanPartition> {
        if index >= self.partitions {
            return Vec::new();
        }
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(partitions) = groups.get_mut(index).and_then(Option::take) {
            return partitions;
        }
        drop(groups);
        let opened = self
            .view
            .snapshot
            .scan(&self.view.series, self.view.selection.range);
        group(opened.into_partitions(), self.partitions)
            .into_iter()
            .nth(index)
            .unwrap_or_default()
    }
}

/// Deals neighbours in time out to at most `count` groups of about the same number; at least one group.
fn group(partitions: Vec<ScanPartition>, count: usize) -> Vec<Vec<ScanPartition>> {
    let groups = count.min(partitions.len()).max(1);
    let (each, larger) = (partitions.len() / groups, partitions.len() % groups);
    let mut partitions = partitions.into_iter();
    (0..groups)
        .map(|i| partitions.by_ref().take(each + usize::from(i < larger)).collect())
        .collect()
}

impl Source for SamplesScan {
    fn name(&self) -> &'static str {
        "SamplesExec"
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.view.schema)
    }

    fn partitions(&self) -> usize {
        self.partitions
    }

    fn open(&self, partition: usize, _: &TaskContext) -> Result<Batches> {
        let view = Arc::clone(&self.view);
        let left = view.limit.unwrap_or(usize::MAX);
        Ok(Box::new(Reader {
            view,
            partitions: self.take_group(partition).into(),
            left,
        }))
    }

    fn describe(&self) -> Vec<(&'static str, String)> {
        let mut facts = self.view.selection.describe();
        facts.push(("series", self.view.series.len().to_string()));
        let read = self.stats.files_total.saturating_sub(self.stats.files_pruned);
        facts.push(("files", format!("{read}/{}", self.stats.files_total)));
        if let Some(limit) = self.view.limit {
            facts.push(("limit", limit.to_string()));
        }
        facts
    }

    fn files(&self) -> Vec<(&'static str, String)> {
        let files = self
            .view
            .snapshot
            .scan_files(&self.view.series, self.view.selection.range);
        let named = |pruned: Option<Pruned>| {
            let of_kind = files.iter().filter(|file| file.pruned == pruned);
            let mut names: Vec<_> = of_kind.clone().take(FILES_NAMED_MAX).map(file_text).collect();
            let more = of_kind.count() - names.len();
            if more > 0 {
                names.push(format!("and {more} more"));
            }
            format!("[{}]", names.join("; "))
        };
        vec![
            ("read", named(None)),
            ("pruned_by_time", named(Some(Pruned::ByTime))),
            ("pruned_by_series", named(Some(Pruned::BySeries))),
        ]
    }

    fn counters(&self) -> Vec<(&'static str, usize)> {
        let count = |rows: u64| usize::try_from(rows).unwrap_or(usize::MAX);
        vec![
            ("files_total", self.stats.files_total),
            ("files_pruned", self.stats.files_pruned),
            ("row_groups_total", self.stats.row_groups_total),
            ("row_groups_pruned", self.stats.row_groups_pruned),
            ("rows_total", count(self.stats.rows_total)),
            ("rows_selected", count(self.stats.rows_selected)),
            ("series_matched", self.stats.series_matched),
        ]
    }

    fn rows(&self) -> Option<usize> {
        // Markers and overwritten duplicates are still among these rows.
        let rows = usize::try_from(self.stats.rows_selected).ok()?;
        Some(self.view.limit.map_or(rows, |limit| rows.min(limit)))
    }

    fn ascending(&self) -> Option<usize> {
        // Within one series instants ascend, and what a partition reads later is later in time. Of several
        // series, each begins anew.
        let ts = self
            .view
            .columns
            .iter()
            .position(|column| *column == Column::Ts)?;
        (self.view.series.len() == 1).then_some(ts)
    }

    fn narrows_by(&self, column: usize) -> bool {
        let column = self.view.columns.get(column);
        column.is_some_and(|column| column.is_of_series() || *column == Column::Ts)
    }

    fn narrowed(&self, conditions: &[Arc<dyn PhysicalExpr>]) -> Result<Option<Arc<dyn Source>>> {
        let view = &self.view;
        let condition = SeriesCondition::of(conditions, &|i| view.columns.get(i));
        if condition.is_empty() {
            return Ok(None);
        }
        let selection = Selection {
            range: view.selection.range.intersect(&condition.range),
            ..view.selection.clone()
        };
        let series = condition.passing(&view.series, &|i| view.columns.get(i), &view.schema);
        let view = SamplesView {
            selection,
            series,
            ..view.as_ref().clone()
        };
        Ok(Some(Arc::new(Self::new(view, self.partitions))))
    }
}

/// A file as EXPLAIN names it.
fn file_text(file: &ScanFile) -> String {
    let (first, last) = (rfc3339(file.bounds.start.0), rfc3339(file.bounds.end.0));
    let path = &file.path;
    match file.pruned {
        Some(_) => format!("{path} {first}..{last}, {} rows", file.rows),
        None => format!(
            "{path} {first}..{last}, {}/{} row groups, {}/{} rows",
            file.row_groups_selected, file.row_groups, file.rows_selected, file.rows
        ),
    }
}

/// One partition being read.
struct Reader {
    view: Arc<SamplesView>,
    partitions: VecDeque<ScanPartition>,
    /// Rows still wanted.
    left: usize,
}

impl Iterator for Reader {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.next_batch().transpose();
        if !matches!(batch, Some(Ok(_))) {
            self.partitions.clear();
        }
        batch
    }
}

impl Reader {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while let Some(partition) = self.partitions.front_mut() {
            if self.left == 0 {
                break;
            }
            // The arrays of the batch take the block's memory over, so that each block is a new one.
            let mut block = SampleBlock::default();
            if !partition.next_block(&mut block).map_err(store_error)? {
                self.partitions.pop_front();
                continue;
            }
            if !self.view.with_stale {
                drop_stale(&mut block);
            }
            if block.is_empty() {
                continue;
            }
            let mut batch = self.view.batch(block)?;
            if batch.num_rows() > self.left {
                batch = batch.slice(0, self.left);
            }
            self.left -= batch.num_rows();
            return Ok(Some(batch));
        }
        Ok(None)
    }
}

/// Removes the rows that are staleness markers.
fn drop_stale(block: &mut SampleBlock) {
    if !block.values.iter().any(|value| is_stale(*value)) {
        return;
    }
    let (mut from, mut to) = (0, 0);
    for run in &mut block.runs {
        for row in from..run.end {
            if !is_stale(block.values[row]) {
                block.ts[to] = block.ts[row];
                block.values[to] = block.values[row];
                to += 1;
            }
        }
        (from, run.end) = (run.end, to);
    }
    block.ts.truncate(to);
    block.values.truncate(to);
}

impl SamplesView {
    fn batch(&self, block: SampleBlock) -> Result<RecordBatch> {
        let rows = block.len();
        let columns: Vec<&Column> = self.columns.iter().collect();
        let mut of_series = Vec::new();
        let mut run_of_row = None;
        if columns.iter().any(|column| column.is_of_series()) {
            let series: Vec<_> = block.runs.iter().map(|run| run.series).collect();
            of_series = series_arrays(&self.series, &columns, &series)?;
            let mut indices = Vec::with_capacity(rows);
            for (run, index) in block.runs.iter().zip(0u32..) {
                indices.resize(run.end, index);
            }
            run_of_row = Some(UInt32Array::from(indices));
        }
        let stale = self.columns.contains(&Column::Stale).then(|| {
            let stale: BooleanArray = block.values.iter().map(|value| Some(is_stale(*value))).collect();
            Arc::new(stale) as ArrayRef
        });
        let (mut ts, mut values) = (block.ts, block.values);
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for (i, column) in self.columns.iter().enumerate() {
            arrays.push(
                match (
                    column,
                    of_series.get_mut(i).and_then(Option::take),
                    &run_of_row,
                    &stale,
                ) {
                    (Column::Ts, ..) => {
                        let ts = TimestampMillisecondArray::from(std::mem::take(&mut ts));
                        Arc::new(ts.with_timezone("UTC"))
                    }
                    (Column::Value, ..) => Arc::new(Float64Array::from(std::mem::take(&mut values))),
                    (Column::Stale, .., Some(stale)) => Arc::clone(stale),
                    (_, Some(of_series), Some(run_of_row), _) => take(&of_series, run_of_row, None)?,
                    _ => {
                        return Err(DataFusionError::Internal(format!(
                            "column {column:?} has no rows"
                        )));
                    }
                },
            );
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            arrays,
            &options,
        )?)
    }
}

#[cfg(test)]
mod tests {
    use barograph_engine::SeriesRun;
    use barograph_model::stale_nan;

    use super::*;

    #[test]
    fn markers_are_dropped_from_their_runs() {
        let run = |series, end| SeriesRun { series, end };
        let mut block = SampleBlock {
            runs: vec![run(0, 2), run(1, 3), run(2, 5)],
            ts: vec![1, 2, 3, 4, 5],
            values: vec![stale_nan(), 2.0, stale_nan(), 4.0, f64::NAN],
        };
        drop_stale(&mut block);
        assert_eq!(block.runs, [run(0, 1), run(1, 1), run(2, 3)]);
        assert_eq!(block.ts, [2, 4, 5]);
        assert_eq!(block.values.len(), 3);
    }
}
