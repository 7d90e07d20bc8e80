//! Where samples are written: a server, over remote write, or a data directory that nobody has open.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use barograph_engine::vfs::DiskVfs;
use barograph_engine::{Engine, EngineError, Options, SampleColumns};
use barograph_model::SystemClock;
use barograph_proto::prometheus::{Label, Sample, TimeSeries, WriteRequest};
use bytes::Bytes;
use prost::Message;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, StatusCode};

use super::ImportFailure;
use super::batch::Batch;
use super::error::innermost;
use crate::channels::install_crypto_provider;

/// A batch is tried this often: about five minutes with the pauses below.
const ATTEMPTS: u32 = 60;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A longer `Retry-After` is cut to this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(30);

/// A server or a store.
#[derive(Debug)]
pub(super) enum Target {
    Server(Server),
    Store(Store),
}

impl Target {
    /// Returns when the samples of a batch are durable.
    ///
    /// # Errors
    /// [`ImportFailure`]; the batch may be written in part, and may be sent again.
    pub(super) async fn write(&self, batch: &Arc<Batch>) -> Result<(), ImportFailure> {
        if batch.series.is_empty() {
            return Ok(());
        }
        match self {
            Self::Server(server) => server.write(batch).await,
            Self::Store(store) => store.write(batch).await,
        }
    }

    /// Nothing more is written.
    ///
    /// # Errors
    /// What the store says; nothing that was written is lost by it.
    pub(super) async fn finish(&self) -> Result<(), ImportFailure> {
        match self {
            Self::Server(_) => Ok(()),
            Self::Store(store) => {
                let engine = Arc::clone(&store.engine);
                let closing = tokio::task::spawn_blocking(move || engine.close()).await;
                Ok(closing.unwrap_or(Err(EngineError::Closing))?)
            }
        }
    }
}

/// A server that takes remote write.
#[derive(Debug)]
pub(super) struct Server {
    client: Client,
    url: String,
}

impl Server {
    /// # Errors
    /// [`ImportFailure::Arguments`] when no client can be made.
    pub(super) fn new(url: &str) -> Result<Self, ImportFailure> {
        install_crypto_provider();
        let client = Client::builder()
            .user_agent(concat!("barograph-import/", env!("CARGO_PKG_VERSION")))
            .timeout(Duration::from_secs(60))
            .build()
            .map_err(|error| ImportFailure::Arguments(format!("--url {url}: {}", innermost(&error))))?;
        let base = match url.contains("://") {
            true => url.to_owned(),
            false => format!("http://{url}"),
        };
        Ok(Self {
            client,
            url: format!("{}/api/v1/write", base.trim_end_matches('/')),
        })
    }

    async fn write(&self, batch: &Batch) -> Result<(), ImportFailure> {
        let body = Bytes::from(encode(batch));
        let mut pause = FIRST_PAUSE;
        let mut reason = String::new();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            let request = self
                .client
                .post(&self.url)
                .header(CONTENT_TYPE, "application/x-protobuf")
                .header(CONTENT_ENCODING, "snappy")
                .header("X-Prometheus-Remote-Write-Version", "0.1.0")
                .body(body.clone());
            let response = match request.send().await {
                Ok(response) => response,
                Err(error) => {
                    reason = innermost(&error);
                    continue;
                }
            };
            let status = response.status();
            if status.is_success() {
                return Ok(());
            }
            let asked = response
                .headers()
                .get(RETRY_AFTER)
                .and_then(|value| value.to_str().ok()?.parse().ok())
                .map(Duration::from_secs);
            let text = response.text().await.unwrap_or_default();
            let answer: String = text.trim().chars().take(300).collect();
            if status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() {
                return Err(ImportFailure::Refused {
                    url: self.url.clone(),
                    status: status.as_u16(),
                    answer,
                });
            }
            reason = format!("{status} {answer}");
            pause = asked.map_or(pause, |asked| asked.min(LONGEST_RETRY_AFTER));
        }
        Err(ImportFailure::Unavailable {
            url: self.url.clone(),
            attempts: ATTEMPTS,
            reason,
        })
    }
}

/// A remote write request of version 1.
fn encode(batch: &Batch) -> Vec<u8> {
    let series = |series: &super::batch::Series| TimeSeries {
        labels: series
            .labels
            .iter()
            .map(|(name, value)| Label {
                name: name.to_owned(),
                value: value.to_owned(),
            })
            .collect(),
        samples: series
            .samples
            .iter()
            .map(|(timestamp, value)| Sample {
                value: *value,
                timestamp: *timestamp,
            })
            .collect(),
        ..TimeSeries::default()
    };
    let request = WriteRequest {
        timeseries: batch.series.iter().map(series).collect(),
        ..WriteRequest::default()
    };
    let bytes = request.encode_to_vec();
    let mut compressed = vec![0; snap::raw::max_compress_len(bytes.len())];
    // Fails for inputs beyond 4 GiB only, and a batch is a few megabytes.
    let len = snap::raw::Encoder::new()
        .compress(&bytes, &mut compressed)
        .unwrap_or_default();
    compressed.truncate(len);
    compressed
}

/// A data directory.
#[derive(Debug)]
pub(super) struct Store {
    engine: Arc<Engine>,
    pub(super) data_dir: PathBuf,
}

impl Store {
    /// Opens a data directory, or makes one. Blocks.
    ///
    /// # Errors
    /// What the store says, above all when a server has it open.
    pub(super) fn open(data_dir: &Path) -> Result<Self, ImportFailure> {
        let vfs = DiskVfs::open(data_dir).map_err(ImportFailure::io("open", data_dir))?;
        // What is old is what is imported; the server drops it later if it is told to.
        let options = Options {
            retention_ms: None,
            ..Options::default()
        };
        let engine = Engine::open(Arc::new(vfs), Arc::new(SystemClock::new()), options)?;
        Ok(Self {
            engine,
            data_dir: data_dir.to_owned(),
        })
    }

    async fn write(&self, batch: &Arc<Batch>) -> Result<(), ImportFailure> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let (engine, shared) = (Arc::clone(&self.engine), Arc::clone(batch));
            let written = tokio::task::spawn_blocking(move || append(&engine, &shared)).await;
            match written.unwrap_or(Err(EngineError::Closing)) {
                Err(EngineError::Overloaded { .. } | EngineError::Unwritable { .. })
                    if attempt < ATTEMPTS =>
                {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                result => return Ok(result?),
            }
        }
        Ok(())
    }
}

fn append(engine: &Engine, batch: &Batch) -> Result<(), EngineError> {
    let head = engine.head();
    let mut columns = SampleColumns::new(&head);
    for series in &batch.series {
        let id = head.series(&series.labels);
        for (ts, value) in &series.samples {
            columns.push(id, *ts, *value);
        }
    }
    engine.append_blocking(columns)
}
