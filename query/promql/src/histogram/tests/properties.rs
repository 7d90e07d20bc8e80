use barograph_model::{CUSTOM_BUCKETS_SCHEMA, ResetHint};
use proptest::prelude::*;

use super::super::{body::Body, side::Side};
use crate::histogram::{
    ClassicBucket, FloatHistogram, HistogramMean, HistogramSum, bucket_fraction, bucket_quantile,
};

/// Whole counts, so that sums are exact.
fn counts() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec((0u32..50).prop_map(f64::from), 0..12)
}

fn exponential() -> impl Strategy<Value = FloatHistogram> {
    let zero = (
        0u32..20,
        prop::sample::select(vec![0.0, 1e-3, 0.5, 0.7, 1.0, 3.0]),
    );
    let sides = (counts(), -20i32..20, counts(), -20i32..20);
    (-4i32..=8, zero, sides).prop_map(|(schema, (zero_count, threshold), sides)| {
        let (positive, first, negative, negative_first) = sides;
        let mut body = Body::empty(schema, Default::default());
        body.zero_threshold = threshold;
        body.zero_count = f64::from(zero_count);
        body.positive = Side::from_run(first, positive).unwrap();
        body.negative = Side::from_run(negative_first, negative).unwrap();
        finished(body)
    })
}

fn custom() -> impl Strategy<Value = FloatHistogram> {
    let bounds = prop::collection::btree_set(-5i32..20, 0..8);
    (bounds, counts()).prop_map(|(bounds, mut counts)| {
        let bounds: Vec<f64> = bounds.into_iter().map(f64::from).collect();
        counts.truncate(bounds.len() + 1);
        let mut body = Body::empty(CUSTOM_BUCKETS_SCHEMA, bounds.into());
        body.positive = Side::from_run(0, counts).unwrap();
        finished(body)
    })
}

/// Sets the count to what is in the buckets.
fn finished(mut body: Body<f64>) -> FloatHistogram {
    body.count = body.observations();
    body.sum = body.count * 0.5;
    FloatHistogram(body)
}

fn pair() -> impl Strategy<Value = (FloatHistogram, FloatHistogram)> {
    prop_oneof![(exponential(), exponential()), (custom(), custom())]
}

/// Without the buckets that are within the zero bucket, which only a broken program would send beside it.
fn sound(histogram: &FloatHistogram) -> FloatHistogram {
    let mut body = histogram.0.clone();
    let mut wide = Body::empty(body.schema, body.custom_values.clone());
    wide.zero_threshold = body.zero_threshold * 2.0;
    if !body.is_custom() {
        body.add(&wide, 1.0).unwrap();
    }
    finished(body)
}

proptest! {
    #[test]
    fn counts_add_up((a, b) in pair()) {
        let (a, b) = (sound(&a), sound(&b));
        let (sum, _) = a.plus(&b).unwrap();
        prop_assert_eq!(sum.count(), a.count() + b.count());
        prop_assert_eq!(sum.0.observations(), sum.count());
        prop_assert!(sum.zero_threshold() >= a.zero_threshold().max(b.zero_threshold()));
        // The order does not matter.
        let (other, _) = b.plus(&a).unwrap();
        prop_assert!(sum.equals(&other), "{sum}\n{other}");
    }

    #[test]
    fn a_sum_less_one_part_is_the_other((a, b) in pair()) {
        let (a, b) = (sound(&a), sound(&b));
        let (sum, _) = a.plus(&b).unwrap();
        let (rest, _) = sum.minus(&b).unwrap();
        let mut wanted = a.clone();
        wanted.add(&b).unwrap();
        wanted.subtract(&b).unwrap();
        wanted.compact();
        wanted.set_reset_hint(ResetHint::Gauge);
        prop_assert!(rest.equals(&wanted));
        prop_assert_eq!(rest.count(), a.count());
        prop_assert_eq!(rest.0.observations(), a.count());
    }

    #[test]
    fn a_coarser_schema_keeps_every_count(histogram in exponential(), schema in -4i32..=8) {
        let histogram = sound(&histogram);
        let mut coarse = histogram.clone();
        coarse.reduce_to(schema);
        prop_assert_eq!(coarse.schema(), schema.min(histogram.schema()));
        prop_assert_eq!(coarse.0.observations(), histogram.count());
        // Step by step is the same as at once.
        let mut stepwise = histogram.clone();
        for step in (schema..histogram.schema()).rev() {
            stepwise.reduce_to(step);
        }
        prop_assert!(coarse.equals(&stepwise));
        // And every bound that both have divides them alike.
        for bucket in coarse.buckets().filter(|bucket| bucket.lower >= coarse.zero_threshold()) {
            let below = |h: &FloatHistogram| {
                h.buckets().filter(|b| b.upper <= bucket.lower).map(|b| b.count).sum::<f64>()
            };
            prop_assert_eq!(below(&coarse), below(&histogram));
        }
    }

    #[test]
    fn more_observations_are_no_reset((a, b) in pair()) {
        let (a, b) = (sound(&a), sound(&b));
        let (sum, _) = a.plus(&b).unwrap();
        prop_assert!(!sum.detect_reset(&a), "{a}\n{sum}");
        prop_assert!(!a.detect_reset(&a));
        if b.count() > 0.0 {
            prop_assert!(a.detect_reset(&sum));
        }
    }

    #[test]
    fn sums_of_many_are_plain_sums_of_whole_numbers(many in prop::collection::vec(exponential(), 1..6)) {
        let mut sum = HistogramSum::new(&many[0]);
        let mut mean = HistogramMean::new(&many[0]);
        let mut plain = many[0].clone();
        for histogram in &many[1..] {
            sum.push(histogram).unwrap();
            mean.push(histogram).unwrap();
            plain.add(histogram).unwrap();
        }
        let (sum, _) = sum.finish();
        prop_assert!(sum.equals(&plain));
        let (mean, _) = mean.finish();
        plain.divide(many.len() as f64);
        prop_assert!(mean.equals(&plain));
    }

    #[test]
    fn quantiles_ascend(histogram in prop_oneof![exponential(), custom()], a in 0f64..=1.0, b in 0f64..=1.0) {
        let histogram = sound(&histogram);
        prop_assume!(histogram.count() > 0.0);
        let (low, high) = (a.min(b), a.max(b));
        let (low, high) = (histogram.quantile(low).value, histogram.quantile(high).value);
        prop_assert!(low <= high + 1e-9 * high.abs(), "{low} {high}");
    }

    #[test]
    fn a_fraction_is_the_inverse_of_a_quantile(histogram in exponential(), phi in 0.001f64..0.999) {
        let histogram = sound(&histogram);
        prop_assume!(histogram.count() > 0.0);
        let quantile = histogram.quantile(phi).value;
        let fraction = histogram.fraction(f64::NEG_INFINITY, quantile).value;
        // All that the zero bucket of no width holds has the value 0, where the share jumps.
        let is_at_jump = quantile == 0.0 || histogram.zero_threshold() == 0.0 && quantile.abs() < 1e-300;
        prop_assert!((fraction - phi).abs() < 1e-9 || is_at_jump, "{phi} -> {quantile} -> {fraction}");
    }

    #[test]
    fn two_parts_are_the_whole(histogram in prop_oneof![exponential(), custom()], value in -50f64..50.0) {
        let histogram = sound(&histogram);
        let below = histogram.trimmed(value, crate::histogram::Keep::Below);
        let above = histogram.trimmed(value, crate::histogram::Keep::Above);
        for part in [&below, &above] {
            prop_assert!(part.0.observations() <= histogram.count() + 1e-9);
        }
        if !histogram.is_custom() {
            let both = below.count() + above.count();
            prop_assert!((both - histogram.count()).abs() < 1e-9, "{both} of {}", histogram.count());
        }
    }

    #[test]
    fn stored_histograms_come_back(histogram in prop_oneof![exponential(), custom()]) {
        let mut histogram = histogram;
        histogram.compact();
        let stored = histogram.to_stored().unwrap();
        prop_assert!(FloatHistogram::from(&stored).equals(&histogram));
    }

    #[test]
    fn the_notation_never_panics(text in "\\{\\{[a-z_:\\[\\] 0-9.eNaI+-]{0,60}\\}\\}") {
        let _ = text.parse::<FloatHistogram>();
    }

    #[test]
    fn classic_buckets_take_anything(
        pairs in prop::collection::vec((any::<f64>(), any::<f64>()), 0..8),
        phi in any::<f64>(),
        with_last in any::<bool>(),
    ) {
        let mut buckets: Vec<ClassicBucket> =
            pairs.into_iter().map(|(upper, count)| ClassicBucket { upper, count }).collect();
        if with_last {
            buckets.push(ClassicBucket { upper: f64::INFINITY, count: 100.0 });
        }
        let _ = bucket_fraction(phi, phi + 1.0, &mut buckets.clone());
        let _ = bucket_quantile(phi, &mut buckets);
    }

    #[test]
    fn classic_quantiles_and_fractions_are_inverse(
        steps in prop::collection::vec(1u32..50, 2..8),
        phi in 0.01f64..0.99,
    ) {
        let mut count = 0.0;
        let mut buckets: Vec<ClassicBucket> = (1..).zip(&steps).map(|(upper, step)| {
            count += f64::from(*step);
            ClassicBucket { upper: f64::from(upper), count }
        }).collect();
        buckets.push(ClassicBucket { upper: f64::INFINITY, count });
        let quantile = bucket_quantile(phi, &mut buckets.clone());
        prop_assert_eq!(quantile.forced, None);
        let fraction = bucket_fraction(f64::NEG_INFINITY, quantile.value, &mut buckets);
        prop_assert!((fraction - phi).abs() < 1e-9);
    }
}
