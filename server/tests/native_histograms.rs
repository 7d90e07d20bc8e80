//! A real Prometheus scrapes a native histogram with exemplars, in the protobuf format, and remote-writes them: what it
//! sends is what SQL gives back.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use prost::Message;

use super::ports::free_port;
use super::program::{Barograph, Process, eventually, now_ms};

/// The parts of `io.prometheus.client` that the target exposes.
#[derive(Clone, PartialEq, Message)]
struct MetricFamily {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    help: String,
    /// 0 is a counter, 4 a histogram
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    metric: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Counter>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
struct LabelPair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Counter {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
    #[prost(message, optional, tag = "2")]
    exemplar: Option<Exemplar>,
}

#[derive(Clone, PartialEq, Message)]
struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(double, tag = "2")]
    value: f64,
    #[prost(message, optional, tag = "3")]
    timestamp: Option<Timestamp>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, optional, tag = "1")]
    sample_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    sample_sum: Option<f64>,
    #[prost(sint32, optional, tag = "5")]
    schema: Option<i32>,
    #[prost(double, optional, tag = "6")]
    zero_threshold: Option<f64>,
    #[prost(uint64, optional, tag = "7")]
    zero_count: Option<u64>,
    #[prost(message, repeated, tag = "12")]
    positive_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, packed = "false", tag = "13")]
    positive_delta: Vec<i64>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct BucketSpan {
    #[prost(sint32, optional, tag = "1")]
    offset: Option<i32>,
    #[prost(uint32, optional, tag = "2")]
    length: Option<u32>,
}

/// What a scrape gives: each one finds one observation more in every bucket.
fn exposition(scrape: u64) -> Vec<u8> {
    let pair = |name: &str, value: &str| LabelPair {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let now = now_ms();
    let histogram = MetricFamily {
        name: "latency_seconds".to_owned(),
        help: "How long it takes".to_owned(),
        kind: Some(4),
        metric: vec![Metric {
            label: vec![pair("path", "/x")],
            histogram: Some(Histogram {
                sample_count: Some(5 * scrape),
                sample_sum: Some(1.25 * scrape as f64),
                schema: Some(3),
                zero_threshold: Some(1e-9),
                zero_count: Some(scrape),
                positive_span: vec![
                    BucketSpan {
                        offset: Some(-2),
                        length: Some(2),
                    },
                    BucketSpan {
                        offset: Some(4),
                        length: Some(1),
                    },
                ],
                // Counts scrape, scrape, 2 * scrape.
                positive_delta: vec![scrape as i64, 0, scrape as i64],
            }),
            ..Metric::default()
        }],
    };
    let counter = MetricFamily {
        name: "requests_total".to_owned(),
        help: "How many".to_owned(),
        kind: Some(0),
        metric: vec![Metric {
            counter: Some(Counter {
                value: Some(scrape as f64),
                exemplar: Some(Exemplar {
                    label: vec![pair("trace_id", &format!("trace-{scrape}"))],
                    value: 1.0,
                    timestamp: Some(Timestamp {
                        seconds: now / 1000,
                        nanos: (now % 1000) as i32 * 1_000_000,
                    }),
                }),
            }),
            ..Metric::default()
        }],
    };
    [
        histogram.encode_length_delimited_to_vec(),
        counter.encode_length_delimited_to_vec(),
    ]
    .concat()
}

async fn serve_target() -> u16 {
    let scrapes = Arc::new(AtomicU64::new(0));
    let metrics = move || {
        let scrape = scrapes.fetch_add(1, Ordering::Relaxed) + 1;
        let format =
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
        async move { ([(CONTENT_TYPE, format)], exposition(scrape)) }
    };
    let router = Router::new().route("/metrics", get(metrics));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

fn start_prometheus(root: &Path, barograph: &Barograph, target: u16) -> Process {
    let config = root.join("prometheus.yml");
    let text = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 900ms}}\n\
         scrape_configs:\n\
         - job_name: app\n  static_configs: [{{targets: ['127.0.0.1:{target}']}}]\n\
         remote_write:\n\
         - url: {}\n  send_exemplars: true\n  send_native_histograms: true\n  metadata_config: {{send_interval: 1s}}\n  \
         queue_config: {{batch_send_deadline: 1s, min_backoff: 50ms, max_backoff: 500ms}}\n",
        barograph.url("/api/v1/write")
    );
    std::fs::write(&config, text).unwrap();
    let child = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg("--enable-feature=native-histograms,exemplar-storage")
        .arg(format!(
            "--storage.tsdb.path={}",
            root.join("prometheus").display()
        ))
        .arg(format!("--web.listen-address=127.0.0.1:{}", free_port()))
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(root.join("prometheus.log")).unwrap())
        .spawn()
        .expect("prometheus is installed (apt-get install prometheus)");
    Process(child)
}

#[tokio::test]
async fn what_prometheus_scrapes_as_protobuf_is_what_sql_gives_back() {
    let root = tempfile::tempdir().unwrap();
    let mut barograph = Barograph::new(root.path());
    barograph.start().await;
    let _prometheus = start_prometheus(root.path(), &barograph, serve_target().await);

    let enough = "SELECT count(DISTINCT h.ts), count(DISTINCT e.ts) FROM histograms h, exemplars e";
    eventually("five histograms and exemplars have arrived", || async {
        let rows = barograph.rows(enough).await;
        (rows[0][0].as_i64() >= Some(5) && rows[0][1].as_i64() >= Some(5)).then_some(())
    })
    .await;
    // They are there after a crash as well.
    barograph.kill();
    barograph.start().await;

    let histograms = barograph
        .rows(
            "SELECT count, zero_count, sum, schema, positive, positive_spans[1]['offset'], positive_spans[2]['offset'], \
             s.labels['path'] FROM histograms h JOIN series s USING (series_id) \
             WHERE h.metric = 'latency_seconds' AND NOT stale ORDER BY ts",
        )
        .await;
    assert!(histograms.len() >= 5, "{histograms:?}");
    for row in &histograms {
        let scrape = row[1].as_i64().unwrap();
        let expected = serde_json::json!([
            5 * scrape,
            scrape,
            1.25 * scrape as f64,
            3,
            [scrape, scrape, 2 * scrape],
            -2,
            4,
            "/x"
        ]);
        assert_eq!(serde_json::json!(row), expected);
    }
    let exemplars = barograph
        .rows("SELECT labels['trace_id'], value FROM exemplars WHERE metric = 'requests_total' ORDER BY ts")
        .await;
    assert!(exemplars.len() >= 5, "{exemplars:?}");
    assert!(
        exemplars
            .iter()
            .all(|row| row[0].as_str().unwrap().starts_with("trace-")),
        "{exemplars:?}"
    );

    eventually("metadata has arrived", || async {
        let rows = barograph
            .rows("SELECT type, help FROM metadata WHERE family = 'latency_seconds'")
            .await;
        (rows
            == [[
                serde_json::json!("histogram"),
                serde_json::json!("How long it takes"),
            ]])
        .then_some(())
    })
    .await;
}
