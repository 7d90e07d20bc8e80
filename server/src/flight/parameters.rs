//! The values that a client binds: a stream with a schema and one row.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow_flight::FlightData;
use arrow_flight::sql::server::PeekableFlightDataStream;
use arrow_flight::utils::flight_data_to_batches;
use futures::TryStreamExt;
use tonic::Status;

use super::handle::{VALUES_BYTES_MAX, too_long};
use super::untrusted::{check_header, guarded};

/// Messages of the stream; a schema, dictionaries, a batch, and some that are empty.
const MESSAGES_MAX: usize = 64;

/// The row of values; `None` where the client has bound nothing.
///
/// # Errors
/// `INVALID_ARGUMENT` for a stream that is not Arrow's, or that is longer than values may be.
pub(super) async fn bound(mut stream: PeekableFlightDataStream) -> Result<Option<RecordBatch>, Status> {
    let mut bytes = 0_usize;
    let mut messages = Vec::new();
    while let Some(message) = stream.try_next().await? {
        bytes = bytes.saturating_add(message.data_body.len() + message.data_header.len());
        if bytes > VALUES_BYTES_MAX || messages.len() == MESSAGES_MAX {
            return Err(too_long());
        }
        // The first may hold the command alone.
        if !message.data_header.is_empty() {
            messages.push(message);
        }
    }
    bound_row(&messages)
}

/// The row of values in the messages of a stream; `None` where there is none.
///
/// # Errors
/// `INVALID_ARGUMENT` for messages that are not Arrow's, and for more than a row.
pub fn bound_row(messages: &[FlightData]) -> Result<Option<RecordBatch>, Status> {
    let batches = decoded(messages)
        .map_err(|error| Status::invalid_argument(format!("the bound values are not readable: {error}")))?;
    let mut batches = batches.into_iter().filter(|batch| batch.num_rows() > 0);
    match (batches.next(), batches.next()) {
        (Some(_), Some(_)) => Err(Status::invalid_argument(
            "more than one row of values is bound, a query takes one",
        )),
        (first, _) => Ok(first),
    }
}

fn decoded(messages: &[FlightData]) -> Result<Vec<RecordBatch>, ArrowError> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    messages
        .iter()
        .try_for_each(|message| check_header(&message.data_header))?;
    guarded(|| flight_data_to_batches(messages))
}
