//! `/api/v1/admin/tsdb/`: snapshots and deletes, with the paths, parameters and answers of Prometheus.
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
use barograph_model::{Clock, Matcher, TimeRange, TimestampMs};
use barograph_query::parse_selector;
use barograph_query::sql::Views;
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
    /// The views, which a snapshot holds as well.
    pub views: Arc<Views>,
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
        .route(
            "/api/v1/admin/tsdb/delete_series",
            post(delete_series).put(delete_series),
        )
        .route(
            "/api/v1/admin/tsdb/clean_tombstones",
            post(clean_tombstones).put(clean_tombstones),
        )
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
        let report = admin.engine.snapshot_to(&name, head, &mut |folder| {
            admin.hub.snapshot_into(folder)?;
            admin.views.snapshot_into(folder)
        })?;
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

async fn delete_series(State(admin): State<Administration>, uri: Uri, form: String) -> Response {
    if !admin.is_enabled {
        return disabled();
    }
    let deletes = match parameters(&uri, &form).and_then(|pairs| Deletes::of(&pairs)) {
        Ok(deletes) => deletes,
        Err(message) => return failure(StatusCode::BAD_REQUEST, "bad_data", &message),
    };
    let deleting = tokio::task::spawn_blocking(move || {
        for (text, matchers) in &deletes.selectors {
            let report = admin.engine.delete(matchers, deletes.range)?;
            tracing::info!(
                selector = text,
                start = deletes.range.start.0,
                end = deletes.range.end.0,
                series = report.series,
                segments = report.segments,
                samples_max = report.samples_max,
                "deleted samples"
            );
        }
        Ok(())
    });
    answer("delete series", deleting.await)
}

async fn clean_tombstones(State(admin): State<Administration>) -> Response {
    if !admin.is_enabled {
        return disabled();
    }
    let cleaning = tokio::task::spawn_blocking(move || admin.engine.clean_tombstones().map(drop));
    answer("clean tombstones", cleaning.await)
}

/// 204, or why it failed: 503 where the same may succeed later.
fn answer(what: &str, done: Result<Result<(), EngineError>, tokio::task::JoinError>) -> Response {
    match done {
        Ok(Ok(())) => StatusCode::NO_CONTENT.into_response(),
        Ok(Err(error @ (EngineError::Overloaded { .. } | EngineError::Closing))) => failure(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            &format!("{what}: {error}"),
        ),
        Ok(Err(error)) => failure(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            &format!("{what}: {error}"),
        ),
        Err(_) => failure(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            &format!("{what}: it did not finish; see the log"),
        ),
    }
}

/// What is to be deleted.
#[derive(Debug)]
struct Deletes {
    /// Each `match[]` with what it means.
    selectors: Vec<(String, Vec<Matcher>)>,
    range: TimeRange,
}

impl Deletes {
    fn of(pairs: &[(String, String)]) -> Result<Self, String> {
        let mut selectors = Vec::new();
        for (_, text) in pairs.iter().filter(|(name, _)| name == "match[]") {
            let matchers =
                parse_selector(text).map_err(|error| format!("invalid parameter \"match[]\": {error}"))?;
            selectors.push((text.clone(), matchers));
        }
        if selectors.is_empty() {
            return Err("no match[] parameter provided".to_owned());
        }
        let time = |name: &str, default: TimestampMs| match pairs.iter().find(|(given, _)| given == name) {
            Some((_, text)) => time_of(text).ok_or_else(|| {
                format!("invalid parameter {name:?}: cannot parse {text:?} to a valid timestamp")
            }),
            None => Ok(default),
        };
        let range = TimeRange {
            start: time("start", TimeRange::ALL.start)?,
            end: time("end", TimeRange::ALL.end)?,
        };
        if range.end < range.start {
            return Err("invalid parameter \"end\": it is before the start".to_owned());
        }
        Ok(Self { selectors, range })
    }
}

/// Seconds since the epoch, with a fraction perhaps, or RFC 3339.
fn time_of(text: &str) -> Option<TimestampMs> {
    if let Ok(seconds) = text.parse::<f64>() {
        let ms = (seconds * 1000.0).round();
        // Beyond 2^53 a double does not hold every integer.
        return (ms.is_finite() && ms.abs() < 9.0e15).then_some(TimestampMs(ms as i64));
    }
    let instant = DateTime::parse_from_rfc3339(text).ok()?;
    Some(TimestampMs(instant.timestamp_millis()))
}

/// A name that sorts by time and that no other snapshot has: `20261125T222717Z-4d1f0c2b9a887766`.
pub(crate) fn snapshot_name(clock: &dyn Clock) -> String {
    stamped_name(clock.now(), "%Y%m%dT%H%M%SZ")
}

/// A moment in some format, and behind it a number that no other name has.
pub(crate) fn stamped_name(moment: TimestampMs, format: &str) -> String {
    let moment = DateTime::from_timestamp_millis(moment.0).unwrap_or_default();
    // From the operating system's randomness, by way of the standard hasher; 63 bits, as in Prometheus.
    let drawn = RandomState::new().build_hasher().finish() >> 1;
    format!("{}-{drawn:016x}", moment.format(format))
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
    use barograph_model::ManualClock;

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
        let uri: Uri = "/x?skip_head=true&match%5B%5D=up%7Bjob%3D%22a%22%7D"
            .parse()
            .unwrap();
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
        let deletes = Deletes::of(&[("match[]".to_owned(), "up{job=\"a\"}".to_owned())]).unwrap();
        assert_eq!((deletes.selectors.len(), deletes.range), (1, TimeRange::ALL));
        let wrong = [("skip_head".to_owned(), "yes".to_owned())];
        assert!(head_of(&wrong).unwrap_err().contains("\"yes\""));
    }

    #[test]
    fn what_is_deleted_must_be_said_exactly() {
        let deletes = |text: &str| {
            let uri: Uri = format!("/x?{text}").parse().unwrap();
            parameters(&uri, "").and_then(|pairs| Deletes::of(&pairs))
        };
        let found = deletes("match[]=up&match[]=down&start=1.5&end=2024-05-01T10:00:00Z").unwrap();
        assert_eq!(found.selectors.len(), 2);
        assert_eq!(
            (found.range.start.0, found.range.end.0),
            (1500, 1_714_557_600_000)
        );
        for (text, expected) in [
            ("start=1", "no match[] parameter"),
            ("match[]=up[5m]", "match[]"),
            ("match[]=%7Bjob%3D~%22.*%22%7D", "match[]"),
            ("match[]=up&start=yesterday", "\"yesterday\""),
            ("match[]=up&start=2&end=1", "before the start"),
            ("match[]=up&end=NaN", "\"NaN\""),
        ] {
            let message = deletes(text).unwrap_err();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }
}
