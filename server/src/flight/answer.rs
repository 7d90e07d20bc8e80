//! Rows on their way out.

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::server::FlightSqlService;
use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, Ticket};
use barograph_query::sql::{PlainTexts, SqlStream};
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use tokio_util::sync::CancellationToken;
use tonic::{Response, Status};

use super::error::{arrow_status, engine_status};
use super::service::FlightSql;

/// The stream of rows that a call answers with.
pub(super) type Rows = <<FlightSql as FlightSqlService>::FlightService as FlightService>::DoGetStream;

/// Where the rows of a statement are to be fetched, and what they look like.
pub(super) fn info(
    schema: &Schema,
    ticket: Bytes,
    descriptor: FlightDescriptor,
) -> Result<Response<FlightInfo>, Status> {
    let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(ticket));
    let info = FlightInfo::new()
        .try_with_schema(schema)
        .map_err(|error| arrow_status(&error))?
        .with_endpoint(endpoint)
        .with_descriptor(descriptor)
        // They are not counted before they are computed.
        .with_total_records(-1)
        .with_total_bytes(-1)
        .with_ordered(true);
    Ok(Response::new(info))
}

/// Rows as they are computed. Dropping the answer ends the query.
pub(super) fn rows(stream: SqlStream, stop: CancellationToken) -> Response<Rows> {
    let texts = PlainTexts::new(&stream.schema());
    let schema = texts.schema();
    let batches = futures::stream::unfold(Some(stream), move |stream| {
        let stop = stop.clone();
        async move {
            let mut stream = stream?;
            tokio::select! {
                batch = stream.next() => batch.map(|batch| (batch.map_err(|error| engine_status(&error)), Some(stream))),
                // Half an answer does not look whole.
                () = stop.cancelled() => Some((Err(Status::unavailable("the server stops")), None)),
            }
        }
    });
    let plain = move |batch: Result<RecordBatch, Status>| texts.batch(&batch?).map_err(FlightError::from);
    encoded(schema, batches.map(plain))
}

/// A table that is known whole.
pub(super) fn table(batch: RecordBatch) -> Response<Rows> {
    encoded(batch.schema(), futures::stream::iter([Ok(batch)]))
}

fn encoded(
    schema: SchemaRef,
    batches: impl Stream<Item = Result<RecordBatch, FlightError>> + Send + 'static,
) -> Response<Rows> {
    let stream = FlightDataEncoderBuilder::new().with_schema(schema).build(batches);
    Response::new(Box::pin(stream.map_err(Status::from)))
}
