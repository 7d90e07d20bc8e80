//! Prometheus' API over a store on a simulated disk: forms, and remote read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use barograph::alerting::{ALERTS_DIR, AlertHub};
use barograph::api::{PrometheusSource, ReadPlaces, prometheus_routes};
use barograph::cli::import::read_answer;
use barograph_alerts::RuleSet;
use barograph_engine::vfs::{SimVfs, Vfs};
use barograph_engine::{Engine, Options, SampleColumns};
use barograph_model::{Clock, Labels, ManualClock, TimestampMs, stale_nan};
use barograph_query::promql::{PromqlEngine, PromqlLimits};
use serde::Deserialize;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tower::ServiceExt;

use crate::edge::NOW_MS;

/// What takes a form; the first byte of an input says which of them.
pub(crate) const PATHS: [&str; 7] = [
    "query",
    "query_range",
    "labels",
    "series",
    "query_exemplars",
    "parse_query",
    "format_query",
];

/// The longest answer: eleven thousand instants of a handful of series.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// How long an expression may take that asks for much.
const TIMEOUT: Duration = Duration::from_secs(1);

/// What every answer begins with; the rest may be nested deeper than a reader of JSON goes.
#[derive(Deserialize)]
struct Envelope {
    status: String,
    #[serde(rename = "errorType", default)]
    kind: String,
    #[serde(default)]
    error: String,
}

struct Api {
    router: Router,
    runtime: Runtime,
}

thread_local! {
    static API: Api = Api::new();
}

/// Sends a form. The answer is one of Prometheus', and never that something was not foreseen.
pub(crate) fn form(bytes: &[u8]) {
    let Some((path, form)) = bytes.split_first() else {
        return;
    };
    let path = PATHS[usize::from(*path) % PATHS.len()];
    let (status, _, body) = ask(
        &format!("/api/v1/{path}"),
        "application/x-www-form-urlencoded",
        form.to_vec(),
    );
    let envelope: Envelope = match serde_json::from_slice(&body) {
        Ok(envelope) => envelope,
        Err(error) => panic!("{path} answers {status} with what is no envelope: {error}"),
    };
    match envelope.status.as_str() {
        "success" => assert_eq!(status, StatusCode::OK, "{path}"),
        "error" => assert!(
            !status.is_success() && envelope.kind != "internal" && !envelope.error.is_empty(),
            "{path} answers {status}, {:?}: {:?}",
            envelope.kind,
            envelope.error
        ),
        other => panic!("{path} answers {other:?}"),
    }
}

/// Sends a message of remote read. What comes back is read as an import reads it, or frame by frame.
pub(crate) fn remote_read(message: &[u8]) {
    let compressed = snap::raw::Encoder::new()
        .compress_vec(message)
        .unwrap_or_default();
    let (status, headers, body) = ask("/api/v1/read", "application/x-protobuf", compressed);
    if status != StatusCode::OK {
        let text = String::from_utf8_lossy(&body);
        assert!(text.len() > 1, "{status} without a reason");
        // What the client does not take is the one error that counts as the server's, as in Prometheus.
        assert!(
            !status.is_server_error() || text.contains("response type"),
            "{status}: {text}"
        );
        return;
    }
    let content_type = headers
        .get("content-type")
        .map_or(&b""[..], |value| value.as_bytes());
    if content_type.starts_with(b"application/x-streamed-protobuf") {
        frames(&body);
    } else if let Err(what) = read_answer(&body) {
        panic!("{what}");
    }
}

/// `length: uvarint | crc32c: u32, big endian | message`, to the end.
fn frames(mut rest: &[u8]) {
    while !rest.is_empty() {
        let length = prost::decode_length_delimiter(rest).unwrap_or(usize::MAX);
        let frame = rest
            .get(prost::length_delimiter_len(length)..)
            .unwrap_or_default();
        let parts = frame.split_first_chunk::<4>().and_then(|(crc, frame)| {
            let (message, behind) = frame.split_at_checked(length)?;
            Some((u32::from_be_bytes(*crc), message, behind))
        });
        let Some((crc, message, behind)) = parts else {
            panic!("a frame ends early");
        };
        assert_eq!(crc, crc32c::crc32c(message));
        rest = behind;
    }
}

#[allow(
    clippy::expect_used,
    reason = "the API always answers, or the target has found a bug"
)]
fn ask(path: &str, content_type: &str, body: Vec<u8>) -> (StatusCode, HeaderMap, Bytes) {
    let request = Request::post(path)
        .header("content-type", content_type)
        .body(Body::from(body))
        .expect("these headers are right");
    API.with(|api| {
        api.runtime.block_on(async {
            let answer = api
                .router
                .clone()
                .oneshot(request)
                .await
                .expect("the API answers");
            let (status, headers) = (answer.status(), answer.headers().clone());
            let body = to_bytes(answer.into_body(), ANSWER_BYTES_MAX).await;
            (status, headers, body.expect("an answer comes to its end"))
        })
    })
}

impl Api {
    #[allow(clippy::expect_used, reason = "all of it lies in memory")]
    fn new() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(TimestampMs(NOW_MS)));
        let disk: Arc<dyn Vfs> = Arc::new(SimVfs::new(7));
        let options = Options {
            background: false,
            ..Options::default()
        };
        let engine = Engine::open(Arc::clone(&disk), Arc::clone(&clock), options).expect("a new store opens");
        fill(&engine);
        let limits = PromqlLimits {
            timeout: TIMEOUT,
            samples_max: 200_000,
            threads: 1,
            ..PromqlLimits::default()
        };
        let promql = PromqlEngine::new(Arc::new(Arc::clone(&engine)), limits, Arc::clone(&clock), None)
            .expect("threads start");
        let hub = AlertHub::open(disk, ALERTS_DIR, barograph_alerts::Options::default())
            .expect("a new journal opens");
        let rules = RuleSet::parse("none.yml", "groups: []\n").expect("no rules are rules");
        let router = prometheus_routes(PrometheusSource {
            promql: Arc::new(promql),
            engine,
            hub,
            rules: watch::channel(Arc::new(rules)).1,
            clock,
            started_at: TimestampMs(NOW_MS),
            config_yaml: String::new(),
            flags: BTreeMap::new(),
            read_places: ReadPlaces::default(),
        });
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime starts");
        Self { router, runtime }
    }
}

/// Two metrics of three targets over an hour, with gaps and staleness markers.
#[allow(clippy::expect_used, reason = "all of it lies in memory")]
fn fill(engine: &Engine) {
    let head = engine.head();
    let mut columns = SampleColumns::new(&head);
    for (metric, step_ms) in [("up", 15_000), ("http_requests_total", 60_000)] {
        for target in ["a", "b", "c"] {
            let pairs = [("__name__", metric), ("instance", target), ("job", "node")];
            let series = head.series(&Labels::from_pairs(pairs).expect("these are labels"));
            for i in 0..3_600_000 / step_ms {
                let value = match i % 50 {
                    49 => stale_nan(),
                    _ => (i % 40) as f64,
                };
                columns.push(series, NOW_MS - i * step_ms, value);
            }
        }
    }
    engine.append_blocking(columns).expect("the disk takes it");
}
