//! Quantiles of a native histogram.
//!
//! ```text
//! exponential bucket   2^(log2 lower + (log2 upper - log2 lower) · share): as if the observations were spread evenly
//!                      over the buckets of a finer schema; negative buckets mirror it
//! zero bucket          linear; from 0 on where all other buckets are positive, up to 0 where they are negative
//! custom bounds        linear; from 0 in the first bucket if it ends above 0, else its end; the last finite bound
//!                      where it falls into the last one
//! ```
//!
//! Source: Prometheus 3.13, `HistogramQuantile`.

use super::{
    FloatHistogram,
    body::{Body, Sign},
    bucket::{Bucket, Slot},
};

/// A quantile, and what NaN among the observations did to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantile {
    /// The quantile.
    pub value: f64,
    /// Whether Prometheus has something to say about it.
    pub nan: Option<QuantileOfNan>,
}

/// What NaN observations do to a quantile. They are in no bucket and count as larger than any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuantileOfNan {
    /// The quantile is one of them ([`QUANTILE_IS_NAN`](super::annotation::QUANTILE_IS_NAN)).
    IsNan,
    /// It is higher than that of the other observations
    /// ([`QUANTILE_IS_SKEWED`](super::annotation::QUANTILE_IS_SKEWED)).
    IsSkewed,
}

impl FloatHistogram {
    /// The `phi`-quantile (`histogram_quantile`). -Inf below 0, +Inf above 1, NaN for NaN or without observations.
    /// O(buckets).
    #[must_use]
    pub fn quantile(&self, phi: f64) -> Quantile {
        let body = &self.0;
        if phi < 0.0 {
            return plain(f64::NEG_INFINITY);
        }
        if phi > 1.0 {
            return plain(f64::INFINITY);
        }
        if body.count == 0.0 || phi.is_nan() {
            return plain(f64::NAN);
        }
        // NaN observations raise the count and are in no bucket, so that only ranks from below mean anything.
        let has_nan_sum = body.sum.is_nan();
        if has_nan_sum || phi < 0.5 {
            let rank = phi * body.count;
            let mut slots = body.slots();
            let hit = Hit::find(&mut slots, rank);
            let remaining = has_nan_sum.then(|| slots.map(|slot| slot.count).sum());
            body.quantile_of(hit, rank, true, remaining)
        } else {
            let rank = (1.0 - phi) * body.count;
            let hit = Hit::find(&mut body.slots().rev(), rank);
            body.quantile_of(hit, rank, false, None)
        }
    }
}

/// The bucket that a rank falls into.
struct Hit {
    slot: Option<Slot>,
    /// What is in it and all buckets before it.
    count: f64,
}

impl Hit {
    /// Walks to the bucket where the count reaches the rank, or to the last one.
    fn find(slots: &mut impl Iterator<Item = Slot>, rank: f64) -> Self {
        let mut hit = Self {
            slot: None,
            count: 0.0,
        };
        for slot in slots {
            hit.slot = Some(slot);
            if slot.count == 0.0 {
                continue;
            }
            hit.count += slot.count;
            if hit.count >= rank {
                break;
            }
        }
        hit
    }
}

impl Body<f64> {
    /// The value at a rank. `remaining` is what the buckets behind the hit hold, where the sum is NaN.
    fn quantile_of(&self, hit: Hit, rank: f64, is_forward: bool, remaining: Option<f64>) -> Quantile {
        let mut bucket = hit.slot.map_or(Bucket::NONE, |slot| self.bucket(slot));
        if self.is_custom() {
            if bucket.lower == f64::NEG_INFINITY {
                if bucket.upper <= 0.0 {
                    return plain(bucket.upper);
                }
                bucket.lower = 0.0;
            } else if bucket.upper == f64::INFINITY {
                return plain(bucket.lower);
            }
        } else if bucket.lower < 0.0 && bucket.upper > 0.0 {
            match self.lone_sign() {
                Some(Sign::Positive) => bucket.lower = 0.0,
                Some(Sign::Negative) => bucket.upper = 0.0,
                None => {}
            }
        }
        // Rounding can make the buckets hold more than the count says.
        let count = if hit.count > self.count {
            self.count
        } else {
            hit.count
        };
        if count < rank {
            if remaining.is_some() {
                return Quantile {
                    value: f64::NAN,
                    nan: Some(QuantileOfNan::IsNan),
                };
            }
            // The buckets hold less than the count says, which no sound histogram does.
            return plain(bucket.upper);
        }
        let rank_in_bucket = if is_forward {
            rank - (count - bucket.count)
        } else {
            count - rank
        };
        let nan = remaining
            .filter(|remaining| count + remaining < self.count)
            .map(|_| QuantileOfNan::IsSkewed);
        let share = rank_in_bucket / bucket.count;
        Quantile {
            value: self.at_share(&bucket, share),
            nan,
        }
    }

    /// The value below which a share of a bucket's observations lie.
    fn at_share(&self, bucket: &Bucket, share: f64) -> f64 {
        let Bucket { lower, upper, .. } = *bucket;
        if self.is_custom() || (lower <= 0.0 && upper >= 0.0) {
            return lower + (upper - lower) * share;
        }
        let (log_lower, log_upper) = (lower.abs().log2(), upper.abs().log2());
        if lower > 0.0 {
            (log_lower + (log_upper - log_lower) * share).exp2()
        } else {
            -(log_upper + (log_lower - log_upper) * (1.0 - share)).exp2()
        }
    }
}

fn plain(value: f64) -> Quantile {
    Quantile { value, nan: None }
}
