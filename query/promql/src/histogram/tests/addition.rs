use barograph_model::ResetHint;

use super::{assert_same, compact, h};
use crate::histogram::{HistogramMean, HistogramSum, MixedSchemas, Reconciled};

/// `(what it is about, a, b, a + b, a - b)`, compacted.
const SUMS: &[(&str, &str, &str, &str, &str)] = &[
    (
        "the same buckets",
        "schema:0 count:4 sum:5 buckets:[1 2 1]",
        "schema:0 count:9 sum:7 buckets:[2 3 4]",
        "schema:0 count:13 sum:12 buckets:[3 5 5]",
        "schema:0 count:-5 sum:-2 buckets:[-1 -1 -3]",
    ),
    (
        "buckets before, between and behind",
        "schema:1 count:3 sum:1 buckets:[1 0 2] offset:5",
        "schema:1 count:15 sum:2 buckets:[1 0 0 0 0 0 2 3 4 5] n_buckets:[0 7]",
        "schema:1 count:18 sum:3 buckets:[1 0 0 0 0 1 2 5 4 5] n_buckets:[0 7]",
        "schema:1 count:-12 sum:-1 buckets:[-1 0 0 0 0 1 -2 -1 -4 -5] n_buckets:[0 -7]",
    ),
    (
        "buckets that cancel out",
        "schema:0 count:3 sum:1 buckets:[1 2]",
        "schema:0 count:1 sum:1 buckets:[1]",
        "schema:0 count:4 sum:2 buckets:[2 2]",
        "schema:0 count:2 sum:0 buckets:[2] offset:1",
    ),
    (
        // Buckets 1 and 2 of schema 1 are bucket 1 of schema 0; 0 is 0, 3 is 2.
        "a finer schema on the right",
        "schema:0 count:10 sum:1 buckets:[1 2 3 4]",
        "schema:1 count:100 sum:1 buckets:[10 20 30 40]",
        "schema:0 count:110 sum:2 buckets:[11 52 43 4]",
        "schema:0 count:-90 sum:0 buckets:[-9 -48 -37 4]",
    ),
    (
        "a finer schema on the left, two steps",
        "schema:2 count:10 sum:1 buckets:[1 2 3 4] offset:-1 n_buckets:[1 1 1 1 1 1] n_offset:0",
        "schema:0 count:100 sum:1 buckets:[10 20] n_buckets:[5]",
        // Indexes -1 and 0 are bucket 0, 1 and 2 are bucket 1; on the other side 0 | 1 2 3 4 | 5.
        "schema:0 count:110 sum:2 buckets:[13 27] n_buckets:[6 4 1]",
        "schema:0 count:-90 sum:0 buckets:[-7 -13] n_buckets:[-4 4 1]",
    ),
    (
        "a wider zero bucket on the right, which takes two buckets in",
        "schema:0 count:10 sum:1 z_bucket:1 z_bucket_w:0.25 buckets:[2 3 4] offset:-1",
        "schema:0 count:5 sum:1 z_bucket:5 z_bucket_w:1",
        "schema:0 count:15 sum:2 z_bucket:11 z_bucket_w:1 buckets:[4] offset:1",
        "schema:0 count:5 sum:0 z_bucket:1 z_bucket_w:1 buckets:[4] offset:1",
    ),
    (
        "a wider zero bucket on the left, on both sides of 0",
        "schema:0 count:5 sum:1 z_bucket:5 z_bucket_w:2",
        "schema:0 count:21 sum:1 z_bucket:1 z_bucket_w:1 buckets:[2 3] offset:1 n_buckets:[4 5 6] n_offset:0",
        // Negative bucket 0 ends at 1 and should not be there beside this zero bucket; it is counted all the same.
        "schema:0 count:26 sum:2 z_bucket:17 z_bucket_w:2 buckets:[3] offset:2 n_buckets:[6] n_offset:2",
        "schema:0 count:-16 sum:0 z_bucket:-7 z_bucket_w:2 buckets:[-3] offset:2 n_buckets:[-6] n_offset:2",
    ),
    (
        "a zero bucket that would cut a bucket in two is widened to its end",
        "schema:0 count:9 sum:1 z_bucket:1 z_bucket_w:0.5 buckets:[2 3 3]",
        "schema:0 count:2 sum:1 z_bucket:2 z_bucket_w:1.5",
        "schema:0 count:11 sum:2 z_bucket:8 z_bucket_w:2 buckets:[3] offset:2",
        "schema:0 count:7 sum:0 z_bucket:4 z_bucket_w:2 buckets:[3] offset:2",
    ),
    (
        "and widened once more by the other, coarser one",
        "schema:0 count:9 sum:1 z_bucket:1 z_bucket_w:0.5 buckets:[2 3 3]",
        "schema:-1 count:6 sum:1 z_bucket:2 z_bucket_w:1.5 buckets:[4] offset:1",
        // 1.5 lies in (1,4] of the coarse one, so both zero buckets end at 4.
        "schema:-1 count:15 sum:2 z_bucket:15 z_bucket_w:4",
        "schema:-1 count:3 sum:0 z_bucket:3 z_bucket_w:4",
    ),
    (
        "what the zero bucket takes in is not in a coarser bucket besides",
        "schema:-2 count:1 sum:1 z_bucket:1 z_bucket_w:1.5",
        "schema:0 count:6 sum:1 buckets:[2 4] offset:1",
        "schema:-2 count:7 sum:2 z_bucket:3 z_bucket_w:2 buckets:[4] offset:1",
        "schema:-2 count:-5 sum:0 z_bucket:-1 z_bucket_w:2 buckets:[-4] offset:1",
    ),
    (
        "an empty bucket is not widened for",
        "schema:0 count:7 sum:1 z_bucket:1 z_bucket_w:0.5 buckets:[3 0 3]",
        "schema:0 count:2 sum:1 z_bucket:2 z_bucket_w:1.5",
        "schema:0 count:9 sum:2 z_bucket:6 z_bucket_w:1.5 buckets:[3] offset:2",
        "schema:0 count:5 sum:0 z_bucket:2 z_bucket_w:1.5 buckets:[3] offset:2",
    ),
    (
        "the same custom bounds",
        "schema:-53 count:4 sum:5 custom_values:[5 10] buckets:[1 2 1]",
        "schema:-53 count:4 sum:5 custom_values:[5 10] buckets:[4] offset:2",
        "schema:-53 count:8 sum:10 custom_values:[5 10] buckets:[1 2 5]",
        "schema:-53 count:0 sum:0 custom_values:[5 10] buckets:[1 2 -3]",
    ),
];

#[test]
fn sums_and_differences() {
    for (about, a, b, sum, difference) in SUMS {
        let (found, reconciled) = h(a).plus(&h(b)).unwrap();
        println!("{about}");
        assert_same(&found, &compact(sum));
        assert_eq!(reconciled, Reconciled::default());

        let (found, reconciled) = h(a).minus(&h(b)).unwrap();
        assert_same(
            &found,
            &compact(&format!("{difference} counter_reset_hint:gauge")),
        );
        assert_eq!(reconciled, Reconciled::default());

        // A sum of many is the same sum.
        let mut many = HistogramSum::new(&h(a));
        many.push(&h(b)).unwrap();
        let (mut found, _) = many.finish();
        found.compact();
        assert_same(&found, &compact(sum));

        // The mean of a histogram and itself, and of the sum's two halves.
        let mut mean = HistogramMean::new(&h(a));
        mean.push(&h(b)).unwrap();
        let (mut found, _) = mean.finish();
        found.multiply(2.0);
        found.compact();
        assert_same(&found, &compact(sum));
    }
}

#[test]
fn custom_bounds_that_differ_are_reconciled() {
    let a = h("schema:-53 count:15 sum:1 custom_values:[1 2 3] buckets:[1 2 4 8]");
    let b = h("schema:-53 count:60 sum:2 custom_values:[2 3 4] buckets:[10 0 20 30]");
    let reconciled = Reconciled {
        bounds: true,
        reset_collision: false,
    };
    let (sum, found) = a.plus(&b).unwrap();
    assert_eq!(found, reconciled);
    assert_same(
        &sum,
        &h("schema:-53 count:75 sum:3 custom_values:[2 3] buckets:[13 4 58]"),
    );
    let (difference, found) = a.minus(&b).unwrap();
    assert_eq!(found, reconciled);
    assert_same(
        &difference,
        &h("schema:-53 count:-45 sum:-1 custom_values:[2 3] buckets:[-7 4 -42] counter_reset_hint:gauge"),
    );
    let mut many = HistogramSum::new(&a);
    many.push(&b).unwrap();
    let (many, found) = many.finish();
    assert_eq!(found, reconciled);
    assert_same(&many, &sum);
    // Without a common bound all observations are in one bucket.
    let c = h("schema:-53 count:1 sum:2 custom_values:[7] buckets:[1]");
    let (sum, _) = a.plus(&c).unwrap();
    assert_same(&sum, &h("schema:-53 count:16 sum:3 buckets:[16]"));
}

#[test]
fn exponential_and_custom_buckets_do_not_mix() {
    let a = h("schema:0 count:1 sum:1 buckets:[1]");
    let b = h("schema:-53 count:1 sum:1 custom_values:[1] buckets:[1]");
    assert_eq!(a.plus(&b).unwrap_err(), MixedSchemas);
    assert_eq!(b.minus(&a).unwrap_err(), MixedSchemas);
    let mut sum = a.clone();
    sum.add(&b).unwrap_err();
    assert_same(&sum, &a);
    assert_eq!(HistogramSum::new(&a).push(&b), Err(MixedSchemas));
    assert_eq!(HistogramMean::new(&b).push(&a), Err(MixedSchemas));
    assert!(!a.equals(&b));
}

#[test]
fn hints_are_merged() {
    use ResetHint::{Gauge, No, Unknown, Yes};
    let cases = [
        (Unknown, Unknown, Unknown, false),
        (Yes, Yes, Yes, false),
        (No, No, No, false),
        (Gauge, Yes, Gauge, false),
        (No, Gauge, Gauge, false),
        (Unknown, No, Unknown, false),
        (Yes, Unknown, Unknown, false),
        (Yes, No, Unknown, true),
        (No, Yes, Unknown, true),
    ];
    for (a, b, sum, is_collision) in cases {
        let with = |hint| {
            let mut histogram = h("count:1 buckets:[1]");
            histogram.set_reset_hint(hint);
            histogram
        };
        let (found, reconciled) = with(a).plus(&with(b)).unwrap();
        assert_eq!(found.reset_hint(), sum, "{a:?} {b:?}");
        assert_eq!(reconciled.reset_collision, is_collision, "{a:?} {b:?}");
        assert_eq!(with(a).minus(&with(b)).unwrap().0.reset_hint(), Gauge);
    }
    // In a sum of many any two may collide.
    let mut sum = HistogramSum::new(&h("counter_reset_hint:reset"));
    sum.push(&h("")).unwrap();
    sum.push(&h("counter_reset_hint:not_reset")).unwrap();
    let (sum, reconciled) = sum.finish();
    assert_eq!(sum.reset_hint(), Unknown);
    assert!(reconciled.reset_collision);
}

#[test]
fn scalars_scale() {
    let histogram =
        h("schema:0 count:12 sum:6 z_bucket:2 z_bucket_w:0.001 buckets:[4 0 6] counter_reset_hint:not_reset");
    let mut half = histogram.clone();
    half.divide(2.0);
    assert_same(
        &half,
        &h("schema:0 count:6 sum:3 z_bucket:1 z_bucket_w:0.001 buckets:[2 0 3] counter_reset_hint:not_reset"),
    );
    half.multiply(2.0);
    assert_same(&half, &histogram);

    let mut by_zero = histogram.clone();
    by_zero.divide(0.0);
    assert_same(
        &by_zero,
        &h("schema:0 count:Inf sum:Inf z_bucket:Inf z_bucket_w:0.001 counter_reset_hint:not_reset"),
    );

    let negated = histogram.negated();
    assert_eq!(negated.reset_hint(), ResetHint::Gauge);
    assert_eq!(negated.count(), -12.0);
    let (sum, _) = negated.plus(&histogram).unwrap();
    assert_same(&sum, &h("z_bucket_w:0.001 counter_reset_hint:gauge"));
    let mut divided = histogram;
    divided.divide(-1.0);
    assert_same(&divided, &negated);
}

#[test]
fn sums_of_many_are_exact_where_plain_ones_are_not() {
    let large = h("schema:0 count:1e16 sum:1e100 buckets:[1e16]");
    let small = h("schema:0 count:1 sum:1 buckets:[1]");
    let mut sum = HistogramSum::new(&large);
    for _ in 0..4 {
        sum.push(&small).unwrap();
    }
    sum.push(&large.negated()).unwrap();
    let (sum, _) = sum.finish();
    assert_same(
        &sum,
        &h("schema:0 count:4 sum:4 buckets:[4] counter_reset_hint:gauge"),
    );
}

#[test]
fn a_mean_does_not_overflow() {
    let large = h("schema:0 count:1e308 sum:-1e308 buckets:[1e308]");
    let mut mean = HistogramMean::new(&large);
    for _ in 0..9 {
        mean.push(&large).unwrap();
    }
    let (mean, _) = mean.finish();
    super::assert_close(mean.count(), 1e308);
    super::assert_close(mean.sum(), -1e308);
    // Before the sum overflows it is the plain mean.
    let mut mean = HistogramMean::new(&h("count:1 sum:2 buckets:[1]"));
    mean.push(&h("count:2 sum:3 buckets:[2]")).unwrap();
    mean.push(&h("count:3 sum:4 buckets:[0 3]")).unwrap();
    assert_same(&mean.finish().0, &h("count:2 sum:3 buckets:[1 1]"));
    // What is infinite already stays so.
    let mut mean = HistogramMean::new(&h("count:1 sum:Inf buckets:[1]"));
    mean.push(&h("count:3 sum:1 buckets:[3]")).unwrap();
    let (mean, _) = mean.finish();
    assert_eq!(mean.sum(), f64::INFINITY);
    assert_eq!(mean.count(), 2.0);
}

#[test]
fn equality_goes_by_buckets_and_bits() {
    let a = h("schema:0 count:1 sum:1 buckets:[1] counter_reset_hint:reset");
    assert!(a.equals(&h("schema:0 count:1 sum:1 buckets:[1]")));
    for other in [
        "schema:1 count:1 sum:1 buckets:[1]",
        "schema:0 count:2 sum:1 buckets:[1]",
        "schema:0 count:1 sum:2 buckets:[1]",
        "schema:0 count:1 sum:1 buckets:[2]",
        "schema:0 count:1 sum:1 buckets:[1 0]",
        "schema:0 count:1 sum:1 buckets:[1] offset:1",
        "schema:0 count:1 sum:1 n_buckets:[1]",
        "schema:0 count:1 sum:1 buckets:[1] z_bucket_w:1",
        "schema:0 count:1 sum:1 buckets:[1] z_bucket:1",
    ] {
        assert!(!a.equals(&h(other)), "{other}");
        assert!(h(other).equals(&h(other)), "{other}");
    }
    assert!(h("sum:NaN").equals(&h("sum:NaN")));
    assert!(!h("sum:0").equals(&h("sum:-0")));
    let custom = h("schema:-53 custom_values:[1]");
    assert!(!custom.equals(&h("schema:-53 custom_values:[2]")));
}
