//! Selectors answered from rollups: buckets of five minutes or an hour instead of the rows in them.
//!
//! Windows are open on the left, as buckets are, so a window whose edges are multiples of the width is made of whole
//! buckets, and what the functions below ask of it is what they would ask of its rows: the same but for the order in which
//! numbers are added. Nothing else is answered so unless the caller has asked for it; then instants are taken down to the
//! width and windows up to it. See `docs/adr/0011-rollups.md` for what a bucket knows.

use std::ops::Range;

use barograph_engine::{Bucket, BucketBlock, RollupScan, RollupWidth, SeriesSet};
use barograph_model::TimeRange;
use rayon::prelude::*;

use super::context::Context;
use super::source::{Prepared, Sink, Sourcing};
use crate::query::RollupUse;
use crate::range_function::{Extrapolation, RateKind};
use crate::syntax::FunctionId;
use crate::value::{ABSENT, Column};
use crate::{Grid, QueryError};

/// Buckets that one chunk of series holds, about.
const BUCKETS_PER_CHUNK: i64 = 1 << 18;

/// How the steps of a selector look at buckets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucketed {
    width: RollupWidth,
    /// the instants that the steps look at
    reference: Grid,
    /// how far back each of them looks, whole buckets
    reach_ms: i64,
}

impl Bucketed {
    /// Whether and how a selector is answered from buckets. `reach_ms` is its range or the lookback.
    pub(crate) fn plan(
        context: &Context<'_>,
        sourcing: &Sourcing,
        reference: Grid,
        reach_ms: i64,
    ) -> Option<Self> {
        if !can_answer(sourcing) {
            return None;
        }
        let of_width = |width: RollupWidth| Self {
            width,
            reference,
            reach_ms: round_up(reach_ms, width.ms()),
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
        context.snapshot.scan_rollup(set, self.ends(), self.width)
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
        prepared: &Prepared,
        grid: Grid,
        sink: impl Fn() -> S + Sync,
        finish: impl Fn(&mut Column) + Sync,
    ) -> Result<Vec<S>, QueryError> {
        let set = &prepared.set;
        let ends = self.ends();
        let of_series = (ends.end.0.saturating_sub(ends.start.0) / self.width.ms()).max(1);
        let together = usize::try_from(BUCKETS_PER_CHUNK / of_series)
            .unwrap_or(1)
            .clamp(1, 1 << 13);
        let chunks: Vec<Range<usize>> = (0..set.len())
            .step_by(together)
            .map(|start| start..set.len().min(start + together))
            .collect();
        let read = |positions: Range<usize>| -> Result<S, QueryError> {
            let mut sink = sink();
            let part = set.at(&positions.clone().collect::<Vec<_>>());
            let buckets = self.read(context, &part)?;
            let mut column = Column::absent(grid.len());
            let mut by_step = vec![
                0;
                if context.meter.counts_steps() {
                    grid.len()
                } else {
                    0
                }
            ];
            let mut samples = 0;
            for (position, buckets) in positions.zip(&buckets) {
                context.check()?;
                if buckets.is_empty() {
                    continue;
                }
                samples += self.fill(context, sourcing, buckets, &mut column.floats, &mut by_step);
                column.drop_histograms();
                finish(&mut column);
                sink.take(position, &mut column)?;
            }
            context.meter.read(samples, &by_step);
            sink.finish()?;
            Ok(sink)
        };
        match chunks.as_slice() {
            [one] => Ok(vec![read(one.clone())?]),
            _ => chunks.into_par_iter().map(read).collect(),
        }
    }

    /// The buckets of each series of a set, ends ascending.
    fn read(&self, context: &Context<'_>, set: &SeriesSet) -> Result<Vec<Vec<Bucket>>, QueryError> {
        let mut all: Vec<Vec<Bucket>> = vec![Vec::new(); set.len()];
        let mut block = BucketBlock::default();
        for mut partition in self.scan(context, set).into_partitions() {
            while partition.next_block(&mut block)? {
                context.check()?;
                for (position, buckets) in block.iter() {
                    let known = &mut all[position];
                    let mut buckets = buckets.iter();
                    // The bucket at midnight has a part in either day.
                    if let (Some(last), Some(first)) = (known.last_mut(), buckets.as_slice().first())
                        && last.end == first.end
                    {
                        last.join(first);
                        buckets.next();
                    }
                    known.extend(buckets);
                }
            }
        }
        Ok(all)
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
            low += buckets[low..].partition_point(|bucket| bucket.end <= start);
            high += buckets[high..].partition_point(|bucket| bucket.end <= end);
            let inside = &buckets[low.min(high)..high];
            let (value, seen) = match sourcing {
                Sourcing::Window { function, .. } => {
                    (of_window(function.id, inside, start, end), count(inside))
                }
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

/// What buckets know.
fn can_answer(sourcing: &Sourcing) -> bool {
    use FunctionId as F;
    match sourcing {
        Sourcing::Value | Sourcing::Timestamp => true,
        Sourcing::Window { function, .. } => matches!(
            function.id,
            F::AvgOverTime
                | F::Changes
                | F::CountOverTime
                | F::Delta
                | F::FirstOverTime
                | F::Increase
                | F::LastOverTime
                | F::MaxOverTime
                | F::MinOverTime
                | F::PresentOverTime
                | F::Rate
                | F::Resets
                | F::SumOverTime
                | F::TsOfFirstOverTime
                | F::TsOfLastOverTime
        ),
    }
}

fn round_up(ms: i64, width: i64) -> i64 {
    ms.saturating_add(width - 1)
        .div_euclid(width)
        .saturating_mul(width)
        .max(width)
}

fn count(buckets: &[Bucket]) -> u64 {
    buckets.iter().map(|bucket| u64::from(bucket.count)).sum()
}

/// The newest value, or its instant in seconds, where it is newer than an instant and no staleness marker follows it.
fn newest(buckets: &[Bucket], after: i64, wants_ts: bool) -> Option<f64> {
    let last = buckets
        .last()
        .filter(|last| !last.is_stale() && last.last_ts > after)?;
    Some(if wants_ts {
        last.last_ts as f64 / 1000.0
    } else {
        last.last
    })
}

/// A function over the rows of some buckets together.
fn of_window(function: FunctionId, buckets: &[Bucket], start: i64, end: i64) -> Option<f64> {
    use FunctionId as F;
    let (first, rest) = buckets.split_first()?;
    let mut all = *first;
    rest.iter().for_each(|bucket| all.join(bucket));
    if all.count == 0 {
        return None;
    }
    let seconds = |ms: i64| ms as f64 / 1000.0;
    Some(match function {
        F::CountOverTime => f64::from(all.count),
        F::PresentOverTime => 1.0,
        F::FirstOverTime => all.first,
        F::LastOverTime => all.last,
        F::TsOfFirstOverTime => seconds(all.first_ts),
        F::TsOfLastOverTime => seconds(all.last_ts),
        F::MinOverTime => all.min,
        F::MaxOverTime => all.max,
        F::SumOverTime => all.sum,
        F::AvgOverTime => all.sum / f64::from(all.count),
        F::Changes => f64::from(all.changes),
        F::Resets => f64::from(all.resets),
        F::Rate => return extrapolated(RateKind::Rate, &all, start, end),
        F::Increase => return extrapolated(RateKind::Increase, &all, start, end),
        F::Delta => return extrapolated(RateKind::Delta, &all, start, end),
        _ => return None,
    })
}

fn extrapolated(kind: RateKind, all: &Bucket, start: i64, end: i64) -> Option<f64> {
    if all.count < 2 {
        return None;
    }
    let rise = if kind.is_counter() {
        all.increase()
    } else {
        all.last - all.first
    };
    let extrapolation = Extrapolation {
        kind,
        start,
        end,
        first: all.first_ts,
        last: all.last_ts,
        samples: all.count as usize,
    };
    Some(rise * extrapolation.factor(kind.is_counter().then_some((all.first, rise))))
}
