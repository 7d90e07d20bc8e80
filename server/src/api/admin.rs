//! `/api/v1/admin/tsdb/`: snapshots, with the paths, parameters and answers of Prometheus.
//!
//! Off unless it was asked for, because whoever reaches it can fill the disk and delete data.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use barograph_engine::backup::Head;
use barograph_engine::{Engine, EngineError};
use barograph_model::Clock;
use chrono::DateTime;
use serde_json::json;

use crate::alerting::AlertHub;

/// Bytes of a form in a request's body.
const FORM_BYTES_MAX: usize = 256 << 10;

/// A header of the answer to a snapshot: its folder on the server's machine. Prometheus' answer has the name only.
pub const SNAPSHOT_DIR_HEADER: &str = "x-barograph-snapshot-dir";

/// What administration works on.
#[derive(Clone)]
pub struct Administration {
    /// Whether it was asked for.
    pub is_enabled: bool,
    /// The store.
    pub engine: Arc<Engine>,
    /// Alert state, which is part of a snapshot.
    pub hub: Arc<AlertHub>,
    /// The time in the names of snapshots.
    pub clock: Arc<dyn Clock>,
}

impl fmt::Debug for Administration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Administration")
            .field("is_enabled", &self.is_enabled)
            .finish_non_exhaustive()
    }
}

/// The routes of administration; all of them answer 403 unless it is enabled.
pub fn admin_routes(administration: Administration) -> Router {
    Router::new()
        .route("/api/v1/admin/tsdb/snapshot", post(snapshot).put(snapshot))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .with_state(administration)
}

async fn snapshot(State(admin): State<Administration>, uri: Uri, form: String) -> Response {
    if !admin.is_enabled {
        return disabled();
    }
    let head = match parameters(&uri, &form).and_then(|pairs| head_of(&pairs)) {
        Ok(head) => head,
        Err(message) => return failure(StatusCode::BAD_REQUEST, "bad_data", &message),
    };
    let name = snapshot_name(admin.clock.as_ref());
    let taking = tokio::task::spawn_blocking(move || {
        let report = admin
            .engine
            .snapshot_to(&name, head, &mut |folder| admin.hub.snapshot_into(folder))?;
        Ok::<_, EngineError>((admin.engine.vfs().root().join(&report.dir), report))
    });
    match taking.await {
        Ok(Ok((dir, report))) => {
            tracing::info!(
                name = report.name,
                segments = report.segments,
                rows = report.rows,
                "took a snapshot"
            );
            let body = json!({ "status": "success", "data": { "name": report.name } });
            let mut response = axum::Json(body).into_response();
            let dir = std::path::absolute(&dir).unwrap_or(dir);
            if let Ok(dir) = HeaderValue::from_bytes(dir.as_os_str().as_encoded_bytes()) {
                response.headers_mut().insert(SNAPSHOT_DIR_HEADER, dir);
            }
            response
        }
        Ok(Err(error)) => failure(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            &format!("create snapshot: {error}"),
        ),
        Err(_) => failure(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "create snapshot: it did not finish; see the log",
        ),
    }
}

/// A name that sorts by time and that no other snapshot has: `20261125T222717Z-4d1f0c2b9a887766`.
pub(crate) fn snapshot_name(clock: &dyn Clock) -> String {
    let stamp = DateTime::from_timestamp_millis(clock.now().0)
        .unwrap_or_default()
        .format("%Y%m%dT%H%M%SZ");
    // From the operating system's randomness, by way of the standard hasher; 63 bits, as in Prometheus.
    let drawn = RandomState::new().build_hasher().finish() >> 1;
    format!("{stamp}-{drawn:016x}")
}

fn head_of(pairs: &[(String, String)]) -> Result<Head, String> {
    let skip = pairs.iter().find(|(name, _)| name == "skip_head");
    match skip.map_or("", |(_, value)| value.as_str()) {
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Head::Flush),
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Head::Skip),
        other => Err(format!(
            "invalid parameter \"skip_head\": {other:?} is neither true nor false"
        )),
    }
}

/// The parameters of a request, from its address and from the form in its body, in this order.
fn parameters(uri: &Uri, form: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    for text in [uri.query().unwrap_or_default(), form.trim()] {
        let parsed = format!("/?{text}")
            .parse::<Uri>()
            .map_err(|error| error.to_string())
            .and_then(|uri| {
                Query::<Vec<(String, String)>>::try_from_uri(&uri).map_err(|error| error.to_string())
            });
        match parsed {
            Ok(Query(mut parsed)) => pairs.append(&mut parsed),
            Err(reason) => return Err(format!("the parameters are not name=value pairs: {reason}")),
        }
    }
    Ok(pairs)
}

fn disabled() -> Response {
    failure(
        StatusCode::FORBIDDEN,
        "unavailable",
        "admin APIs disabled: start barograph with --enable-admin-api, or set admin_api = true in [http]",
    )
}

fn failure(status: StatusCode, kind: &str, message: &str) -> Response {
    let body = json!({ "status": "error", "errorType": kind, "error": message });
    (status, axum::Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use barograph_model::{ManualClock, TimestampMs};

    use super::*;

    #[test]
    fn names_sort_by_time_and_differ() {
        let clock = ManualClock::new(TimestampMs(1_795_645_637_000));
        let (a, b) = (snapshot_name(&clock), snapshot_name(&clock));
        assert!(a.starts_with("20261125T222717Z-") && a.len() == 33, "{a}");
        assert_ne!(a, b);
    }

    #[test]
    fn parameters_come_from_the_address_and_the_form() {
        let uri: Uri = "/x?skip_head=true&match%5B%5D=up%7Bjob%3D%22a%22%7D".parse().unwrap();
        let pairs = parameters(&uri, "match[]=a+b&start=1\n").unwrap();
        let expected = [
            ("skip_head", "true"),
            ("match[]", "up{job=\"a\"}"),
            ("match[]", "a b"),
            ("start", "1"),
        ];
        assert_eq!(pairs, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
        assert_eq!(head_of(&pairs), Ok(Head::Skip));
        assert_eq!(head_of(&[]), Ok(Head::Flush));
        let wrong = [("skip_head".to_owned(), "yes".to_owned())];
        assert!(head_of(&wrong).unwrap_err().contains("\"yes\""));
    }
}
