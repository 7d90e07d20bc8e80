//! What clients of Flight SQL send besides SQL: handles, and the values that they bind.

use arrow_flight::FlightData;
use barograph::flight::{Handle, bound_row};
use barograph_query::sql::ScalarValue;
use bytes::Bytes;
use prost::Message;

/// Messages that a client may send.
const MESSAGES_MAX: usize = 64;

/// A handle that is read is written as it was; one that is none says so.
pub(crate) fn handle(bytes: &[u8]) {
    let handle = match Handle::read(Bytes::copy_from_slice(bytes)) {
        Ok(handle) => handle,
        Err(status) => return assert!(status.message().contains("handle"), "{status}"),
    };
    let again = Handle::read(handle.write()).ok();
    assert_eq!(again.as_ref(), Some(&handle));
    match (handle.request(), again.map(|handle| handle.request())) {
        (Ok(request), Some(Ok(again))) => {
            assert_eq!((request.sql, request.parameters), (again.sql, again.parameters));
        }
        (Err(status), Some(Err(_))) => assert!(status.message().contains("handle"), "{status}"),
        (one, other) => panic!("{one:?} and {other:?}"),
    }
}

/// Values that are bound come back from the handle as they were.
pub(crate) fn values(mut bytes: &[u8]) {
    let mut messages = Vec::new();
    while !bytes.is_empty() && messages.len() < MESSAGES_MAX {
        let Ok(message) = FlightData::decode_length_delimited(&mut bytes) else {
            break;
        };
        messages.push(message);
    }
    let row = match bound_row(&messages) {
        Ok(Some(row)) => row,
        Ok(None) => return,
        Err(status) => return assert!(status.message().contains("bound"), "{status}"),
    };
    let Ok(handle) = Handle::new("SELECT $1".to_owned()).bind(&row) else {
        return;
    };
    let request = match Handle::read(handle.write()).and_then(|handle| handle.request()) {
        Ok(request) => request,
        Err(status) => panic!("what was bound is not read: {status}: {row:?}"),
    };
    let bound = row
        .columns()
        .iter()
        .map(|column| ScalarValue::try_from_array(column, 0).ok());
    let bound: Option<Vec<ScalarValue>> = bound.collect();
    assert_eq!(Some(request.parameters), bound);
}
