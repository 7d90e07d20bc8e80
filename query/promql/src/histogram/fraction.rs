//! The share of the observations that lie between two values: the inverse of a quantile.
//!
//! Source: Prometheus 3.13, `HistogramFraction`.

use super::{
    FloatHistogram,
    body::{Body, Sign},
    bucket::Bucket,
};

/// A share of the observations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fraction {
    /// From 0 to 1.
    pub value: f64,
    /// Whether there are NaN observations, which are in no share but in the whole
    /// ([`FRACTION_WITHOUT_NAN`](super::annotation::FRACTION_WITHOUT_NAN)).
    pub has_nan: bool,
}

impl FloatHistogram {
    /// The share of the observations between `lower` and `upper` (`histogram_fraction`), interpolated in the buckets
    /// where they lie as [`quantile`](Self::quantile) does. NaN without observations or with a NaN bound; 0 where
    /// `lower` is not below `upper`. O(buckets).
    #[must_use]
    pub fn fraction(&self, lower: f64, upper: f64) -> Fraction {
        let body = &self.0;
        let plain = |value| Fraction {
            value,
            has_nan: false,
        };
        if body.count == 0.0 || lower.is_nan() || upper.is_nan() {
            return plain(f64::NAN);
        }
        if lower >= upper {
            return plain(0.0);
        }
        let mut ranks = Ranks::new(lower, upper);
        let mut counted = 0.0;
        let mut rank = 0.0;
        let mut buckets = self.buckets();
        for mut bucket in buckets.by_ref() {
            counted += bucket.count;
            let is_around_zero = bucket.lower <= 0.0 && bucket.upper >= 0.0;
            if is_around_zero {
                match body.lone_sign() {
                    Some(Sign::Positive) => bucket.lower = 0.0,
                    Some(Sign::Negative) => bucket.upper = 0.0,
                    None => {}
                }
            }
            let at = |value| rank + body.count_up_to(&bucket, value, is_around_zero);
            if ranks.pass(bucket.lower, bucket.upper, rank, at) {
                break;
            }
            rank += bucket.count;
        }
        let mut has_nan = false;
        if body.sum.is_nan() {
            counted += buckets.map(|bucket| bucket.count).sum::<f64>();
            has_nan = counted < body.count;
        } else {
            counted = body.count;
        }
        Fraction {
            value: ranks.share(counted, body.count),
            has_nan,
        }
    }
}

impl Body<f64> {
    /// How many of a bucket's observations are up to a value inside it.
    fn count_up_to(&self, bucket: &Bucket, value: f64, is_around_zero: bool) -> f64 {
        let Bucket {
            lower, upper, count, ..
        } = *bucket;
        if self.is_custom() || is_around_zero {
            if lower == f64::NEG_INFINITY {
                // Nobody knows how they are spread, so all of them are below.
                return count;
            }
            return count * (value - lower) / (upper - lower);
        }
        let (log_lower, log_upper) = (lower.abs().log2(), upper.abs().log2());
        let log_value = value.abs().log2();
        let share = if value > 0.0 {
            (log_value - log_lower) / (log_upper - log_lower)
        } else {
            1.0 - (log_value - log_upper) / (log_lower - log_upper)
        };
        count * share
    }
}

/// The ranks of two values, found while walking over ascending buckets.
pub(super) struct Ranks {
    lower: f64,
    upper: f64,
    lower_rank: Option<f64>,
    upper_rank: Option<f64>,
}

impl Ranks {
    pub(super) fn new(lower: f64, upper: f64) -> Self {
        Self {
            lower,
            upper,
            lower_rank: None,
            upper_rank: None,
        }
    }

    /// Looks at a bucket. `before` is the rank at its lower bound, `at` gives that of a value inside. True when both
    /// ranks are known.
    pub(super) fn pass(
        &mut self,
        bucket_lower: f64,
        bucket_upper: f64,
        before: f64,
        at: impl Fn(f64) -> f64,
    ) -> bool {
        let rank_of = |value: f64| {
            if bucket_lower >= value {
                Some(before)
            } else if bucket_upper > value {
                Some(at(value))
            } else {
                None
            }
        };
        self.lower_rank = self.lower_rank.or_else(|| rank_of(self.lower));
        self.upper_rank = self.upper_rank.or_else(|| rank_of(self.upper));
        self.lower_rank.is_some() && self.upper_rank.is_some()
    }

    /// The share of `all` between the two, no rank being above `counted`.
    pub(super) fn share(&self, counted: f64, all: f64) -> f64 {
        let capped = |rank: Option<f64>| match rank {
            Some(rank) if rank <= counted || rank.is_nan() => rank,
            _ => counted,
        };
        (capped(self.upper_rank) - capped(self.lower_rank)) / all
    }
}
