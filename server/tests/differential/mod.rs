//! A real Prometheus 2.42 and Barograph, which has a part of it in segments and the rest in memory, are given the same data
//! and asked the same questions: the answers are the same to 1e-9, or `explained` says which behaviour of 2.42 it is that
//! Prometheus 3 does not have any more.

mod answer;
mod data;
mod explained;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use answer::Answer;
use data::{START_MS, Series};
use explained::EXPLAINED;
use serde_json::Value;

use crate::limits::metric;
use crate::ports::free_port;
use crate::program::{Barograph, Process, body, eventually};

/// Queries, one a line.
const QUERIES: &str = include_str!("queries.txt");

/// When a query is asked.
#[derive(Debug, Clone, Copy)]
enum Times {
    /// so many seconds after the start of the data
    Instant(i64),
    /// from, to and step, in seconds
    Range(i64, i64, i64),
}

/// All that each query is asked for. No instant is a multiple of a subquery's step, so that none is where such a range
/// begins.
const TIMES: [Times; 4] = [
    Times::Instant(1_207),
    Times::Instant(2_287),
    Times::Range(307, 2_827, 40),
    Times::Range(1_507, 1_747, 20),
];

/// The path of a request.
fn path(query: &str, times: Times) -> String {
    let query: String = url_encoded(query);
    let at = |seconds: i64| START_MS / 1000 + seconds;
    match times {
        Times::Instant(ts) => format!("/api/v1/query?query={query}&time={}", at(ts)),
        Times::Range(from, to, step) => {
            format!(
                "/api/v1/query_range?query={query}&start={}&end={}&step={step}",
                at(from),
                at(to)
            )
        }
    }
}

fn url_encoded(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => (byte as char).to_string(),
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}

/// The queries as each program is asked.
fn queries() -> Vec<(String, String)> {
    let lines = QUERIES
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let middle = (START_MS / 1000 + 1_207).to_string();
    lines
        .map(|line| {
            let line = line.replace("$T", &middle);
            let (prometheus, barograph) = line.split_once(" ==> ").unwrap_or((&line, &line));
            (prometheus.to_owned(), barograph.to_owned())
        })
        .collect()
}

fn start_prometheus(root: &Path) -> (u16, Process) {
    let port = free_port();
    let config = root.join("prometheus.yml");
    std::fs::write(&config, "global: {scrape_interval: 1h}\n").unwrap();
    let child = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            root.join("prometheus").display()
        ))
        .arg("--storage.tsdb.retention.time=100y")
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--web.enable-remote-write-receiver")
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(root.join("prometheus.log")).unwrap())
        .spawn()
        .expect("prometheus is installed (apt-get install prometheus)");
    (port, Process(child))
}

/// Gives Prometheus all data.
async fn fill_prometheus(client: &reqwest::Client, prometheus: &str, series: &[Series]) {
    for part in data::parts(series) {
        let answer = client
            .post(format!("{prometheus}/api/v1/write"))
            .header("Content-Type", "application/x-protobuf")
            .header("Content-Encoding", "snappy")
            .body(body(&part))
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }
}

/// Gives Barograph all data, and has a part of it in segments and the rest in memory.
async fn fill_barograph(barograph: &mut Barograph, series: &[Series]) {
    let [before, after] = data::around_a_start(series);
    let (status, text) = barograph.write(body(&before)).await.unwrap();
    assert_eq!(status, 204, "{text}");
    // A stop writes memory to segments.
    assert!(barograph.terminate().success());
    barograph.start().await;
    let (status, text) = barograph.write(body(&after)).await.unwrap();
    assert_eq!(status, 204, "{text}");
    let rows = |part: &[Series]| part.iter().map(|(_, samples)| samples.len()).sum::<usize>() as f64;
    let (on_disk, in_memory) = (rows(&before), rows(&after));
    assert!(on_disk > 4_000.0 && in_memory > 4_000.0, "{on_disk} {in_memory}");
    assert_eq!(metric(barograph, "barograph_store_segment_rows ").await, on_disk);
    assert_eq!(metric(barograph, "barograph_store_memory_rows ").await, in_memory);
}

async fn ask(client: &reqwest::Client, base: &str, path: &str) -> Value {
    let answer = client.get(format!("{base}{path}")).send().await.unwrap();
    answer
        .json()
        .await
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[tokio::test]
async fn answers_are_those_of_prometheus() {
    let root = tempfile::tempdir().unwrap();
    let config = root.path().join("barograph.toml");
    std::fs::write(&config, "[promql]\nexperimental_functions = true\n").unwrap();
    let mut barograph = Barograph::new(root.path())
        .with_config(config)
        .with_flags(&["--retention", "off"]);
    barograph.start().await;
    let (port, _prometheus) = start_prometheus(root.path());
    let (prometheus, here) = (format!("http://127.0.0.1:{port}"), barograph.url(""));
    let client = reqwest::Client::new();
    eventually("Prometheus is ready", || async {
        let answer = client.get(format!("{prometheus}/-/ready")).send().await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;
    let series = data::series();
    fill_prometheus(&client, &prometheus, &series).await;
    fill_barograph(&mut barograph, &series).await;

    let queries = queries();
    assert!(queries.len() >= 300, "{} queries", queries.len());
    let (mut differing, mut failures, mut values) = (BTreeSet::new(), Vec::new(), 0);
    for (asked, asked_here) in &queries {
        for times in TIMES {
            let theirs = ask(&client, &prometheus, &path(asked, times)).await;
            let ours = ask(&client, &here, &path(asked_here, times)).await;
            let (expected, found) = (Answer::of(&theirs), Answer::of(&ours));
            values += expected.len();
            let is_ordered = asked.starts_with("sort") && matches!(times, Times::Instant(_));
            let difference = found.difference(&expected).or_else(|| {
                (is_ordered && answer::order(&theirs) != answer::order(&ours))
                    .then(|| "another order".to_owned())
            });
            let Some(difference) = difference else {
                continue;
            };
            differing.insert(asked.as_str());
            if !EXPLAINED.iter().any(|explained| explained.query == asked) {
                failures.push(format!("{asked} {times:?}: {difference}"));
            }
        }
    }
    assert!(values > 100_000, "only {values} values were compared");
    assert!(
        failures.is_empty(),
        "{} differences (found, expected)\n{}",
        failures.len(),
        failures.join("\n")
    );
    for explained in EXPLAINED {
        assert!(
            differing.contains(explained.query),
            "does not differ: {} ({})",
            explained.query,
            explained.why
        );
    }
}
