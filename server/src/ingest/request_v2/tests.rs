use barograph_model::{Histogram, TimeRange, TimestampMs};
use proptest::prelude::*;
use prost::Message;

use super::super::created::CreatedAt;
use super::super::labels::LabelsError;
use super::super::limits::{LabelLimits, MetadataLimits};
use super::super::prompb::v2::{Builder, Exemplar, Metadata, Request};
use super::super::prompb::{self, histogram};
use super::super::rejects::RejectKind;
use super::super::write_request;
use super::super::written::Written;
use super::*;

const LABELS: LabelLimits = LabelLimits {
    count_max: 8,
    name_bytes_max: 64,
    value_bytes_max: 100,
    total_bytes_max: 1000,
};

const RULES: DecodeRules<'static> = DecodeRules {
    accepts: TimeRange {
        start: TimestampMs(0),
        end: TimestampMs(100_000_000),
    },
    samples_max: 1000,
    label_bytes_max: 4096,
    labels: &LABELS,
    exemplar_labels: &LABELS,
    metadata: &MetadataLimits {
        metrics_max: 100,
        name_bytes_max: 64,
        text_bytes_max: 20,
    },
};

const UP: &[(&str, &str)] = &[("__name__", "up"), ("job", "node")];

/// A stand-in for the store's hash that depends on every byte and its place.
fn fingerprint(raw: &[u8]) -> u128 {
    raw.iter().fold(1, |hash, &byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0100_0000_01b3_0000_0193)
    })
}

/// What came of a request.
#[derive(Debug)]
struct Decoded {
    batch: Batch,
    /// Series as they read.
    labels: Vec<Result<String, LabelsError>>,
    metadata: Vec<String>,
    rejects: Rejects,
    refused: Option<String>,
}

fn decode(body: &[u8]) -> Result<Decoded, DecodeError> {
    let (mut batch, mut rejects, mut places) = (Batch::default(), Rejects::default(), Vec::new());
    read_symbols(body, &RULES, &mut places)?;
    let symbols = Symbols {
        body,
        places: &places,
    };
    let mut scratch = Scratch::default();
    let metadata = super::decode(
        symbols,
        &mut batch,
        &mut scratch,
        &RULES,
        &fingerprint,
        &mut rejects,
    )?;
    let source = LabelSource::Symbols(symbols);
    let read = |entry: &super::super::batch::SeriesEntry| source.read(entry.message(), &LABELS);
    let stored = Written {
        samples: batch.ts.len() as u64,
        ..Written::default()
    };
    Ok(Decoded {
        labels: batch
            .series
            .iter()
            .map(|entry| read(entry).map(|labels| labels.to_string()))
            .collect(),
        metadata: metadata.iter().map(|entry| format!("{entry:?}")).collect(),
        refused: rejects.message(source, stored),
        rejects,
        batch,
    })
}

#[test]
fn a_request_is_read_whatever_the_order_of_its_fields() {
    let mut builder = Builder::new();
    let trace = builder.refs(&[("trace_id", "abc")]);
    let series = builder.series(
        UP,
        &[(1, 1.5), (2, f64::from_bits(barograph_model::STALE_NAN_BITS))],
    );
    series.exemplars.push(Exemplar {
        labels_refs: trace,
        value: 0.25,
        timestamp: 3,
    });
    builder.series(&[("__name__", "h")], &[]).histograms = vec![histogram(4, &[1, 2])];
    let body = builder.encode();
    // The same with the symbols behind the series.
    let only = |symbols: bool| {
        let mut request = builder.request.clone();
        match symbols {
            true => request.timeseries.clear(),
            false => request.symbols.clear(),
        }
        request.encode_to_vec()
    };
    let turned = [only(false), only(true)].concat();
    for body in [body, turned] {
        let decoded = decode(&body).unwrap();
        assert!(decoded.rejects.is_empty());
        assert_eq!(
            decoded.labels,
            [Ok("up{job=\"node\"}".to_owned()), Ok("h".to_owned())]
        );
        assert_eq!(decoded.batch.ts, [1, 2]);
        assert!(barograph_model::is_stale(decoded.batch.values[1]));
        let exemplar = &decoded.batch.exemplars[0];
        assert_eq!(
            (exemplar.labels.get("trace_id"), exemplar.value, exemplar.ts.0),
            ("abc", 0.25, 3)
        );
        let (ts, histogram) = &decoded.batch.histograms[0];
        assert_eq!((*ts, histogram.parts().positive_spans.len()), (4, 1));
    }
}

#[test]
fn a_series_has_one_fingerprint_in_1_0_and_2_0() {
    let long = "v".repeat(90);
    let labels = [("__name__", "up"), ("instance", long.as_str()), ("job", "node")];
    let mut builder = Builder::new();
    builder.series(&labels, &[(1, 1.0)]);
    let second = decode(&builder.encode()).unwrap();
    let body = prompb::encode(vec![prompb::series(&labels, &[(1, 1.0)])]);
    let mut first = Batch::default();
    write_request::decode(&body, &mut first, &RULES, &fingerprint, &mut Rejects::default()).unwrap();
    assert_eq!(first.fingerprints, second.batch.fingerprints);
}

#[test]
fn references_that_lead_nowhere_refuse_their_series_only() {
    let mut builder = Builder::new();
    builder.series(UP, &[(1, 1.0)]);
    builder
        .series(&[("__name__", "odd")], &[(1, 1.0), (2, 2.0)])
        .labels_refs
        .push(0);
    builder.series(&[("__name__", "far")], &[(1, 1.0)]).labels_refs[1] = 4_000_000;
    let many: Vec<(String, String)> = (0..9).map(|i| (format!("l{i}"), String::new())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    builder.series(&many, &[(1, 1.0)]).histograms = vec![histogram(4, &[1])];
    builder.series(&[("__name__", "last")], &[(3, 3.0)]);
    let decoded = decode(&builder.encode()).unwrap();
    assert_eq!(
        decoded.labels,
        [Ok("up{job=\"node\"}".to_owned()), Ok("last".to_owned())]
    );
    assert_eq!(
        (decoded.batch.ts, decoded.batch.histograms.len()),
        (vec![1, 3], 0)
    );
    assert_eq!(
        decoded.refused.unwrap(),
        "refused 3 series with unacceptable labels (4 samples, 1 native histograms), in 3 series; the other 2 samples of \
         the request are stored; first refused: odd{}: it has a label name without a value (an odd number of symbol \
         references)"
    );
    builder.request.timeseries.drain(..2);
    let far = decode(&builder.encode()).unwrap().refused.unwrap();
    assert!(
        far.contains("first refused: {}: it refers to symbol 4000000 of "),
        "{far}"
    );
}

#[test]
fn what_is_malformed_refuses_the_request_and_says_where() {
    let mut without_empty = Builder::new();
    without_empty.series(UP, &[(1, 1.0)]);
    without_empty.request.symbols[0] = b"x".to_vec();
    let text = "the symbols table does not begin with an empty text";
    assert_eq!(decode(&without_empty.encode()).unwrap_err().to_string(), text);
    for (body, expected) in [
        (
            &b"\x0a\x00"[..],
            "byte 0: field 1 is not part of io.prometheus.write.v2.Request (it looks like remote write 1.0; then its \
             Content-Type must say proto=prometheus.WriteRequest)",
        ),
        (b"\x2a\x00", "the symbols table does not begin with an empty text"),
        (
            b"\x20\x01",
            "byte 0: Request.symbols has wire type 0 (varint), expected 2 (length-delimited)",
        ),
        (
            b"\x22\x00\x28\x01",
            "byte 2: Request.timeseries has wire type 0 (varint), expected 2 (length-delimited)",
        ),
        (
            b"\x22\x00\x2a\x05\x0d\0\0\0\0",
            "byte 4: TimeSeries.labels_refs has wire type 5 (fixed32), expected 2 (length-delimited)",
        ),
        (
            b"\x22\x00\x2a\x02\x10\x01",
            "byte 4: TimeSeries.samples has wire type 0 (varint), expected 2 (length-delimited)",
        ),
        (
            b"\x22\x00\x2a\x02\x18\x01",
            "byte 4: TimeSeries.histograms has wire type 0 (varint), expected 2 (length-delimited)",
        ),
        (
            b"\x22\x00\x2a\x02\x20\x01",
            "byte 4: TimeSeries.exemplars has wire type 0 (varint), expected 2 (length-delimited)",
        ),
        (
            b"\x22\x00\x2a\x02\x28\x01",
            "byte 4: TimeSeries.metadata has wire type 0 (varint), expected 2 (length-delimited)",
        ),
        (
            b"\x22\x00\x2a\x02\x32\x00",
            "byte 4: TimeSeries.created_timestamp has wire type 2 (length-delimited), expected 0 (varint)",
        ),
        (
            b"\x22\x00\x2a\x04\x12\x02\x1a\x00",
            "byte 6: Sample.start_timestamp has wire type 2 (length-delimited), expected 0 (varint)",
        ),
        (
            b"\x22\x00\x2a\x04\x22\x02\x12\x00",
            "byte 6: Exemplar.value has wire type 2 (length-delimited), expected 1 (fixed64)",
        ),
        (
            b"\x22\x00\x22\x08__name__\x2a\x09\x0a\x02\x01\x00\x2a\x03\x1a\x01x",
            "byte 20: Metadata.help_ref has wire type 2 (length-delimited), expected 0 (varint)",
        ),
        (
            b"\x22\x05",
            "byte 2: the message ends inside a field (5 bytes are missing)",
        ),
    ] {
        assert_eq!(decode(body).unwrap_err().to_string(), expected);
    }
    assert!(
        decode(b"").unwrap().labels.is_empty(),
        "a request without series is fine"
    );
}

#[test]
fn counts_are_capped_before_memory_is_taken() {
    let refused = |change: fn(&mut Builder)| {
        let mut builder = Builder::new();
        change(&mut builder);
        match decode(&builder.encode()).map(|_| ()) {
            Err(DecodeError::TooMany { what, max }) => (what, max),
            other => panic!("{other:?}"),
        }
    };
    let symbols = |b: &mut Builder| b.request.symbols = vec![Vec::new(); 1001];
    assert_eq!(refused(symbols), ("symbols", 1000));
    let series = |b: &mut Builder| {
        (0..1001).for_each(|_| {
            b.series(&[], &[]);
        })
    };
    assert_eq!(refused(series), ("series", 1000));
    let samples = |b: &mut Builder| {
        b.series(UP, &[(1, 1.0); 1001]);
    };
    assert_eq!(refused(samples), ("samples", 1000));
    let buckets = |b: &mut Builder| b.series(UP, &[]).histograms = vec![histogram(1, &[0; 500]); 2];
    assert_eq!(refused(buckets), ("histogram buckets", 1000));
    let exemplars = |b: &mut Builder| {
        b.series(UP, &[]).exemplars = vec![
            Exemplar {
                timestamp: 1,
                ..Exemplar::default()
            };
            1001
        ]
    };
    assert_eq!(refused(exemplars), ("exemplars", 1000));
    // A symbol of 90 bytes, sent once and used a hundred times.
    let labels = |b: &mut Builder| {
        let long = "v".repeat(90);
        (0..100).for_each(|_| {
            b.series(&[("__name__", &long)], &[(1, 1.0)]);
        });
    };
    assert_eq!(refused(labels), ("bytes of labels", 4097));
    let exemplar_labels = |b: &mut Builder| {
        let labels_refs = b.refs(&[("trace_id", &"v".repeat(90))]);
        b.series(UP, &[]).exemplars = vec![
            Exemplar {
                labels_refs,
                value: 1.0,
                timestamp: 1
            };
            100
        ];
    };
    assert_eq!(refused(exemplar_labels), ("bytes of labels", 4097));
}

#[test]
fn metadata_is_of_the_family_and_said_once() {
    let mut builder = Builder::new();
    let (help, unit) = (builder.symbol("how long"), builder.symbol("seconds"));
    let too_long = builder.symbol("h".repeat(21));
    let metadata = |metric_type, help_ref| {
        Some(Metadata {
            metric_type,
            help_ref,
            unit_ref: unit,
        })
    };
    for metric in ["x_bucket", "x_bucket", "x_count"] {
        builder.series(&[("__name__", metric)], &[(1, 1.0)]).metadata = metadata(3, help);
    }
    let native = builder.series(&[("__name__", "native_count")], &[]);
    native.histograms = vec![histogram(1, &[1])];
    native.metadata = metadata(3, help);
    builder.series(&[("__name__", "silent")], &[(1, 1.0)]).metadata = Some(Metadata::default());
    builder.series(&[("__name__", "far")], &[(1, 1.0)]).metadata = metadata(1, 99);
    builder.series(&[("__name__", "far")], &[(2, 1.0)]).metadata = metadata(1, 99);
    builder.series(&[("__name__", "long")], &[(1, 1.0)]).metadata = metadata(1, too_long);
    let decoded = decode(&builder.encode()).unwrap();
    let entry = |name: &str| {
        format!(
            "MetadataEntry {{ name: {name:?}, metric_type: Histogram, help: \"how long\", unit: \"seconds\" }}"
        )
    };
    assert_eq!(decoded.metadata, [entry("x"), entry("x"), entry("native_count")]);
    assert_eq!(decoded.rejects.count(RejectKind::Metadata), 2);
    let text = decoded.refused.unwrap();
    let expected = "first refused: metadata of \"far\": the help refers to symbol 99 of ";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn created_timestamps_of_either_draft_become_beginnings() {
    let mut builder = Builder::new();
    let series = builder.series(
        &[("__name__", "rc4")],
        &[(10_000, 1.0), (20_000, 2.0), (30_000, 3.0)],
    );
    for (sample, created) in series.samples.iter_mut().zip([5000, 5000, 25_000]) {
        sample.start_timestamp = created;
    }
    builder
        .series(&[("__name__", "rc3")], &[(10_000, 1.0), (20_000, 2.0)])
        .created_timestamp = 6000;
    builder
        .series(&[("__name__", "old")], &[(99_000_000, 1.0)])
        .created_timestamp = 6000;
    builder
        .series(&[("__name__", "sampled")], &[(6000, 1.0), (7000, 1.0)])
        .created_timestamp = 6000;
    let later = builder.series(&[("__name__", "hist")], &[]);
    later.histograms = vec![histogram(10_000, &[1]), histogram(11_000, &[1])];
    later.histograms[1].start_timestamp = 9000;
    later.created_timestamp = 7000;
    let decoded = decode(&builder.encode()).unwrap();
    let expected = [(0, 5000), (0, 25_000), (1, 6000)].map(|(entry, ts)| CreatedAt { entry, ts });
    assert_eq!(decoded.batch.created, expected);
    let created: Vec<_> = decoded
        .batch
        .histograms
        .iter()
        .map(|(_, h): &(i64, Histogram)| h.parts().created)
        .collect();
    assert_eq!(created, [Some(TimestampMs(7000)), Some(TimestampMs(9000))]);
}

fn any_request() -> impl Strategy<Value = Request> {
    let series = (
        proptest::collection::btree_map("[a-z]{1,4}", "\\PC{1,6}", 0..6),
        proptest::collection::vec((0..1_000_000i64, any::<u64>()), 0..4),
        0..3usize,
        0..3usize,
    );
    proptest::collection::vec(series, 0..6).prop_map(|all| {
        let mut builder = Builder::new();
        for (i, (labels, samples, histograms, exemplars)) in all.into_iter().enumerate() {
            let name = format!("metric_{i}");
            let mut pairs: Vec<(&str, &str)> = labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            pairs.push(("__name__", &name));
            let samples: Vec<_> = samples
                .iter()
                .map(|&(ts, bits)| (ts, f64::from_bits(bits)))
                .collect();
            let labels_refs = builder.refs(&[("trace_id", &name)]);
            let series = builder.series(&pairs, &samples);
            series.histograms = (0..histograms).map(|k| histogram(k as i64, &[1, 0, 2])).collect();
            series.exemplars = (0..exemplars)
                .map(|k| Exemplar {
                    labels_refs: labels_refs.clone(),
                    value: 0.5,
                    timestamp: k as i64,
                })
                .collect();
        }
        builder.request
    })
}

proptest! {
    #[test]
    fn what_prost_encodes_comes_back(request in any_request()) {
        let decoded = decode(&request.encode_to_vec()).unwrap();
        prop_assert!(decoded.rejects.is_empty());
        let symbol = |index: u32| String::from_utf8(request.symbols[index as usize].clone()).unwrap();
        let (mut rows, mut histograms, mut exemplars, mut series) = (Vec::new(), 0, 0, Vec::new());
        for one in &request.timeseries {
            rows.extend(one.samples.iter().map(|s| (s.timestamp, s.value.to_bits())));
            histograms += one.histograms.len();
            exemplars += one.exemplars.len();
            if !(one.samples.is_empty() && one.histograms.is_empty() && one.exemplars.is_empty()) {
                let pairs = one.labels_refs.chunks(2).map(|pair| (symbol(pair[0]), symbol(pair[1])));
                series.push(Ok(barograph_model::Labels::from_pairs(pairs).unwrap().to_string()));
            }
        }
        let batch = &decoded.batch;
        let found: Vec<_> = batch.ts.iter().zip(&batch.values).map(|(&ts, v)| (ts, v.to_bits())).collect();
        prop_assert_eq!(found, rows);
        prop_assert_eq!((batch.histograms.len(), batch.exemplars.len()), (histograms, exemplars));
        prop_assert_eq!(decoded.labels, series);
    }

    #[test]
    fn any_bytes_decode_or_fail(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&body);
        // Nearly every such body has no symbols; so once more with some.
        let _ = decode(&[&b"\x22\x00\x22\x08__name__\x22\x01m"[..], &body].concat());
    }

    #[test]
    fn any_mutation_of_a_good_body_decodes_or_fails(
        request in any_request(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..8),
    ) {
        let mut body = request.encode_to_vec();
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
        if let (Ok(decoded), Ok(theirs)) = (decode(&body), Request::decode(&body[..])) {
            let samples: usize = theirs.timeseries.iter().map(|series| series.samples.len()).sum();
            if decoded.rejects.is_empty() {
                prop_assert_eq!(samples, decoded.batch.ts.len(), "prost sees other samples");
            }
        }
    }
}
