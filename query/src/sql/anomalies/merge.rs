//! Puts the samples of verdicts together, by series and instant.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, RecordBatch, RecordBatchOptions, StringViewBuilder,
    TimestampMillisecondArray,
};
use arrow::datatypes::SchemaRef;
use barograph_engine::{SampleBlock, ScanPartition, SeriesSet, Snapshot};
use barograph_model::{TimeRange, is_stale};
use datafusion::common::Result;
use datafusion::execution::memory_pool::MemoryReservation;

use super::watched::{ANOMALY, EXPECTED, LOWER, SCORE, UPPER, Watched};
use crate::sql::error::store_error;

/// Detectors whose verdicts are put together at a time: their samples of one stretch of time are in memory.
const WATCHED_PER_PASS: usize = 16;

/// Samples of one series within one stretch of time.
type Lane = Vec<(i64, f64)>;

/// What all readers of one query share.
#[derive(Debug)]
pub(crate) struct Verdicts {
    pub(crate) watched: Vec<Watched>,
    /// The series of all verdicts.
    pub(crate) set: SeriesSet,
    pub(crate) range: TimeRange,
    /// Columns shown, as positions in the table.
    pub(crate) projection: Vec<usize>,
    pub(crate) schema: SchemaRef,
}

/// Reads the verdicts of some of the detectors.
pub(crate) struct Merge {
    pub(crate) verdicts: Arc<Verdicts>,
    pub(crate) snapshot: Snapshot,
    /// The detectors still to be read, as a range of `verdicts.watched`.
    pub(crate) next: usize,
    pub(crate) end: usize,
    /// Rows still wanted.
    pub(crate) left: usize,
    pub(crate) memory: MemoryReservation,
    /// The detectors being read, and their stretches of time not yet read.
    pass: std::ops::Range<usize>,
    /// Their series, as positions in the set of all.
    series: Vec<usize>,
    partitions: VecDeque<ScanPartition>,
    /// Detectors read and not yet shown, with their samples.
    ready: VecDeque<(usize, [Lane; 5])>,
}

impl Merge {
    pub(crate) fn new(
        verdicts: Arc<Verdicts>,
        snapshot: Snapshot,
        watched: std::ops::Range<usize>,
        limit: Option<usize>,
        memory: MemoryReservation,
    ) -> Self {
        Self {
            verdicts,
            snapshot,
            next: watched.start,
            end: watched.end,
            left: limit.unwrap_or(usize::MAX),
            memory,
            pass: 0..0,
            series: Vec::new(),
            partitions: VecDeque::new(),
            ready: VecDeque::new(),
        }
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while self.left > 0 {
            if let Some((watched, lanes)) = self.ready.pop_front() {
                let rows = lanes[SCORE].len().min(self.left);
                if rows == 0 {
                    continue;
                }
                self.left -= rows;
                return self
                    .verdicts
                    .batch(&self.verdicts.watched[watched], &lanes, rows)
                    .map(Some);
            }
            if let Some(partition) = self.partitions.pop_front() {
                self.read(partition)?;
            } else if self.next < self.end {
                self.open();
            } else {
                break;
            }
        }
        Ok(None)
    }

    /// Begins with the next few detectors.
    fn open(&mut self) {
        self.pass = self.next..self.end.min(self.next + WATCHED_PER_PASS);
        self.next = self.pass.end;
        let watched = &self.verdicts.watched[self.pass.clone()];
        let mut series: Vec<_> = watched
            .iter()
            .flat_map(|watched| watched.lanes.iter().flatten().copied())
            .collect();
        series.sort_unstable();
        let set = self.verdicts.set.at(&series);
        self.partitions = self
            .snapshot
            .scan(&set, self.verdicts.range)
            .into_partitions()
            .into();
        self.series = series;
    }

    /// Reads one stretch of time of the detectors of this pass.
    fn read(&mut self, mut partition: ScanPartition) -> Result<()> {
        let watched = &self.verdicts.watched[self.pass.clone()];
        let mut lane_of = HashMap::new();
        for (i, watched) in watched.iter().enumerate() {
            lane_of.extend(
                watched
                    .lanes
                    .iter()
                    .enumerate()
                    .filter_map(|(lane, s)| Some(((*s)?, (i, lane)))),
            );
        }
        let mut lanes: Vec<[Lane; 5]> = vec![Default::default(); watched.len()];
        let mut block = SampleBlock::default();
        self.memory.free();
        while partition.next_block(&mut block).map_err(store_error)? {
            self.memory.try_grow(block.len() * size_of::<(i64, f64)>())?;
            let mut start = 0;
            for run in &block.runs {
                let rows = start..run.end;
                start = run.end;
                let Some((i, lane)) = lane_of.get(&self.series[run.series]) else {
                    continue;
                };
                let samples = block.ts[rows.clone()]
                    .iter()
                    .copied()
                    .zip(block.values[rows].iter().copied());
                lanes[*i][*lane].extend(samples.filter(|(_, value)| !is_stale(*value)));
            }
        }
        self.ready.extend(self.pass.clone().zip(lanes));
        Ok(())
    }
}

impl Iterator for Merge {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.next_batch().transpose();
        if !matches!(batch, Some(Ok(_))) {
            self.left = 0;
        }
        batch
    }
}

impl Verdicts {
    /// The first `rows` rows of one detector: a row per score, with what the other lanes have at its instant.
    fn batch(&self, watched: &Watched, lanes: &[Lane; 5], rows: usize) -> Result<RecordBatch> {
        let scores = &lanes[SCORE][..rows];
        let text = |text: &str| -> ArrayRef {
            let mut builder = StringViewBuilder::with_capacity(rows);
            (0..rows).for_each(|_| builder.append_value(text));
            Arc::new(builder.finish())
        };
        let number = |lane: &Lane| -> ArrayRef {
            let mut builder = Float64Builder::with_capacity(rows);
            at_instants(scores, lane, |value| builder.append_option(value));
            Arc::new(builder.finish())
        };
        let arrays = self.projection.iter().map(|column| match column {
            0 => {
                let ts = TimestampMillisecondArray::from_iter_values(scores.iter().map(|(ts, _)| *ts));
                Arc::new(ts.with_timezone("UTC")) as ArrayRef
            }
            1 => text(&watched.series),
            2 => text(&watched.detector),
            3 => number(&lanes[SCORE]),
            4 => number(&lanes[EXPECTED]),
            5 => number(&lanes[LOWER]),
            6 => number(&lanes[UPPER]),
            _ => {
                let mut builder = BooleanBuilder::with_capacity(rows);
                at_instants(scores, &lanes[ANOMALY], |value| {
                    builder.append_option(value.map(|value| value > 0.0))
                });
                Arc::new(builder.finish())
            }
        });
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            arrays.collect(),
            &options,
        )?)
    }
}

/// Gives the lane's value at the instant of each score; both ascend in time.
fn at_instants(scores: &[(i64, f64)], lane: &Lane, mut give: impl FnMut(Option<f64>)) {
    let mut lane = lane.iter().peekable();
    for (ts, _) in scores {
        while lane.next_if(|(other, _)| other < ts).is_some() {}
        give(lane.next_if(|(other, _)| other == ts).map(|(_, value)| *value));
    }
}
