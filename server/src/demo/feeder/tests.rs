use std::collections::BTreeMap;
use std::sync::Mutex;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use barograph_model::ManualClock;
use barograph_proto::prometheus::WriteRequest;
use prost::Message;

use super::*;

const NOW: TimestampMs = TimestampMs(1_768_397_820_000);

/// A server that remembers what it took, by series and instant, and first answers with what it is told to.
#[derive(Debug, Clone, Default)]
struct Receiver {
    samples: Arc<Mutex<BTreeMap<(String, i64), f64>>>,
    refusals: Arc<Mutex<Vec<StatusCode>>>,
    stop_after: Option<(usize, CancellationToken)>,
}

async fn write(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    assert_eq!(headers["content-encoding"], "snappy");
    if let Some(status) = receiver.refusals.lock().unwrap().pop() {
        return (status, [("retry-after", "0")], "not now").into_response();
    }
    let mut plain = vec![0; snap::raw::decompress_len(&body).unwrap()];
    snap::raw::Decoder::new().decompress(&body, &mut plain).unwrap();
    let mut samples = receiver.samples.lock().unwrap();
    for entry in WriteRequest::decode(plain.as_slice()).unwrap().timeseries {
        let name = entry
            .labels
            .iter()
            .map(|l| format!("{}={}", l.name, l.value))
            .collect::<Vec<_>>()
            .join(",");
        for sample in entry.samples {
            assert!(
                samples
                    .insert((name.clone(), sample.timestamp), sample.value)
                    .is_none(),
                "{name} sent twice"
            );
        }
    }
    if let Some((enough, stop)) = &receiver.stop_after
        && samples.len() >= *enough
    {
        stop.cancel();
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn serve(receiver: Receiver) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let router = Router::new()
        .route("/api/v1/write", axum::routing::post(write))
        .with_state(receiver);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn feeder(address: &str, clock_ms: i64) -> Feeder {
    let fleet = Arc::new(Fleet::new(3, NOW.saturating_add(-3 * 3_600_000), NOW));
    Feeder::new(fleet, address, Arc::new(ManualClock::new(TimestampMs(clock_ms)))).unwrap()
}

#[tokio::test]
async fn the_past_arrives_whole_though_the_server_is_busy_at_times() {
    let receiver = Receiver::default();
    *receiver.refusals.lock().unwrap() = vec![StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];
    let feeder = feeder(&serve(receiver.clone()).await, NOW.0);
    let fed = feeder.back_fill(60_000).await.unwrap();
    let samples = receiver.samples.lock().unwrap();
    assert_eq!(samples.len(), 180 * feeder.fleet.series().len());
    assert_eq!((fed.samples, fed.requests), (samples.len() as u64, 5));
    assert!(
        samples
            .keys()
            .all(|(_, ts)| (NOW.0 - 3 * 3_600_000..NOW.0).contains(ts))
    );
}

#[tokio::test]
async fn a_refusal_is_told_with_the_servers_words() {
    let receiver = Receiver::default();
    *receiver.refusals.lock().unwrap() = vec![StatusCode::BAD_REQUEST; 8];
    let error = feeder(&serve(receiver).await, NOW.0)
        .back_fill(60_000)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("refused the demo's samples with 400 Bad Request: not now"),
        "{error}"
    );
}

#[tokio::test]
async fn the_present_continues_the_past_and_catches_up() {
    let stop = CancellationToken::new();
    let series = feeder("127.0.0.1:1", 0).fleet.series().len();
    let receiver = Receiver {
        stop_after: Some((61 * series, stop.clone())),
        ..Receiver::default()
    };
    let feeder = feeder(&serve(receiver.clone()).await, NOW.0 + 300_000);
    feeder.live(5_000, stop).await.unwrap();
    let samples = receiver.samples.lock().unwrap();
    assert_eq!(samples.len(), 61 * series, "five minutes, both ends included");
    assert!(
        samples
            .keys()
            .all(|(_, ts)| (NOW.0..NOW.0 + 300_007).contains(ts))
    );
}
