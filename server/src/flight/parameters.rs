//! The values that a client binds: a stream with a schema and one row.

use arrow::array::RecordBatch;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::server::PeekableFlightDataStream;
use futures::{StreamExt, TryStreamExt};
use tonic::Status;

use super::handle::{VALUES_BYTES_MAX, too_long};

/// Messages of the stream; a schema, a batch, and some that are empty.
const MESSAGES_MAX: usize = 16;

/// The first row of values; `None` where the client has bound nothing.
///
/// # Errors
/// `INVALID_ARGUMENT` for a stream that is not Arrow's, or that is longer than values may be.
pub(super) async fn bound(stream: PeekableFlightDataStream) -> Result<Option<RecordBatch>, Status> {
    let (mut bytes, mut messages) = (0_usize, 0_usize);
    let limited = stream.map(move |message| {
        let message = message.map_err(FlightError::from)?;
        bytes = bytes.saturating_add(message.data_body.len() + message.data_header.len());
        messages += 1;
        if bytes > VALUES_BYTES_MAX || messages > MESSAGES_MAX {
            return Err(FlightError::from(too_long()));
        }
        Ok(message)
    });
    let mut batches = FlightRecordBatchStream::new_from_flight_data(limited);
    let mut found: Option<RecordBatch> = None;
    while let Some(batch) = batches.try_next().await.map_err(refused)? {
        match &found {
            _ if batch.num_rows() == 0 => {}
            None => found = Some(batch),
            Some(_) => {
                return Err(Status::invalid_argument(
                    "more than one row of values is bound, a query takes one",
                ));
            }
        }
    }
    Ok(found)
}

fn refused(error: FlightError) -> Status {
    match error {
        FlightError::Tonic(status) => *status,
        other => Status::invalid_argument(format!("the bound values are not readable: {other}")),
    }
}
