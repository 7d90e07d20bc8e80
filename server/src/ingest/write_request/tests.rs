use barograph_model::{TimeRange, TimestampMs};
use proptest::prelude::*;
use prost::Message;

use super::super::labels::LabelsError;
use super::super::limits::{LabelLimits, MetadataLimits};
use super::super::prompb::{
    self, BucketSpan, MetricMetadata, TimeSeries, encode, exemplar, histogram, series,
};
use super::super::rejects::RejectKind;
use super::super::written::Written;
use super::*;

const LABELS: LabelLimits = LabelLimits {
    count_max: 64,
    name_bytes_max: 512,
    value_bytes_max: 4096,
    total_bytes_max: 16_384,
};

const RULES: DecodeRules<'static> = DecodeRules {
    accepts: TimeRange {
        start: TimestampMs(0),
        end: TimestampMs(1_000_000),
    },
    samples_max: 10_000,
    label_bytes_max: 1 << 20,
    labels: &LABELS,
    exemplar_labels: &LABELS,
    metadata: &MetadataLimits {
        metrics_max: 100,
        name_bytes_max: 512,
        text_bytes_max: 4096,
    },
};

/// A stand-in for the store's hash that depends on every byte and its place.
fn fingerprint(raw: &[u8]) -> u128 {
    raw.iter().fold(1, |hash, &byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0100_0000_01b3_0000_0193)
    })
}

fn decode_into(batch: &mut Batch, body: &[u8], rejects: &mut Rejects) -> Result<usize, DecodeError> {
    super::decode(body, batch, &RULES, &fingerprint, rejects).map(|metadata| metadata.len())
}

fn decode(body: &[u8]) -> Result<(Batch, Rejects), DecodeError> {
    let (mut batch, mut rejects) = (Batch::default(), Rejects::default());
    decode_into(&mut batch, body, &mut rejects)?;
    Ok((batch, rejects))
}

fn read_labels(body: &[u8], place: std::ops::Range<usize>) -> Result<barograph_model::Labels, LabelsError> {
    LabelSource::Inline(body).read(place, &LABELS)
}

fn message(rejects: &Rejects, body: &[u8], samples: u64) -> Option<String> {
    let stored = Written {
        samples,
        ..Written::default()
    };
    rejects.message(LabelSource::Inline(body), stored)
}

/// Series as (labels as shown, samples as bits), out of the columns.
fn rows(body: &[u8], request: &Batch) -> Vec<(String, Vec<(i64, u64)>)> {
    let mut start = 0;
    let mut rows = Vec::new();
    for entry in &request.series {
        let of_series = start..entry.rows_end();
        start = of_series.end;
        let samples = of_series
            .map(|row| (request.ts[row], request.values[row].to_bits()))
            .collect();
        rows.push((read_labels(body, entry.message()).unwrap().to_string(), samples));
    }
    assert_eq!(start, request.ts.len());
    assert_eq!(request.series.len(), request.fingerprints.len());
    rows
}

#[test]
fn values_keep_their_bits() {
    let bits = [
        f64::NAN.to_bits(),
        barograph_model::STALE_NAN_BITS,
        f64::INFINITY.to_bits(),
        f64::NEG_INFINITY.to_bits(),
        0,
        1, // the least subnormal
        0x7ff8_0000_0000_dead,
    ];
    let samples: Vec<(i64, f64)> = bits
        .iter()
        .zip(0..)
        .map(|(&bits, ts)| (ts, f64::from_bits(bits)))
        .collect();
    let body = encode(vec![series(&[("__name__", "m")], &samples)]);
    let (request, rejects) = decode(&body).unwrap();
    let expected = bits.iter().zip(0..).map(|(&bits, ts)| (ts, bits)).collect();
    assert_eq!(rows(&body, &request), [("m".to_owned(), expected)]);
    assert!(rejects.is_empty());

    // prost leaves -0.0 out, as if it were 0.0; a sender may not.
    let body = b"\x0a\x1a\x0a\x0d\x0a\x08__name__\x12\x01m\x12\x09\x09\0\0\0\0\0\0\0\x80";
    let (request, _) = decode(body).unwrap();
    assert_eq!(
        rows(body, &request),
        [("m".to_owned(), vec![(0, (-0.0f64).to_bits())])]
    );
}

#[test]
fn instants_outside_are_counted_and_never_in_the_columns() {
    let year_0 = -62_167_219_200_000;
    let year_9999 = 253_402_300_799_000;
    let body = encode(vec![
        series(&[("__name__", "a")], &[(year_0, 1.0), (0, 2.0), (i64::MIN, 3.0)]),
        series(&[("__name__", "b")], &[(year_9999, 1.0), (1_000_001, 1.0)]),
        series(&[("__name__", "c")], &[(1_000_000, 1.0)]),
    ]);
    let (request, rejects) = decode(&body).unwrap();
    let expected = [
        ("a", vec![(0, 2.0f64.to_bits())]),
        ("c", vec![(1_000_000, 1.0f64.to_bits())]),
    ];
    assert_eq!(
        rows(&body, &request),
        expected.map(|(labels, samples)| (labels.to_owned(), samples))
    );
    assert_eq!(
        message(&rejects, &body, 2).unwrap(),
        "refused 4 samples out of bounds, in 2 series; the other 2 samples of the request are stored; first \
         refused: a{}: timestamp 0000-01-01T00:00:00.000Z is outside what is accepted now, \
         1970-01-01T00:00:00.000Z to 1970-01-01T00:16:40.000Z"
    );
}

#[test]
fn exemplars_and_histograms_are_decoded_beside_samples() {
    let mut with_exemplars = series(&[("__name__", "a")], &[(1, 1.0)]);
    with_exemplars.exemplars = vec![
        exemplar("t1", 5, 0.5),
        exemplar("t2", 1_000_001, 1.0),
        exemplar("t3", 6, -0.0),
    ];
    let mut only_histograms = series(&[("__name__", "b")], &[]);
    only_histograms.histograms = vec![histogram(2, &[1, 2]), histogram(-1, &[1])];
    let mut only_exemplars = series(&[("__name__", "c")], &[]);
    only_exemplars.exemplars = vec![exemplar("", 7, 1.0)];
    let body = encode(vec![with_exemplars, only_histograms, only_exemplars]);
    let (batch, rejects) = decode(&body).unwrap();
    let ends = batch
        .series
        .iter()
        .map(|s| (s.rows_end(), s.histograms_end(), s.exemplars_end()));
    assert_eq!(ends.collect::<Vec<_>>(), [(1, 0, 2), (1, 1, 2), (1, 1, 3)]);
    let exemplars: Vec<_> = batch
        .exemplars
        .iter()
        .map(|e| (e.labels.to_string(), e.value, e.ts.0))
        .collect();
    assert_eq!(
        exemplars,
        [
            ("{trace_id=\"t1\"}".to_owned(), 0.5, 5),
            ("{trace_id=\"t3\"}".to_owned(), 0.0, 6),
            ("{}".to_owned(), 1.0, 7)
        ]
    );
    assert_eq!(batch.histograms[0].0, 2);
    assert_eq!(batch.histograms[0].1.parts().positive_spans[0].length, 2);
    assert_eq!(
        message(&rejects, &body, 1).unwrap(),
        "refused 1 native histograms out of bounds, 1 exemplars out of bounds, in 2 series; the other 1 samples of the \
         request are stored; first refused: a{}: timestamp 1970-01-01T00:16:40.001Z is outside what is accepted now, \
         1970-01-01T00:00:00.000Z to 1970-01-01T00:16:40.000Z"
    );
}

#[test]
fn what_is_not_sound_is_refused_and_the_rest_is_not() {
    let mut bad = series(&[("__name__", "a")], &[(1, 1.0)]);
    let mut garbled = exemplar("", 3, 1.0);
    garbled.labels.push(prompb::label(b"a", b"\xff"));
    bad.exemplars = vec![garbled, exemplar("t", 3, 1.0)];
    bad.histograms = vec![histogram(4, &[1]), histogram(5, &[1])];
    bad.histograms[0].positive_spans.push(BucketSpan {
        offset: -1,
        length: 1,
    });
    let body = encode(vec![bad]);
    let (batch, rejects) = decode(&body).unwrap();
    assert_eq!(
        (batch.ts.len(), batch.exemplars.len(), batch.histograms.len()),
        (1, 1, 1)
    );
    assert_eq!(
        (
            rejects.count(RejectKind::Exemplar),
            rejects.count(RejectKind::NativeHistogram)
        ),
        (1, 1)
    );
    let text = message(&rejects, &body, 1).unwrap();
    assert!(
        text.ends_with("a{}: the labels of an exemplar: the value of label \"a\" is not valid UTF-8"),
        "{text}"
    );
}

#[test]
fn a_series_without_samples_is_checked_all_the_same() {
    let body = encode(vec![series(&[("__name__", "a")], &[])]);
    let (request, rejects) = decode(&body).unwrap();
    assert!(request.series.is_empty() && rejects.is_empty());
    let body = encode(vec![series(&[("__name__", "")], &[])]);
    assert_eq!(
        message(&decode(&body).unwrap().1, &body, 0).unwrap(),
        "refused 1 series with unacceptable labels (0 samples), in 1 series; the other 0 samples of the request \
         are stored; first refused: {}: it has no metric name (label __name__ is missing or empty)"
    );
}

#[test]
fn labels_that_are_apart_hash_as_if_they_were_together() {
    let whole = series(&[("__name__", "m"), ("a", "1"), ("b", "2")], &[(5, 1.0)]);
    let apart = [
        series(&[("__name__", "m")], &[]).encode_to_vec(),
        vec![0x98, 0x06, 0x01], // field 99, a varint
        series(&[("a", "1")], &[(5, 1.0)]).encode_to_vec(),
        series(&[("b", "2")], &[]).encode_to_vec(),
    ]
    .concat();
    let mut body = vec![0x0a, u8::try_from(apart.len()).unwrap()];
    body.extend(apart);
    body.extend(encode(vec![whole]));
    let (request, _) = decode(&body).unwrap();
    let both = rows(&body, &request);
    assert_eq!(both[0], both[1]);
    assert_eq!(request.fingerprints[0], request.fingerprints[1]);
}

#[test]
fn unknown_fields_are_skipped_at_every_level() {
    let unknown = [
        &[0xf8, 0x07, 0xff, 0x01][..],         // 127: a varint
        &[0xf9, 0x07, 1, 2, 3, 4, 5, 6, 7, 8], // 127: fixed64
        &[0xfa, 0x07, 0x03, 0xff, 0xff, 0xff], // 127: three bytes
        &[0xfd, 0x07, 1, 2, 3, 4],             // 127: fixed32
    ]
    .concat();
    let nest = |field: u8, parts: &[&[u8]]| {
        let inner = parts.concat();
        let mut outer = vec![field << 3 | 2];
        prost::encoding::encode_varint(inner.len() as u64, &mut outer);
        [outer, inner].concat()
    };
    let label = nest(1, &[&unknown, b"\x0a\x08__name__", &unknown, b"\x12\x01m"]);
    let sample = nest(
        2,
        &[
            &unknown,
            &[0x11, 0, 0, 0, 0, 0, 0, 0, 0][..0],
            b"\x10\x07",
            &unknown,
        ],
    );
    let body = [&unknown[..], &nest(1, &[&label, &unknown, &sample]), &unknown].concat();
    let (request, rejects) = decode(&body).unwrap();
    assert_eq!(rows(&body, &request), [("m".to_owned(), vec![(7, 0)])]);
    assert!(rejects.is_empty());
}

#[test]
fn a_wrong_wire_type_names_field_and_byte() {
    for (body, expected) in [
        (
            &b"\x08\x01"[..],
            "byte 0: WriteRequest.timeseries has wire type 0 (varint), expected 2 (length-delimited)",
        ),
        (
            b"\x19\0\0\0\0\0\0\0\0",
            "byte 0: WriteRequest.metadata has wire type 1 (fixed64), expected 2 (length-delimited)",
        ),
        (
            b"\x0a\x02\x08\x01",
            "byte 2: TimeSeries.labels has wire type 0 (varint), expected 2 (length-delimited)",
        ),
        (
            b"\x0a\x02\x10\x01",
            "byte 2: TimeSeries.samples has wire type 0 (varint), expected 2 (length-delimited)",
        ),
        (
            b"\x0a\x02\x18\x01",
            "byte 2: TimeSeries.exemplars has wire type 0 (varint), expected 2 (length-delimited)",
        ),
        (
            b"\x0a\x02\x20\x01",
            "byte 2: TimeSeries.histograms has wire type 0 (varint), expected 2 (length-delimited)",
        ),
        (
            b"\x0a\x04\x12\x02\x08\x01",
            "byte 4: Sample.value has wire type 0 (varint), expected 1 (fixed64)",
        ),
        (
            b"\x0a\x07\x12\x05\x15\0\0\0\0",
            "byte 4: Sample.timestamp has wire type 5 (fixed32), expected 0 (varint)",
        ),
        (
            b"\x0a\x04\x0a\x02\x08\x01",
            "byte 4: Label.name has wire type 0 (varint), expected 2 (length-delimited)",
        ),
        (
            b"\x0a\x01\x13",
            "byte 2: field 2 has wire type 3, a group or undefined, which is not accepted",
        ),
        (
            b"\x0a\x05\x12",
            "byte 2: the message ends inside a field (4 bytes are missing)",
        ),
    ] {
        assert_eq!(decode(body).unwrap_err().to_string(), expected);
    }
}

#[test]
fn remote_write_2_is_not_taken_for_an_empty_request() {
    // symbols: ["", "a"], one series
    let error = decode(b"\x22\x00\x22\x01a\x2a\x02\x0a\x00")
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with(
            "byte 0: field 4 is not part of prometheus.WriteRequest (it looks like remote write 2.0"
        ),
        "{error}"
    );
}

#[test]
fn counts_are_capped_before_memory_is_taken() {
    let body = encode(vec![series(&[("__name__", "m")], &[(0, 0.0); 10_001])]);
    assert!(matches!(
        decode(&body),
        Err(DecodeError::TooMany {
            what: "samples",
            max: 10_000
        })
    ));
    let body = encode(vec![TimeSeries::default(); 10_001]);
    assert!(matches!(
        decode(&body),
        Err(DecodeError::TooMany { what: "series", .. })
    ));
    let body = prompb::WriteRequest {
        metadata: vec![MetricMetadata::default(); 10_001],
        ..prompb::WriteRequest::default()
    };
    let refused = decode(&body.encode_to_vec());
    assert!(matches!(
        refused,
        Err(DecodeError::TooMany {
            what: "metadata entries",
            ..
        })
    ));
}

#[test]
fn buffers_are_reused_without_traces_of_the_request_before() {
    let mut request = Batch::default();
    let mut rejects = Rejects::default();
    let first = encode(vec![series(&[("__name__", "a")], &[(1, 1.0), (2, 2.0)])]);
    decode_into(&mut request, &first, &mut rejects).unwrap();
    assert!(decode_into(&mut request, b"\x0a\x05", &mut rejects).is_err());
    let second = encode(vec![series(&[("__name__", "b")], &[(3, 3.0)])]);
    decode_into(&mut request, &second, &mut rejects).unwrap();
    assert_eq!(
        rows(&second, &request),
        [("b".to_owned(), vec![(3, 3.0f64.to_bits())])]
    );
    request.take_columns();
    request.shrink_to(0);
    decode_into(&mut request, &second, &mut rejects).unwrap();
    assert_eq!(request.ts, [3]);
}

fn any_series() -> impl Strategy<Value = TimeSeries> {
    let labels = proptest::collection::btree_map("[a-z]{1,6}", "\\PC{1,8}", 0..12);
    let sample = (0..1_000_000i64, any::<u64>());
    (
        labels,
        proptest::collection::vec(sample, 1..5),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(labels, samples, turn)| {
            let mut pairs: Vec<(&str, &str)> = labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            pairs.push(("__name__", "metric"));
            let turn = turn.index(pairs.len());
            pairs.rotate_left(turn);
            let samples: Vec<_> = samples
                .into_iter()
                .map(|(ts, bits)| (ts, f64::from_bits(bits)))
                .collect();
            series(&pairs, &samples)
        })
}

proptest! {
    #[test]
    fn what_prost_encodes_comes_back(all in proptest::collection::vec(any_series(), 0..8)) {
        let body = encode(all.clone());
        let (request, rejects) = decode(&body).unwrap();
        prop_assert!(rejects.is_empty());
        let expected: Vec<_> = all
            .iter()
            .map(|series| {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let pairs = series.labels.iter().map(|label| (text(&label.name), text(&label.value)));
                let labels = barograph_model::Labels::from_pairs(pairs).unwrap().to_string();
                (labels, series.samples.iter().map(|s| (s.timestamp, s.value.to_bits())).collect())
            })
            .collect();
        prop_assert_eq!(rows(&body, &request), expected);
    }

    #[test]
    fn any_bytes_decode_or_fail(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        check_never_panics(&body);
    }

    #[test]
    fn any_mutation_of_a_good_body_decodes_or_fails(
        all in proptest::collection::vec(any_series(), 1..4),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..8),
    ) {
        let mut body = encode(all);
        for (at, byte, kind) in edits {
            if body.is_empty() {
                break;
            }
            let at = at.index(body.len());
            match kind {
                0 => body[at] = byte,
                1 => body[at] ^= 1 << (byte & 7),
                2 => body.insert(at, byte),
                _ => body.truncate(at),
            }
        }
        check_never_panics(&body);
    }
}

/// Decodes, and looks at everything that decoding gave; prost must take what this decoder takes.
fn check_never_panics(body: &[u8]) {
    let Ok((request, rejects)) = decode(body) else {
        return;
    };
    let mut malformed = false;
    for entry in &request.series {
        malformed |= matches!(read_labels(body, entry.message()), Err(LabelsError::Wire(_)));
    }
    let _ = message(&rejects, body, 0);
    if malformed || !rejects.is_empty() {
        return;
    }
    let Ok(theirs) = prompb::WriteRequest::decode(body) else {
        return;
    };
    let samples: usize = theirs.timeseries.iter().map(|series| series.samples.len()).sum();
    assert_eq!(
        samples,
        request.ts.len(),
        "prost sees other samples in {body:02x?}"
    );
}
