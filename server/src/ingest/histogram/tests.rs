use barograph_model::STALE_NAN_BITS;
use proptest::prelude::*;
use prost::Message;

use super::super::prompb::{self, BucketSpan, Count, ZeroCount, from_parts};
use super::*;

fn decode(message: &prompb::Histogram) -> Result<Histogram, HistogramFault> {
    let body = message.encode_to_vec();
    let (ts, read) = read(Reader::new(&body), &mut 0, 1000).unwrap();
    assert_eq!(ts, message.timestamp);
    read
}

fn integer() -> prompb::Histogram {
    prompb::histogram(7, &[1, 2, 1])
}

#[test]
fn an_integer_histogram_is_read_field_by_field() {
    let message = prompb::Histogram {
        count: Some(Count::Int(11)),
        schema: -2,
        zero_threshold: 0.001,
        zero_count: Some(ZeroCount::Int(4)),
        negative_spans: vec![BucketSpan {
            offset: -3,
            length: 1,
        }],
        negative_deltas: vec![3],
        reset_hint: 2,
        start_timestamp: 5,
        ..integer()
    };
    let parts = decode(&message).unwrap().into_parts();
    assert_eq!((parts.schema, parts.reset_hint), (-2, ResetHint::No));
    assert_eq!((parts.sum, parts.zero_threshold), (1.5, 0.001));
    assert_eq!(parts.created, Some(TimestampMs(5)));
    assert_eq!(parts.positive_spans, [Span { offset: 0, length: 3 }]);
    assert_eq!(
        parts.negative_spans,
        [Span {
            offset: -3,
            length: 1
        }]
    );
    let HistogramCounts::Integer {
        count,
        zero_count,
        positive,
        negative,
    } = parts.counts
    else {
        panic!("floats");
    };
    assert_eq!((count, zero_count), (11, 4));
    assert_eq!((positive, negative), (vec![1, 2, 1], vec![3]));
}

#[test]
fn what_does_not_go_together_is_a_fault() {
    let float = prompb::Histogram {
        count: Some(Count::Float(1.0)),
        ..prompb::Histogram::default()
    };
    let cases = [
        (
            prompb::Histogram {
                count: Some(Count::Float(4.0)),
                ..integer()
            },
            "a native histogram has a count of floats and integer buckets, which do not go together",
        ),
        (
            prompb::Histogram {
                zero_count: Some(ZeroCount::Int(1)),
                ..float.clone()
            },
            "a native histogram has a count of floats and an integer zero count, which do not go together",
        ),
        (
            prompb::Histogram {
                positive_counts: vec![1.0],
                ..integer()
            },
            "a native histogram has a count of integers and float buckets, which do not go together",
        ),
        (
            prompb::Histogram {
                zero_count: Some(ZeroCount::Float(1.0)),
                ..integer()
            },
            "a native histogram has a count of integers and a float zero count, which do not go together",
        ),
        (
            prompb::Histogram {
                positive_deltas: vec![1, -2, 5],
                ..integer()
            },
            "a native histogram is not sound: positive bucket 2 is -1, which is not a count",
        ),
        (
            prompb::Histogram {
                positive_deltas: vec![i64::MAX, 1, 0],
                ..integer()
            },
            "a native histogram is not sound: positive bucket 2 is 9223372036854775808, which is not a count",
        ),
        (
            prompb::Histogram {
                count: Some(Count::Int(5)),
                ..integer()
            },
            "a native histogram is not sound: the count is 5 and the buckets add up to 4",
        ),
    ];
    for (message, expected) in cases {
        assert_eq!(decode(&message).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_staleness_marker_is_a_histogram() {
    let marker = prompb::Histogram {
        sum: f64::from_bits(STALE_NAN_BITS),
        timestamp: 3,
        ..prompb::Histogram::default()
    };
    assert!(decode(&marker).unwrap().is_stale());
}

#[test]
fn buckets_of_a_request_are_capped_before_memory_is_taken() {
    let body = integer().encode_to_vec();
    let mut spent = 0;
    read(Reader::new(&body), &mut spent, 8).unwrap().1.unwrap();
    assert_eq!(spent, 4, "a span and three buckets");
    read(Reader::new(&body), &mut spent, 8).unwrap().1.unwrap();
    let refused = read(Reader::new(&body), &mut spent, 8).unwrap_err();
    assert_eq!(
        refused,
        DecodeError::TooMany {
            what: "histogram buckets",
            max: 8
        }
    );
}

#[test]
fn a_wrong_wire_type_names_field_and_byte() {
    for (body, expected) in [
        (
            &b"\x09\0\0\0\0\0\0\0\0"[..],
            "byte 0: Histogram.count_int has wire type 1 (fixed64), expected 0 (varint)",
        ),
        (
            b"\x18\x01",
            "byte 0: Histogram.sum has wire type 0 (varint), expected 1 (fixed64)",
        ),
        (
            b"\x5a\x02\x0a\x00",
            "byte 2: BucketSpan.offset has wire type 2 (length-delimited), expected 0 (varint)",
        ),
        (
            b"\x65\0\0\0\0",
            "byte 0: Histogram.positive_deltas or negative_deltas has wire type 5 (fixed32), expected 2 (length-delimited)",
        ),
        (
            b"\x6a\x04\0\0\0\0",
            "byte 2: the message ends inside a field (4 bytes are missing)",
        ),
        (
            b"\x80\x01\x01",
            "byte 0: Histogram.custom_values has wire type 0 (varint), expected 2 (length-delimited)",
        ),
    ] {
        let error = read(Reader::new(body), &mut 0, 10).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

/// Fields near what a histogram may have, most of them sound.
fn any_message() -> impl Strategy<Value = prompb::Histogram> {
    let spans = || proptest::collection::vec((-1..9i32, 0..4u32), 0..3);
    let counts = || proptest::collection::vec(0..50u64, 12);
    (
        (-5..10i32, any::<u64>(), 0..5i32, any::<bool>()),
        spans(),
        counts(),
        spans(),
        counts(),
    )
        .prop_map(
            |((schema, sum, hint, is_float), positive, positive_counts, negative, negative_counts)| {
                let side = |spans: Vec<(i32, u32)>, counts: Vec<u64>| {
                    let spans: Vec<Span> = spans
                        .iter()
                        .map(|&(offset, length)| Span { offset, length })
                        .collect();
                    let buckets: u32 = spans.iter().map(|span| span.length).sum();
                    (spans, counts[..buckets as usize].to_vec())
                };
                let (positive_spans, positive) = side(positive, positive_counts);
                let (negative_spans, negative) = side(negative, negative_counts);
                let count = positive.iter().chain(&negative).sum();
                let float = |counts: &[u64]| counts.iter().map(|&c| c as f64 / 7.0).collect();
                let counts = if is_float {
                    HistogramCounts::Float {
                        count: 0.5,
                        zero_count: 0.25,
                        positive: float(&positive),
                        negative: float(&negative),
                    }
                } else {
                    HistogramCounts::Integer {
                        count,
                        zero_count: 0,
                        positive,
                        negative,
                    }
                };
                let parts = HistogramParts {
                    schema,
                    reset_hint: ResetHint::from_number(hint as u64),
                    sum: f64::from_bits(sum),
                    positive_spans,
                    negative_spans,
                    counts,
                    ..HistogramParts::default()
                };
                from_parts(&parts, 9)
            },
        )
}

proptest! {
    #[test]
    fn what_prost_encodes_comes_back(message in any_message()) {
        if let Ok(histogram) = decode(&message) {
            let back = from_parts(histogram.parts(), 9);
            prop_assert_eq!(back.encode_to_vec(), message.encode_to_vec());
        } else {
            let spans = message.positive_spans.iter().chain(&message.negative_spans);
            let is_sound = (-4..=8).contains(&message.schema) && spans.clone().all(|span| span.offset >= 0);
            prop_assert!(!is_sound, "a sound histogram is refused");
        }
    }

    #[test]
    fn any_bytes_decode_or_fail(
        body in proptest::collection::vec(any::<u8>(), 0..200),
        message in any_message(),
        at in any::<prop::sample::Index>(),
        byte: u8,
    ) {
        let _ = read(Reader::new(&body), &mut 0, 100);
        let mut body = message.encode_to_vec();
        if !body.is_empty() {
            let at = at.index(body.len());
            body[at] = byte;
            let _ = read(Reader::new(&body), &mut 0, 100);
        }
    }
}
