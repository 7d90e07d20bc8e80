use super::*;

fn buckets(pairs: &[(f64, f64)]) -> Vec<ClassicBucket> {
    let mut buckets: Vec<_> = pairs
        .iter()
        .map(|&(upper, count)| ClassicBucket { upper, count })
        .collect();
    // Any order will do.
    buckets.reverse();
    buckets
}

const INF: f64 = f64::INFINITY;

/// Ten observations up to 1, thirty to 2, none to 4, ten above.
const LATENCIES: &[(f64, f64)] = &[(1.0, 10.0), (2.0, 40.0), (4.0, 40.0), (INF, 50.0)];

fn quantile(phi: f64, pairs: &[(f64, f64)]) -> f64 {
    let quantile = bucket_quantile(phi, &mut buckets(pairs));
    assert_eq!(quantile.forced, None);
    quantile.value
}

#[test]
fn quantiles_are_interpolated_within_a_bucket() {
    assert_eq!(quantile(0.1, LATENCIES), 0.5);
    assert_eq!(quantile(0.2, LATENCIES), 1.0);
    assert_eq!(quantile(0.5, LATENCIES), 1.5);
    assert_eq!(quantile(0.8, LATENCIES), 2.0);
    assert_eq!(quantile(0.0, LATENCIES), 0.0);
}

#[test]
fn the_last_bucket_gives_the_last_finite_bound() {
    assert_eq!(quantile(0.81, LATENCIES), 4.0);
    assert_eq!(quantile(1.0, LATENCIES), 4.0);
    assert_eq!(quantile(0.5, &[(0.1, 0.0), (INF, 3.0)]), 0.1);
}

#[test]
fn a_first_bucket_below_zero_gives_its_bound() {
    let pairs = [(-5.0, 2.0), (5.0, 4.0), (INF, 4.0)];
    assert_eq!(quantile(0.3, &pairs), -5.0);
    assert_eq!(quantile(0.75, &pairs), 0.0);
}

#[test]
fn what_has_no_quantile() {
    assert!(quantile(f64::NAN, LATENCIES).is_nan());
    assert_eq!(quantile(-0.1, LATENCIES), f64::NEG_INFINITY);
    assert_eq!(quantile(1.1, LATENCIES), INF);
    assert!(quantile(0.5, &[]).is_nan());
    assert!(quantile(0.5, &[(INF, 4.0)]).is_nan());
    assert!(quantile(0.5, &[(1.0, 2.0), (2.0, 4.0)]).is_nan());
    assert!(quantile(0.5, &[(1.0, 0.0), (INF, 0.0)]).is_nan());
    assert!(quantile(0.5, &[(1.0, 2.0), (INF, 4.0), (f64::NAN, 5.0)]).is_nan());
}

#[test]
fn buckets_of_one_bound_are_added_up() {
    let pairs = [(1.0, 5.0), (1.0, 5.0), (2.0, 40.0), (4.0, 40.0), (INF, 50.0)];
    assert_eq!(quantile(0.1, &pairs), 0.5);
}

#[test]
fn counts_that_fall_are_raised_and_reported() {
    let pairs = [(1.0, 10.0), (2.0, 7.0), (4.0, 20.0), (8.0, 19.5), (INF, 30.0)];
    let quantile = bucket_quantile(0.5, &mut buckets(&pairs));
    // As 10, 10, 20, 20, 30: rank 15 is half way from 2 to 4.
    assert_eq!(quantile.value, 3.0);
    assert_eq!(
        quantile.forced,
        Some(ForcedMonotonicity {
            lowest_bound: 2.0,
            highest_bound: 8.0,
            largest_step: 3.0,
        })
    );
}

#[test]
fn what_rounding_explains_is_evened_out_silently() {
    let almost = 10.0 * (1.0 - 1e-13);
    assert_eq!(
        quantile(0.5, &[(1.0, 10.0), (2.0, almost), (4.0, 20.0), (INF, 20.0)]),
        1.0
    );
    // A difference upwards is evened out as well, so that nothing lies between 1 and 2.
    let above = 10.0 * (1.0 + 1e-13);
    assert_eq!(
        quantile(0.75, &[(1.0, 10.0), (2.0, above), (4.0, 20.0), (INF, 20.0)]),
        3.0
    );
    let too_far = 10.0 * (1.0 - 1e-11);
    let forced = bucket_quantile(0.5, &mut buckets(&[(1.0, 10.0), (2.0, too_far), (INF, 20.0)]));
    assert!(forced.forced.is_some());
}

#[test]
fn fractions_are_interpolated_within_a_bucket() {
    let fraction = |lower, upper| bucket_fraction(lower, upper, &mut buckets(LATENCIES));
    assert_eq!(fraction(0.0, 1.0), 0.2);
    assert_eq!(fraction(1.0, 2.0), 0.6);
    assert_eq!(fraction(0.5, 1.5), 0.4);
    assert_eq!(fraction(f64::NEG_INFINITY, 4.0), 0.8);
    assert_eq!(fraction(f64::NEG_INFINITY, INF), 1.0);
    assert_eq!(fraction(4.0, INF), 10.0 / 50.0);
    // Nobody knows where above 4 the last ten are; none of them are counted up to 1000.
    assert_eq!(fraction(4.0, 1000.0), 0.0);
    assert_eq!(fraction(2.0, 1.0), 0.0);
    assert!(fraction(f64::NAN, 1.0).is_nan());
    assert!(bucket_fraction(0.0, 1.0, &mut buckets(&[(1.0, 2.0)])).is_nan());
    assert!(bucket_fraction(0.0, 1.0, &mut []).is_nan());
    assert!(bucket_fraction(0.0, 1.0, &mut buckets(&[(1.0, 0.0), (INF, 0.0)])).is_nan());
}

#[test]
fn a_first_bucket_below_zero_reaches_to_minus_infinity() {
    let pairs = [(-1.0, 3.0), (1.0, 5.0), (INF, 6.0)];
    assert_eq!(
        bucket_fraction(f64::NEG_INFINITY, -5.0, &mut buckets(&pairs)),
        0.5
    );
    assert_eq!(bucket_fraction(-1.0, 0.0, &mut buckets(&pairs)), 1.0 / 6.0);
}
