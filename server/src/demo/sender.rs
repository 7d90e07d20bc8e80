//! Posts remote write bodies, and tries again where the server asks for it.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, StatusCode};
use thiserror::Error;

/// A request is tried this often before the feeder gives up: about two minutes with the pauses below.
const ATTEMPTS: u32 = 30;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A longer `Retry-After` is cut to this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(30);
/// Of a refusal this much is shown.
const SHOWN_CHARS: usize = 300;

/// Why the fleet could not be fed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FeedError {
    /// No HTTP client could be made.
    #[error("cannot make an HTTP client: {0}")]
    Client(reqwest::Error),
    /// The server does not want the samples.
    #[error("{url} refused the demo's samples with {status}: {answer}")]
    Refused {
        /// Where they were sent.
        url: String,
        /// Its status.
        status: StatusCode,
        /// The beginning of what it said.
        answer: String,
    },
    /// The server cannot be reached, or was overloaded for minutes.
    #[error("{url} took none of {ATTEMPTS} attempts, the last one failed with: {reason}")]
    Unavailable {
        /// Where they were sent.
        url: String,
        /// What happened last.
        reason: String,
    },
    /// A body grew too large to compress.
    #[error("cannot compress a request: {0}")]
    Compress(#[from] snap::Error),
    /// The thread that makes the samples ended early.
    #[error("the demo's generator stopped unexpectedly; this is a bug")]
    GeneratorStopped,
}

/// Sends to one server over kept connections. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    client: Client,
    url: String,
}

impl Sender {
    /// To `/api/v1/write` of a server at `host:port`.
    pub(super) fn new(address: &str) -> Result<Self, FeedError> {
        // Says only that a provider is installed already, which is what is wanted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("barograph-demo/", env!("CARGO_PKG_VERSION")))
            .timeout(Duration::from_secs(60))
            .build()
            .map_err(FeedError::Client)?;
        Ok(Self {
            client,
            url: format!("http://{address}/api/v1/write"),
        })
    }

    /// Returns when the server has acknowledged the body.
    pub(super) async fn send(&self, body: Bytes) -> Result<(), FeedError> {
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
            let retry_after = response
                .headers()
                .get(RETRY_AFTER)
                .and_then(|value| value.to_str().ok());
            let asked = retry_after
                .and_then(|text| text.parse().ok())
                .map(Duration::from_secs);
            let answer: String = response
                .text()
                .await
                .unwrap_or_default()
                .chars()
                .take(SHOWN_CHARS)
                .collect();
            if status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() {
                return Err(FeedError::Refused {
                    url: self.url.clone(),
                    status,
                    answer,
                });
            }
            reason = format!("{status} {answer}");
            pause = asked.map_or(pause, |asked| asked.min(LONGEST_RETRY_AFTER));
        }
        Err(FeedError::Unavailable {
            url: self.url.clone(),
            reason,
        })
    }
}

/// The cause at the bottom: "connection refused" rather than "error sending request".
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
