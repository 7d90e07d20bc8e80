//! Mean and spread of a native histogram's observations.
//!
//! Source: Prometheus 3.13, `histogram_avg`, `histogram_stddev`, `histogram_stdvar`.

use super::{
    FloatHistogram,
    cell::{Cell, Compensated},
};

impl FloatHistogram {
    /// The mean of the observations (`histogram_avg`); NaN without any.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.sum() / self.count()
    }

    /// The variance of the observations (`histogram_stdvar`), each taken to be in the middle of its bucket: the
    /// geometric one of exponential buckets, the arithmetic one of custom ones, 0 in the zero bucket. NaN without
    /// observations. O(buckets).
    #[must_use]
    pub fn variance(&self) -> f64 {
        let mean = self.mean();
        let mut squares = Compensated::default();
        for bucket in self.buckets().filter(|bucket| bucket.count != 0.0) {
            let middle = if self.is_custom() {
                (bucket.upper + bucket.lower) / 2.0
            } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
                0.0
            } else {
                (bucket.upper * bucket.lower).sqrt().copysign(bucket.upper)
            };
            let distance = middle - mean;
            squares.add(bucket.count * distance * distance);
        }
        squares.total() / self.count()
    }

    /// The standard deviation of the observations (`histogram_stddev`): the root of the [variance](Self::variance).
    #[must_use]
    pub fn standard_deviation(&self) -> f64 {
        self.variance().sqrt()
    }
}
