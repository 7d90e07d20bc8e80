//! What is kept of the rows of one series in one bucket, and how it is made.
//!
//! It is what PromQL's functions over windows of whole buckets need, bit for bit where they do not add up many numbers:
//!
//! ```text
//! last sample in the lookback      last, last_ts, stale_ts
//! count, present, first, last      count, first, last
//! min, max                         min, max: NaN only where there is nothing else
//! sum, avg                         sum, count: compensated, so that it differs from a sum over rows by rounding alone
//! rate, increase, delta            first, first_ts, last, last_ts, count, before_resets
//! resets, changes                  resets, changes
//! ```
//!
//! What lies between two buckets, such as a reset from the last value of the one to the first of the next, is found when
//! they are joined.

use barograph_model::is_stale;

use super::{NUMBERS, RollupWidth};

/// The rows of one series in `(end - width, end]`, at least one. Values are those of the floats; staleness markers are
/// no values, and are only known where they are the newest row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// The last instant that belongs to it, a multiple of the width.
    pub end: i64,
    /// The instant of the first float; that of the marker where there are none.
    pub first_ts: i64,
    /// The instant of the last float; that of the marker where there are none.
    pub last_ts: i64,
    /// The instant of the newest row, where that is a staleness marker.
    pub stale_ts: Option<i64>,
    /// Floats, NaN among them. Where it is 0, there was nothing but markers, and all numbers below are 0.
    pub count: u32,
    /// How often a value was below the one before it.
    pub resets: u32,
    /// How often a value was another than the one before it, NaN counting as equal to NaN.
    pub changes: u32,
    /// The sum, of which rounding errors were kept and added at the end. Infinite where a sum over rows is.
    pub sum: f64,
    /// The least value that is not NaN; NaN where all are.
    pub min: f64,
    /// The greatest value that is not NaN; NaN where all are.
    pub max: f64,
    /// The first value.
    pub first: f64,
    /// The last value.
    pub last: f64,
    /// The sum of the values just before resets: the increase of a counter is `last - first + before_resets`.
    pub before_resets: f64,
}

impl Bucket {
    /// A bucket of which nothing but its end is known yet.
    pub(crate) fn empty(end: i64) -> Self {
        Self {
            end,
            first_ts: 0,
            last_ts: 0,
            stale_ts: None,
            count: 0,
            resets: 0,
            changes: 0,
            sum: 0.0,
            min: 0.0,
            max: 0.0,
            first: 0.0,
            last: 0.0,
            before_resets: 0.0,
        }
    }

    /// A bucket with one row.
    fn of_row(end: i64, ts: i64, value: f64) -> Self {
        let is_stale = is_stale(value);
        let value = if is_stale { 0.0 } else { value };
        Self {
            end,
            first_ts: ts,
            last_ts: ts,
            stale_ts: is_stale.then_some(ts),
            count: u32::from(!is_stale),
            resets: 0,
            changes: 0,
            sum: value,
            min: value,
            max: value,
            first: value,
            last: value,
            before_resets: 0.0,
        }
    }

    /// Whether the newest row is a staleness marker: an instant selector then finds nothing.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.stale_ts.is_some()
    }

    /// By how much a counter has risen from the first to the last value, resets counted as returns to 0.
    #[must_use]
    pub fn increase(&self) -> f64 {
        self.last - self.first + self.before_resets
    }

    /// Whether all of it is the same, numbers bit for bit.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let counts = |b: &Self| {
            (
                b.end, b.first_ts, b.last_ts, b.stale_ts, b.count, b.resets, b.changes,
            )
        };
        let bits = |b: &Self| b.numbers().map(f64::to_bits);
        counts(self) == counts(other) && bits(self) == bits(other)
    }

    /// The numbers, in the order of their columns.
    pub(crate) fn numbers(&self) -> [f64; NUMBERS.len()] {
        [
            self.sum,
            self.min,
            self.max,
            self.first,
            self.last,
            self.before_resets,
        ]
    }

    /// Adds the rows of a later stretch of the same series, all of them newer: the next buckets, or the other part of
    /// this one. The result bears the end of the later one.
    pub fn join(&mut self, later: &Self) {
        if later.count == 0 {
            self.stale_ts = later.stale_ts;
            self.end = later.end;
            if self.count == 0 {
                (self.first_ts, self.last_ts) = (later.first_ts, later.last_ts);
            }
            return;
        }
        if self.count == 0 {
            *self = *later;
            return;
        }
        let step = Step::between(self.last, later.first);
        self.end = later.end;
        self.last_ts = later.last_ts;
        self.stale_ts = later.stale_ts;
        self.count = self.count.saturating_add(later.count);
        self.resets = self
            .resets
            .saturating_add(later.resets)
            .saturating_add(u32::from(step.is_reset));
        self.changes = self
            .changes
            .saturating_add(later.changes)
            .saturating_add(u32::from(step.is_change));
        self.sum += later.sum;
        self.min = least(self.min, later.min);
        self.max = greatest(self.max, later.max);
        if step.is_reset {
            self.before_resets += self.last;
        }
        self.before_resets += later.before_resets;
        self.last = later.last;
    }
}

/// What happens from one value to the next.
struct Step {
    is_reset: bool,
    is_change: bool,
}

impl Step {
    fn between(before: f64, after: f64) -> Self {
        Self {
            is_reset: after < before,
            is_change: after != before && !(after.is_nan() && before.is_nan()),
        }
    }
}

/// The first of the two that is least; NaN only where both are.
fn least(a: f64, b: f64) -> f64 {
    if b < a || a.is_nan() { b } else { a }
}

fn greatest(a: f64, b: f64) -> f64 {
    if b > a || a.is_nan() { b } else { a }
}

/// Makes buckets of the rows of one series. The same rows give the same bits, in whatever portions they come.
#[derive(Debug)]
pub(crate) struct Accumulator {
    width: RollupWidth,
    open: Option<Open>,
}

/// The bucket that rows are added to; its sums are kept beside it.
#[derive(Debug)]
struct Open {
    bucket: Bucket,
    sum: Sum,
    before_resets: Sum,
}

/// A sum that keeps what rounding loses (Neumaier). Decimals then mostly sum up to the decimal that a person would get.
#[derive(Debug)]
struct Sum {
    total: f64,
    lost: f64,
}

impl Sum {
    fn of(value: f64) -> Self {
        Self {
            total: value,
            lost: 0.0,
        }
    }

    fn add(&mut self, value: f64) {
        let total = self.total + value;
        if total.is_infinite() {
            self.lost = 0.0;
        } else if self.total.abs() >= value.abs() {
            self.lost += (self.total - total) + value;
        } else {
            self.lost += (value - total) + self.total;
        }
        self.total = total;
    }

    fn value(&self) -> f64 {
        match self.total.is_finite() {
            true => self.total + self.lost,
            false => self.total,
        }
    }
}

impl Accumulator {
    pub(crate) fn new(width: RollupWidth) -> Self {
        Self { width, open: None }
    }

    /// Adds rows, which ascend in time and are newer than those before. Buckets that are full go to `out`.
    pub(crate) fn push(&mut self, ts: &[i64], values: &[f64], out: &mut Vec<Bucket>) {
        for (ts, value) in ts.iter().zip(values) {
            let end = self.width.end_of(*ts);
            match &mut self.open {
                Some(open) if open.bucket.end == end => open.push(*ts, *value),
                _ => {
                    self.finish(out);
                    self.open = Some(Open::new(end, *ts, *value));
                }
            }
        }
    }

    /// Ends the series.
    pub(crate) fn finish(&mut self, out: &mut Vec<Bucket>) {
        out.extend(self.open.take().map(|open| Bucket {
            sum: open.sum.value(),
            before_resets: open.before_resets.value(),
            ..open.bucket
        }));
    }
}

impl Open {
    fn new(end: i64, ts: i64, value: f64) -> Self {
        let bucket = Bucket::of_row(end, ts, value);
        Self {
            sum: Sum::of(bucket.sum),
            before_resets: Sum::of(0.0),
            bucket,
        }
    }

    fn push(&mut self, ts: i64, value: f64) {
        let bucket = &mut self.bucket;
        if is_stale(value) {
            bucket.stale_ts = Some(ts);
            if bucket.count == 0 {
                (bucket.first_ts, bucket.last_ts) = (ts, ts);
            }
            return;
        }
        if bucket.count == 0 {
            *self = Self::new(bucket.end, ts, value);
            return;
        }
        self.sum.add(value);
        let step = Step::between(bucket.last, value);
        bucket.count = bucket.count.saturating_add(1);
        bucket.resets = bucket.resets.saturating_add(u32::from(step.is_reset));
        bucket.changes = bucket.changes.saturating_add(u32::from(step.is_change));
        if step.is_reset {
            self.before_resets.add(bucket.last);
        }
        bucket.min = least(bucket.min, value);
        bucket.max = greatest(bucket.max, value);
        bucket.last = value;
        bucket.last_ts = ts;
        bucket.stale_ts = None;
    }
}

/// The buckets of all rows of a series.
#[cfg(test)]
pub(crate) fn buckets_of(width: RollupWidth, ts: &[i64], values: &[f64]) -> Vec<Bucket> {
    let (mut accumulator, mut out) = (Accumulator::new(width), Vec::new());
    accumulator.push(ts, values, &mut out);
    accumulator.finish(&mut out);
    out
}

#[cfg(test)]
mod tests;
