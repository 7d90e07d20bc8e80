use super::{assert_close, h};
use crate::histogram::QuantileOfNan;

const INF: f64 = f64::INFINITY;

/// Two around 0 and ten above: 2 up to 1, 3 to 2, 1 from 4 to 8, 4 to 16.
const POSITIVE: &str = "schema:0 count:12 sum:100 z_bucket:2 z_bucket_w:0.001 buckets:[2 3 0 1 4]";
const NEGATIVE: &str = "schema:0 count:12 sum:-100 z_bucket:2 z_bucket_w:0.001 n_buckets:[2 3 0 1 4]";
const CUSTOM: &str = "schema:-53 count:10 sum:80 custom_values:[5 10 20] buckets:[2 4 2 2]";

#[test]
fn quantiles() {
    let cases: &[(&str, f64, f64)] = &[
        // Rank 6 from below, 6 from above: 4 + 1 + 1 of 3, so two thirds of the way from 2^0 to 2^1.
        (POSITIVE, 0.5, 2f64.powf(2.0 / 3.0)),
        // Rank 1.2 from above: 0.3 of the way down from 16.
        (POSITIVE, 0.9, 2f64.powf(3.7)),
        (POSITIVE, 1.0, 16.0),
        // The zero bucket begins at 0, since nothing is negative, and is linear: rank 1.2 of 2.
        (POSITIVE, 0.1, 0.0006),
        (POSITIVE, 0.0, 0.0),
        (POSITIVE, -0.01, -INF),
        (POSITIVE, 1.01, INF),
        (POSITIVE, f64::NAN, f64::NAN),
        (NEGATIVE, 0.5, -(2f64.powf(2.0 / 3.0))),
        (NEGATIVE, 0.1, -(2f64.powf(3.7))),
        (NEGATIVE, 0.0, -16.0),
        (NEGATIVE, 0.9, -0.0006),
        (NEGATIVE, 1.0, 0.0),
        // With both signs, or neither, the zero bucket lies around 0.
        ("count:4 z_bucket:4 z_bucket_w:0.5", 0.25, -0.25),
        (
            "count:6 z_bucket:4 z_bucket_w:0.5 buckets:[1] n_buckets:[1]",
            0.5,
            0.0,
        ),
        // A quantile between two buckets is where the lower part ends, counted from above.
        ("count:4 buckets:[2 0 0 2]", 0.5, 4.0),
        ("", 0.5, f64::NAN),
        // Custom bounds are linear, from 0 and up to the last bound.
        (CUSTOM, 0.1, 2.5),
        (CUSTOM, 0.4, 7.5),
        (CUSTOM, 0.7, 15.0),
        (CUSTOM, 0.95, 20.0),
        (CUSTOM, 1.0, 20.0),
        (
            "schema:-53 count:4 custom_values:[-5 5] buckets:[2 2]",
            0.25,
            -5.0,
        ),
        ("schema:-53 count:4 custom_values:[-5 5] buckets:[2 2]", 0.75, 0.0),
        // A bucket's part inside the zero bucket does not count: (0.75, 1] and not (0.5, 1].
        (
            "count:4 z_bucket:2 z_bucket_w:0.75 buckets:[2]",
            0.75,
            0.75f64.sqrt(),
        ),
        // Fewer observations in buckets than counted, which is not sound, ends at the last bucket.
        ("count:10 sum:1 buckets:[1 1]", 0.4, 2.0),
        // Infinite observations are in buckets of their own.
        ("count:1 sum:Inf buckets:[1] offset:1025", 0.5, INF),
    ];
    for &(notation, phi, wanted) in cases {
        let quantile = h(notation).quantile(phi);
        println!("{notation} at {phi}");
        assert_close(quantile.value, wanted);
        assert_eq!(quantile.nan, None);
    }
}

#[test]
fn nan_observations_move_quantiles_up_and_are_reported() {
    // Four of ten observations are NaN, which count as the largest.
    let histogram = h("schema:0 count:10 sum:NaN buckets:[2 4]");
    let quantile = histogram.quantile(0.5);
    assert_close(quantile.value, 2f64.powf(0.75));
    assert_eq!(quantile.nan, Some(QuantileOfNan::IsSkewed));
    let quantile = histogram.quantile(0.9);
    assert!(quantile.value.is_nan());
    assert_eq!(quantile.nan, Some(QuantileOfNan::IsNan));
    // Inf and -Inf observed make the sum NaN as well, but nothing is missing then.
    let histogram = h("schema:0 count:6 sum:NaN buckets:[2 4]");
    assert_eq!(histogram.quantile(0.9).nan, None);
    assert_close(histogram.quantile(0.9).value, 2f64.powf(0.85));
}

#[test]
fn fractions() {
    let cases: &[(&str, f64, f64, f64)] = &[
        (POSITIVE, -INF, INF, 1.0),
        (POSITIVE, 1.0, 2.0, 0.25),
        (POSITIVE, 2.0, 4.0, 0.0),
        (POSITIVE, 2f64.powf(0.5), INF, 6.5 / 12.0),
        (POSITIVE, -INF, 0.0005, 1.0 / 12.0),
        (POSITIVE, 1e9, INF, 0.0),
        (NEGATIVE, -2.0, -1.0, 0.25),
        (NEGATIVE, -INF, -(2f64.powf(0.5)), 6.5 / 12.0),
        (NEGATIVE, -0.0005, INF, 1.0 / 12.0),
        (
            "count:6 z_bucket:4 z_bucket_w:0.5 buckets:[1] n_buckets:[1]",
            -0.25,
            0.5,
            0.5,
        ),
        (CUSTOM, 0.0, 5.0, 0.2),
        (CUSTOM, 2.5, 7.5, 0.3),
        // How the last two are spread is unknown; none of them are counted up to a finite value.
        (CUSTOM, 20.0, 1e9, 0.0),
        (CUSTOM, 20.0, INF, 0.2),
        // And of the first two all are below any value.
        (
            "schema:-53 count:4 custom_values:[-5 5] buckets:[2 2]",
            -INF,
            -1e9,
            0.5,
        ),
        (POSITIVE, 2.0, 1.0, 0.0),
        (POSITIVE, 1.0, 1.0, 0.0),
        (POSITIVE, f64::NAN, 1.0, f64::NAN),
        (POSITIVE, 1.0, f64::NAN, f64::NAN),
        ("", 0.0, 1.0, f64::NAN),
    ];
    for &(notation, lower, upper, wanted) in cases {
        let fraction = h(notation).fraction(lower, upper);
        println!("{notation} from {lower} to {upper}");
        assert_close(fraction.value, wanted);
        assert!(!fraction.has_nan);
    }
}

#[test]
fn nan_observations_are_in_no_fraction() {
    let histogram = h("schema:0 count:10 sum:NaN buckets:[2 4]");
    let fraction = histogram.fraction(-INF, INF);
    assert_eq!(fraction.value, 0.6);
    assert!(fraction.has_nan);
    let fraction = histogram.fraction(-INF, 1.0);
    assert_eq!(fraction.value, 0.2);
    assert!(fraction.has_nan);
    assert!(!h("count:6 sum:NaN buckets:[2 4]").fraction(0.0, 1.0).has_nan);
}

#[test]
fn mean_and_spread() {
    let half = 2f64.sqrt() / 2.0;
    let cases: &[(&str, f64, f64)] = &[
        ("", f64::NAN, f64::NAN),
        ("count:4 sum:5 buckets:[1 2 1]", 1.25, {
            // In the middle of (0.5,1], (1,2] and (2,4] are √½, √2 and √8.
            let square = |middle: f64, count: f64| count * (middle - 1.25) * (middle - 1.25);
            (square(half, 1.0) + square(2.0 * half, 2.0) + square(4.0 * half, 1.0)) / 4.0
        }),
        ("count:2 sum:-4 n_buckets:[0 0 2]", -2.0, {
            (4.0 * half - 2.0) * (4.0 * half - 2.0)
        }),
        // The zero bucket is at 0, and so is (-0.25, 0.75] of custom bounds not.
        ("count:2 sum:2 z_bucket:2 z_bucket_w:5", 1.0, 1.0),
        (
            "schema:-53 count:2 sum:2 custom_values:[-0.25 0.75] buckets:[0 2]",
            1.0,
            0.5625,
        ),
        ("count:2 sum:NaN buckets:[1]", f64::NAN, f64::NAN),
        ("count:2 sum:Inf buckets:[2]", INF, INF),
        (
            "schema:-53 count:2 sum:2 custom_values:[1] buckets:[1 1]",
            1.0,
            INF,
        ),
    ];
    for &(notation, mean, variance) in cases {
        let histogram = h(notation);
        println!("{notation}");
        assert_close(histogram.mean(), mean);
        assert_close(histogram.variance(), variance);
        assert_close(histogram.standard_deviation(), variance.sqrt());
    }
}

#[test]
fn buckets_come_in_order_from_both_ends() {
    let histogram = h("schema:0 count:10 z_bucket:1 z_bucket_w:0.75 buckets:[2 0 3] n_buckets:[4]");
    let texts: Vec<String> = histogram.buckets().map(|bucket| bucket.to_string()).collect();
    assert_eq!(
        texts,
        [
            "[-1,-0.75):4",
            "[-0.75,0.75]:1",
            "(0.75,1]:2",
            "(1,2]:0",
            "(2,4]:3"
        ]
    );
    let mut reversed: Vec<_> = histogram.buckets().rev().collect();
    reversed.reverse();
    assert_eq!(reversed, histogram.buckets().collect::<Vec<_>>());
}
