//! Round trips of records, and bytes that nobody wrote.

use proptest::prelude::*;

use super::*;

fn bits(record: &SampleRecord) -> Vec<u64> {
    record.values.iter().map(|v| v.to_bits()).collect()
}

fn frame_payload(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.write_to(1, &mut bytes);
    bytes.split_off(crate::wal::frame::HEADER_BYTES)
}

fn values() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        (-1000i32..1000).prop_map(f64::from),
        Just(barograph_model::stale_nan()),
        Just(-0.0),
    ]
}

proptest! {
    #[test]
    fn samples_come_back_bit_for_bit(rows in prop::collection::vec((any::<u32>(), any::<i64>(), values()), 0..200)) {
        let record = SampleRecord {
            series: rows.iter().map(|r| SeriesRef(r.0)).collect(),
            ts: rows.iter().map(|r| r.1).collect(),
            values: rows.iter().map(|r| r.2).collect(),
        };
        let payload = frame_payload(&Frame::samples(&record.series, &record.ts, &record.values).unwrap());
        let Ok(Record::Samples(again)) = Record::decode(KIND_SAMPLES, &payload) else { panic!("no samples") };
        prop_assert_eq!(bits(&again), bits(&record));
        prop_assert_eq!((again.series, again.ts), (record.series, record.ts));
        for cut in (0..payload.len()).step_by(1 + payload.len() / 50) {
            prop_assert!(Record::decode(KIND_SAMPLES, &payload[..cut]).is_err(), "cut at {}", cut);
        }
    }

    #[test]
    fn series_come_back(
        series in prop::collection::vec((any::<u32>(), prop::collection::btree_map("[a-d]{1,3}", ".{0,9}", 0..5)), 0..30)
    ) {
        let series: Vec<_> =
            series.into_iter().map(|(id, pairs)| (SeriesRef(id), Labels::from_pairs(pairs).unwrap())).collect();
        let payload = frame_payload(&Frame::series(series.iter().map(|(id, labels)| (*id, labels))).unwrap());
        prop_assert_eq!(Record::decode(KIND_SERIES, &payload), Ok(Record::Series(series)));
    }

    #[test]
    fn any_bytes_are_a_record_or_an_error(
        kind in prop_oneof![0u8..4, 8u8..12],
        count in prop_oneof![0u32..64, any::<u32>()],
        length in prop_oneof![0u32..64, any::<u32>()],
        rest in prop::collection::vec(prop_oneof![Just(0), Just(1), any::<u8>()], 0..200),
    ) {
        let mut payload = count.to_le_bytes().to_vec();
        payload.extend_from_slice(&length.to_le_bytes());
        payload.extend_from_slice(&rest);
        match Record::decode(kind, &payload) {
            Ok(Record::Samples(record)) => prop_assert!(record.ts.len() <= payload.len()),
            Ok(Record::Series(series)) => prop_assert!(series.len() <= payload.len() * 255),
            Ok(Record::Histograms(rows)) => prop_assert!(rows.len() <= payload.len() * 255),
            Ok(Record::Exemplars(rows)) => prop_assert!(rows.len() <= payload.len() * 255),
            Ok(Record::Metadata(families)) => prop_assert!(families.len() <= payload.len() * 255),
            Ok(Record::Generation) => prop_assert!(payload.is_empty()),
            Err(error) => prop_assert!(error.to_string().starts_with("expected ")),
        }
    }

    #[test]
    fn flipped_bits_never_panic(seed in any::<u64>(), at in any::<prop::sample::Index>(), bit in 0u32..8) {
        let labels = Labels::from_pairs([("__name__", "http_requests_total".repeat(8)), ("x", seed.to_string())]).unwrap();
        let series = frame_payload(&Frame::series([(SeriesRef(7), &labels), (SeriesRef(9), &labels)].into_iter()).unwrap());
        let samples = frame_payload(&Frame::samples(&[SeriesRef(1); 20], &[1; 20], &[1.5; 20]).unwrap());
        for (kind, mut payload) in [(KIND_SERIES, series), (KIND_SAMPLES, samples)] {
            let at = at.index(payload.len());
            payload[at] ^= 1 << bit;
            let _ = Record::decode(kind, &payload);
        }
    }
}

#[test]
fn huge_promises_take_no_memory() {
    let promise = [
        0xff, 0xff, 0xff, 0x00, 0xff, 0xff, 0xff, 0x1f, 0xff, 0xff, 0xff, 0x1f,
    ];
    assert!(Record::decode(KIND_SAMPLES, &promise).is_err());
    assert!(Record::decode(KIND_SERIES, &promise).is_err());
}

#[test]
fn labels_of_similar_series_are_compressed_and_whole_values_are_short() {
    let labels: Vec<Labels> = (0..500)
        .map(|i| {
            Labels::from_pairs([("__name__", "node_cpu_seconds_total"), ("cpu", &i.to_string())]).unwrap()
        })
        .collect();
    let frame = Frame::series(
        labels
            .iter()
            .enumerate()
            .map(|(i, l)| (SeriesRef(i as u32 + 1), l))
            .collect::<Vec<_>>()
            .into_iter(),
    )
    .unwrap();
    assert!(frame.bytes() < 500 * 12, "{}", frame.bytes());
    let ids: Vec<_> = (0..5000).map(SeriesRef).collect();
    let values: Vec<_> = (0..5000).map(f64::from).collect();
    let frame = Frame::samples(&ids, &[1_700_000_000_000; 5000], &values).unwrap();
    assert!(frame.bytes() < 5000 * 6, "{}", frame.bytes());
}
