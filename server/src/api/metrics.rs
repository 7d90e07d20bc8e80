//! `/metrics`: what the program knows of itself, in OpenMetrics text, which Prometheus reads.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use barograph_engine::{CompactionStats, DamageKind, Engine};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::limit_metrics;
use crate::alerting::AlertHub;
use crate::detecting::DetectorStats;
use crate::ingest::{IngestSink, RejectKind};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Where the figures come from.
#[derive(Clone)]
pub struct MetricsSource {
    /// The store.
    pub engine: Arc<Engine>,
    /// Remote write.
    pub ingest: Arc<IngestSink>,
    /// Detectors at work.
    pub detectors: Arc<DetectorStats>,
    /// Alerts and deliveries.
    pub hub: Arc<AlertHub>,
}

impl fmt::Debug for MetricsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsSource").finish_non_exhaustive()
    }
}

/// The route of the program's own metrics.
pub fn metrics_routes(source: MetricsSource) -> Router {
    let mut registry = Registry::with_prefix("barograph");
    registry.register_collector(Box::new(source));
    Router::new()
        .route("/metrics", get(render))
        .with_state(Arc::new(registry))
}

async fn render(State(registry): State<Arc<Registry>>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => ([(CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

impl Collector for MetricsSource {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut out = Figures {
            encoder: &mut encoder,
        };
        self.store(&mut out)?;
        self.remote_write(&mut out)?;
        limit_metrics::memory(&mut out, self.engine.memory())?;
        limit_metrics::tenants(&mut out, self.ingest.tenants())?;
        out.gauge(
            "detector_series",
            "Series that detectors follow",
            self.detectors.series.load(Relaxed) as i64,
        )?;
        out.counter(
            "detector_samples",
            "Samples of verdicts written",
            self.detectors.samples.load(Relaxed),
        )?;
        out.counter(
            "detector_failures",
            "Detector rounds that failed",
            self.detectors.failures.load(Relaxed),
        )?;
        self.alerting(&mut out)
    }
}

impl MetricsSource {
    fn store(&self, out: &mut Figures<'_, '_>) -> fmt::Result {
        let stats = self.engine.stats();
        out.gauge("store_head_series", "Series in memory", stats.head_series as i64)?;
        out.gauge(
            "store_head_bytes",
            "Memory that the series in memory take, about",
            stats.head_bytes as i64,
        )?;
        out.counter(
            "store_samples",
            "Samples made durable since the start",
            stats.samples_committed,
        )?;
        out.counter("store_commits", "Syncs of the write-ahead log", stats.commits)?;
        out.counter(
            "store_commit_failures",
            "Commits that the disk refused",
            stats.commits_failed,
        )?;
        out.counter("store_flushes", "Memtables written to segments", stats.flushes)?;
        out.counter(
            "store_flush_failures",
            "Flushes that failed",
            stats.flushes_failed,
        )?;
        out.counter(
            "store_flushed_bytes",
            "Bytes of segments that flushes wrote",
            stats.flushed_bytes,
        )?;
        compaction(stats.compaction, out)?;
        out.gauge(
            "store_tombstones",
            "Deletes that no merge has carried out everywhere",
            stats.tombstones as i64,
        )?;
        out.gauge(
            "store_memory_rows",
            "Samples not yet in a segment",
            stats.memory_rows as i64,
        )?;
        out.gauge(
            "store_wal_bytes",
            "Bytes of the write-ahead log",
            stats.wal_bytes as i64,
        )?;
        if let Some(free) = stats.disk_free_bytes {
            out.gauge(
                "store_disk_free_bytes",
                "Bytes free on the disk",
                i64::try_from(free).unwrap_or(i64::MAX),
            )?;
        }
        out.gauge("store_segments", "Segments", stats.segments as i64)?;
        out.gauge(
            "store_segment_rows",
            "Samples in segments",
            stats.segment_rows as i64,
        )?;
        out.gauge(
            "store_segment_histograms",
            "Native histograms in segments",
            stats.segment_histograms as i64,
        )?;
        out.gauge(
            "store_segment_exemplars",
            "Exemplars in segments",
            stats.segment_exemplars as i64,
        )?;
        out.gauge(
            "store_rollup_5m_buckets",
            "Buckets of five minutes in rollups",
            stats.segment_buckets_5m as i64,
        )?;
        out.gauge(
            "store_rollup_1h_buckets",
            "Buckets of one hour in rollups",
            stats.segment_buckets_1h as i64,
        )?;
        out.gauge(
            "store_rollup_bytes",
            "Bytes of rollups on disk",
            stats.rollup_bytes as i64,
        )?;
        out.gauge(
            "store_segment_bytes",
            "Bytes of segments on disk",
            stats.segment_bytes as i64,
        )?;
        out.gauge(
            "store_index_bytes",
            "Bytes of segments' indexes on disk",
            stats.index_bytes as i64,
        )?;
        let damages = DamageKind::ALL
            .iter()
            .map(|kind| (kind.as_str().to_owned(), stats.damage_totals.of(*kind)));
        out.counters(
            "damage",
            "Damaged places found in the files of the store since the start, by kind",
            "kind",
            damages,
        )?;
        let poisoned = i64::from(stats.poisoned.is_some());
        out.gauge(
            "store_poisoned",
            "1 when writes have stopped after a failed sync",
            poisoned,
        )
    }

    fn remote_write(&self, out: &mut Figures<'_, '_>) -> fmt::Result {
        let stats = self.ingest.stats();
        let replies = stats
            .replies
            .iter()
            .map(|(status, count)| (status.as_str().to_owned(), count));
        out.counters(
            "ingest_requests",
            "Remote write requests by status",
            "code",
            replies,
        )?;
        let rejected = RejectKind::ALL
            .iter()
            .map(|kind| (kind.as_str().to_owned(), stats.rejected(*kind)));
        out.counters(
            "ingest_rejected",
            "What remote write refused, by reason",
            "reason",
            rejected,
        )?;
        out.counter(
            "ingest_samples",
            "Samples acknowledged to senders",
            stats.samples.load(Relaxed),
        )?;
        out.counter(
            "ingest_histograms",
            "Native histograms acknowledged to senders",
            stats.histograms.load(Relaxed),
        )?;
        out.counter(
            "ingest_exemplars",
            "Exemplars acknowledged to senders",
            stats.exemplars.load(Relaxed),
        )?;
        out.counter(
            "ingest_created_zeros",
            "Zeros stored at the created timestamps of counters",
            stats.created_zeros.load(Relaxed),
        )?;
        out.counter(
            "ingest_metadata",
            "Metadata entries taken",
            stats.metadata.load(Relaxed),
        )?;
        out.counter(
            "ingest_series_defined",
            "Times that the labels of a series were read because their bytes were new",
            stats.series_defined.load(Relaxed),
        )?;
        out.counter(
            "ingest_compressed_bytes",
            "Bytes of request bodies as they came",
            stats.compressed_bytes.load(Relaxed),
        )?;
        out.counter(
            "ingest_decompressed_bytes",
            "Bytes of request bodies once decompressed",
            stats.decompressed_bytes.load(Relaxed),
        )?;
        out.gauge(
            "ingest_metadata_families",
            "Metric families of which metadata is known",
            self.ingest.metadata().len() as i64,
        )?;
        out.gauge(
            "ingest_in_flight_bytes",
            "Bytes being decoded",
            self.ingest.in_flight_bytes() as i64,
        )
    }

    fn alerting(&self, out: &mut Figures<'_, '_>) -> fmt::Result {
        let (active, last_seq, (delivered, given_up), waiting) = self.hub.read(|store| {
            let active = store.active().filter(|alert| alert.state.is_active()).count();
            let waiting = store
                .deliveries()
                .filter(|entry| !entry.progress.state.is_finished())
                .count();
            (active, store.last_seq(), store.delivery_totals(), waiting)
        });
        out.gauge("alerts_active", "Pending and firing alerts", active as i64)?;
        out.counter("alert_events", "Events ever logged", last_seq)?;
        out.gauge("deliveries_waiting", "Deliveries not finished", waiting as i64)?;
        out.counter("deliveries", "Deliveries that arrived", delivered)?;
        out.counter("deliveries_given_up", "Deliveries given up", given_up)
    }
}

fn compaction(stats: CompactionStats, out: &mut Figures<'_, '_>) -> fmt::Result {
    out.counter("store_compactions", "Merges of segments", stats.jobs)?;
    out.counter(
        "store_compaction_failures",
        "Merges of segments that failed",
        stats.failures,
    )?;
    out.counter(
        "store_compaction_seconds",
        "Time that merges of segments took",
        stats.ns as f64 / 1e9,
    )?;
    out.counter(
        "store_compaction_read_rows",
        "Samples that merges read",
        stats.rows_read,
    )?;
    out.counter(
        "store_compaction_written_rows",
        "Samples that merges wrote",
        stats.rows_written,
    )?;
    out.counter(
        "store_compaction_read_bytes",
        "Bytes of segments that merges read",
        stats.bytes_read,
    )?;
    out.counter(
        "store_compaction_written_bytes",
        "Bytes of segments that merges wrote",
        stats.bytes_written,
    )
}

/// Writes one family after the other.
pub(super) struct Figures<'a, 'e> {
    encoder: &'a mut DescriptorEncoder<'e>,
}

impl Figures<'_, '_> {
    pub(super) fn counter(&mut self, name: &str, help: &str, value: impl EncodeCounterValue) -> fmt::Result {
        let counter = ConstCounter::new(value);
        counter.encode(
            self.encoder
                .encode_descriptor(name, help, None, counter.metric_type())?,
        )
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str, value: i64) -> fmt::Result {
        let gauge = ConstGauge::new(value);
        gauge.encode(
            self.encoder
                .encode_descriptor(name, help, None, gauge.metric_type())?,
        )
    }

    pub(super) fn counters(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl Iterator<Item = (String, u64)>,
    ) -> fmt::Result {
        let kind = ConstCounter::new(0u64).metric_type();
        let mut family = self.encoder.encode_descriptor(name, help, None, kind)?;
        for (value, count) in values {
            ConstCounter::new(count).encode(family.encode_family(&[(label, value.as_str())])?)?;
        }
        Ok(())
    }

    pub(super) fn gauges(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl Iterator<Item = (String, i64)>,
    ) -> fmt::Result {
        let kind = ConstGauge::new(0i64).metric_type();
        let mut family = self.encoder.encode_descriptor(name, help, None, kind)?;
        for (value, figure) in values {
            ConstGauge::new(figure).encode(family.encode_family(&[(label, value.as_str())])?)?;
        }
        Ok(())
    }

    /// A family with two labels.
    pub(super) fn counters_by_two(
        &mut self,
        name: &str,
        help: &str,
        labels: [&str; 2],
        values: impl Iterator<Item = ([String; 2], u64)>,
    ) -> fmt::Result {
        let kind = ConstCounter::new(0u64).metric_type();
        let mut family = self.encoder.encode_descriptor(name, help, None, kind)?;
        for ([first, second], count) in values {
            let labels = [(labels[0], first.as_str()), (labels[1], second.as_str())];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
