//! Reading from a running Prometheus over its remote read protocol, a window of time after the other.
//!
//! Unlike a text this keeps every bit of a value, staleness markers among them.

use std::time::Duration;

use barograph_model::{Labels, MatchOp, Matcher};
use barograph_proto::prometheus::TimeSeries;
use bytes::Bytes;
use prost::Message;
use reqwest::Client;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use tokio::sync::mpsc::Sender;

use super::ImportFailure;
use super::batch::{Batch, Batcher, Position};
use super::error::innermost;
use crate::channels::install_crypto_provider;
use crate::ingest::{SnappyError, decompress};

/// Bytes of one answer, compressed and not.
const ANSWER_BYTES_MAX: usize = 512 << 20;

/// How long one window may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often one window is asked for.
const ATTEMPTS: u32 = 6;

/// The pause after the first failure; doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// What is read.
#[derive(Debug)]
pub(super) struct RemoteRead {
    /// Of Prometheus, or of its `/api/v1/read`.
    pub(super) url: String,
    pub(super) matchers: Vec<Matcher>,
    /// The first instant, in milliseconds since the epoch.
    pub(super) from_ms: i64,
    /// The last instant.
    pub(super) to_ms: i64,
    /// The length of a window.
    pub(super) window_ms: i64,
    pub(super) skips_bad: bool,
}

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

impl RemoteRead {
    /// The address that is asked.
    pub(super) fn endpoint(&self) -> String {
        let url = match self.url.contains("://") {
            true => self.url.clone(),
            false => format!("http://{}", self.url),
        };
        let url = url.trim_end_matches('/');
        match url.ends_with("/api/v1/read") {
            true => url.to_owned(),
            false => format!("{url}/api/v1/read"),
        }
    }

    /// Reads from a position to the end and sends batches. Ends early where nobody receives any more.
    ///
    /// # Errors
    /// [`ImportFailure::RemoteRead`]; what was read before it has been sent.
    pub(super) async fn read(
        self,
        from: Position,
        batches: &Sender<Result<Batch, ImportFailure>>,
    ) -> Result<(), ImportFailure> {
        install_crypto_provider();
        let client = Client::builder()
            .timeout(PATIENCE)
            .build()
            .map_err(|error| self.failed(innermost(&error)))?;
        let mut start = from.offset.max(self.from_ms);
        let mut batcher = Batcher::default();
        while start <= self.to_ms {
            let end = start.saturating_add(self.window_ms - 1).min(self.to_ms);
            let series = self.window(&client, start, end).await?;
            for series in series {
                if !series.histograms.is_empty() && !self.skips_bad {
                    let what =
                        "a native histogram, which the import does not carry (--skip-bad leaves it out)";
                    return Err(self.failed(what.to_owned()));
                }
                let labels = series.labels.iter().map(|l| (l.name.as_str(), l.value.as_str()));
                let labels = Labels::from_pairs(labels).map_err(|error| self.failed(error.to_string()))?;
                let samples: Vec<(i64, f64)> =
                    series.samples.iter().map(|s| (s.timestamp, s.value)).collect();
                for part in samples.chunks(10_000) {
                    batcher
                        .add_series(&labels, part)
                        .map_err(|what| self.failed(what))?;
                    if batcher.is_full() && batches.send(Ok(batcher.take(None))).await.is_err() {
                        return Ok(());
                    }
                }
                (0..series.histograms.len()).for_each(|_| batcher.skip());
            }
            start = end.saturating_add(1);
            let done = Position {
                offset: start,
                lines: 0,
            };
            if batches.send(Ok(batcher.take(Some(done)))).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn window(&self, client: &Client, start: i64, end: i64) -> Result<Vec<TimeSeries>, ImportFailure> {
        let matcher = |matcher: &Matcher| ReadMatcher {
            kind: match matcher.op() {
                MatchOp::Equal => 0,
                MatchOp::NotEqual => 1,
                MatchOp::Regex => 2,
                MatchOp::NotRegex => 3,
            },
            name: matcher.name().to_owned(),
            value: matcher.value().to_owned(),
        };
        let query = ReadQuery {
            start_timestamp_ms: start,
            end_timestamp_ms: end,
            matchers: self.matchers.iter().map(matcher).collect(),
        };
        let request = ReadRequest { queries: vec![query] }.encode_to_vec();
        let body = snap::raw::Encoder::new()
            .compress_vec(&request)
            .map_err(|error| self.failed(error.to_string()))?;
        let mut pause = FIRST_PAUSE;
        let mut reason = String::new();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            match self.ask(client, Bytes::from(body.clone())).await {
                Ok(answer) => return read_answer(&answer).map_err(|reason| self.failed(reason)),
                Err(Answer::Refused(why)) => return Err(self.failed(why)),
                Err(Answer::Broken(why)) => reason = why,
            }
        }
        Err(self.failed(format!(
            "none of {ATTEMPTS} attempts succeeded, the last one: {reason}"
        )))
    }

    async fn ask(&self, client: &Client, body: Bytes) -> Result<Vec<u8>, Answer> {
        let broken = |error: reqwest::Error| Answer::Broken(innermost(&error));
        let sent = client
            .post(self.endpoint())
            .header(CONTENT_TYPE, "application/x-protobuf")
            .header(CONTENT_ENCODING, "snappy")
            .header("X-Prometheus-Remote-Read-Version", "0.1.0")
            .body(body)
            .send();
        let mut response = sent.await.map_err(broken)?;
        let status = response.status();
        let mut answer = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(broken)? {
            if answer.len() + piece.len() > ANSWER_BYTES_MAX {
                return Err(Answer::Refused(too_large()));
            }
            answer.extend_from_slice(&piece);
        }
        if status.is_success() {
            return Ok(answer);
        }
        let text: String = String::from_utf8_lossy(&answer)
            .trim()
            .chars()
            .take(300)
            .collect();
        let hint = match text.contains("sample limit") {
            true => " (use a smaller --window)",
            false => "",
        };
        let told = format!("it answered {status}: {text}{hint}");
        match status.is_server_error() || status.as_u16() == 429 {
            true => Err(Answer::Broken(told)),
            false => Err(Answer::Refused(told)),
        }
    }

    fn failed(&self, reason: String) -> ImportFailure {
        ImportFailure::RemoteRead {
            url: self.endpoint(),
            reason,
        }
    }
}

/// The series in an answer of the type `SAMPLES`.
///
/// # Errors
/// What is wrong with it, for people.
pub fn read_answer(answer: &[u8]) -> Result<Vec<TimeSeries>, String> {
    let bytes = decompress(answer, ANSWER_BYTES_MAX).map_err(|error| match error {
        SnappyError::TooLarge { .. } => too_large(),
        error => format!("its answer is not snappy: {error}"),
    })?;
    let response = ReadResponse::decode(bytes.as_slice())
        .map_err(|error| format!("its answer is not what remote read gives: {error}"))?;
    Ok(response
        .results
        .into_iter()
        .flat_map(|result| result.timeseries)
        .collect())
}

/// Why there is no answer.
enum Answer {
    /// Asking again changes nothing.
    Refused(String),
    /// Asking again may help.
    Broken(String),
}

fn too_large() -> String {
    format!("an answer is larger than {ANSWER_BYTES_MAX} bytes (use a smaller --window)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_is_found_from_what_people_write() {
        for (url, expected) in [
            ("prometheus:9090", "http://prometheus:9090/api/v1/read"),
            ("https://p/prom/", "https://p/prom/api/v1/read"),
            ("http://p/api/v1/read", "http://p/api/v1/read"),
        ] {
            let read = RemoteRead {
                url: url.to_owned(),
                matchers: vec![],
                from_ms: 0,
                to_ms: 0,
                window_ms: 1,
                skips_bad: false,
            };
            assert_eq!(read.endpoint(), expected);
        }
    }
}
