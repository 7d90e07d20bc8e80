use super::{assert_close, h};
use crate::histogram::{FloatHistogram, Keep};

#[track_caller]
fn check(histogram: &FloatHistogram, value: f64, keep: Keep, count: f64, sum: f64, text: &str) {
    let trimmed = histogram.trimmed(value, keep);
    assert_close(trimmed.count(), count);
    assert_close(trimmed.sum(), sum);
    let buckets: Vec<String> = trimmed.buckets().map(|bucket| bucket.to_string()).collect();
    assert_eq!(buckets.join(" "), text);
}

#[test]
fn exponential_buckets_are_cut() {
    let histogram = h("schema:0 count:7 sum:9 buckets:[1 2 4]");
    let root = 2f64.sqrt();
    // At a bound nothing is interpolated; the sum is estimated from the middles √½, √2 and √8.
    check(&histogram, 2.0, Keep::Below, 3.0, 2.5 * root, "(0.5,1]:1 (1,2]:2");
    check(&histogram, 2.0, Keep::Above, 4.0, 8.0 * root, "(2,4]:4");
    // √8 halves the last bucket; what is left lies around 2^1.25 and 2^1.75.
    let value = 8f64.sqrt();
    let below = histogram.trimmed(value, Keep::Below);
    assert_close(below.count(), 5.0);
    assert_close(below.sum(), 2.5 * root + 2.0 * 2f64.powf(1.25));
    let above = histogram.trimmed(value, Keep::Above);
    assert_close(above.count(), 2.0);
    assert_close(above.sum(), 2.0 * 2f64.powf(1.75));
}

#[test]
fn where_nothing_is_cut_off_nothing_changes() {
    let histogram = h("schema:0 count:7 sum:9 buckets:[1 0 2 4] n_buckets:[1]");
    for (value, keep) in [
        (8.0, Keep::Below),
        (f64::INFINITY, Keep::Below),
        (-1.0, Keep::Above),
        (f64::NEG_INFINITY, Keep::Above),
    ] {
        assert!(histogram.trimmed(value, keep).equals(&histogram), "{value}");
    }
    for (value, keep) in [
        (f64::NEG_INFINITY, Keep::Below),
        (f64::INFINITY, Keep::Above),
        (f64::NAN, Keep::Below),
    ] {
        check(&histogram, value, keep, 0.0, 0.0, "");
    }
}

#[test]
fn negative_buckets_are_cut() {
    let histogram = h("schema:0 count:6 sum:-9 n_buckets:[2 4]");
    let value = -(2f64.sqrt());
    let below = histogram.trimmed(value, Keep::Below);
    assert_close(below.count(), 2.0);
    assert_close(below.sum(), -2.0 * 2f64.powf(0.75));
    let above = histogram.trimmed(value, Keep::Above);
    assert_close(above.count(), 4.0);
    assert_close(above.sum(), -2.0 * 2f64.powf(0.25) - 2.0 * 0.5f64.sqrt());
}

#[test]
fn the_zero_bucket_is_cut() {
    let around = h("count:6 sum:9 z_bucket:4 z_bucket_w:0.5 buckets:[1] n_buckets:[1]");
    check(
        &around,
        0.25,
        Keep::Below,
        4.0,
        -(0.5f64.sqrt()) - 3.0 * 0.125,
        "[-1,-0.5):1 [-0.5,0.5]:3",
    );
    let positive = h("count:5 sum:9 z_bucket:4 z_bucket_w:0.5 buckets:[1]");
    check(
        &positive,
        0.25,
        Keep::Above,
        3.0,
        0.5f64.sqrt() + 2.0 * 0.375,
        "[-0.5,0.5]:2 (0.5,1]:1",
    );
    // A zero bucket of no width is on the upper side of 0.
    let point = h("count:4 sum:1 z_bucket:4");
    check(&point, 0.0, Keep::Below, 0.0, 0.0, "");
    check(&point, 0.0, Keep::Above, 4.0, 1.0, "[-0,0]:4");
}

#[test]
fn custom_buckets_are_cut() {
    let histogram = h("schema:-53 count:10 sum:99 custom_values:[5 10] buckets:[4 4 2]");
    // The first bucket is taken to begin at 0.
    check(&histogram, 2.5, Keep::Below, 2.0, 2.5, "[-Inf,5]:2");
    check(
        &histogram,
        2.5,
        Keep::Above,
        8.0,
        2.0 * 3.75 + 4.0 * 7.5 + 2.0 * 10.0,
        "[-Inf,5]:2 (5,10]:4 (10,+Inf]:2",
    );
    check(
        &histogram,
        7.5,
        Keep::Below,
        6.0,
        4.0 * 2.5 + 2.0 * 6.25,
        "[-Inf,5]:4 (5,10]:2",
    );
    // The last one is kept or dropped whole.
    check(
        &histogram,
        20.0,
        Keep::Below,
        8.0,
        4.0 * 2.5 + 4.0 * 7.5,
        "[-Inf,5]:4 (5,10]:4",
    );
    check(&histogram, 20.0, Keep::Above, 2.0, 40.0, "(10,+Inf]:2");
    let below_zero = h("schema:-53 count:4 sum:9 custom_values:[-5] buckets:[4]");
    check(&below_zero, -7.0, Keep::Above, 0.0, 0.0, "");
}

#[test]
fn a_first_bucket_begins_at_zero_only_for_cuts_above_zero() {
    // So that a higher cut can keep more: below 0 nobody knows how much of the first bucket lies above it.
    let histogram = h("schema:-53 count:101 sum:33 custom_values:[5] buckets:[1 100]");
    assert!(histogram.trimmed(0.0, Keep::Above).equals(&histogram));
    check(&histogram, -10.0, Keep::Above, 100.0, 500.0, "(5,+Inf]:100");
    check(&histogram, -10.0, Keep::Below, 0.0, 0.0, "");
    // One that ends at or below 0 is kept whole, and taken to lie at the cut.
    let below_zero = h("schema:-53 count:4 sum:9 custom_values:[-5] buckets:[4]");
    assert_close(below_zero.trimmed(-7.0, Keep::Below).sum(), 9.0);
    let with_more = h("schema:-53 count:5 sum:9 custom_values:[-5] buckets:[4 1]");
    check(&with_more, -7.0, Keep::Below, 4.0, -28.0, "[-Inf,-5]:4");
}
