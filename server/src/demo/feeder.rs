//! Feeds a fleet to a server: its past as fast as the server takes it, then its present as it happens.

use std::sync::Arc;
use std::time::Duration;

use barograph_datasets::{Fleet, Scrape};
use barograph_model::{Clock, TimestampMs};
use futures::{StreamExt, TryStreamExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::body::{Body, BodyEncoder};
use super::progress::Progress;
use super::sender::{FeedError, Sender};

/// Scrapes a request: about 10,000 samples, which compress to some 40 kB.
const SCRAPES_PER_REQUEST: usize = 40;
/// Requests under way at once; they share the server's fsyncs.
const IN_FLIGHT: usize = 4;

/// What was fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fed {
    /// Acknowledged samples, staleness markers included.
    pub samples: u64,
    /// Acknowledged requests.
    pub requests: u64,
    /// From the first to the last acknowledgement.
    pub took_ms: u64,
}

/// Feeds one fleet to one server.
#[derive(Debug)]
pub struct Feeder {
    fleet: Arc<Fleet>,
    sender: Sender,
    clock: Arc<dyn Clock>,
}

impl Feeder {
    /// To the server that listens for HTTP at `address`, `host:port`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`FeedError::Client`] when no HTTP client can be made.
    pub fn new(fleet: Arc<Fleet>, address: &str, clock: Arc<dyn Clock>) -> Result<Self, FeedError> {
        Ok(Self {
            fleet,
            sender: Sender::new(address)?,
            clock,
        })
    }

    /// Sends everything from the fleet's start to its now (without it), a scrape every `step_ms`, and shows the
    /// progress on standard error. Requests may arrive in another order than that of time.
    ///
    /// # Errors
    /// [`FeedError`] for the first request that did not go through; others may have.
    pub async fn back_fill(&self, step_ms: i64) -> Result<Fed, FeedError> {
        let started_ns = self.clock.monotonic_ns();
        let (step_ms, start, end) = (step_ms.max(1), self.fleet.start(), self.fleet.now());
        let scrapes = usize::try_from(end.since(start).div_euclid(step_ms)).unwrap_or(0);
        let mut progress = Progress::new((scrapes * self.fleet.series().len()) as u64);
        let instants = (0..)
            .map(move |i| start.saturating_add(i * step_ms))
            .take_while(move |at| *at < end);
        let bodies = generate(Arc::clone(&self.fleet), portions(instants));
        let mut acknowledged = ReceiverStream::new(bodies)
            .map(|body| async {
                let body = body?;
                self.sender.send(body.bytes).await.map(|()| body.samples as u64)
            })
            .buffer_unordered(IN_FLIGHT);
        let mut fed = Fed::default();
        while let Some(samples) = acknowledged.try_next().await? {
            fed.samples += samples;
            fed.requests += 1;
            progress.add(samples);
        }
        progress.finish();
        fed.took_ms = self.clock.monotonic_ns().saturating_sub(started_ns) / 1_000_000;
        Ok(fed)
    }

    /// Sends a scrape every `step_ms` from the fleet's now on, catching up with what has passed since, until it
    /// is told to stop.
    ///
    /// # Errors
    /// [`FeedError`] for a request that did not go through.
    pub async fn live(&self, step_ms: i64, stop: CancellationToken) -> Result<Fed, FeedError> {
        let started_ns = self.clock.monotonic_ns();
        let (order, mut orders) = mpsc::channel::<Vec<TimestampMs>>(1);
        let mut bodies = generate(
            Arc::clone(&self.fleet),
            std::iter::from_fn(move || orders.blocking_recv()),
        );
        let mut next = self.fleet.now();
        let mut fed = Fed::default();
        loop {
            let now = self.clock.now();
            let due: Vec<_> = (0..)
                .map(|i| next.saturating_add(i * step_ms.max(1)))
                .take_while(|at| *at <= now)
                .take(SCRAPES_PER_REQUEST)
                .collect();
            let Some(last) = due.last().copied() else {
                let pause = Duration::from_millis(u64::try_from(next.since(now)).unwrap_or(0));
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep(pause) => continue,
                }
            };
            next = last.saturating_add(step_ms.max(1));
            let send = async {
                order.send(due).await.map_err(|_| FeedError::GeneratorStopped)?;
                let body = bodies.recv().await.ok_or(FeedError::GeneratorStopped)??;
                self.sender.send(body.bytes).await.map(|()| body.samples as u64)
            };
            fed.samples += tokio::select! {
                () = stop.cancelled() => break,
                samples = send => samples?,
            };
            fed.requests += 1;
        }
        fed.took_ms = self.clock.monotonic_ns().saturating_sub(started_ns) / 1_000_000;
        Ok(fed)
    }
}

/// Cuts instants into the portions of requests.
fn portions(mut instants: impl Iterator<Item = TimestampMs>) -> impl Iterator<Item = Vec<TimestampMs>> {
    std::iter::from_fn(move || {
        let portion: Vec<_> = instants.by_ref().take(SCRAPES_PER_REQUEST).collect();
        (!portion.is_empty()).then_some(portion)
    })
}

/// Scrapes and encodes on a thread of its own, a few bodies ahead of the sender at most. It ends with the
/// portions, or when the receiver is dropped.
fn generate(
    fleet: Arc<Fleet>,
    portions: impl Iterator<Item = Vec<TimestampMs>> + Send + 'static,
) -> mpsc::Receiver<Result<Body, FeedError>> {
    let (bodies, receiver) = mpsc::channel(IN_FLIGHT);
    tokio::task::spawn_blocking(move || {
        let mut encoder = BodyEncoder::new(fleet.series());
        let mut scraper = fleet.scraper();
        for portion in portions {
            let scrapes: Vec<Scrape> = portion.into_iter().map(|at| scraper.scrape(at)).collect();
            let body = encoder.encode(&scrapes).map_err(FeedError::from);
            if bodies.blocking_send(body).is_err() {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests;
