use proptest::prelude::*;

use super::*;
use crate::{STALE_NAN_BITS, stale_nan};

fn span(offset: i32, length: u32) -> Span {
    Span { offset, length }
}

fn integer(count: u64, zero_count: u64, positive: &[u64], negative: &[u64]) -> HistogramCounts {
    HistogramCounts::Integer {
        count,
        zero_count,
        positive: positive.to_vec(),
        negative: negative.to_vec(),
    }
}

fn float(count: f64, positive: &[f64]) -> HistogramCounts {
    HistogramCounts::Float {
        count,
        zero_count: 0.0,
        positive: positive.to_vec(),
        negative: Vec::new(),
    }
}

/// Two positive spans, one negative, 12 observations.
fn sound() -> HistogramParts {
    HistogramParts {
        schema: 3,
        sum: 18.4,
        zero_threshold: 1e-128,
        positive_spans: vec![span(-2, 2), span(5, 1)],
        negative_spans: vec![span(0, 1)],
        counts: integer(12, 3, &[1, 2, 4], &[2]),
        ..HistogramParts::default()
    }
}

fn custom() -> HistogramParts {
    HistogramParts {
        schema: CUSTOM_BUCKETS_SCHEMA,
        sum: 2.5,
        positive_spans: vec![span(0, 1), span(1, 1)],
        counts: integer(3, 0, &[1, 2], &[]),
        custom_values: vec![0.5, 1.0],
        ..HistogramParts::default()
    }
}

#[test]
fn each_rule_has_its_error() {
    let refused = |change: fn(&mut HistogramParts), from: fn() -> HistogramParts| {
        let mut parts = from();
        Histogram::new(parts.clone()).unwrap();
        change(&mut parts);
        Histogram::new(parts).unwrap_err().to_string()
    };
    type Case = (fn(&mut HistogramParts), fn() -> HistogramParts, &'static str);
    let cases: [Case; 16] = [
        (
            |p| p.schema = 9,
            sound,
            "schema 9 is not known (-4 to 8, or -53 for custom buckets)",
        ),
        (
            |p| p.schema = -5,
            sound,
            "schema -5 is not known (-4 to 8, or -53 for custom buckets)",
        ),
        (
            |p| p.positive_spans[1].offset = -1,
            sound,
            "positive span 2 has the negative offset -1",
        ),
        (
            |p| p.negative_spans[0].length = 2,
            sound,
            "the negative spans hold 2 buckets and there are 1 counts",
        ),
        (
            |p| p.positive_spans[1].offset = i32::MAX,
            sound,
            "the positive spans lead to a bucket whose index does not fit 32 bits",
        ),
        (
            |p| p.counts = integer(13, 3, &[1, 2, 4], &[2]),
            sound,
            "the count is 13 and the buckets add up to 12",
        ),
        (
            |p| p.counts = integer(12, 3, &[1, 2, u64::MAX], &[2]),
            sound,
            "positive bucket 3 is 18446744073709551615, which is not a count",
        ),
        (
            |p| p.custom_values = vec![1.0],
            sound,
            "schema 3 has no custom bounds",
        ),
        (
            |p| p.custom_values[1] = 0.5,
            custom,
            "custom bound 2 is 0.5, which is not finite or not above the one before it",
        ),
        (
            |p| p.custom_values[1] = f64::INFINITY,
            custom,
            "custom bound 2 is inf, which is not finite or not above the one before it",
        ),
        (
            |p| p.custom_values[0] = f64::NAN,
            custom,
            "custom bound 1 is NaN, which is not finite or not above the one before it",
        ),
        (
            |p| p.positive_spans[1].offset = 2,
            custom,
            "2 custom bounds do not cover buckets up to 4",
        ),
        (
            |p| p.positive_spans[0].offset = -1,
            custom,
            "positive span 1 has the negative offset -1",
        ),
        (
            |p| p.zero_threshold = 0.1,
            custom,
            "schema -53 has no zero threshold",
        ),
        (
            |p| p.counts = integer(4, 1, &[1, 2], &[]),
            custom,
            "schema -53 has no zero bucket",
        ),
        (
            |p| p.negative_spans = vec![span(0, 0)],
            custom,
            "schema -53 has no negative buckets",
        ),
    ];
    for (change, from, expected) in cases {
        assert_eq!(refused(change, from), expected);
    }
}

#[test]
fn counts_of_floats_need_not_add_up_and_are_not_negative() {
    let with = |counts| {
        let positive_spans = vec![span(0, 2)];
        Histogram::new(HistogramParts {
            positive_spans,
            counts,
            ..HistogramParts::default()
        })
    };
    assert!(with(float(0.3, &[0.1, 0.3])).unwrap().is_float());
    assert_eq!(
        with(float(0.3, &[0.1, -0.5])).unwrap_err().to_string(),
        "positive bucket 2 is -0.5, which is not a count"
    );
    assert_eq!(
        with(float(-1.0, &[0.1, 0.5])).unwrap_err().to_string(),
        "the count is -1, which is not a count"
    );
}

#[test]
fn a_nan_is_counted_and_in_no_bucket() {
    let with = |count| {
        Histogram::new(HistogramParts {
            sum: f64::NAN,
            counts: integer(count, 3, &[1, 2, 4], &[2]),
            ..sound()
        })
    };
    assert!(with(13).is_ok() && with(12).is_ok());
    assert!(matches!(
        with(11),
        Err(HistogramError::Sum {
            count: 11,
            buckets: 12
        })
    ));
}

#[test]
fn too_many_buckets_are_refused() {
    let many = HISTOGRAM_BUCKETS_MAX + 1;
    let parts = HistogramParts {
        positive_spans: vec![span(0, many as u32)],
        counts: integer(0, 0, &vec![0; many], &[]),
        ..HistogramParts::default()
    };
    assert_eq!(
        Histogram::new(parts).unwrap_err().to_string(),
        "it has 65537 buckets, more than 65536"
    );
}

#[test]
fn the_staleness_marker_keeps_its_bits() {
    let marker = Histogram::new(HistogramParts {
        sum: stale_nan(),
        ..HistogramParts::default()
    })
    .unwrap();
    let back = Histogram::from_bytes(&marker.to_bytes()).unwrap();
    assert!(back.is_stale());
    assert_eq!(back.parts().sum.to_bits(), STALE_NAN_BITS);
    let ordinary = HistogramParts {
        sum: f64::NAN,
        ..HistogramParts::default()
    };
    assert_ne!(Histogram::new(ordinary).unwrap(), marker);
}

#[test]
fn the_binary_form_does_not_change() {
    let histogram = Histogram::new(HistogramParts {
        reset_hint: ResetHint::No,
        created: Some(TimestampMs(1000)),
        ..sound()
    })
    .unwrap();
    let expected = [
        &[1, 0x0c, 6, 0xd0, 0x0f][..],
        &18.4f64.to_bits().to_le_bytes(),
        &1e-128f64.to_bits().to_le_bytes(),
        &[12, 3, 2, 3, 2, 10, 1, 1, 0, 1, 2, 2, 4, 4, 0],
    ]
    .concat();
    assert_eq!(histogram.to_bytes(), expected);
    assert_eq!(Histogram::from_bytes(&expected).unwrap(), histogram);
}

#[test]
fn other_versions_and_flags_are_refused() {
    let mut bytes = Histogram::new(sound()).unwrap().to_bytes();
    bytes[0] = 2;
    assert_eq!(
        Histogram::from_bytes(&bytes),
        Err(HistogramCodecError::Version(2))
    );
    bytes[0] = 1;
    bytes[1] |= 16;
    let flags = Histogram::from_bytes(&bytes).unwrap_err().to_string();
    assert_eq!(flags, "expected flags that are defined");
    bytes[1] &= 15;
    bytes.push(0);
    assert!(Histogram::from_bytes(&bytes).is_err(), "something behind the end");
}

/// Any histogram that [`Histogram::new`] takes.
pub(crate) fn any_histogram() -> impl Strategy<Value = Histogram> {
    let spans = || proptest::collection::vec((0..40i32, 0..6u32), 0..4);
    let side = || (spans(), proptest::collection::vec(0..1_000_000u64, 18));
    let head = (
        any::<bool>(),
        -4..9i32,
        any::<u64>(),
        any::<u64>(),
        0..4u64,
        proptest::option::of(any::<i64>()),
    );
    (
        head,
        side(),
        side(),
        0..99u64,
        proptest::collection::vec(1..20i32, 200),
        any::<bool>(),
    )
        .prop_map(
            |(
                (is_float, schema, sum, threshold, hint, created),
                positive,
                negative,
                zero_count,
                bounds,
                is_custom,
            )| {
                let (mut positive_spans, positive) = side_of(positive);
                let (mut negative_spans, mut negative) = side_of(negative);
                let (mut zero_count, mut zero_threshold) = (zero_count, f64::from_bits(threshold));
                let (mut schema, mut custom_values) = (schema, Vec::new());
                if is_custom {
                    (negative_spans, negative) = (Vec::new(), Vec::new());
                    (zero_count, zero_threshold, schema) = (0, 0.0, CUSTOM_BUCKETS_SCHEMA);
                    let mut bound = -10.0;
                    custom_values = bounds
                        .iter()
                        .map(|&step| {
                            bound += f64::from(step) / 8.0;
                            bound
                        })
                        .collect();
                } else if let Some(first) = positive_spans.first_mut() {
                    first.offset = -first.offset;
                }
                let total = zero_count + positive.iter().chain(&negative).sum::<u64>();
                let counts = if is_float {
                    let float = |counts: &[u64]| counts.iter().map(|&c| c as f64 / 3.0).collect();
                    HistogramCounts::Float {
                        count: total as f64 / 3.0,
                        zero_count: zero_count as f64 / 3.0,
                        positive: float(&positive),
                        negative: float(&negative),
                    }
                } else {
                    integer(total, zero_count, &positive, &negative)
                };
                Histogram::new(HistogramParts {
                    schema,
                    reset_hint: ResetHint::from_number(hint),
                    created: created.map(TimestampMs),
                    sum: f64::from_bits(sum),
                    zero_threshold,
                    positive_spans,
                    negative_spans,
                    counts,
                    custom_values,
                })
                .unwrap()
            },
        )
}

fn side_of((spans, counts): (Vec<(i32, u32)>, Vec<u64>)) -> (Vec<Span>, Vec<u64>) {
    let spans: Vec<Span> = spans
        .into_iter()
        .map(|(offset, length)| span(offset, length))
        .collect();
    let buckets: u32 = spans.iter().map(|s| s.length).sum();
    (spans, counts[..buckets as usize].to_vec())
}

proptest! {
    #[test]
    fn bytes_come_back(histogram in any_histogram()) {
        let bytes = histogram.to_bytes();
        let back = Histogram::from_bytes(&bytes).unwrap();
        prop_assert_eq!(back.to_bytes(), bytes.clone());
        prop_assert_eq!(&back, &histogram);
        let sums = (back.parts().sum.to_bits(), histogram.parts().sum.to_bits());
        prop_assert_eq!(sums.0, sums.1);
        for len in 0..bytes.len() {
            prop_assert!(Histogram::from_bytes(&bytes[..len]).is_err(), "cut at {}", len);
        }
    }

    #[test]
    fn any_bytes_are_a_histogram_or_not(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..120),
        good in any_histogram(),
        at in any::<prop::sample::Index>(),
        byte: u8,
    ) {
        let _ = Histogram::from_bytes(&bytes);
        if let Some(version) = bytes.first_mut() {
            *version = HISTOGRAM_VERSION;
        }
        if let Ok(histogram) = Histogram::from_bytes(&bytes) {
            prop_assert!(histogram.to_bytes().len() <= bytes.len());
        }
        let mut bytes = good.to_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = Histogram::from_bytes(&bytes);
    }
}
