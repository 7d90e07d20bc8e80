//! Cutting a histogram at a value: the operators `</` and `>/`.
//!
//! What is left of a bucket that is cut is interpolated as a quantile is. The sum is estimated anew from the middles of
//! what is left of every bucket, geometric ones of exponential buckets and arithmetic ones of all others; where nothing
//! was cut off it stays as it was. A bucket to infinity says nothing of how its observations are spread: it is kept or
//! dropped whole, but for a first custom bucket that ends above 0, which is taken to begin at 0.
//!
//! Source: Prometheus 3.13, `TrimBuckets`; the operators are in Prometheus since 3.11.

use super::{
    FloatHistogram,
    body::{Body, Sign},
    bucket::Bucket,
};

/// Which part of a histogram is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// What is not above the value: `histogram </ value`.
    Below,
    /// What is not below the value: `histogram >/ value`.
    Above,
}

/// What is left of a bucket: how much, and where it lies on average.
#[derive(Debug, Clone, Copy)]
struct Rest {
    count: f64,
    middle: f64,
}

impl FloatHistogram {
    /// The observations on one side of a value. O(buckets).
    #[must_use]
    pub fn trimmed(&self, value: f64, keep: Keep) -> Self {
        let mut body = self.0.clone();
        let mut cut = Cut {
            value,
            keep,
            is_custom: body.is_custom(),
            count: 0.0,
            sum: 0.0,
            has_cut: false,
        };
        let has_positive = cut.side(&self.0, Sign::Positive, body.positive.cells_mut());
        let has_negative = cut.side(&self.0, Sign::Negative, body.negative.cells_mut());
        if body.zero_count > 0.0 {
            let mut bucket = body.zero_bucket();
            if has_negative && !has_positive {
                bucket.upper = 0.0;
            }
            if has_positive && !has_negative {
                bucket.lower = 0.0;
            }
            cut.take(cut.zero_bucket(&bucket), &mut body.zero_count);
        }
        if cut.has_cut {
            body.count = cut.count;
            body.sum = cut.sum;
            body.compact();
        }
        Self(body)
    }
}

/// A cut, and what it has left so far.
struct Cut {
    value: f64,
    keep: Keep,
    is_custom: bool,
    count: f64,
    sum: f64,
    has_cut: bool,
}

impl Cut {
    /// Cuts the buckets of one sign. Says whether there was anything in them.
    fn side(&mut self, body: &Body<f64>, sign: Sign, cells: &mut [f64]) -> bool {
        let mut has_any = false;
        for ((index, count), cell) in body.side(sign).iter().zip(cells) {
            if count == 0.0 {
                continue;
            }
            has_any = true;
            let bucket = match sign {
                Sign::Positive => body.positive_bucket(index, count),
                Sign::Negative => body.negative_bucket(index, count),
            };
            let (is_kept, is_dropped) = match self.keep {
                Keep::Below => (bucket.upper <= self.value, bucket.lower >= self.value),
                Keep::Above => (bucket.lower >= self.value, bucket.upper <= self.value),
            };
            if is_kept {
                let middle = self.middle(bucket.lower, bucket.upper, sign);
                self.take(Rest { count, middle }, cell);
            } else if is_dropped || self.value.is_nan() {
                *cell = 0.0;
                self.has_cut = true;
            } else {
                self.take(self.rest(&bucket, sign), cell);
            }
        }
        has_any
    }

    fn take(&mut self, rest: Rest, cell: &mut f64) {
        self.count += rest.count;
        self.sum += rest.middle * rest.count;
        if *cell != rest.count {
            *cell = rest.count;
            self.has_cut = true;
        }
    }

    /// What is left of a bucket that the value lies in.
    fn rest(&self, bucket: &Bucket, sign: Sign) -> Rest {
        if bucket.lower == f64::NEG_INFINITY {
            return self.rest_from_infinity(bucket);
        }
        if bucket.upper == f64::INFINITY {
            return self.rest_to_infinity(bucket);
        }
        let Bucket {
            lower, upper, count, ..
        } = *bucket;
        let share_below = if self.is_custom {
            (self.value - lower) / (upper - lower)
        } else {
            let (log_lower, log_upper) = (lower.abs().log2(), upper.abs().log2());
            let log_value = self.value.abs().log2();
            match sign {
                Sign::Positive => (log_value - log_lower) / (log_upper - log_lower),
                Sign::Negative => 1.0 - (log_value - log_upper) / (log_lower - log_upper),
            }
        };
        let below = count * share_below;
        match self.keep {
            Keep::Below => Rest {
                count: below,
                middle: self.middle(lower, self.value, sign),
            },
            Keep::Above => Rest {
                count: count - below,
                middle: self.middle(self.value, upper, sign),
            },
        }
    }

    /// What is left of a bucket that begins at -Inf and ends above the value.
    fn rest_from_infinity(&self, bucket: &Bucket) -> Rest {
        let Bucket { upper, count, .. } = *bucket;
        let value = self.value;
        let dropped = Rest {
            count: 0.0,
            middle: 0.0,
        };
        let is_from_zero = upper > 0.0 && upper != f64::INFINITY;
        match self.keep {
            Keep::Below if value > 0.0 && is_from_zero => Rest {
                count: count * value / upper,
                middle: value / 2.0,
            },
            Keep::Below if upper <= 0.0 => Rest { count, middle: value },
            Keep::Above if value >= 0.0 && is_from_zero => Rest {
                count: count * (1.0 - value / upper),
                middle: (value + upper) / 2.0,
            },
            _ => dropped,
        }
    }

    /// What is left of a bucket that begins below the value and ends at +Inf.
    fn rest_to_infinity(&self, bucket: &Bucket) -> Rest {
        match self.keep {
            Keep::Below => Rest {
                count: 0.0,
                middle: 0.0,
            },
            Keep::Above => Rest {
                count: bucket.count,
                middle: self.value,
            },
        }
    }

    /// What is left of the zero bucket, which is linear.
    fn zero_bucket(&self, bucket: &Bucket) -> Rest {
        let Bucket {
            lower, upper, count, ..
        } = *bucket;
        let value = self.value;
        let whole = Rest {
            count,
            middle: (lower + upper) / 2.0,
        };
        let nothing = Rest {
            count: 0.0,
            middle: 0.0,
        };
        let (below_it, above_it) = match self.keep {
            Keep::Below => (nothing, whole),
            Keep::Above => (whole, nothing),
        };
        if value <= lower {
            return below_it;
        }
        if value >= upper {
            return above_it;
        }
        let (from, to) = match self.keep {
            Keep::Below => (lower, value),
            Keep::Above => (value, upper),
        };
        Rest {
            count: count * ((to - from) / (upper - lower)),
            middle: (from + to) / 2.0,
        }
    }

    /// Where observations between two bounds lie on average.
    fn middle(&self, lower: f64, upper: f64, sign: Sign) -> f64 {
        match (lower.is_infinite(), upper.is_infinite()) {
            (true, true) => 0.0,
            (true, false) if upper > 0.0 => upper / 2.0,
            (true, false) => upper,
            (false, true) => lower,
            (false, false) if self.is_custom => (lower + upper) / 2.0,
            (false, false) => {
                let middle = (lower * upper).abs().sqrt();
                match sign {
                    Sign::Positive => middle,
                    Sign::Negative => -middle,
                }
            }
        }
    }
}
