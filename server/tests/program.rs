//! A Barograph process under test, and what tests say to it.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::ipc::reader::StreamReader;
use barograph_proto::prometheus::{Label, Sample, TimeSeries, WriteRequest};
use prost::Message;
use serde_json::json;

use super::ports::free_port;

/// How long anything may take before the test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Label pairs, sorted: the name of a series in these tests.
pub type Pairs = Vec<(String, String)>;

/// Every sample by series and instant, as bits.
pub type Samples = BTreeMap<(Pairs, i64), u64>;

/// A child process that is killed when the test ends, however it ends.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks again and again until there is an answer.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, ask: impl FnMut() -> F) -> T {
    match answered(ask).await {
        Some(answer) => answer,
        None => panic!("{what}: not within {PATIENCE:?}"),
    }
}

/// The same; `None` when that takes too long.
async fn answered<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(answer) = ask().await {
            return Some(answer);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    None
}

/// How a Barograph is started: the same for each start of a test.
pub struct Barograph {
    pub data_dir: PathBuf,
    pub http: u16,
    pub grpc: u16,
    config: Option<PathBuf>,
    flags: Vec<String>,
    process: Option<Process>,
    client: reqwest::Client,
}

impl Barograph {
    pub fn new(root: &Path) -> Self {
        barograph::channels::install_crypto_provider();
        Self {
            data_dir: root.join("data"),
            http: free_port(),
            grpc: free_port(),
            config: None,
            flags: Vec::new(),
            process: None,
            client: reqwest::Client::new(),
        }
    }

    /// With a configuration file.
    pub fn with_config(mut self, path: PathBuf) -> Self {
        self.config = Some(path);
        self
    }

    /// With further flags.
    pub fn with_flags(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    /// With another data directory.
    pub fn with_data_dir(mut self, data_dir: PathBuf) -> Self {
        self.data_dir = data_dir;
        self
    }

    /// The command that starts it.
    pub fn arguments(&self) -> Vec<String> {
        let mut words = vec![
            "serve".to_owned(),
            "--data-dir".to_owned(),
            self.data_dir.display().to_string(),
            "--http-listen".to_owned(),
            format!("127.0.0.1:{}", self.http),
            "--grpc-listen".to_owned(),
            format!("127.0.0.1:{}", self.grpc),
        ];
        if let Some(config) = &self.config {
            words.extend(["--config".to_owned(), config.display().to_string()]);
        }
        words.extend(self.flags.iter().cloned());
        words
    }

    /// Starts the program, under `wrapper` where one is given, and waits until it is ready.
    pub async fn start_under(&mut self, wrapper: &[String]) {
        let program = env!("CARGO_BIN_EXE_barograph").to_owned();
        let words: Vec<String> = wrapper
            .iter()
            .cloned()
            .chain([program])
            .chain(self.arguments())
            .collect();
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.data_dir.with_extension("log"))
            .unwrap();
        let child = Command::new(&words[0])
            .args(&words[1..])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut process = Process(child);
        let url = self.url("/-/ready");
        let ready = answered(|| {
            let ended = process.0.try_wait().unwrap();
            let asked = self.client.get(&url).send();
            async move {
                match (asked.await, ended) {
                    (Ok(answer), _) if answer.status().is_success() => Some(Ok(())),
                    (_, Some(status)) => Some(Err(status)),
                    _ => None,
                }
            }
        })
        .await;
        let is_ready = matches!(ready, Some(Ok(())));
        assert!(
            is_ready,
            "Barograph is not ready ({ready:?}); its log: {}",
            self.log()
        );
        self.process = Some(process);
    }

    pub async fn start(&mut self) {
        self.start_under(&[]).await;
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// SIGTERM, and how it ended.
    pub fn terminate(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it runs");
        let status = Command::new("kill")
            .arg("-TERM")
            .arg(process.0.id().to_string())
            .status()
            .unwrap();
        assert!(status.success());
        process.0.wait().unwrap()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.http)
    }

    /// A line of `/proc/PID/status` of the program, in bytes.
    pub fn memory_bytes(&self, key: &str) -> usize {
        let pid = self.process.as_ref().expect("it runs").0.id();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with(key)).unwrap();
        let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib * 1024
    }

    /// What the program has written to its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data_dir.with_extension("log")).unwrap()
    }

    /// Remote write; the status and the text of the answer, or `None` when there was none.
    pub async fn write(&self, body: Vec<u8>) -> Option<(u16, String)> {
        self.write_as("default", body).await
    }

    /// Remote write of a tenant.
    pub async fn write_as(&self, tenant: &str, body: Vec<u8>) -> Option<(u16, String)> {
        let request = self
            .client
            .post(self.url("/api/v1/write"))
            .header("Content-Type", "application/x-protobuf")
            .header("Content-Encoding", "snappy")
            .header("X-Scope-OrgID", tenant)
            .body(body);
        let answer = request.send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    pub async fn post(&self, path: &str) -> (u16, String) {
        let answer = self.client.post(self.url(path)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    pub async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.client.get(self.url(path)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// SQL, as Arrow.
    pub async fn sql(&self, query: &str) -> Vec<RecordBatch> {
        let body = json!({ "query": query, "format": "arrow" });
        let answer = self
            .client
            .post(self.url("/api/v1/sql"))
            .json(&body)
            .send()
            .await
            .unwrap();
        let status = answer.status();
        let bytes = answer.bytes().await.unwrap();
        assert!(
            status.is_success(),
            "{query}: {status} {}",
            String::from_utf8_lossy(&bytes)
        );
        StreamReader::try_new(Cursor::new(bytes), None)
            .unwrap()
            .map(Result::unwrap)
            .collect()
    }

    /// SQL, as the JSON contract says: the rows.
    pub async fn rows(&self, query: &str) -> Vec<Vec<serde_json::Value>> {
        let body = json!({ "query": query });
        let answer = self
            .client
            .post(self.url("/api/v1/sql"))
            .json(&body)
            .send()
            .await
            .unwrap();
        let mut answer: serde_json::Value = answer.json().await.unwrap();
        serde_json::from_value(answer["rows"].take()).unwrap_or_else(|e| panic!("{query}: {e}: {answer}"))
    }

    /// Every sample in a closed range of instants; fails where one is there twice.
    pub async fn samples(&self, from_ms: i64, to_ms: i64) -> Samples {
        let series = self.series().await;
        let query = format!(
            "SELECT series_id, CAST(ts AS BIGINT) AS ms, value FROM samples \
             WHERE ts >= to_timestamp_millis({from_ms}) AND ts <= to_timestamp_millis({to_ms})"
        );
        let mut samples = Samples::new();
        for batch in self.sql(&query).await {
            let ids = batch.column(0).as_primitive::<arrow::datatypes::Int64Type>();
            let ms = batch.column(1).as_primitive::<arrow::datatypes::Int64Type>();
            let values = batch.column(2).as_primitive::<arrow::datatypes::Float64Type>();
            for row in 0..batch.num_rows() {
                let key = (series[&ids.value(row)].clone(), ms.value(row));
                let earlier = samples.insert(key.clone(), values.value(row).to_bits());
                assert_eq!(earlier, None, "{key:?} is there twice");
            }
        }
        samples
    }

    async fn series(&self) -> BTreeMap<i64, Pairs> {
        let mut series = BTreeMap::new();
        for batch in self
            .sql("SELECT series_id, CAST(metric AS VARCHAR) AS metric, labels FROM series")
            .await
        {
            let ids = batch.column(0).as_primitive::<arrow::datatypes::Int64Type>();
            let metrics = arrow::compute::cast(batch.column(1), &arrow::datatypes::DataType::Utf8).unwrap();
            let maps = batch.column(2).as_map();
            for row in 0..batch.num_rows() {
                let entry = maps.value(row);
                let (keys, values) = (
                    entry.column(0).as_string::<i32>(),
                    entry.column(1).as_string::<i32>(),
                );
                let mut pairs: Pairs = (0..entry.len())
                    .map(|i| (keys.value(i).to_owned(), values.value(i).to_owned()))
                    .collect();
                pairs.push((
                    "__name__".to_owned(),
                    metrics.as_string::<i32>().value(row).to_owned(),
                ));
                pairs.sort();
                series.insert(ids.value(row), pairs);
            }
        }
        series
    }
}

/// A remote write body.
pub fn body(series: &[(Pairs, Vec<(i64, f64)>)]) -> Vec<u8> {
    let timeseries = series.iter().map(|(pairs, samples)| TimeSeries {
        labels: labels(pairs),
        samples: samples
            .iter()
            .map(|(ts, value)| Sample {
                value: *value,
                timestamp: *ts,
            })
            .collect(),
        ..TimeSeries::default()
    });
    compressed(&WriteRequest {
        timeseries: timeseries.collect(),
        ..WriteRequest::default()
    })
}

/// The body of any request of remote write 1.0.
pub fn compressed(request: &WriteRequest) -> Vec<u8> {
    snap::raw::Encoder::new()
        .compress_vec(&request.encode_to_vec())
        .unwrap()
}

/// Label pairs as a request has them.
pub fn labels(pairs: &[(String, String)]) -> Vec<Label> {
    let label = |(name, value): &(String, String)| Label {
        name: name.clone(),
        value: value.clone(),
    };
    pairs.iter().map(label).collect()
}

/// A series of these tests.
pub fn pairs(pairs: &[(&str, &str)]) -> Pairs {
    let mut pairs: Pairs = pairs
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    pairs.sort();
    pairs
}

/// The wall clock, in milliseconds since the epoch.
pub fn now_ms() -> i64 {
    use barograph_model::Clock;
    barograph_model::SystemClock::new().now().0
}
