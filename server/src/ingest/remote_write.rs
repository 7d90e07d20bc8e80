//! `POST /api/v1/write`: Prometheus remote write 1.0
//! (<https://prometheus.io/docs/specs/prw/remote_write_spec/>).
//!
//! ```text
//! 204  every sample is on disk
//! 400  nothing is stored: not snappy, not a WriteRequest          or "refused ...": all but what it counts is stored
//! 408  the body did not arrive in time
//! 413  the body, or what it declares to decompress to, is over the cap
//! 415  another Content-Type or Content-Encoding, remote write 2.0 among them
//! 503  overloaded, or the disk cannot be written; Retry-After says when to come back
//! ```
//!
//! Prometheus sends a batch again after a 5xx and drops it after a 4xx (429 too, unless it is told otherwise, which
//! is why overload is a 503 here).

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;

use super::sink::{IngestSink, PARTLY, refuse_overload};
use crate::http::{BodyError, MediaType, Refusal, discard, read_capped};
use crate::tenants::{Account, Admission, HEADER, TenantId};

/// The message of remote write 1.0 by its full name.
const MESSAGE: &str = "prometheus.WriteRequest";

/// The endpoint, ready to be merged into the program's router.
pub fn routes(sink: Arc<IngestSink>) -> Router {
    Router::new().route("/api/v1/write", post(write)).with_state(sink)
}

/// Handles one request of remote write.
pub async fn write(State(sink): State<Arc<IngestSink>>, headers: HeaderMap, body: Body) -> Response {
    let outcome = match TenantId::of_write(&headers) {
        Ok(id) => {
            let admission = sink.tenants().admit(&id);
            let account = Arc::clone(admission.account());
            let outcome = receive(&sink, &headers, body, admission).await;
            outcome.inspect_err(|refusal| count(&sink, &account, refusal))
        }
        Err(error) => {
            discard(body);
            let message = format_args!("nothing was stored: {HEADER} {error}");
            let refusal = Refusal::new(StatusCode::BAD_REQUEST, message).because("tenant");
            count(&sink, &sink.tenants().others(), &refusal);
            Err(refusal)
        }
    };
    let response = match outcome {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => {
            tracing::debug!(
                status = refusal.status.as_u16(),
                message = refusal.message,
                "remote write refused"
            );
            refusal.into_response()
        }
    };
    sink.stats().replies.add(response.status());
    response
}

/// Counts a refusal of a whole request to its tenant; those of parts have been counted where they were found.
fn count(sink: &IngestSink, account: &Account, refusal: &Refusal) {
    if refusal.reason != PARTLY {
        sink.tenants()
            .refused(account, refusal.reason, 0, &refusal.message);
    }
}

async fn receive(
    sink: &Arc<IngestSink>,
    headers: &HeaderMap,
    body: Body,
    admission: Admission,
) -> Result<(), Refusal> {
    let admitted = admission.check().map_err(|limit| limit.to_refusal());
    if let Err(refusal) = check_headers(headers).and(admitted) {
        discard(body);
        return Err(refusal);
    }
    let mut charge = sink.charge();
    let limits = sink.limits();
    let block = read_capped(body, limits.body_bytes_max, limits.body_timeout, |bytes| {
        charge.grow(bytes)
    })
    .await
    .map_err(|error| match error {
        BodyError::TooLarge { .. } => Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error),
        BodyError::NotAdmitted => refuse_overload(),
        BodyError::TimedOut { .. } => Refusal::new(StatusCode::REQUEST_TIMEOUT, error),
        BodyError::Broken { .. } => Refusal::new(StatusCode::BAD_REQUEST, error),
    })?;
    sink.store(block, charge, admission).await
}

/// Checks what the body is said to be. Senders older than the specification leave either header out, and mean this.
fn check_headers(headers: &HeaderMap) -> Result<(), Refusal> {
    let refuse = |message: String| Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    if let Some(given) = headers.get(header::CONTENT_TYPE) {
        let given = String::from_utf8_lossy(given.as_bytes());
        let media = MediaType::parse(&given);
        if !media.is("application/x-protobuf") {
            return refuse(format!(
                "Content-Type {given:?} is not accepted (send application/x-protobuf)"
            ));
        }
        if let Some(proto) = media.parameter("proto").filter(|&proto| proto != MESSAGE) {
            return refuse(format!(
                "Content-Type asks for {proto:?}; only remote write 1.0 is accepted (set protobuf_message: {MESSAGE} in the sender)"
            ));
        }
    }
    if let Some(given) = headers.get(header::CONTENT_ENCODING)
        && !given.as_bytes().eq_ignore_ascii_case(b"snappy")
    {
        let given = String::from_utf8_lossy(given.as_bytes());
        return refuse(format!(
            "Content-Encoding {given:?} is not accepted (send snappy, in its block format)"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
