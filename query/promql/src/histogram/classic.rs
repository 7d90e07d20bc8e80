//! Classic histograms: cumulative buckets, each a series with the label `le`.
//!
//! Source: Prometheus 3.13, `BucketQuantile` and `BucketFraction`.

use super::fraction::Ranks;

/// Relative differences below this between counts of neighbouring buckets are noise of float arithmetic.
const TOLERANCE: f64 = 1e-12;

/// A cumulative bucket: how many observations are not above a bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassicBucket {
    /// The bound, `le`.
    pub upper: f64,
    /// How many.
    pub count: f64,
}

/// A quantile of a classic histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassicQuantile {
    /// The quantile.
    pub value: f64,
    /// Where counts had to be raised for it, if anywhere.
    pub forced: Option<ForcedMonotonicity>,
}

/// Cumulative counts that went down where they cannot, by more than rounding explains
/// ([`FORCED_MONOTONICITY`](super::annotation::FORCED_MONOTONICITY)).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForcedMonotonicity {
    /// The lowest bound whose count was raised.
    pub lowest_bound: f64,
    /// The highest.
    pub highest_bound: f64,
    /// By how much a count was raised at most.
    pub largest_step: f64,
}

/// The `phi`-quantile of a classic histogram, interpolated linearly. The buckets may come in any order, and are sorted
/// and made monotonic in place; buckets of the same bound are added up. O(n log n), O(n) for sorted ones.
///
/// The first bucket begins at 0 if its bound is above 0, else the quantile in it is its bound; in the last one it is
/// the highest finite bound. -Inf below 0, +Inf above 1; NaN for NaN, without a bucket to +Inf and another one, and
/// without observations.
pub fn bucket_quantile(phi: f64, buckets: &mut [ClassicBucket]) -> ClassicQuantile {
    let plain = |value| ClassicQuantile { value, forced: None };
    if phi.is_nan() {
        return plain(f64::NAN);
    }
    if phi < 0.0 {
        return plain(f64::NEG_INFINITY);
    }
    if phi > 1.0 {
        return plain(f64::INFINITY);
    }
    let Some(buckets) = sort_and_merge(buckets) else {
        return plain(f64::NAN);
    };
    let forced = make_monotonic(buckets);
    let (Some(last), 2..) = (buckets.last(), buckets.len()) else {
        return ClassicQuantile {
            value: f64::NAN,
            forced,
        };
    };
    let value = if last.count == 0.0 {
        f64::NAN
    } else {
        value_at(phi * last.count, buckets)
    };
    ClassicQuantile { value, forced }
}

/// The share of a classic histogram's observations between two values, interpolated linearly. The buckets are sorted
/// in place, and not made monotonic. NaN without observations, without a bucket to +Inf, or with a NaN bound; 0 where
/// `lower` is not below `upper`.
pub fn bucket_fraction(lower: f64, upper: f64, buckets: &mut [ClassicBucket]) -> f64 {
    let Some(buckets) = sort_and_merge(buckets) else {
        return f64::NAN;
    };
    let count = buckets.last().map_or(0.0, |bucket| bucket.count);
    if count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let mut ranks = Ranks::new(lower, upper);
    let mut rank = 0.0;
    let mut start = match buckets.first() {
        Some(first) if first.upper <= 0.0 => f64::NEG_INFINITY,
        _ => 0.0,
    };
    for bucket in buckets.iter() {
        let at = |value| {
            if start == f64::NEG_INFINITY {
                bucket.count
            } else {
                rank + (bucket.count - rank) * (value - start) / (bucket.upper - start)
            }
        };
        if ranks.pass(start, bucket.upper, rank, at) {
            break;
        }
        rank = bucket.count;
        start = bucket.upper;
    }
    ranks.share(count, count)
}

/// The value at a rank of sorted buckets, of which there are at least two.
fn value_at(rank: f64, buckets: &[ClassicBucket]) -> f64 {
    let finite = &buckets[..buckets.len() - 1];
    let place = finite.partition_point(|bucket| {
        // Also past a NaN, whose rank is unknown.
        !matches!(
            bucket.count.partial_cmp(&rank),
            Some(std::cmp::Ordering::Greater | std::cmp::Ordering::Equal)
        )
    });
    let Some(bucket) = finite.get(place) else {
        return finite[finite.len() - 1].upper;
    };
    if place == 0 {
        if bucket.upper <= 0.0 {
            return bucket.upper;
        }
        return bucket.upper * (rank / bucket.count);
    }
    let before = finite[place - 1];
    let share = (rank - before.count) / (bucket.count - before.count);
    before.upper + (bucket.upper - before.upper) * share
}

/// Sorts by bound and adds up buckets of the same bound. `None` where the last one does not reach to +Inf.
fn sort_and_merge(buckets: &mut [ClassicBucket]) -> Option<&mut [ClassicBucket]> {
    buckets.sort_by(|a, b| a.upper.total_cmp(&b.upper));
    if buckets.last()?.upper != f64::INFINITY {
        return None;
    }
    let mut kept = 0;
    for i in 1..buckets.len() {
        if buckets[i].upper == buckets[kept].upper {
            buckets[kept].count += buckets[i].count;
        } else {
            kept += 1;
            buckets[kept] = buckets[i];
        }
    }
    Some(&mut buckets[..=kept])
}

/// Evens out what rounding explains, then raises every count that is below one before it.
fn make_monotonic(buckets: &mut [ClassicBucket]) -> Option<ForcedMonotonicity> {
    let mut forced: Option<ForcedMonotonicity> = None;
    let mut previous = buckets.first()?.count;
    for bucket in &mut buckets[1..] {
        let count = bucket.count;
        if is_almost(previous, count) {
            bucket.count = previous;
        } else if count < previous {
            let (bound, step) = (bucket.upper, previous - count);
            bucket.count = previous;
            let so_far = forced.get_or_insert(ForcedMonotonicity {
                lowest_bound: bound,
                highest_bound: bound,
                largest_step: step,
            });
            so_far.highest_bound = bound;
            so_far.largest_step = so_far.largest_step.max(step);
        } else {
            previous = count;
        }
    }
    forced
}

/// Whether two counts are equal but for [`TOLERANCE`]; near 0 the difference is held against the smallest normal float.
fn is_almost(a: f64, b: f64) -> bool {
    if a == b || (a.is_nan() && b.is_nan()) {
        return true;
    }
    let (sum, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

#[cfg(test)]
mod tests;
