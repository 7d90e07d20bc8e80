//! When two values are as good as equal: Prometheus' tests allow for the same.

use crate::histogram::FloatHistogram;

/// The relative difference that is let pass in scripts.
const EPSILON: f64 = 1e-6;

/// Whether two floats differ by no more than a script allows; NaN equals itself.
pub(super) fn almost_equal(a: f64, b: f64) -> bool {
    if a == b || (a.is_nan() && b.is_nan()) {
        return true;
    }
    let (sum, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < EPSILON * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < EPSILON
}

/// Whether two histograms are the same but for rounding and empty buckets.
pub(super) fn histograms_are_almost_equal(a: &FloatHistogram, b: &FloatHistogram) -> bool {
    let buckets = |histogram: &FloatHistogram| {
        let mut histogram = histogram.clone();
        histogram.compact();
        histogram
            .buckets()
            .filter(|bucket| bucket.count != 0.0)
            .collect::<Vec<_>>()
    };
    let (of_a, of_b) = (buckets(a), buckets(b));
    a.schema() == b.schema()
        && a.custom_values() == b.custom_values()
        && a.zero_threshold() == b.zero_threshold()
        && almost_equal(a.zero_count(), b.zero_count())
        && almost_equal(a.count(), b.count())
        && almost_equal(a.sum(), b.sum())
        && of_a.len() == of_b.len()
        && of_a.iter().zip(&of_b).all(|(a, b)| {
            (a.lower, a.upper, a.lower_inclusive) == (b.lower, b.upper, b.lower_inclusive)
                && almost_equal(a.count, b.count)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_millionth_is_let_pass_and_more_is_not() {
        assert!(almost_equal(1e9, 1e9 + 1.0) && almost_equal(f64::NAN, -f64::NAN));
        assert!(!almost_equal(1.0, 1.00001) && !almost_equal(0.0, 1e-12) && !almost_equal(1.0, f64::NAN));
        assert!(!almost_equal(f64::INFINITY, f64::MAX));
    }

    #[test]
    fn histograms_are_compared_in_every_part() {
        let histogram = |text: &str| text.parse::<FloatHistogram>().unwrap();
        let equal = |a: &str, b: &str| histograms_are_almost_equal(&histogram(a), &histogram(b));
        let base = "{{schema:0 count:3 sum:5 buckets:[1 0 2]}}";
        assert!(equal(base, base));
        assert!(equal(
            base,
            "{{schema:0 count:3 sum:5 buckets:[0 1 0 2 0] offset:-1}}"
        ));
        for other in [
            "{{schema:1 count:3 sum:5 buckets:[1 0 2]}}",
            "{{schema:0 count:4 sum:5 buckets:[1 0 2]}}",
            "{{schema:0 count:3 sum:6 buckets:[1 0 2]}}",
            "{{schema:0 count:3 sum:5 buckets:[1 2]}}",
            "{{schema:0 count:3 sum:5 buckets:[1 0 2] z_bucket:1}}",
            "{{schema:0 count:3 sum:5 buckets:[1 0 2] z_bucket_w:1}}",
        ] {
            assert!(!equal(base, other), "{other}");
        }
    }
}
