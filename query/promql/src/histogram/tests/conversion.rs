use barograph_model::{
    CUSTOM_BUCKETS_SCHEMA, Histogram, HistogramCounts, HistogramError, HistogramParts, ResetHint, Span,
    stale_nan,
};

use super::{assert_same, h};
use crate::histogram::FloatHistogram;

fn span(offset: i32, length: u32) -> Span {
    Span { offset, length }
}

#[test]
fn whole_numbers_become_floats() {
    let stored = Histogram::new(HistogramParts {
        schema: 3,
        reset_hint: ResetHint::No,
        sum: 2.5,
        zero_threshold: 0.5,
        positive_spans: vec![span(-2, 1), span(1, 2)],
        negative_spans: vec![span(4, 1)],
        counts: HistogramCounts::Integer {
            count: 15,
            zero_count: 1,
            positive: vec![2, 3, 4],
            negative: vec![5],
        },
        ..HistogramParts::default()
    })
    .unwrap();
    let histogram = FloatHistogram::from(&stored);
    assert_same(
        &histogram,
        &h(
            "schema:3 count:15 sum:2.5 z_bucket:1 z_bucket_w:0.5 buckets:[2] offset:-2 \
            n_buckets:[5] n_offset:4 counter_reset_hint:not_reset",
        )
        .plus(&h(
            "schema:3 z_bucket_w:0.5 buckets:[3 4] offset:0 counter_reset_hint:not_reset",
        ))
        .unwrap()
        .0,
    );
    let back = histogram.to_stored().unwrap();
    assert!(back.is_float());
    assert_eq!(back.parts().positive_spans, stored.parts().positive_spans);
    assert_eq!(back.parts().negative_spans, stored.parts().negative_spans);
    assert_same(&FloatHistogram::from(&back), &histogram);
}

#[test]
fn custom_bounds_are_kept() {
    let stored = Histogram::new(HistogramParts {
        schema: CUSTOM_BUCKETS_SCHEMA,
        sum: f64::NAN,
        positive_spans: vec![span(1, 2)],
        counts: HistogramCounts::Float {
            count: 3.5,
            zero_count: 0.0,
            positive: vec![1.0, 2.5],
            negative: Vec::new(),
        },
        custom_values: vec![-1.0, 7.0],
        ..HistogramParts::default()
    })
    .unwrap();
    let histogram = FloatHistogram::from(&stored);
    assert_same(
        &histogram,
        &h("schema:-53 count:3.5 sum:NaN custom_values:[-1 7] buckets:[0 1 2.5]")
            .plus(&h("schema:-53 custom_values:[-1 7]"))
            .unwrap()
            .0,
    );
    assert_eq!(histogram.to_stored().unwrap(), stored);
}

#[test]
fn what_cannot_be_stored_says_why() {
    assert!(matches!(
        h("count:-1").to_stored(),
        Err(HistogramError::NotACount { .. })
    ));
    assert!(matches!(
        h("buckets:[-1]").to_stored(),
        Err(HistogramError::NotACount { .. })
    ));
    // Empty buckets are not stored.
    let stored = h("count:1 buckets:[0 0 1 0]").to_stored().unwrap();
    assert_eq!(stored.parts().positive_spans, [span(2, 1)]);
}

#[test]
fn staleness_and_odd_thresholds() {
    let with = |sum, zero_threshold| {
        let parts = HistogramParts {
            sum,
            zero_threshold,
            ..HistogramParts::default()
        };
        FloatHistogram::from(&Histogram::new(parts).unwrap())
    };
    assert!(with(stale_nan(), 0.0).is_stale());
    assert!(!with(f64::NAN, 0.0).is_stale());
    assert_eq!(with(0.0, f64::NAN).zero_threshold(), 0.0);
    assert_eq!(with(0.0, -1.0).zero_threshold(), 0.0);
    // Nor does an infinite one keep the arithmetic from ending.
    let mut infinite = with(0.0, f64::INFINITY);
    infinite
        .add(&h("count:3 sum:1 buckets:[1 2] n_buckets:[1]"))
        .unwrap();
    assert_eq!(infinite.zero_count(), 4.0);
}

#[test]
fn buckets_at_the_ends_of_the_range_do_no_harm() {
    let far = |offset| {
        let parts = HistogramParts {
            schema: 8,
            sum: 1.0,
            positive_spans: vec![span(offset, 1)],
            negative_spans: vec![span(offset, 1)],
            counts: HistogramCounts::Float {
                count: 2.0,
                zero_count: 0.0,
                positive: vec![1.0],
                negative: vec![1.0],
            },
            ..HistogramParts::default()
        };
        FloatHistogram::from(&Histogram::new(parts).unwrap())
    };
    let histograms = [
        far(i32::MIN),
        far(i32::MAX - 1),
        h("schema:-4 count:1 sum:1 buckets:[1]"),
        h("count:1 z_bucket:1 z_bucket_w:1e300"),
    ];
    for a in &histograms {
        for b in &histograms {
            let (sum, _) = a.plus(b).unwrap();
            assert_eq!(sum.count(), a.count() + b.count());
            // Bounds below the smallest float are all 0, and such buckets are taken for the zero bucket's.
            assert!(sum.0.observations() <= sum.count());
            let _ = (
                a.detect_reset(b),
                a.quantile(0.5),
                a.fraction(0.0, 1.0),
                a.variance(),
            );
            let _ = (a.to_json(), a.to_string(), a.to_stored().unwrap());
        }
    }
}
