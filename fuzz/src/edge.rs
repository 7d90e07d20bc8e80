//! The edge of remote write over a store on a simulated disk.

use std::cell::RefCell;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use barograph::ingest::{IngestLimits, IngestSink, routes};
use barograph::tenants::Tenants;
use barograph_engine::vfs::SimVfs;
use barograph_engine::{Engine, Options};
use barograph_model::{Clock, ManualClock, TimestampMs};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

/// What the clock says: 2026-11-22T22:33:20Z.
pub(crate) const NOW_MS: i64 = 1_795_386_800_000;

/// Bodies after which a new store is made, so that neither memory nor the past of a failure grows.
const BODIES_OF_STORE: u32 = 500;

/// The longest answer: a message with the first offender in it.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Which message is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Protocol {
    One,
    Two,
}

struct Edge {
    router: Router,
    runtime: Runtime,
    bodies: u32,
}

thread_local! {
    static EDGE: RefCell<Option<Edge>> = const { RefCell::new(None) };
}

/// Sends a message.
pub(crate) fn post(protocol: Protocol, message: &[u8]) {
    let compressed = snap::raw::Encoder::new()
        .compress_vec(message)
        .unwrap_or_default();
    send(protocol, compressed);
}

/// Sends a body as it is.
pub(crate) fn post_compressed(body: &[u8]) {
    send(Protocol::One, body.to_vec());
}

#[allow(
    clippy::expect_used,
    reason = "a store in memory opens, or the target has found a bug"
)]
fn send(protocol: Protocol, body: Vec<u8>) {
    let content_type = match protocol {
        Protocol::One => "application/x-protobuf",
        Protocol::Two => "application/x-protobuf;proto=io.prometheus.write.v2.Request",
    };
    let request = Request::post("/api/v1/write")
        .header("content-type", content_type)
        .header("content-encoding", "snappy")
        .body(Body::from(body))
        .expect("these headers are right");
    EDGE.with_borrow_mut(|slot| {
        if slot.as_ref().is_none_or(|edge| edge.bodies == BODIES_OF_STORE) {
            *slot = Some(Edge::new());
        }
        let Some(edge) = slot else { return };
        edge.bodies += 1;
        let router = edge.router.clone();
        let (status, length) = edge.runtime.block_on(async move {
            let answer = router.oneshot(request).await.expect("the edge always answers");
            let status = answer.status();
            let text = to_bytes(answer.into_body(), ANSWER_BYTES_MAX).await;
            (status, text.expect("the answer is short").len())
        });
        // 503 would mean that the store has failed, 500 that something was not foreseen.
        assert!(!status.is_server_error(), "{status} for a body");
        assert!(
            status == StatusCode::NO_CONTENT || length > 0,
            "{status} without a reason"
        );
    });
}

impl Edge {
    #[allow(
        clippy::expect_used,
        reason = "a store in memory opens, or the target has found a bug"
    )]
    fn new() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(TimestampMs(NOW_MS)));
        let options = Options {
            wal_file_bytes: 1 << 20,
            background: false,
            ..Options::default()
        };
        let engine = Engine::open(Arc::new(SimVfs::new(7)), Arc::clone(&clock), options).expect("a new store opens");
        let tenants = Tenants::unlimited(Arc::clone(&clock));
        let sink = IngestSink::new(engine, IngestLimits::default(), tenants).expect("the edge starts");
        Self {
            router: routes(sink),
            runtime: Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime starts"),
            bodies: 0,
        }
    }
}
