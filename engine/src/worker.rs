//! Two threads of a store: one commits, one keeps the files in order.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use barograph_model::MemoryShare;

use crate::commit::{Company, Pending, Work};
use crate::engine::Shared;
use crate::log::Log;
use crate::{EngineError, Fsync, Result, maintenance, sorting};

/// How often the files are looked at when nobody asks.
const MAINTENANCE_PERIOD: Duration = Duration::from_secs(15);

/// Starts a named thread.
pub(crate) fn spawn(
    name: &str,
    shared: &Arc<Shared>,
    body: impl FnOnce(&Shared) + Send + 'static,
) -> Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || body(&shared))
        .map_err(EngineError::io("start a thread for", name))
}

/// Commits what waits until the queue is closed.
pub(crate) fn commit_loop(shared: &Shared) {
    let mut timer = SyncTimer::new(shared);
    let mut company = Company::default();
    while let Work::Batches(mut batches) = shared.queue.take(timer.patience()) {
        if !batches.is_empty() {
            shared.queue.gather(&mut batches, &company);
            company = commit(shared, batches);
            sorting::keep_sorted(shared);
            if shared.memtable_is_full() {
                shared.wake.notify();
            }
        }
        timer.sync_if_due();
    }
    sync(shared);
}

/// When the log is to be synced, where that is done at intervals.
struct SyncTimer<'s> {
    shared: &'s Shared,
    interval: Option<Duration>,
    /// when the first of what is not synced was found, in monotonic time
    unsynced_ns: Option<u64>,
}

impl<'s> SyncTimer<'s> {
    fn new(shared: &'s Shared) -> Self {
        let interval = match shared.options.fsync {
            Fsync::Always => None,
            Fsync::Interval(interval) => Some(interval),
        };
        Self {
            shared,
            interval,
            unsynced_ns: None,
        }
    }

    /// How long the next batch may be waited for; for ever where everything is synced.
    fn patience(&self) -> Option<Duration> {
        let passed_ns = self.shared.clock.monotonic_ns().saturating_sub(self.unsynced_ns?);
        // Not shorter than a millisecond: a clock that stands still must not make this a busy loop.
        let left = self.interval?.saturating_sub(Duration::from_nanos(passed_ns));
        Some(left.max(Duration::from_millis(1)))
    }

    fn sync_if_due(&mut self) {
        let Some(interval) = self.interval else {
            return;
        };
        if !self.shared.log().has_unsynced() {
            self.unsynced_ns = None;
            return;
        }
        let now_ns = self.shared.clock.monotonic_ns();
        let since_ns = *self.unsynced_ns.get_or_insert(now_ns);
        if Duration::from_nanos(now_ns.saturating_sub(since_ns)) >= interval {
            sync(self.shared);
            self.unsynced_ns = None;
        }
    }
}

/// Makes durable what was acknowledged before its sync. A failure ends all writing.
pub(crate) fn sync(shared: &Shared) {
    let result = shared.log().sync();
    if let Err(error) = result {
        note_poison(shared, &error);
    }
}

fn note_poison(shared: &Shared, error: &EngineError) {
    if let Some(reason) = Log::poisoned(error) {
        tracing::error!(
            reason,
            "a sync failed: the store accepts no more writes until it is restarted"
        );
        shared.counters.set_poison(reason);
    }
}

/// Commits what waits on the calling thread: the whole of a store without threads.
pub(crate) fn commit_now(shared: &Shared) {
    commit(shared, shared.queue.take_now());
    sorting::sort(shared);
}

/// Flushes when memory is full and drops what is too old, until the store closes.
pub(crate) fn maintenance_loop(shared: &Shared) {
    while !shared.counters.closing.load(Ordering::SeqCst) {
        maintenance::flush_if_full(shared);
        if let Err(error) = maintenance::apply_retention(shared) {
            tracing::warn!(%error, "retention failed and will be tried again");
        }
        if let Err(error) = maintenance::set_aside_damaged(shared) {
            tracing::warn!(%error, "a damaged segment could not be set aside; it will be tried again");
        }
        shared.wake.wait(MAINTENANCE_PERIOD);
    }
}

/// Gives how many others there were meanwhile.
fn commit(shared: &Shared, batches: Vec<Pending>) -> Company {
    if batches.is_empty() {
        return Company::default();
    }
    let queued_bytes = batches.iter().map(|batch| batch.bytes).sum();
    let mut log = shared.log();
    // It changes only while the log is locked.
    let head = shared
        .state
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .memtable
        .head()
        .clone();
    let mut pushed = Vec::with_capacity(batches.len());
    for mut batch in batches {
        match batch
            .rebase(&head)
            .and_then(|()| log.push(&batch.columns, &batch.frames))
        {
            Ok(()) => pushed.push(batch),
            Err(error) => (batch.done)(Err(error)),
        }
    }
    let began_ns = shared.clock.monotonic_ns();
    let result = log.commit();
    let took_ns = shared.clock.monotonic_ns().saturating_sub(began_ns);
    shared.counters.wal_bytes.store(log.bytes(), Ordering::Relaxed);
    if let Err(error) = &result {
        shared.counters.failed_commits.fetch_add(1, Ordering::Relaxed);
        if Log::poisoned(error).is_none() {
            tracing::warn!(%error, "a commit failed: its samples were refused");
        }
        note_poison(shared, error);
    } else {
        shared.counters.commits.fetch_add(1, Ordering::Relaxed);
    }
    // The log stays locked until the samples are in the memtable: a flush that freezes the memtable and begins a
    // new log in between would cut frames whose samples it did not write.
    let mut answers = Vec::with_capacity(pushed.len());
    {
        let mut state = shared.state.write().unwrap_or_else(PoisonError::into_inner);
        for mut batch in pushed {
            if result.is_ok() {
                shared
                    .counters
                    .samples
                    .fetch_add(batch.columns.len() as u64, Ordering::Relaxed);
                shared
                    .counters
                    .memory_rows
                    .fetch_add(batch.columns.weight(), Ordering::Relaxed);
                state.metadata.extend(batch.columns.take_metadata());
                state.memtable.insert(batch.columns);
            }
            answers.push(batch.done);
        }
    }
    drop(log);
    // First what is new, then what is gone, so that the sum is never short of what is held.
    shared.account_memory();
    shared
        .options
        .memory
        .shrink(MemoryShare::CommitQueue, queued_bytes);
    // Before the first answer, after which some of them are back.
    let company = Company {
        batches: answers.len() + shared.queue.len(),
        took_ns,
    };
    for done in answers {
        done(match &result {
            Ok(()) => Ok(()),
            Err(error) => Err(error.for_another()),
        });
    }
    company
}
