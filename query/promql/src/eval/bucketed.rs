//! Selectors answered from rollups: buckets of five minutes or an hour instead of the rows in them.
//!
//! Windows are open on the left, as buckets are, so a window whose edges are multiples of the width is made of whole
//! buckets, and what the functions below ask of it is what they would ask of its rows: the same but for the order in which
//! numbers are added. Nothing else is answered so unless the caller has asked for it; then instants are taken down to the
//! width and windows up to it. See `docs/adr/0011-rollups.md` for what a bucket knows.

use std::cell::Cell;
use std::iter::Peekable;
use std::ops::Range;

use barograph_engine::{
    Bucket, BucketBlock, BucketParts, RollupPartition, RollupScan, RollupWidth, SeriesSet,
};
use barograph_model::TimeRange;
use rayon::prelude::*;

use super::bucket_window::{self, newest, of_window};
use super::context::Context;
use super::source::{Sink, Sourcing};
use crate::meter::Hold;
use crate::query::RollupUse;
use crate::value::{ABSENT, Column};
use crate::{Grid, QueryError};

/// Buckets that one chunk of series holds, about.
const BUCKETS_PER_CHUNK: i64 = 1 << 18;

/// Series of a chunk at most.
const SERIES_PER_CHUNK: i64 = 1 << 13;

/// Buckets and steps that are worth a second thread.
const WORK_PER_ANSWER: i64 = 1 << 13;

/// Pieces of the series that are answered by themselves, at most; where there are more chunks, one for each.
const ANSWERS: usize = 16;

/// How the steps of a selector look at buckets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucketed {
    width: RollupWidth,
    /// the instants that the steps look at
    reference: Grid,
    /// how far back each of them looks, whole buckets
    reach_ms: i64,
    /// of each bucket
    parts: BucketParts,
}

impl Bucketed {
    /// Whether and how a selector is answered from buckets. `reach_ms` is its range or the lookback.
    pub(crate) fn plan(
        context: &Context<'_>,
        sourcing: &Sourcing,
        reference: Grid,
        reach_ms: i64,
    ) -> Option<Self> {
        let parts = bucket_window::parts(sourcing)?;
        let of_width = |width: RollupWidth| Self {
            width,
            reference,
            reach_ms: round_up(reach_ms, width.ms()),
            parts,
        };
        match context.options.rollup {
            RollupUse::Off => None,
            RollupUse::Asked(width) => Some(of_width(width)),
            RollupUse::WhereExact => {
                let is_exact = |width: RollupWidth| {
                    let divides = |ms: i64| ms.rem_euclid(width.ms()) == 0;
                    let is_window = matches!(sourcing, Sourcing::Window { .. });
                    divides(reference.start())
                        && (reference.len() == 1 || divides(reference.step()))
                        && (!is_window || divides(reach_ms))
                };
                let mut widths = RollupWidth::ALL
                    .into_iter()
                    .rev()
                    .filter(|width| is_exact(*width));
                let found = widths.find(|width| context.snapshot.has_rollup(of_width(*width).ends(), *width));
                found.map(of_width)
            }
        }
    }

    /// The ends of the buckets that any step needs.
    pub(crate) fn ends(&self) -> TimeRange {
        let first = self.end_of(self.reference.start()).saturating_sub(self.reach_ms);
        TimeRange::new(first.saturating_add(1), self.end_of(self.reference.end()))
    }

    /// The instants over which series are to be selected.
    pub(crate) fn instants(&self) -> TimeRange {
        let ends = self.ends();
        TimeRange::new(ends.start.0.saturating_sub(self.width.ms()), ends.end.0)
    }

    /// How wide the buckets are.
    pub(crate) fn width(&self) -> RollupWidth {
        self.width
    }

    /// Plans to read the buckets of a set.
    pub(crate) fn scan(&self, context: &Context<'_>, set: &SeriesSet) -> RollupScan {
        context
            .snapshot
            .scan_rollup(set, self.ends(), self.width, self.parts)
    }

    /// The end of the newest bucket that a step sees whole.
    fn end_of(&self, ts: i64) -> i64 {
        ts.saturating_sub(ts.rem_euclid(self.width.ms()))
    }

    /// Reads all series, as [`Source::run`](super::source::Source::run) does from rows.
    pub(crate) fn run<S: Sink>(
        &self,
        context: &Context<'_>,
        sourcing: &Sourcing,
        scan: &RollupScan,
        grid: Grid,
        sink: impl Fn() -> S + Sync,
        finish: impl Fn(&mut Column) + Sync,
    ) -> Result<Vec<S>, QueryError> {
        let series = scan.stats().series_matched;
        let ends = self.ends();
        let of_series = (ends.end.0.saturating_sub(ends.start.0) / self.width.ms()).max(1);
        let together = (BUCKETS_PER_CHUNK / of_series).clamp(1, SERIES_PER_CHUNK);
        let chunks: Vec<_> = cut(0..series, together as usize).collect();
        // A sink may hold as much as the whole answer, so there are few more than chunks.
        let of_answer = of_series.saturating_add(grid.len() as i64);
        let worth = (WORK_PER_ANSWER / of_answer).clamp(1, together) as usize;
        let answered = worth.max(series.div_ceil(ANSWERS));
        let answer = |(positions, read): (Range<usize>, &[Vec<BucketBlock>])| -> Result<S, QueryError> {
            let mut sink = sink();
            let mut column = Column::absent(grid.len());
            let steps = if context.meter.counts_steps() {
                grid.len()
            } else {
                0
            };
            let mut by_step = vec![0; steps];
            let mut samples = 0;
            let mut partitions = Vec::with_capacity(read.len());
            for blocks in read {
                let series = blocks.iter().flat_map(BucketBlock::iter);
                partitions.push(series.skip_while(|(of, _)| *of < positions.start).peekable());
            }
            let mut buckets = Vec::new();
            for position in positions.clone() {
                context.check()?;
                gather(&mut partitions, position, &mut buckets);
                if buckets.is_empty() {
                    continue;
                }
                samples += self.fill(context, sourcing, &buckets, &mut column.floats, &mut by_step);
                column.drop_histograms();
                finish(&mut column);
                sink.take(position, &mut column)?;
            }
            context.meter.read(samples, &by_step);
            sink.finish()?;
            Ok(sink)
        };
        let chunk = |positions: Range<usize>| -> Result<Vec<S>, QueryError> {
            let partitions = scan.partitions(positions.clone());
            let partitions = partitions.into_par_iter();
            let (read, _holds): (Vec<_>, Vec<_>) = partitions
                .map(|partition| read(context, partition))
                .collect::<Result<_, _>>()?;
            let parts: Vec<_> = cut(positions, answered).map(|part| (part, &*read)).collect();
            parts.into_par_iter().map(answer).collect()
        };
        let sinks: Vec<Vec<S>> = chunks.into_par_iter().map(chunk).collect::<Result<_, _>>()?;
        Ok(sinks.into_iter().flatten().collect())
    }

    /// The value of each step; gives how many samples the steps have looked at.
    fn fill(
        &self,
        context: &Context<'_>,
        sourcing: &Sourcing,
        buckets: &[Bucket],
        out: &mut [f64],
        by_step: &mut [u64],
    ) -> u64 {
        let (mut low, mut high) = (0, 0);
        let mut samples = 0;
        for (step, (ts, out)) in self.reference.iter().zip(out).enumerate() {
            let end = self.end_of(ts);
            let start = end.saturating_sub(self.reach_ms);
            // Both move on by few buckets a step.
            low += buckets[low..]
                .iter()
                .take_while(|bucket| bucket.end <= start)
                .count();
            high += buckets[high..]
                .iter()
                .take_while(|bucket| bucket.end <= end)
                .count();
            let inside = &buckets[low.min(high)..high];
            let (value, seen) = match sourcing {
                Sourcing::Window { function, .. } => of_window(function.id, inside, start, end),
                _ => {
                    let wants_ts = matches!(sourcing, Sourcing::Timestamp);
                    let lookback =
                        context
                            .options
                            .lookback_ms
                            .max(if end == ts { 0 } else { self.width.ms() });
                    let value = newest(inside, end.saturating_sub(lookback), wants_ts);
                    (value, u64::from(value.is_some()))
                }
            };
            *out = value.unwrap_or(ABSENT);
            samples += seen;
            if let Some(sum) = by_step.get_mut(step) {
                *sum += seen;
            }
        }
        samples
    }
}

fn round_up(ms: i64, width: i64) -> i64 {
    ms.saturating_add(width - 1)
        .div_euclid(width)
        .saturating_mul(width)
        .max(width)
}

/// Consecutive pieces of some positions.
fn cut(positions: Range<usize>, len: usize) -> impl Iterator<Item = Range<usize>> {
    let end = positions.end;
    positions
        .step_by(len)
        .map(move |start| start..end.min(start + len))
}

/// All of a partition, counted as held.
fn read(
    context: &Context<'_>,
    mut partition: RollupPartition,
) -> Result<(Vec<BucketBlock>, Vec<Hold>), QueryError> {
    thread_local! {
        // Its memory is used again; what is kept of it is as long as it has to be.
        static BLOCK: Cell<BucketBlock> = Cell::default();
    }
    let mut block = BLOCK.take();
    let (mut blocks, mut holds) = (Vec::new(), Vec::new());
    while partition.next_block(&mut block)? {
        context.check()?;
        holds.push(context.meter.hold(0, block.memory_bytes())?);
        blocks.push(block.clone());
    }
    BLOCK.set(block);
    Ok((blocks, holds))
}

/// The buckets of the next series of what was read of each partition, ends ascending. Nothing before it is left in any.
fn gather<'a>(
    partitions: &mut [Peekable<impl Iterator<Item = (usize, &'a [Bucket])>>],
    position: usize,
    out: &mut Vec<Bucket>,
) {
    out.clear();
    for partition in partitions {
        let Some((_, mut buckets)) = partition.next_if(|(of, _)| *of == position) else {
            continue;
        };
        // The bucket at midnight has a part in either day.
        if let (Some(last), Some((first, rest))) = (out.last_mut(), buckets.split_first())
            && last.end == first.end
        {
            last.join(first);
            buckets = rest;
        }
        out.extend_from_slice(buckets);
    }
}
