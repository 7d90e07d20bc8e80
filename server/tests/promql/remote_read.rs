//! Another Prometheus reads here what it does not have itself; and what it would have sent is what is sent.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use barograph_proto::prometheus::{Label, TimeSeries};
use prost::Message;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::Value;

use super::fixture::{Fixture, series};
use crate::ports::free_port;
use crate::program::{Barograph, Pairs, Process, Samples, body, eventually, now_ms, pairs};

const STREAMED: i32 = 1;

#[derive(Clone, PartialEq, Message)]
struct ReadRequest {
    #[prost(message, repeated, tag = "1")]
    queries: Vec<ReadQuery>,
    #[prost(int32, repeated, tag = "2")]
    accepted_response_types: Vec<i32>,
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

#[derive(Clone, PartialEq, Message)]
struct ChunkedReadResponse {
    #[prost(message, repeated, tag = "1")]
    chunked_series: Vec<ChunkedSeries>,
    #[prost(int64, tag = "2")]
    query_index: i64,
}

#[derive(Clone, PartialEq, Message)]
struct ChunkedSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    chunks: Vec<Chunk>,
}

#[derive(Clone, PartialEq, Message)]
struct Chunk {
    #[prost(int64, tag = "1")]
    min_time_ms: i64,
    #[prost(int64, tag = "2")]
    max_time_ms: i64,
    #[prost(int32, tag = "3")]
    encoding: i32,
    #[prost(bytes = "vec", tag = "4")]
    data: Vec<u8>,
}

/// Prometheus with a configuration, ready to answer.
async fn start_prometheus(root: &Path, config: &str) -> (String, Process) {
    let port = free_port();
    let path = root.join("prometheus.yml");
    std::fs::write(&path, config).unwrap();
    let child = Command::new("prometheus")
        .arg(format!("--config.file={}", path.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            root.join("prometheus").display()
        ))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--web.enable-remote-write-receiver")
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(root.join("prometheus.log")).unwrap())
        .spawn()
        .expect("prometheus is installed (apt-get install prometheus)");
    let (process, url) = (Process(child), format!("http://127.0.0.1:{port}"));
    let ready = format!("{url}/-/ready");
    barograph::channels::install_crypto_provider();
    eventually("Prometheus is ready", || async {
        let answer = reqwest::get(&ready).await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;
    (url, process)
}

/// The result of an instant query.
async fn query(url: &str, expression: &str, ms: i64) -> Option<Value> {
    let expression: String = form_urlencoded::byte_serialize(expression.as_bytes()).collect();
    let answer = reqwest::get(format!(
        "{url}/api/v1/query?query={expression}&time={}",
        ms / 1000
    ))
    .await
    .ok()?;
    let mut json: Value = serde_json::from_str(&answer.text().await.ok()?).ok()?;
    Some(json["data"]["result"].take())
}

/// The values of a vector by their labels: their order is nobody's promise, and their last bit neither.
fn by_labels(vector: &Value) -> Vec<(String, f64)> {
    let sample = |series: &Value| {
        (
            series["metric"].to_string(),
            series["value"][1].as_str().unwrap().parse().unwrap(),
        )
    };
    let mut samples: Vec<(String, f64)> = vector.as_array().unwrap().iter().map(sample).collect();
    samples.sort_by(|a, b| a.0.cmp(&b.0));
    samples
}

#[tokio::test]
async fn a_prometheus_reads() {
    let fixture = Fixture::new().await;
    let root = tempfile::tempdir().unwrap();
    let config = format!(
        "remote_read: [{{url: '{}', read_recent: true}}]\n",
        fixture.barograph.url("/api/v1/read")
    );
    let (url, _prometheus) = start_prometheus(root.path(), &config).await;
    for expression in [
        "sum by (job) (rate(requests_total[5m]))",
        // 2.42 closes ranges on both sides: no sample lies on the edge.
        "count_over_time(up{job=\"node\"}[19m55s])",
    ] {
        let theirs = query(&url, expression, fixture.now_ms).await.unwrap();
        let ours = query(&fixture.barograph.url(""), expression, fixture.now_ms)
            .await
            .unwrap();
        let (theirs, ours) = (by_labels(&theirs), by_labels(&ours));
        assert_eq!(
            (theirs.len(), ours.len()),
            (2, 2),
            "{expression}: {theirs:?} {ours:?}"
        );
        for ((labels, value), (our_labels, our_value)) in theirs.iter().zip(&ours) {
            let difference = (value - our_value).abs();
            assert!(
                labels == our_labels && difference <= 1e-9 * value.abs(),
                "{expression}: {theirs:?} {ours:?}"
            );
        }
    }
}

/// The samples of a matrix, as bits.
fn samples(matrix: &Value) -> Samples {
    let mut samples = Samples::new();
    for series in matrix.as_array().unwrap() {
        let labels: BTreeMap<String, String> = serde_json::from_value(series["metric"].clone()).unwrap();
        let labels: Pairs = labels.into_iter().collect();
        for point in series["values"].as_array().unwrap() {
            let ms = (point[0].as_f64().unwrap() * 1000.0).round() as i64;
            let value: f64 = point[1].as_str().unwrap().parse().unwrap();
            samples.insert((labels.clone(), ms), value.to_bits());
        }
    }
    samples
}

/// This Prometheus has no remote read: what it answers is what it got from `/federate`.
#[tokio::test]
async fn a_prometheus_federates() {
    let fixture = Fixture::new().await;
    let now = fixture.now_ms;
    let odd = pairs(&[("__name__", "odd"), ("job", "batch"), ("path", "a\"b\\c\nd")]);
    let rows = [(odd.clone(), vec![(now, 0.1 + 0.2)])];
    let (status, text) = fixture.barograph.write(body(&rows)).await.unwrap();
    assert_eq!(status, 204, "{text}");
    let root = tempfile::tempdir().unwrap();
    let config = format!(
        "scrape_configs:\n\
         - job_name: federate\n  honor_labels: true\n  scrape_interval: 1s\n  scrape_timeout: 900ms\n  \
           metrics_path: /federate\n  params: {{'match[]': ['{{job=~\"node|batch\"}}', 'up']}}\n  \
           static_configs: [{{targets: ['127.0.0.1:{}']}}]\n",
        fixture.barograph.http,
    );
    let (url, _prometheus) = start_prometheus(root.path(), &config).await;
    // What was given to Barograph and is selected: the newest sample of each series, at its own instant. A series without
    // an instance does not get that of the scrape.
    let mut expected: Samples = series(now)
        .into_iter()
        .filter(|(labels, _)| {
            let has = |name: &str, value: &str| labels.iter().any(|(n, v)| n == name && v == value);
            has("job", "node") || has("__name__", "up")
        })
        .filter_map(|(labels, samples)| samples.last().map(|(ts, value)| ((labels, *ts), value.to_bits())))
        .collect();
    expected.insert((odd, now), (0.1_f64 + 0.2).to_bits());
    assert_eq!(expected.len(), 5);
    let federated = "{job=~\"api|node|batch\"}[5m]";
    // A scrape appears as a whole.
    let found = eventually("the first scrape", || async {
        let found = samples(&query(&url, federated, now).await?);
        (!found.is_empty()).then_some(found)
    })
    .await;
    assert_eq!(found, expected);
    // What comes later is in a later scrape, and what was there stays.
    let later = pairs(&[("__name__", "up"), ("instance", "c:1"), ("job", "api")]);
    let rows = [(later.clone(), vec![(now + 1000, 0.0)])];
    let (status, text) = fixture.barograph.write(body(&rows)).await.unwrap();
    assert_eq!(status, 204, "{text}");
    expected.insert((later, now + 1000), 0.0_f64.to_bits());
    let found = eventually("a later scrape", || async {
        let found = samples(&query(&url, federated, now + 1000).await?);
        (found.len() >= expected.len()).then_some(found)
    })
    .await;
    assert_eq!(found, expected);
    let up = query(&url, "up{job=\"federate\"}", now_ms()).await.unwrap();
    assert_eq!(up[0]["value"][1], "1");
}

/// A read of everything in a range.
fn request(from_ms: i64, to_ms: i64, accepted: Vec<i32>) -> Vec<u8> {
    let matcher = ReadMatcher {
        kind: 2,
        name: "__name__".to_owned(),
        value: "wave.*".to_owned(),
    };
    let query = ReadQuery {
        start_timestamp_ms: from_ms,
        end_timestamp_ms: to_ms,
        matchers: vec![matcher],
    };
    let request = ReadRequest {
        queries: vec![query],
        accepted_response_types: accepted,
    };
    snap::raw::Encoder::new()
        .compress_vec(&request.encode_to_vec())
        .unwrap()
}

async fn read(url: &str, body: Vec<u8>) -> (String, Vec<u8>) {
    let answer = reqwest::Client::new()
        .post(format!("{url}/api/v1/read"))
        .header(CONTENT_TYPE, "application/x-protobuf")
        .header(CONTENT_ENCODING, "snappy")
        .header("X-Prometheus-Remote-Read-Version", "0.1.0")
        .body(body)
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success(), "{url}: {}", answer.status());
    let content_type = answer.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
    (content_type, answer.bytes().await.unwrap().to_vec())
}

/// The series of a stream, each frame's sum checked.
fn frames(mut bytes: &[u8]) -> Vec<ChunkedSeries> {
    let mut series = Vec::new();
    while !bytes.is_empty() {
        let len = prost::encoding::decode_varint(&mut bytes).unwrap() as usize;
        let (sum, rest) = bytes.split_at(4);
        let (message, rest) = rest.split_at(len);
        assert_eq!(sum, crc32c::crc32c(message).to_be_bytes());
        let message = ChunkedReadResponse::decode(message).unwrap();
        assert_eq!(message.query_index, 0);
        series.extend(message.chunked_series);
        bytes = rest;
    }
    series
}

#[tokio::test]
async fn both_kinds_of_answers_are_what_prometheus_sends() {
    let root = tempfile::tempdir().unwrap();
    let (url, _prometheus) = start_prometheus(root.path(), "global: {}\n").await;
    let mut barograph = Barograph::new(root.path());
    barograph.start().await;
    let now = now_ms() / 1000 * 1000;
    // Fewer samples than after which Prometheus may cut a chunk, with every width of times and of values.
    let odd = [
        0.0,
        1.0,
        -0.0,
        f64::NAN,
        0.1 + 0.2,
        1e300,
        f64::INFINITY,
        5e-324,
        1.0,
        2.0,
        3.0,
    ];
    let series: Vec<(Pairs, Vec<(i64, f64)>)> = (0..40i64)
        .map(|s| {
            let labels = pairs(&[
                ("__name__", &format!("wave{}", s % 3)),
                ("Zone", "x"),
                ("i", &format!("{s:02}")),
            ]);
            let jitter = |i: i64| [0, 3, -7, 4_000, 9_000][((i * s) % 5) as usize];
            let sample = |i: i64| {
                (
                    now - (25 - i) * 20_000 + jitter(i),
                    odd[((i + s) % 11) as usize] * (s + 1) as f64,
                )
            };
            (labels, (0..25).map(sample).collect())
        })
        .collect();
    let answer = reqwest::Client::new()
        .post(format!("{url}/api/v1/write"))
        .header(CONTENT_ENCODING, "snappy")
        .header(CONTENT_TYPE, "application/x-protobuf")
        .body(body(&series))
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    let (status, text) = barograph.write(body(&series)).await.unwrap();
    assert_eq!(status, 204, "{text}");

    let (from, to) = (now - 3_600_000, now + 60_000);
    let (theirs_type, theirs) = read(&url, request(from, to, vec![STREAMED, 0])).await;
    let (ours_type, ours) = read(&barograph.url(""), request(from, to, vec![STREAMED, 0])).await;
    assert_eq!(ours_type, theirs_type);
    let (theirs, ours) = (frames(&theirs), frames(&ours));
    assert_eq!((ours.len(), theirs.len()), (40, 40));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours.labels, theirs.labels);
        assert_eq!((ours.chunks.len(), theirs.chunks.len()), (1, 1));
        assert_eq!(ours.chunks, theirs.chunks, "{:?}", ours.labels);
    }

    let unpacked = |bytes: Vec<u8>| {
        let mut message = vec![0; snap::raw::decompress_len(&bytes).unwrap()];
        snap::raw::Decoder::new()
            .decompress(&bytes, &mut message)
            .unwrap();
        ReadResponse::decode(message.as_slice()).unwrap()
    };
    let (theirs_type, theirs) = read(&url, request(from, to, vec![])).await;
    let (ours_type, ours) = read(&barograph.url(""), request(from, to, vec![])).await;
    assert_eq!(ours_type, theirs_type);
    let bits = |response: &ReadResponse| {
        let sample =
            |sample: &barograph_proto::prometheus::Sample| (sample.timestamp, sample.value.to_bits());
        let series = response.results[0].timeseries.iter();
        series
            .map(|s| (s.labels.clone(), s.samples.iter().map(sample).collect::<Vec<_>>()))
            .collect::<Vec<_>>()
    };
    assert_eq!(bits(&unpacked(ours)), bits(&unpacked(theirs)));
}
