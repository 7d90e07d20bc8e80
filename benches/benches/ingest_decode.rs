//! Remote write without the network: from a pre-encoded body to the acknowledgement after the sync, over a store on
//! disk. 100,000 series with ten labels each, one sample a series, 5,000 samples a request.
//!
//! `one` posts a request and waits, so it shows the latency of a commit; `eight` keeps eight on their way, so it shows
//! what decoding, lookup and log can do together.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use barograph::ingest::{IngestLimits, IngestSink, routes};
use barograph_engine::vfs::DiskVfs;
use barograph_engine::{Engine, Options};
use barograph_model::{Clock, SystemClock};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use prost::Message;
use tower::ServiceExt;

const SERIES: usize = 100_000;
const SAMPLES_PER_REQUEST: usize = 5_000;
const SCRAPES: usize = 20;

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

/// A series of a node in a fleet, as a node exporter would name it.
fn series(i: usize, ts: i64) -> TimeSeries {
    let labels = [
        ("__name__", format!("node_metric_{}_seconds_total", i % 500)),
        ("cluster", "eu-west-1-prod".to_owned()),
        ("cpu", (i % 64).to_string()),
        ("device", format!("nvme{}n1", i % 9)),
        ("env", "production".to_owned()),
        ("host", format!("host-{:05}.example.internal", i % 1000)),
        ("instance", format!("10.{}.{}.{}:9100", i % 7, i % 251, i % 199)),
        ("job", "node".to_owned()),
        ("mode", "idle".to_owned()),
        ("shard", format!("{i:06}")),
    ];
    let labels = labels
        .map(|(name, value)| Label {
            name: name.to_owned(),
            value,
        })
        .to_vec();
    // Two decimals, as counters of seconds have them.
    let value = ((ts / 15_000) as f64 * (i % 97) as f64).round() / 100.0;
    TimeSeries {
        labels,
        samples: vec![Sample { value, timestamp: ts }],
    }
}

/// Bodies of consecutive scrapes, 15 s apart, ending now.
fn bodies(now_ms: i64) -> anyhow::Result<Vec<Bytes>> {
    let mut bodies = Vec::new();
    for scrape in 0..SCRAPES {
        let ts = now_ms - 15_000 * (SCRAPES - scrape) as i64;
        for first in (0..SERIES).step_by(SAMPLES_PER_REQUEST) {
            let timeseries = (first..first + SAMPLES_PER_REQUEST)
                .map(|i| series(i, ts))
                .collect();
            let message = WriteRequest { timeseries }.encode_to_vec();
            bodies.push(snap::raw::Encoder::new().compress_vec(&message)?.into());
        }
    }
    Ok(bodies)
}

async fn post(router: axum::Router, body: Bytes) -> anyhow::Result<()> {
    let request = Request::post("/api/v1/write")
        .header("content-type", "application/x-protobuf")
        .header("content-encoding", "snappy")
        .body(Body::from(body))?;
    let response = router.oneshot(request).await?;
    anyhow::ensure!(
        response.status() == StatusCode::NO_CONTENT,
        "answered {}",
        response.status()
    );
    Ok(())
}

fn run(criterion: &mut Criterion) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let clock = Arc::new(SystemClock::new());
    let vfs = Arc::new(DiskVfs::open(directory.path())?);
    let bodies = bodies(clock.now().0)?;
    let engine = Engine::open(vfs, clock, Options::default())?;
    let router = routes(IngestSink::new(Arc::clone(&engine), IngestLimits::default())?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;

    let mut group = criterion.benchmark_group("ingest");
    for (name, at_once) in [("one", 1), ("eight", 8)] {
        group.throughput(Throughput::Elements((at_once * SAMPLES_PER_REQUEST) as u64));
        let mut next = bodies.iter().cycle();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let posts: Vec<_> = next
                    .by_ref()
                    .take(at_once)
                    .map(|b| post(router.clone(), b.clone()))
                    .collect();
                let outcome = runtime.block_on(async {
                    let posts: Vec<_> = posts.into_iter().map(tokio::spawn).collect();
                    for one in posts {
                        one.await??;
                    }
                    anyhow::Ok(())
                });
                assert!(outcome.is_ok(), "{outcome:?}");
            });
        });
    }
    group.finish();
    engine.close()?;
    Ok(())
}

fn ingest(criterion: &mut Criterion) {
    if let Err(error) = run(criterion) {
        panic!("the bench could not run: {error:#}");
    }
}

criterion_group!(benches, ingest);
criterion_main!(benches);
