//! `POST /api/v1/write`: Prometheus remote write 1.0 (<https://prometheus.io/docs/specs/prw/remote_write_spec/>) and
//! 2.0 (<https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/>).
//!
//! ```text
//! 204  everything is on disk
//! 400  nothing is stored: not snappy, not the message announced   or "refused ...": all but what it counts is stored
//! 408  the body did not arrive in time
//! 413  the body, or what it declares to decompress to, is over the cap
//! 415  another Content-Type or Content-Encoding
//! 503  overloaded, or the disk cannot be written; Retry-After says when to come back
//! ```
//!
//! Every answer but a 415 says in `X-Prometheus-Remote-Write-{Samples,Histograms,Exemplars}-Written` how much is on disk.
//!
//! Prometheus sends a batch again after a 5xx and drops it after a 4xx (429 too, unless it is told otherwise, which
//! is why overload is a 503 here).

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;

use super::protocol::Protocol;
use super::refusals;
use super::sink::{IngestSink, Outcome};
use crate::http::{BodyError, Refusal, discard, read_capped};
use crate::tenants::{Account, Admission, HEADER, TenantId};

/// The endpoint, ready to be merged into the program's router.
pub fn routes(sink: Arc<IngestSink>) -> Router {
    Router::new().route("/api/v1/write", post(write)).with_state(sink)
}

/// Handles one request of remote write.
pub async fn write(State(sink): State<Arc<IngestSink>>, headers: HeaderMap, body: Body) -> Response {
    let response = match TenantId::of_write(&headers) {
        Ok(id) => {
            let admission = sink.tenants().admit(&id);
            let account = Arc::clone(admission.account());
            match Protocol::negotiate(&headers) {
                Ok(protocol) => {
                    let Outcome { written, refusal } = receive(&sink, protocol, body, admission).await;
                    let mut response = match refusal {
                        None => StatusCode::NO_CONTENT.into_response(),
                        Some(refusal) => refuse(&sink, &account, refusal),
                    };
                    written.put(response.headers_mut());
                    response
                }
                Err(refusal) => {
                    discard(body);
                    refuse(&sink, &account, refusal)
                }
            }
        }
        Err(error) => {
            discard(body);
            let message = format_args!("nothing was stored: {HEADER} {error}");
            let refusal = Refusal::new(StatusCode::BAD_REQUEST, message).because("tenant");
            refuse(&sink, &sink.tenants().others(), refusal)
        }
    };
    sink.stats().replies.add(response.status());
    response
}

/// Counts a refusal of a whole request to its tenant; those of parts have been counted where they were found.
fn refuse(sink: &IngestSink, account: &Account, refusal: Refusal) -> Response {
    if refusal.reason != refusals::PARTLY {
        sink.tenants()
            .refused(account, refusal.reason, 0, &refusal.message);
    }
    tracing::debug!(
        status = refusal.status.as_u16(),
        message = refusal.message,
        "remote write refused"
    );
    refusal.into_response()
}

async fn receive(sink: &Arc<IngestSink>, protocol: Protocol, body: Body, admission: Admission) -> Outcome {
    if let Err(limit) = admission.check() {
        discard(body);
        return limit.to_refusal().into();
    }
    let mut charge = sink.charge();
    let limits = sink.limits();
    let block = read_capped(body, limits.body_bytes_max, limits.body_timeout, |bytes| {
        charge.grow(bytes)
    })
    .await;
    match block {
        Ok(block) => sink.store(protocol, block, charge, admission).await,
        Err(error) => Outcome::from(match error {
            BodyError::TooLarge { .. } => Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error),
            BodyError::NotAdmitted => refusals::overload(),
            BodyError::TimedOut { .. } => Refusal::new(StatusCode::REQUEST_TIMEOUT, error),
            BodyError::Broken { .. } => Refusal::new(StatusCode::BAD_REQUEST, error),
        }),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod v2_tests;
