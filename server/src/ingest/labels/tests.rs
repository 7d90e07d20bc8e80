use prost::Message;

use super::super::prompb::{self, TimeSeries, label, series};
use super::*;

const LIMITS: LabelLimits = LabelLimits {
    count_max: 4,
    name_bytes_max: 10,
    value_bytes_max: 12,
    total_bytes_max: 40,
};

fn read(series: &TimeSeries) -> Result<Labels, LabelsError> {
    let body = series.encode_to_vec();
    LabelSource::Inline(&body).read(0..body.len(), &LIMITS)
}

fn fault(labels: &[(&[u8], &[u8])]) -> LabelFault {
    let labels = labels.iter().map(|(name, value)| label(name, value)).collect();
    match read(&TimeSeries {
        labels,
        ..TimeSeries::default()
    }) {
        Err(LabelsError::Fault(fault)) => fault,
        other => panic!("expected a fault, got {other:?}"),
    }
}

#[test]
fn any_order_is_sorted_and_empty_values_are_dropped() {
    let labels = read(&series(
        &[("zone", ""), ("job", "ü"), ("__name__", "up")],
        &[(1, 2.0)],
    ))
    .unwrap();
    assert_eq!(
        labels.iter().collect::<Vec<_>>(),
        [("__name__", "up"), ("job", "ü")]
    );
}

#[test]
fn each_fault_is_named() {
    let name: (&[u8], &[u8]) = (b"__name__", b"up");
    assert_eq!(fault(&[]), LabelFault::NoMetricName);
    assert_eq!(fault(&[(b"job", b"a")]), LabelFault::NoMetricName);
    assert_eq!(fault(&[(b"__name__", b"")]), LabelFault::NoMetricName);
    assert_eq!(fault(&[name, (b"", b"x")]), LabelFault::EmptyName);
    assert_eq!(
        fault(&[name, (b"a", b"1"), (b"a", b"2")]),
        LabelFault::Duplicate { name: "a".into() }
    );
    assert_eq!(
        fault(&[name, (b"a", b""), (b"a", b"")]),
        LabelFault::Duplicate { name: "a".into() }
    );
    assert_eq!(
        fault(&[name, name]),
        LabelFault::Duplicate {
            name: "__name__".into()
        }
    );
    assert_eq!(
        fault(&[name, (b"a\xff", b"1")]),
        LabelFault::NameNotUtf8 {
            shown: "a\u{fffd}".into()
        }
    );
    assert_eq!(
        fault(&[name, (b"a", b"\xc3")]),
        LabelFault::ValueNotUtf8 { name: "a".into() }
    );
    assert_eq!(
        fault(&[(b"__name__", b"\xff")]),
        LabelFault::ValueNotUtf8 {
            name: "__name__".into()
        }
    );
}

#[test]
fn each_cap_is_met_exactly() {
    let name: (&[u8], &[u8]) = (b"__name__", b"up");
    let four: [(&[u8], &[u8]); 4] = [name, (b"a", b"1"), (b"b", b"1"), (b"c", b"1")];
    let labels = four.iter().map(|(name, value)| label(name, value)).collect();
    assert_eq!(
        read(&TimeSeries {
            labels,
            ..TimeSeries::default()
        })
        .unwrap()
        .len(),
        4
    );
    assert_eq!(
        fault(&[&four[..], &[(b"d", b"")]].concat()),
        LabelFault::TooMany { max: 4 }
    );
    assert_eq!(
        fault(&[name, (&[b'n'; 11], b"")]),
        LabelFault::NameTooLong { bytes: 11, max: 10 }
    );
    let long = LabelFault::ValueTooLong {
        name: "v".into(),
        bytes: 13,
        max: 12,
    };
    assert_eq!(fault(&[name, (b"v", &[b'v'; 13])]), long);
    let twelve = [b'v'; 12];
    assert_eq!(
        fault(&[name, (b"aaaaa", &twelve), (b"bbbbb", &twelve)]),
        LabelFault::TotalTooLong { max: 40 },
        "8 + 2 and twice 17 are 44"
    );
}

#[test]
fn other_fields_are_passed_over_and_malformed_ones_are_not() {
    let mut body = series(&[("__name__", "up")], &[(1, 2.0)]).encode_to_vec();
    body.extend([0x9a, 0x06, 0x02, 0xff, 0xff]); // field 99, two bytes
    body.extend(series(&[("a", "b")], &[]).encode_to_vec());
    let labels = LabelSource::Inline(&body).read(0..body.len(), &LIMITS).unwrap();
    assert_eq!(labels.to_string(), "up{a=\"b\"}");

    let at = body.len();
    body.extend([0x0a, 0x02, 0x08, 0x01]); // Label.name as a varint
    let wrong = LabelSource::Inline(&body)
        .read(0..body.len(), &LIMITS)
        .unwrap_err();
    let expected = format!(
        "byte {}: Label.name has wire type 0 (varint), expected 2 (length-delimited)",
        at + 2
    );
    assert_eq!(wrong.to_string(), expected);
}

#[test]
fn what_is_shown_is_bounded_and_readable() {
    let show = |series: &TimeSeries| {
        let body = series.encode_to_vec();
        LabelSource::Inline(&body).show(0..body.len())
    };
    assert_eq!(
        show(&series(&[("job", "a\"b"), ("__name__", "up")], &[])),
        r#"up{job="a\"b"}"#
    );
    assert_eq!(show(&TimeSeries::default()), "{}");
    let garbled = TimeSeries {
        labels: vec![label(b"a\n\xff", b"\xff\x1b")],
        ..prompb::TimeSeries::default()
    };
    assert_eq!(show(&garbled), "{a\\n\u{fffd}=\"\u{fffd}\\u{1b}\"}");
    let many: Vec<(String, String)> = (0..100_000).map(|i| (format!("l{i}"), "x".repeat(500))).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let shown = show(&series(&many, &[]));
    assert!(shown.len() < 600 && shown.ends_with("...}"), "{shown}");
}
