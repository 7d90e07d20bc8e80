//! A real Prometheus scrapes a real node_exporter and remote-writes, while Barograph is killed and started again: at the
//! end both hold the same samples, bit for bit, staleness markers included.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use barograph_model::STALE_NAN_BITS;
use barograph_proto::prometheus::TimeSeries;
use prost::Message;

use super::ports::free_port;
use super::program::{Barograph, Process, Samples, eventually, now_ms};

/// How long Prometheus scrapes, once a second.
const SCRAPED: Duration = Duration::from_secs(64);

/// The first seconds are not compared: Prometheus sends what it scraped after its sender had started.
const SETTLE_MS: i64 = 4_000;

#[derive(Clone, PartialEq, Message)]
struct ReadRequest {
    #[prost(message, repeated, tag = "1")]
    queries: Vec<ReadQuery>,
}

#[derive(Clone, PartialEq, Message)]
struct ReadQuery {
    #[prost(int64, tag = "1")]
    start_timestamp_ms: i64,
    #[prost(int64, tag = "2")]
    end_timestamp_ms: i64,
    #[prost(message, repeated, tag = "3")]
    matchers: Vec<ReadMatcher>,
}

#[derive(Clone, PartialEq, Message)]
struct ReadMatcher {
    /// 2 is `=~`
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, tag = "3")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct ReadResponse {
    #[prost(message, repeated, tag = "1")]
    results: Vec<ReadResult>,
}

#[derive(Clone, PartialEq, Message)]
struct ReadResult {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[tokio::test]
async fn every_sample_survives_a_kill() {
    let root = tempfile::tempdir().unwrap();
    let mut barograph = Barograph::new(root.path());
    barograph.start().await;
    let mut exporter = start_node_exporter();
    let (prometheus_port, _prometheus) = start_prometheus(root.path(), &barograph, exporter.0);
    let started = now_ms();

    tokio::time::sleep(SCRAPED / 3).await;
    barograph.kill();
    tokio::time::sleep(Duration::from_secs(2)).await;
    barograph.start().await;
    tokio::time::sleep(SCRAPED / 3).await;
    // A target that goes away leaves staleness markers on all its series.
    exporter.1.0.kill().unwrap();
    tokio::time::sleep(SCRAPED / 3).await;
    let (from, to) = (started + SETTLE_MS, now_ms());

    // What Prometheus still has in its queue arrives within its backoff: `up` is scraped to the end.
    let arrived =
        format!("SELECT count(*) FROM samples WHERE metric = 'up' AND ts > to_timestamp_millis({to})");
    eventually("the queue of Prometheus is empty", || async {
        let rows = barograph.rows(&arrived).await;
        (rows[0][0].as_i64() > Some(0)).then_some(())
    })
    .await;

    let expected = read_from_prometheus(prometheus_port, from, to).await;
    let found = barograph.samples(from, to).await;
    let series = expected
        .keys()
        .map(|(pairs, _)| pairs)
        .collect::<std::collections::BTreeSet<_>>()
        .len();
    let stale = expected.values().filter(|bits| **bits == STALE_NAN_BITS).count();
    assert!(
        series > 200 && expected.len() > series * 30,
        "{series} series, {} samples",
        expected.len()
    );
    assert!(stale > 100, "{stale} staleness markers");
    let missing: Vec<_> = expected
        .iter()
        .filter(|(key, bits)| found.get(*key) != Some(bits))
        .take(5)
        .collect();
    assert!(
        missing.is_empty(),
        "not in Barograph, or other bits there: {missing:?}"
    );
    let extra: Vec<_> = found
        .keys()
        .filter(|key| !expected.contains_key(*key))
        .take(5)
        .collect();
    assert!(extra.is_empty(), "not in Prometheus: {extra:?}");
}

fn start_node_exporter() -> (u16, Process) {
    let port = free_port();
    let child = Command::new("prometheus-node-exporter")
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("prometheus-node-exporter is installed (apt-get install prometheus-node-exporter)");
    (port, Process(child))
}

fn start_prometheus(root: &Path, barograph: &Barograph, exporter: u16) -> (u16, Process) {
    let port = free_port();
    let config = root.join("prometheus.yml");
    let text = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 900ms}}\n\
         scrape_configs:\n\
         - job_name: node\n  static_configs: [{{targets: ['127.0.0.1:{exporter}']}}]\n\
         remote_write:\n\
         - url: {}\n  queue_config: {{batch_send_deadline: 1s, min_backoff: 50ms, max_backoff: 500ms}}\n",
        barograph.url("/api/v1/write")
    );
    std::fs::write(&config, text).unwrap();
    let child = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            root.join("prometheus").display()
        ))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(root.join("prometheus.log")).unwrap())
        .spawn()
        .expect("prometheus is installed (apt-get install prometheus)");
    (port, Process(child))
}

/// Remote read gives raw samples, staleness markers among them, which queries hide.
async fn read_from_prometheus(port: u16, from_ms: i64, to_ms: i64) -> Samples {
    let matcher = ReadMatcher {
        kind: 2,
        name: "__name__".to_owned(),
        value: ".+".to_owned(),
    };
    let query = ReadQuery {
        start_timestamp_ms: from_ms,
        end_timestamp_ms: to_ms,
        matchers: vec![matcher],
    };
    let request = ReadRequest { queries: vec![query] }.encode_to_vec();
    let body = snap::raw::Encoder::new().compress_vec(&request).unwrap();
    let answer = reqwest::Client::new()
        .post(format!("http://127.0.0.1:{port}/api/v1/read"))
        .header("Content-Type", "application/x-protobuf")
        .header("Content-Encoding", "snappy")
        .header("X-Prometheus-Remote-Read-Version", "0.1.0")
        .body(body)
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    let compressed = answer.bytes().await.unwrap();
    let mut bytes = vec![0; snap::raw::decompress_len(&compressed).unwrap()];
    snap::raw::Decoder::new()
        .decompress(&compressed, &mut bytes)
        .unwrap();
    let response = ReadResponse::decode(bytes.as_slice()).unwrap();
    let mut samples: Samples = BTreeMap::new();
    for series in response.results.into_iter().flat_map(|result| result.timeseries) {
        let mut pairs: Vec<_> = series.labels.into_iter().map(|l| (l.name, l.value)).collect();
        pairs.sort();
        for sample in series.samples {
            samples.insert((pairs.clone(), sample.timestamp), sample.value.to_bits());
        }
    }
    samples
}
