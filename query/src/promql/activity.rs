//! Who asks now, and what was asked lately.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use barograph_model::{Clock, TimestampMs};
use barograph_promql::{Interrupt, QueryError};

use super::{PromqlAnswer, PromqlError, PromqlRequest, QueryRecord, QueryTimes, SelectorCost};

/// Queries that are remembered after their end.
const REMEMBERED_MAX: usize = 4096;
/// Bytes of a remembered text.
const TEXT_BYTES_MAX: usize = 2048;

/// Is told of every query that has ended. Called on an I/O thread: it must not wait.
pub type QueryObserver = Box<dyn Fn(&QueryRecord) + Send + Sync>;

/// The queries of an engine.
pub(super) struct Activity {
    clock: Arc<dyn Clock>,
    observer: Option<QueryObserver>,
    next_id: AtomicU64,
    active: Mutex<BTreeMap<u64, ActiveQuery>>,
    /// the latest last
    ended: Mutex<VecDeque<QueryRecord>>,
}

/// A query that waits or runs.
#[derive(Debug, Clone)]
pub(super) struct ActiveQuery {
    pub(super) text: Arc<str>,
    pub(super) client: Arc<str>,
    pub(super) is_range: bool,
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) step_ms: i64,
    pub(super) started_at: TimestampMs,
    pub(super) started_ns: u64,
    pub(super) is_running: bool,
}

/// A query on its way. Dropped before it has ended, it ends the work: nobody waits for it.
pub(super) struct Asked {
    activity: Arc<Activity>,
    id: u64,
    interrupt: Interrupt,
    times: QueryTimes,
    has_ended: bool,
}

impl fmt::Debug for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Activity").finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The text, or its beginning.
fn shortened(text: &Arc<str>) -> Arc<str> {
    if text.len() <= TEXT_BYTES_MAX {
        return Arc::clone(text);
    }
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    Arc::from(format!("{}...", &text[..end]))
}

impl Activity {
    pub(super) fn new(clock: Arc<dyn Clock>, observer: Option<QueryObserver>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            observer,
            next_id: AtomicU64::new(1),
            active: Mutex::default(),
            ended: Mutex::default(),
        })
    }

    /// Enters a query.
    pub(super) fn begin(self: &Arc<Self>, request: &PromqlRequest, interrupt: &Interrupt) -> Asked {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let query = ActiveQuery {
            text: Arc::clone(&request.text),
            client: Arc::clone(&request.client),
            is_range: request.is_range,
            start_ms: request.grid.start(),
            end_ms: request.grid.end(),
            step_ms: if request.is_range { request.grid.step() } else { 0 },
            started_at: self.clock.now(),
            started_ns: self.clock.monotonic_ns(),
            is_running: false,
        };
        lock(&self.active).insert(id, query);
        Asked {
            activity: Arc::clone(self),
            id,
            interrupt: interrupt.clone(),
            times: QueryTimes::default(),
            has_ended: false,
        }
    }

    /// The queries that wait or run, oldest first, each with its age in nanoseconds.
    pub(super) fn active(&self) -> Vec<(u64, ActiveQuery, u64)> {
        let now = self.clock.monotonic_ns();
        let age = |query: &ActiveQuery| now.saturating_sub(query.started_ns);
        lock(&self.active)
            .iter()
            .map(|(id, query)| (*id, query.clone(), age(query)))
            .collect()
    }

    /// Runs over the queries that have ended lately, the oldest first.
    pub(super) fn ended(&self, mut with: impl FnMut(&QueryRecord)) {
        lock(&self.ended).iter().for_each(&mut with);
    }
}

impl Asked {
    /// Notes that the query has its place.
    pub(super) fn has_place(&mut self) {
        let now = self.activity.clock.monotonic_ns();
        if let Some(query) = lock(&self.activity.active).get_mut(&self.id) {
            query.is_running = true;
            self.times.queued_ns = now.saturating_sub(query.started_ns);
        }
    }

    /// Notes how the query ended, and gives its times.
    pub(super) fn end(mut self, outcome: &Result<PromqlAnswer, PromqlError>) -> QueryTimes {
        self.record(outcome.as_ref())
    }

    fn record(&mut self, outcome: Result<&PromqlAnswer, &PromqlError>) -> QueryTimes {
        self.has_ended = true;
        let Some(query) = lock(&self.activity.active).remove(&self.id) else {
            return self.times;
        };
        let now = self.activity.clock.monotonic_ns();
        self.times.total_ns = now.saturating_sub(query.started_ns);
        let mut record = QueryRecord {
            text: query.text,
            client: query.client,
            is_range: query.is_range,
            start_ms: query.start_ms,
            end_ms: query.end_ms,
            step_ms: query.step_ms,
            started_at: query.started_at,
            times: self.times,
            samples_total: 0,
            samples_peak: 0,
            selectors: Vec::new(),
            error: None,
        };
        match outcome {
            Ok(found) => {
                let stats = &found.answer.stats;
                record.times.prepared_ns = found.times.prepared_ns;
                record.times.evaluated_ns = found.times.evaluated_ns;
                record.samples_total = stats.samples_total;
                record.samples_peak = stats.samples_peak;
                record.selectors = SelectorCost::of(&record.text, stats);
            }
            Err(error) => record.error = Some((error.kind(), error.to_string())),
        }
        if let Some(observer) = &self.activity.observer {
            observer(&record);
        }
        let times = record.times;
        record.text = shortened(&record.text);
        record.selectors = Vec::new();
        let mut ended = lock(&self.activity.ended);
        if ended.len() >= REMEMBERED_MAX {
            ended.pop_front();
        }
        ended.push_back(record);
        times
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.has_ended {
            self.interrupt.cancel();
            self.record(Err(&PromqlError::Query(QueryError::Canceled)));
        }
    }
}
