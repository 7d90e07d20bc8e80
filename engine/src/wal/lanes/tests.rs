use barograph_model::{HistogramCounts, HistogramParts, Span, stale_nan};
use proptest::prelude::*;

use super::*;

fn any_histogram() -> impl Strategy<Value = Histogram> {
    (
        any::<u64>(),
        proptest::collection::vec(0..1000u64, 0..20),
        -30..30i32,
        proptest::option::of(any::<i64>()),
    )
        .prop_map(|(sum, positive, offset, created)| {
            let parts = HistogramParts {
                sum: f64::from_bits(sum),
                created: created.map(TimestampMs),
                positive_spans: vec![Span {
                    offset,
                    length: positive.len() as u32,
                }],
                counts: HistogramCounts::Integer {
                    count: positive.iter().sum(),
                    zero_count: 0,
                    positive,
                    negative: Vec::new(),
                },
                ..HistogramParts::default()
            };
            Histogram::new(parts).unwrap()
        })
}

fn any_exemplar() -> impl Strategy<Value = Exemplar> {
    let labels = proptest::collection::btree_map("[a-z]{1,6}", "\\PC{1,20}", 0..4);
    (labels, any::<u64>()).prop_map(|(labels, bits)| Exemplar {
        labels: Labels::from_pairs(labels).unwrap(),
        value: f64::from_bits(bits),
        ts: TimestampMs(0),
    })
}

proptest! {
    #[test]
    fn histograms_come_back(rows in proptest::collection::vec((any::<u32>(), any::<i64>(), any_histogram()), 0..20)) {
        let rows: Vec<_> = rows.into_iter().map(|(series, ts, h)| (SeriesRef(series), ts, h)).collect();
        let payload = encode_histograms(&rows);
        prop_assert_eq!(decode_histograms(&payload), Ok(rows));
    }

    #[test]
    fn exemplars_come_back(rows in proptest::collection::vec((any::<u32>(), any::<i64>(), any_exemplar()), 0..20)) {
        let row = |(series, ts, exemplar)| (SeriesRef(series), ts, Exemplar { ts: TimestampMs(ts), ..exemplar });
        let rows: Vec<_> = rows.into_iter().map(row).collect();
        let payload = encode_exemplars(&rows);
        prop_assert_eq!(decode_exemplars(&payload), Ok(rows));
    }

    #[test]
    fn metadata_comes_back(families in proptest::collection::vec(("\\PC{1,9}", 0..8u64, "\\PC{0,30}", "[a-z]{0,9}"), 0..20)) {
        let family = |(family, number, help, unit)| {
            (family, Metadata { metric_type: MetricType::from_number(number), help, unit })
        };
        let families: Vec<_> = families.into_iter().map(family).collect();
        let payload = encode_metadata(&families);
        prop_assert_eq!(decode_metadata(&payload), Ok(families));
    }

    #[test]
    fn any_bytes_are_rows_or_not(
        bytes in proptest::collection::vec(any::<u8>(), 0..100),
        good in proptest::collection::vec((any::<u32>(), any::<i64>(), any_histogram()), 1..4),
        at in any::<prop::sample::Index>(),
        byte: u8,
    ) {
        let good: Vec<_> = good.into_iter().map(|(series, ts, h)| (SeriesRef(series), ts, h)).collect();
        let mut payload = encode_histograms(&good);
        let at = at.index(payload.len());
        payload[at] = byte;
        for payload in [&bytes, &payload] {
            let _ = (decode_histograms(payload), decode_exemplars(payload), decode_metadata(payload));
        }
    }
}

#[test]
fn a_staleness_marker_keeps_its_bits() {
    let parts = HistogramParts {
        sum: stale_nan(),
        ..HistogramParts::default()
    };
    let rows = vec![(SeriesRef(7), 1000, Histogram::new(parts).unwrap())];
    let back = decode_histograms(&encode_histograms(&rows)).unwrap();
    assert!(back[0].2.is_stale());
}

#[test]
fn a_count_that_the_bytes_cannot_hold_is_refused() {
    let mut payload = u32::MAX.to_le_bytes().to_vec();
    payload.extend_from_slice(&8u32.to_le_bytes());
    payload.extend_from_slice(&[0; 8]);
    assert_eq!(
        decode_metadata(&payload),
        Err(RecordError("a count of rows that fits the length"))
    );
}
