//! The whole edge over a real store on a simulated disk, as tests post to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::Response;
use barograph_engine::vfs::SimVfs;
use barograph_engine::{Engine, Options, SampleBlock};
use barograph_model::{Clock, Exemplar, Histogram, ManualClock, TimeRange, TimestampMs};
use tower::ServiceExt;

use super::prompb::{TimeSeries, encode};
use super::{IngestLimits, IngestSink, routes};
use crate::tenants::{LimitsConfig, Tenants};

/// What the clock says: 2026-11-22T22:33:20Z.
pub(super) const NOW_MS: i64 = 1_795_386_800_000;

pub(super) struct Edge {
    pub(super) disk: SimVfs,
    pub(super) engine: Arc<Engine>,
    pub(super) sink: Arc<IngestSink>,
    pub(super) router: Router,
}

/// An answer: status, headers, body.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

/// A series' samples as (ms, bits), by its selector.
pub(super) type Stored = BTreeMap<String, Vec<(i64, u64)>>;

impl Edge {
    pub(super) fn new() -> Self {
        Self::with(IngestLimits::default())
    }

    pub(super) fn with(limits: IngestLimits) -> Self {
        Self::with_tenants(limits, LimitsConfig::default())
    }

    pub(super) fn with_tenants(limits: IngestLimits, config: LimitsConfig) -> Self {
        let disk = SimVfs::new(7);
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(TimestampMs(NOW_MS)));
        let options = Options {
            wal_file_bytes: 1 << 20,
            ..Options::default()
        };
        let engine = Engine::open(Arc::new(disk.clone()), Arc::clone(&clock), options).unwrap();
        let tenants = Tenants::new(config, limits.labels, false, clock);
        let sink = IngestSink::new(Arc::clone(&engine), limits, tenants).unwrap();
        let router = routes(Arc::clone(&sink));
        Self {
            disk,
            engine,
            sink,
            router,
        }
    }

    /// Posts a message that is not compressed yet, with the headers that Prometheus sends.
    pub(super) async fn post(&self, message: &[u8]) -> Answer {
        self.post_block(snap::raw::Encoder::new().compress_vec(message).unwrap())
            .await
    }

    pub(super) async fn post_series(&self, all: Vec<TimeSeries>) -> Answer {
        self.post(&encode(all)).await
    }

    /// Posts a message of remote write 2.0 that is not compressed yet.
    pub(super) async fn post_v2(&self, message: &[u8]) -> Answer {
        let headers = [
            (
                "content-type",
                "application/x-protobuf;proto=io.prometheus.write.v2.Request",
            ),
            ("content-encoding", "snappy"),
        ];
        let block = snap::raw::Encoder::new().compress_vec(message).unwrap();
        self.post_with(&headers, block).await
    }

    /// Posts a body as it is.
    pub(super) async fn post_block(&self, block: impl Into<Body>) -> Answer {
        let headers = [
            ("content-type", "application/x-protobuf"),
            ("content-encoding", "snappy"),
        ];
        self.post_with(&headers, block).await
    }

    pub(super) async fn post_with(&self, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::post("/api/v1/write");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).unwrap();
        Answer::of(self.router.clone().oneshot(request).await.unwrap()).await
    }

    /// All that the store gives back.
    pub(super) fn stored(&self) -> Stored {
        let snapshot = self.engine.snapshot();
        let series = snapshot.select(&[], TimeRange::ALL).unwrap();
        let mut stored = Stored::new();
        let mut block = SampleBlock::default();
        for mut partition in snapshot.scan(&series, TimeRange::ALL).into_partitions() {
            while partition.next_block(&mut block).unwrap() {
                let mut start = 0;
                for run in &block.runs {
                    let rows = (start..run.end).map(|row| (block.ts[row], block.values[row].to_bits()));
                    stored
                        .entry(series.labels(run.series).unwrap().to_string())
                        .or_default()
                        .extend(rows);
                    start = run.end;
                }
            }
        }
        stored
    }
}

impl Edge {
    /// All native histograms that the store gives back: series, ms, histogram.
    pub(super) fn stored_histograms(&self) -> Vec<(String, i64, Histogram)> {
        let snapshot = self.engine.snapshot();
        let set = snapshot.select(&[], TimeRange::ALL).unwrap();
        let mut scan = snapshot.histograms(&set, TimeRange::ALL);
        let (mut rows, mut stored) = (Vec::new(), Vec::new());
        while let Some(position) = scan.next_series(&mut rows).unwrap() {
            let series = set.labels(position).unwrap().to_string();
            stored.extend(
                rows.drain(..)
                    .map(|(ts, histogram)| (series.clone(), ts, histogram)),
            );
        }
        stored
    }

    /// All exemplars that the store gives back, with their series.
    pub(super) fn stored_exemplars(&self) -> Vec<(String, Exemplar)> {
        let snapshot = self.engine.snapshot();
        let set = snapshot.select(&[], TimeRange::ALL).unwrap();
        let mut scan = snapshot.exemplars(&set, TimeRange::ALL);
        let (mut rows, mut stored) = (Vec::new(), Vec::new());
        while let Some(position) = scan.next_series(&mut rows).unwrap() {
            let series = set.labels(position).unwrap().to_string();
            stored.extend(rows.drain(..).map(|(_, exemplar)| (series.clone(), exemplar)));
        }
        stored
    }
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let text = to_bytes(body, 1 << 20).await.unwrap();
        Self {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(text.to_vec()).unwrap(),
        }
    }

    /// Checks the status and that the one line of text begins like this.
    #[track_caller]
    pub(super) fn expect(&self, status: u16, begins: &str) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert!(
            self.text.starts_with(begins),
            "{} does not begin with {begins}",
            self.text
        );
        assert!(
            self.text.lines().count() <= 1,
            "{} is more than a line",
            self.text
        );
        self
    }

    /// What the answer says was written: samples, histograms, exemplars; `None` where it says nothing.
    pub(super) fn written(&self) -> Option<[u64; 3]> {
        let count = |what: &str| {
            let value = self
                .headers
                .get(format!("x-prometheus-remote-write-{what}-written"))?;
            value.to_str().unwrap().parse().ok()
        };
        Some([count("samples")?, count("histograms")?, count("exemplars")?])
    }

    pub(super) fn retry_after(&self) -> Option<&str> {
        self.headers
            .get(header::RETRY_AFTER)
            .map(|value| value.to_str().unwrap())
    }
}

/// What [`Edge::stored`] gives for one series.
pub(super) fn stored_as(selector: &str, samples: &[(i64, f64)]) -> (String, Vec<(i64, u64)>) {
    (
        selector.to_owned(),
        samples.iter().map(|&(ts, value)| (ts, value.to_bits())).collect(),
    )
}
