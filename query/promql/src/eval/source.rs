//! Selectors: from the rows of the store to columns over the steps, series by series and in parallel.

use std::ops::Range;
use std::sync::Arc;

use barograph_engine::{RollupScan, ScanStats, SeriesRows, SeriesScan, SeriesSet};
use barograph_model::{METRIC_NAME, MatchOp, TimeRange, is_stale};
use hashbrown::HashMap;
use rayon::prelude::*;

use super::bucketed::Bucketed;
use super::context::Context;
use super::lookup::{self, HistogramRows};
use super::mixed;
use super::windows::Windows;
use crate::histogram::FloatHistogram;
use crate::meter::{Hold, Meter};
use crate::range_function::{RangeFunction, Samples, extended};
use crate::syntax::{FunctionId, SourceSpan, VectorSelector, Widening};
use crate::value::{ABSENT, Column};
use crate::{Grid, QueryError, SelectorStats};

/// Rows and steps that are worth a second thread.
const WORK_PER_CHUNK: u64 = 1 << 16;

/// Rows of a file that are worth opening it once more.
const ROWS_PER_OPENING: u64 = 1 << 12;

/// Series of a chunk at most: between two chunks a query can be ended.
const SERIES_PER_CHUNK: usize = 1 << 13;

/// What a selector is asked for at each step.
#[derive(Debug)]
pub(crate) enum Sourcing {
    /// the newest sample in the lookback
    Value,
    /// its instant, in seconds
    Timestamp,
    /// a function of the samples in a window of so many milliseconds
    Window { function: RangeFunction, range_ms: i64 },
}

/// A selector, and what it is asked for.
#[derive(Debug)]
pub(crate) struct Source<'e> {
    pub(crate) selector: &'e VectorSelector,
    pub(crate) span: SourceSpan,
    pub(crate) sourcing: Sourcing,
}

/// A source whose series are known and whose scan is planned.
pub(crate) struct Prepared {
    pub(crate) set: SeriesSet,
    scan: SeriesScan,
    bucketed: Option<(Bucketed, RollupScan)>,
    histograms: HashMap<usize, HistogramRows>,
    reference: Grid,
}

/// Receives the columns of a chunk of series, in the order of their positions.
pub(crate) trait Sink: Send {
    /// Takes what one series has; what is left in the column is overwritten.
    fn take(&mut self, position: usize, column: &mut Column) -> Result<(), QueryError>;

    /// Called once, behind the last series of the chunk.
    fn finish(&mut self) -> Result<(), QueryError> {
        Ok(())
    }
}

/// Keeps every column that is not empty.
#[derive(Debug)]
pub(crate) struct Collected {
    meter: Arc<Meter>,
    pub(crate) columns: Vec<(usize, Column)>,
    pub(crate) holds: Vec<Hold>,
    /// what is in columns and not yet in holds
    samples: u64,
    bytes: usize,
}

/// Bytes of columns that are counted as held together.
const BYTES_PER_HOLD: usize = 256 << 10;

impl Collected {
    pub(crate) fn new(context: &Context<'_>) -> Self {
        Self {
            meter: Arc::clone(&context.meter),
            columns: Vec::new(),
            holds: Vec::new(),
            samples: 0,
            bytes: 0,
        }
    }
}

impl Sink for Collected {
    fn take(&mut self, position: usize, column: &mut Column) -> Result<(), QueryError> {
        if column.is_empty() {
            return Ok(());
        }
        let absent = Column::absent(column.len());
        let column = std::mem::replace(column, absent);
        self.samples += column.len() as u64;
        self.bytes += column.memory_bytes();
        self.columns.push((position, column));
        if self.bytes >= BYTES_PER_HOLD {
            self.finish()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), QueryError> {
        let (samples, bytes) = (std::mem::take(&mut self.samples), std::mem::take(&mut self.bytes));
        self.holds.push(self.meter.hold(samples, bytes)?);
        Ok(())
    }
}

impl Source<'_> {
    /// Whether the result has lost the metric's name.
    pub(crate) fn drops_name(&self) -> bool {
        match &self.sourcing {
            Sourcing::Value => false,
            Sourcing::Timestamp => true,
            Sourcing::Window { function, .. } => !RangeFunction::keeps_name(function.id),
        }
    }

    /// Whether all series are of one metric, so that they stay different without its name.
    pub(crate) fn is_one_metric(&self) -> bool {
        let equals = |name: &str, op| name == METRIC_NAME && op == MatchOp::Equal;
        self.selector.matchers.iter().any(|m| equals(m.name(), m.op()))
    }

    fn reach_ms(&self, context: &Context<'_>) -> i64 {
        match &self.sourcing {
            Sourcing::Window { range_ms, .. } => *range_ms,
            _ => context.options.lookback_ms,
        }
    }

    /// Finds the series and plans the scan.
    pub(crate) fn prepare(&self, context: &Context<'_>, grid: Grid) -> Result<Prepared, QueryError> {
        let reference = context.reference(&self.selector.modifiers, grid);
        let beyond = context.options.lookback_ms;
        let (before, behind) = match self.selector.widening {
            None => (0, 0),
            Some(Widening::Anchored) => (beyond, 0),
            Some(Widening::Smoothed) => (beyond, beyond),
        };
        if self.selector.widening.is_none()
            && let Some(prepared) = self.prepare_buckets(context, reference)?
        {
            return Ok(prepared);
        }
        let reach = self.reach_ms(context).saturating_add(before);
        // Windows and lookback are left-open.
        let start = reference.start().saturating_sub(reach).saturating_add(1);
        let range = TimeRange::new(start, reference.end().saturating_add(behind));
        let set = context.snapshot.select(&self.selector.matchers, range)?;
        let scan = context.snapshot.scan_series(&set, range);
        context.meter.note_scan(SelectorStats {
            span: self.span,
            scan: scan.stats(),
            rollup: None,
        });
        let histograms = read_histograms(context, &set, range)?;
        Ok(Prepared {
            set,
            scan,
            bucketed: None,
            histograms,
            reference,
        })
    }

    /// The same from rollups, where they have the answer.
    fn prepare_buckets(
        &self,
        context: &Context<'_>,
        reference: Grid,
    ) -> Result<Option<Prepared>, QueryError> {
        let Some(bucketed) = Bucketed::plan(context, &self.sourcing, reference, self.reach_ms(context))
        else {
            return Ok(None);
        };
        let instants = bucketed.instants();
        let set = context.snapshot.select(&self.selector.matchers, instants)?;
        // Buckets are of floats alone, so one window with a histogram in it makes the rows the only answer.
        let mut rows = Vec::new();
        if context
            .snapshot
            .histograms(&set, instants)
            .next_series(&mut rows)?
            .is_some()
        {
            return Ok(None);
        }
        let (planned, width) = (bucketed.scan(context, &set), bucketed.width());
        context.meter.note_scan(SelectorStats {
            span: self.span,
            scan: planned.stats(),
            rollup: Some((width, planned.buckets_selected())),
        });
        Ok(Some(Prepared {
            // Only made here, not opened.
            scan: context.snapshot.scan_series(&SeriesSet::default(), instants),
            set,
            bucketed: Some((bucketed, planned)),
            histograms: HashMap::new(),
            reference,
        }))
    }

    /// Reads all series, each into a column that is handed to the sink of its chunk; gives the sinks in the order of the
    /// series. Chunks depend on the data alone, so what sinks sum up is the same whatever the threads do.
    pub(crate) fn run<S: Sink>(
        &self,
        context: &Context<'_>,
        prepared: &Prepared,
        grid: Grid,
        sink: impl Fn() -> S + Sync,
        finish: impl Fn(&mut Column) + Sync,
    ) -> Result<Vec<S>, QueryError> {
        if let Some((bucketed, scan)) = &prepared.bucketed {
            return bucketed.run(context, &self.sourcing, scan, grid, sink, finish);
        }
        let read = |positions: Range<usize>| -> Result<S, QueryError> {
            let mut sink = sink();
            let mut chunk = Chunk::new(self, context, prepared, grid);
            let mut reader = prepared.scan.open(positions)?;
            let mut rows = SeriesRows::default();
            while let Some(position) = reader.next_series(&mut rows)? {
                context.check()?;
                if chunk.fill(position, &mut rows)? {
                    finish(&mut chunk.column);
                    sink.take(position, &mut chunk.column)?;
                }
            }
            chunk.count();
            sink.finish()?;
            Ok(sink)
        };
        let chunks = chunks(prepared.set.len(), &prepared.scan.stats(), grid.len());
        match chunks.as_slice() {
            [one] => Ok(vec![read(one.clone())?]),
            _ => chunks.into_par_iter().map(read).collect(),
        }
    }
}

/// Consecutive positions, cut so that each is worth the opening of its files.
fn chunks(series: usize, scan: &ScanStats, steps: usize) -> Vec<Range<usize>> {
    let rows = scan.rows_selected;
    let files = (scan.files_total - scan.files_pruned).max(1) as u64;
    let work = (rows + series as u64 * steps as u64) / WORK_PER_CHUNK;
    let wanted = work.min(rows / (files * ROWS_PER_OPENING) + 1);
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    let count = wanted
        .clamp(1, 16)
        .max(series.div_ceil(SERIES_PER_CHUNK))
        .min(series.max(1));
    (0..count)
        .map(|i| series * i / count..series * (i + 1) / count)
        .collect()
}

fn read_histograms(
    context: &Context<'_>,
    set: &SeriesSet,
    range: TimeRange,
) -> Result<HashMap<usize, HistogramRows>, QueryError> {
    let mut all: HashMap<usize, HistogramRows> = HashMap::new();
    let mut scan = context.snapshot.histograms(set, range);
    let mut rows = Vec::new();
    while let Some(position) = scan.next_series(&mut rows)? {
        context.check()?;
        let series = all.entry(position).or_default();
        for (ts, histogram) in &rows {
            let float = (!histogram.is_stale()).then(|| Arc::new(FloatHistogram::from_stored(histogram)));
            series.push(*ts, float);
        }
    }
    Ok(all)
}

/// Scratch memory and counts of one chunk.
struct Chunk<'a> {
    source: &'a Source<'a>,
    context: &'a Context<'a>,
    prepared: &'a Prepared,
    grid: Grid,
    column: Column,
    bounds: Vec<(u32, u32)>,
    samples: u64,
    by_step: Vec<u64>,
    /// the metric that was last looked at for whether it looks like a counter
    metric: Option<String>,
}

impl<'a> Chunk<'a> {
    fn new(source: &'a Source<'a>, context: &'a Context<'a>, prepared: &'a Prepared, grid: Grid) -> Self {
        let steps = grid.len();
        Self {
            source,
            context,
            prepared,
            grid,
            column: Column::absent(steps),
            bounds: Vec::with_capacity(steps),
            samples: 0,
            by_step: if context.meter.counts_steps() {
                vec![0; steps]
            } else {
                Vec::new()
            },
            metric: None,
        }
    }

    /// Fills the column with what a series has; `false` where it has no sample at all.
    fn fill(&mut self, position: usize, rows: &mut SeriesRows) -> Result<bool, QueryError> {
        let histograms = self.prepared.histograms.get(&position);
        if rows.ts.is_empty() && histograms.is_none() {
            return Ok(false);
        }
        self.column.drop_histograms();
        let reference = self.prepared.reference;
        match &self.source.sourcing {
            Sourcing::Value | Sourcing::Timestamp => {
                let wants_ts = matches!(self.source.sourcing, Sourcing::Timestamp);
                let lookback = self.context.options.lookback_ms;
                lookup::floats(rows, reference, lookback, wants_ts, &mut self.column.floats);
                if let Some(histograms) = histograms {
                    lookup::histograms(rows, histograms, reference, lookback, wants_ts, &mut self.column);
                }
                self.count_column();
            }
            Sourcing::Window { function, range_ms } => {
                drop_stale(rows);
                let interrupt = self.context.interrupt();
                let samples = Samples {
                    ts: &rows.ts,
                    values: &rows.values,
                };
                let windows = Windows::find(samples.ts, reference, *range_ms, &mut self.bounds, interrupt);
                self.samples += windows.samples();
                windows.count_into(&mut self.by_step);
                match (histograms, self.source.selector.widening) {
                    (None, Some(widening)) => {
                        let lookback = self.context.options.lookback_ms;
                        let out = &mut self.column.floats;
                        extended::run(function.id, widening, samples, &windows, lookback, out);
                    }
                    (None, None) => function.run(samples, &windows, &mut self.column.floats),
                    (Some(histograms), _) => mixed::run(
                        self.context,
                        self.source.span,
                        self.prepared.set.labels(position)?.metric(),
                        function,
                        samples,
                        &windows,
                        histograms,
                        &mut self.column,
                    ),
                }
                // An interrupt leaves the rest of the column empty.
                self.context.check()?;
                self.note_counter(position)?;
            }
        }
        Ok(true)
    }

    fn count_column(&mut self) {
        self.samples += self.column.samples();
        for (step, count) in self.by_step.iter_mut().enumerate() {
            *count += u64::from(self.column.has(step));
        }
    }

    /// Says so where a rate is taken of what is not named as a counter.
    fn note_counter(&mut self, position: usize) -> Result<(), QueryError> {
        let Sourcing::Window { function, .. } = &self.source.sourcing else {
            return Ok(());
        };
        if !matches!(function.id, FunctionId::Rate | FunctionId::Increase)
            || self
                .column
                .floats
                .iter()
                .all(|value| value.to_bits() == ABSENT.to_bits())
        {
            return Ok(());
        }
        let set = &self.prepared.set;
        let labels;
        let metric = match set.known_label(position, METRIC_NAME) {
            Some(metric) => metric,
            None => {
                labels = set.labels(position)?;
                labels.metric()
            }
        };
        if self.metric.as_deref() != Some(metric) {
            self.context.note_counter(self.source.span, metric);
            self.metric = Some(metric.to_owned());
        }
        Ok(())
    }

    /// Hands the counts to the query's account.
    fn count(&self) {
        debug_assert_eq!(self.column.len(), self.grid.len());
        self.context.meter.read(self.samples, &self.by_step);
    }
}

/// Takes staleness markers out: a window does not see them.
fn drop_stale(rows: &mut SeriesRows) {
    if !rows.values.iter().any(|value| is_stale(*value)) {
        return;
    }
    let mut kept = 0;
    for row in 0..rows.ts.len() {
        if !is_stale(rows.values[row]) {
            rows.ts[kept] = rows.ts[row];
            rows.values[kept] = rows.values[row];
            kept += 1;
        }
    }
    rows.ts.truncate(kept);
    rows.values.truncate(kept);
}
