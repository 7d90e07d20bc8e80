//! The subscription: each stream reads the event log by its own cursor, at its client's pace.
//!
//! Invariants:
//! - within a stream sequence numbers grow, and each event that passes the filter comes once, or is inside a
//!   [`v1::Gap`];
//! - a stream holds one page of the log at most, whatever its client does: nothing is queued for it, and nobody
//!   waits for it. When the log has moved past its cursor, it is told what it missed, and goes on;
//! - a cursor is sent only after everything before it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use barograph_alerts::{AlertStore, EventFilter, Gap};
use barograph_proto::v1;
use barograph_proto::v1::alerts_server::Alerts;
use barograph_proto::v1::subscribe_response::Message;
use futures::Stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::{Cursor, Start, message};
use crate::alerting::AlertHub;

/// Events that a stream reads from the log at once.
const PAGE_EVENTS: usize = 64;

/// Alerts in one message of a snapshot; keeps messages far below the 4 MiB that clients accept.
const SNAPSHOT_ALERTS: usize = 200;

/// Streams open at once.
const STREAMS_MAX: usize = 1_000;

const HEARTBEAT_MS_DEFAULT: u32 = 15_000;
const HEARTBEAT_MS_MIN: u32 = 100;
const HEARTBEAT_MS_MAX: u32 = 3_600_000;

/// Answers `barograph.v1.Alerts`.
#[derive(Debug)]
pub struct AlertsService {
    hub: Arc<AlertHub>,
    stop: CancellationToken,
    streams: Arc<Semaphore>,
}

impl AlertsService {
    /// A service over the hub's log. Streams end when `stop` is cancelled.
    #[must_use]
    pub fn new(hub: Arc<AlertHub>, stop: CancellationToken) -> Self {
        Self {
            hub,
            stop,
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        }
    }
}

#[tonic::async_trait]
impl Alerts for AlertsService {
    type SubscribeStream = Pin<Box<dyn Stream<Item = Result<v1::SubscribeResponse, Status>> + Send>>;

    async fn subscribe(
        &self,
        request: Request<v1::SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let permit = Arc::clone(&self.streams).try_acquire_owned().map_err(|_| {
            Status::resource_exhausted(format!(
                "{STREAMS_MAX} subscriptions are open; close one, or try later"
            ))
        })?;
        let subscription = Subscription::open(&self.hub, self.stop.clone(), permit, request.get_ref())?;
        // An error is the last item: the client resumes with a new call.
        let stream = futures::stream::unfold(Some(subscription), |open| async {
            let mut subscription = open?;
            match subscription.next().await {
                Ok(message) => {
                    let response = v1::SubscribeResponse {
                        message: Some(message),
                    };
                    Some((Ok(response), Some(subscription)))
                }
                Err(status) => Some((Err(status), None)),
            }
        });
        Ok(Response::new(Box::pin(stream)))
    }
}

/// One open stream.
struct Subscription {
    hub: Arc<AlertHub>,
    filter: EventFilter,
    wants_snapshot: bool,
    /// Everything up to here has been put into `ready`, held back by the filter, or named in a gap.
    after: u64,
    /// What the client gets next.
    ready: VecDeque<Message>,
    changed: watch::Receiver<u64>,
    heartbeat: Duration,
    heartbeat_at: Instant,
    stop: CancellationToken,
    /// Gives the stream's place back when it ends.
    _permit: OwnedSemaphorePermit,
}

impl Subscription {
    fn open(
        hub: &Arc<AlertHub>,
        stop: CancellationToken,
        permit: OwnedSemaphorePermit,
        request: &v1::SubscribeRequest,
    ) -> Result<Self, Status> {
        let start = request
            .cursor
            .parse::<Start>()
            .map_err(|e| Status::invalid_argument(e.to_string()))?;
        let filter =
            EventFilter::parse(&request.filter).map_err(|e| Status::invalid_argument(e.to_string()))?;
        let heartbeat = heartbeat(request.heartbeat_interval_ms)?;
        let mut subscription = Self {
            hub: Arc::clone(hub),
            filter,
            wants_snapshot: request.snapshot,
            after: 0,
            ready: VecDeque::new(),
            changed: hub.watch(),
            heartbeat,
            heartbeat_at: Instant::now() + heartbeat,
            stop,
            _permit: permit,
        };
        hub.read(|store| subscription.begin(store, start));
        Ok(subscription)
    }

    /// Finds the place in the log, and makes the first messages ready.
    fn begin(&mut self, store: &AlertStore, start: Start) {
        let oldest = store.first_seq() - 1;
        self.after = match start {
            Start::Now => store.last_seq(),
            Start::Beginning => oldest,
            Start::After(cursor) if self.is_ours(store, cursor) => cursor.seq,
            Start::After(_) => oldest,
        };
        if let Start::After(cursor) = start
            && !self.is_ours(store, cursor)
        {
            let reason = format!(
                "cursor {cursor} is not of this alert log (was the data directory exchanged?): what was missed is \
                 unknown; all events that are kept follow"
            );
            self.push_gap(1, 0, reason);
        }
        if self.wants_snapshot {
            self.push_snapshot(store);
        } else {
            self.push_heartbeat();
        }
    }

    /// A cursor ahead of the log is of another one too: this log went back, as after a restore of a backup.
    fn is_ours(&self, store: &AlertStore, cursor: Cursor) -> bool {
        cursor.log_id == self.hub.log_id() && cursor.seq <= store.last_seq()
    }

    /// The next message; waits for it.
    async fn next(&mut self) -> Result<Message, Status> {
        loop {
            if self.stop.is_cancelled() {
                return Err(stopping());
            }
            if let Some(message) = self.ready.pop_front() {
                self.heartbeat_at = Instant::now() + self.heartbeat;
                return Ok(message);
            }
            // Marked as seen before reading, so that an event after the read wakes this stream.
            self.changed.borrow_and_update();
            let hub = Arc::clone(&self.hub);
            if hub.read(|store| self.read_page(store)) {
                // A filter that lets nothing through must neither keep the thread nor the heartbeat.
                if self.ready.is_empty() && Instant::now() >= self.heartbeat_at {
                    self.push_heartbeat();
                }
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                changed = self.changed.changed() => changed.map_err(|_| stopping())?,
                () = tokio::time::sleep_until(self.heartbeat_at) => self.push_heartbeat(),
            }
        }
    }

    /// Reads on in the log; whether there was anything.
    fn read_page(&mut self, store: &AlertStore) -> bool {
        let page = store.events_after(self.after);
        if let Some(gap) = page.gap {
            // A log that is open never goes back, so a cursor is never ahead of it here.
            let (first, last) = match gap {
                Gap::Dropped { first, last } => (first, last),
                Gap::Ahead { cursor, last_seq } => (last_seq + 1, cursor),
            };
            self.after = store.first_seq() - 1;
            let reason = format!(
                "events {first} to {last} are no longer kept, because the subscriber was away or slow for too long; ask \
                 for a snapshot to know which alerts are active"
            );
            self.push_gap(first, last, reason);
            if self.wants_snapshot {
                self.push_snapshot(store);
            }
            return true;
        }
        let before = self.after;
        for event in page.events.take(PAGE_EVENTS) {
            self.after = event.seq;
            if self.filter.matches(event) {
                self.ready
                    .push_back(Message::Event(message::event(self.hub.log_id(), event)));
            }
        }
        self.after != before
    }

    fn push_gap(&mut self, first_missing: u64, last_missing: u64, reason: String) {
        let cursor = self.cursor();
        self.ready.push_back(Message::Gap(v1::Gap {
            first_missing,
            last_missing,
            reason,
            cursor,
        }));
    }

    fn push_heartbeat(&mut self) {
        let cursor = self.cursor();
        self.ready.push_back(Message::Heartbeat(v1::Heartbeat { cursor }));
    }

    /// The active alerts in as many messages as they need, at least one.
    fn push_snapshot(&mut self, store: &AlertStore) {
        let mut alerts: VecDeque<v1::Alert> = store
            .active()
            .filter(|alert| alert.state.is_active() && self.filter.matches(&message::event_of(alert)))
            .filter_map(|alert| message::alert(&alert))
            .collect();
        let (cursor, seq) = (self.cursor(), store.last_seq());
        loop {
            let part = alerts.drain(..alerts.len().min(SNAPSHOT_ALERTS)).collect();
            let more = !alerts.is_empty();
            let snapshot = v1::Snapshot {
                alerts: part,
                cursor: cursor.clone(),
                seq,
                more,
            };
            self.ready.push_back(Message::Snapshot(snapshot));
            if !more {
                return;
            }
        }
    }

    fn cursor(&self) -> String {
        Cursor {
            log_id: self.hub.log_id(),
            seq: self.after,
        }
        .to_string()
    }
}

fn heartbeat(interval_ms: u32) -> Result<Duration, Status> {
    match interval_ms {
        0 => Ok(Duration::from_millis(HEARTBEAT_MS_DEFAULT.into())),
        HEARTBEAT_MS_MIN..=HEARTBEAT_MS_MAX => Ok(Duration::from_millis(interval_ms.into())),
        _ => Err(Status::invalid_argument(format!(
            "heartbeat_interval_ms {interval_ms} is not 0 (the default) or from {HEARTBEAT_MS_MIN} to {HEARTBEAT_MS_MAX}"
        ))),
    }
}

fn stopping() -> Status {
    Status::unavailable("the server is stopping: subscribe again with the last cursor")
}

#[cfg(test)]
mod tests;
