use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int64Array, ListArray, RecordBatch,
    StringViewArray, StructArray, TimestampMillisecondArray, TimestampNanosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use arrow::ipc::reader::StreamReader;

use super::arrow_ipc::IpcWriter;
use super::{csv, json, render_table};
use crate::sql::labels_array;

fn batch() -> RecordBatch {
    let texts: Vec<Option<&str>> = vec![Some("plain"), Some("a,\"b\"\r\nc"), None, Some("")];
    let dictionary: DictionaryArray<Int32Type> =
        vec![Some("x"), None, Some("y"), Some("x")].into_iter().collect();
    let list = ListArray::from_iter_primitive::<arrow::datatypes::Float64Type, _, _>(vec![
        Some(vec![Some(1.0), None, Some(f64::NAN)]),
        None,
        Some(vec![]),
        Some(vec![Some(2.5)]),
    ]);
    let inner: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4]));
    let record = StructArray::from(vec![(Arc::new(Field::new("n", DataType::Int64, false)), inner)]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "ts",
            Arc::new(TimestampMillisecondArray::from(vec![0, -1, 1_767_225_600_123, 5]).with_timezone("UTC")),
        ),
        (
            "ns",
            Arc::new(TimestampNanosecondArray::from(vec![
                Some(1),
                None,
                Some(1_000_000),
                Some(0),
            ])),
        ),
        (
            "value",
            Arc::new(Float64Array::from(vec![
                f64::NAN,
                f64::INFINITY,
                f64::NEG_INFINITY,
                -0.0,
            ])),
        ),
        (
            "float",
            Arc::new(Float64Array::from(vec![0.1, 1e300, 123_456_789.0, 5e-324])),
        ),
        (
            "big",
            Arc::new(Int64Array::from(vec![9_007_199_254_740_993, i64::MIN, 0, 1])),
        ),
        ("unsigned", Arc::new(UInt64Array::from(vec![u64::MAX, 0, 1, 2]))),
        ("text", Arc::new(StringViewArray::from(texts))),
        (
            "yes",
            Arc::new(BooleanArray::from(vec![Some(true), Some(false), None, None])),
        ),
        ("dict", Arc::new(dictionary)),
        (
            "labels",
            labels_array([
                vec![("job", "a\"b")],
                vec![],
                vec![("x", "1"), ("y", "2")],
                vec![],
            ]),
        ),
        ("list", Arc::new(list)),
        ("record", Arc::new(record)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .unwrap()
}

fn as_json(batches: &[RecordBatch]) -> serde_json::Value {
    let mut out = json::begin(&batch().schema());
    for (i, batch) in batches.iter().enumerate() {
        json::rows(batch, i == 0, &mut out);
    }
    out.extend_from_slice(json::END);
    serde_json::from_slice(&out).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out)))
}

#[test]
fn json_is_exact() {
    let found = as_json(&[batch()]);
    let expected = serde_json::json!([
        ["1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000000001Z", "NaN", 0.1, 9_007_199_254_740_993i64, u64::MAX,
         "plain", true, "x", {"job": "a\"b"}, [1.0, null, "NaN"], {"n": 1}],
        ["1969-12-31T23:59:59.999Z", null, "+Inf", 1e300, i64::MIN, 0,
         "a,\"b\"\r\nc", false, null, {}, null, {"n": 2}],
        ["2026-01-01T00:00:00.123Z", "1970-01-01T00:00:00.001Z", "-Inf", 123_456_789.0, 0, 1,
         null, null, "y", {"x": "1", "y": "2"}, [], {"n": 3}],
        ["1970-01-01T00:00:00.005Z", "1970-01-01T00:00:00.000Z", -0.0, 5e-324, 1, 2,
         "", null, "x", {}, [2.5], {"n": 4}],
    ]);
    assert_eq!(found["rows"], expected);
    let types: Vec<_> = found["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types[..5],
        ["TIMESTAMP", "TIMESTAMP", "DOUBLE", "DOUBLE", "BIGINT"]
    );
    assert_eq!(
        types[5..],
        [
            "BIGINT UNSIGNED",
            "VARCHAR",
            "BOOLEAN",
            "VARCHAR",
            "MAP",
            "DOUBLE[]",
            "STRUCT"
        ]
    );
}

#[test]
fn json_of_pieces_is_json_of_the_whole() {
    let batch = batch();
    let pieces = [batch.slice(0, 1), batch.slice(1, 2), batch.slice(3, 1)];
    assert_eq!(as_json(&pieces), as_json(&[batch]));
    assert_eq!(as_json(&[])["rows"], serde_json::json!([]));
}

#[test]
fn csv_quotes_what_it_must() {
    let batch = batch().project(&[0, 2, 6, 7, 9]).unwrap();
    let mut out = csv::begin(&batch.schema());
    csv::rows(&batch, &mut out);
    let expected = "ts,value,text,yes,labels\r\n\
        1970-01-01T00:00:00.000Z,NaN,plain,true,\"{\"\"job\"\":\"\"a\\\"\"b\"\"}\"\r\n\
        1969-12-31T23:59:59.999Z,+Inf,\"a,\"\"b\"\"\r\nc\",false,{}\r\n\
        2026-01-01T00:00:00.123Z,-Inf,,,\"{\"\"x\"\":\"\"1\"\",\"\"y\"\":\"\"2\"\"}\"\r\n\
        1970-01-01T00:00:00.005Z,-0.0,\"\",,{}\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn arrow_reads_back() {
    let batch = batch();
    let mut writer = IpcWriter::new(&batch.schema()).unwrap();
    let mut bytes = Vec::new();
    for i in 0..batch.num_rows() {
        writer.rows(&batch.slice(i, 1)).unwrap();
        bytes.extend(writer.take());
    }
    writer.end().unwrap();
    bytes.extend(writer.take());
    let reader = StreamReader::try_new(Cursor::new(bytes), None).unwrap();
    assert_eq!(
        reader.schema().field_with_name("text").unwrap().data_type(),
        &DataType::Utf8
    );
    let batches: Vec<_> = reader.map(Result::unwrap).collect();
    assert_eq!(batches.len(), 4);
    let bits: Vec<_> = batches
        .iter()
        .map(|batch| {
            batch.column_by_name("value").unwrap().to_data().buffers()[0].typed_data::<f64>()[0].to_bits()
        })
        .collect();
    assert_eq!(
        bits,
        [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0].map(f64::to_bits)
    );
    let empty = IpcWriter::new(&Schema::empty()).map(|mut writer| {
        writer.end().unwrap();
        writer.take()
    });
    assert!(!empty.unwrap().is_empty());
}

#[test]
fn tables_line_up_and_stay_harmless() {
    let batch = batch().project(&[2, 6]).unwrap();
    let text = render_table(&batch.schema(), &[batch]);
    assert_eq!(
        text,
        "value  text\n─────  ──────────\n  NaN  plain\n +Inf  a,\"b\"\\r\\nc\n -Inf  NULL\n -0.0\n"
    );
}
