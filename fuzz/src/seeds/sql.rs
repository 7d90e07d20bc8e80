//! What clients of SQL send besides SQL.

use std::io;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int64Array, ListArray, RecordBatch, StringArray,
    TimestampMillisecondArray,
};
use arrow::datatypes::{Int32Type, Int64Type};
use arrow_flight::FlightData;
use arrow_flight::encode::{DictionaryHandling, FlightDataEncoderBuilder};
use barograph::flight::Handle;
use futures::executor::block_on;
use futures::{TryStreamExt, stream};
use prost::Message;

use super::Made;

pub(super) fn made() -> io::Result<Made> {
    let row = row().map_err(io::Error::other)?;
    let bare = Handle::new("SELECT * FROM up".to_owned());
    let bound = Handle::new("SELECT $1, $2".to_owned()).bind(&row);
    let handles = [bare, bound.map_err(io::Error::other)?];
    let messages = FlightDataEncoderBuilder::new()
        .with_dictionary_handling(DictionaryHandling::Resend)
        .build(stream::iter([Ok(row)]));
    let messages: Vec<FlightData> = block_on(messages.try_collect()).map_err(io::Error::other)?;
    let messages = messages.iter().flat_map(Message::encode_length_delimited_to_vec);
    Ok(vec![
        (
            "flight-handle",
            handles.iter().map(|handle| handle.write().to_vec()).collect(),
        ),
        ("flight-values", vec![messages.collect()]),
        ("postgres-messages", connections()),
        ("postgres-value", values()),
    ])
}

/// A row of values of many types.
fn row() -> Result<RecordBatch, arrow::error::ArrowError> {
    let columns: [(&str, ArrayRef); 7] = [
        ("1", Arc::new(StringArray::from(vec!["node"]))),
        ("2", Arc::new(Float64Array::from(vec![1.5]))),
        ("3", Arc::new(Int64Array::from(vec![None]))),
        (
            "4",
            Arc::new(TimestampMillisecondArray::from(vec![1_795_386_800_000]).with_timezone("UTC")),
        ),
        ("5", Arc::new(BooleanArray::from(vec![true]))),
        (
            "6",
            Arc::new(DictionaryArray::<Int32Type>::from_iter([Some("in a dictionary")])),
        ),
        (
            "7",
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some([
                Some(1),
                None,
            ])])),
        ),
    ];
    RecordBatch::try_from_iter(columns)
}

/// Connections from their first byte: of a simple query, of a prepared statement, of a login, of a cancel request.
fn connections() -> Vec<Vec<u8>> {
    let parameters = b"\0\x03\0\0user\0me\0database\0x\0\0";
    let startup = [length(parameters.len()), parameters.to_vec()].concat();
    let prepared = [
        message(b'P', b"s\0SELECT $1, $2\0\0\x02\0\0\0\x14\0\0\0\0"),
        message(
            b'B',
            b"\0s\0\0\x02\0\x01\0\0\0\x02\0\0\0\x08\0\0\0\0\0\0\0\x05\xff\xff\xff\xff\0\x01\0\x01",
        ),
        message(b'D', b"P\0"),
        message(b'E', b"\0\0\0\0\x0a"),
        message(b'C', b"Ss\0"),
        message(b'H', b""),
        message(b'S', b""),
    ];
    let login = [
        message(b'p', b"SCRAM-SHA-256\0\0\0\0\x0cn,,n=,r=abcd"),
        message(b'p', b"c=biws,r=abcd,p=eA=="),
    ];
    vec![
        [
            startup.clone(),
            message(b'Q', b"SELECT 1; SELECT 2\0"),
            message(b'X', b""),
        ]
        .concat(),
        [startup.clone(), prepared.concat()].concat(),
        [startup, login.concat()].concat(),
        [length(12), b"\x04\xd2\x16\x2e\0\0\0\x01\0\0\0\x02".to_vec()].concat(),
    ]
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [vec![kind], length(body.len()), body.to_vec()].concat()
}

/// A length, which counts itself.
fn length(body: usize) -> Vec<u8> {
    (body as u32 + 4).to_be_bytes().to_vec()
}

/// Places in the lists of types, and a value.
fn values() -> Vec<Vec<u8>> {
    let seed = |kind: u8, known: u8, value: &[u8]| [&[kind, known], value].concat();
    vec![
        seed(0, 0, &5_i64.to_be_bytes()),
        seed(1, 2, b"it''s"),
        seed(2, 3, &1.5_f64.to_be_bytes()),
        seed(3, 4, &(1_i64 << 40).to_be_bytes()),
        seed(3, 4, b"2026-11-22 22:33:20+01"),
        seed(5, 6, b"1 day 02:03:04"),
        seed(5, 6, b"\0\0\0\x01\0\0\0\x01\0\0\0\x02\0\0\0\x03"),
        seed(6, 8, b"-12.34"),
        seed(6, 9, b"\0\x02\0\0\0\0\0\x02\0\x0c\x0d\x48"),
        seed(17, 0, b"{a,\"b,c\",NULL}"),
        seed(
            18,
            13,
            b"\0\0\0\x01\0\0\0\0\0\0\0\x14\0\0\0\x01\0\0\0\x01\0\0\0\x08\0\0\0\0\0\0\0\x07",
        ),
        seed(23, 0, b"{x}"),
    ]
}
