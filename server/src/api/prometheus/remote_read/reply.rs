//! The endpoint: what is asked, which answer the client takes, and the two answers.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use barograph_model::{Matcher, MemoryBudget, MemoryReservation, MemoryShare, TimeRange};
use barograph_promql::Interrupt;
use barograph_proto::prometheus::{Sample, TimeSeries};
use prost::Message;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use super::super::PrometheusSource;
use super::super::error::ApiError;
use super::frame::{chunks_of, frames_of, labels_of};
use super::histogram::histogram_message;
use super::message::{QueryResult, ReadRequest, ReadResponse, ResponseType};
use super::read::{ReadQuery, ReadSeries};
use crate::http::read_capped;
use crate::ingest::decompress;

/// Bytes of a request, compressed and not.
const REQUEST_BYTES_MAX: usize = 4 << 20;
const QUERIES_MAX: usize = 1000;
/// How long a request may take to arrive, and to wait for others.
const PATIENCE: Duration = Duration::from_secs(30);
/// Requests that are answered at the same time, as in Prometheus.
const PLACES: usize = 10;
/// Frames that wait for a slow client.
const FRAMES_WAITING_MAX: usize = 8;

const SAMPLES_TYPE: &str = "application/x-protobuf";
const STREAM_TYPE: &str = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";

/// Bounds how many remote reads run at once. A slow client holds a thread, so they do not run among the queries.
#[derive(Debug, Clone)]
pub struct ReadPlaces(Arc<Semaphore>);

impl Default for ReadPlaces {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(PLACES)))
    }
}

impl ReadPlaces {
    async fn enter(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let entered = tokio::time::timeout(PATIENCE, Arc::clone(&self.0).acquire_owned()).await;
        let full = || ApiError::new("unavailable", format!("{PLACES} remote reads run already"));
        entered.map_err(|_| full())?.map_err(|_| full())
    }
}

/// Ends the work when nobody waits for it any more.
struct CancelOnDrop(Interrupt);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// `POST /api/v1/read`.
pub(in crate::api::prometheus) async fn remote_read(
    State(api): State<Arc<PrometheusSource>>,
    body: Body,
) -> Response {
    match answer(&api, body).await {
        Ok(response) => response,
        Err(error) => error.into_text(),
    }
}

async fn answer(api: &Arc<PrometheusSource>, body: Body) -> Result<Response, ApiError> {
    let bad = |reason: String| ApiError::bad_data(reason);
    let block = read_capped(body, REQUEST_BYTES_MAX, PATIENCE, |_| true).await;
    let block = block.map_err(|error| bad(error.to_string()))?;
    let bytes = decompress(&block, REQUEST_BYTES_MAX).map_err(|error| bad(error.to_string()))?;
    let request = ReadRequest::decode(bytes.as_slice()).map_err(|error| bad(error.to_string()))?;
    let queries = queries_of(&request)?;
    let place = api.read_places.enter().await?;
    let work = Work {
        api: Arc::clone(api),
        interrupt: Interrupt::default(),
        queries,
    };
    let guard = CancelOnDrop(work.interrupt.clone());
    let takes = |kind: ResponseType| request.accepted_response_types.contains(&(kind as i32));
    let first = request
        .accepted_response_types
        .iter()
        .find_map(|kind| ResponseType::try_from(*kind).ok());
    let has_samples = request.accepted_response_types.is_empty() || takes(ResponseType::Samples);
    let planned = tokio::task::spawn_blocking(move || work.plan())
        .await
        .map_err(fault)??;
    match first {
        None if !request.accepted_response_types.is_empty() => {
            let message = "the server does not support any of the requested response types";
            Err(ApiError::new("internal", message))
        }
        Some(ResponseType::StreamedXorChunks) if !planned.has_histograms => Ok(stream(planned, place, guard)),
        _ if has_samples => {
            let message = tokio::task::spawn_blocking(move || samples(planned))
                .await
                .map_err(fault)?;
            drop((place, guard));
            Ok(message?)
        }
        _ => {
            let message =
                "native histograms are answered with samples only; accept the response type SAMPLES as well";
            Err(ApiError::new("internal", message))
        }
    }
}

fn fault(_: tokio::task::JoinError) -> ApiError {
    ApiError::new(
        "internal",
        "the read ended by a fault of the program; see the log",
    )
}

type Asked = (Vec<Matcher>, TimeRange);

fn queries_of(request: &ReadRequest) -> Result<Vec<Asked>, ApiError> {
    if request.queries.len() > QUERIES_MAX {
        return Err(ApiError::bad_data(format!("more than {QUERIES_MAX} queries")));
    }
    let mut queries = Vec::new();
    for query in &request.queries {
        let mut matchers = Vec::new();
        for matcher in &query.matchers {
            let matcher = matcher
                .to_matcher()
                .ok_or_else(|| ApiError::bad_data(format!("invalid matcher type {}", matcher.kind)))?;
            matchers.push(matcher.map_err(|error| ApiError::bad_data(error.to_string()))?);
        }
        let range = TimeRange::new(query.start_timestamp_ms, query.end_timestamp_ms);
        queries.push((matchers, range));
    }
    Ok(queries)
}

/// What is to be read.
struct Work {
    api: Arc<PrometheusSource>,
    interrupt: Interrupt,
    queries: Vec<Asked>,
}

/// What is to be read, once its series are known.
struct Planned {
    interrupt: Interrupt,
    queries: Vec<ReadQuery>,
    has_histograms: bool,
    samples_left: u64,
    memory: Arc<MemoryBudget>,
}

impl Work {
    fn plan(self) -> Result<Planned, ApiError> {
        let limits = self.api.promql.limits();
        let snapshot = self.api.promql.snapshot();
        let mut planned = Planned {
            interrupt: self.interrupt,
            queries: Vec::new(),
            has_histograms: false,
            samples_left: limits.samples_max,
            memory: Arc::clone(&limits.memory),
        };
        for (matchers, range) in &self.queries {
            let query = ReadQuery::new(&snapshot, matchers, *range)?;
            planned.has_histograms |= query.has_histograms()?;
            planned.queries.push(query);
        }
        Ok(planned)
    }
}

/// One message with all samples.
fn samples(mut planned: Planned) -> Result<Response, ApiError> {
    let mut memory = MemoryReservation::empty(&planned.memory, MemoryShare::Queries);
    let mut response = ReadResponse::default();
    for query in &mut planned.queries {
        let mut result = QueryResult::default();
        while let Some(batch) =
            query.next_batch(&planned.interrupt, &mut memory, &mut planned.samples_left)?
        {
            result.timeseries.extend(batch.into_iter().map(time_series));
        }
        response.results.push(result);
    }
    let message = response.encode_to_vec();
    drop(response);
    let block = snap::raw::Encoder::new()
        .compress_vec(&message)
        .map_err(|error| ApiError::new("internal", error.to_string()))?;
    let mut response = Body::from(block).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(SAMPLES_TYPE));
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("snappy"));
    Ok(response)
}

fn time_series(series: ReadSeries) -> TimeSeries {
    let samples = series.rows.ts.iter().zip(&series.rows.values);
    TimeSeries {
        labels: labels_of(&series.labels),
        samples: samples
            .map(|(timestamp, value)| Sample {
                value: *value,
                timestamp: *timestamp,
            })
            .collect(),
        histograms: series
            .histograms
            .iter()
            .map(|(ts, h)| histogram_message(*ts, h))
            .collect(),
        ..TimeSeries::default()
    }
}

/// Frames, written while they are sent. What fails on the way breaks the connection, which no client takes for the end.
fn stream(mut planned: Planned, place: OwnedSemaphorePermit, guard: CancelOnDrop) -> Response {
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(FRAMES_WAITING_MAX);
    tokio::task::spawn_blocking(move || {
        let _held = (place, guard);
        if let Err(error) = send_frames(&mut planned, &sender) {
            tracing::warn!(error = error.message, "a stream of remote read broke off");
            // The client may have gone.
            let _ = sender.blocking_send(Err(io::Error::other(error.message)));
        }
    });
    let mut response = Body::from_stream(ReceiverStream::new(receiver)).into_response();
    let content_type = HeaderValue::from_static(STREAM_TYPE);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn send_frames(planned: &mut Planned, sender: &mpsc::Sender<io::Result<Bytes>>) -> Result<(), ApiError> {
    for (index, query) in planned.queries.iter_mut().enumerate() {
        loop {
            let mut memory = MemoryReservation::empty(&planned.memory, MemoryShare::Queries);
            let batch = query.next_batch(&planned.interrupt, &mut memory, &mut planned.samples_left)?;
            let Some(batch) = batch else {
                break;
            };
            for series in batch {
                let chunks = chunks_of(&series.rows.ts, &series.rows.values);
                for frame in frames_of(index as i64, &series.labels, chunks) {
                    if sender.blocking_send(Ok(frame)).is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }
    Ok(())
}
